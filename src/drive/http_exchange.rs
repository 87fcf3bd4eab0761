//! One short HTTP request over a connection of its own, and its answer. Every wait has an end.

use std::fmt;
use std::sync::Arc;

use iot_engine::http::reply::{Need, Reply};
use iot_engine::time::Millis;

use crate::hal::{Endpoint, Platform, Transport, TransportError};

/// Longest wait in one call, so that a thread that is to end does so soon.
const SLICE_MS: u64 = 500;
/// How much is asked for at once where it is not known how much will come.
const CHUNK: usize = 4096;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeFault {
    /// The server can't be reached.
    Unreachable(String),
    /// The time is over.
    Silent,
    /// The connection ended while the request was sent.
    Cut(TransportError),
    /// The thread is to end.
    GivenUp,
}

impl fmt::Display for ExchangeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExchangeFault::Unreachable(text) => write!(f, "{text}"),
            ExchangeFault::Silent => write!(f, "the server gave no answer in time"),
            ExchangeFault::Cut(error) => write!(f, "the connection ended before the answer was complete: {error}"),
            ExchangeFault::GivenUp => write!(f, "the thread is to end"),
        }
    }
}

/// An open connection. Each call ends by the deadline that it is given.
pub struct HttpExchange<'a> {
    platform: &'a dyn Platform,
    transport: Arc<dyn Transport>,
}

impl<'a> HttpExchange<'a> {
    /// Connects within `limit_ms`, the handshake included.
    ///
    /// # Errors
    /// There is no connection.
    pub fn connect(platform: &'a dyn Platform, endpoint: &Endpoint, limit_ms: u64) -> Result<Self, ExchangeFault> {
        let deadline = platform.now() + limit_ms;
        let mut attempt = platform.begin_connect(endpoint);
        loop {
            let before = platform.now();
            let left = before.until(deadline);
            if platform.is_leaving() {
                return Err(ExchangeFault::GivenUp);
            }
            match attempt.outcome(left.min(SLICE_MS)) {
                Some(Ok(transport)) => return Ok(HttpExchange { platform, transport }),
                Some(Err(error)) => {
                    return Err(ExchangeFault::Unreachable(error.text_for(&endpoint.host, endpoint.port)));
                }
                None if left == 0 => {
                    let text = format!("{}:{}: no connection in {} s", endpoint.host, endpoint.port, limit_ms / 1000);
                    return Err(ExchangeFault::Unreachable(text));
                }
                None => wait_a_little(platform, before),
            }
        }
    }

    /// Writes `bytes`, all of them.
    ///
    /// # Errors
    /// They were not all taken.
    pub fn send(&self, mut bytes: &[u8], deadline: Millis) -> Result<(), ExchangeFault> {
        while !bytes.is_empty() {
            let before = self.platform.now();
            let limit = self.limit(before, deadline)?;
            let count = self.transport.write(bytes, limit).map_err(ExchangeFault::Cut)?;
            bytes = bytes.get(count..).unwrap_or_default();
            if count == 0 {
                wait_a_little(self.platform, before);
            }
        }
        Ok(())
    }

    /// Reads until the answer is over, or the connection, with the error that ended it.
    ///
    /// # Errors
    /// Neither is.
    pub fn receive(&self, reply: &mut Reply, deadline: Millis) -> Result<Option<TransportError>, ExchangeFault> {
        while let Some(need) = reply.need() {
            let before = self.platform.now();
            let limit = self.limit(before, deadline)?;
            match read_reply(&*self.transport, reply, need, limit) {
                Ok(count) => {
                    reply.received(count);
                    if count == 0 {
                        wait_a_little(self.platform, before);
                    }
                }
                Err(error) => {
                    reply.closed();
                    return Ok(Some(error));
                }
            }
        }
        Ok(None)
    }

    /// The limit of one read or write. Never 0: some platforms then do not look at all.
    fn limit(&self, now: Millis, deadline: Millis) -> Result<u32, ExchangeFault> {
        if self.platform.is_leaving() {
            return Err(ExchangeFault::GivenUp);
        }
        match now.until(deadline) {
            0 => Err(ExchangeFault::Silent),
            left => Ok(u32::try_from(left.min(SLICE_MS)).unwrap_or(1)),
        }
    }
}

/// Reads what is needed of an answer.
pub(super) fn read_reply(
    transport: &dyn Transport,
    reply: &mut Reply,
    need: Need,
    limit: u32,
) -> Result<usize, TransportError> {
    match need {
        Need::Bytes(left) => {
            let room = reply.room(left.min(CHUNK));
            // There may be no memory: the reply knows, and is over.
            if room.is_empty() {
                return Ok(0);
            }
            transport.read(room, limit)
        }
        Need::Unknown => transport.read_some(reply.room(CHUNK), limit),
    }
}

/// A platform that does not wait must not make us spin.
pub(super) fn wait_a_little(platform: &dyn Platform, before: Millis) {
    if platform.now() <= before {
        platform.sleep(1);
    }
}
