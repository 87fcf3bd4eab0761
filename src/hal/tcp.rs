//! TCP over `HAL_TCP_*`.

use std::ffi::CStr;

use super::callout::{HAL_TCP_Connect, HAL_TCP_Disconnect, HAL_TCP_Read, HAL_TCP_Write};

use super::interface::{Transport, TransportError};
use super::outcome::Pending;
use super::wait::{self, Source, Waits};

/// An open TCP connection.
pub struct TcpStream {
    fd: usize,
    pending: Pending,
    waits: Option<Waits>,
}

/// Connects; `None` when the platform could not (it logs why).
pub fn connect(host: &CStr, port: u16) -> Option<TcpStream> {
    // SAFETY: `host` ends with a NUL.
    let fd = unsafe { HAL_TCP_Connect(host.as_ptr(), port) };
    (fd != 0).then(|| TcpStream { fd, pending: Pending::default(), waits: wait::is_for_tcp().then(Waits::default) })
}

/// HAL lengths have 32 bits.
fn clamp(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Transport for TcpStream {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        self.pending.check()?;
        let mut count = 0;
        // SAFETY: `buf` is writable for its length; `fd` is open until drop.
        let code = unsafe { HAL_TCP_Read(self.fd, buf.as_mut_ptr(), clamp(buf.len()), timeout_ms, &mut count) };
        self.pending.outcome(code, count, buf.len())
    }

    fn read_or_wake(&self, buf: &mut [u8], timeout_ms: u32) -> Option<Result<usize, TransportError>> {
        let waits = self.waits.as_ref().filter(|waits| waits.can_be_ended())?;
        Some(waits.read(timeout_ms, || Source::tcp(self.fd), || self.read(buf, 0)))
    }

    fn wake(&self) {
        if let Some(waits) = &self.waits {
            waits.end();
        }
    }

    fn write(&self, data: &[u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let mut count = 0;
        // SAFETY: `data` is readable for its length; `fd` is open until drop.
        let code = unsafe { HAL_TCP_Write(self.fd, data.as_ptr(), clamp(data.len()), timeout_ms, &mut count) };
        self.pending.outcome(code, count, data.len())
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        // SAFETY: `fd` came from HAL_TCP_Connect and is closed once.
        unsafe { HAL_TCP_Disconnect(self.fd) };
    }
}
