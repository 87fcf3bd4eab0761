//! Sockets with time limits, for `HAL_TCP_*` and `HAL_TLS_*`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Data, or the end of the connection.
    Readable,
    /// Room for data, or the end of the connection.
    Writable,
    /// Either.
    Both,
}

/// A moment until which a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// `timeout_ms` milliseconds from now.
    #[must_use]
    pub fn after_ms(timeout_ms: u32) -> Self {
        Self(Instant::now().checked_add(Duration::from_millis(u64::from(timeout_ms))))
    }

    /// `duration` from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now().checked_add(duration))
    }

    /// What is left, zero when it is over.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.map_or(Duration::from_secs(3600), |end| end.saturating_duration_since(Instant::now()))
    }
}

/// Waits until `fd` is ready or the deadline is over. Returns whether it is ready.
///
/// # Errors
/// poll(2) failed.
pub fn wait(fd: BorrowedFd<'_>, interest: Interest, deadline: &Deadline) -> io::Result<bool> {
    let events = match interest {
        Interest::Readable => libc::POLLIN,
        Interest::Writable => libc::POLLOUT,
        Interest::Both => libc::POLLIN | libc::POLLOUT,
    };
    loop {
        let remaining = deadline.remaining();
        // Rounded up: a wait that ends too early would make the caller go round with nothing to do.
        let ms = remaining.as_nanos().div_ceil(1_000_000);
        let ms = libc::c_int::try_from(ms).unwrap_or(libc::c_int::MAX);
        let mut poll_fd = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        // SAFETY: one valid pollfd.
        match unsafe { libc::poll(&mut poll_fd, 1, ms) } {
            0 if deadline.remaining().is_zero() => return Ok(false),
            0 => {}
            n if n > 0 => return Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// Ends a connection that is about to be closed, without waiting: everything written still reaches the peer.
pub fn finish(fd: BorrowedFd<'_>) {
    const PIECES: u32 = 64;
    // SAFETY: shutdown touches no memory; it fails where the peer is gone already, which is fine.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) };
    // To close with unread data resets the connection, and the peer loses what it has not read yet.
    let mut rest = [0_u8; 1024];
    for _ in 0..PIECES {
        // SAFETY: `rest` has the size given.
        let n = unsafe { libc::recv(fd.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len(), libc::MSG_DONTWAIT) };
        if n <= 0 {
            break;
        }
    }
}

/// `error` in the words of the system, without "(os error 111)".
#[must_use]
pub fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "time-out".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_owned()
        }
    }
}
