//! The rules of the device side: MQTT session, OTA session, download policy.
//!
//! Nothing here knows a socket, a clock, a thread or C. Time comes in as [`time::Millis`], bytes come in as slices;
//! what is to be done and when to come back goes out. Every rule is therefore tested without waiting for anything.
#![forbid(unsafe_code)]

pub mod auth;
pub mod date;
pub mod download;
pub mod endpoint;
pub mod getopt;
pub mod hex;
pub mod json;
pub mod logline;
pub mod mqtt;
pub mod number;
pub mod ota;
pub mod system_time;
pub mod time;
pub mod topic;
