//! What no server of WebSocket should answer to the request for an upgrade, and no frame should look like (RFC 6455).

use super::rule::choose;

/// What becomes of a connection when that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    GoesOn,
    /// It is closed, without a word.
    Cut,
    /// It stays, and nothing more is said.
    Silent,
}

/// An answer to the request for an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OddUpgrade {
    /// Its head, with `{accept}` where the answer to the request's key belongs.
    head: &'static str,
    form: Form,
}

/// How much of an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// All of it, and the connection is closed.
    Whole,
    /// Half of it, and the connection is closed.
    Cut,
    /// Half of it, and then nothing.
    Half,
    /// All of it, and a header that is too long and never ends.
    Endless,
}

const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const LONG_HEADER: usize = 100_000;

/// The answer that upgrades a connection, with other headers at its end.
macro_rules! upgraded {
    ($($header:literal),*) => {
        whole(concat!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
            $($header, "\r\n",)*
            "\r\n"
        ))
    };
}

/// Every answer by its name.
pub const ANSWERS: &[(&str, OddUpgrade)] = &[
    ("wrong-accept", upgraded!("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
    ("no-accept", upgraded!()),
    ("other-protocol", upgraded!("Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Protocol: chat")),
    ("extension", upgraded!("Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Extensions: permessage-deflate")),
    (
        "ok",
        whole("HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"),
    ),
    ("redirect", whole("HTTP/1.1 302 Found\r\nLocation: ws://localhost:1/\r\nContent-Length: 0\r\n\r\n")),
    ("forbidden", whole("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n")),
    ("not-found", whole("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")),
    ("unavailable", whole("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")),
    ("no-http", whole("SSH-2.0-OpenSSH_9.2\r\n\r\n")),
    ("endless-head", OddUpgrade { head: "HTTP/1.1 101 Switching Protocols\r\nX-Long: ", form: Form::Endless }),
    ("half-head", OddUpgrade { head: GOOD, form: Form::Half }),
    ("cut-head", OddUpgrade { head: GOOD, form: Form::Cut }),
];

const fn whole(head: &'static str) -> OddUpgrade {
    OddUpgrade { head, form: Form::Whole }
}

impl OddUpgrade {
    /// What to answer a request whose key has this answer, and what follows.
    pub fn answer(self, accept: &str) -> (Vec<u8>, After) {
        let mut bytes = self.head.replace("{accept}", accept).into_bytes();
        match self.form {
            Form::Whole => (bytes, After::Cut),
            Form::Endless => {
                bytes.resize(bytes.len() + LONG_HEADER, b'x');
                (bytes, After::Silent)
            }
            Form::Half | Form::Cut => {
                bytes.truncate(bytes.len() / 2);
                (bytes, if self.form == Form::Cut { After::Cut } else { After::Silent })
            }
        }
    }
}

/// Understands the name of an answer.
pub fn upgrade(name: &str) -> Result<OddUpgrade, String> {
    choose("answer to a request for WebSocket", name, ANSWERS)
}

/// What takes the place of a frame with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddFrame {
    /// One of text.
    Text,
    /// A frame for each byte.
    Pieces,
    /// Many PINGs with a payload before it.
    Pings,
    /// Many frames without data before it.
    Empty,
    /// It is masked, as a client's are.
    Masked,
    /// It is of an extension.
    Extension,
    /// It is of a kind that there is not.
    Unknown,
    /// It goes on with a message that has not begun.
    NoMessage,
    /// It begins in the middle of another message.
    Within,
    /// A PING with too long a payload before it.
    LongPing,
    /// A PING in parts before it.
    PingInParts,
    /// Its length is 2^63.
    Endless,
    /// Its length is written in more bytes than it takes.
    Padded,
    /// Its length is 2^40: all that follows it is data.
    Oversize,
    /// A CLOSE in the middle of it, and the connection is closed.
    Close,
    /// A CLOSE with half a reason in the middle of it.
    OddClose,
    /// Half of it, and the connection is closed.
    Cut,
    /// Half of it, and nothing more.
    Half,
}

/// Every odd frame by its name.
pub const FRAMES: &[(&str, OddFrame)] = &[
    ("text", OddFrame::Text),
    ("pieces", OddFrame::Pieces),
    ("pings", OddFrame::Pings),
    ("empty", OddFrame::Empty),
    ("masked", OddFrame::Masked),
    ("extension", OddFrame::Extension),
    ("unknown", OddFrame::Unknown),
    ("no-message", OddFrame::NoMessage),
    ("within", OddFrame::Within),
    ("long-ping", OddFrame::LongPing),
    ("ping-in-parts", OddFrame::PingInParts),
    ("endless", OddFrame::Endless),
    ("padded", OddFrame::Padded),
    ("oversize", OddFrame::Oversize),
    ("close", OddFrame::Close),
    ("odd-close", OddFrame::OddClose),
    ("cut", OddFrame::Cut),
    ("half", OddFrame::Half),
];

/// Understands the name of a frame.
pub fn frame(name: &str) -> Result<OddFrame, String> {
    choose("frame", name, FRAMES)
}

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
/// How many frames a flood has.
const FLOOD: usize = 10_000;

/// A frame: its first byte, and its payload.
fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length => match u16::try_from(length) {
            Ok(length) => {
                bytes.push(126);
                bytes.extend(length.to_be_bytes());
            }
            Err(_) => bytes.extend(long(length as u64)),
        },
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// A length in its longest form.
fn long(length: u64) -> Vec<u8> {
    [&[127][..], &length.to_be_bytes()].concat()
}

impl OddFrame {
    /// What to send instead of a frame with this data, and what follows.
    pub fn bytes(self, data: &[u8]) -> (Vec<u8>, After) {
        let (front, back) = data.split_at(data.len() / 2);
        let with_length = |first: u8, length: Vec<u8>| [&[first][..], &length, data].concat();
        let good = plain(FIN | BINARY, data);
        let bytes = match self {
            OddFrame::Text => plain(FIN | TEXT, data),
            OddFrame::Pieces => {
                let piece = |(at, byte): (usize, &u8)| {
                    let fin = if at + 1 == data.len() { FIN } else { 0 };
                    plain(fin | if at == 0 { BINARY } else { CONTINUATION }, &[*byte])
                };
                data.iter().enumerate().flat_map(piece).collect()
            }
            OddFrame::Pings => [plain(FIN | PING, &[b'p'; 125]).repeat(FLOOD), good].concat(),
            OddFrame::Empty => [plain(FIN | BINARY, &[]).repeat(FLOOD), good].concat(),
            OddFrame::Masked => {
                let mask = [1, 2, 3, 4];
                let masked: Vec<u8> = data.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
                let mut head = good[..good.len() - data.len()].to_vec();
                head[1] |= 0x80;
                [&head, &mask[..], &masked].concat()
            }
            OddFrame::Extension => plain(FIN | 0x40 | BINARY, data),
            OddFrame::Unknown => plain(FIN | 3, data),
            OddFrame::NoMessage => plain(FIN | CONTINUATION, data),
            OddFrame::Within => [plain(BINARY, front), plain(FIN | BINARY, back)].concat(),
            OddFrame::LongPing => [plain(FIN | PING, &[b'p'; 126]), good].concat(),
            OddFrame::PingInParts => [plain(PING, b"pi"), plain(FIN | CONTINUATION, b"ng"), good].concat(),
            OddFrame::Endless => with_length(FIN | BINARY, long(1 << 63)),
            OddFrame::Padded => with_length(FIN | BINARY, long(data.len() as u64)),
            OddFrame::Oversize => with_length(FIN | BINARY, long(1 << 40)),
            OddFrame::Close => [plain(BINARY, front), plain(FIN | CLOSE, &1001_u16.to_be_bytes())].concat(),
            OddFrame::OddClose => [plain(BINARY, front), plain(FIN | CLOSE, &[3])].concat(),
            OddFrame::Cut | OddFrame::Half => good[..good.len() / 2].to_vec(),
        };
        let after = match self {
            OddFrame::Cut | OddFrame::Close => After::Cut,
            OddFrame::Half => After::Silent,
            _ => After::GoesOn,
        };
        (bytes, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_out_as_far_as_they_should() {
        let said = |name: &str| upgrade(name).expect(name).answer("KEY=");
        let text = |name: &str| String::from_utf8(said(name).0).expect("text");
        assert!(text("other-protocol").contains("Accept: KEY=\r\n") && text("ok").starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(!text("wrong-accept").contains("KEY=") && !text("no-accept").contains("Accept"));
        assert_eq!((text("half-head"), said("half-head").1), (text("cut-head"), After::Silent));
        assert_eq!(said("cut-head").1, After::Cut);
        assert!(!text("endless-head").contains("\r\n\r\n") && text("endless-head").len() > LONG_HEADER);
        assert!(upgrade("odd").is_err_and(|error| error.contains("wrong-accept")));
    }

    #[test]
    fn frames_are_odd_in_one_way_each() {
        let bytes = |name: &str| frame(name).expect(name).bytes(b"data").0;
        assert_eq!(bytes("text"), b"\x81\x04data");
        assert_eq!(bytes("pieces"), b"\x02\x01d\x00\x01a\x00\x01t\x80\x01a");
        assert_eq!(bytes("masked"), b"\x82\x84\x01\x02\x03\x04ecwe");
        assert_eq!(bytes("extension"), b"\xc2\x04data");
        assert_eq!(bytes("unknown"), b"\x83\x04data");
        assert_eq!(bytes("no-message"), b"\x80\x04data");
        assert_eq!(bytes("within"), b"\x02\x02da\x82\x02ta");
        assert_eq!(bytes("ping-in-parts"), b"\x09\x02pi\x80\x02ng\x82\x04data");
        assert_eq!(bytes("endless"), b"\x82\x7f\x80\0\0\0\0\0\0\0data");
        assert_eq!(bytes("padded"), b"\x82\x7f\0\0\0\0\0\0\0\x04data");
        assert_eq!(bytes("oversize"), b"\x82\x7f\0\0\x01\0\0\0\0\0data");
        assert_eq!(bytes("close"), b"\x02\x02da\x88\x02\x03\xe9");
        assert_eq!(bytes("odd-close"), b"\x02\x02da\x88\x01\x03");
        assert_eq!(bytes("cut"), b"\x82\x04d");
        assert_eq!(bytes("long-ping")[..4], [0x89, 126, 0, 126]);
        assert_eq!((bytes("pings").len(), bytes("empty").len()), (127 * FLOOD + 6, 2 * FLOOD + 6));
        assert_eq!(OddFrame::Half.bytes(b"data").1, After::Silent);
        assert_eq!(OddFrame::Text.bytes(&[7; 300]).0[..4], [0x81, 126, 1, 44]);
        assert_eq!(OddFrame::Text.bytes(&[7; 70_000]).0[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
        assert!(frame("odd").is_err_and(|error| error.contains("ping-in-parts")));
    }
}
