//! TLS: certificates made at first start, and the pre-shared-key server.

pub mod certs;
mod own;
pub mod psk;
