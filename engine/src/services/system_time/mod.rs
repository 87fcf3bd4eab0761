//! Asking the cloud for the time (behaviour.md section 7).

pub mod message;
pub mod topics;

pub use message::Answer;
pub use topics::topics;

/// How long to wait for an answer, in milliseconds.
pub const ANSWER_TIMEOUT_MS: u64 = 2_000;
