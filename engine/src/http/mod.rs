//! HTTP/1.1 as far as a device needs it: URLs, the head of an answer, and a buffer for what comes in.

pub mod buffer;
pub mod head;
pub mod url;

pub use buffer::READ_AHEAD;
pub use url::Url;
