//! The rules of the device side: MQTT session, the services on top of it, HTTP, download policy.
//!
//! Nothing here knows a socket, a clock, a thread or C. Time comes in as [`time::Millis`], bytes come in as slices;
//! what is to be done and when to come back goes out. Every rule is therefore tested without waiting for anything.
#![forbid(unsafe_code)]

pub mod coap;
pub mod download;
pub mod endpoint;
pub mod helpers;
pub mod http;
pub mod identity;
pub mod mqtt;
pub mod region;
pub mod services;
pub mod time;
pub mod topic;
pub mod upgrade;
pub mod upload;
pub mod websocket;
