//! Connecting by `HAL_TCP_Connect` and `HAL_TLS_Connect`.

use std::ffi::CString;
use std::sync::Arc;

#[cfg(not(feature = "auth-with-notls"))]
use iot_abi::error::QCLOUD_ERR_SSL_CONNECT;
use iot_abi::error::{QCLOUD_ERR_TCP_CONNECT, QCLOUD_ERR_TCP_UNKNOWN_HOST};

use super::interface::{ConnectError, Connected, Endpoint, Transport};
use super::security::Security;
use super::{cause, tcp};

/// Connects, with TLS where asked for. Blocks for as long as the platform does.
///
/// # Errors
/// Code and cause.
pub fn connect(endpoint: &Endpoint) -> Connected {
    let Ok(host) = CString::new(endpoint.host.as_str()) else {
        let cause = "the host name has a NUL in it".to_owned();
        return Err(ConnectError { code: QCLOUD_ERR_TCP_UNKNOWN_HOST, cause, is_lasting: true });
    };
    // What an earlier failure on this thread left is not the cause of this one.
    cause::clear();
    match &endpoint.security {
        Security::None => tcp::connect(&host, endpoint.port)
            .map(|stream| Arc::new(stream) as Arc<dyn Transport>)
            .ok_or_else(|| cause::take(QCLOUD_ERR_TCP_CONNECT)),
        #[cfg(not(feature = "auth-with-notls"))]
        secured => match super::tls::connect(&host, endpoint.port, secured, endpoint.handshake_timeout_ms) {
            Ok(Some(stream)) => Ok(Arc::new(stream)),
            Ok(None) => Err(cause::take(QCLOUD_ERR_SSL_CONNECT)),
            Err(cause) => Err(ConnectError { code: QCLOUD_ERR_SSL_CONNECT, cause, is_lasting: true }),
        },
    }
}
