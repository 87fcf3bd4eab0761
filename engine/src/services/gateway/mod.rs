//! Devices that reach the cloud through another one, the gateway (gateway.md).

pub mod message;
pub mod notice;
pub mod session;
pub mod signature;
pub mod topics;

pub use message::{Bound, Operation};
pub use notice::Notice;
pub use session::{Hindrance, Outcome, Received, Session, Ticket};
pub use topics::topics;

/// How long to wait for an answer, in milliseconds.
pub const ANSWER_TIMEOUT_MS: u64 = 20_000;
