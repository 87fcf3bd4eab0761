//! TLS 1.2 with a pre-shared key, by mbedTLS: rustls has no such cipher suites (architecture.md decision 3).

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use iot_mbedtls::{Error, Session, MAX_KEY, SUITES};
use iot_platform_posix::net::{io_text, Interest};
use zeroize::Zeroizing;

use crate::stack::{Failure, Stack, Step};

/// Who the device is.
pub struct Config {
    key: Zeroizing<Vec<u8>>,
    identity: String,
}

/// An mbedTLS connection over its socket.
pub struct PskStack {
    tls: Session<Io>,
    seen: Arc<Mutex<Seen>>,
}

impl PskStack {
    /// Takes copies of key and identity.
    ///
    /// # Errors
    /// A text for the log.
    pub fn configure(key: &[u8], identity: &str) -> Result<Arc<Config>, String> {
        if key.len() > MAX_KEY {
            return Err(format!("the pre-shared key has {} bytes, the limit is {MAX_KEY}", key.len()));
        }
        if key.is_empty() || identity.is_empty() {
            return Err("can't set up TLS: the pre-shared key or its identity is empty".to_owned());
        }
        Ok(Arc::new(Config { key: Zeroizing::new(key.to_vec()), identity: identity.to_owned() }))
    }

    /// A connection before its handshake.
    ///
    /// # Errors
    /// What mbedTLS says, mostly that there is no memory.
    pub fn new(config: &Config, stream: Arc<TcpStream>, host: &str) -> Result<Self, Failure> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let io = Io { stream, records: Records::default(), seen: Arc::clone(&seen) };
        // Server name indication is for names only.
        let name = host.parse::<IpAddr>().is_err().then_some(host);
        let tls = Session::client(&config.key, &config.identity, name, &SUITES, io)
            .map_err(|error| Failure::passing(error.to_string()))?;
        Ok(Self { tls, seen })
    }

    fn explain(&self, error: Error) -> Failure {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.closed {
            return Failure::Closed;
        }
        if let Some(text) = &seen.io_error {
            return Failure::passing(text.clone());
        }
        if let Some(alert) = seen.alert {
            return explain_alert(alert);
        }
        match error {
            Error::CLOSE_NOTIFY | Error::END => Failure::Closed,
            Error::INVALID_MAC => Failure::lasting("received data can't be decrypted: check the device secret"),
            Error::FATAL_ALERT => Failure::passing("the server sent a fatal alert"),
            Error::PROTOCOL_VERSION => Failure::lasting("the server does not take TLS 1.2"),
            Error::ILLEGAL_PARAMETER | Error::BAD_INPUT => {
                Failure::lasting("the server chose a cipher suite that was not offered")
            }
            Error::INVALID_RECORD => Failure::passing("the server does not speak TLS, or sent damaged data"),
            _ => Failure::passing(error.to_string()),
        }
    }
}

impl Stack for PskStack {
    fn handshake(&mut self) -> Result<Step<()>, Failure> {
        match self.tls.handshake() {
            Ok(()) => Ok(Step::Ready(())),
            Err(Error::WANT_READ) => Ok(Step::Wait(Interest::Readable)),
            Err(Error::WANT_WRITE) => Ok(Step::Wait(Interest::Writable)),
            Err(error) => Err(self.explain(error)),
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<Step<usize>, Failure> {
        match self.tls.read(out) {
            Ok(0) => Err(Failure::Closed),
            Ok(n) => Ok(Step::Ready(n)),
            Err(Error::WANT_READ | Error::WANT_WRITE) => {
                // While it reads, mbedTLS does not send what an earlier write left over.
                let is_sent = self.flush()?;
                Ok(Step::Wait(if is_sent { Interest::Readable } else { Interest::Both }))
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        self.tls.write(data).map_err(|error| self.explain(error))
    }

    fn flush(&mut self) -> Result<bool, Failure> {
        match self.tls.flush() {
            Ok(()) => Ok(true),
            Err(Error::WANT_WRITE) => Ok(false),
            Err(error) => Err(self.explain(error)),
        }
    }

    fn close(&mut self) {
        // The connection ends with or without it.
        let _ = self.tls.close();
    }
}

/// What happened on the socket. mbedTLS's error codes do not say it.
#[derive(Default)]
struct Seen {
    closed: bool,
    io_error: Option<String>,
    alert: Option<u8>,
}

/// The socket as mbedTLS sees it.
struct Io {
    stream: Arc<TcpStream>,
    records: Records,
    seen: Arc<Mutex<Seen>>,
}

impl Io {
    fn note(&self, error: &io::Error) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match error.kind() {
            io::ErrorKind::WouldBlock => {}
            io::ErrorKind::BrokenPipe => seen.closed = true,
            _ => seen.io_error = Some(io_text(error)),
        }
    }
}

impl Read for Io {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&*self.stream).read(out) {
                Ok(n) => {
                    let alert = out.get(..n).and_then(|bytes| self.records.follow(bytes));
                    if n == 0 || alert.is_some() {
                        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.closed |= n == 0 && !out.is_empty() && seen.alert.is_none();
                        seen.alert = seen.alert.or(alert);
                    }
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.note(&error);
                    return Err(error);
                }
            }
        }
    }
}

impl Write for Io {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        loop {
            match (&*self.stream).write(data) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.note(&error);
                    return Err(error);
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Finds alerts in clear text among the received records: mbedTLS does not say which alert came.
#[derive(Default)]
struct Records {
    header: [u8; 5],
    header_len: usize,
    body_left: usize,
    first_of_body: Option<u8>,
}

impl Records {
    /// Returns the description of a fatal alert that ends in `bytes`.
    fn follow(&mut self, bytes: &[u8]) -> Option<u8> {
        const ALERT: u8 = 21;
        const FATAL: u8 = 2;
        let mut alert = None;
        let mut rest = bytes;
        while let Some((&first, tail)) = rest.split_first() {
            if self.body_left == 0 {
                self.header[self.header_len] = first;
                self.header_len = (self.header_len + 1) % self.header.len();
                rest = tail;
                if self.header_len == 0 {
                    self.body_left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                    self.first_of_body = None;
                }
                continue;
            }
            let level = *self.first_of_body.get_or_insert(first);
            let taken = rest.len().min(self.body_left);
            self.body_left -= taken;
            // A clear alert has two bytes; an encrypted one is longer.
            if self.body_left == 0 && self.header[0] == ALERT && self.header[3..] == [0, 2] && level == FATAL {
                alert = rest.get(taken - 1).copied();
            }
            rest = &rest[taken..];
        }
        alert
    }
}

fn explain_alert(alert: u8) -> Failure {
    match alert {
        20 | 51 => Failure::lasting(format!("decrypt error (alert {alert}): check the device secret")),
        115 | 48 => Failure::lasting(format!(
            "the server does not know this identity (alert {alert}): check product id and device name"
        )),
        40 | 71 => Failure::lasting(format!("no cipher suite in common, or key and identity refused (alert {alert})")),
        70 => Failure::lasting("the server does not take TLS 1.2 (alert 70)"),
        _ => Failure::passing(format!("the server sent fatal alert {alert}: check device name and device secret")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_alerts_are_found_however_they_are_cut() {
        let bytes = [22, 3, 3, 0, 3, 1, 2, 3, 21, 3, 3, 0, 2, 2, 115];
        for cut in 0..bytes.len() {
            let mut records = Records::default();
            let first = records.follow(&bytes[..cut]);
            let second = records.follow(&bytes[cut..]);
            assert_eq!(first.or(second), Some(115), "{cut}");
        }
    }

    #[test]
    fn warnings_encrypted_alerts_and_handshakes_are_not_taken_for_fatal_alerts() {
        assert_eq!(Records::default().follow(&[21, 3, 3, 0, 2, 1, 112]), None);
        let mut records = Records::default();
        assert_eq!(records.follow(&[21, 3, 3, 0, 4, 2, 115, 2, 115, 22, 3, 3, 0, 2, 2, 115]), None);
    }
}
