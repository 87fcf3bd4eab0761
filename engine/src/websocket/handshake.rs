//! The request for an upgrade, and its answer.

use std::fmt;

use sha1::{Digest, Sha1};

use crate::helpers::base64;
use crate::http::head::{self, Head};

/// Longest head of an answer that is taken, in bytes.
pub const MAX_HEAD: usize = 8 * 1024;

/// What RFC 6455 section 1.3 appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whom to ask for an upgrade to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path on that host.
    pub path: String,
    /// What is to be spoken.
    pub protocol: String,
}

/// A handshake that goes on: the request, and what has come of the answer.
#[derive(Debug)]
pub struct Handshake {
    key: String,
    protocol: String,
    answer: Vec<u8>,
}

/// Why there is no upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The answer's status is not 101.
    Status(u16),
    /// The answer does not prove that the server has read the request.
    Accept,
    /// The server speaks another protocol than the one asked for.
    Protocol,
    /// The server uses an extension that was not asked for.
    Extension,
    /// There is no end of the answer's head within [`MAX_HEAD`] bytes.
    Long,
    /// The answer is no HTTP; the text says why.
    NotHttp(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Status(status) => write!(f, "it answered {status}, not 101"),
            Refused::Accept => f.write_str("the Sec-WebSocket-Accept of its answer is missing or wrong"),
            Refused::Protocol => f.write_str("it speaks another protocol"),
            Refused::Extension => f.write_str("it uses an extension that was not asked for"),
            Refused::Long => write!(f, "the head of its answer has more than {MAX_HEAD} bytes"),
            Refused::NotHttp(why) => f.write_str(why),
        }
    }
}

impl Handshake {
    /// The handshake, and the request to send. The server has to answer to the two random numbers.
    #[must_use]
    pub fn begin(target: &Target, random: [u64; 2]) -> (Self, Vec<u8>) {
        let key = base64::text(&[random[0].to_be_bytes(), random[1].to_be_bytes()].concat());
        let Target { host, port, path, protocol } = target;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        // Names in the spelling of the C SDK.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-Websocket-Protocol: {protocol}\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        (Handshake { key, protocol: protocol.clone(), answer: Vec::new() }, request.into_bytes())
    }

    /// Takes bytes of the answer. With its end comes what stands behind it, which is of frames.
    ///
    /// # Errors
    /// There will be no upgrade.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        let seen = self.answer.len();
        self.answer.extend_from_slice(bytes);
        match head::end(&self.answer, seen) {
            Some(end) if end <= MAX_HEAD => {
                let behind = self.answer.split_off(end);
                self.check()?;
                Ok(Some(behind))
            }
            None if self.answer.len() < MAX_HEAD => Ok(None),
            _ => Err(Refused::Long),
        }
    }

    fn check(&mut self) -> Result<(), Refused> {
        let head = Head::parse(&mut self.answer).map_err(Refused::NotHttp)?;
        if head.status() != 101 {
            return Err(Refused::Status(head.status()));
        }
        if head.get("Sec-WebSocket-Accept") != Some(accept(&self.key).as_bytes()) {
            return Err(Refused::Accept);
        }
        // A server that names none speaks the only one that was asked for.
        if head.text("Sec-WebSocket-Protocol").is_some_and(|spoken| !spoken.eq_ignore_ascii_case(&self.protocol)) {
            return Err(Refused::Protocol);
        }
        match head.get("Sec-WebSocket-Extensions") {
            None | Some(b"") => Ok(()),
            Some(_) => Err(Refused::Extension),
        }
    }
}

/// What a server answers to `key`.
#[must_use]
pub fn accept(key: &str) -> String {
    base64::text(&Sha1::new().chain_update(key).chain_update(GUID).finalize())
}
