//! Where an HTTP transfer connects to, and whether it may do so over https.

use iot_engine::http::Url;

use super::error::StartFault;
use crate::hal::{Endpoint, Security};

/// Time limit of a TLS handshake.
const HANDSHAKE_MS: u32 = 10_000;

/// A transfer that could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    /// The kind of failure.
    pub fault: StartFault,
    /// What happened.
    pub text: String,
}

/// A service's switch for https.
#[derive(Debug, Clone, Copy)]
pub struct Https {
    /// The build option that it is.
    pub option: &'static str,
    /// Whether it is on.
    pub is_on: bool,
}

/// Where to connect for `url`.
///
/// # Errors
/// It is https, which is not possible.
pub fn endpoint(url: &Url, https: Https) -> Result<Endpoint, StartError> {
    let security = if url.tls() { security(https)? } else { Security::None };
    Ok(Endpoint { host: url.host().to_owned(), port: url.port(), security, handshake_timeout_ms: HANDSHAKE_MS })
}

fn security(https: Https) -> Result<Security, StartError> {
    // Without either switch the roots are not part of the library.
    #[cfg(all(any(feature = "ota-use-https", feature = "resource-use-https"), not(feature = "auth-with-notls")))]
    if https.is_on {
        let ca_pem = super::trust::https_roots().map_err(|text| StartError { fault: StartFault::NoRoots, text })?;
        return Ok(Security::Server { ca_pem });
    }
    let why = if cfg!(feature = "auth-with-notls") {
        "FEATURE_AUTH_WITH_NOTLS ON".to_owned()
    } else {
        format!("{} OFF", https.option)
    };
    let text = format!("https:// is not possible, this library was built with {why}");
    Err(StartError { fault: StartFault::NoHttps, text })
}
