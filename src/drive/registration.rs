//! Dynamic registration over a connection of its own: connects, asks, and waits for the answer, each with its time limit.

pub mod files;

use std::sync::Arc;

use iot_engine::http::reply::{Fault, Reply};
use iot_engine::services::registration::{Credentials, Registration, MAX_BODY};

use super::error::RegistrationFault;
use super::http_exchange::{ExchangeFault, HttpExchange};
use super::overrides;
use crate::hal::{Endpoint, Platform, Security};

/// The function that people know this by in the log.
const FUNCTION: &str = "IOT_DynReg_Device";
/// Time limit for connection and handshake together.
const CONNECT_MS: u64 = 10_000;
/// Time limit for request and answer together.
const ANSWER_MS: u64 = 10_000;

/// Whether registration goes over TLS.
const TLS: bool = cfg!(not(feature = "auth-with-notls"));
/// The port where devices register.
const PORT: u16 = if TLS { 443 } else { 80 };

/// Asks the cloud for the device's credentials.
///
/// # Errors
/// Why there are none.
pub fn register(platform: &Arc<dyn Platform>, registration: &Registration) -> Result<Credentials, RegistrationFault> {
    let server = overrides::server(overrides::REGISTRATION_ENDPOINT, FUNCTION, "server", || {
        (registration.server().to_owned(), PORT)
    });
    let (host, port) = server.map_err(RegistrationFault::NoServer)?;
    let identity = registration.identity();
    log::debug!(
        target: FUNCTION,
        "registering {}/{} at {host}:{port}", identity.product_id(), identity.device_name()
    );
    let shown_host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let host_field = if port == PORT { shown_host } else { format!("{shown_host}:{port}") };
    let endpoint = Endpoint { host, port, security: security()?, handshake_timeout_ms: 10_000 };
    let exchange = HttpExchange::connect(&**platform, &endpoint, CONNECT_MS)?;
    let deadline = platform.now() + ANSWER_MS;
    let request = registration.request(&host_field, platform.random(), platform.unix_time());
    exchange.send(request.head.as_bytes(), deadline)?;
    exchange.send(request.body.as_bytes(), deadline)?;
    let mut reply = Reply::new(MAX_BODY);
    let end = exchange.receive(&mut reply, deadline)?;
    let answer = match (reply.into_answer(), end) {
        (Ok(answer), _) => answer,
        (Err(Fault::Ended), Some(error)) => return Err(ExchangeFault::Cut(error).into()),
        (Err(fault), _) => return Err(RegistrationFault::NoAnswer(fault)),
    };
    Ok(registration.read(&answer)?)
}

#[cfg(not(feature = "auth-with-notls"))]
fn security() -> Result<Security, RegistrationFault> {
    let ca_pem = super::trust::gateway_roots().map_err(RegistrationFault::NoRoots)?;
    Ok(Security::Server { ca_pem })
}

#[cfg(feature = "auth-with-notls")]
#[allow(clippy::unnecessary_wraps)]
fn security() -> Result<Security, RegistrationFault> {
    Ok(Security::None)
}

#[cfg(test)]
mod tests;
