//! Resources: files that the cloud hands to a device (download) and a device to the cloud (upload) (resource.md).

pub mod answers;
pub mod command;
pub mod error;
pub mod message;
pub mod session;
pub mod side;
pub mod topics;

pub use command::{CloudMessage, Task};
pub use error::{ResourceError, ResultCode};
pub use message::{Direction, Report};
pub use session::{Received, Session, UploadPlan};
pub use side::State;
pub use topics::Topics;

/// Longest name of a resource in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// Whether a resource can be called so.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len()) && !name.contains('\0')
}
