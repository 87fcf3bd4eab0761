//! What this ring's tests share: a clock, a scripted cloud, and a machine that reaches it.
//!
//! A new service extends the cloud by a function from what the device publishes to what the cloud answers
//! ([`Cloud::answer_with`]), and is tested over a real client that [`Machine::client`] connects.

mod clock;
mod cloud;
mod machine;
pub(crate) mod mqtt_server;
#[cfg(feature = "inbox")]
pub(crate) mod program;
pub(crate) mod web_server;
#[cfg(feature = "websocket")]
pub(crate) mod websocket_server;

pub(crate) use clock::Clock;
pub(crate) use cloud::{Cloud, Grant};
pub(crate) use machine::Machine;
