//! DTLS 1.2 (RFC 6347), with pre-shared keys or certificates, without sockets and without a clock: a [`Session`] is given
//! the datagrams that came and the time, and says what to send and when it wants to be asked again.
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use std::time::Duration;
//!
//! use iot_mbedtls::dtls::{First, Server, Session};
//! use iot_mbedtls::SUITES;
//! use zeroize::Zeroizing;
//!
//! let keys = |identity: &[u8]| (identity == b"device").then(|| Zeroizing::new(vec![7; 48]));
//! let server = Server::with_keys(keys).unwrap();
//! let now = Duration::ZERO;
//! let mut client = Session::client(&[7; 48], "device", Some("localhost"), &SUITES).unwrap();
//! client.proceed(now).unwrap();
//!
//! // The server keeps nothing of a peer that it does not know, until that has shown that it gets what is sent to it.
//! let peer = b"127.0.0.1:40000";
//! let First::Cookie(answer) = server.accept(peer, &client.next_datagram().unwrap(), now).unwrap() else { panic!() };
//! client.receive(&answer, now).unwrap();
//! let First::Session(mut session) = server.accept(peer, &client.next_datagram().unwrap(), now).unwrap() else { panic!() };
//!
//! while !client.is_open() || !session.is_open() {
//!     while let Some(datagram) = session.next_datagram() {
//!         client.receive(&datagram, now).unwrap();
//!     }
//!     while let Some(datagram) = client.next_datagram() {
//!         session.receive(&datagram, now).unwrap();
//!     }
//! }
//! assert_eq!(session.proved().unwrap(), b"device");
//! client.write(b"hello").unwrap();
//! session.receive(&client.next_datagram().unwrap(), now).unwrap();
//! assert_eq!(session.next_message().unwrap(), b"hello");
//! # }
//! ```

#[cfg(feature = "server")]
mod server;

use std::collections::VecDeque;
use std::ffi::{c_int, c_void, CString};
use std::io::{self, Read, Write};
#[cfg(any(feature = "certificates", feature = "server"))]
use std::sync::Arc;
use std::time::Duration;

use super::{Error, Owner};
#[cfg(feature = "certificates")]
use super::{Judge, Trust};
#[cfg(feature = "server")]
pub use server::{is_client_hello, First, Server};

/// Longest message, in bytes. A network may carry less at once.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// What a client with certificates offers, and a server takes, and 0: forward secrecy only. CBC is what old servers have.
#[cfg(feature = "certificates")]
pub static CERTIFICATE_SUITES: [i32; 15] =
    [0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0];

/// How often one datagram makes mbedTLS begin anew: each time it takes a record, and none is shorter than 13 bytes.
const MAX_ROUNDS: usize = 2048;

// c/dtls.c.
extern "C" {
    fn iot_mbedtls_set_now(session: *mut c_void, now: u64);
    fn iot_mbedtls_timer_end(session: *const c_void) -> u64;
    fn iot_mbedtls_is_pending(session: *const c_void) -> c_int;
    fn iot_mbedtls_left(session: *const c_void) -> usize;
}

/// What C reads from and writes to.
#[derive(Default)]
struct Datagrams {
    came: Option<Vec<u8>>,
    to_send: VecDeque<Vec<u8>>,
}

impl Read for Datagrams {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let datagram = self.came.take().ok_or(io::ErrorKind::WouldBlock)?;
        let len = datagram.len().min(out.len());
        out[..len].copy_from_slice(&datagram[..len]);
        Ok(len)
    }
}

impl Write for Datagrams {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.to_send.push_back(data.to_vec());
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake,
    Open,
    /// The other side said goodbye.
    Closed,
    Failed(Error),
}

/// One side of a connection over datagrams.
///
/// Time is what has passed since some moment, which is the same in all calls; it never goes back.
pub struct Session {
    inner: super::Session<Datagrams>,
    phase: Phase,
    messages: VecDeque<Vec<u8>>,
    said_goodbye: bool,
    /// What a server has been shown.
    #[cfg(feature = "server")]
    shown: Option<Arc<server::Shown>>,
}

impl Owner<Datagrams> {
    fn of_datagrams() -> Self {
        Self { is_datagram: true, ..Self::new(Datagrams::default()) }
    }
}

impl Session {
    /// A client with a pre-shared key, before its handshake: [`Session::proceed`] begins that. Key and identity are copied;
    /// `host` goes into the server name extension.
    ///
    /// # Errors
    /// A key, identity or host of bad length, or no memory.
    pub fn client(key: &[u8], identity: &str, host: Option<&str>, suites: &'static [i32]) -> Result<Self, Error> {
        let host = host.map(CString::new).transpose().map_err(|_| Error::BAD_INPUT)?;
        if key.is_empty() {
            return Err(Error::BAD_INPUT);
        }
        super::Session::with_key(suites, Owner::of_datagrams(), key, identity, host).map(Self::over)
    }

    /// A client that trusts a server whose certificate `judge` takes, see [`super::Session::with_certificates`].
    ///
    /// # Errors
    /// A host of bad length, or no memory.
    #[cfg(feature = "certificates")]
    pub fn client_with_certificates(
        trust: Arc<Trust>,
        judge: Judge,
        host: Option<&str>,
        suites: &'static [i32],
    ) -> Result<Self, Error> {
        let owner = Owner { judge: Some(judge), ..Owner::of_datagrams() };
        super::Session::client_of(trust, host, suites, owner).map(Self::over)
    }

    fn over(inner: super::Session<Datagrams>) -> Self {
        Self {
            inner,
            phase: Phase::Handshake,
            messages: VecDeque::new(),
            said_goodbye: false,
            #[cfg(feature = "server")]
            shown: None,
        }
    }

    /// Goes on without a datagram: begins a client's handshake, and sends again what was lost. To be called first of all,
    /// and when [`Session::deadline`] has come.
    ///
    /// # Errors
    /// All end the connection, [`Error::TIMEOUT`] among them. What is left to send is still to be sent: it tells the other
    /// side.
    pub fn proceed(&mut self, now: Duration) -> Result<(), Error> {
        self.drive(now)
    }

    /// Takes a datagram that came from the other side. What does not belong to the connection is dropped.
    ///
    /// # Errors
    /// As [`Session::proceed`].
    pub fn receive(&mut self, datagram: &[u8], now: Duration) -> Result<(), Error> {
        // C would take none for the end.
        if !datagram.is_empty() {
            self.datagrams().came = Some(datagram.to_vec());
        }
        self.drive(now)
    }

    /// The next datagram to send.
    pub fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams().to_send.pop_front()
    }

    /// The next message from the other side, one for each that it wrote.
    pub fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }

    /// Encrypts a message, which becomes one datagram. Nothing sees to it that it arrives.
    ///
    /// # Errors
    /// [`Error::BAD_INPUT`]: it is longer than [`MAX_MESSAGE`], and nothing else has happened. Otherwise there is no
    /// connection, or none any more.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        match self.phase {
            Phase::Open if data.len() > MAX_MESSAGE => return Err(Error::BAD_INPUT),
            Phase::Open => {}
            Phase::Handshake => return Err(Error::WANT_READ),
            Phase::Closed => return Err(Error::CLOSE_NOTIFY),
            Phase::Failed(error) => return Err(error),
        }
        match self.inner.write(data) {
            Ok(taken) if taken == data.len() => Ok(()),
            Ok(_) => Err(Error::BAD_INPUT),
            Err(error) => self.fail(error),
        }
    }

    /// Tells the other side that this is the end, once.
    pub fn close(&mut self) {
        if matches!(self.phase, Phase::Open | Phase::Closed) && !self.said_goodbye {
            self.said_goodbye = true;
            // The connection ends with or without it.
            let _ = self.inner.close();
        }
    }

    /// The handshake is done, and the other side has not said goodbye.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The other side has said goodbye. What it wrote before may still be in [`Session::next_message`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// When [`Session::proceed`] is to be called, if no datagram comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        if self.phase != Phase::Handshake {
            return None;
        }
        // SAFETY: the session lives as long as `self`; nothing is changed.
        let end = unsafe { iot_mbedtls_timer_end(self.inner.raw.as_ptr()) };
        (end > 0).then(|| Duration::from_millis(end))
    }

    /// The number of the alert that the other side sent (RFC 8446, 6). Only right after [`Error::FATAL_ALERT`].
    #[must_use]
    pub fn alert(&self) -> u8 {
        self.inner.alert()
    }

    /// After [`Error::BAD_CERTIFICATE`]: what is wrong besides what the judge was told, by the constants of
    /// [`super::Peer`].
    #[cfg(feature = "certificates")]
    #[must_use]
    pub fn flaws(&self) -> u32 {
        self.inner.flaws()
    }

    fn datagrams(&mut self) -> &mut Datagrams {
        // SAFETY: it lives as long as `self`. C uses it in calls that take `&mut self` only.
        unsafe { &mut self.inner.owner.as_mut().transport }
    }

    fn fail(&mut self, error: Error) -> Result<(), Error> {
        self.phase = Phase::Failed(error);
        Err(error)
    }

    /// Lets mbedTLS work until it has nothing more to do.
    fn drive(&mut self, now: Duration) -> Result<(), Error> {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: the session lives as long as `self`, and `&mut` keeps others away.
        unsafe { iot_mbedtls_set_now(self.inner.raw.as_ptr(), now) };
        for _ in 0..MAX_ROUNDS {
            let step = match self.phase {
                Phase::Handshake => self.inner.handshake().map(|()| Phase::Open),
                Phase::Open => self.read().map(|is_end| if is_end { Phase::Closed } else { Phase::Open }),
                Phase::Closed => break,
                Phase::Failed(error) => return Err(error),
            };
            match step {
                Ok(phase) => self.phase = phase,
                Err(Error::WANT_READ | Error::WANT_WRITE) if !self.has_more() => break,
                Err(Error::WANT_READ | Error::WANT_WRITE) => {}
                Err(error) => return self.fail(error),
            }
        }
        self.datagrams().came = None;
        Ok(())
    }

    /// Whether something that came has not been looked at.
    fn has_more(&mut self) -> bool {
        // SAFETY: the session lives as long as `self`; nothing is changed.
        self.datagrams().came.is_some() || unsafe { iot_mbedtls_is_pending(self.inner.raw.as_ptr()) } != 0
    }

    /// Takes one message. Returns whether it was the goodbye instead.
    fn read(&mut self) -> Result<bool, Error> {
        let (mut message, mut piece) = (Vec::new(), [0; 1024]);
        loop {
            let len = self.inner.read(&mut piece)?;
            message.extend_from_slice(&piece[..len]);
            // SAFETY: as in `has_more`.
            if unsafe { iot_mbedtls_left(self.inner.raw.as_ptr()) } == 0 {
                let is_end = message.is_empty();
                if !is_end {
                    self.messages.push_back(message);
                }
                return Ok(is_end);
            }
        }
    }
}

#[cfg(all(test, feature = "server"))]
mod tests;
