//! The services of the cloud over an MQTT client: a file or folder each.

#[cfg(feature = "broadcast")]
pub mod broadcast;
pub(crate) mod channel;
mod delivery;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "inbox")]
pub(crate) mod inbox;
#[cfg(feature = "log-upload")]
pub mod log_upload;
pub mod ota;
pub(crate) mod question;
#[cfg(feature = "remote-config-mqtt")]
pub mod remote_config;
#[cfg(feature = "resource")]
pub mod resource;
#[cfg(feature = "rrpc")]
pub mod rrpc;
#[cfg(feature = "shadow")]
pub mod shadow;
mod slot;
#[cfg(feature = "ssh")]
pub mod ssh;
pub mod system_time;
#[cfg(feature = "upgrade")]
pub mod upgrade;

#[cfg(all(test, feature = "broadcast", feature = "gateway", feature = "remote-config-mqtt", feature = "rrpc"))]
mod together_tests;
