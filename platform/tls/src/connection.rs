//! A TLS connection with time limits, whichever setup encrypts it.

use std::ffi::c_int;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iot_abi::error::{
    QCLOUD_ERR_SSL_NOTHING_TO_READ, QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_READ_TIMEOUT, QCLOUD_ERR_SSL_WRITE,
    QCLOUD_ERR_SSL_WRITE_TIMEOUT, QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_RET_SUCCESS,
};
use iot_platform_posix::address::Address;
use iot_platform_posix::cause::Cause;
use iot_platform_posix::connect::Candidates;
use iot_platform_posix::net::{self, Deadline, Interest};
use iot_platform_posix::{addresses, descriptors, log};

#[cfg(not(feature = "tls-mbedtls"))]
use crate::cert;
#[cfg(feature = "tls-mbedtls")]
use crate::mbed::cert;
#[cfg(not(feature = "auth-mode-cert"))]
use crate::mbed::psk;
use crate::params::{Params, Security};
use crate::stack::{Failure, Stack, Step, WRITE_CHUNK};

/// An established connection. Reads and writes may run at the same time: the lock is never held while waiting.
pub struct Connection {
    stream: Arc<TcpStream>,
    stack: Mutex<Box<dyn Stack>>,
    /// The address, until something has been read from it.
    unproven: Mutex<Option<Address>>,
}

/// A TLS setup that has been told how the two sides prove who they are.
pub enum Setup {
    #[cfg(not(feature = "auth-mode-cert"))]
    Psk(Arc<psk::Config>),
    Cert(Arc<cert::Config>),
}

impl Setup {
    /// Reads keys and files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(security: &Security<'_>) -> Result<Self, String> {
        // What a setup opens for random numbers may stay open.
        let _hold = descriptors::hold();
        match security {
            #[cfg(not(feature = "auth-mode-cert"))]
            Security::Psk { key, identity } => psk::configure(key, identity).map(Self::Psk),
            Security::Cert { ca_pem, client } => cert::configure(ca_pem, *client).map(Self::Cert),
        }
    }

    fn stack(&self, stream: Arc<TcpStream>, host: &str) -> Result<Box<dyn Stack>, Failure> {
        Ok(match self {
            #[cfg(not(feature = "auth-mode-cert"))]
            Self::Psk(config) => Box::new(psk::connect(config, stream, host)?),
            Self::Cert(config) => Box::new(cert::connect(Arc::clone(config), stream, host)?),
        })
    }

    /// What to look at when the server hangs up without a word.
    fn hint(&self) -> &'static str {
        match self {
            #[cfg(not(feature = "auth-mode-cert"))]
            Self::Psk(_) => ": check the device name and the device secret",
            Self::Cert(_) => "",
        }
    }
}

impl Connection {
    /// Connects and shakes hands, with each address of `host` until one is of use.
    ///
    /// # Errors
    /// Cause and place, for each address.
    pub fn open(params: &Params<'_>, host: &str, port: u16) -> Result<Self, Cause> {
        const FUNC: &str = "HAL_TLS_Connect";
        // These four lines are the manual's (log_lines.md, 2 to 5), in its order.
        log::debug(FUNC, "Setting up the SSL/TLS structure...");
        // Files and keys are checked first: what is wrong here needs no connection to tell.
        let setup = Setup::new(&params.security).map_err(Cause::lasting)?;
        log::debug(FUNC, "Performing the SSL/TLS handshake...");
        log::debug(FUNC, &format!("Connecting to /{host}/{port}..."));
        let deadline = Deadline::after_ms(params.timeout_ms);
        let connection = Candidates::resolve(host, port)
            .and_then(|candidates| Self::open_one_of(candidates, &setup, host, port, &deadline))?;
        log::info(FUNC, &format!("connected with /{host}/{port}..."));
        Ok(connection)
    }

    /// The same with addresses that are known.
    pub fn open_one_of(
        mut candidates: Candidates,
        setup: &Setup,
        host: &str,
        port: u16,
        deadline: &Deadline,
    ) -> Result<Self, Cause> {
        loop {
            let (socket, address) = candidates.next(deadline)?;
            let left = u32::try_from(candidates.left() + 1).unwrap_or(u32::MAX);
            let share = Deadline::after(deadline.remaining() / left);
            match Self::shake_hands(Arc::new(socket.into()), address, setup, host, &share) {
                Ok(connection) => return Ok(connection),
                Err(Failure::Certificate(cause)) => candidates.reject(cause),
                Err(Failure::Error(Cause { text, is_lasting })) => {
                    let text = format!("TLS handshake with {host}:{port} failed: {text}");
                    candidates.reject(Cause { text, is_lasting });
                }
                Err(Failure::Closed) => candidates.reject(Cause::passing(format!(
                    "TLS handshake with {host}:{port} failed: the server closed the connection{}",
                    setup.hint()
                ))),
            }
        }
    }

    fn shake_hands(
        stream: Arc<TcpStream>,
        address: Address,
        setup: &Setup,
        host: &str,
        deadline: &Deadline,
    ) -> Result<Self, Failure> {
        let mut stack = setup.stack(Arc::clone(&stream), host)?;
        loop {
            let interest = match stack.handshake()? {
                Step::Ready(()) => {
                    let unproven = Mutex::new(Some(address));
                    return Ok(Self { stream, stack: Mutex::new(stack), unproven });
                }
                Step::Wait(interest) => interest,
            };
            // Between two waits, too: a server that never stops sending keeps the socket ready for ever.
            let ready = !deadline.remaining().is_zero()
                && net::wait(stream.as_fd(), interest, deadline)
                    .map_err(|error| Failure::passing(net::io_text(&error)))?;
            if !ready {
                return Err(Failure::passing("time-out"));
            }
        }
    }

    /// Reads until `out` is full or the time is over. Returns the code and the number of bytes.
    pub fn read(&self, out: &mut [u8], timeout_ms: u32) -> (c_int, usize) {
        let deadline = Deadline::after_ms(timeout_ms);
        let mut n = 0;
        while n < out.len() {
            let step = match self.lock() {
                Ok(mut stack) => stack.read(&mut out[n..]),
                Err(failure) => Err(failure),
            };
            let interest = match step {
                Ok(Step::Ready(read)) => {
                    n += read;
                    self.note_use();
                    continue;
                }
                Ok(Step::Wait(interest)) => interest,
                Err(failure) => return (over("HAL_TLS_Read", &failure, QCLOUD_ERR_SSL_READ), n),
            };
            match self.wait(interest, &deadline) {
                Ok(true) => {}
                Ok(false) if n == 0 => return (QCLOUD_ERR_SSL_NOTHING_TO_READ, 0),
                Ok(false) => return (QCLOUD_ERR_SSL_READ_TIMEOUT, n),
                Err(failure) => return (over("HAL_TLS_Read", &failure, QCLOUD_ERR_SSL_READ), n),
            }
        }
        (QCLOUD_RET_SUCCESS, n)
    }

    /// Writes until all of `data` is taken or the time is over. Returns the code and the number of bytes taken; the
    /// last of them may still be on their way when the time ran out, they go with the next read or write.
    pub fn write(&self, data: &[u8], timeout_ms: u32) -> (c_int, usize) {
        let deadline = Deadline::after_ms(timeout_ms);
        let mut n = 0;
        loop {
            match self.write_some(&data[n..]) {
                Ok(Step::Ready(0)) => return (QCLOUD_RET_SUCCESS, n),
                Ok(Step::Ready(taken)) => n += taken,
                Ok(Step::Wait(interest)) => match self.wait(interest, &deadline) {
                    Ok(true) => {}
                    Ok(false) if n == data.len() => return (QCLOUD_RET_SUCCESS, n),
                    Ok(false) => return (QCLOUD_ERR_SSL_WRITE_TIMEOUT, n),
                    Err(failure) => return (over("HAL_TLS_Write", &failure, QCLOUD_ERR_SSL_WRITE), n),
                },
                Err(failure) => return (over("HAL_TLS_Write", &failure, QCLOUD_ERR_SSL_WRITE), n),
            }
        }
    }

    /// Sends what is unsent, then takes some of `data`. `Ready(0)`: nothing is left to do.
    fn write_some(&self, data: &[u8]) -> Result<Step<usize>, Failure> {
        let mut stack = self.lock()?;
        if !stack.flush()? {
            return Ok(Step::Wait(Interest::Writable));
        }
        if data.is_empty() {
            return Ok(Step::Ready(0));
        }
        stack.write(&data[..data.len().min(WRITE_CHUNK)]).map(Step::Ready)
    }

    /// Sends what is unsent. False where some of it is left; what stands in the way otherwise, the next read tells.
    pub fn is_all_sent(&self) -> bool {
        self.lock().and_then(|mut stack| stack.flush()).unwrap_or(true)
    }

    /// That of the socket.
    pub fn descriptor(&self) -> c_int {
        self.stream.as_raw_fd()
    }

    /// The server has sent something.
    fn note_use(&self) {
        let unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(address) = unproven {
            addresses::proven(address);
        }
    }

    fn lock(&self) -> Result<MutexGuard<'_, Box<dyn Stack>>, Failure> {
        self.stack.lock().map_err(|_| Failure::passing("broken by an earlier internal error"))
    }

    fn wait(&self, interest: Interest, deadline: &Deadline) -> Result<bool, Failure> {
        // A server that never stops sending what is no data keeps the socket ready for ever.
        if deadline.remaining().is_zero() {
            return Ok(false);
        }
        net::wait(self.stream.as_fd(), interest, deadline).map_err(|error| Failure::passing(net::io_text(&error)))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Ok(stack) = self.stack.get_mut() {
            stack.close();
        }
        net::finish(self.stream.as_fd());
    }
}

fn over(func: &str, failure: &Failure, code: c_int) -> c_int {
    match failure {
        Failure::Closed => QCLOUD_ERR_TCP_PEER_SHUTDOWN,
        Failure::Error(cause) | Failure::Certificate(cause) => {
            log::error(func, &cause.text);
            code
        }
    }
}
