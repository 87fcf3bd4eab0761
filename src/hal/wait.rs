//! A wait for bytes that another thread can end, where the connection's functions and the clock are our own platform's. A
//! program's own `HAL_*` have no such wait.

use std::ffi::c_int;
use std::sync::OnceLock;

use super::interface::TransportError;

extern "C" {
    // `platform_wait.c`.
    fn qcloud_wait_is_for_tcp() -> c_int;
    #[cfg(not(feature = "auth-with-notls"))]
    fn qcloud_wait_is_for_tls() -> c_int;
    #[cfg(not(feature = "auth-with-notls"))]
    fn qcloud_wait_tls_descriptor(handle: usize, is_writing: *mut c_int) -> c_int;
    fn qcloud_wait_waker_create() -> c_int;
    fn qcloud_wait_waker_wake(waker: c_int);
    fn qcloud_wait_waker_destroy(waker: c_int);
    fn qcloud_wait(descriptor: c_int, is_writing: c_int, waker: c_int, timeout_ms: u32);
}

/// Whether `HAL_TCP_*` of this program are our platform's.
pub fn is_for_tcp() -> bool {
    // SAFETY: no precondition.
    unsafe { qcloud_wait_is_for_tcp() != 0 }
}

/// Whether `HAL_TLS_*` of this program are our platform's.
#[cfg(not(feature = "auth-with-notls"))]
pub fn is_for_tls() -> bool {
    // SAFETY: no precondition.
    unsafe { qcloud_wait_is_for_tls() != 0 }
}

/// What to wait on, once a read has found nothing.
#[derive(Clone, Copy)]
pub struct Source {
    descriptor: c_int,
    is_writing: c_int,
}

impl Source {
    /// For an open TCP connection, where [`is_for_tcp`]: such a handle is the socket's descriptor.
    pub fn tcp(handle: usize) -> Option<Self> {
        c_int::try_from(handle).ok().map(|descriptor| Source { descriptor, is_writing: 0 })
    }

    /// For an open TLS connection, where [`is_for_tls`].
    ///
    /// # Safety
    /// `handle` is from `HAL_TLS_Connect` and not closed.
    #[cfg(not(feature = "auth-with-notls"))]
    pub unsafe fn tls(handle: usize) -> Option<Self> {
        let mut is_writing = 0;
        // SAFETY: the caller's promises; `is_writing` is writable.
        let descriptor = unsafe { qcloud_wait_tls_descriptor(handle, &mut is_writing) };
        (descriptor >= 0).then_some(Source { descriptor, is_writing })
    }
}

/// Ends a connection's waits.
struct Waker(c_int);

impl Drop for Waker {
    fn drop(&mut self) {
        // SAFETY: made by the platform, destroyed once.
        unsafe { qcloud_wait_waker_destroy(self.0) };
    }
}

/// The waits of a connection for which there is one. Its waker is made when it is wanted first: most connections never
/// wait like this.
#[derive(Default)]
pub struct Waits(OnceLock<Option<Waker>>);

impl Waits {
    fn waker(&self) -> Option<c_int> {
        let made = self.0.get_or_init(|| {
            // SAFETY: only connections that have this wait ask for it.
            let waker = unsafe { qcloud_wait_waker_create() };
            (waker >= 0).then_some(Waker(waker))
        });
        made.as_ref().map(|waker| waker.0)
    }

    /// Whether there is a waker: a system that has no descriptor left gives none.
    pub fn can_be_ended(&self) -> bool {
        self.waker().is_some()
    }

    /// Reads what is there by `read`, which does not wait; where that is nothing, once more after a wait of at most
    /// `timeout_ms` that [`end`](Self::end) ends, too. `source` is asked in between: TLS may hold bytes that the descriptor
    /// knows nothing of.
    pub fn read(
        &self,
        timeout_ms: u32,
        source: impl Fn() -> Option<Source>,
        mut read: impl FnMut() -> Result<usize, TransportError>,
    ) -> Result<usize, TransportError> {
        let count = read()?;
        if count > 0 || timeout_ms == 0 {
            return Ok(count);
        }
        if let (Some(waker), Some(source)) = (self.waker(), source()) {
            // SAFETY: the waker lives as long as this, the descriptor as long as the connection, whose method runs.
            unsafe { qcloud_wait(source.descriptor, source.is_writing, waker, timeout_ms) };
        }
        read()
    }

    /// Ends the wait of another thread, or else the next one.
    pub fn end(&self) {
        if let Some(waker) = self.waker() {
            // SAFETY: the waker lives as long as this.
            unsafe { qcloud_wait_waker_wake(waker) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::hal::{tcp, Transport};

    /// Reached only when something is wrong.
    const LONG: u32 = 60_000;

    #[test]
    fn bytes_that_the_connection_holds_are_read_before_it_is_waited_on() {
        let waits = Waits::default();
        let (count, asked) = (RefCell::new(vec![0, 3]), RefCell::new(0));
        let read = || Ok(count.borrow_mut().pop().unwrap());
        let source = || {
            *asked.borrow_mut() += 1;
            None
        };
        assert_eq!(waits.read(LONG, source, read), Ok(3));
        assert_eq!(*asked.borrow(), 0);
        count.borrow_mut().insert(0, 5);
        assert_eq!(waits.read(LONG, source, read), Ok(5), "what has come while it waited");
        assert_eq!(*asked.borrow(), 1);
    }

    #[test]
    fn a_connection_of_our_platform_rests_until_bytes_come_or_it_is_woken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = tcp::connect(c"127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let mut buffer = [0; 8];
        std::thread::scope(|scope| {
            scope.spawn(|| stream.wake());
            assert_eq!(stream.read_or_wake(&mut buffer, LONG), Some(Ok(0)));
        });
        peer.write_all(b"abc").unwrap();
        assert_eq!(stream.read_or_wake(&mut buffer, LONG), Some(Ok(3)));
        peer.write_all(b"d").unwrap();
        assert_eq!(stream.write(b"x", LONG), Ok(1));
        peer.read_exact(&mut buffer[..1]).unwrap();
        drop(peer);
        assert_eq!(stream.read_or_wake(&mut buffer, LONG), Some(Ok(1)));
        assert!(matches!(stream.read_or_wake(&mut buffer, LONG), Some(Err(TransportError::Closed(_)))));
    }
}
