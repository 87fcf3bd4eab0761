//! One upload over the network: a connection, a request, an answer (log_upload.md section 3).

use std::sync::Arc;

use iot_engine::http::Url;
use iot_engine::services::log_upload::Answer;

use crate::hal::{Endpoint, Platform, Security, Transport, TransportError};

/// Time limits in milliseconds: for connecting, for writing and for the answer.
const CONNECT_MS: u64 = 5_000;
const WRITE_MS: u64 = 5_000;
const ANSWER_MS: u64 = 1_000;
/// Longest wait in one call, so that a thread that is to end does so soon.
const SLICE_MS: u64 = 500;
/// Limit for reading what may not come: a platform that fills its buffer waits that long for nothing (hal.md).
const SHORT_MS: u32 = 10;

/// Sends `request` to the server of `url`.
///
/// # Errors
/// Why the server has not taken it.
pub(super) fn post(platform: &dyn Platform, url: &Url, request: &[u8]) -> Result<(), String> {
    let transport = connect(platform, url)?;
    write(platform, &*transport, request)?;
    read(platform, &*transport)
}

fn connect(platform: &dyn Platform, url: &Url) -> Result<Arc<dyn Transport>, String> {
    let endpoint =
        Endpoint { host: url.host().to_owned(), port: url.port(), security: Security::None, handshake_timeout_ms: 0 };
    let deadline = platform.now() + CONNECT_MS;
    let mut attempt = platform.begin_connect(&endpoint);
    loop {
        let before = platform.now();
        let left = before.until(deadline).min(SLICE_MS);
        match attempt.outcome(left) {
            Some(outcome) => return outcome.map_err(|error| error.text_for(url.host(), url.port())),
            None if left == 0 || platform.is_leaving() => {
                return Err(format!("{}:{} could not be connected to in time", url.host(), url.port()));
            }
            None => wait_a_little(platform, before),
        }
    }
}

fn write(platform: &dyn Platform, transport: &dyn Transport, mut data: &[u8]) -> Result<(), String> {
    let deadline = platform.now() + WRITE_MS;
    while !data.is_empty() {
        let before = platform.now();
        let left = before.until(deadline).min(SLICE_MS);
        if left == 0 || platform.is_leaving() {
            return Err("the server takes nothing".to_owned());
        }
        let count = transport.write(data, limit(left)).map_err(|error| error.to_string())?;
        data = data.get(count..).unwrap_or_default();
        if count == 0 {
            wait_a_little(platform, before);
        }
    }
    Ok(())
}

fn read(platform: &dyn Platform, transport: &dyn Transport) -> Result<(), String> {
    let deadline = platform.now() + ANSWER_MS;
    let mut answer = Answer::default();
    loop {
        let before = platform.now();
        let left = before.until(deadline).min(SLICE_MS);
        if left == 0 || platform.is_leaving() {
            return Err("the server did not answer in time".to_owned());
        }
        let mut buffer = [0; 512];
        // One byte with the long limit, then more with a short one: see Download::read_head.
        let (first, rest) = buffer.split_at_mut(1);
        let count = match transport.read(first, limit(left)) {
            Ok(0) => {
                wait_a_little(platform, before);
                continue;
            }
            // An error here comes again with the next read.
            Ok(count) => count + transport.read(rest, SHORT_MS).unwrap_or(0),
            Err(TransportError::Closed(_)) => return answer.closed(),
            Err(error) => return Err(error.to_string()),
        };
        if let Some(verdict) = answer.received(buffer.get(..count).unwrap_or_default()) {
            return verdict;
        }
    }
}

/// A platform that does not wait must not make us spin.
fn wait_a_little(platform: &dyn Platform, before: iot_engine::time::Millis) {
    if platform.now() <= before {
        platform.sleep(1);
    }
}

fn limit(ms: u64) -> u32 {
    u32::try_from(ms.max(1)).unwrap_or(1)
}
