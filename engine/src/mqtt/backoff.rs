//! When to try to connect again after the link was lost (behaviour.md section 3).

use crate::time::Millis;

/// A wait longer than this is not made: the caller is told that reconnecting timed out.
pub const MAX_WAIT_MS: u64 = 60_000;

/// The growing wait between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    wait_ms: u64,
    until: Millis,
}

impl Backoff {
    /// The first wait: 1000 to 2000 ms, chosen by `random`.
    #[must_use]
    pub fn start(now: Millis, random: u64) -> Self {
        let wait_ms = 1000 + random % 1001;
        Backoff { wait_ms, until: now + wait_ms }
    }

    /// The wait after one more failure, twice as long; `None` when it would pass [`MAX_WAIT_MS`].
    #[must_use]
    pub fn after_failure(self, now: Millis) -> Option<Self> {
        let wait_ms = self.wait_ms * 2;
        (wait_ms <= MAX_WAIT_MS).then_some(Backoff { wait_ms, until: now + wait_ms })
    }

    /// The wait after the caller was told that reconnecting timed out: half of [`MAX_WAIT_MS`] to all of it, chosen by
    /// `random`. The server has not been of use for longer than a minute: it is asked less often, not more.
    #[must_use]
    pub fn at_limit(now: Millis, random: u64) -> Self {
        let wait_ms = MAX_WAIT_MS / 2 + random % (MAX_WAIT_MS / 2 + 1);
        Backoff { wait_ms, until: now + wait_ms }
    }

    /// When the next attempt is due.
    #[must_use]
    pub fn until(self) -> Millis {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_to_two_seconds_up_to_a_minute() {
        for (random, first) in [(0, 1000), (1000, 2000), (1001, 1000)] {
            let mut backoff = Backoff::start(Millis(5), random);
            let mut waits = vec![backoff.until().since(Millis(5))];
            let mut now = backoff.until();
            while let Some(next) = backoff.after_failure(now) {
                waits.push(next.until().since(now));
                now = next.until();
                backoff = next;
            }
            assert_eq!(waits[0], first);
            assert!(waits.windows(2).all(|pair| pair[1] == 2 * pair[0]));
            assert!(waits.last().is_some_and(|last| *last <= MAX_WAIT_MS && last * 2 > MAX_WAIT_MS));
        }
    }
}
