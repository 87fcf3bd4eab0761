//! A DTLS connection over a UDP socket, with time limits.

use std::ffi::c_int;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iot_abi::error::{
    QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY, QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_READ_TIMEOUT, QCLOUD_ERR_SSL_WRITE,
    QCLOUD_RET_SUCCESS,
};
use iot_mbedtls::dtls::{Session, MAX_MESSAGE};
use iot_mbedtls::Error;
use iot_platform_posix::address::Address;
use iot_platform_posix::cause::Cause;
use iot_platform_posix::net::{self, io_text, Deadline, Interest};
use iot_platform_posix::{addresses, connect, log, udp};

#[cfg(feature = "auth-mode-cert")]
use crate::mbed::cert;
#[cfg(not(feature = "auth-mode-cert"))]
use crate::mbed::psk;
use crate::mbed::Words;
use crate::params::Security;
use crate::stack::Failure;

/// Limit of the handshake, all addresses together. It is what one takes that does not answer (coap.md, 1).
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(14);
/// How long a datagram waits for room in the socket. After that it counts as lost.
const WRITE_LIMIT: Duration = Duration::from_secs(1);
/// The most that a record is longer than what is in it, and then some.
const OVERHEAD: usize = 512;
/// How many datagrams are taken between two looks at the clock.
const MAX_DATAGRAMS: u32 = 64;

/// How the two sides prove who they are.
pub enum Setup {
    #[cfg(not(feature = "auth-mode-cert"))]
    Psk(Arc<psk::Config>),
    #[cfg(feature = "auth-mode-cert")]
    Cert(Arc<cert::Config>),
}

impl Setup {
    /// Reads keys and files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(security: &Security<'_>) -> Result<Self, String> {
        match security {
            #[cfg(not(feature = "auth-mode-cert"))]
            Security::Psk { key, identity } => psk::configure(key, identity).map(Self::Psk),
            #[cfg(not(feature = "auth-mode-cert"))]
            Security::Cert { .. } => {
                Err("no pre-shared key: certificates for CoAP need a library built with FEATURE_AUTH_MODE=CERT"
                    .to_owned())
            }
            #[cfg(feature = "auth-mode-cert")]
            Security::Cert { ca_pem, client } => cert::configure(ca_pem, *client).map(Self::Cert),
        }
    }

    fn session(&self, host: &str) -> Result<(Session, Box<dyn Words>), Failure> {
        fn boxed((session, words): (Session, impl Words + 'static)) -> (Session, Box<dyn Words>) {
            (session, Box::new(words))
        }
        match self {
            #[cfg(not(feature = "auth-mode-cert"))]
            Self::Psk(config) => psk::datagrams(config, host).map(boxed),
            #[cfg(feature = "auth-mode-cert")]
            Self::Cert(trust) => cert::datagrams(Arc::clone(trust), host).map(boxed),
        }
    }
}

/// An established connection. Reads and writes may run at the same time: the lock is never held while a read waits.
pub struct Connection {
    socket: UdpSocket,
    address: Address,
    /// The origin of the session's time.
    begin: Instant,
    state: Mutex<State>,
}

struct State {
    session: Session,
    words: Box<dyn Words>,
    buffer: Vec<u8>,
    /// What a read had no room for.
    rest: Vec<u8>,
}

impl Connection {
    /// Shakes hands, with each address of `host` until one answers.
    ///
    /// # Errors
    /// Cause and place, for each address.
    pub fn open(security: &Security<'_>, host: &str, port: u16) -> Result<Self, Cause> {
        // Files and keys are checked first: what is wrong here needs no connection to tell.
        let setup = Setup::new(security).map_err(Cause::lasting)?;
        Self::open_one_of(connect::resolve(host, port)?, &setup, host, HANDSHAKE_LIMIT)
    }

    /// The same with addresses that are known.
    pub fn open_one_of(mut all: Vec<Address>, setup: &Setup, host: &str, limit: Duration) -> Result<Self, Cause> {
        udp::sort(&mut all);
        let deadline = Deadline::after(limit);
        let (mut left, mut reasons) = (all.len(), Vec::new());
        for address in all {
            addresses::tried(address);
            let share = Deadline::after(deadline.remaining() / u32::try_from(left).unwrap_or(u32::MAX));
            left -= 1;
            let cause = match Self::shake_hands(address, setup, host, &share) {
                Ok(connection) => {
                    addresses::proven(address);
                    return Ok(connection);
                }
                Err(Failure::Certificate(cause)) => cause,
                Err(Failure::Error(Cause { text, is_lasting })) => {
                    Cause { text: format!("DTLS handshake with {host} at {address} failed: {text}"), is_lasting }
                }
                Err(Failure::Closed) => Cause::passing(format!(
                    "DTLS handshake with {host} at {address} failed: the server closed the connection"
                )),
            };
            if !reasons.contains(&cause) {
                reasons.push(cause);
            }
        }
        Err(connect::verdict(&reasons))
    }

    fn shake_hands(address: Address, setup: &Setup, host: &str, deadline: &Deadline) -> Result<Self, Failure> {
        let no_socket = |error: io::Error| Failure::Error(connect::reason(&error, address));
        let socket = UdpSocket::from(udp::open(address).map_err(no_socket)?);
        socket.set_nonblocking(true).map_err(no_socket)?;
        let (session, words) = setup.session(host)?;
        let state = State { session, words, buffer: vec![0; MAX_MESSAGE + OVERHEAD], rest: Vec::new() };
        let connection = Self { socket, address, begin: Instant::now(), state: Mutex::new(state) };
        connection.proceed(&mut connection.lock())?;
        loop {
            let limit = {
                let mut state = connection.lock();
                for _ in 0..MAX_DATAGRAMS {
                    if state.session.is_open() || !connection.take(&mut state)? {
                        break;
                    }
                }
                if state.session.is_open() {
                    drop(state);
                    return Ok(connection);
                }
                if state.session.is_closed() {
                    return Err(Failure::Closed);
                }
                let resend = state.session.deadline().map(|at| at.saturating_sub(connection.begin.elapsed()));
                deadline.remaining().min(resend.unwrap_or(Duration::MAX))
            };
            if deadline.remaining().is_zero() {
                return Err(connection.explain(&connection.lock(), Error::TIMEOUT));
            }
            let is_ready = net::wait(connection.socket.as_fd(), Interest::Readable, &Deadline::after(limit));
            if !is_ready.map_err(|error| Failure::passing(io_text(&error)))? {
                connection.proceed(&mut connection.lock())?;
            }
        }
    }

    /// Sends `data` as one datagram. Returns the code.
    pub fn write(&self, data: &[u8]) -> c_int {
        let mut state = self.lock();
        let result = match state.session.write(data) {
            Ok(()) => self.send(&mut state),
            Err(Error::BAD_INPUT) => Err(Failure::passing(format!("{} bytes are too long for a datagram", data.len()))),
            Err(error) => Err(self.explain(&state, error)),
        };
        match result {
            Ok(()) => QCLOUD_RET_SUCCESS,
            Err(Failure::Closed) => over("HAL_DTLS_Write", "the server closed the connection", QCLOUD_ERR_SSL_WRITE),
            Err(Failure::Error(cause) | Failure::Certificate(cause)) => {
                over("HAL_DTLS_Write", &format!("writing failed: {}", cause.text), QCLOUD_ERR_SSL_WRITE)
            }
        }
    }

    /// Waits for one record, with 0 without a limit. Returns the code and the number of bytes.
    pub fn read(&self, out: &mut [u8], timeout_ms: u32) -> (c_int, usize) {
        let deadline = (timeout_ms > 0).then(|| Deadline::after_ms(timeout_ms));
        loop {
            let failure = match self.read_now(out) {
                Ok(Some(n)) => return (QCLOUD_RET_SUCCESS, n),
                Ok(None) => match self.wait(deadline.as_ref()) {
                    Ok(true) => continue,
                    Ok(false) => return (QCLOUD_ERR_SSL_READ_TIMEOUT, 0),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            return match failure {
                Failure::Closed => (QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY, 0),
                Failure::Error(cause) | Failure::Certificate(cause) => {
                    let text = format!("reading failed: {}", cause.text);
                    (over("HAL_DTLS_Read", &text, QCLOUD_ERR_SSL_READ), 0)
                }
            };
        }
    }

    /// One record, or what is left of the one before.
    fn read_now(&self, out: &mut [u8]) -> Result<Option<usize>, Failure> {
        let mut state = self.lock();
        for _ in 0..MAX_DATAGRAMS {
            if state.rest.is_empty() {
                state.rest = state.session.next_message().unwrap_or_default();
            }
            if !state.rest.is_empty() {
                let n = out.len().min(state.rest.len());
                out[..n].copy_from_slice(&state.rest[..n]);
                state.rest.drain(..n);
                return Ok(Some(n));
            }
            if state.session.is_closed() {
                return Err(Failure::Closed);
            }
            if !self.take(&mut state)? {
                break;
            }
        }
        Ok(None)
    }

    /// Waits until a datagram has come, and returns whether there was time for it. Without a deadline it may end earlier.
    fn wait(&self, deadline: Option<&Deadline>) -> Result<bool, Failure> {
        let result = match deadline {
            // Somebody who never stops sending keeps the socket ready for ever.
            Some(deadline) if deadline.remaining().is_zero() => Ok(false),
            Some(deadline) => net::wait(self.socket.as_fd(), Interest::Readable, deadline),
            None => net::wait(self.socket.as_fd(), Interest::Readable, &Deadline::after_ms(u32::MAX)).map(|_| true),
        };
        result.map_err(|error| Failure::passing(io_text(&error)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the next datagram to the session. Returns whether there was one.
    fn take(&self, state: &mut State) -> Result<bool, Failure> {
        match self.socket.recv(&mut state.buffer) {
            Ok(n) => {
                let result = state.session.receive(&state.buffer[..n], self.begin.elapsed());
                self.after(state, result)?;
                Ok(true)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(false),
                io::ErrorKind::Interrupted => Ok(true),
                _ => Err(self.failed(&error)),
            },
        }
    }

    /// Begins the handshake, or sends again what is due.
    fn proceed(&self, state: &mut State) -> Result<(), Failure> {
        let result = state.session.proceed(self.begin.elapsed());
        self.after(state, result)
    }

    /// What the session has to say is sent also where it failed: the other side learns why.
    fn after(&self, state: &mut State, result: Result<(), Error>) -> Result<(), Failure> {
        let sent = self.send(state);
        result.map_err(|error| self.explain(state, error))?;
        sent
    }

    fn send(&self, state: &mut State) -> Result<(), Failure> {
        let deadline = Deadline::after(WRITE_LIMIT);
        while let Some(datagram) = state.session.next_datagram() {
            while let Err(error) = self.socket.send(&datagram) {
                match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => {
                        let is_ready = net::wait(self.socket.as_fd(), Interest::Writable, &deadline);
                        if !is_ready.map_err(|error| self.failed(&error))? {
                            break;
                        }
                    }
                    _ => return Err(self.failed(&error)),
                }
            }
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::Error(connect::reason(error, self.address))
    }

    fn explain(&self, state: &State, error: Error) -> Failure {
        match error {
            Error::FATAL_ALERT => state.words.alert(state.session.alert()),
            Error::CLOSE_NOTIFY | Error::END => Failure::Closed,
            Error::TIMEOUT => self.failed(&io::ErrorKind::TimedOut.into()),
            error => state.words.error(error, flaws(&state.session)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.lock();
        state.session.close();
        // The server finds out without it, later.
        let _ = self.send(&mut state);
    }
}

#[cfg(feature = "auth-mode-cert")]
fn flaws(session: &Session) -> u32 {
    session.flaws()
}

#[cfg(not(feature = "auth-mode-cert"))]
fn flaws(_: &Session) -> u32 {
    0
}

#[track_caller]
fn over(name: &str, text: &str, code: c_int) -> c_int {
    log::error(name, text);
    code
}
