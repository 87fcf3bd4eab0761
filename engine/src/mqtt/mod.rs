//! The MQTT session of a device (behaviour.md section 3): subscriptions, packets in flight, keep-alive, back-off.

use std::fmt;

pub mod backoff;
pub mod frame;
pub mod keep_alive;
mod memory;
mod packet;
mod packet_id;
pub mod polling;
pub mod session;

pub use packet::{Message, QoS};
pub use session::{Config, Event, LinkFault, LinkState, Login, Refusal, Session, Skipped};

/// What can't be MQTT in what the server sent. The connection is given up then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed packet: {}", self.0)
    }
}

/// The allocator had no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

/// Why the stream of packets can't be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is no MQTT.
    Malformed(Malformed),
    /// There is no memory for what came.
    NoMemory,
}

impl From<Malformed> for Broken {
    fn from(what: Malformed) -> Self {
        Broken::Malformed(what)
    }
}

impl From<NoMemory> for Broken {
    fn from(_: NoMemory) -> Self {
        Broken::NoMemory
    }
}
