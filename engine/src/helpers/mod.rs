//! What the C SDK's helper functions do (behaviour.md sections 2 and 6): text and numbers, each file by itself.

pub mod base64;
pub mod date;
pub mod getopt;
pub mod hex;
pub mod hmac_sha1;
pub mod json;
pub mod logline;
pub mod number;
pub mod pem;
pub mod redact;
