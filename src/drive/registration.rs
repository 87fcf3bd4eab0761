//! Dynamic registration over a connection of its own: connects, asks, and waits for the answer, each with its time limit.

pub mod files;

use std::sync::Arc;

use iot_engine::endpoint;
use iot_engine::http::reply::{Fault, Need, Reply};
use iot_engine::services::registration::{Credentials, Registration, MAX_BODY};
use iot_engine::time::Millis;

use super::error::RegistrationFault;
use super::overrides;
use crate::hal::{Endpoint, Platform, Security, Transport, TransportError};

/// The function that people know this by in the log.
const FUNCTION: &str = "IOT_DynReg_Device";
/// Where devices register.
const HOST: &str = "gateway.tencentdevices.com";
/// Time limit for connection and handshake together.
const CONNECT_MS: u64 = 10_000;
/// Time limit for request and answer together.
const ANSWER_MS: u64 = 10_000;
/// Longest wait in one read, write or sleep, so that a thread that is to end does.
const SLICE_MS: u64 = 500;
/// Limit for reading what may not come: a platform that fills its buffer waits that long for nothing (hal.md).
const SHORT_MS: u32 = 10;
/// How much is asked for at once where it is not known how much will come.
const CHUNK: usize = 4096;

/// Whether registration goes over TLS.
const TLS: bool = cfg!(not(feature = "auth-with-notls"));
/// The port of [`HOST`].
const PORT: u16 = if TLS { 443 } else { 80 };

/// Asks the cloud for the device's credentials.
///
/// # Errors
/// Why there are none.
pub fn register(platform: &Arc<dyn Platform>, registration: &Registration) -> Result<Credentials, RegistrationFault> {
    let (host, port) = server()?;
    let identity = registration.identity();
    log::debug!(
        target: FUNCTION,
        "registering {}/{} at {host}:{port}", identity.product_id(), identity.device_name()
    );
    let shown_host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let host_field = if port == PORT { shown_host } else { format!("{shown_host}:{port}") };
    let transport = connect(platform, Endpoint { host, port, security: security()?, handshake_timeout_ms: 10_000 })?;

    let exchange = Exchange { platform, transport, deadline: platform.now() + ANSWER_MS };
    let request = registration.request(&host_field, platform.random(), platform.unix_time());
    exchange.send(request.head.as_bytes())?;
    exchange.send(request.body.as_bytes())?;
    let mut reply = Reply::new(MAX_BODY);
    let end = exchange.receive(&mut reply)?;
    let answer = match (reply.into_answer(), end) {
        (Ok(answer), _) => answer,
        (Err(Fault::Ended), Some(error)) => return Err(RegistrationFault::Cut(error)),
        (Err(fault), _) => return Err(RegistrationFault::NoAnswer(fault)),
    };
    Ok(registration.read(&answer)?)
}

/// The cloud's server, or the one that the environment names.
fn server() -> Result<(String, u16), RegistrationFault> {
    let Some(text) = overrides::read(overrides::REGISTRATION_ENDPOINT) else {
        return Ok((HOST.to_owned(), PORT));
    };
    let Some((host, port)) = endpoint::parse(&text) else {
        let name = overrides::REGISTRATION_ENDPOINT;
        return Err(RegistrationFault::NoServer(format!("{name} is not host:port: {text}")));
    };
    log::info!(target: FUNCTION, "server from {}: {host}:{port}", overrides::REGISTRATION_ENDPOINT);
    Ok((host.to_owned(), port))
}

#[cfg(not(feature = "auth-with-notls"))]
fn security() -> Result<Security, RegistrationFault> {
    let ca_pem = super::trust::registration_roots().map_err(RegistrationFault::NoRoots)?;
    Ok(Security::Server { ca_pem })
}

#[cfg(feature = "auth-with-notls")]
#[allow(clippy::unnecessary_wraps)]
fn security() -> Result<Security, RegistrationFault> {
    Ok(Security::None)
}

fn connect(platform: &Arc<dyn Platform>, endpoint: Endpoint) -> Result<Arc<dyn Transport>, RegistrationFault> {
    let deadline = platform.now() + CONNECT_MS;
    let mut attempt = platform.begin_connect(&endpoint);
    loop {
        let left = platform.now().until(deadline);
        if platform.is_leaving() {
            return Err(RegistrationFault::GivenUp);
        }
        match attempt.outcome(left.min(SLICE_MS)) {
            Some(Ok(transport)) => return Ok(transport),
            Some(Err(error)) => {
                return Err(RegistrationFault::Unreachable(error.text_for(&endpoint.host, endpoint.port)));
            }
            None if left == 0 => {
                let text = format!("{}:{}: no connection in {} s", endpoint.host, endpoint.port, CONNECT_MS / 1000);
                return Err(RegistrationFault::Unreachable(text));
            }
            None => {}
        }
    }
}

/// Request and answer over one connection.
struct Exchange<'a> {
    platform: &'a Arc<dyn Platform>,
    transport: Arc<dyn Transport>,
    deadline: Millis,
}

impl Exchange<'_> {
    fn send(&self, mut bytes: &[u8]) -> Result<(), RegistrationFault> {
        while !bytes.is_empty() {
            let before = self.platform.now();
            let limit = self.limit(before)?;
            let count = self.transport.write(bytes, limit).map_err(RegistrationFault::Cut)?;
            bytes = bytes.get(count..).unwrap_or_default();
            self.note(count, before);
        }
        Ok(())
    }

    /// Reads until the answer is over, or the connection, with the error that ended it.
    fn receive(&self, reply: &mut Reply) -> Result<Option<TransportError>, RegistrationFault> {
        while let Some(need) = reply.need() {
            let before = self.platform.now();
            let limit = self.limit(before)?;
            match self.read(reply, need, limit) {
                Ok(count) => {
                    reply.received(count);
                    self.note(count, before);
                }
                Err(error) => {
                    reply.closed();
                    return Ok(Some(error));
                }
            }
        }
        Ok(None)
    }

    /// Where it is not known how much will come: one byte with the long limit, then more with a short one. A platform that
    /// fills its buffer would wait for bytes that never come.
    fn read(&self, reply: &mut Reply, need: Need, limit: u32) -> Result<usize, TransportError> {
        match need {
            Need::Bytes(left) => {
                let room = reply.room(left.min(CHUNK));
                // There may be no memory: the reply knows, and is over.
                if room.is_empty() {
                    return Ok(0);
                }
                self.transport.read(room, limit)
            }
            Need::Unknown => {
                let Some((first, rest)) = reply.room(CHUNK).split_at_mut_checked(1) else { return Ok(0) };
                match self.transport.read(first, limit)? {
                    0 => Ok(0),
                    // An error here comes again with the next read.
                    _ => Ok(1 + self.transport.read(rest, SHORT_MS).unwrap_or(0)),
                }
            }
        }
    }

    /// The limit of one read or write. Never 0: some platforms then do not look at all.
    fn limit(&self, now: Millis) -> Result<u32, RegistrationFault> {
        if self.platform.is_leaving() {
            return Err(RegistrationFault::GivenUp);
        }
        match now.until(self.deadline) {
            0 => Err(RegistrationFault::Silent),
            left => Ok(u32::try_from(left.min(SLICE_MS)).unwrap_or(1)),
        }
    }

    /// A platform that does not wait must not make us spin.
    fn note(&self, count: usize, before: Millis) {
        if count == 0 && self.platform.now() <= before {
            self.platform.sleep(1);
        }
    }
}

#[cfg(test)]
mod tests;
