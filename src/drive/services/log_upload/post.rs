//! One upload over the network: a connection, a request, an answer (log_upload.md section 3).

use iot_engine::http::reply::Reply;
use iot_engine::http::Url;
use iot_engine::services::log_upload::{answer, verdict, Form};

use crate::drive::http_exchange::{ExchangeFault, HttpExchange};
use crate::hal::{Endpoint, Platform, Security, TransportError};

/// Time limits in milliseconds: for connecting, for writing and for the answer.
const CONNECT_MS: u64 = 5_000;
const WRITE_MS: u64 = 5_000;
const ANSWER_MS: u64 = 1_000;

/// Sends `request` to the server of `url`.
///
/// # Errors
/// Why the server has not taken it.
pub(super) fn post(platform: &dyn Platform, url: &Url, form: Form, request: &[u8]) -> Result<(), String> {
    let mut reply = answer();
    match exchange(platform, url, request, &mut reply).map_err(|fault| fault.to_string())? {
        None | Some(TransportError::Closed(_)) => verdict(form, reply),
        Some(error) => Err(error.to_string()),
    }
}

fn exchange(
    platform: &dyn Platform,
    url: &Url,
    request: &[u8],
    reply: &mut Reply,
) -> Result<Option<TransportError>, ExchangeFault> {
    let endpoint =
        Endpoint { host: url.host().to_owned(), port: url.port(), security: Security::None, handshake_timeout_ms: 0 };
    let exchange = HttpExchange::connect(platform, &endpoint, CONNECT_MS)?;
    exchange.send(request, platform.now() + WRITE_MS)?;
    exchange.receive(reply, platform.now() + ANSWER_MS)
}
