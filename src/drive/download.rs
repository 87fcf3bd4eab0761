//! Pumps a download: bytes between a [`Transport`] and the engine's [`Transfer`], with a time limit per call.

use std::sync::Arc;

use iot_engine::download::{Note, Step, Transfer};
use iot_engine::http::READ_AHEAD;
use iot_engine::services::ota::{Failure, Plan};
use iot_engine::time::Millis;

use super::error::StartFault;
use crate::hal::{Attempt, ConnectError, Endpoint, Platform, Security, Transport, TransportError};

/// Longest wait in one read, write or sleep, so that a thread notices what another one changed.
const SLICE_MS: u64 = 500;
/// Time limit for sending the request in [`Download::start`].
const SEND_MS: u64 = 10_000;
/// Time limit of a TLS handshake.
const HANDSHAKE_MS: u32 = 10_000;
/// How much of an answer's head is asked for at once. How much will come is not known.
const HEAD_CHUNK: usize = 4096;
/// Limit for reading what may not come: a platform that fills its buffer waits that long for nothing (hal.md).
const SHORT_MS: u32 = 10;
/// Limit for reading more than the caller asked for.
const TOP_UP_MS: u32 = 1;

/// A download that could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    /// The kind of failure.
    pub fault: StartFault,
    /// What happened.
    pub text: String,
}

/// What one call brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// So many bytes of firmware, at least 1.
    Bytes(usize),
    /// Nothing in this time.
    Nothing,
    /// All has been handed out before.
    Finished,
    /// The download failed for good.
    Failed(Failure),
    /// The caller asked to stop.
    Stopped,
}

/// Why there is no connection.
struct Refused {
    fault: StartFault,
    text: String,
}

/// A download and its connection.
pub struct Download {
    platform: Arc<dyn Platform>,
    transfer: Transfer,
    transport: Option<Arc<dyn Transport>>,
    attempt: Option<Box<dyn Attempt>>,
    /// Data comes faster than it is asked for.
    flowing: bool,
}

impl Download {
    /// Connects and sends the request. Does not wait for the answer.
    ///
    /// # Errors
    /// The connection could not be made, or the request could not be sent.
    pub fn start(platform: Arc<dyn Platform>, plan: Plan) -> Result<Self, StartError> {
        // Only the low bits count.
        let seed = platform.random() as u32;
        let transfer = Transfer::new(plan, seed);
        let mut download = Download { platform, transfer, transport: None, attempt: None, flowing: false };
        let deadline = download.platform.now() + SEND_MS;
        loop {
            let now = download.platform.now();
            match download.transfer.next(now) {
                Step::Connect | Step::Await => {
                    download.connect().map_err(|refused| StartError { fault: refused.fault, text: refused.text })?;
                }
                Step::Write => {
                    let left = now.until(deadline);
                    if left == 0 {
                        let text = "the request could not be sent in time".to_owned();
                        return Err(StartError { fault: StartFault::SendTimedOut, text });
                    }
                    if let Err(error) = download.write(now, left) {
                        let fault = StartFault::Unsent(error);
                        return Err(StartError { text: fault.to_string(), fault });
                    }
                }
                Step::Failed(failure) => {
                    return Err(StartError { fault: StartFault::Unusable, text: failure.text });
                }
                Step::ReadHead | Step::ReadBody { .. } | Step::Data | Step::Wait(_) | Step::Finished => {
                    return Ok(download);
                }
            }
        }
    }

    /// Fetches into `buf` for at most `limit_ms`; where there are no threads, for as long as a connection attempt takes.
    /// Looks at `stop` now and then.
    pub fn fetch(&mut self, buf: &mut [u8], limit_ms: u64, stop: &dyn Fn() -> bool) -> Fetched {
        let deadline = self.platform.now() + limit_ms;
        let mut tried = false;
        loop {
            if stop() {
                return Fetched::Stopped;
            }
            let now = self.platform.now();
            let step = self.transfer.next(now);
            self.log_note();
            let left = now.until(deadline);
            match step {
                Step::Data => {
                    let count = self.transfer.take(buf);
                    if count > 0 {
                        return Fetched::Bytes(count);
                    }
                    continue;
                }
                Step::Finished => {
                    self.disconnect();
                    return Fetched::Finished;
                }
                Step::Failed(failure) => {
                    self.disconnect();
                    return Fetched::Failed(failure);
                }
                // A call without time may still do one thing that does not wait.
                _ if left == 0 && tried => return Fetched::Nothing,
                Step::Wait(until) => {
                    self.disconnect();
                    if left == 0 {
                        return Fetched::Nothing;
                    }
                    self.sleep(now.until(until).min(left).min(SLICE_MS));
                }
                Step::Connect => self.begin_connect(),
                Step::Await => self.await_connect(now, left),
                Step::Write => {
                    if let Err(error) = self.write(now, left) {
                        self.transfer.closed(&error.to_string());
                    }
                }
                Step::ReadHead => self.read_head(now, left),
                Step::ReadBody { left: coming, direct } => {
                    let coming = usize::try_from(coming).unwrap_or(usize::MAX);
                    // A TLS stack has a record decrypted anyway: reading ahead of a small buffer saves no system calls
                    // there and holds the record twice.
                    if direct && (self.transfer.url().tls() || buf.len() >= coming.min(READ_AHEAD)) {
                        let limit = buf.len().min(coming);
                        let count = self.read_direct(buf.get_mut(..limit).unwrap_or_default(), now, left);
                        if count > 0 {
                            return Fetched::Bytes(count);
                        }
                    } else {
                        self.read_ahead(buf.len(), coming, now, left);
                    }
                }
            }
            tried = true;
        }
    }

    /// Connects, however long it takes.
    fn connect(&mut self) -> Result<(), Refused> {
        let endpoint = self.endpoint()?;
        match self.platform.connect(&endpoint) {
            Ok(transport) => {
                self.connected(transport);
                Ok(())
            }
            Err(error) => {
                let text = self.unreachable(&error);
                Err(Refused { fault: StartFault::Unreachable(error), text })
            }
        }
    }

    fn begin_connect(&mut self) {
        // The old connection is given up before a device that has room for one TLS session makes the next.
        self.disconnect();
        match self.endpoint() {
            Ok(endpoint) => {
                self.attempt = Some(self.platform.begin_connect(&endpoint));
                self.transfer.connecting();
            }
            Err(refused) => self.transfer.fail(Failure::failed(refused.text)),
        }
    }

    fn await_connect(&mut self, before: Millis, left_ms: u64) {
        let outcome = self.attempt.as_mut().and_then(|attempt| attempt.outcome(left_ms.min(SLICE_MS)));
        match outcome {
            Some(Ok(transport)) => self.connected(transport),
            Some(Err(error)) => {
                let text = self.unreachable(&error);
                self.transfer.connect_failed(self.platform.now(), &text);
            }
            None => self.note_silence(0, before),
        }
    }

    fn connected(&mut self, transport: Arc<dyn Transport>) {
        self.attempt = None;
        self.transport = Some(transport);
        self.transfer.connected();
    }

    fn disconnect(&mut self) {
        self.transport = None;
        self.attempt = None;
        self.flowing = false;
    }

    fn endpoint(&self) -> Result<Endpoint, Refused> {
        let url = self.transfer.url();
        let security = security(url.tls())?;
        Ok(Endpoint { host: url.host().to_owned(), port: url.port(), security, handshake_timeout_ms: HANDSHAKE_MS })
    }

    fn unreachable(&self, error: &ConnectError) -> String {
        let url = self.transfer.url();
        error.text_for(url.host(), url.port())
    }

    fn write(&mut self, before: Millis, left_ms: u64) -> Result<(), TransportError> {
        let Some(transport) = &self.transport else { return Ok(()) };
        let count = transport.write(self.transfer.outgoing(), wait(left_ms))?;
        self.transfer.wrote(count);
        self.note_silence(count, before);
        Ok(())
    }

    /// One byte with the long limit, then more with a short one: a platform that fills its buffer would wait for bytes
    /// that never come.
    fn read_head(&mut self, before: Millis, left_ms: u64) {
        let Some(transport) = self.transport.clone() else { return };
        let room = self.transfer.room(HEAD_CHUNK);
        let (first, rest) = room.split_at_mut(1);
        let result = transport.read(first, wait(left_ms)).map(|count| match count {
            0 => 0,
            // An error here comes again with the next read.
            _ => count + transport.read(rest, SHORT_MS).unwrap_or(0),
        });
        self.read_into_room(result, before);
    }

    /// Reads more than the caller's buffer holds where it costs no waiting: the caller's amount with the time that is
    /// left, then what is there already. While data flows, all at once.
    fn read_ahead(&mut self, len: usize, coming: usize, before: Millis, left_ms: u64) {
        let Some(transport) = self.transport.clone() else { return };
        // Whole buffers of the caller, so that it does not get the odd short one.
        let chunk = (READ_AHEAD - READ_AHEAD % len.clamp(1, READ_AHEAD)).min(coming);
        let asked = len.min(chunk);
        let room = self.transfer.room(chunk);
        let result = if self.flowing {
            transport.read(room, wait(left_ms).min(SHORT_MS))
        } else {
            let (first, rest) = room.split_at_mut(asked);
            transport.read(first, wait(left_ms)).map(|count| {
                if count == asked && !rest.is_empty() {
                    count + transport.read(rest, TOP_UP_MS).unwrap_or(0)
                } else {
                    count
                }
            })
        };
        self.flowing = result.is_ok_and(|count| count == chunk || (self.flowing && count >= asked));
        self.read_into_room(result, before);
    }

    fn read_direct(&mut self, buf: &mut [u8], before: Millis, left_ms: u64) -> usize {
        let Some(transport) = &self.transport else { return 0 };
        match transport.read(buf, wait(left_ms)) {
            Ok(count) => {
                self.transfer.took(count);
                self.note_silence(count, before);
                count
            }
            Err(error) => {
                self.transfer.closed(&error.to_string());
                0
            }
        }
    }

    fn read_into_room(&mut self, result: Result<usize, TransportError>, before: Millis) {
        match result {
            Ok(count) => {
                self.transfer.received(count);
                self.note_silence(count, before);
            }
            Err(error) => self.transfer.closed(&error.to_string()),
        }
    }

    fn note_silence(&mut self, count: usize, before: Millis) {
        if count > 0 {
            return;
        }
        let mut now = self.platform.now();
        if now <= before {
            // A platform that does not wait must not make us spin.
            self.sleep(1);
            now = self.platform.now();
        }
        self.transfer.nothing(now, now.since(before));
    }

    fn sleep(&self, ms: u64) {
        self.platform.sleep(u32::try_from(ms).unwrap_or(u32::MAX));
    }

    fn log_note(&mut self) {
        match self.transfer.take_note() {
            Some(Note::Redirected(text)) => log::info!(target: "IOT_OTA_FetchYield", "{text}"),
            Some(Note::Interrupted(text)) => log::warn!(target: "IOT_OTA_FetchYield", "{text}"),
            None => {}
        }
    }
}

/// The limit of one read or write. Never 0: some platforms then do not look at all.
fn wait(left_ms: u64) -> u32 {
    u32::try_from(left_ms.clamp(1, SLICE_MS)).unwrap_or(1)
}

fn security(tls: bool) -> Result<Security, Refused> {
    if tls {
        https()
    } else {
        Ok(Security::None)
    }
}

#[cfg(all(feature = "ota-use-https", not(feature = "auth-with-notls")))]
fn https() -> Result<Security, Refused> {
    let ca_pem = super::trust::https_roots().map_err(|text| Refused { fault: StartFault::NoRoots, text })?;
    Ok(Security::Server { ca_pem })
}

#[cfg(not(all(feature = "ota-use-https", not(feature = "auth-with-notls"))))]
fn https() -> Result<Security, Refused> {
    let option =
        if cfg!(feature = "auth-with-notls") { "FEATURE_AUTH_WITH_NOTLS ON" } else { "FEATURE_OTA_USE_HTTPS OFF" };
    let text = format!("https:// is not possible, this library was built with {option}");
    Err(Refused { fault: StartFault::NoHttps, text })
}

#[cfg(test)]
mod tests;
