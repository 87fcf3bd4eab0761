//! A tunnel's frames: a line of JSON, CRLF, and a payload as long as the line says (shadow.md section 9).

use std::fmt;

use crate::helpers::json::{self, quoted};

/// Longest line of a frame that is taken, in bytes.
pub const MAX_LINE: usize = 1024;
/// Longest payload that is taken, in bytes.
pub const MAX_PAYLOAD: usize = 1024 * 1024;
/// Longest token that is taken, in bytes.
pub const MAX_TOKEN: usize = 128;

/// What a frame is for: its `msgType`.
pub mod kind {
    /// To the device: a session begins.
    pub const OPEN: i64 = 0;
    /// From the device: what became of a session.
    pub const OPENED: i64 = 1;
    /// To the device: a session is over.
    pub const CLOSE: i64 = 2;
    /// From the device: so it is.
    pub const CLOSED: i64 = 3;
    /// From the device: is anybody there?
    pub const PING: i64 = 4;
    /// To the device: yes.
    pub const PONG: i64 = 5;
    /// Bytes of a session, both ways.
    pub const DATA: i64 = 6;
    /// From the device: who it is.
    pub const SIGN_IN: i64 = 8;
    /// To the device: whether that is believed.
    pub const VERIFIED: i64 = 9;
}

/// What is no frame in what came. The tunnel ends then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed frame: {}", self.0)
    }
}

/// What a frame's line says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// What it is for ([`kind`]).
    pub kind: i64,
    /// Whom it is about.
    pub token: String,
    /// How long its payload is, in bytes.
    pub len: usize,
}

impl Head {
    /// # Errors
    /// What the line lacks.
    fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let keys = ["msgType", "payloadLen", "token"];
        let [kind, len, token] = json::values(line, keys).map_err(|_| Malformed("its line is not JSON"))?;
        let kind = kind.and_then(|kind| kind.whole()).ok_or(Malformed("it has no msgType"))?;
        let len = len.and_then(|len| len.whole()).ok_or(Malformed("it has no payloadLen"))?;
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_PAYLOAD);
        let len = len.ok_or(Malformed("its payload is too long"))?;
        // Some are about nobody.
        let token = match token.and_then(|token| token.text()) {
            Some(token) => token.to_str().map_err(|_| Malformed("its token is no text"))?.into_owned(),
            None => String::new(),
        };
        if token.len() > MAX_TOKEN {
            return Err(Malformed("its token is too long"));
        }
        Ok(Head { kind, token, len })
    }
}

/// A frame that goes out.
#[must_use]
pub fn encode(number: u32, kind: i64, seconds: u64, token: &str, payload: &[u8]) -> Vec<u8> {
    let line = format!(
        "{{\"requestId\":\"ws-{number:08x}\",\"msgType\":{kind},\"payloadLen\":{},\"serviceType\":0,\
         \"timestmap\":{seconds},\"token\":{}}}\r\n",
        payload.len(),
        quoted(token)
    );
    let mut frame = Vec::with_capacity(line.len() + payload.len());
    frame.extend_from_slice(line.as_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Takes frames apart, in whatever pieces they come. It keeps no payload.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    /// The frame whose line is in, and what of its payload is not.
    begun: Option<(Head, usize)>,
}

/// A piece of a frame: of one without payload there is one, which is empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The frame's line.
    pub head: Head,
    /// The next bytes of its payload.
    pub payload: &'a [u8],
    /// They are the last ones.
    pub is_last: bool,
}

impl Decoder {
    /// The next piece in `bytes`, which is what is left of them then. `None`: all of them were taken.
    ///
    /// # Errors
    /// They are no frames.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Malformed> {
        let (head, left) = match self.begun.take() {
            Some((head, left)) if bytes.is_empty() => {
                self.begun = Some((head, left));
                return Ok(None);
            }
            Some(begun) => begun,
            None => match self.line(bytes)? {
                Some(head) => {
                    let left = head.len;
                    (head, left)
                }
                None => return Ok(None),
            },
        };
        let (payload, rest) = bytes.split_at(left.min(bytes.len()));
        *bytes = rest;
        let left = left - payload.len();
        if left > 0 {
            self.begun = Some((head.clone(), left));
            if payload.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(Piece { head, payload, is_last: left == 0 }))
    }

    /// What the next line says, once its end is in.
    fn line(&mut self, bytes: &mut &[u8]) -> Result<Option<Head>, Malformed> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.line.push(*byte);
            if let Some(line) = self.line.strip_suffix(b"\r\n") {
                let head = Head::parse(line);
                self.line.clear();
                return head.map(Some);
            }
            if self.line.len() >= MAX_LINE {
                return Err(Malformed("its line has no end"));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Frame = (i64, String, Vec<u8>);

    /// The frames in `wire`, which comes in pieces of at most `step` bytes.
    fn decoded(wire: &[u8], step: usize) -> Result<Vec<Frame>, Malformed> {
        let mut decoder = Decoder::default();
        let (mut frames, mut payload) = (Vec::new(), Vec::new());
        for mut bytes in wire.chunks(step) {
            while let Some(piece) = decoder.next(&mut bytes)? {
                payload.extend_from_slice(piece.payload);
                if piece.is_last {
                    assert_eq!(payload.len(), piece.head.len);
                    frames.push((piece.head.kind, piece.head.token, std::mem::take(&mut payload)));
                }
            }
            assert!(bytes.is_empty());
        }
        Ok(frames)
    }

    #[test]
    fn a_frame_is_a_line_and_a_payload() {
        let expected = "{\"requestId\":\"ws-0000001f\",\"msgType\":6,\"payloadLen\":3,\"serviceType\":0,\
                        \"timestmap\":1600000000,\"token\":\"t\\\"1\"}\r\nabc";
        assert_eq!(encode(31, kind::DATA, 1_600_000_000, "t\"1", b"abc"), expected.as_bytes());
    }

    #[test]
    fn keys_come_in_any_order_and_unknown_ones_do_no_harm() {
        let wire =
            b"{\"token\":\"a\",\"x\":[1],\"payloadLen\":2,\"msgType\":6}\r\nhi{\"msgType\":5,\"payloadLen\":0}\r\n";
        for step in [1, 2, 7, 1000] {
            let expected = vec![(6, "a".to_owned(), b"hi".to_vec()), (5, String::new(), Vec::new())];
            assert_eq!(decoded(wire, step), Ok(expected), "{step}");
        }
    }

    #[test]
    fn what_is_no_frame_is_named() {
        let long = format!("{{\"token\":\"{}\",\"msgType\":0,\"payloadLen\":0}}\r\n", "t".repeat(MAX_TOKEN + 1));
        for (wire, why) in [
            ("hello\r\n", "its line is not JSON"),
            ("\r\n", "its line is not JSON"),
            ("[]\r\n", "its line is not JSON"),
            ("{\"payloadLen\":0}\r\n", "it has no msgType"),
            ("{\"msgType\":\"x\",\"payloadLen\":0}\r\n", "it has no msgType"),
            ("{\"msgType\":6}\r\n", "it has no payloadLen"),
            ("{\"msgType\":6,\"payloadLen\":-1}\r\n", "its payload is too long"),
            ("{\"msgType\":6,\"payloadLen\":1048577}\r\n", "its payload is too long"),
            ("{\"msgType\":6,\"payloadLen\":0,\"token\":\"\\ud800\"}\r\n", "its token is no text"),
            (long.as_str(), "its token is too long"),
            (&"x".repeat(MAX_LINE), "its line has no end"),
        ] {
            for step in [1, 5, usize::MAX] {
                assert_eq!(decoded(wire.as_bytes(), step), Err(Malformed(why)), "{wire}");
            }
        }
        assert_eq!(Malformed("why").to_string(), "malformed frame: why");
    }

    #[test]
    fn a_frame_at_the_limits_is_taken() {
        let frame = encode(0, kind::DATA, 0, &"t".repeat(MAX_TOKEN), &vec![7; MAX_PAYLOAD]);
        let frames = decoded(&frame, 4000).unwrap();
        assert_eq!(frames[0].2.len(), MAX_PAYLOAD);
        assert_eq!(decoded(&[b'x'; MAX_LINE - 1], usize::MAX), Ok(Vec::new()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_goes_out_comes_in_whatever_cuts_it(
            frames in vec((0_i64..10, "[a-z\"\\\\]{0,20}", vec(any::<u8>(), 0..200)), 0..6), step in 1_usize..300
        ) {
            let wire: Vec<u8> =
                frames.iter().flat_map(|(kind, token, payload)| encode(1, *kind, 2, token, payload)).collect();
            prop_assert_eq!(decoded(&wire, step), Ok(frames));
        }

        #[test]
        fn any_bytes_end_alike_in_any_cuts(wire in vec(any::<u8>(), 0..200), step in 1_usize..50) {
            prop_assert_eq!(decoded(&wire, usize::MAX), decoded(&wire, step));
        }
    }
}
