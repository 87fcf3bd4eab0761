//! TCP connections with time limits, for `HAL_TCP_*` and `HAL_TLS_*`.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::cause::Cause;

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

/// Connects to `host` (name, IPv4 or IPv6 address), trying every address it resolves to. Each address gets an equal
/// share of what is left until `deadline`. Name resolution itself takes as long as the system's resolver takes.
///
/// The stream does not block and does not delay small packets; its descriptor is not 0 and not inherited by programs
/// started with exec.
///
/// # Errors
/// Cause and place, for each address.
pub fn connect(host: &str, port: u16, deadline: &Deadline) -> Result<TcpStream, Cause> {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| Cause::passing(format!("name {host} not found ({})", resolver_text(&error))))?
        .collect();
    if addresses.is_empty() {
        return Err(Cause::passing(format!("name {host} not found (it has no address)")));
    }
    let mut reasons = Vec::new();
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
        let share = deadline.remaining() / left;
        // connect_timeout refuses a limit of zero.
        let result = match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(stream) => prepare(stream),
            Err(error) => Err(error),
        };
        match result {
            Ok(stream) => return Ok(stream),
            Err(error) => reasons.push(place(&error, address)),
        }
    }
    Err(Cause::passing(reasons.join(", ")))
}

/// What happened, and where.
fn place(error: &io::Error, address: &SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => format!("no answer from {address} (time-out)"),
        io::ErrorKind::ConnectionRefused => format!("connection refused by {address}"),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => format!("no route to {address}"),
        _ => format!("can't connect to {address} ({})", io_text(error)),
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

fn resolver_text(error: &io::Error) -> String {
    let text = io_text(error);
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    if stream.as_raw_fd() != 0 {
        return Ok(stream);
    }
    // A program that closed its stdin gets descriptor 0, which C callers take for a failure.
    let low = OwnedFd::from(stream);
    // SAFETY: `low` is open; the new descriptor is owned by nobody else.
    unsafe {
        match libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 1) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(TcpStream::from_raw_fd(OwnedFd::from_raw_fd(fd).into_raw_fd())),
        }
    }
}
