//! One download as a state machine: connection by connection, retry by retry, until every byte is there.
//!
//! The driver asks [`Transfer::next`] what to do, does it, and tells what came of it.

use super::answer::{judge, Asked, Validators, Verdict};
use super::backoff::{Backoff, Patience};
use crate::http::buffer::Buffer;
use crate::http::framing::Framing;
use crate::http::head::{self, Head, MAX_HEAD};
use crate::http::{request, Url};
use crate::services::ota::{Failure, Plan};
use crate::time::Millis;

/// Nothing for this long counts as a cut.
const STALL_MS: u64 = 30_000;
/// Redirects followed per attempt.
const MAX_REDIRECTS: u32 = 5;

/// What the driver is to do next. Any step but `Write`, `ReadHead`, `ReadBody` and `Data` means that an open
/// connection is of no more use. Any step but `Await` means the same of an attempt to connect.
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
    /// The server says that the file is another one. Size and MD5 decide.
    Changed(String),
    /// All is there, but some of it was sent more than once.
    FetchedTwice(String),
}

enum Phase {
    Unconnected,
    Connecting,
    Sending { request: Vec<u8>, sent: usize },
    Head { searched: usize },
    Body { framing: Framing, skip: u64, starved: bool },
    Waiting(Millis),
    Finished,
    Failed(Failure),
}

/// Why the connection is of no more use.
struct Cut {
    text: String,
    stalled: bool,
    patience: Patience,
    /// Seconds the server asks to wait.
    after_s: Option<u64>,
}

impl Cut {
    /// The connection could not be made or was lost.
    fn lost(text: impl Into<String>) -> Self {
        Cut { text: text.into(), stalled: false, patience: Patience::Minute, after_s: None }
    }

    /// The server's answer is of no use.
    fn answered(text: impl Into<String>, patience: Patience) -> Self {
        Cut { text: text.into(), stalled: false, patience, after_s: None }
    }
}

/// A download in progress.
pub struct Transfer {
    origin: Url,
    url: Url,
    position: u64,
    end: u64,
    file_size: u64,
    validators: Validators,
    redirects: u32,
    backoff: Backoff,
    phase: Phase,
    buffer: Buffer,
    cut: Option<Cut>,
    idle_since: Option<Millis>,
    /// Bytes that were sent to us though we had them.
    fetched_twice: u64,
    notes: Vec<Note>,
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
            validators: Validators::default(),
            redirects: 0,
            backoff: Backoff::new(seed),
            phase: if position < end { Phase::Unconnected } else { Phase::Finished },
            buffer: Buffer::default(),
            cut: None,
            idle_since: None,
            fetched_twice: 0,
            notes: Vec::new(),
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

    /// The earliest thing that happened and has not been taken yet.
    pub fn take_note(&mut self) -> Option<Note> {
        (!self.notes.is_empty()).then(|| self.notes.remove(0))
    }

    /// The header lines of the next request, for the log. They hold no secrets.
    #[must_use]
    pub fn shown_request(&self) -> String {
        request::shown(&self.url, self.position, self.end)
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
                    self.interrupted(now, &cut);
                    None
                }
                None => Some(Step::Await),
            },
            Phase::Sending { request, sent } => {
                let unsent = request.len() > *sent;
                if let Some(cut) = self.cut.take() {
                    self.interrupted(now, &cut);
                    return None;
                }
                if unsent {
                    return Some(Step::Write);
                }
                self.phase = Phase::Head { searched: 0 };
                None
            }
            Phase::Head { searched } => {
                if let Some(length) = head::end(self.buffer.filled(), *searched) {
                    self.answered(now, length);
                    return None;
                }
                *searched = self.buffer.len();
                if let Some(cut) = self.cut.take() {
                    self.interrupted(now, &cut);
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
            self.finished();
            return None;
        }
        let Phase::Body { framing, skip, starved } = &self.phase else { return None };
        if !self.buffer.is_empty() && !starved {
            return Some(Step::Data);
        }
        let left = match framing {
            Framing::Length(left) => (*left).min(*skip + wanted),
            Framing::Close => *skip + wanted,
            Framing::Chunked(chunked) if chunked.is_done() => 0,
            // The framing only adds to it.
            Framing::Chunked(_) => *skip + wanted,
        };
        let direct = *skip == 0 && self.buffer.is_empty() && !matches!(framing, Framing::Chunked(_));
        let cut = match self.cut.take() {
            None if left > 0 => return Some(Step::ReadBody { left, direct }),
            None => Cut::answered("the answer ended early", Patience::Attempts),
            Some(cut) => cut,
        };
        self.interrupted(now, &cut);
        None
    }

    /// The request, as far as it has not been sent.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        match &self.phase {
            Phase::Sending { request, sent } => request.get(*sent..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Room for `len` bytes from the connection. It is empty where there is no memory for it, which ends the attempt.
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        let room = self.buffer.room(len);
        if room.is_empty() {
            self.cut = Some(Cut::lost("no memory for what the server sends"));
        }
        room
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
        match request::get_range(&self.url, self.position, self.end) {
            Some(request) => self.phase = Phase::Sending { request, sent: 0 },
            None => self.fail(Failure::failed("no memory for the request")),
        }
    }

    /// The connection could not be made; `text` says why. What `is_lasting` is given up earlier.
    pub fn connect_failed(&mut self, now: Millis, text: &str, is_lasting: bool) {
        let patience = if is_lasting { Patience::Attempts } else { Patience::Minute };
        self.interrupted(now, &Cut { patience, ..Cut::lost(text) });
    }

    /// `count` bytes of [`Transfer::outgoing`] were sent.
    pub fn wrote(&mut self, count: usize) {
        if let Phase::Sending { request, sent } = &mut self.phase {
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
            let text = format!("nothing came from {} for {} s", self.url.host_and_port(), STALL_MS / 1000);
            self.cut = Some(Cut { stalled: true, ..Cut::lost(text) });
        }
    }

    /// The connection is gone; `text` says why. What came before still counts.
    pub fn closed(&mut self, text: &str) {
        let place = self.url.host_and_port();
        self.cut = Some(match &self.phase {
            // The server is there, but breaks off: five attempts that bring nothing are enough.
            Phase::Body { .. } => Cut::answered(format!("the answer of {place} broke off: {text}"), Patience::Attempts),
            _ => Cut::lost(format!("connection to {place} lost: {text}")),
        });
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
            self.fetched_twice += count as u64;
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
            Framing::Chunked(chunked) => loop {
                match chunked.read(self.buffer.filled(), out) {
                    Ok((0, _)) => break 0,
                    Ok((used, count)) => {
                        self.buffer.consume(used);
                        if count > 0 {
                            break count;
                        }
                    }
                    Err(why) => {
                        self.cut = Some(Cut::answered(format!("malformed chunk: {why}"), Patience::Attempts));
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

    /// A whole head is in the buffer.
    fn answered(&mut self, now: Millis, length: usize) {
        // Apart from `self` while the head borrows from it.
        let mut buffer = std::mem::take(&mut self.buffer);
        match Head::parse(buffer.filled_mut().get_mut(..length).unwrap_or_default()) {
            Ok(head) => self.judged(now, &head),
            Err(why) => {
                let text = format!("the answer is not HTTP: {why}");
                self.interrupted(now, &Cut::answered(text, Patience::Attempts));
            }
        }
        buffer.consume(length);
        if !matches!(self.phase, Phase::Head { .. } | Phase::Body { .. }) {
            buffer.clear();
        }
        self.buffer = buffer;
    }

    fn judged(&mut self, now: Millis, head: &Head<'_>) {
        let status = head.status();
        if matches!(status, 100 | 102..=199) {
            self.phase = Phase::Head { searched: 0 };
            return;
        }
        let asked = Asked { position: self.position, complete: self.position >= self.end, file_size: self.file_size };
        let framing = match Framing::of(head) {
            Ok(framing) => framing,
            Err(why) if matches!(status, 200 | 206) => {
                return self.fail(Failure::failed(format!("the answer's length is not clear: {why}")));
            }
            // Other bodies are not read.
            Err(_) => Framing::Close,
        };
        let body_length = match &framing {
            Framing::Length(length) => Some(*length),
            _ => None,
        };
        match judge(head, body_length, &asked) {
            Verdict::Body { skip } => {
                if let Some(change) = self.validators.update(Validators::of(head)) {
                    self.notes.push(Note::Changed(change));
                }
                self.phase = Phase::Body { framing, skip, starved: false };
            }
            Verdict::Redirect => self.redirected(head),
            Verdict::Complete => self.finished(),
            Verdict::Retry { text, after_s } => {
                self.interrupted(now, &Cut { after_s, ..Cut::answered(text, Patience::Attempts) });
            }
            Verdict::Doubt(text) => self.interrupted(now, &Cut::answered(text, Patience::Once)),
            Verdict::Fail(failure) => self.fail(failure),
        }
    }

    fn redirected(&mut self, head: &Head<'_>) {
        let status = head.status();
        let Some(location) = head.get("Location") else {
            return self.fail(Failure::failed(format!("{status} without a Location")));
        };
        let url = match self.url.join(location) {
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
        self.notes.push(Note::Redirected(format!("redirected ({status}) to {url}")));
        self.url = url;
        self.phase = Phase::Unconnected;
    }

    fn finished(&mut self) {
        self.phase = Phase::Finished;
        self.buffer.clear();
        self.cut = None;
        if self.fetched_twice > 0 {
            let text = format!("{} bytes were fetched twice", self.fetched_twice);
            self.notes.push(Note::FetchedTwice(text));
        }
    }

    /// The attempt failed: wait and try again, or give up.
    fn interrupted(&mut self, now: Millis, cut: &Cut) {
        self.buffer.clear();
        self.cut = None;
        self.idle_since = None;
        match self.backoff.next_wait_ms(now, cut.patience, cut.after_s) {
            Some(wait_ms) => {
                let text = format!("{} at byte {}, next attempt in {wait_ms} ms", cut.text, self.position);
                self.notes.push(Note::Interrupted(text));
                self.phase = Phase::Waiting(now + wait_ms);
            }
            None if cut.stalled => self.fail(Failure::timeout(&cut.text)),
            None => self.fail(Failure::failed(&cut.text)),
        }
    }
}

#[cfg(test)]
mod tests;
