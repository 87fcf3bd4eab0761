//! `HAL_UDP_*` (coap.md, 6). A handle is the socket's descriptor. It blocks, as the C SDK's does: a program may have read
//! and write functions of its own.

use std::ffi::{c_char, c_int};
use std::io;
use std::os::fd::OwnedFd;

use crate::address::Address;
use crate::cause::Cause;
use crate::net::{self, Deadline, Interest};
use crate::socket::{self, wait_after};
use crate::{addresses, connect, log};
use iot_abi::error::{QCLOUD_ERR_INVAL, QCLOUD_ERR_SSL_READ, QCLOUD_ERR_SSL_READ_TIMEOUT};

/// The contract's code for a datagram that was not sent or not received.
const FAILED: c_int = -1;

export! {
    "HAL_UDP_Connect" or 0;
    /// A socket that speaks with `host`, NUL-terminated. Sends nothing. Returns the handle, 0 on failure (logged).
    ///
    /// # Safety
    /// `host` is NULL or a NUL-terminated string.
    pub unsafe fn iot_platform_udp_connect(host: *const c_char, port: u16) -> usize {
        // SAFETY: the caller's promise.
        let opened = unsafe { socket::host_name(host) }.and_then(|host| connect::resolve(host, port)).and_then(open_one_of);
        socket::handle_of(NAME, opened)
    }
}

/// Whether an address answers shows much later. So one that there is a way to is taken, and another the next time if nothing
/// came from it.
fn open_one_of(mut all: Vec<Address>) -> Result<OwnedFd, Cause> {
    sort(&mut all);
    let mut reasons = Vec::new();
    for address in all {
        addresses::tried(address);
        match open(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => reasons.push(connect::reason(&error, address)),
        }
    }
    Err(connect::verdict(&reasons))
}

/// Puts those first that are to be tried first: as [`addresses::sort`], but IPv4 before IPv6. The C SDK knows nothing else,
/// and where IPv6 leads nowhere no connection tells it soon.
pub fn sort(all: &mut [Address]) {
    all.sort_by_key(Address::is_ipv6);
    addresses::sort(all);
}

/// A socket that takes datagrams from `address` only, and blocks.
///
/// # Errors
/// There is no socket to be had, or no way to the address.
pub fn open(address: Address) -> io::Result<OwnedFd> {
    connect::start(address, libc::SOCK_DGRAM)
}

export! {
    "HAL_UDP_Disconnect" or ();
    /// Closes the socket. What is no handle is ignored.
    pub fn iot_platform_udp_disconnect(fd: usize) {
        if let Some(fd) = socket::raw_fd(fd) {
            addresses::unwatch(fd);
            // SAFETY: an open descriptor is the caller's to give away; one that is not open makes the call fail.
            unsafe { libc::close(fd) };
        }
    }
}

export! {
    "HAL_UDP_Write" or FAILED;
    /// Sends one datagram. Returns its bytes; -1 on failure, also on that of an earlier one.
    ///
    /// # Safety
    /// `data` is NULL or has `len` bytes.
    pub unsafe fn iot_platform_udp_write(fd: usize, data: *const u8, len: u32) -> c_int {
        let (Some(fd), false) = (socket::raw_fd(fd), data.is_null()) else {
            log::error(NAME, "null pointer or not a connection handle");
            return QCLOUD_ERR_INVAL;
        };
        loop {
            // SAFETY: the caller's promise; u32 fits usize on every supported target.
            let sent = unsafe { libc::send(fd, data.cast(), len as usize, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
            let error = match c_int::try_from(sent) {
                Ok(sent @ 0..) => return sent,
                _ => io::Error::last_os_error(),
            };
            if let Err(error) = wait_after(error, fd, Interest::Writable, None) {
                log::error(NAME, &format!("sending failed: {}", net::io_text(&error)));
                return FAILED;
            }
        }
    }
}

export! {
    "HAL_UDP_Read" or FAILED;
    /// Waits for one datagram without a limit. Returns its bytes, of which `len` are kept at most; -1 on failure.
    ///
    /// # Safety
    /// `data` is NULL or has room for `len` bytes.
    pub unsafe fn iot_platform_udp_read(fd: usize, data: *mut u8, len: u32) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { read(NAME, fd, data, len, None) }
    }
}

export! {
    "HAL_UDP_ReadTimeout" or FAILED;
    /// Waits for one datagram, with `timeout_ms` 0 without a limit. Returns its bytes, of which `len` are kept at most;
    /// `QCLOUD_ERR_SSL_READ_TIMEOUT` where none came, `QCLOUD_ERR_SSL_READ` where waiting failed, -1 where reading failed.
    ///
    /// # Safety
    /// `data` is NULL or has room for `len` bytes.
    pub unsafe fn iot_platform_udp_read_timeout(fd: usize, data: *mut u8, len: u32, timeout_ms: u32) -> c_int {
        let deadline = (timeout_ms > 0).then(|| Deadline::after_ms(timeout_ms));
        // SAFETY: the caller's promise.
        unsafe { read(NAME, fd, data, len, deadline) }
    }
}

/// # Safety
/// `data` is NULL or has room for `len` bytes.
unsafe fn read(name: &str, fd: usize, data: *mut u8, len: u32, deadline: Option<Deadline>) -> c_int {
    let (Some(fd), false) = (socket::raw_fd(fd), data.is_null()) else {
        log::error(name, "null pointer or not a connection handle");
        return QCLOUD_ERR_INVAL;
    };
    loop {
        // MSG_DONTWAIT: between the wait and this another thread may have taken the datagram.
        // SAFETY: the caller's buffer, which may be uninitialised: only written to.
        let got = unsafe { libc::recv(fd, data.cast(), len as usize, libc::MSG_DONTWAIT) };
        if let Ok(got @ 0..) = c_int::try_from(got) {
            addresses::heard(fd);
            return got;
        }
        let error = io::Error::last_os_error();
        let is_wait = error.kind() == io::ErrorKind::WouldBlock;
        match wait_after(error, fd, Interest::Readable, deadline.as_ref()) {
            Ok(true) => {}
            Ok(false) => return QCLOUD_ERR_SSL_READ_TIMEOUT,
            Err(error) => {
                log::error(name, &format!("receiving failed: {}", net::io_text(&error)));
                return if is_wait { QCLOUD_ERR_SSL_READ } else { FAILED };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString};
    use std::mem::ManuallyDrop;
    use std::net::UdpSocket;
    use std::os::fd::{AsRawFd, FromRawFd};

    use super::*;
    use crate::address::tests::of;
    use crate::log_double;

    /// Far beyond what loopback needs; reached only when something is wrong.
    const LONG: u32 = 60_000;

    fn connect(host: &CStr, port: u16) -> usize {
        // SAFETY: a NUL-terminated host.
        unsafe { iot_platform_udp_connect(host.as_ptr(), port) }
    }

    /// A handle, and its peer, which is connected with it.
    fn pair(address: &str) -> (usize, UdpSocket) {
        let peer = UdpSocket::bind((address, 0)).unwrap();
        let host = CString::new(address).unwrap();
        let handle = connect(&host, peer.local_addr().unwrap().port());
        assert!(handle > 2, "{handle}");
        // SAFETY: the handle is the descriptor of an open socket, which is not closed here.
        let ours = ManuallyDrop::new(unsafe { UdpSocket::from_raw_fd(socket::raw_fd(handle).unwrap()) });
        peer.connect(ours.local_addr().unwrap()).unwrap();
        (handle, peer)
    }

    fn write(handle: usize, data: &[u8]) -> c_int {
        // SAFETY: valid data.
        unsafe { iot_platform_udp_write(handle, data.as_ptr(), u32::try_from(data.len()).unwrap()) }
    }

    fn read(handle: usize, buffer: &mut [u8], timeout_ms: u32) -> c_int {
        let len = u32::try_from(buffer.len()).unwrap();
        // SAFETY: a valid buffer.
        unsafe { iot_platform_udp_read_timeout(handle, buffer.as_mut_ptr(), len, timeout_ms) }
    }

    #[test]
    fn datagrams_go_both_ways_one_at_a_time_over_ipv4_and_ipv6() {
        for address in ["127.0.0.1", "::1"] {
            let (handle, peer) = pair(address);
            let mut buffer = [0; 5000];
            assert_eq!(write(handle, b"one"), 3);
            assert_eq!(write(handle, b""), 0);
            assert_eq!((peer.recv(&mut buffer).unwrap(), &buffer[..3]), (3, &b"one"[..]));
            assert_eq!(peer.recv(&mut buffer).unwrap(), 0);
            for datagram in [&[7; 4096][..], b"", b"12345"] {
                peer.send(datagram).unwrap();
            }
            assert_eq!(read(handle, &mut buffer, LONG), 4096);
            assert_eq!(read(handle, &mut buffer, LONG), 0);
            assert_eq!(read(handle, &mut buffer[..2], LONG), 2, "the rest is cut off");
            assert_eq!(read(handle, &mut buffer, 1), QCLOUD_ERR_SSL_READ_TIMEOUT);
            iot_platform_udp_disconnect(handle);
        }
        assert_eq!(log_double::take(), Vec::<String>::new());
    }

    #[test]
    fn without_a_limit_a_read_waits_until_something_comes() {
        let (handle, peer) = pair("127.0.0.1");
        let mut buffer = [0; 8];
        let (asks, is_asked) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for () in is_asked {
                    std::thread::yield_now();
                    peer.send(b"x").unwrap();
                }
            });
            asks.send(()).unwrap();
            assert_eq!(read(handle, &mut buffer, 0), 1);
            asks.send(()).unwrap();
            // SAFETY: a valid buffer.
            assert_eq!(unsafe { iot_platform_udp_read(handle, buffer.as_mut_ptr(), 8) }, 1);
            drop(asks);
        });
        iot_platform_udp_disconnect(handle);
    }

    #[test]
    fn a_signal_ends_no_wait() {
        extern "C" fn nothing(_: c_int) {}
        let (handle, peer) = pair("127.0.0.1");
        // SAFETY: a handler that does nothing, without SA_RESTART, for a signal that nothing else here uses.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()), 0);
        }
        // SAFETY: touches no memory.
        let reader = unsafe { libc::pthread_self() };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..20 {
                    // SAFETY: the thread lives as long as this scope.
                    assert_eq!(unsafe { libc::pthread_kill(reader, libc::SIGUSR2) }, 0);
                    std::thread::yield_now();
                }
                peer.send(b"x").unwrap();
            });
            assert_eq!(read(handle, &mut [0; 8], LONG), 1);
        });
        iot_platform_udp_disconnect(handle);
    }

    #[test]
    fn a_closed_port_makes_the_next_call_fail() {
        // While this has the port, nobody is given it on the address beside.
        let neighbour = UdpSocket::bind("127.0.0.1:0").unwrap();
        let handle = connect(c"127.0.0.2", neighbour.local_addr().unwrap().port());
        assert_eq!(write(handle, b"x"), 1);
        assert_eq!(read(handle, &mut [0; 8], LONG), FAILED);
        assert_eq!(write(handle, b"x"), 1);
        assert_eq!(write(handle, b"x"), FAILED, "it tells of the one before");
        iot_platform_udp_disconnect(handle);
        let lines = ["ERR receiving failed: connection refused", "ERR sending failed: connection refused"];
        assert_eq!(log_double::take(), lines);
    }

    #[test]
    fn a_datagram_that_is_too_long_is_refused() {
        let (handle, _peer) = pair("127.0.0.1");
        assert_eq!(write(handle, &[0; 70_000]), FAILED);
        assert_eq!(log_double::take(), ["ERR sending failed: Message too long"]);
        iot_platform_udp_disconnect(handle);
    }

    #[test]
    fn the_address_that_answered_is_taken_and_one_that_did_not_comes_last() {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let all = vec![of(one.local_addr().unwrap()), of(two.local_addr().unwrap())];
        let next = |all| Address::of_peer(open_one_of(all).unwrap().as_raw_fd()).unwrap();
        assert_eq!([next(all.clone()), next(all.clone())], [all[0], all[1]]);
        addresses::proven(all[1]);
        assert_eq!(next(all.clone()), all[1]);
        // IPv6 with a scope that no interface has: there is no way to it.
        let unreachable = of("[fe80::1%4000000000]:9");
        assert_eq!(next(vec![unreachable, all[1]]), all[1]);
        let text = open_one_of(vec![unreachable]).unwrap_err().text;
        assert!(text.contains("[fe80::1%4000000000]:9"), "{text}");
    }

    #[test]
    fn ipv4_comes_before_ipv6_until_that_was_of_use() {
        let mut all = ["[::1]:1", "[::1]:2", "127.0.0.1:1"].map(of);
        sort(&mut all);
        assert_eq!(all, ["127.0.0.1:1", "[::1]:1", "[::1]:2"].map(of));
        addresses::proven(all[2]);
        sort(&mut all);
        assert_eq!(all[0], of("[::1]:2"));
        // "localhost" is ::1 first on many systems, and this listens on 127.0.0.1 only.
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let handle = connect(c"localhost", peer.local_addr().unwrap().port());
        assert_eq!(write(handle, b"x"), 1);
        assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 1);
        iot_platform_udp_disconnect(handle);
    }

    #[test]
    fn an_address_is_of_use_once_something_was_read_from_it() {
        let (handle, peer) = pair("127.0.0.1");
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (unknown, this) = (of(other.local_addr().unwrap()), of(peer.local_addr().unwrap()));
        let first = || {
            let mut both = [this, unknown];
            addresses::sort(&mut both);
            both[0]
        };
        assert_eq!(first(), unknown);
        peer.send(b"x").unwrap();
        assert_eq!(read(handle, &mut [0], LONG), 1);
        assert_eq!(first(), this);
        iot_platform_udp_disconnect(handle);
    }

    #[test]
    fn what_can_not_work_is_refused_with_its_cause() {
        assert_eq!(connect(c"no such host", 1), 0);
        assert_eq!(connect(c"", 1), 0);
        let mut byte = 0;
        // SAFETY: NULL is allowed, and so is what is no handle.
        unsafe {
            assert_eq!(iot_platform_udp_connect(std::ptr::null(), 1), 0);
            assert_eq!(iot_platform_udp_write(0, &byte, 1), QCLOUD_ERR_INVAL);
            assert_eq!(iot_platform_udp_write(5, std::ptr::null(), 1), QCLOUD_ERR_INVAL);
            assert_eq!(iot_platform_udp_read(usize::MAX, &mut byte, 1), QCLOUD_ERR_INVAL);
            assert_eq!(iot_platform_udp_read_timeout(5, std::ptr::null_mut(), 1, 1), QCLOUD_ERR_INVAL);
        }
        iot_platform_udp_disconnect(0);
        let lines = log_double::take();
        assert!(lines[0].starts_with("ERR name no such host not found ("), "{}", lines[0]);
        assert_eq!(lines.len(), 7);
    }
}
