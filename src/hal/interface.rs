//! The platform as the drive ring sees it.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use iot_engine::time::Millis;

use super::security::Security;

/// Where to connect and how.
#[derive(Clone)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Transport security.
    pub security: Security,
    /// Time limit of a TLS handshake in milliseconds.
    pub handshake_timeout_ms: u32,
}

/// Why a connection could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// The documented code for the kind of connection (`QCLOUD_ERR_TCP_*`, `QCLOUD_ERR_SSL_*`).
    pub code: i32,
    /// Cause and place in words, such as "connection refused by 10.0.0.7:443". Empty where the platform tells no more
    /// than that it failed, as a user's own `HAL_*_Connect` does.
    pub cause: String,
    /// Time alone does not mend it, such as a certificate for another host. Where the platform does not tell: `false`.
    pub is_lasting: bool,
}

impl ConnectError {
    /// The platform tells no more than that it failed.
    #[must_use]
    pub fn unexplained(code: i32) -> Self {
        ConnectError { code, cause: String::new(), is_lasting: false }
    }

    /// The text for log and report. Names the place where the cause does not: `host` and `port` are those of the
    /// endpoint.
    #[must_use]
    pub fn text_for(&self, host: &str, port: u16) -> String {
        if self.cause.is_empty() {
            format!("{host}:{port}: {self}")
        } else {
            self.cause.clone()
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cause.is_empty() {
            write!(f, "connection could not be made ({})", self.code)
        } else {
            f.write_str(&self.cause)
        }
    }
}

/// Why a transport can't be used any more. The code is the HAL's or the documented one for the situation
/// (`QCLOUD_ERR_TCP_*`, `QCLOUD_ERR_SSL_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportError {
    /// The peer closed the connection.
    Closed(i32),
    /// Reading or writing failed.
    Failed(i32),
}

impl TransportError {
    /// The C SDK's code for this error.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            TransportError::Closed(code) | TransportError::Failed(code) => code,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            TransportError::Closed(_) => "connection closed by the peer",
            TransportError::Failed(_) => "transport failed",
        };
        write!(f, "{what} ({})", self.code())
    }
}

/// A wait for what is there already: a platform that fills its buffer waits that long for nothing (hal.md).
pub const SHORT_MS: u32 = 10;

/// A byte stream to a server. Closed when dropped.
///
/// `read` and `write` may be called at the same time from two threads, never two reads or two writes.
/// On some platforms `read` waits until `buf` is full or the time is over, and a TLS `read` blocks up to 100 ms even
/// when asked for 0 (hal.md): ask for what is known to come; where that is unknown, for one byte.
pub trait Transport: Send + Sync {
    /// Reads what there is, where it is not known how much will come: one byte within `timeout_ms`, then more within
    /// [`SHORT_MS`]. A platform that fills its buffer would wait for bytes that never come.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_some(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let Some((first, rest)) = buf.split_at_mut_checked(1) else { return Ok(0) };
        match self.read(first, timeout_ms)? {
            0 => Ok(0),
            // An error here comes again with the next read.
            _ => Ok(1 + self.read(rest, SHORT_MS).unwrap_or(0)),
        }
    }

    /// Reads at most `buf.len()` bytes within `timeout_ms`. `Ok(0)`: nothing came in that time.
    ///
    /// # Errors
    /// The connection is gone; every byte that came before has been returned.
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError>;

    /// As [`read`](Self::read), but a [`wake`](Self::wake) ends the wait, too, so it may be as long as nothing is due.
    /// `None`, at once and with nothing done: the platform has no such wait.
    fn read_or_wake(&self, _buf: &mut [u8], _timeout_ms: u32) -> Option<Result<usize, TransportError>> {
        None
    }

    /// Ends the [`read_or_wake`](Self::read_or_wake) that another thread waits in; where none does, the next one may
    /// return at once.
    fn wake(&self) {}

    /// Writes at most `data.len()` bytes within `timeout_ms` and returns how many were written, 0 for none.
    ///
    /// # Errors
    /// The connection is gone.
    fn write(&self, data: &[u8], timeout_ms: u32) -> Result<usize, TransportError>;
}

/// Datagrams to one server and back. Closed when dropped.
///
/// Any thread may send while another one receives; two never receive at a time.
#[cfg(feature = "coap")]
pub trait Datagrams: Send + Sync {
    /// Receives one datagram, whole where `buf` has room for it, within about `timeout_ms`. `Ok(0)`: none came, which may be
    /// known before the time is over.
    ///
    /// # Errors
    /// The connection is gone, or something went wrong this time.
    fn receive(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError>;

    /// Sends one datagram.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    fn send(&self, datagram: &[u8]) -> Result<(), TransportError>;
}

/// What comes of connecting.
pub type Connected = Result<Arc<dyn Transport>, ConnectError>;

/// A connection in the making. Dropping it gives the attempt up: a connection that still comes of it is closed.
pub trait Attempt: Send {
    /// Waits at most `wait_ms` for what comes of it; `None`: not known yet, or known and told before.
    fn outcome(&mut self, wait_ms: u64) -> Option<Connected>;
}

/// Everything the library asks of the platform besides memory and printing.
pub trait Platform: Send + Sync {
    /// The present moment.
    fn now(&self) -> Millis;
    /// Blocks the calling thread.
    fn sleep(&self, ms: u32);
    /// Connects, with TLS where asked for. Blocks for as long as the platform's connect and handshake take.
    ///
    /// # Errors
    /// Code and cause.
    fn connect(&self, endpoint: &Endpoint) -> Connected;

    /// Begins to connect, for a caller that has other things to do meanwhile: name resolution, connect and handshake
    /// may take their time. Without threads there is no meanwhile: it connects at once.
    fn begin_connect(&self, endpoint: &Endpoint) -> Box<dyn Attempt> {
        Box::new(Made(Some(self.connect(endpoint))))
    }

    /// Whether the calling thread has been cancelled, is to end, or an exception of a callback is to go on: what runs
    /// must return soon, whatever it has reached.
    fn is_leaving(&self) -> bool {
        false
    }

    /// UTC seconds by the system's clock, 0 before 1970.
    fn unix_time(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// A random number, good enough to spread retries and to number packets; not for keys.
    fn random(&self) -> u64 {
        super::random::number()
    }
}

/// An attempt that is over.
pub struct Made(pub Option<Connected>);

impl Attempt for Made {
    fn outcome(&mut self, _wait_ms: u64) -> Option<Connected> {
        self.0.take()
    }
}
