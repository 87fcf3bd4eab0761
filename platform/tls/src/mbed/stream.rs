//! mbedTLS over TCP.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iot_mbedtls::{Error, Session};
use iot_platform_posix::net::{io_text, Interest};

use super::Words;
use crate::stack::{Failure, Stack, Step};

/// How often one call takes bytes from the socket. A server may send what is no data without end, and mbedTLS does not
/// look at the clock. A record takes two.
const MAX_RECEIVES: u32 = 64;

/// The alert for bytes that are no TLS.
const DECODE_ERROR: u8 = 50;

/// An mbedTLS connection over its socket.
pub struct MbedStack<W, S = TcpStream> {
    tls: Session<Io<S>>,
    words: W,
    /// The peer said goodbye. Nothing that comes after it is read.
    closed: bool,
    said_goodbye: bool,
    /// Why nothing more can be read or written.
    broken: Option<Failure>,
}

impl<W: Words, S> MbedStack<W, S>
where
    for<'a> &'a S: Read + Write,
{
    /// `session` makes the session that speaks over the socket.
    ///
    /// # Errors
    /// Those of `session`.
    pub fn new(
        stream: Arc<S>,
        words: W,
        session: impl FnOnce(Io<S>) -> Result<Session<Io<S>>, Error>,
    ) -> Result<Self, Failure> {
        let io = Io { stream, seen: Mutex::default(), held: Mutex::new(Some(Vec::new())) };
        let tls = session(io).map_err(|error| Failure::passing(error.to_string()))?;
        Ok(Self { tls, words, closed: false, said_goodbye: false, broken: None })
    }

    /// Before each call of mbedTLS.
    fn begin(&self) -> Result<(), Failure> {
        self.tls.transport().seen().receives = 0;
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn give_up(&mut self, error: Error) -> Failure {
        if error == Error::INVALID_RECORD {
            // Of this one mbedTLS does not tell the server.
            self.tls.send_alert(DECODE_ERROR);
        }
        let failure = self.explain(error);
        self.broken = Some(failure.clone());
        failure
    }

    fn explain(&self, error: Error) -> Failure {
        if error == Error::FATAL_ALERT {
            return self.words.alert(self.tls.alert());
        }
        let seen = self.tls.transport().seen();
        if seen.closed || error == Error::CLOSE_NOTIFY || error == Error::END {
            return Failure::Closed;
        }
        match &seen.io_error {
            Some(text) => Failure::passing(text.clone()),
            None => self.words.error(error, self.flaws()),
        }
    }

    #[cfg(feature = "tls-mbedtls")]
    fn flaws(&self) -> u32 {
        self.tls.flaws()
    }

    #[cfg(not(feature = "tls-mbedtls"))]
    fn flaws(&self) -> u32 {
        0
    }
}

impl<W: Words, S: Send + Sync> Stack for MbedStack<W, S>
where
    for<'a> &'a S: Read + Write,
{
    fn handshake(&mut self) -> Result<Step<()>, Failure> {
        self.begin()?;
        let is_over = match self.tls.handshake() {
            Ok(()) => true,
            Err(Error::WANT_READ) => false,
            Err(error) => {
                let failure = self.give_up(error);
                // An alert, as far as the socket takes it.
                let _ = self.tls.transport().send_held();
                return Err(failure);
            }
        };
        match self.tls.transport().send_held() {
            Ok(()) if is_over => {
                self.tls.transport().stop_holding();
                Ok(Step::Ready(()))
            }
            Ok(()) => Ok(Step::Wait(Interest::Readable)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::Wait(Interest::Writable)),
            Err(_) => Err(self.give_up(Error::SEND_FAILED)),
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<Step<usize>, Failure> {
        self.begin()?;
        if self.closed {
            return Err(Failure::Closed);
        }
        match self.tls.read(out) {
            Ok(0) => {
                self.closed = true;
                Err(Failure::Closed)
            }
            Ok(n) => Ok(Step::Ready(n)),
            Err(Error::WANT_READ | Error::WANT_WRITE) => {
                // While it reads, mbedTLS does not send what an earlier write left over.
                let is_sent = self.flush()?;
                Ok(Step::Wait(if is_sent { Interest::Readable } else { Interest::Both }))
            }
            Err(error) => Err(self.give_up(error)),
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        self.begin()?;
        self.tls.write(data).map_err(|error| self.give_up(error))
    }

    fn flush(&mut self) -> Result<bool, Failure> {
        self.begin()?;
        match self.tls.flush() {
            Ok(()) => Ok(true),
            Err(Error::WANT_WRITE) => Ok(false),
            Err(error) => Err(self.give_up(error)),
        }
    }

    fn close(&mut self) {
        if self.broken.is_none() && !self.said_goodbye {
            self.said_goodbye = true;
            // The connection ends with or without it.
            let _ = self.tls.close();
        }
    }
}

/// What happened on the socket. mbedTLS's error codes do not say it.
#[derive(Default)]
struct Seen {
    closed: bool,
    io_error: Option<String>,
    /// In this call.
    receives: u32,
}

/// The socket as mbedTLS sees it.
pub struct Io<S> {
    stream: Arc<S>,
    seen: Mutex<Seen>,
    /// In a handshake: what mbedTLS has written since it last waited for the server. It writes each record for itself;
    /// so they are one segment, and the server wakes once.
    held: Mutex<Option<Vec<u8>>>,
}

impl<S> Io<S> {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the socket gets what is written at once.
    fn stop_holding(&self) {
        *self.held() = None;
    }

    fn note(&self, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::WouldBlock => {}
            io::ErrorKind::BrokenPipe => self.seen().closed = true,
            _ => self.seen().io_error = Some(io_text(error)),
        }
    }
}

impl<S> Io<S>
where
    for<'a> &'a S: Write,
{
    fn send(&self, data: &[u8]) -> io::Result<usize> {
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

    /// Sends what is held.
    fn send_held(&self) -> io::Result<()> {
        if let Some(held) = &mut *self.held() {
            while !held.is_empty() {
                match self.send(held)? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    sent => drop(held.drain(..sent)),
                }
            }
        }
        Ok(())
    }
}

impl<S> Read for Io<S>
where
    for<'a> &'a S: Read + Write,
{
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.send_held()?;
        {
            let mut seen = self.seen();
            if seen.receives >= MAX_RECEIVES {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            seen.receives += 1;
        }
        loop {
            match (&*self.stream).read(out) {
                Ok(n) => {
                    self.seen().closed |= n == 0 && !out.is_empty();
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

impl<S> Write for Io<S>
where
    for<'a> &'a S: Write,
{
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let Some(held) = &mut *self.held() {
            held.extend_from_slice(data);
            return Ok(data.len());
        }
        self.send(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
