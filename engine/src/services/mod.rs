//! The services of the cloud that a device uses over its MQTT session: a folder each.

pub mod ota;
pub mod system_time;
