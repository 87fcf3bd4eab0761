//! What `HAL_TCP_*` and `HAL_UDP_*` have in common: a handle is the socket's descriptor.

use std::ffi::{c_char, CStr};
use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use crate::addresses;
use crate::cause::Cause;
use crate::net::{self, Deadline, Interest};

/// A non-empty host name from C.
///
/// # Errors
/// It is none.
///
/// # Safety
/// `host` is NULL or a NUL-terminated string that lives as long as the result is used.
pub unsafe fn host_name<'a>(host: *const c_char) -> Result<&'a str, Cause> {
    // SAFETY: the caller's promise.
    let host = (!host.is_null()).then(|| unsafe { CStr::from_ptr(host) });
    host.and_then(|host| host.to_str().ok())
        .filter(|host| !host.is_empty())
        .ok_or_else(|| Cause::lasting("the host name is missing or not valid UTF-8".to_owned()))
}

/// The handle of a socket, whose address is watched from now on; 0 where there is none, which is told as that of `function`.
#[must_use]
pub fn handle_of(function: &str, socket: Result<OwnedFd, Cause>) -> usize {
    match socket {
        Ok(socket) => {
            let fd = socket.into_raw_fd();
            addresses::watch(fd);
            usize::try_from(fd).unwrap_or(0)
        }
        Err(cause) => {
            cause.tell(function);
            0
        }
    }
}

/// The descriptor that `handle` can be.
#[must_use]
pub fn raw_fd(handle: usize) -> Option<RawFd> {
    RawFd::try_from(handle).ok().filter(|fd| *fd > 0)
}

/// Waits after `error`, of a call that does not wait, where that helps. Returns whether there was time for it; without a
/// deadline the caller comes again, so there always is.
///
/// # Errors
/// Waiting does not help, or failed.
pub fn wait_after(error: io::Error, fd: RawFd, interest: Interest, deadline: Option<&Deadline>) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(true),
        io::ErrorKind::WouldBlock => {
            // SAFETY: the descriptor was good enough for the call before; a closed one makes poll fail, no more.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            match deadline {
                Some(deadline) => net::wait(fd, interest, deadline),
                None => net::wait(fd, interest, &Deadline::after_ms(u32::MAX)).map(|_| true),
            }
        }
        _ => Err(error),
    }
}
