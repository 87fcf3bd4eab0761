//! Frames that come in, as one stream of bytes.

use super::{opcode, Control, Malformed, MAX_CONTROL};

/// Most bytes to ask for at once.
pub const MAX_READ: usize = 2048;

/// Longest head of a frame from a server, in bytes.
const MAX_FRAME_HEAD: usize = 10;

/// Takes what comes apart: data for the reader, and what the sender has to answer.
///
/// It holds no more than what was pushed and not taken yet; frames may be of any length.
#[derive(Debug)]
pub struct Receiver {
    state: State,
    /// A message has begun, and its last frame has not.
    is_in_message: bool,
    /// The last PING that nobody has answered.
    ping: Option<Control>,
    /// The reason of the CLOSE that has come. Nothing counts after it.
    closed: Option<Control>,
    data: Vec<u8>,
    taken: usize,
}

#[derive(Debug)]
enum State {
    Head { bytes: [u8; MAX_FRAME_HEAD], len: usize },
    Data { left: u64 },
    Control { opcode: u8, payload: Control, left: usize },
}

impl State {
    const START: State = State::Head { bytes: [0; MAX_FRAME_HEAD], len: 0 };
}

/// How many bytes the head has whose first bytes these are; at least 2.
fn head_len(bytes: &[u8]) -> usize {
    match bytes.get(1).map(|second| second & 0x7f) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver { state: State::START, is_in_message: false, ping: None, closed: None, data: Vec::new(), taken: 0 }
    }
}

impl Receiver {
    /// How many bytes to ask for next, at least 1: what is known to come.
    #[must_use]
    pub fn wanted(&self) -> usize {
        match &self.state {
            State::Head { bytes, len } => head_len(bytes.get(..*len).unwrap_or_default()) - len,
            State::Data { left } => usize::try_from(*left).map_or(MAX_READ, |left| left.min(MAX_READ)),
            State::Control { left, .. } => *left,
        }
    }

    /// Takes bytes that came in. Nothing counts after a CLOSE.
    ///
    /// # Errors
    /// They are no frames. What came before them can still be taken.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() && self.closed.is_none() {
            let count = bytes.len().min(match &self.state {
                // It may be any number of frames.
                State::Data { left } => usize::try_from(*left).unwrap_or(usize::MAX),
                _ => self.wanted(),
            });
            let (now, later) = bytes.split_at(count);
            bytes = later;
            self.step(now)?;
        }
        Ok(())
    }

    /// Takes bytes of one part of a frame, as many as it has at most.
    fn step(&mut self, now: &[u8]) -> Result<(), Malformed> {
        match &mut self.state {
            State::Head { bytes, len } => {
                for (to, from) in bytes.iter_mut().skip(*len).zip(now) {
                    *to = *from;
                }
                *len += now.len();
                let head = bytes.get(..*len).unwrap_or_default();
                if let [first, second, long @ ..] = head {
                    if head.len() == head_len(head) {
                        let (first, payload_len) = (*first, payload_len(*first, *second, long)?);
                        return self.begin(first, payload_len);
                    }
                }
            }
            State::Data { left } => {
                *left -= now.len() as u64;
                let is_over = *left == 0;
                self.data.extend_from_slice(now);
                if is_over {
                    self.state = State::START;
                }
            }
            State::Control { opcode, payload, left } => {
                payload.push(now);
                *left -= now.len();
                if *left == 0 {
                    let (opcode, payload) = (*opcode, *payload);
                    self.state = State::START;
                    return self.control(opcode, payload);
                }
            }
        }
        Ok(())
    }

    /// A frame's head is in.
    fn begin(&mut self, first: u8, payload_len: u64) -> Result<(), Malformed> {
        let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
        self.state = State::START;
        match opcode {
            opcode::CONTINUATION | opcode::TEXT | opcode::BINARY => {
                match (opcode == opcode::CONTINUATION, self.is_in_message) {
                    (true, false) => return Err(Malformed("it goes on with no message")),
                    (false, true) => return Err(Malformed("a message begins within another one")),
                    _ => {}
                }
                self.is_in_message = !is_last;
                if payload_len > 0 {
                    self.state = State::Data { left: payload_len };
                }
            }
            opcode::CLOSE | opcode::PING | opcode::PONG => {
                let left = usize::try_from(payload_len).unwrap_or(usize::MAX);
                if !is_last || left > MAX_CONTROL {
                    return Err(Malformed("a control frame is in parts or too long"));
                }
                if left == 0 {
                    return self.control(opcode, Control::default());
                }
                self.state = State::Control { opcode, payload: Control::default(), left };
            }
            _ => return Err(Malformed("it is of an unknown kind")),
        }
        Ok(())
    }

    fn control(&mut self, opcode: u8, payload: Control) -> Result<(), Malformed> {
        match opcode {
            opcode::CLOSE if payload.len == 1 => return Err(Malformed("half a reason to close")),
            opcode::CLOSE => self.closed = Some(payload),
            // RFC 6455 section 5.5.3: the last one is enough.
            opcode::PING => self.ping = Some(payload),
            // Nobody asked for it.
            _ => {}
        }
        Ok(())
    }

    /// Whether data waits to be taken.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.taken < self.data.len()
    }

    /// Moves data to `out`, as much as both have. Returns how much.
    pub fn take(&mut self, out: &mut [u8]) -> usize {
        let waiting = self.data.get(self.taken..).unwrap_or_default();
        let count = waiting.len().min(out.len());
        for (to, from) in out.iter_mut().zip(waiting) {
            *to = *from;
        }
        self.taken += count;
        if !self.has_data() {
            self.data.clear();
            self.taken = 0;
        }
        count
    }

    /// The last PING since this was called, if there was one.
    pub fn take_ping(&mut self) -> Option<Control> {
        self.ping.take()
    }

    /// The reason of the CLOSE, if it has come.
    #[must_use]
    pub fn closed(&self) -> Option<&Control> {
        self.closed.as_ref()
    }
}

/// Length of the payload, of the two bytes that each head has, and those that some have behind them.
fn payload_len(first: u8, second: u8, long: &[u8]) -> Result<u64, Malformed> {
    if first & 0x70 != 0 {
        return Err(Malformed("it uses an extension"));
    }
    if second & 0x80 != 0 {
        return Err(Malformed("a server's frame is masked"));
    }
    let (len, least) = match long.len() {
        0 => (u64::from(second), 0),
        count => {
            let len = long.iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
            (len, if count == 2 { 126 } else { 1 << 16 })
        }
    };
    if len < least || len > u64::MAX >> 1 {
        return Err(Malformed("its length is none"));
    }
    Ok(len)
}
