//! Descriptors 0, 1 and 2 are the program's, also where it has closed them: what is printed goes to 1, and would reach a
//! connection or a file that got that number.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

/// The lowest number for descriptors of ours.
const LOWEST: RawFd = 3;

struct Held {
    users: usize,
    /// Which of the numbers are ours for the time being.
    numbers: [bool; LOWEST as usize],
}

static HELD: Mutex<Held> = Mutex::new(Held { users: 0, numbers: [false; LOWEST as usize] });

/// While one of these lives, what opens a descriptor gets none below 3, the C library's resolver and the TLS stacks
/// included. Closed ones among 0 to 2 lead nowhere in that time, and are closed again afterwards.
pub struct Hold(());

impl Held {
    fn begin(&mut self) {
        self.users += 1;
        for fd in 0..LOWEST {
            if is_open(fd) {
                continue;
            }
            // The system gives the lowest number that is free.
            match fill() {
                filled if filled == fd => self.numbers[fd as usize] = true,
                // Another thread was faster.
                // SAFETY: opened just now, or -1, which is no descriptor.
                other => drop(unsafe { libc::close(other) }),
            }
        }
    }

    fn end(&mut self) {
        self.users -= 1;
        if self.users > 0 {
            return;
        }
        for fd in 0..LOWEST {
            if std::mem::take(&mut self.numbers[fd as usize]) && is_filler(fd) {
                // SAFETY: opened by `fill`, and still what that opened: the program has not taken the number since.
                unsafe { libc::close(fd) };
            }
        }
    }
}

/// Begins to keep 0, 1 and 2 from being given away.
#[must_use]
pub fn hold() -> Hold {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).begin();
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).end();
    }
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: touches no memory.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Opens what can be neither read nor written, and exists wherever a program runs. Returns -1 on failure.
fn fill() -> RawFd {
    // SAFETY: a NUL-terminated path.
    unsafe { libc::open(c"/".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) }
}

/// Whether `fd` is what `fill` opens.
fn is_filler(fd: RawFd) -> bool {
    // SAFETY: all-zero bytes are a valid stat, and the calls write to nothing else.
    unsafe {
        let (mut this, mut root): (libc::stat, libc::stat) = std::mem::zeroed();
        libc::fstat(fd, &mut this) == 0
            && libc::stat(c"/".as_ptr(), &mut root) == 0
            && (this.st_dev, this.st_ino) == (root.st_dev, root.st_ino)
    }
}

/// `open`, or a copy of it with a number from 3 where another thread got in between. Not inherited by programs that are
/// started with exec.
///
/// # Errors
/// No descriptor is left.
pub fn lift(open: OwnedFd) -> io::Result<OwnedFd> {
    if open.as_raw_fd() >= LOWEST {
        return Ok(open);
    }
    // SAFETY: `open` is open; the new descriptor is owned by nobody else.
    unsafe {
        match libc::fcntl(open.as_raw_fd(), libc::F_DUPFD_CLOEXEC, LOWEST) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 0 to 2 of this program are open; tests/platform/closed_descriptors.c closes them.
    #[test]
    fn a_descriptor_above_2_stays_what_it_is() {
        let file = OwnedFd::from(std::fs::File::open("/").unwrap());
        let number = file.as_raw_fd();
        assert!(number >= LOWEST);
        assert_eq!(lift(file).unwrap().as_raw_fd(), number);
    }

    #[test]
    fn holds_may_be_nested() {
        let outer = hold();
        drop(hold());
        drop(outer);
        assert!((0..LOWEST).all(is_open), "what the program has open stays open");
    }
}
