//! The download of a firmware file over HTTP/1.1 without I/O: what each answer means, retry, resume
//! (wire.md section 4, behaviour.md section 5).

pub mod answer;
pub mod backoff;
pub mod transfer;

pub use transfer::{Note, Step, Transfer};
