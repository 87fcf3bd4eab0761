//! Frames that go out.

use super::{opcode, Control};

/// Most bytes that go out in one write.
pub const MAX_PIECE: usize = 4096;

/// Makes frames of messages, and answers between them. Each is masked by a number of its own (RFC 6455 section 5.3).
///
/// A message goes out piece by piece, and is not kept: who writes gives what is left of it again.
#[derive(Debug, Default)]
pub struct Sender {
    /// A frame's head or a whole control frame, as far as it has not gone out.
    head: Vec<u8>,
    message: Option<Message>,
    pong: Option<Control>,
    close: Option<Control>,
    is_closing: bool,
}

/// A message that goes out.
#[derive(Debug)]
struct Message {
    mask: [u8; 4],
    sent: usize,
    len: usize,
}

impl Sender {
    /// Whether the next message begins a frame of its own; else what is left of the last one has to go out first.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.message.is_none()
    }

    /// Whether something is left to write that is no message: its answers, and CLOSE.
    #[must_use]
    pub fn has_control(&self) -> bool {
        self.pong.is_some() || self.close.is_some() || (self.message.is_none() && !self.head.is_empty())
    }

    /// Answers a PING once the message that goes out has done so.
    pub fn pong(&mut self, payload: Control) {
        self.pong = Some(payload);
    }

    /// Says the end once the message that goes out has done so. No message goes out after it; once is enough.
    pub fn close(&mut self, reason: Control) {
        if !self.is_closing {
            self.is_closing = true;
            self.close = Some(reason);
        }
    }

    /// What to write next, at most [`MAX_PIECE`] bytes, into `out`: an answer, or a piece of `message`, which may be empty.
    /// Nothing where there is none of both. What is written of it is told to [`sent`](Self::sent).
    pub fn next(&mut self, message: &[u8], random: u64, out: &mut Vec<u8>) {
        out.clear();
        let mask = random.to_le_bytes();
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        if self.head.is_empty() && self.message.is_none() {
            if let Some(payload) = self.pong.take() {
                self.head = control_frame(opcode::PONG, &payload, mask);
            } else if let Some(reason) = self.close.take() {
                self.head = control_frame(opcode::CLOSE, &reason, mask);
            } else if !message.is_empty() && !self.is_closing {
                write_head(&mut self.head, opcode::BINARY, message.len(), mask);
                self.message = Some(Message { mask, sent: 0, len: message.len() });
            }
        }
        out.extend_from_slice(&self.head);
        if let Some(begun) = &self.message {
            let room = (begun.len - begun.sent).min(MAX_PIECE - out.len());
            let bytes = message.iter().take(room).zip(begun.sent..);
            out.extend(bytes.map(|(byte, at)| byte ^ begun.mask[at % 4]));
        }
    }

    /// So many bytes of what [`next`](Self::next) gave have gone out. Returns how many of them were the message's.
    pub fn sent(&mut self, count: usize) -> usize {
        let of_head = count.min(self.head.len());
        self.head.drain(..of_head);
        let Some(message) = &mut self.message else { return 0 };
        let of_message = (count - of_head).min(message.len - message.sent);
        message.sent += of_message;
        if message.sent == message.len {
            self.message = None;
        }
        of_message
    }
}

/// Appends the head of a frame that is a whole message.
fn write_head(out: &mut Vec<u8>, opcode: u8, len: usize, mask: [u8; 4]) {
    out.push(0x80 | opcode);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..=125), _) => out.push(0x80 | len),
        (_, Ok(len)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
}

fn control_frame(opcode: u8, payload: &Control, mask: [u8; 4]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_head(&mut frame, opcode, payload.as_slice().len(), mask);
    frame.extend(payload.as_slice().iter().zip(0..).map(|(byte, at): (_, usize)| byte ^ mask[at % 4]));
    frame
}
