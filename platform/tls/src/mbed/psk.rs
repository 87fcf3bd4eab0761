//! TLS 1.2 with a pre-shared key.

use std::net::TcpStream;
use std::sync::Arc;

use iot_mbedtls::{Error, Session, MAX_KEY, SUITES};
use zeroize::Zeroizing;

use super::stream::MbedStack;
use super::{server_name, Words};
use crate::stack::Failure;

/// Who the device is.
pub struct Config {
    key: Zeroizing<Vec<u8>>,
    identity: String,
}

/// Takes copies of key and identity.
///
/// # Errors
/// A text for the log.
pub fn configure(key: &[u8], identity: &str) -> Result<Arc<Config>, String> {
    if key.len() > MAX_KEY {
        return Err(format!("the pre-shared key has {} bytes, the limit is {MAX_KEY}", key.len()));
    }
    if key.is_empty() || identity.is_empty() {
        return Err("can't set up TLS: the pre-shared key or its identity is empty".to_owned());
    }
    Ok(Arc::new(Config { key: Zeroizing::new(key.to_vec()), identity: identity.to_owned() }))
}

/// A connection before its handshake.
///
/// # Errors
/// What mbedTLS says, mostly that there is no memory.
pub fn connect(config: &Config, stream: Arc<TcpStream>, host: &str) -> Result<MbedStack<PskWords>, Failure> {
    let name = server_name(host);
    MbedStack::new(stream, PskWords, |io| Session::client(&config.key, &config.identity, name, &SUITES, io))
}

/// The same over datagrams.
///
/// # Errors
/// As [`connect`].
#[cfg(feature = "coap")]
pub fn datagrams(config: &Config, host: &str) -> Result<(iot_mbedtls::dtls::Session, PskWords), Failure> {
    iot_mbedtls::dtls::Session::client(&config.key, &config.identity, server_name(host), &SUITES)
        .map(|session| (session, PskWords))
        .map_err(|error| Failure::passing(error.to_string()))
}

/// What to look at is the device's name and secret.
pub struct PskWords;

impl Words for PskWords {
    fn alert(&self, alert: u8) -> Failure {
        match alert {
            20 | 51 => Failure::lasting(format!("decrypt error (alert {alert}): check the device secret")),
            115 | 48 => Failure::lasting(format!(
                "the server does not know this identity (alert {alert}): check product id and device name"
            )),
            40 | 71 => {
                Failure::lasting(format!("no cipher suite in common, or key and identity refused (alert {alert})"))
            }
            70 => Failure::lasting("the server does not take TLS 1.2 (alert 70)"),
            _ => Failure::passing(format!("the server sent fatal alert {alert}: check device name and device secret")),
        }
    }

    fn error(&self, error: Error, _: u32) -> Failure {
        match error {
            Error::INVALID_MAC => Failure::lasting("received data can't be decrypted: check the device secret"),
            Error::PROTOCOL_VERSION => Failure::lasting("the server does not take TLS 1.2"),
            Error::ILLEGAL_PARAMETER | Error::BAD_INPUT => {
                Failure::lasting("the server chose a cipher suite that was not offered")
            }
            Error::INVALID_RECORD => Failure::passing("the server does not speak TLS, or sent damaged data"),
            _ => Failure::passing(error.to_string()),
        }
    }
}
