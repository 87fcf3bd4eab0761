//! Pumps a download: bytes between a [`Transport`] and the engine's [`Transfer`], with a time limit per call.

use std::sync::Arc;

use iot_engine::download::{Note, Step, Transfer};
use iot_engine::http::READ_AHEAD;
use iot_engine::services::ota::{Failure, Plan};
use iot_engine::time::Millis;

use super::error::StartFault;
use super::http_endpoint::{endpoint, Https, StartError};
use crate::hal::{Attempt, ConnectError, Endpoint, Platform, Transport, TransportError, SHORT_MS};

/// Longest wait in one read, write or sleep, so that a thread notices what another one changed.
const SLICE_MS: u64 = 500;
/// Time limit for sending the request in [`Download::start`].
const SEND_MS: u64 = 10_000;
/// How much of an answer's head is asked for at once. How much will come is not known.
const HEAD_CHUNK: usize = 4096;
/// Limit for reading more than the caller asked for.
const TOP_UP_MS: u32 = 1;

/// On whose behalf a download runs.
#[derive(Debug)]
pub struct Caller {
    /// The C function that starts it, for the log.
    pub start: &'static str,
    /// The one that fetches.
    pub fetch: &'static str,
    /// Whether it may use https.
    pub https: Https,
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

/// A download and its connection.
pub struct Download {
    platform: Arc<dyn Platform>,
    caller: &'static Caller,
    transfer: Transfer,
    transport: Option<Arc<dyn Transport>>,
    attempt: Option<Box<dyn Attempt>>,
    /// Data comes faster than it is asked for.
    flowing: bool,
}

impl Download {
    /// Tries once to connect and to send the request. Does not wait for the answer. What time may mend, such as a
    /// server that can't be reached yet, is tried again by [`Download::fetch`] (behaviour.md section 5).
    ///
    /// # Errors
    /// What no time mends.
    pub fn start(platform: Arc<dyn Platform>, plan: Plan, caller: &'static Caller) -> Result<Self, StartError> {
        // Only the low bits count.
        let seed = platform.random() as u32;
        let transfer = Transfer::new(plan, seed);
        let mut download = Download { platform, caller, transfer, transport: None, attempt: None, flowing: false };
        let deadline = download.platform.now() + SEND_MS;
        loop {
            let now = download.platform.now();
            let step = download.transfer.next(now);
            download.log_notes(caller.start);
            match step {
                Step::Connect | Step::Await => download.connect()?,
                Step::Write => match now.until(deadline) {
                    0 => download.transfer.closed("the request could not be sent in time"),
                    left => download.write(now, left),
                },
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
            self.log_notes(self.caller.fetch);
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
                Step::Write => self.write(now, left),
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
    fn connect(&mut self) -> Result<(), StartError> {
        let endpoint = self.endpoint()?;
        self.log_request();
        match self.platform.connect(&endpoint) {
            Ok(transport) => self.connected(transport),
            Err(error) if error.is_lasting => {
                let text = self.unreachable(&error);
                return Err(StartError { fault: StartFault::Unreachable(error), text });
            }
            Err(error) => self.connect_failed(&error),
        }
        Ok(())
    }

    fn begin_connect(&mut self) {
        // The old connection is given up before a device that has room for one TLS session makes the next.
        self.disconnect();
        match self.endpoint() {
            Ok(endpoint) => {
                self.log_request();
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
            Some(Err(error)) => self.connect_failed(&error),
            None => self.note_silence(0, before),
        }
    }

    fn connect_failed(&mut self, error: &ConnectError) {
        let text = self.unreachable(error);
        self.transfer.connect_failed(self.platform.now(), &text, error.is_lasting);
    }

    fn connected(&mut self, transport: Arc<dyn Transport>) {
        // As users' scripts look for it (log_lines.md).
        log::debug!(target: "http_connect", "http client connect success");
        self.attempt = None;
        self.transport = Some(transport);
        self.transfer.connected();
    }

    fn disconnect(&mut self) {
        self.transport = None;
        self.attempt = None;
        self.flowing = false;
    }

    fn endpoint(&self) -> Result<Endpoint, StartError> {
        endpoint(self.transfer.url(), self.caller.https)
    }

    fn unreachable(&self, error: &ConnectError) -> String {
        let url = self.transfer.url();
        error.text_for(url.host(), url.port())
    }

    fn write(&mut self, before: Millis, left_ms: u64) {
        let Some(transport) = &self.transport else { return };
        match transport.write(self.transfer.outgoing(), wait(left_ms)) {
            Ok(count) => {
                self.transfer.wrote(count);
                self.note_silence(count, before);
            }
            Err(error) => self.transfer.closed(&error.to_string()),
        }
    }

    fn read_head(&mut self, before: Millis, left_ms: u64) {
        let Some(transport) = self.transport.clone() else { return };
        let room = self.transfer.room(HEAD_CHUNK);
        if room.is_empty() {
            // There is no memory: the transfer knows.
            return;
        }
        let result = transport.read_some(room, wait(left_ms));
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
        if room.is_empty() {
            // There is no memory: the transfer knows.
            return;
        }
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

    /// The request that is sent once there is a connection, as users' scripts look for it (log_lines.md).
    fn log_request(&self) {
        if log::log_enabled!(target: "http_connect", log::Level::Debug) {
            log::debug!(target: "http_connect", "head_content:{}", self.transfer.shown_request());
        }
    }

    fn log_notes(&mut self, function: &str) {
        while let Some(note) = self.transfer.take_note() {
            match note {
                Note::Redirected(text) | Note::FetchedTwice(text) => log::info!(target: function, "{text}"),
                Note::Interrupted(text) | Note::Changed(text) => log::warn!(target: function, "{text}"),
            }
        }
    }
}

/// The limit of one read or write. Never 0: some platforms then do not look at all.
fn wait(left_ms: u64) -> u32 {
    u32::try_from(left_ms.clamp(1, SLICE_MS)).unwrap_or(1)
}

#[cfg(test)]
mod tests;
