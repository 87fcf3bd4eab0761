//! The download of a firmware file over HTTP/1.1 without I/O: what each answer means, retry, resume
//! (wire.md section 4, behaviour.md section 5).

pub mod answer;
pub mod backoff;
mod buffer;
mod head;
pub mod transfer;
pub mod url;

pub use transfer::{Note, Step, Transfer};
pub use url::Url;

/// Bytes read ahead where the caller's buffer is smaller.
pub const READ_AHEAD: usize = buffer::READ_AHEAD;
