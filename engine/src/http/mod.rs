//! HTTP/1.1 as far as a device needs it: URLs, the request, the head of an answer, how its body is framed, a buffer for
//! what comes in, and short answers whole.

mod basic;
pub mod buffer;
pub mod chunk;
pub mod framing;
pub mod head;
mod reference;
pub mod reply;
pub mod request;
pub mod url;

pub use buffer::READ_AHEAD;
pub use head::Head;
pub use url::Url;
