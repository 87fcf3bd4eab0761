//! TLS by mbedTLS: with pre-shared keys always, since rustls has no such cipher suites (architecture.md decision 3), and
//! with certificates where the build says so. DTLS is always mbedTLS's.

#[cfg(any(feature = "tls-mbedtls", all(feature = "coap", feature = "auth-mode-cert")))]
pub mod cert;
#[cfg(not(feature = "auth-mode-cert"))]
pub mod psk;
#[cfg(any(not(feature = "auth-mode-cert"), feature = "tls-mbedtls"))]
mod stream;

use std::net::IpAddr;

use iot_mbedtls::Error;

use crate::stack::Failure;

/// What goes into the server name extension: names only (RFC 6066, 3).
fn server_name(host: &str) -> Option<&str> {
    host.parse::<IpAddr>().is_err().then_some(host)
}

/// What to say about errors.
pub trait Words: Send {
    /// The server has sent the fatal alert with this number.
    fn alert(&self, alert: u8) -> Failure;
    /// mbedTLS has given up. `flaws`: what it says about the server's certificate.
    fn error(&self, error: Error, flaws: u32) -> Failure;
}
