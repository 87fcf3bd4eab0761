//! The services of the cloud over an MQTT client: a file or folder each.

pub(crate) mod channel;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod ota;
pub(crate) mod question;
pub mod system_time;
