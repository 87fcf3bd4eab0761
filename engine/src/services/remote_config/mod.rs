//! Configuration that the cloud keeps for a product (messaging.md section 3).

pub mod gets;
pub mod message;
pub mod topics;

pub use gets::{Gets, Ticket};
pub use message::Configuration;
pub use topics::topics;

/// How long a call waits whose time is negative, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 20_000;
