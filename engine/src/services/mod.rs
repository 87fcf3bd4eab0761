//! The services of the cloud that a device uses over its MQTT session: a folder each, with its topics, messages and
//! session. [`exchange`], [`fields`], [`question`], [`signed_head`] and [`topics`] are what they share. [`registration`] comes before any session.

pub mod broadcast;
pub mod exchange;
pub mod fields;
pub mod gateway;
pub mod log_upload;
pub mod ota;
pub mod question;
pub mod registration;
pub mod remote_config;
pub mod resource;
pub mod rrpc;
pub mod shadow;
pub mod signed_head;
pub mod ssh;
pub mod system_time;
pub mod topics;
