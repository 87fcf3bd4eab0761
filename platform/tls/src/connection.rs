//! A TLS connection with time limits, whichever stack encrypts it.

use std::ffi::c_int;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard};

use iot_abi::error::{
    QCLOUD_ERR_SSL_NOTHING_TO_READ, QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_READ_TIMEOUT, QCLOUD_ERR_SSL_WRITE,
    QCLOUD_ERR_SSL_WRITE_TIMEOUT, QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_RET_SUCCESS,
};
use iot_platform_posix::cause::Cause;
use iot_platform_posix::log;
use iot_platform_posix::net::{self, Deadline, Interest};

use crate::cert::{self, CertSession};
use crate::params::{Params, Security};
#[cfg(not(feature = "auth-mode-cert"))]
use crate::psk::PskSession;
use crate::session::{Failure, Session, Step, WRITE_CHUNK};

/// An established connection. Reads and writes may run at the same time: the lock is never held while waiting.
pub struct Connection {
    stream: Arc<TcpStream>,
    session: Mutex<Box<dyn Session>>,
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Cause and place.
    pub fn open(params: &Params<'_>, host: &str, port: u16) -> Result<Self, Cause> {
        let deadline = Deadline::after_ms(params.timeout_ms);
        // Files and keys are checked first: what is wrong here needs no connection to tell.
        let connect = || net::connect(host, port, &deadline).map(Arc::new);
        let (stream, mut session): (_, Box<dyn Session>) = match &params.security {
            #[cfg(not(feature = "auth-mode-cert"))]
            Security::Psk { key, identity } => {
                let config = PskSession::configure(key, identity).map_err(Cause::lasting)?;
                let stream = connect()?;
                (Arc::clone(&stream), Box::new(PskSession::new(config, stream, host)))
            }
            Security::Cert { ca_pem, client } => {
                let config = cert::configure(ca_pem, client.as_ref()).map_err(Cause::lasting)?;
                let stream = connect()?;
                (Arc::clone(&stream), Box::new(CertSession::new(config, stream, host)?))
            }
        };
        let refused = |failure| match failure {
            Failure::Certificate(cause) => cause,
            Failure::Error(Cause { text, is_lasting }) => {
                Cause { text: format!("TLS handshake with {host}:{port} failed: {text}"), is_lasting }
            }
            Failure::Closed => Cause::passing(format!(
                "TLS handshake with {host}:{port} failed: the server closed the connection{}",
                params.security.hint()
            )),
        };
        loop {
            let interest = match session.handshake().map_err(refused)? {
                Step::Ready(()) => return Ok(Self { stream, session: Mutex::new(session) }),
                Step::Wait(interest) => interest,
            };
            // Between two waits, too: a server that never stops sending keeps the socket ready for ever.
            let ready = !deadline.remaining().is_zero()
                && net::wait(stream.as_fd(), interest, &deadline)
                    .map_err(|error| refused(Failure::passing(net::io_text(&error))))?;
            if !ready {
                return Err(refused(Failure::passing(format!("time-out after {} ms", params.timeout_ms))));
            }
        }
    }

    /// Reads until `out` is full or the time is over. Returns the code and the number of bytes.
    pub fn read(&self, out: &mut [u8], timeout_ms: u32) -> (c_int, usize) {
        let deadline = Deadline::after_ms(timeout_ms);
        let mut n = 0;
        while n < out.len() {
            let step = match self.lock() {
                Ok(mut session) => session.read(&mut out[n..]),
                Err(failure) => Err(failure),
            };
            let interest = match step {
                Ok(Step::Ready(read)) => {
                    n += read;
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
        let mut session = self.lock()?;
        if !session.flush()? {
            return Ok(Step::Wait(Interest::Writable));
        }
        if data.is_empty() {
            return Ok(Step::Ready(0));
        }
        session.write(&data[..data.len().min(WRITE_CHUNK)]).map(Step::Ready)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Box<dyn Session>>, Failure> {
        self.session.lock().map_err(|_| Failure::passing("broken by an earlier internal error"))
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
        if let Ok(session) = self.session.get_mut() {
            session.close();
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

impl Security<'_> {
    /// What to look at when the server hangs up without a word.
    fn hint(&self) -> &'static str {
        match self {
            #[cfg(not(feature = "auth-mode-cert"))]
            Security::Psk { .. } => ": check the device name and the device secret",
            Security::Cert { .. } => "",
        }
    }
}
