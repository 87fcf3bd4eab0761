//! The OTA session: messages, states, progress, checksum (wire.md section 3, behaviour.md section 4).

pub mod checksum;
pub mod command;
pub mod error;
pub mod message;
pub mod progress;
pub mod session;
pub mod topics;

pub use checksum::Checksum;
pub use command::{CloudMessage, UpdateCommand};
pub use error::{Failure, FailureCode, OtaError};
pub use message::{Delivery, Report};
pub use session::{Plan, Received, Session, State};
pub use topics::Topics;

/// Longest firmware version in bytes.
pub const MAX_VERSION_LEN: usize = 32;
