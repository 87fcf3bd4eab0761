//! How long to wait before the next attempt (behaviour.md section 5).

use crate::time::Millis;

/// Attempts in a row without progress before the download fails.
pub const MAX_ATTEMPTS: u32 = 5;

/// A cause that may mend is given this long in any case, counted from the first failure in a row.
pub const PATIENCE_MS: u64 = 60_000;

/// How often the wait is doubled.
const DOUBLINGS: u32 = 4;

/// Longest wait that a server may ask for, in seconds.
const MAX_RETRY_AFTER_S: u64 = 60;

/// How much is tried before a cause counts as lasting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// One more attempt: what came can hardly be right.
    Once,
    /// [`MAX_ATTEMPTS`]: the server itself says that it can't answer now.
    Attempts,
    /// [`MAX_ATTEMPTS`], and [`PATIENCE_MS`] at least: networks and servers come back within a minute.
    Minute,
}

/// Counts failures in a row and spreads the attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    attempts: u32,
    /// Those of them that ended with [`Patience::Once`].
    doubts: u32,
    /// When the first failure in a row was.
    since: Option<Millis>,
    random: u32,
}

impl Backoff {
    /// `seed` should differ between devices, so that they don't all come back at the same moment.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Backoff { attempts: 0, doubts: 0, since: None, random: seed | 1 }
    }

    /// Bytes came: the count starts over.
    pub fn progress(&mut self) {
        self.attempts = 0;
        self.doubts = 0;
        self.since = None;
    }

    /// Milliseconds to wait after a failure at `now`: 1, 2, 4, 8, and then 16 s, plus up to a quarter, or what the
    /// server asked for where that is longer. `None` when there have been enough attempts.
    pub fn next_wait_ms(&mut self, now: Millis, patience: Patience, retry_after_s: Option<u64>) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let enough = match patience {
            Patience::Once => self.attempts >= MAX_ATTEMPTS || self.doubts >= 1,
            Patience::Attempts => self.attempts >= MAX_ATTEMPTS,
            Patience::Minute => self.attempts >= MAX_ATTEMPTS && now.since(since) >= PATIENCE_MS,
        };
        if enough {
            return None;
        }
        let base = 1000_u64 << self.attempts.min(DOUBLINGS);
        self.attempts += 1;
        self.doubts += u32::from(patience == Patience::Once);
        let own = base + u64::from(self.next_random()) % (base / 4 + 1);
        let asked = retry_after_s.unwrap_or(0).min(MAX_RETRY_AFTER_S) * 1000;
        Some(own.max(asked))
    }

    /// Xorshift: spreading devices needs no better randomness.
    fn next_random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000);

    /// The waits until it gives up, where each attempt fails after `each_ms`.
    fn waits(seed: u32, patience: Patience, each_ms: u64) -> Vec<u64> {
        let mut backoff = Backoff::new(seed);
        let mut now = START;
        let mut waits = Vec::new();
        while let Some(wait) = backoff.next_wait_ms(now, patience, None) {
            waits.push(wait);
            now = now + wait + each_ms;
        }
        assert_eq!(backoff.next_wait_ms(now, patience, Some(5)), None);
        waits
    }

    #[test]
    fn waits_double_with_up_to_a_quarter_more_and_end_after_5() {
        let mut jittered = false;
        for seed in 0..200 {
            let waits = waits(seed, Patience::Attempts, 0);
            assert_eq!(waits.len(), 5);
            for (wait, base) in waits.into_iter().zip([1000, 2000, 4000, 8000, 16_000]) {
                assert!((base..=base + base / 4).contains(&wait), "{wait}");
                jittered |= wait > base;
            }
        }
        assert!(jittered);
    }

    #[test]
    fn what_may_mend_is_given_a_minute_with_growing_waits() {
        for seed in 0..200 {
            let waits = waits(seed, Patience::Minute, 0);
            assert!((6..=7).contains(&waits.len()), "{waits:?}");
            for (wait, base) in waits.iter().zip([1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]) {
                assert!((base..=base + base / 4).contains(wait), "{wait}");
            }
            assert!(waits.iter().sum::<u64>() >= PATIENCE_MS);
        }
        // Where the attempts themselves take that long, there are no more of them.
        assert_eq!(waits(7, Patience::Minute, 30_000).len(), 5);
        assert_eq!(waits(7, Patience::Once, 0).len(), 1);
    }

    #[test]
    fn progress_sets_the_count_and_the_clock_back() {
        let mut backoff = Backoff::new(7);
        let mut now = START;
        for _ in 0..7 {
            now = now + backoff.next_wait_ms(now, Patience::Minute, None).unwrap();
        }
        backoff.progress();
        assert!(backoff.next_wait_ms(now, Patience::Minute, None).unwrap() <= 1250);
        for _ in 0..4 {
            assert!(backoff.next_wait_ms(now, Patience::Attempts, None).is_some());
        }
        assert!(backoff.next_wait_ms(now + 59_999, Patience::Minute, None).is_some());
        assert!(backoff.next_wait_ms(now + 60_000, Patience::Minute, None).is_none());
    }

    #[test]
    fn the_server_may_ask_for_up_to_a_minute() {
        let wait = |after_s| Backoff::new(1).next_wait_ms(START, Patience::Attempts, Some(after_s)).unwrap();
        assert_eq!(wait(30), 30_000);
        assert_eq!(wait(u64::MAX), 60_000);
        assert!(wait(0) >= 1000);
    }
}
