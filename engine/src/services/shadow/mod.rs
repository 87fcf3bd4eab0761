//! The device's state as the cloud keeps it (shadow.md).

pub mod delta;
pub mod document;
pub mod message;
pub mod properties;
pub mod session;
pub mod topics;

pub use document::{Document, Fault, Form, Value};
pub use message::Message;
pub use properties::Properties;
pub use session::{Received, Serial, Session};
pub use topics::{topics, Kind};

/// How many requests may wait at a time.
pub const MAX_PENDING: usize = 10;
