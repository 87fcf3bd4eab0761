//! Datagrams over `HAL_UDP_*` and, with DTLS, over `HAL_DTLS_*` (coap.md section 6). Platforms differ in what they return, and
//! users' own are copies with every flaw: each combination of code and count that was seen is taken for what it means.

use std::ffi::{c_int, CString};
#[cfg(not(feature = "auth-with-notls"))]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use iot_abi::error::*;

use super::callout::{HAL_UDP_Connect, HAL_UDP_Disconnect, HAL_UDP_ReadTimeout, HAL_UDP_Write};
use super::cause;
use super::interface::{ConnectError, Datagrams, Endpoint, TransportError};
use super::security::Security;

#[cfg(not(feature = "auth-with-notls"))]
use super::callout::{HAL_DTLS_Connect, HAL_DTLS_Disconnect, HAL_DTLS_Read, HAL_DTLS_Write, HAL_SleepMs};
#[cfg(not(feature = "auth-with-notls"))]
use super::sync::Mutex;

/// Connects, with DTLS where asked for. Blocks for as long as the platform does.
///
/// # Errors
/// Code and cause.
pub fn connect(endpoint: &Endpoint) -> Result<Arc<dyn Datagrams>, ConnectError> {
    let Ok(host) = CString::new(endpoint.host.as_str()) else {
        let cause = "the host name has a NUL in it".to_owned();
        return Err(ConnectError { code: QCLOUD_ERR_TCP_UNKNOWN_HOST, cause, is_lasting: true });
    };
    cause::clear();
    match &endpoint.security {
        Security::None => {
            // SAFETY: `host` ends with a NUL.
            let fd = unsafe { HAL_UDP_Connect(host.as_ptr(), endpoint.port) };
            if fd == 0 {
                return Err(cause::take(QCLOUD_ERR_TCP_CONNECT));
            }
            Ok(Arc::new(UdpSocket { fd }))
        }
        #[cfg(not(feature = "auth-with-notls"))]
        secured => {
            let connect = |params: *mut _| {
                // SAFETY: `host` ends with a NUL; `params` and all that it points at outlive the call.
                unsafe { HAL_DTLS_Connect(params, host.as_ptr(), c_int::from(endpoint.port)) }
            };
            match super::tls::with_params(secured, 0, connect) {
                Ok(0) => Err(cause::take(QCLOUD_ERR_SSL_CONNECT)),
                Ok(handle) => {
                    Ok(Arc::new(DtlsConnection { handle, turn: Mutex::new(()), senders: AtomicUsize::new(0) }))
                }
                Err(cause) => Err(ConnectError { code: QCLOUD_ERR_SSL_CONNECT, cause, is_lasting: true }),
            }
        }
    }
}

/// What a platform returns where a signal has ended its wait.
const INTERRUPTED: c_int = -3;

/// An open UDP socket.
struct UdpSocket {
    fd: usize,
}

impl Datagrams for UdpSocket {
    fn receive(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let len = u32::try_from(buf.len()).unwrap_or(u32::MAX);
        // SAFETY: `buf` is writable for its length; `fd` is open until drop. A limit of 0 means none.
        let count = unsafe { HAL_UDP_ReadTimeout(self.fd, buf.as_mut_ptr(), len, timeout_ms.max(1)) };
        received_by_udp(count, buf.len())
    }

    fn send(&self, datagram: &[u8]) -> Result<(), TransportError> {
        let len = u32::try_from(datagram.len()).unwrap_or(u32::MAX);
        // SAFETY: `datagram` is readable for its length; `fd` is open until drop.
        let count = unsafe { HAL_UDP_Write(self.fd, datagram.as_ptr(), len) };
        if usize::try_from(count) == Ok(datagram.len()) {
            Ok(())
        } else {
            Err(TransportError::Failed(QCLOUD_ERR_TCP_WRITE_FAIL))
        }
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        // SAFETY: `fd` came from HAL_UDP_Connect and is closed once.
        unsafe { HAL_UDP_Disconnect(self.fd) };
    }
}

fn received_by_udp(count: c_int, room: usize) -> Result<usize, TransportError> {
    match usize::try_from(count) {
        Ok(count) if count <= room => Ok(count),
        Err(_) if matches!(count, INTERRUPTED | QCLOUD_ERR_SSL_READ_TIMEOUT | QCLOUD_ERR_TCP_READ_TIMEOUT) => Ok(0),
        _ => Err(TransportError::Failed(QCLOUD_ERR_TCP_READ_FAIL)),
    }
}

/// How long a read holds the connection at most: another thread may want to send.
#[cfg(not(feature = "auth-with-notls"))]
const TURN_MS: u32 = 50;

/// An open DTLS connection. Platforms need not bear two calls at a time.
#[cfg(not(feature = "auth-with-notls"))]
struct DtlsConnection {
    handle: usize,
    turn: Mutex<()>,
    /// How many threads wait to send: reads let them go first.
    senders: AtomicUsize,
}

#[cfg(not(feature = "auth-with-notls"))]
impl Datagrams for DtlsConnection {
    fn receive(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        while self.senders.load(Ordering::Relaxed) > 0 {
            // SAFETY: no precondition.
            unsafe { HAL_SleepMs(1) };
        }
        let _turn = self.turn.lock();
        let mut count = 0;
        // A limit of 0 means none.
        let timeout_ms = timeout_ms.clamp(1, TURN_MS);
        // SAFETY: `buf` is writable for its length; `handle` is open until drop.
        let code = unsafe { HAL_DTLS_Read(self.handle, buf.as_mut_ptr(), buf.len(), timeout_ms, &mut count) };
        received_by_dtls(code, count, buf.len())
    }

    fn send(&self, datagram: &[u8]) -> Result<(), TransportError> {
        self.senders.fetch_add(1, Ordering::Relaxed);
        let mut count = 0;
        let code = {
            let _turn = self.turn.lock();
            self.senders.fetch_sub(1, Ordering::Relaxed);
            // SAFETY: `datagram` is readable for its length; `handle` is open until drop.
            unsafe { HAL_DTLS_Write(self.handle, datagram.as_ptr(), datagram.len(), &mut count) }
        };
        sent_by_dtls(code, count, datagram.len())
    }
}

#[cfg(not(feature = "auth-with-notls"))]
impl Drop for DtlsConnection {
    fn drop(&mut self) {
        // SAFETY: `handle` came from HAL_DTLS_Connect and is closed once.
        unsafe { HAL_DTLS_Disconnect(self.handle) };
    }
}

#[cfg(not(feature = "auth-with-notls"))]
fn received_by_dtls(code: c_int, count: usize, room: usize) -> Result<usize, TransportError> {
    match code {
        QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY => Err(TransportError::Closed(code)),
        QCLOUD_ERR_SSL_READ_TIMEOUT | QCLOUD_ERR_SSL_NOTHING_TO_READ | INTERRUPTED => Ok(0),
        QCLOUD_RET_SUCCESS if count <= room => Ok(count),
        _ => Err(TransportError::Failed(QCLOUD_ERR_SSL_READ)),
    }
}

#[cfg(not(feature = "auth-with-notls"))]
fn sent_by_dtls(code: c_int, count: usize, len: usize) -> Result<(), TransportError> {
    match code {
        QCLOUD_ERR_DTLS_PEER_CLOSE_NOTIFY => Err(TransportError::Closed(code)),
        // The C SDK's platform returns 0 where it failed.
        _ if count == len => Ok(()),
        _ => Err(TransportError::Failed(QCLOUD_ERR_SSL_WRITE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP_FAILED: Result<usize, TransportError> = Err(TransportError::Failed(QCLOUD_ERR_TCP_READ_FAIL));

    #[test]
    fn case_29_whatever_a_udp_read_returns_is_understood() {
        for (count, expected) in
            [(5, Ok(5)), (10, Ok(10)), (0, Ok(0)), (-707, Ok(0)), (-3, Ok(0)), (-1, UDP_FAILED), (-708, UDP_FAILED)]
        {
            assert_eq!(received_by_udp(count, 10), expected, "{count}");
        }
        assert_eq!(received_by_udp(11, 10), UDP_FAILED);
    }

    #[cfg(not(feature = "auth-with-notls"))]
    #[test]
    fn case_29_whatever_a_dtls_call_returns_is_understood() {
        const FAILED: TransportError = TransportError::Failed(QCLOUD_ERR_SSL_READ);
        for (code, count, expected) in [
            (0, 5, Ok(5)),
            (0, 0, Ok(0)),
            (0, 11, Err(FAILED)),
            (0, -706_isize as usize, Err(FAILED)),
            (-707, 0, Ok(0)),
            (-707, 3, Ok(0)),
            (-3, 0, Ok(0)),
            (-160, 0, Err(TransportError::Closed(-160))),
            (-76, 0, Err(FAILED)),
            (-1, 0, Err(FAILED)),
        ] {
            assert_eq!(received_by_dtls(code, count, 10), expected, "{code} {count}");
        }
        let failed = Err(TransportError::Failed(QCLOUD_ERR_SSL_WRITE));
        for (code, count, expected) in [
            (0, 10, Ok(())),
            (0, -706_isize as usize, failed),
            (0, 9, failed),
            (-706, 0, failed),
            (-160, 0, Err(TransportError::Closed(-160))),
        ] {
            assert_eq!(sent_by_dtls(code, count, 10), expected, "{code} {count}");
        }
    }
}
