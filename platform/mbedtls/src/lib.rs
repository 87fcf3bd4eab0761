//! TLS 1.2 with a plain pre-shared key, client and server, by mbedTLS. With feature `certificates` also clients of TLS 1.2
//! and 1.3 with certificates, with feature `dtls` the same over datagrams ([`dtls`], DTLS 1.2).
//!
//! A [`Session`] speaks over anything that can be read and written and does not block where that does not.
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use std::net::{TcpListener, TcpStream};
//!
//! use iot_mbedtls::{Session, SERVER_SUITES, SUITES};
//! use zeroize::Zeroizing;
//!
//! let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! let address = listener.local_addr().unwrap();
//! let server = std::thread::spawn(move || {
//!     let keys = |identity: &[u8]| (identity == b"device").then(|| Zeroizing::new(vec![7; 48]));
//!     let stream = listener.accept().unwrap().0;
//!     let mut session = Session::server(Box::new(keys), &SERVER_SUITES, stream).unwrap();
//!     session.handshake().unwrap();
//!     session.write(b"hello").unwrap();
//! });
//! let stream = TcpStream::connect(address).unwrap();
//! let mut session = Session::client(&[7; 48], "device", None, &SUITES, stream).unwrap();
//! session.handshake().unwrap();
//! let mut text = [0; 8];
//! let len = session.read(&mut text).unwrap();
//! assert_eq!(&text[..len], b"hello");
//! server.join().unwrap();
//! # }
//! ```

use std::ffi::{c_char, c_int, c_uchar, c_void, CString};
use std::fmt;
use std::io::{self, Read, Write};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{self, NonNull};
use std::slice;

use zeroize::Zeroizing;

#[cfg(feature = "certificates")]
mod certificates;
#[cfg(curves_in_rust)] // build.rs
mod curves;
#[cfg(feature = "dtls")]
pub mod dtls;
#[cfg(gcm_by_ring)] // build.rs
mod gcm;
#[cfg(feature = "certificates")]
mod signature;
#[cfg(feature = "certificates")]
pub use certificates::{Judge, Peer, Trust, CERTIFICATE_SUITES};
#[cfg(feature = "certificates")]
pub use signature::{sha256, SigningKey};

/// The version of mbedTLS that was compiled; with feature `system` the one of its headers.
pub const VERSION: &str = env!("IOT_MBEDTLS_VERSION");

/// Whether certificates are for TLS 1.3, too.
pub const HAS_TLS_1_3: bool = cfg!(has_tls_1_3); // build.rs

/// Longest key, in bytes. config.h knows it as `MBEDTLS_PSK_MAX_LEN`.
pub const MAX_KEY: usize = 64;

/// Longest handshake message that is taken, in bytes.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// Numbers of cipher suites (IANA).
pub mod suite {
    /// `TLS_PSK_WITH_AES_128_GCM_SHA256`.
    pub const AES_128_GCM_SHA256: i32 = 0xa8;
    /// `TLS_PSK_WITH_AES_256_GCM_SHA384`.
    pub const AES_256_GCM_SHA384: i32 = 0xa9;
    /// `TLS_PSK_WITH_AES_128_CBC_SHA256`.
    pub const AES_128_CBC_SHA256: i32 = 0xae;
    /// `TLS_PSK_WITH_AES_256_CBC_SHA384`.
    pub const AES_256_CBC_SHA384: i32 = 0xaf;
    /// `TLS_PSK_WITH_AES_128_CBC_SHA`.
    pub const AES_128_CBC_SHA: i32 = 0x8c;
    /// `TLS_PSK_WITH_AES_256_CBC_SHA`.
    pub const AES_256_CBC_SHA: i32 = 0x8d;
}

/// What a client offers, the strongest first, and 0. The last two are what the cloud is known to take (wire.md).
pub static SUITES: [i32; 7] = [
    suite::AES_128_GCM_SHA256,
    suite::AES_256_GCM_SHA384,
    suite::AES_128_CBC_SHA256,
    suite::AES_256_CBC_SHA384,
    suite::AES_128_CBC_SHA,
    suite::AES_256_CBC_SHA,
    0,
];

/// What a server takes, in its order, and 0.
pub static SERVER_SUITES: [i32; 5] =
    [suite::AES_256_GCM_SHA384, suite::AES_128_GCM_SHA256, suite::AES_256_CBC_SHA, suite::AES_128_CBC_SHA, 0];

/// An error number of mbedTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error(c_int);

impl Error {
    /// The transport has nothing to read yet.
    pub const WANT_READ: Self = Self(-0x6900);
    /// The transport takes nothing more yet.
    pub const WANT_WRITE: Self = Self(-0x6880);
    /// The other side said that this is the end.
    pub const CLOSE_NOTIFY: Self = Self(-0x7880);
    /// The transport ended.
    pub const END: Self = Self(-0x7280);
    /// A record did not decrypt.
    pub const INVALID_MAC: Self = Self(-0x7180);
    /// The other side sent a fatal alert.
    pub const FATAL_ALERT: Self = Self(-0x7780);
    /// No protocol version in common.
    pub const PROTOCOL_VERSION: Self = Self(-0x6e80);
    /// A field has a value it must not have.
    pub const ILLEGAL_PARAMETER: Self = Self(-0x6600);
    /// A public key is no point of its curve, or a bad one.
    pub const BAD_PUBLIC_KEY: Self = Self(-0x4c80);
    /// A message can't be parsed.
    pub const DECODE_ERROR: Self = Self(-0x7300);
    /// What the other side chose or sent does not go with what this side has.
    pub const HANDSHAKE_FAILURE: Self = Self(-0x6e00);
    /// An argument, or a number that nobody knows.
    pub const BAD_INPUT: Self = Self(-0x7100);
    /// A handshake message is longer than [`MAX_MESSAGE`].
    pub const LONG_MESSAGE: Self = Self(-0x6a00);
    /// A handshake message comes in parts, which mbedTLS 2.28 does not put together.
    pub const SPLIT_MESSAGE: Self = Self(-0x7080);
    /// Not a TLS record.
    pub const INVALID_RECORD: Self = Self(-0x7200);
    /// Memory ran out.
    pub const NO_MEMORY: Self = Self(-0x7f00);
    /// The server's certificate, or one above it, is refused.
    pub const CERTIFICATE_REFUSED: Self = Self(-0x2700);
    /// The same, because of what it is for.
    pub const BAD_CERTIFICATE: Self = Self(-0x7a00);
    /// The chain of certificates is too long, or worse.
    pub const FATAL_X509: Self = Self(-0x3000);
    /// The server sent no certificate.
    pub const NO_CERTIFICATE: Self = Self(-0x7480);
    /// The other side has not proved that it has the key of its certificate.
    pub const NOT_PROVED: [Self; 4] = [Self(-0x4e00), Self(-0x4380), Self(-0x4100), Self::HANDSHAKE_FAILURE];
    /// The other side has not answered in time, however often it was asked.
    #[cfg(feature = "dtls")]
    pub const TIMEOUT: Self = Self(-0x6800);
    /// The client has to send a cookie first.
    #[cfg(all(feature = "dtls", feature = "server"))]
    const HELLO_VERIFY_REQUIRED: Self = Self(-0x6a80);
    /// The identity is not known. Any number that is no success says it.
    const UNKNOWN: Self = Self(-1);
    /// The transport failed while it was written to.
    pub const SEND_FAILED: Self = Self(-0x4e);
    const RECEIVE_FAILED: Self = Self(-0x4c);

    fn check(code: c_int) -> Result<usize, Self> {
        usize::try_from(code).map_err(|_| Self(code))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::WANT_READ | Self::WANT_WRITE => "the connection would block",
            Self::CLOSE_NOTIFY | Self::END => "the other side closed the connection",
            Self::INVALID_MAC => "received data can't be decrypted",
            Self::FATAL_ALERT => "the other side sent a fatal alert",
            Self::PROTOCOL_VERSION => "no TLS version in common",
            Self::SPLIT_MESSAGE => "a handshake message comes in several records, which this mbedTLS does not take",
            Self::INVALID_RECORD => "the other side does not speak TLS, or sent damaged data",
            Self::NO_MEMORY => "out of memory",
            #[cfg(feature = "dtls")]
            Self::TIMEOUT => "no answer in time",
            Self::SEND_FAILED => "sending failed",
            Self::RECEIVE_FAILED => "receiving failed",
            Self(code) => return write!(f, "mbedTLS error -{:#06x}", code.unsigned_abs()),
        };
        f.write_str(text)
    }
}

impl std::error::Error for Error {}

/// Finds the key of an identity.
pub type Keys = Box<dyn FnMut(&[u8]) -> Option<Zeroizing<Vec<u8>>> + Send>;

/// What C calls back with.
struct Owner<T> {
    transport: T,
    keys: Option<Keys>,
    #[cfg(feature = "certificates")]
    judge: Option<Judge>,
    /// What the transport takes at once, and gives at once, is a datagram.
    #[cfg(feature = "dtls")]
    is_datagram: bool,
}

impl<T> Owner<T> {
    fn new(transport: T) -> Self {
        Self {
            transport,
            keys: None,
            #[cfg(feature = "certificates")]
            judge: None,
            #[cfg(feature = "dtls")]
            is_datagram: false,
        }
    }
}

/// One connection.
pub struct Session<T> {
    raw: NonNull<c_void>,
    /// Made by `Box::into_raw`: C has a copy of the pointer.
    owner: NonNull<Owner<T>>,
    /// The C session has pointers into it.
    #[cfg(feature = "certificates")]
    _trust: Option<std::sync::Arc<Trust>>,
}

// SAFETY: the C session is used by one thread at a time, through `&mut self`, and has no ties to a thread. Outside of it
// mbedTLS keeps what the processor can do, the same whoever asks, no tables (config.h), and keys of TLS 1.3, which it
// locks. What it calls back is in `Owner`, whose parts are `Send`.
unsafe impl<T: Send> Send for Session<T> {}

#[repr(C)]
struct Calls {
    owner: *mut c_void,
    send: unsafe extern "C" fn(*mut c_void, *const c_uchar, usize) -> c_int,
    receive: unsafe extern "C" fn(*mut c_void, *mut c_uchar, usize) -> c_int,
    find_key: unsafe extern "C" fn(*mut c_void, *const c_uchar, usize, *mut c_uchar) -> c_int,
    #[cfg(feature = "certificates")]
    judge: unsafe extern "C" fn(*mut c_void, *const certificates::RawPeer) -> c_int,
    #[cfg(feature = "dtls")]
    is_datagram: c_int,
}

impl Calls {
    fn of<T: Read + Write>(owner: NonNull<Owner<T>>) -> Self {
        Self {
            owner: owner.as_ptr().cast(),
            send: send::<T>,
            receive: receive::<T>,
            find_key: find_key::<T>,
            #[cfg(feature = "certificates")]
            judge: certificates::judge::<T>,
            #[cfg(feature = "dtls")]
            // SAFETY: it is live: its session is being made, and nobody else has it.
            is_datagram: c_int::from(unsafe { owner.as_ref() }.is_datagram),
        }
    }
}

// c/shim.c.
extern "C" {
    fn iot_mbedtls_new(
        out: *mut *mut c_void,
        suites: *const c_int,
        calls: *const Calls,
        key: *const c_uchar,
        key_len: usize,
        identity: *const c_uchar,
        identity_len: usize,
        host: *const c_char,
    ) -> c_int;
    fn iot_mbedtls_free(session: *mut c_void);
    fn iot_mbedtls_handshake(session: *mut c_void) -> c_int;
    fn iot_mbedtls_read(session: *mut c_void, out: *mut c_uchar, len: usize) -> c_int;
    fn iot_mbedtls_write(session: *mut c_void, data: *const c_uchar, len: usize, taken: *mut usize) -> c_int;
    fn iot_mbedtls_flush(session: *mut c_void) -> c_int;
    fn iot_mbedtls_close(session: *mut c_void) -> c_int;
    fn iot_mbedtls_send_alert(session: *mut c_void, alert: c_uchar) -> c_int;
    fn iot_mbedtls_alert(session: *const c_void) -> c_int;
}

impl<T: Read + Write> Session<T> {
    /// A client before its handshake. Key and identity are copied; `host` goes into the server name extension.
    ///
    /// # Errors
    /// A key, identity or host of bad length, or no memory.
    pub fn client(
        key: &[u8],
        identity: &str,
        host: Option<&str>,
        suites: &'static [i32],
        transport: T,
    ) -> Result<Self, Error> {
        let host = host.map(CString::new).transpose().map_err(|_| Error::BAD_INPUT)?;
        if key.is_empty() {
            return Err(Error::BAD_INPUT);
        }
        Self::with_key(suites, Owner::new(transport), key, identity, host)
    }

    /// A server before its handshake. Feature `server`.
    ///
    /// # Errors
    /// No memory.
    #[cfg(feature = "server")]
    pub fn server(keys: Keys, suites: &'static [i32], transport: T) -> Result<Self, Error> {
        Self::with_key(suites, Owner { keys: Some(keys), ..Owner::new(transport) }, &[], "", None)
    }

    /// No key: a server.
    fn with_key(
        suites: &'static [i32],
        owner: Owner<T>,
        key: &[u8],
        identity: &str,
        host: Option<CString>,
    ) -> Result<Self, Error> {
        let key_start = if key.is_empty() { ptr::null() } else { key.as_ptr() };
        let host = host.as_ref().map_or(ptr::null(), |host| host.as_ptr());
        Self::new(suites, owner, |raw, calls| {
            // SAFETY: pointers and lengths are those of living slices, which the function copies, but for `suites`, which
            // lives for ever and ends with 0 (`new`). `calls` is copied, too.
            unsafe {
                let (id, id_len) = (identity.as_ptr(), identity.len());
                iot_mbedtls_new(raw, suites.as_ptr(), calls, key_start, key.len(), id, id_len, host)
            }
        })
    }

    /// Calls `make` with a place for the C session and with what that shall call back.
    fn new(
        suites: &[i32],
        owner: Owner<T>,
        make: impl FnOnce(&mut *mut c_void, &Calls) -> c_int,
    ) -> Result<Self, Error> {
        if suites.last() != Some(&0) {
            return Err(Error::BAD_INPUT);
        }
        // SAFETY: `Box::into_raw` does not return NULL.
        let owner = unsafe { NonNull::new_unchecked(Box::into_raw(Box::new(owner))) };
        let mut raw = ptr::null_mut();
        // `owner` outlives the session (`drop`).
        let code = make(&mut raw, &Calls::of(owner));
        match NonNull::new(raw) {
            Some(raw) => Ok(Self {
                raw,
                owner,
                #[cfg(feature = "certificates")]
                _trust: None,
            }),
            None => {
                // SAFETY: it is from `Box::into_raw` above, and no session has a copy.
                drop(unsafe { Box::from_raw(owner.as_ptr()) });
                Err(Error(code))
            }
        }
    }

    /// Goes on with the handshake.
    ///
    /// # Errors
    /// [`Error::WANT_READ`] and [`Error::WANT_WRITE`]: to be called again then. All others end the connection.
    pub fn handshake(&mut self) -> Result<(), Error> {
        // SAFETY: the session lives as long as `self`, and `&mut` keeps others away.
        Error::check(unsafe { iot_mbedtls_handshake(self.raw.as_ptr()) }).map(|_| ())
    }

    /// Decrypted bytes; none at the end.
    ///
    /// # Errors
    /// As [`Session::handshake`].
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        // SAFETY: as in `handshake`; pointer and length are those of `out`.
        match Error::check(unsafe { iot_mbedtls_read(self.raw.as_ptr(), out.as_mut_ptr(), out.len()) }) {
            Err(Error::CLOSE_NOTIFY) => Ok(0),
            result => result,
        }
    }

    /// Encrypts at most one record and returns how many bytes that took. Where the transport does not take all of it,
    /// [`Session::flush`] sends the rest. Nothing may be unsent before.
    ///
    /// # Errors
    /// No "want": all others end the connection.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
        let mut taken = 0;
        // SAFETY: as in `handshake`; pointer and length are those of `data`, and `taken` is writable.
        match Error::check(unsafe { iot_mbedtls_write(self.raw.as_ptr(), data.as_ptr(), data.len(), &mut taken) }) {
            // It has encrypted all of that and keeps what the transport did not take.
            Err(Error::WANT_WRITE) => Ok(taken),
            result => result,
        }
    }

    /// Sends what is unsent.
    ///
    /// # Errors
    /// [`Error::WANT_WRITE`]: something is left. All others end the connection.
    pub fn flush(&mut self) -> Result<(), Error> {
        // SAFETY: as in `handshake`.
        Error::check(unsafe { iot_mbedtls_flush(self.raw.as_ptr()) }).map(|_| ())
    }

    /// Tells the other side that this is the end.
    ///
    /// # Errors
    /// [`Error::WANT_WRITE`]: [`Session::flush`] sends the rest.
    pub fn close(&mut self) -> Result<(), Error> {
        // SAFETY: as in `handshake`.
        Error::check(unsafe { iot_mbedtls_close(self.raw.as_ptr()) }).map(|_| ())
    }

    /// Tells the other side a fatal alert (RFC 8446, 6), as far as the transport takes it.
    pub fn send_alert(&mut self, alert: u8) {
        // SAFETY: as in `handshake`. The connection ends, whatever comes of it.
        unsafe { iot_mbedtls_send_alert(self.raw.as_ptr(), alert) };
    }

    /// The number of the alert that the other side sent (RFC 8446, 6). Only right after [`Error::FATAL_ALERT`].
    pub fn alert(&self) -> u8 {
        // SAFETY: as in `handshake`; nothing is changed.
        u8::try_from(unsafe { iot_mbedtls_alert(self.raw.as_ptr()) }).unwrap_or(0)
    }

    /// What it speaks over.
    pub fn transport(&self) -> &T {
        // SAFETY: it lives as long as `self`. C changes it in calls that take `&mut self` only.
        unsafe { &self.owner.as_ref().transport }
    }
}

impl<T> Drop for Session<T> {
    fn drop(&mut self) {
        // SAFETY: made by `iot_mbedtls_new`, and nobody uses it after this. It zeroises its keys.
        unsafe { iot_mbedtls_free(self.raw.as_ptr()) };
        // SAFETY: from `Box::into_raw`; the only copy went with the session.
        drop(unsafe { Box::from_raw(self.owner.as_ptr()) });
    }
}

/// Runs `call` with what `owner` points to. A panic must not cross the C frames below: it becomes `failed`.
///
/// # Safety
/// `owner` is the pointer that `Session::new` gave to C, in a call of the session's functions.
unsafe fn with<T>(owner: *mut c_void, failed: Error, call: impl FnOnce(&mut Owner<T>) -> c_int) -> c_int {
    // SAFETY: by the condition above it is live, and the session's `&mut self` keeps others away.
    let owner = unsafe { &mut *owner.cast::<Owner<T>>() };
    catch_unwind(AssertUnwindSafe(|| call(owner))).unwrap_or(failed.0)
}

fn code(result: io::Result<usize>, wait: Error, failed: Error) -> c_int {
    match result {
        Ok(n) => c_int::try_from(n).unwrap_or(failed.0),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => wait.0,
        Err(_) => failed.0,
    }
}

unsafe extern "C" fn send<T: Write>(owner: *mut c_void, data: *const c_uchar, len: usize) -> c_int {
    // SAFETY: mbedTLS gives `len` bytes of its buffer.
    let data = unsafe { slice::from_raw_parts(data, len) };
    // SAFETY: called in a call of the session's functions, with its owner.
    unsafe {
        with::<T>(owner, Error::SEND_FAILED, |owner| {
            code(owner.transport.write(data), Error::WANT_WRITE, Error::SEND_FAILED)
        })
    }
}

unsafe extern "C" fn receive<T: Read>(owner: *mut c_void, out: *mut c_uchar, len: usize) -> c_int {
    // SAFETY: mbedTLS gives `len` bytes of its buffer, which it has zeroed or filled before.
    let out = unsafe { slice::from_raw_parts_mut(out, len) };
    // SAFETY: as in `send`.
    unsafe {
        with::<T>(owner, Error::RECEIVE_FAILED, |owner| {
            code(owner.transport.read(out), Error::WANT_READ, Error::RECEIVE_FAILED)
        })
    }
}

unsafe extern "C" fn find_key<T>(owner: *mut c_void, identity: *const c_uchar, len: usize, key: *mut c_uchar) -> c_int {
    // SAFETY: mbedTLS has checked that `len` bytes of the handshake message are there.
    let identity = unsafe { slice::from_raw_parts(identity, len) };
    // SAFETY: shim.c gives `MAX_KEY` bytes, which nobody else has. They are written only.
    let out = unsafe { slice::from_raw_parts_mut(key.cast::<std::mem::MaybeUninit<u8>>(), MAX_KEY) };
    // SAFETY: as in `send`.
    unsafe {
        with::<T>(owner, Error::UNKNOWN, |owner| {
            let Some(key) = owner.keys.as_mut().and_then(|keys| keys(identity)) else {
                return Error::UNKNOWN.0;
            };
            let (Some(out), Ok(len)) = (out.get_mut(..key.len()), c_int::try_from(key.len())) else {
                return Error::UNKNOWN.0;
            };
            for (to, from) in out.iter_mut().zip(key.iter()) {
                to.write(*from);
            }
            len
        })
    }
}
