//! WebSocket (RFC 6455) as a byte stream, from the client's side: the handshake, frames that come in, frames that go out
//! (resource.md section 9). Random numbers come in as arguments.

pub mod handshake;
mod receiver;
mod sender;

use std::fmt;

pub use receiver::{Receiver, MAX_READ};
pub use sender::{Sender, MAX_PIECE};

/// Longest payload of a control frame, in bytes.
const MAX_CONTROL: usize = 125;

/// What a frame is for.
mod opcode {
    pub const CONTINUATION: u8 = 0x0;
    pub const TEXT: u8 = 0x1;
    pub const BINARY: u8 = 0x2;
    pub const CLOSE: u8 = 0x8;
    pub const PING: u8 = 0x9;
    pub const PONG: u8 = 0xA;
}

/// Why a connection is closed.
pub mod status {
    /// It has served its purpose.
    pub const NORMAL: u16 = 1000;
    /// The other side broke the rules.
    pub const PROTOCOL_ERROR: u16 = 1002;
}

/// What can't be WebSocket in what the server sent. The connection is given up then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed WebSocket frame: {}", self.0)
    }
}

/// The payload of a control frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    bytes: [u8; MAX_CONTROL],
    len: usize,
}

impl Default for Control {
    fn default() -> Self {
        Control { bytes: [0; MAX_CONTROL], len: 0 }
    }
}

impl Control {
    /// A reason to close.
    #[must_use]
    pub fn reason(code: u16) -> Self {
        let mut reason = Control::default();
        reason.push(&code.to_be_bytes());
        reason
    }

    /// The code of a reason to close, where there is one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self.as_slice() {
            [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Takes as many bytes as there is room for.
    fn push(&mut self, bytes: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.len).zip(bytes) {
            *to = *from;
            self.len += 1;
        }
    }
}

#[cfg(test)]
mod tests;
