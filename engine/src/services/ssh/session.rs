//! The sessions in a tunnel: each is a connection to this machine's SSH server.

use crate::time::Millis;

/// Most sessions at a time.
pub const MAX_SESSIONS: usize = 5;
/// How many bytes may wait for the SSH server before nothing more is read for any session.
const ROOM: usize = 16 * 1024;
/// How long a server that takes nothing may hold up the others, in milliseconds.
const STALL_MS: u64 = 30_000;

/// A session, as long as it lives and after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(u64);

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) token: String,
    /// Something has come for it, so it needs a connection.
    pub(super) has_begun: bool,
    /// It goes as soon as nothing waits for the server.
    pub(super) is_closing: bool,
    waiting: Vec<u8>,
    /// When the server took something, or had nothing to take.
    moved: Millis,
}

impl Session {
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= ROOM
    }

    pub(super) fn is_stalled(&self, now: Millis) -> bool {
        !self.waiting.is_empty() && now.since(self.moved) >= STALL_MS
    }

    pub(super) fn waiting(&self) -> &[u8] {
        &self.waiting
    }

    pub(super) fn push(&mut self, now: Millis, bytes: &[u8]) {
        if self.is_closing {
            return;
        }
        if self.waiting.is_empty() {
            self.moved = now;
        }
        self.has_begun = true;
        self.waiting.extend_from_slice(bytes);
    }

    pub(super) fn written(&mut self, now: Millis, count: usize) {
        if count > 0 {
            self.moved = now;
            self.waiting.drain(..count.min(self.waiting.len()));
        }
    }
}

/// The sessions there are.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: Vec<Session>,
    begun: u64,
}

impl Sessions {
    /// Begins a session instead of one with the same token. Returns whether there was room for it.
    pub(super) fn open(&mut self, now: Millis, token: &str) -> bool {
        self.all.retain(|session| session.token != token);
        if self.all.len() >= MAX_SESSIONS {
            return false;
        }
        self.begun += 1;
        let (id, token) = (SessionId(self.begun), token.to_owned());
        self.all.push(Session { id, token, has_begun: false, is_closing: false, waiting: Vec::new(), moved: now });
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.all.iter()
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.all.iter().find(|session| session.id == id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.all.iter_mut().find(|session| session.id == id)
    }

    pub(super) fn with_token(&mut self, token: &str) -> Option<&mut Session> {
        self.all.iter_mut().find(|session| session.token == token)
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let at = self.all.iter().position(|session| session.id == id)?;
        Some(self.all.remove(at))
    }

    /// Takes those out that close and have nothing left to do.
    pub(super) fn sweep(&mut self) {
        self.all.retain(|session| !session.is_closing || !session.waiting.is_empty());
    }
}
