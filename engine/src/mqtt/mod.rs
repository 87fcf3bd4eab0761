//! The MQTT session of a device (behaviour.md section 3): subscriptions, packets in flight, keep-alive, back-off.

use std::fmt;

pub mod backoff;
pub mod frame;
pub mod keep_alive;
pub mod look;
mod packet_id;
pub mod session;

pub use session::{Config, Event, Link, LinkFault, Login, Message, QoS, Refusal, Session};

/// What can't be MQTT in what the server sent. The connection is given up then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed packet: {}", self.0)
    }
}
