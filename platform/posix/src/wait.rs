//! A wait for bytes that another thread can end (`abi/c/platform_wait.h`).

use std::ffi::c_int;

use crate::descriptors;

export! {
    "iot_platform_waker_create" or -1;
    /// A descriptor that ends waits, -1 where there is none to be had.
    pub fn iot_platform_waker_create() -> c_int {
        let _hold = descriptors::hold();
        // SAFETY: touches no memory.
        unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) }
    }
}

export! {
    "iot_platform_waker_wake";
    /// Ends the waits that `waker` is in; where there is none, the next one.
    pub fn iot_platform_waker_wake(waker: c_int) {
        let one = 1_u64;
        // SAFETY: eight bytes, as eventfd wants them. It fails only where the count is full, and then it wakes, too.
        unsafe { libc::write(waker, std::ptr::from_ref(&one).cast(), size_of::<u64>()) };
    }
}

export! {
    "iot_platform_waker_destroy";
    /// Closes `waker`. No thread may use it any more.
    pub fn iot_platform_waker_destroy(waker: c_int) {
        // SAFETY: the descriptor is the caller's to give away; one that is not open makes the call fail.
        unsafe { libc::close(waker) };
    }
}

export! {
    "iot_platform_wait";
    /// Waits until `descriptor` has bytes or has come to its end, has room where there `is_writing`, `waker` was woken, or
    /// the time is over. It may end earlier.
    pub fn iot_platform_wait(descriptor: c_int, is_writing: c_int, waker: c_int, timeout_ms: u32) {
        let wanted = if is_writing == 0 { libc::POLLIN } else { libc::POLLIN | libc::POLLOUT };
        let mut both = [
            libc::pollfd { fd: descriptor, events: wanted, revents: 0 },
            libc::pollfd { fd: waker, events: libc::POLLIN, revents: 0 },
        ];
        let ms = c_int::try_from(timeout_ms).unwrap_or(c_int::MAX);
        // SAFETY: two valid pollfds.
        let ready = unsafe { libc::poll(both.as_mut_ptr(), 2, ms) };
        if ready > 0 && both[1].revents != 0 {
            let mut count = 0_u64;
            // The next wait is to wait again.
            // SAFETY: eight writable bytes; the descriptor does not block.
            unsafe { libc::read(waker, std::ptr::from_mut(&mut count).cast(), size_of::<u64>()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Reached only when something is wrong.
    const LONG: u32 = 60_000;

    struct Waker(c_int);

    impl Waker {
        fn new() -> Self {
            let waker = iot_platform_waker_create();
            assert!(waker > 2, "{waker}");
            Waker(waker)
        }
    }

    impl Drop for Waker {
        fn drop(&mut self) {
            iot_platform_waker_destroy(self.0);
        }
    }

    fn is_readable(fd: c_int) -> bool {
        let mut one = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        unsafe { libc::poll(&mut one, 1, 0) == 1 }
    }

    #[test]
    fn another_thread_ends_a_wait() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let waker = Waker::new();
        let begin = std::time::Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| iot_platform_waker_wake(waker.0));
            iot_platform_wait(ours.as_raw_fd(), 0, waker.0, LONG);
        });
        assert!(begin.elapsed().as_millis() < u128::from(LONG));
        assert!(!is_readable(waker.0), "a wake ends one wait");
    }

    #[test]
    fn bytes_and_room_end_a_wait_and_leave_the_waker_alone() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let waker = Waker::new();
        iot_platform_wait(ours.as_raw_fd(), 1, waker.0, LONG);
        theirs.write_all(b"x").unwrap();
        iot_platform_wait(ours.as_raw_fd(), 0, waker.0, LONG);
        drop(theirs);
        iot_platform_wait(ours.as_raw_fd(), 0, waker.0, LONG);
        iot_platform_waker_wake(waker.0);
        iot_platform_waker_wake(waker.0);
        assert!(is_readable(waker.0));
    }
}
