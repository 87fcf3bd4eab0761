//! How long to wait before the next attempt (behaviour.md section 5).

/// Attempts in a row without progress before the download fails.
pub const MAX_ATTEMPTS: u32 = 5;

/// Longest wait that a server may ask for, in seconds.
const MAX_RETRY_AFTER_S: u64 = 60;

/// Counts failures in a row and spreads the attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    attempts: u32,
    random: u32,
}

impl Backoff {
    /// `seed` should differ between devices, so that they don't all come back at the same moment.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Backoff { attempts: 0, random: seed | 1 }
    }

    /// Bytes came: the count starts over.
    pub fn progress(&mut self) {
        self.attempts = 0;
    }

    /// Milliseconds to wait before the next attempt: 1, 2, 4, 8, 8 s plus up to a quarter, or what the server asked
    /// for where that is longer. `None` when there have been enough.
    pub fn next_wait_ms(&mut self, retry_after_s: Option<u64>) -> Option<u64> {
        if self.attempts >= MAX_ATTEMPTS {
            return None;
        }
        let base = 1000_u64 << self.attempts.min(3);
        self.attempts += 1;
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

    #[test]
    fn waits_double_up_to_8_s_with_up_to_a_quarter_more_and_end_after_5() {
        let mut jittered = false;
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for base in [1000, 2000, 4000, 8000, 8000] {
                let wait = backoff.next_wait_ms(None).unwrap();
                assert!((base..=base + base / 4).contains(&wait), "{wait}");
                jittered |= wait > base;
            }
            assert_eq!(backoff.next_wait_ms(None), None);
            assert_eq!(backoff.next_wait_ms(Some(5)), None);
        }
        assert!(jittered);
    }

    #[test]
    fn progress_sets_the_count_back() {
        let mut backoff = Backoff::new(7);
        for _ in 0..3 {
            let _ = backoff.next_wait_ms(None);
        }
        backoff.progress();
        assert!(backoff.next_wait_ms(None).unwrap() <= 1250);
    }

    #[test]
    fn the_server_may_ask_for_up_to_a_minute() {
        assert_eq!(Backoff::new(1).next_wait_ms(Some(30)), Some(30_000));
        assert_eq!(Backoff::new(1).next_wait_ms(Some(u64::MAX)), Some(60_000));
        assert!(Backoff::new(1).next_wait_ms(Some(0)).unwrap() >= 1000);
    }
}
