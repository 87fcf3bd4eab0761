//! How often to look for MQTT bytes while a download runs.
//!
//! On some platforms a read that finds nothing blocks for 100 ms even when asked for 0 (hal.md). What a look costs is
//! measured, whatever the platform, and the next one waits until the looks are a small part of the time.

use crate::time::Millis;

/// The share of the time that looks may take is one in this many and one.
const SHARE: u64 = 15;
/// Longest time without a look. An answer to a ping must be seen before the link counts as lost for want of it, some 10 s
/// later; and the clock may have jumped while a look was measured.
const MAX_PAUSE_MS: u64 = 4000;

/// Says when the next look is due.
#[derive(Debug, Default)]
pub struct LookBudget {
    next: Millis,
}

impl LookBudget {
    /// Whether a look is due.
    #[must_use]
    pub fn is_due(&self, now: Millis) -> bool {
        now >= self.next
    }

    /// A look that found nothing took from `begin` to `end`.
    pub fn found_nothing(&mut self, begin: Millis, end: Millis) {
        self.next = end + SHARE.saturating_mul(end.since(begin)).min(MAX_PAUSE_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_look_may_be_repeated_at_once() {
        let mut budget = LookBudget::default();
        budget.found_nothing(Millis(7), Millis(7));
        assert!(budget.is_due(Millis(7)));
    }

    #[test]
    fn a_clock_that_jumps_does_not_end_the_looks() {
        let mut budget = LookBudget::default();
        budget.found_nothing(Millis(7), Millis(3_600_007));
        assert!(!budget.is_due(Millis(3_600_008)));
        assert!(budget.is_due(Millis(3_604_007)));
    }

    #[test]
    fn dear_looks_take_under_a_tenth_of_the_time() {
        let mut budget = LookBudget::default();
        let (mut now, mut looking) = (Millis(0), 0);
        while now < Millis(100_000) {
            if budget.is_due(now) {
                budget.found_nothing(now, now + 100);
                looking += 100;
                now = now + 100;
            } else {
                now = now + 1;
            }
        }
        assert!((5_000..10_000).contains(&looking), "{looking}");
    }
}
