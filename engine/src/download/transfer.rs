//! One download as a state machine: connection by connection, retry by retry, until every byte is there.
//!
//! The driver asks [`Transfer::next`] what to do, does it, and tells what came of it. HTTP is encoded and decoded by
//! `ureq-proto`.

use ureq_proto::client::state::RecvResponse;
use ureq_proto::client::{Call, SendRequestResult};
use ureq_proto::http::{header, HeaderValue, Request};

use super::answer::{judge, strong_etag, Asked, Verdict};
use super::backoff::Backoff;
use crate::http::buffer::Buffer;
use crate::http::head::{self, Framing, MAX_HEAD};
use crate::http::Url;
use crate::services::ota::{Failure, Plan};
use crate::time::Millis;

/// Nothing for this long counts as a cut.
const STALL_MS: u64 = 30_000;
/// Redirects followed per attempt.
const MAX_REDIRECTS: u32 = 5;
/// Longest line of the chunked coding that is waited for: a size, or a trailer.
const MAX_CHUNK_LINE: usize = 4096;
const USER_AGENT: &str = concat!("iot-sdk/", env!("CARGO_PKG_VERSION"));

/// What the driver is to do next. Any step but `Write`, `ReadHead`, `ReadBody` and `Data` means that an open
/// connection is of no more use, and any but `Await` that an attempt to connect is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Begin to connect to [`Transfer::url`], then call [`Transfer::connecting`], [`Transfer::connected`] or
    /// [`Transfer::connect_failed`].
    Connect,
    /// Wait for what comes of it, then call [`Transfer::connected`], [`Transfer::connect_failed`] or
    /// [`Transfer::nothing`].
    Await,
    /// Send [`Transfer::outgoing`], then call [`Transfer::wrote`].
    Write,
    /// Read into [`Transfer::room`] and call [`Transfer::received`]. How much will come is not known.
    ReadHead,
    /// At least `left` more bytes are to come. Read no more than that as for `ReadHead`, or, where `direct`, straight
    /// into the caller's buffer, and call [`Transfer::took`].
    ReadBody {
        /// Bytes to come.
        left: u64,
        /// Whether they are firmware as they are.
        direct: bool,
    },
    /// Firmware may be waiting: call [`Transfer::take`].
    Data,
    /// Do nothing until then.
    Wait(Millis),
    /// Every byte has been taken.
    Finished,
    /// Failed for good.
    Failed(Failure),
}

/// What happened between two steps, for the log. Displays without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The server sent us elsewhere.
    Redirected(String),
    /// An attempt failed, there will be another one.
    Interrupted(String),
}

enum Phase {
    Unconnected,
    Connecting,
    Sending { request: Vec<u8>, sent: usize, call: Call<RecvResponse> },
    Head { call: Call<RecvResponse>, searched: usize },
    Body { framing: Framing, skip: u64, starved: bool },
    Waiting(Millis),
    Finished,
    Failed(Failure),
}

/// Why the connection is of no more use.
struct Cut {
    text: String,
    stalled: bool,
}

/// A download in progress.
pub struct Transfer {
    origin: Url,
    url: Url,
    position: u64,
    end: u64,
    file_size: u64,
    etag: Option<HeaderValue>,
    redirects: u32,
    backoff: Backoff,
    phase: Phase,
    buffer: Buffer,
    cut: Option<Cut>,
    idle_since: Option<Millis>,
    note: Option<Note>,
}

impl Transfer {
    /// A download of `plan`. `seed` spreads the retries of many devices.
    #[must_use]
    pub fn new(plan: Plan, seed: u32) -> Self {
        let (position, end) = (u64::from(plan.offset), u64::from(plan.end));
        Transfer {
            origin: plan.url.clone(),
            url: plan.url,
            position,
            end,
            file_size: u64::from(plan.file_size),
            etag: None,
            redirects: 0,
            backoff: Backoff::new(seed),
            phase: if position < end { Phase::Unconnected } else { Phase::Finished },
            buffer: Buffer::default(),
            cut: None,
            idle_since: None,
            note: None,
        }
    }

    /// Where to connect, and where the firmware is at present.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Offset of the next byte to be handed out.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What happened lately, once.
    pub fn take_note(&mut self) -> Option<Note> {
        self.note.take()
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Millis) -> Step {
        loop {
            if let Some(step) = self.step(now) {
                return step;
            }
        }
    }

    /// One move of the machine; `None` when it moved on inside.
    fn step(&mut self, now: Millis) -> Option<Step> {
        match &mut self.phase {
            Phase::Unconnected => Some(Step::Connect),
            Phase::Connecting => match self.cut.take() {
                Some(cut) => {
                    self.interrupted(now, &cut, None);
                    None
                }
                None => Some(Step::Await),
            },
            Phase::Sending { request, sent, .. } => {
                let unsent = request.len() > *sent;
                if let Some(cut) = self.cut.take() {
                    self.interrupted(now, &cut, None);
                    return None;
                }
                if unsent {
                    return Some(Step::Write);
                }
                if let Phase::Sending { call, .. } = std::mem::replace(&mut self.phase, Phase::Finished) {
                    self.phase = Phase::Head { call, searched: 0 };
                }
                None
            }
            Phase::Head { searched, .. } => {
                if let Some(length) = head::end(self.buffer.filled(), *searched) {
                    self.answered(now, length);
                    return None;
                }
                *searched = self.buffer.len();
                if let Some(cut) = self.cut.take() {
                    self.interrupted(now, &cut, None);
                    return None;
                }
                if self.buffer.len() >= MAX_HEAD {
                    self.fail(Failure::failed("the head of the answer has more than 64 kB"));
                    return None;
                }
                Some(Step::ReadHead)
            }
            Phase::Body { .. } => self.body_step(now),
            Phase::Waiting(until) => {
                if now < *until {
                    return Some(Step::Wait(*until));
                }
                // Signed targets of a redirect may have expired: begin where the command said.
                self.url = self.origin.clone();
                self.redirects = 0;
                self.phase = Phase::Unconnected;
                None
            }
            Phase::Finished => Some(Step::Finished),
            Phase::Failed(failure) => Some(Step::Failed(failure.clone())),
        }
    }

    fn body_step(&mut self, now: Millis) -> Option<Step> {
        self.discard();
        let wanted = self.end - self.position;
        if wanted == 0 {
            self.phase = Phase::Finished;
            self.buffer.clear();
            self.cut = None;
            return None;
        }
        let Phase::Body { framing, skip, starved } = &self.phase else { return None };
        if !self.buffer.is_empty() && !starved {
            return Some(Step::Data);
        }
        let left = match framing {
            Framing::Length(left) => (*left).min(*skip + wanted),
            Framing::Close => *skip + wanted,
            // The framing only adds to it.
            Framing::Chunked(call) if !call.can_proceed() => *skip + wanted,
            Framing::Chunked(_) => 0,
        };
        let direct = *skip == 0 && self.buffer.is_empty() && !matches!(framing, Framing::Chunked(_));
        let cut = match self.cut.take() {
            None if left > 0 => return Some(Step::ReadBody { left, direct }),
            None => Cut { text: "the answer ended early".to_owned(), stalled: false },
            Some(cut) => cut,
        };
        self.interrupted(now, &cut, None);
        None
    }

    /// The request, as far as it has not been sent.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        match &self.phase {
            Phase::Sending { request, sent, .. } => request.get(*sent..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Room for `len` bytes from the connection.
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        self.buffer.room(len)
    }

    /// The attempt to connect has begun.
    pub fn connecting(&mut self) {
        self.idle_since = None;
        self.cut = None;
        self.phase = Phase::Connecting;
    }

    /// The connection is there.
    pub fn connected(&mut self) {
        self.idle_since = None;
        self.cut = None;
        self.buffer.clear();
        match self.request() {
            Ok((request, call)) => self.phase = Phase::Sending { request, sent: 0, call },
            Err(error) => self.fail(Failure::failed(format!("the request could not be made: {error}"))),
        }
    }

    /// The connection could not be made; `text` says why.
    pub fn connect_failed(&mut self, now: Millis, text: &str) {
        self.interrupted(now, &Cut { text: text.to_owned(), stalled: false }, None);
    }

    /// `count` bytes of [`Transfer::outgoing`] were sent.
    pub fn wrote(&mut self, count: usize) {
        if let Phase::Sending { request, sent, .. } = &mut self.phase {
            *sent = (*sent + count).min(request.len());
        }
        self.stirred(count);
    }

    /// `count` bytes were read into the front of [`Transfer::room`].
    pub fn received(&mut self, count: usize) {
        self.buffer.commit(count);
        self.stirred(count);
        if let Phase::Body { starved, .. } = &mut self.phase {
            *starved = false;
        }
    }

    /// `count` bytes of firmware were read straight into the caller's buffer.
    pub fn took(&mut self, count: usize) {
        self.stirred(count);
        if let Phase::Body { framing: Framing::Length(left), .. } = &mut self.phase {
            *left = left.saturating_sub(count as u64);
        }
        self.advance(count);
    }

    /// Connecting, reading or writing for `waited_ms` up to `now` brought nothing.
    pub fn nothing(&mut self, now: Millis, waited_ms: u64) {
        let since = *self.idle_since.get_or_insert(Millis(now.0.saturating_sub(waited_ms)));
        if now.since(since) >= STALL_MS && self.cut.is_none() {
            let text = format!("nothing came for {} s", STALL_MS / 1000);
            self.cut = Some(Cut { text, stalled: true });
        }
    }

    /// The connection is gone; `text` says why. What came before still counts.
    pub fn closed(&mut self, text: &str) {
        self.cut = Some(Cut { text: text.to_owned(), stalled: false });
    }

    /// Gives up for a reason outside HTTP.
    pub fn fail(&mut self, failure: Failure) {
        self.buffer.clear();
        self.cut = None;
        self.phase = Phase::Failed(failure);
    }

    /// Hands out firmware. 0: there was only framing.
    pub fn take(&mut self, out: &mut [u8]) -> usize {
        let wanted = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let limit = out.len().min(wanted);
        let out = out.get_mut(..limit).unwrap_or_default();
        let count = self.decode(out);
        self.advance(count);
        count
    }

    /// Throws away what a server that ignores ranges sends once more.
    fn discard(&mut self) {
        loop {
            let Phase::Body { skip, starved, .. } = &self.phase else { return };
            if *skip == 0 || *starved || self.buffer.is_empty() {
                return;
            }
            // Not before: zeroing it costs more than all else in `next`, and almost every call has returned by now.
            let mut scratch = [0; 2048];
            let limit = usize::try_from(*skip).unwrap_or(usize::MAX).min(scratch.len());
            let count = self.decode(&mut scratch[..limit]);
            if let Phase::Body { skip, .. } = &mut self.phase {
                *skip -= count as u64;
            }
            if count == 0 {
                return;
            }
        }
    }

    /// Body bytes from the buffer, without the framing.
    fn decode(&mut self, out: &mut [u8]) -> usize {
        let Phase::Body { framing, starved, .. } = &mut self.phase else { return 0 };
        let limit = match framing {
            Framing::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let count = match framing {
            Framing::Length(_) | Framing::Close => {
                let filled = self.buffer.filled();
                let count = filled.len().min(out.len()).min(limit);
                if let (Some(to), Some(from)) = (out.get_mut(..count), filled.get(..count)) {
                    to.copy_from_slice(from);
                }
                self.buffer.consume(count);
                count
            }
            Framing::Chunked(call) => loop {
                match call.read(self.buffer.filled(), out) {
                    Ok((0, 0)) => {
                        if self.buffer.len() > MAX_CHUNK_LINE && !out.is_empty() {
                            let text = "malformed chunk: a line has no end".to_owned();
                            self.cut = Some(Cut { text, stalled: false });
                        }
                        break 0;
                    }
                    Ok((used, count)) => {
                        self.buffer.consume(used);
                        if count > 0 {
                            break count;
                        }
                    }
                    Err(error) => {
                        self.cut = Some(Cut { text: format!("malformed chunk: {error}"), stalled: false });
                        break 0;
                    }
                }
            },
        };
        if let Framing::Length(left) = framing {
            *left -= count as u64;
        }
        *starved = count == 0;
        count
    }

    /// `count` bytes moved: the connection is not stalled.
    fn stirred(&mut self, count: usize) {
        if count > 0 {
            self.idle_since = None;
        }
    }

    fn advance(&mut self, count: usize) {
        if count > 0 {
            self.position = (self.position + count as u64).min(self.end);
            self.backoff.progress();
        }
    }

    /// The request and what will read its answer.
    fn request(&self) -> Result<(Vec<u8>, Call<RecvResponse>), ureq_proto::Error> {
        let request = Request::get(self.url.uri().clone())
            .header(header::RANGE, head::range(self.position, self.end))
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONNECTION, "close")
            .body(())
            .map_err(|error| ureq_proto::Error::BadHeader(error.to_string()))?;
        let mut call = Call::new(request)?;
        if let Some(etag) = self.etag.as_ref().filter(|_| self.position > 0) {
            call.header(header::IF_RANGE, etag.clone())?;
        }
        let mut call = call.proceed();
        // Each line must fit: the target and the ETag are the only ones of unbounded length.
        let etag_len = self.etag.as_ref().map_or(0, HeaderValue::len);
        let mut bytes = vec![0; self.url.uri().to_string().len() * 2 + etag_len + 1024];
        let mut length = 0;
        while !call.can_proceed() {
            length += call.write(bytes.get_mut(length..).unwrap_or_default())?;
        }
        bytes.truncate(length);
        match call.proceed()? {
            Some(SendRequestResult::RecvResponse(call)) => Ok((bytes, call)),
            _ => Err(ureq_proto::Error::BodyNotAllowed),
        }
    }

    /// A whole head is in the buffer.
    fn answered(&mut self, now: Millis, length: usize) {
        let Phase::Head { call, .. } = std::mem::replace(&mut self.phase, Phase::Finished) else { return };
        let parsed = head::parse(self.buffer.filled().get(..length).unwrap_or_default());
        self.buffer.consume(length);
        let response = match parsed {
            Ok(response) => response,
            Err(why) => {
                let text = format!("the answer is not HTTP: {why}");
                return self.interrupted(now, &Cut { text, stalled: false }, None);
            }
        };
        let status = response.status();
        if status.is_informational() && status.as_u16() != 101 {
            self.phase = Phase::Head { call, searched: 0 };
            return;
        }
        let wants_body = matches!(status.as_u16(), 200 | 206);
        let asked = Asked {
            position: self.position,
            complete: self.position >= self.end,
            file_size: self.file_size,
            etag: self.etag.as_ref(),
        };
        if !wants_body {
            match judge(status, response.headers(), None, &asked) {
                Verdict::Redirect => self.redirected(call, &response),
                Verdict::Retry { text, after_s } => self.interrupted(now, &Cut { text, stalled: false }, after_s),
                Verdict::Fail(failure) => self.fail(failure),
                Verdict::Complete | Verdict::Body { .. } => self.phase = Phase::Finished,
            }
            return;
        }
        let framing = match head::framing(call, &response) {
            Ok(framing) => framing,
            Err(why) => return self.fail(Failure::failed(format!("the answer's length is not clear: {why}"))),
        };
        let body_length = match &framing {
            Framing::Length(length) => Some(*length),
            _ => None,
        };
        match judge(status, response.headers(), body_length, &asked) {
            Verdict::Body { skip } => {
                if let Some(etag) = strong_etag(response.headers()) {
                    self.etag = Some(etag.clone());
                }
                self.phase = Phase::Body { framing, skip, starved: false };
            }
            Verdict::Fail(failure) => self.fail(failure),
            Verdict::Redirect | Verdict::Retry { .. } | Verdict::Complete => {
                self.fail(Failure::failed(format!("the server answered {}", status.as_u16())));
            }
        }
    }

    fn redirected(&mut self, call: Call<RecvResponse>, response: &ureq_proto::http::Response<()>) {
        let status = response.status().as_u16();
        let Some(target) = head::location(call, response) else {
            return self.fail(Failure::failed(format!("{status} without a Location that leads anywhere")));
        };
        let url = match Url::from_uri(target) {
            Ok(url) => url,
            Err(why) => return self.fail(Failure::failed(format!("{status} to a URL that {why}"))),
        };
        if self.url.tls() && !url.tls() {
            return self.fail(Failure::failed(format!("{status} from https to http is not followed")));
        }
        if self.redirects >= MAX_REDIRECTS {
            return self.fail(Failure::failed(format!("more than {MAX_REDIRECTS} redirects")));
        }
        self.redirects += 1;
        self.note = Some(Note::Redirected(format!("redirected ({status}) to {url}")));
        self.url = url;
        self.phase = Phase::Unconnected;
    }

    /// The attempt failed: wait and try again, or give up.
    fn interrupted(&mut self, now: Millis, cut: &Cut, after_s: Option<u64>) {
        self.buffer.clear();
        self.cut = None;
        self.idle_since = None;
        match self.backoff.next_wait_ms(after_s) {
            Some(wait_ms) => {
                let text = format!("{} at byte {}, next attempt in {wait_ms} ms", cut.text, self.position);
                self.note = Some(Note::Interrupted(text));
                self.phase = Phase::Waiting(now + wait_ms);
            }
            None if cut.stalled => self.fail(Failure::timeout(&cut.text)),
            None => self.fail(Failure::failed(&cut.text)),
        }
    }
}

#[cfg(test)]
mod tests;
