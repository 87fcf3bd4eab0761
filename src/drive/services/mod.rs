//! The services of the cloud over an MQTT client: a file or folder each.

pub(crate) mod channel;
pub mod ota;
pub mod system_time;
