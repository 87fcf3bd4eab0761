//! Which addresses were of use to this process. A name may have several, and some of them may not work.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Address;

/// How many addresses are remembered. One that was not used for long is forgotten first.
const MAX_ADDRESSES: usize = 32;
/// How many connections may wait for their first byte at once. One more is not watched.
const MAX_WAITING: usize = 16;
const NONE: RawFd = -1;

#[derive(Clone, Copy)]
struct Known {
    address: Address,
    /// How many attempts in a row brought nothing: no connection, no handshake, not one byte. 0: the last one did.
    fruitless: u32,
}

/// What is known, the last used first. An array: what would be allocated here would never be freed.
struct Book([Option<Known>; MAX_ADDRESSES]);

impl Book {
    fn sort(&self, addresses: &mut [Address]) {
        let rank = |address| match self.0.iter().flatten().find(|known| known.address == address) {
            Some(Known { fruitless: 0, .. }) => 0,
            None => 1,
            Some(Known { fruitless, .. }) => fruitless.saturating_add(1),
        };
        // By insertion: a name has a few addresses, and the standard library's sort is kilobytes of code.
        for end in 1..addresses.len() {
            let mut at = end;
            while at > 0 && rank(addresses[at - 1]) > rank(addresses[at]) {
                addresses.swap(at - 1, at);
                at -= 1;
            }
        }
    }

    fn update(&mut self, address: Address, change: impl Fn(u32) -> u32) {
        let is_it = |known: &Option<Known>| known.is_some_and(|known| known.address == address);
        let place = self.0.iter().position(is_it);
        let before = place.and_then(|place| self.0[place]).map_or(0, |known| known.fruitless);
        // To the front. Where it is new, the last one is forgotten.
        self.0[..=place.unwrap_or(MAX_ADDRESSES - 1)].rotate_right(1);
        self.0[0] = Some(Known { address, fruitless: change(before) });
    }

    fn tried(&mut self, address: Address) {
        self.update(address, |fruitless| fruitless.saturating_add(1));
    }

    fn proven(&mut self, address: Address) {
        self.update(address, |_| 0);
    }
}

static BOOK: Mutex<Book> = Mutex::new(Book([None; MAX_ADDRESSES]));

fn book() -> MutexGuard<'static, Book> {
    BOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Descriptors of connections that nothing has been read from.
static WAITING: [AtomicI32; MAX_WAITING] = [const { AtomicI32::new(NONE) }; MAX_WAITING];

/// Puts those first that are to be tried first: one that was of use, then those that nothing is known of in the
/// resolver's order, then the others by how often they were tried in vain.
pub fn sort(addresses: &mut [Address]) {
    book().sort(addresses);
}

/// `address` is tried. In vain, unless [`proven`] says otherwise later.
pub fn tried(address: Address) {
    book().tried(address);
}

/// Something useful came from `address`.
pub fn proven(address: Address) {
    book().proven(address);
}

/// Connection `fd` waits for its first byte.
pub fn watch(fd: RawFd) {
    for place in &WAITING {
        if place.compare_exchange(NONE, fd, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return;
        }
    }
}

/// Something has been read from connection `fd`.
pub fn heard(fd: RawFd) {
    if unwatch(fd) {
        if let Some(address) = Address::of_peer(fd) {
            proven(address);
        }
    }
}

/// Whether `fd` was waiting. It is not any more.
pub fn unwatch(fd: RawFd) -> bool {
    let is_fd = |place: &&AtomicI32| place.load(Ordering::Relaxed) == fd;
    WAITING
        .iter()
        .find(is_fd)
        .is_some_and(|place| place.compare_exchange(fd, NONE, Ordering::Relaxed, Ordering::Relaxed).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::tests::of;

    fn address(last: u8) -> Address {
        of(format!("192.0.2.{last}:7"))
    }

    #[test]
    fn the_useful_address_comes_first_and_those_in_vain_last() {
        let mut book = Book([None; MAX_ADDRESSES]);
        let mut addresses = [address(1), address(2), address(3)];
        book.tried(address(1));
        book.sort(&mut addresses);
        assert_eq!(addresses, [address(2), address(3), address(1)]);
        book.tried(address(3));
        book.proven(address(3));
        book.sort(&mut addresses);
        assert_eq!(addresses, [address(3), address(2), address(1)]);
        // It was of use once, and is no more.
        book.tried(address(3));
        book.tried(address(3));
        book.sort(&mut addresses);
        assert_eq!(addresses, [address(2), address(1), address(3)]);
    }

    #[test]
    fn the_address_that_was_not_used_for_longest_is_forgotten() {
        let mut book = Book([None; MAX_ADDRESSES]);
        for last in 0..MAX_ADDRESSES as u8 {
            book.tried(address(last));
        }
        // Used once more, so it stays.
        book.tried(address(0));
        book.tried(address(200));
        let mut two = [address(0), address(1)];
        book.sort(&mut two);
        assert_eq!(two, [address(1), address(0)], "nothing is known of the second any more");
        let mut two = [address(2), address(1)];
        book.sort(&mut two);
        assert_eq!(two, [address(1), address(2)]);
    }

    #[test]
    fn a_connection_is_watched_until_its_first_byte() {
        assert!(!unwatch(1000));
        watch(1000);
        watch(1001);
        assert!(unwatch(1000));
        assert!(!unwatch(1000));
        assert!(unwatch(1001));
    }
}
