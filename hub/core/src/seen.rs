//! When devices were seen last: noted in memory with each message, and written once a minute for all of them together.

use std::collections::btree_map::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often it is written.
const EVERY_MS: u64 = 60_000;
/// With so many it is written before: who there is on somebody else's broker, only that one knows.
const MOST: usize = 200_000;

/// The devices that were seen since it was written last.
#[derive(Default)]
pub struct Seen(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    /// When each was seen last.
    devices: BTreeMap<String, u64>,
    written: u64,
}

impl Seen {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device has said something, or came, or went.
    pub fn note(&self, client_id: &str, now: u64) {
        let devices = &mut self.pending().devices;
        if let Some(at) = devices.get_mut(client_id) {
            *at = now;
        } else if devices.len() < MOST {
            devices.insert(client_id.to_owned(), now);
        }
    }

    /// When a device was seen since it was written last.
    pub fn at(&self, client_id: &str) -> Option<u64> {
        self.pending().devices.get(client_id).copied()
    }

    /// What is to be written now; it is not kept here any more.
    pub fn due(&self, now: u64) -> Vec<(String, u64)> {
        let mut pending = self.pending();
        if now.saturating_sub(pending.written) < EVERY_MS && pending.devices.len() < MOST {
            return Vec::new();
        }
        pending.written = now;
        std::mem::take(&mut pending.devices).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_is_written_once_a_minute_at_most() {
        let seen = Seen::default();
        assert_eq!(seen.due(100_000), []);
        for now in 100_001..100_050 {
            seen.note("a", now);
        }
        seen.note("b", 100_003);
        assert_eq!((seen.at("a"), seen.at("c")), (Some(100_049), None));
        assert_eq!(seen.due(159_999), []);
        assert_eq!(seen.due(160_000), [("a".to_owned(), 100_049), ("b".to_owned(), 100_003)]);
        assert_eq!((seen.at("a"), seen.due(500_000)), (None, vec![]));
        // A clock that is set back delays it, and breaks nothing.
        seen.note("a", 7);
        assert_eq!(seen.due(7), []);
    }

    #[test]
    fn memory_has_a_limit() {
        let seen = Seen::default();
        assert_eq!(seen.due(100_000), []);
        for number in 0..=MOST {
            seen.note(&number.to_string(), 100_001);
        }
        assert_eq!((seen.due(100_002).len(), seen.due(100_003).len()), (MOST, 0));
    }
}
