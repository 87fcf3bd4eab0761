//! A tunnel's frames: a line of JSON, CRLF, and a payload as long as the line says.

use serde::Deserialize;
use serde_json::json;

/// Longest line, and longest payload, in bytes.
const MAX_LINE: usize = 1024;
const MAX_PAYLOAD: usize = 1024 * 1024;

/// What a frame is for.
pub mod kind {
    /// To the device: a session begins.
    pub const OPEN: u8 = 0;
    /// From the device: what became of a session.
    pub const OPENED: u8 = 1;
    /// To the device: a session is over.
    pub const CLOSE: u8 = 2;
    /// From the device: is anybody there?
    pub const PING: u8 = 4;
    /// To the device: yes.
    pub const PONG: u8 = 5;
    /// Bytes of a session, both ways.
    pub const DATA: u8 = 6;
    /// From the device: who it is.
    pub const SIGN_IN: u8 = 8;
    /// To the device: whether that is believed.
    pub const VERIFIED: u8 = 9;
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is for ([`kind`]).
    pub kind: u8,
    /// Whom it is about.
    pub token: String,
    /// What comes with it.
    pub payload: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    msg_type: u8,
    payload_len: usize,
    #[serde(default)]
    token: String,
}

impl Frame {
    /// A frame to send.
    pub fn new(kind: u8, token: &str, payload: impl Into<Vec<u8>>) -> Self {
        Frame { kind, token: token.to_owned(), payload: payload.into() }
    }

    /// As it goes out; `seconds` is UTC.
    pub fn encode(&self, seconds: u64) -> Vec<u8> {
        let line = json!({
            "requestId": "hub", "msgType": self.kind, "payloadLen": self.payload.len(), "serviceType": 0,
            "timestmap": seconds, "token": self.token,
        });
        let mut frame = line.to_string().into_bytes();
        frame.extend_from_slice(b"\r\n");
        frame.extend_from_slice(&self.payload);
        frame
    }
}

/// Takes frames apart, in whatever pieces they come.
#[derive(Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// More has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, where there is one.
    ///
    /// # Errors
    /// What came is none; why, in words.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, String> {
        let Some(end) = self.bytes.windows(2).position(|two| two == b"\r\n") else {
            return if self.bytes.len() < MAX_LINE { Ok(None) } else { Err("a frame's line has no end".to_owned()) };
        };
        let line = self.bytes.get(..end).unwrap_or_default();
        let line: Line =
            serde_json::from_slice(line).map_err(|error| format!("a frame's line can't be read: {error}"))?;
        if line.payload_len > MAX_PAYLOAD {
            return Err(format!("a frame's payload of {} bytes is too long", line.payload_len));
        }
        let whole = end + 2 + line.payload_len;
        if self.bytes.len() < whole {
            return Ok(None);
        }
        let payload = self.bytes.drain(..whole).skip(end + 2).collect();
        Ok(Some(Frame { kind: line.msg_type, token: line.token, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_in_any_pieces() {
        let frames = [Frame::new(kind::DATA, "a\"b", vec![13, 10, 0]), Frame::new(kind::PONG, "", "")];
        let wire: Vec<u8> = frames.iter().flat_map(|frame| frame.encode(5)).collect();
        for step in [1, 3, 1000] {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in wire.chunks(step) {
                decoder.push(piece);
                found.extend(std::iter::from_fn(|| decoder.next_frame().expect("a frame")));
            }
            assert_eq!(found, frames, "{step}");
        }
    }

    #[test]
    fn the_devices_frame_is_read() {
        let mut decoder = Decoder::default();
        decoder.push(
            b"{\"requestId\":\"ws-00000000\",\"msgType\":8,\"payloadLen\":2,\"serviceType\":0,\"timestmap\":1,\"token\":\"t\"}\r\n{}",
        );
        assert_eq!(decoder.next_frame(), Ok(Some(Frame::new(kind::SIGN_IN, "t", "{}"))));
        assert_eq!(decoder.next_frame(), Ok(None));
    }

    #[test]
    fn what_is_no_frame_is_named() {
        for (wire, why) in [
            ("x\r\n".to_owned(), "can't be read"),
            ("{\"msgType\":6}\r\n".to_owned(), "payloadLen"),
            ("{\"msgType\":6,\"payloadLen\":1048577}\r\n".to_owned(), "too long"),
            ("x".repeat(MAX_LINE), "has no end"),
        ] {
            let mut decoder = Decoder::default();
            decoder.push(wire.as_bytes());
            assert!(decoder.next_frame().is_err_and(|error| error.contains(why)), "{why}");
        }
    }
}
