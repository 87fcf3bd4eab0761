//! `HAL_TCP_*`. A handle is the socket's descriptor.

use std::ffi::{c_char, c_int};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use crate::net::{self, Deadline, Interest};
use crate::socket::{self, wait_after};
use crate::{addresses, connect, log};
use iot_abi::error::{
    QCLOUD_ERR_INVAL, QCLOUD_ERR_TCP_NOTHING_TO_READ, QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_ERR_TCP_READ_FAIL,
    QCLOUD_ERR_TCP_READ_TIMEOUT, QCLOUD_ERR_TCP_WRITE_FAIL, QCLOUD_ERR_TCP_WRITE_TIMEOUT, QCLOUD_RET_SUCCESS,
};

/// Time limit of a connect, all addresses together: `HAL_TCP_Connect` has no parameter for it.
const CONNECT_TIMEOUT_MS: u32 = 10_000;

export! {
    "HAL_TCP_Connect" or 0;
    /// Connects to `host`, NUL-terminated. Returns the handle, 0 on failure (logged).
    ///
    /// # Safety
    /// `host` is NULL or a NUL-terminated string.
    pub unsafe fn iot_platform_tcp_connect(host: *const c_char, port: u16) -> usize {
        // SAFETY: the caller's promise.
        let connected = unsafe { socket::host_name(host) }
            .and_then(|host| connect::connect(host, port, &Deadline::after_ms(CONNECT_TIMEOUT_MS)));
        socket::handle_of(NAME, connected)
    }
}

export! {
    "HAL_TCP_Disconnect" or QCLOUD_ERR_INVAL;
    /// Closes the connection. Returns 0, or `QCLOUD_ERR_INVAL` where `fd` is no handle.
    pub fn iot_platform_tcp_disconnect(fd: usize) -> c_int {
        let Some(fd) = socket::raw_fd(fd) else {
            log::error(NAME, "not a connection handle");
            return QCLOUD_ERR_INVAL;
        };
        addresses::unwatch(fd);
        // SAFETY: an open descriptor is the caller's to give away; one that is not open makes each call fail.
        unsafe {
            net::finish(BorrowedFd::borrow_raw(fd));
            libc::close(fd);
        }
        QCLOUD_RET_SUCCESS
    }
}

export! {
    "HAL_TCP_Read" or QCLOUD_ERR_TCP_READ_FAIL;
    /// Reads until `len` bytes are in or `timeout_ms` is over (hal.md). Sets `*read_len` whatever it returns.
    ///
    /// # Safety
    /// `data` is NULL or has room for `len` bytes, `read_len` is NULL or writable.
    pub unsafe fn iot_platform_tcp_read(
        fd: usize,
        data: *mut u8,
        len: u32,
        timeout_ms: u32,
        read_len: *mut usize,
    ) -> c_int {
        let (Some(fd), false, false) = (socket::raw_fd(fd), data.is_null(), read_len.is_null()) else {
            log::error(NAME, "null pointer or not a connection handle");
            return QCLOUD_ERR_INVAL;
        };
        // SAFETY: the caller's promise; u32 fits usize on every supported target.
        let (code, n) = unsafe { read(fd, data, len as usize, timeout_ms) };
        // SAFETY: the caller's promise.
        unsafe { *read_len = n };
        code
    }
}

export! {
    "HAL_TCP_Write" or QCLOUD_ERR_TCP_WRITE_FAIL;
    /// Writes until all of `data` is sent or `timeout_ms` is over (hal.md). Sets `*written_len` whatever it returns.
    ///
    /// # Safety
    /// `data` is NULL or has `len` bytes, `written_len` is NULL or writable.
    pub unsafe fn iot_platform_tcp_write(
        fd: usize,
        data: *const u8,
        len: u32,
        timeout_ms: u32,
        written_len: *mut usize,
    ) -> c_int {
        let (Some(fd), false, false) = (socket::raw_fd(fd), data.is_null(), written_len.is_null()) else {
            log::error(NAME, "null pointer or not a connection handle");
            return QCLOUD_ERR_INVAL;
        };
        // SAFETY: the caller's promise.
        let (code, n) = unsafe { write(fd, data, len as usize, timeout_ms) };
        // SAFETY: the caller's promise.
        unsafe { *written_len = n };
        code
    }
}

/// # Safety
/// `data` has room for `len` bytes.
unsafe fn read(fd: RawFd, data: *mut u8, len: usize, timeout_ms: u32) -> (c_int, usize) {
    let deadline = Deadline::after_ms(timeout_ms);
    let mut n = 0;
    while n < len {
        // MSG_DONTWAIT: the descriptor may come from a user's own HAL_TCP_Connect and block.
        // SAFETY: `n < len`, so the range is inside the caller's buffer, which may be uninitialised: only written to.
        let got = unsafe { libc::recv(fd, data.add(n).cast(), len - n, libc::MSG_DONTWAIT) };
        match usize::try_from(got) {
            Ok(0) => return (QCLOUD_ERR_TCP_PEER_SHUTDOWN, n),
            Ok(got) => {
                n += got;
                addresses::heard(fd);
            }
            Err(_) => match wait_after(io::Error::last_os_error(), fd, Interest::Readable, Some(&deadline)) {
                Ok(true) => {}
                Ok(false) if n == 0 => return (QCLOUD_ERR_TCP_NOTHING_TO_READ, 0),
                Ok(false) => return (QCLOUD_ERR_TCP_READ_TIMEOUT, n),
                Err(error) => {
                    log::error("HAL_TCP_Read", &format!("reading failed: {}", net::io_text(&error)));
                    return (QCLOUD_ERR_TCP_READ_FAIL, n);
                }
            },
        }
    }
    (QCLOUD_RET_SUCCESS, n)
}

/// # Safety
/// `data` has `len` bytes.
unsafe fn write(fd: RawFd, data: *const u8, len: usize, timeout_ms: u32) -> (c_int, usize) {
    let deadline = Deadline::after_ms(timeout_ms);
    let mut n = 0;
    while n < len {
        // SAFETY: `n < len`, so the range is inside the caller's data.
        let sent = unsafe { libc::send(fd, data.add(n).cast(), len - n, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
        match usize::try_from(sent) {
            Ok(sent) => n += sent,
            Err(_) => match wait_after(io::Error::last_os_error(), fd, Interest::Writable, Some(&deadline)) {
                Ok(true) => {}
                Ok(false) => return (QCLOUD_ERR_TCP_WRITE_TIMEOUT, n),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return (QCLOUD_ERR_TCP_PEER_SHUTDOWN, n);
                }
                Err(error) => {
                    log::error("HAL_TCP_Write", &format!("writing failed: {}", net::io_text(&error)));
                    return (QCLOUD_ERR_TCP_WRITE_FAIL, n);
                }
            },
        }
    }
    (QCLOUD_RET_SUCCESS, n)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::address::tests::of;
    use crate::log_double;

    /// Far beyond what loopback needs; reached only when something is wrong.
    const LONG: u32 = 60_000;

    fn connect(host: &CStr, port: u16) -> usize {
        // SAFETY: a NUL-terminated host.
        unsafe { iot_platform_tcp_connect(host.as_ptr(), port) }
    }

    fn pair(address: &str) -> (usize, TcpStream) {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let host = std::ffi::CString::new(address).unwrap();
        let handle = connect(&host, listener.local_addr().unwrap().port());
        assert!(handle > 0);
        (handle, listener.accept().unwrap().0)
    }

    fn read_from(handle: usize, buffer: &mut [u8], timeout_ms: u32) -> (c_int, usize) {
        let mut n = usize::MAX;
        let len = u32::try_from(buffer.len()).unwrap();
        // SAFETY: valid buffer and count.
        let code = unsafe { iot_platform_tcp_read(handle, buffer.as_mut_ptr(), len, timeout_ms, &mut n) };
        (code, n)
    }

    fn write_to(handle: usize, data: &[u8], timeout_ms: u32) -> (c_int, usize) {
        let mut n = usize::MAX;
        let len = u32::try_from(data.len()).unwrap();
        // SAFETY: valid data and count.
        let code = unsafe { iot_platform_tcp_write(handle, data.as_ptr(), len, timeout_ms, &mut n) };
        (code, n)
    }

    #[test]
    fn reads_return_the_codes_of_the_contract() {
        let (handle, mut peer) = pair("127.0.0.1");
        let mut buffer = [0; 8];
        assert_eq!(read_from(handle, &mut buffer, 0), (QCLOUD_ERR_TCP_NOTHING_TO_READ, 0));
        assert_eq!(read_from(handle, &mut buffer, 1), (QCLOUD_ERR_TCP_NOTHING_TO_READ, 0));
        peer.write_all(b"12345").unwrap();
        assert_eq!(read_from(handle, &mut buffer[..2], LONG), (0, 2));
        assert_eq!(read_from(handle, &mut buffer, 1), (QCLOUD_ERR_TCP_READ_TIMEOUT, 3));
        assert_eq!(&buffer[..3], b"345");
        let writer = std::thread::spawn(move || {
            for piece in [b"abcd", b"efgh", b"ijkl"] {
                peer.write_all(piece).unwrap();
                std::thread::yield_now();
            }
        });
        assert_eq!(read_from(handle, &mut buffer, LONG), (0, 8));
        assert_eq!(&buffer, b"abcdefgh");
        writer.join().unwrap(); // and the peer is closed
        assert_eq!(read_from(handle, &mut buffer, LONG), (QCLOUD_ERR_TCP_PEER_SHUTDOWN, 4));
        assert_eq!(read_from(handle, &mut buffer, LONG), (QCLOUD_ERR_TCP_PEER_SHUTDOWN, 0));
        assert_eq!(iot_platform_tcp_disconnect(handle), 0);
        assert_eq!(log_double::take(), Vec::<String>::new());
    }

    #[test]
    fn writes_go_out_whole_or_say_how_far_they_came() {
        let (handle, mut peer) = pair("::1");
        let data: Vec<u8> = (0..32_000_000_u32).map(|i| (i % 251) as u8).collect();
        let (code, n) = write_to(handle, &data, 0);
        assert_eq!(code, QCLOUD_ERR_TCP_WRITE_TIMEOUT);
        assert!(n > 0 && n < data.len());
        let (sender, receiver) = channel();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            let _ = peer.read_to_end(&mut all);
            sender.send(all).unwrap();
        });
        assert_eq!(write_to(handle, &data[n..], LONG), (0, data.len() - n));
        iot_platform_tcp_disconnect(handle);
        assert!(receiver.recv().unwrap() == data);
        reader.join().unwrap();
    }

    #[test]
    fn writing_to_a_closed_peer_ends_without_a_signal() {
        let (handle, peer) = pair("127.0.0.1");
        drop(peer);
        let code = loop {
            match write_to(handle, b"x", LONG) {
                (0, 1) => {}
                (code, n) => {
                    assert_eq!(n, 0);
                    break code;
                }
            }
        };
        assert!([QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_ERR_TCP_WRITE_FAIL].contains(&code), "{code}");
        iot_platform_tcp_disconnect(handle);
    }

    #[test]
    fn every_address_of_a_name_is_tried() {
        // "localhost" is ::1 first on many systems, and this listens on 127.0.0.1 only.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let handle = connect(c"localhost", listener.local_addr().unwrap().port());
        assert!(handle > 0);
        iot_platform_tcp_disconnect(handle);
    }

    #[test]
    fn an_address_is_of_use_once_something_was_read_from_it() {
        let (handle, mut peer) = pair("127.0.0.1");
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let (unknown, this) = (of(other.local_addr().unwrap()), of(peer.local_addr().unwrap()));
        let sorted = || {
            let mut both = [this, unknown];
            addresses::sort(&mut both);
            both
        };
        assert_eq!(sorted(), [unknown, this], "connected, and nothing came");
        peer.write_all(b"x").unwrap();
        assert_eq!(read_from(handle, &mut [0], LONG), (0, 1));
        assert_eq!(sorted(), [this, unknown]);
        iot_platform_tcp_disconnect(handle);
    }

    #[test]
    fn failures_name_the_cause() {
        // While this has the port, nobody is given it on the address beside, and nobody listens there.
        let neighbour = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = neighbour.local_addr().unwrap().port();
        assert_eq!(connect(c"127.0.0.2", port), 0);
        assert_eq!(connect(c"no such host", 1), 0);
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { iot_platform_tcp_connect(std::ptr::null(), 1) }, 0);
        let lines = log_double::take();
        assert_eq!(lines[0], format!("ERR connection refused by 127.0.0.2:{port}"));
        assert!(lines[1].starts_with("ERR name no such host not found ("), "{}", lines[1]);
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn null_pointers_and_bad_handles_are_refused() {
        let (mut byte, mut n) = (0, 0);
        // SAFETY: NULL is allowed.
        unsafe {
            assert_eq!(iot_platform_tcp_read(0, &mut byte, 1, 0, &mut n), QCLOUD_ERR_INVAL);
            assert_eq!(iot_platform_tcp_read(5, std::ptr::null_mut(), 1, 0, &mut n), QCLOUD_ERR_INVAL);
            assert_eq!(iot_platform_tcp_write(usize::MAX, &byte, 1, 0, &mut n), QCLOUD_ERR_INVAL);
            assert_eq!(iot_platform_tcp_write(5, &byte, 1, 0, std::ptr::null_mut()), QCLOUD_ERR_INVAL);
        }
        assert_eq!(iot_platform_tcp_disconnect(0), QCLOUD_ERR_INVAL);
        assert_eq!(log_double::take().len(), 5);
    }
}
