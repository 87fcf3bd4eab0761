//! Random numbers of the operating system. The standard library takes the keys of its hash tables from there, too, in a way
//! that adds 3 kB to a program that has no other use for it.

use std::fs::File;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

/// A random number. Where the system has none to give, a bad one: what its clock shows.
pub fn number() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()));
    let mut bytes = clock.to_ne_bytes();
    // Not by the C library's function, which glibc has since 2.25 only.
    // SAFETY: eight writable bytes.
    let filled = unsafe { libc::syscall(libc::SYS_getrandom, bytes.as_mut_ptr(), bytes.len(), libc::GRND_NONBLOCK) };
    if filled != 8 {
        // Linux before 3.17, or one that has only just started.
        let _ = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    }
    u64::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_number_comes_twice() {
        let numbers: std::collections::HashSet<u64> = (0..1000).map(|_| super::number()).collect();
        assert_eq!(numbers.len(), 1000);
    }
}
