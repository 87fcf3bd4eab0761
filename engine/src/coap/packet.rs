//! Datagrams: the one request that goes out, whatever comes in (RFC 7252 section 3).

use std::fmt;

/// Longest packet that goes out, in bytes.
pub const MAX_SEND: usize = 512;
/// Longest datagram that is taken, in bytes.
pub const MAX_RECEIVE: usize = 4096;

const VERSION: u8 = 1;
const URI_PATH: usize = 11;
const AUTH_TOKEN: usize = 61;
const NEEDS_ANSWER: usize = 62;
const PAYLOAD_MARKER: u8 = 0xff;
const MAX_TOKEN: usize = 8;

/// What a datagram is to the message layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To be acknowledged.
    Confirmable,
    /// Not to be acknowledged.
    NonConfirmable,
    /// Acknowledges, and may carry the answer.
    Acknowledgement,
    /// The other side can't make use of the message.
    Reset,
}

/// A code as `class.detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(u8);

impl Code {
    /// Nothing: 0.00.
    pub const EMPTY: Code = Code::new(0, 0);
    /// POST: 0.02.
    pub const POST: Code = Code::new(0, 2);
    /// 2.03, this cloud's empty acknowledgement.
    pub const VALID: Code = Code::new(2, 3);
    /// 2.05.
    pub const CONTENT: Code = Code::new(2, 5);

    /// `class.detail`; only the bits that there is room for.
    #[must_use]
    pub const fn new(class: u8, detail: u8) -> Self {
        Code(class << 5 | detail & 0x1f)
    }

    /// What stands before the dot.
    #[must_use]
    pub fn class(self) -> u8 {
        self.0 >> 5
    }

    /// What stands behind the dot.
    #[must_use]
    pub fn detail(self) -> u8 {
        self.0 & 0x1f
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

/// A datagram that came in. Its options are checked and left out: no answer's options mean anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is to the message layer.
    pub kind: Kind,
    /// Its code.
    pub code: Code,
    /// Its message id.
    pub id: u16,
    /// Its token, at most 8 bytes.
    pub token: &'a [u8],
    /// Its payload.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes a datagram apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, &'static str> {
        let (&[first, code, high, low], rest) = datagram.split_first_chunk().ok_or("fewer than 4 bytes")?;
        if first >> 6 != VERSION {
            return Err("a version other than 1");
        }
        let token_len = usize::from(first & 0x0f);
        if token_len > MAX_TOKEN {
            return Err("a token of more than 8 bytes");
        }
        let code = Code(code);
        if !matches!(code.class(), 0 | 2 | 4 | 5) {
            return Err("a code of a class that does not exist");
        }
        let (token, rest) = rest.split_at_checked(token_len).ok_or("a token that is cut off")?;
        Ok(Packet {
            kind: match first >> 4 & 3 {
                0 => Kind::Confirmable,
                1 => Kind::NonConfirmable,
                2 => Kind::Acknowledgement,
                _ => Kind::Reset,
            },
            code,
            id: u16::from_be_bytes([high, low]),
            token,
            payload: payload(rest)?,
        })
    }

    /// Whether it answers a request.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.code.class() != 0
    }
}

/// The payload behind the options.
fn payload(mut rest: &[u8]) -> Result<&[u8], &'static str> {
    const CUT: &str = "an option that is cut off";
    let mut number = 0_usize;
    while let Some((&first, behind)) = rest.split_first() {
        if first == PAYLOAD_MARKER {
            return if behind.is_empty() { Err("a payload marker without a payload") } else { Ok(behind) };
        }
        let (delta, behind) = extended(first >> 4, behind)?;
        let (len, behind) = extended(first & 0x0f, behind)?;
        number += delta;
        if number > usize::from(u16::MAX) {
            return Err("an option number that does not exist");
        }
        (_, rest) = behind.split_at_checked(len).ok_or(CUT)?;
    }
    Ok(rest)
}

/// What the nibble of an option's first byte means, with the bytes that follow.
fn extended(nibble: u8, rest: &[u8]) -> Result<(usize, &[u8]), &'static str> {
    const CUT: &str = "an option that is cut off";
    match nibble {
        13 => {
            let (&byte, rest) = rest.split_first().ok_or(CUT)?;
            Ok((13 + usize::from(byte), rest))
        }
        14 => {
            let (&bytes, rest) = rest.split_first_chunk().ok_or(CUT)?;
            Ok((269 + usize::from(u16::from_be_bytes(bytes)), rest))
        }
        15 => Err("an option with a length or a distance of 15"),
        other => Ok((usize::from(other), rest)),
    }
}

/// A POST that is to be acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Message id.
    pub id: u16,
    /// Token.
    pub token: [u8; 4],
    /// The whole path, slashes inside.
    pub path: &'a str,
    /// What the cloud gave out when the device said who it is; `None` when the device does that.
    pub auth_token: Option<&'a [u8]>,
    /// Whether an answer with content is wanted.
    pub needs_answer: bool,
    /// Payload.
    pub payload: &'a [u8],
}

impl Request<'_> {
    /// The datagram; `None` where it would be longer than [`MAX_SEND`].
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let auth_token = self.auth_token.unwrap_or_default();
        // No sum of lengths can overflow then.
        if self.path.len().max(auth_token.len()).max(self.payload.len()) > MAX_SEND {
            return None;
        }
        let mut bytes = Vec::with_capacity(MAX_SEND);
        let [high, low] = self.id.to_be_bytes();
        bytes.extend([VERSION << 6 | 4, Code::POST.0, high, low]);
        bytes.extend(self.token);
        option(&mut bytes, URI_PATH, self.path.as_bytes());
        let mut last = URI_PATH;
        if self.auth_token.is_some() {
            option(&mut bytes, AUTH_TOKEN - last, auth_token);
            last = AUTH_TOKEN;
        }
        option(&mut bytes, NEEDS_ANSWER - last, if self.needs_answer { b"1" } else { b"0" });
        if !self.payload.is_empty() {
            bytes.push(PAYLOAD_MARKER);
            bytes.extend(self.payload);
        }
        (bytes.len() <= MAX_SEND).then_some(bytes)
    }
}

fn option(bytes: &mut Vec<u8>, delta: usize, value: &[u8]) {
    let (delta_nibble, len_nibble) = (nibble(delta), nibble(value.len()));
    bytes.push(delta_nibble << 4 | len_nibble);
    for (number, nibble) in [(delta, delta_nibble), (value.len(), len_nibble)] {
        // Neither is beyond 16 bits: the caller has looked.
        match nibble {
            13 => bytes.push((number - 13) as u8),
            14 => bytes.extend(((number - 269) as u16).to_be_bytes()),
            _ => {}
        }
    }
    bytes.extend(value);
}

fn nibble(number: usize) -> u8 {
    match number {
        ..13 => number as u8,
        13..269 => 13,
        _ => 14,
    }
}

/// The acknowledgement of a message, or what says that nobody can make use of it: four bytes.
#[must_use]
pub fn empty(is_reset: bool, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [if is_reset { 0x70 } else { 0x60 }, Code::EMPTY.0, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(path: &'a str, auth_token: Option<&'a [u8]>, payload: &'a [u8]) -> Request<'a> {
        Request { id: 0xd27b, token: [1, 2, 3, 4], path, auth_token, needs_answer: false, payload }
    }

    /// Header, token and what follows.
    fn joined(parts: &[&[u8]]) -> Vec<u8> {
        [&[&b"\x44\x02\xd2\x7b\x01\x02\x03\x04"[..]], parts].concat().concat()
    }

    #[test]
    fn case_10_each_form_of_a_length_is_written_as_the_standard_says() {
        for (len, head) in [(0, &[0xb0][..]), (12, &[0xbc]), (13, &[0xbd, 0]), (128, &[0xbd, 115])] {
            let path = "p".repeat(len);
            let expected = joined(&[head, path.as_bytes(), b"\xd1\x26\x30"]);
            assert_eq!(request(&path, None, b"").encode(), Some(expected), "path of {len}");
        }
        for (len, head) in [
            (0, &[0xd0, 37][..]),
            (12, &[0xdc, 37]),
            (13, &[0xdd, 37, 0]),
            (268, &[0xdd, 37, 255]),
            (269, &[0xde, 37, 0, 0]),
            (300, &[0xde, 37, 0, 31]),
        ] {
            let token = vec![7; len];
            let expected = joined(&[b"\xb1p", head, &token, b"\x11\x30\xffx"]);
            assert_eq!(request("p", Some(&token), b"x").encode(), Some(expected), "token of {len}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let (path, token) = ("p".repeat(21), [7; 10]);
        let fits = request(&path, Some(&token), &[1; 466]).encode();
        assert_eq!(fits.map(|bytes| bytes.len()), Some(MAX_SEND));
        for (path, token, payload) in
            [(&path[..], &token[..], &[1; 467][..]), (&path, &[7; 600], b""), ("p", &[], &[1; 70_000])]
        {
            assert_eq!(request(path, Some(token), payload).encode(), None);
        }
        assert_eq!(request(&"p".repeat(600), None, b"").encode(), None);
    }

    #[test]
    fn a_datagram_is_taken_apart() {
        let datagram = b"\x64\x45\xd2\x7b\x01\x02\x03\x04\xffTOKEN12345";
        let expected = Packet {
            kind: Kind::Acknowledgement,
            code: Code::CONTENT,
            id: 0xd27b,
            token: &[1, 2, 3, 4],
            payload: b"TOKEN12345",
        };
        assert_eq!(Packet::parse(datagram), Ok(expected));
        for (first, kind) in [
            (0x40, Kind::Confirmable),
            (0x50, Kind::NonConfirmable),
            (0x60, Kind::Acknowledgement),
            (0x70, Kind::Reset),
        ] {
            let datagram = [first, 0, 0, 1];
            let packet = Packet::parse(&datagram).unwrap();
            assert_eq!((packet.kind, packet.is_response()), (kind, false));
            assert_eq!((packet.token, packet.payload), (&[][..], &[][..]));
        }
        assert_eq!(Code::new(4, 4).to_string(), "4.04");
        assert_eq!(Code::new(4, 4).detail(), 4);
    }

    #[test]
    fn options_of_every_length_are_passed_over() {
        let long = [&b"\x60\x45\0\x01\xdd\x01\x80"[..], &[1; 141], b"\xffx"].concat();
        let longer = [&b"\x60\x45\0\x01\x1e\x00\x01"[..], &[1; 270], b"\xffx"].concat();
        let far = b"\x60\x45\0\x01\xe1\xfe\x00x\xffx";
        for datagram in [&long[..], &longer, far, b"\x60\x45\0\x01\x00\x12ab\xffx"] {
            assert_eq!(Packet::parse(datagram).unwrap().payload, b"x", "{datagram:02x?}");
        }
        assert_eq!(Packet::parse(b"\x60\x45\0\x01\x12ab").unwrap().payload, b"");
    }

    #[test]
    fn case_19_what_is_malformed_is_refused() {
        for (datagram, why) in [
            (&b""[..], "fewer than 4 bytes"),
            (b"\x60\x45\0", "fewer than 4 bytes"),
            (b"\x20\x45\0\x01", "a version other than 1"),
            (b"\xa0\x45\0\x01", "a version other than 1"),
            (b"\x69\x45\0\x01123456789", "a token of more than 8 bytes"),
            (b"\x60\x21\0\x01", "a code of a class that does not exist"),
            (b"\x60\x61\0\x01", "a code of a class that does not exist"),
            (b"\x60\xc1\0\x01", "a code of a class that does not exist"),
            (b"\x60\xe1\0\x01", "a code of a class that does not exist"),
            (b"\x64\x45\0\x01abc", "a token that is cut off"),
            (b"\x60\x45\0\x01\x15abcd", "an option that is cut off"),
            (b"\x60\x45\0\x01\xd0", "an option that is cut off"),
            (b"\x60\x45\0\x01\x0d", "an option that is cut off"),
            (b"\x60\x45\0\x01\xe0\x01", "an option that is cut off"),
            (b"\x60\x45\0\x01\xf0", "an option with a length or a distance of 15"),
            (b"\x60\x45\0\x01\x0f", "an option with a length or a distance of 15"),
            (b"\x60\x45\0\x01\xe0\xff\x00\xe0\xff\x00", "an option number that does not exist"),
            (b"\x60\x45\0\x01\xff", "a payload marker without a payload"),
        ] {
            assert_eq!(Packet::parse(datagram), Err(why), "{datagram:02x?}");
        }
    }

    #[test]
    fn what_answers_a_datagram_has_four_bytes() {
        assert_eq!(empty(false, 0x1234), [0x60, 0, 0x12, 0x34]);
        assert_eq!(empty(true, 0x1234), [0x70, 0, 0x12, 0x34]);
    }
}
