//! A tunnel, from its first frame to its end. Bytes and time come in; frames, and bytes for the SSH server, go out.
//!
//! What waits on either side is bounded: who drives it reads from the cloud only while it [wants
//! input](Tunnel::wants_input), and from the SSH server only while there [is room](Tunnel::has_room).

use std::collections::VecDeque;
use std::fmt;

use super::frame::{encode, kind, Decoder, Head, Malformed};
use super::session::{SessionId, Sessions};
use crate::helpers::json;
use crate::time::Millis;

/// When who the device is goes out again without an answer, in milliseconds.
const SIGN_IN_MS: u64 = 5_000;
/// So many times without an answer end the tunnel: a minute.
const MAX_SIGN_INS: u32 = 12;
/// When a ping follows a pong.
const PING_MS: u64 = 30_000;
/// When a ping follows one that had no pong.
const REPEAT_MS: u64 = 5_000;
/// So many pings without a pong end the tunnel.
const MAX_LOST: u32 = 4;
/// How many bytes of frames may wait for the cloud before nothing more is read for it, and as many again before nothing more
/// is read of it: data must not wait for data that goes the other way.
const ROOM: usize = 32 * 1024;
/// Longest payload of an answer that is kept to be read.
const MAX_ANSWER: usize = 4096;

const SUCCESS: &str = r#"{"code":0,"message":"success"}"#;
const FAIL: &str = r#"{"code":-1,"message":"fail"}"#;

/// When something happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// By a clock that only goes forward.
    pub now: Millis,
    /// UTC seconds.
    pub seconds: u64,
}

/// Why a tunnel ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The cloud does not believe who the device says it is: the cloud's code.
    Refused(i64),
    /// What the cloud sent can't be read.
    Malformed(Malformed),
    /// The cloud says nothing to who the device is.
    Unanswered,
    /// The cloud is silent.
    Silent,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Refused(code) => write!(f, "the cloud refused the device's signature ({code})"),
            Ended::Malformed(malformed) => write!(f, "{malformed}"),
            Ended::Unanswered => write!(f, "the cloud has not answered who the device is, {MAX_SIGN_INS} times"),
            Ended::Silent => write!(f, "{MAX_LOST} pings had no answer"),
        }
    }
}

impl From<Malformed> for Ended {
    fn from(malformed: Malformed) -> Self {
        Ended::Malformed(malformed)
    }
}

enum Stage {
    /// The cloud has not answered to who the device is.
    SigningIn { token: String, payload: String, again: Millis, times: u32 },
    /// It has.
    Up { ping: Millis, lost: u32 },
}

/// A tunnel whose connection is up.
pub struct Tunnel {
    stage: Stage,
    decoder: Decoder,
    /// An answer's payload, as far as it has come.
    answer: Vec<u8>,
    sessions: Sessions,
    outgoing: VecDeque<Vec<u8>>,
    /// Bytes of the first one that have gone out.
    sent: usize,
    /// Bytes of all of them.
    pending: usize,
    frames: u32,
}

impl Tunnel {
    /// A tunnel that begins with this token and payload, by which the device signs in.
    #[must_use]
    pub fn new(moment: Moment, token: String, payload: String) -> Self {
        let mut tunnel = Tunnel {
            stage: Stage::SigningIn { token, payload, again: moment.now + SIGN_IN_MS, times: 1 },
            decoder: Decoder::default(),
            answer: Vec::new(),
            sessions: Sessions::default(),
            outgoing: VecDeque::new(),
            sent: 0,
            pending: 0,
            frames: 0,
        };
        tunnel.say_who(moment);
        tunnel
    }

    /// Does what is due.
    ///
    /// # Errors
    /// The tunnel is over.
    pub fn tick(&mut self, moment: Moment) -> Result<(), Ended> {
        self.sign_in(moment)?;
        self.ping(moment)?;
        let stalled: Vec<_> =
            self.sessions.iter().filter(|session| session.is_stalled(moment.now)).map(|session| session.id).collect();
        for id in stalled {
            self.local_lost(moment, id);
        }
        Ok(())
    }

    fn sign_in(&mut self, moment: Moment) -> Result<(), Ended> {
        let Stage::SigningIn { again, times, .. } = &mut self.stage else { return Ok(()) };
        if moment.now < *again {
            return Ok(());
        }
        if *times >= MAX_SIGN_INS {
            return Err(Ended::Unanswered);
        }
        *times += 1;
        *again = moment.now + SIGN_IN_MS;
        self.say_who(moment);
        Ok(())
    }

    fn say_who(&mut self, moment: Moment) {
        if let Stage::SigningIn { token, payload, .. } = &self.stage {
            let frame = encode(self.frames, kind::SIGN_IN, moment.seconds, token, payload.as_bytes());
            self.queue(frame);
        }
    }

    fn ping(&mut self, moment: Moment) -> Result<(), Ended> {
        let can_hear = self.wants_input();
        let Stage::Up { ping, lost } = &mut self.stage else { return Ok(()) };
        if moment.now < *ping {
            return Ok(());
        }
        *ping = moment.now + REPEAT_MS;
        // A pong may have come that nobody reads as long as an SSH server holds the tunnel up.
        if !can_hear {
            return Ok(());
        }
        if *lost >= MAX_LOST {
            return Err(Ended::Silent);
        }
        *lost += 1;
        let token = format!("wsping-{:x}", moment.now.0);
        let frame = encode(self.frames, kind::PING, moment.seconds, &token, b"");
        self.frames = self.frames.wrapping_add(1);
        self.pending += frame.len();
        // Before data that waits; the first frame may have begun to go out.
        self.outgoing.insert(self.outgoing.len().min(1), frame);
        Ok(())
    }

    fn send(&mut self, moment: Moment, kind: i64, token: &str, payload: &[u8]) {
        let frame = encode(self.frames, kind, moment.seconds, token, payload);
        self.queue(frame);
    }

    fn queue(&mut self, frame: Vec<u8>) {
        self.frames = self.frames.wrapping_add(1);
        self.pending += frame.len();
        self.outgoing.push_back(frame);
    }

    /// What is to go out next, which is of one frame: what is left of it. Empty: nothing.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        self.outgoing.front().and_then(|frame| frame.get(self.sent..)).unwrap_or_default()
    }

    /// So many bytes of [`outgoing`](Self::outgoing) have gone out.
    pub fn sent(&mut self, count: usize) {
        let count = count.min(self.outgoing().len());
        self.sent += count;
        self.pending -= count;
        if self.outgoing().is_empty() {
            self.outgoing.pop_front();
            self.sent = 0;
        }
    }

    /// Whether bytes of an SSH server may come.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending < ROOM
    }

    /// Whether bytes of the cloud may come.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.pending < 2 * ROOM && !self.sessions.iter().any(super::session::Session::is_full)
    }

    /// Takes bytes of the cloud.
    ///
    /// # Errors
    /// The tunnel is over.
    pub fn received(&mut self, moment: Moment, mut bytes: &[u8]) -> Result<(), Ended> {
        while let Some(piece) = self.decoder.next(&mut bytes)? {
            match piece.head.kind {
                kind::DATA => {
                    if let Some(session) = self.sessions.with_token(&piece.head.token) {
                        session.push(moment.now, piece.payload);
                    }
                    continue;
                }
                kind::VERIFIED => {
                    self.answer.extend_from_slice(piece.payload);
                    if self.answer.len() > MAX_ANSWER {
                        return Err(Malformed("an answer's payload is too long").into());
                    }
                }
                _ => {}
            }
            if piece.is_last {
                self.take(moment, &piece.head)?;
            }
        }
        Ok(())
    }

    /// A frame without data is in.
    fn take(&mut self, moment: Moment, head: &Head) -> Result<(), Ended> {
        match head.kind {
            kind::VERIFIED => {
                let code = json::values(json::message(&self.answer), ["code"]).ok().and_then(|[code]| code?.whole());
                self.answer.clear();
                if let Some(code) = code.filter(|code| *code != 0) {
                    return Err(Ended::Refused(code));
                }
                if !self.is_up() {
                    self.stage = Stage::Up { ping: moment.now, lost: 0 };
                }
            }
            kind::OPEN => {
                let is_open = self.is_up() && self.sessions.open(moment.now, &head.token);
                let answer = if is_open { SUCCESS } else { FAIL };
                self.send(moment, kind::OPENED, &head.token, answer.as_bytes());
            }
            kind::CLOSE => {
                if let Some(session) = self.sessions.with_token(&head.token) {
                    session.is_closing = true;
                }
                self.sessions.sweep();
                self.send(moment, kind::CLOSED, &head.token, SUCCESS.as_bytes());
            }
            kind::PONG => {
                if let Stage::Up { ping, lost } = &mut self.stage {
                    (*ping, *lost) = (moment.now + PING_MS, 0);
                }
            }
            // What later clouds say.
            _ => {}
        }
        Ok(())
    }

    /// Whether the cloud has believed who the device is.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up { .. })
    }

    /// The sessions that need a connection to the SSH server, or have one.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        self.sessions.iter().filter(|session| session.has_begun).map(|session| session.id).collect()
    }

    /// What waits for a session's SSH server.
    #[must_use]
    pub fn to_local(&self, id: SessionId) -> &[u8] {
        self.sessions.get(id).map_or(&[], |session| session.waiting())
    }

    /// A session's SSH server has taken so many bytes of [`to_local`](Self::to_local).
    pub fn written(&mut self, now: Millis, id: SessionId, count: usize) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.written(now, count);
        }
        self.sessions.sweep();
    }

    /// A session's SSH server says this.
    pub fn from_local(&mut self, moment: Moment, id: SessionId, bytes: &[u8]) {
        let open = self.sessions.get(id).filter(|session| !session.is_closing);
        if let Some(token) = open.map(|session| session.token.clone()) {
            self.send(moment, kind::DATA, &token, bytes);
        }
    }

    /// A session's SSH server can't be reached, or has ended the connection: the session is over.
    pub fn local_lost(&mut self, moment: Moment, id: SessionId) {
        // One that the cloud has closed is over for it.
        if let Some(session) = self.sessions.remove(id).filter(|session| !session.is_closing) {
            self.send(moment, kind::OPENED, &session.token, FAIL.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
