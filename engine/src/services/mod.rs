//! The services of the cloud that a device uses over its MQTT session: a folder each, with its topics, messages and
//! session. [`exchange`] is what they share.

pub mod exchange;
pub mod ota;
pub mod system_time;
