//! Which addresses were of use to this process. A name may have several, and some of them may not work.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many addresses are remembered. One that was not used for long is forgotten first.
const MAX_ADDRESSES: usize = 32;
/// How many connections may wait for their first byte at once. One more is not watched.
const MAX_WAITING: usize = 16;
const NONE: RawFd = -1;

#[derive(Clone, Copy)]
struct Known {
    address: SocketAddr,
    /// How many attempts in a row brought nothing: no connection, no handshake, not one byte. 0: the last one did.
    fruitless: u32,
}

/// What is known, the last used first. An array: what would be allocated here would never be freed.
static KNOWN: Mutex<[Option<Known>; MAX_ADDRESSES]> = Mutex::new([None; MAX_ADDRESSES]);

/// Descriptors of connections that nothing has been read from.
static WAITING: [AtomicI32; MAX_WAITING] = [const { AtomicI32::new(NONE) }; MAX_WAITING];

/// Puts those first that are to be tried first: one that was of use, then those that nothing is known of in the
/// resolver's order, then the others by how often they were tried in vain.
pub fn sort(addresses: &mut [SocketAddr]) {
    let all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    addresses.sort_by_key(|address| match all.iter().flatten().find(|known| known.address == *address) {
        Some(Known { fruitless: 0, .. }) => 0,
        None => 1,
        Some(Known { fruitless, .. }) => fruitless.saturating_add(1),
    });
}

/// `address` is tried. In vain, unless [`proven`] says otherwise later.
pub fn tried(address: SocketAddr) {
    update(address, |fruitless| fruitless.saturating_add(1));
}

/// Something useful came from `address`.
pub fn proven(address: SocketAddr) {
    update(address, |_| 0);
}

fn update(address: SocketAddr, change: impl Fn(u32) -> u32) {
    let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |known: &Option<Known>| known.is_some_and(|known| known.address == address);
    let place = all.iter().position(is_it);
    let before = place.and_then(|place| all[place]).map_or(0, |known| known.fruitless);
    // To the front. Where it is new, the last one is forgotten.
    all[..=place.unwrap_or(MAX_ADDRESSES - 1)].rotate_right(1);
    all[0] = Some(Known { address, fruitless: change(before) });
}

/// Connection `fd` waits for its first byte.
pub fn watch(fd: RawFd) {
    for place in &WAITING {
        if place.compare_exchange(NONE, fd, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return;
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

    fn address(last: u8) -> SocketAddr {
        // Nobody else in this program knows these.
        SocketAddr::from(([192, 0, 2, last], 7))
    }

    #[test]
    fn the_useful_address_comes_first_and_those_in_vain_last() {
        let mut addresses = [address(1), address(2), address(3)];
        tried(address(1));
        sort(&mut addresses);
        assert_eq!(addresses, [address(2), address(3), address(1)]);
        tried(address(3));
        proven(address(3));
        sort(&mut addresses);
        assert_eq!(addresses, [address(3), address(2), address(1)]);
        // It was of use once, and is no more.
        tried(address(3));
        tried(address(3));
        sort(&mut addresses);
        assert_eq!(addresses, [address(2), address(1), address(3)]);
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

    #[test]
    fn the_address_that_was_not_used_for_longest_is_forgotten() {
        let mut array = [address(10), address(11)];
        tried(array[0]);
        for last in 12..12 + MAX_ADDRESSES as u8 {
            tried(address(last));
        }
        sort(&mut array);
        assert_eq!(array, [address(10), address(11)], "nothing is known of either");
    }
}
