//! How often to ask for MQTT bytes while a download runs.
//!
//! On some platforms a read that finds nothing blocks for 100 ms even when asked for 0 (hal.md). So each such read is
//! measured, and the next one waits for fifteen times as long: the download loses at most a sixteenth of its time.

use crate::time::Millis;

/// How many times the length of a read the pause after it is.
const PAUSE_FACTOR: u64 = 15;
/// Longest pause. The answer to a ping must be read within 10 s, else the link counts as lost. And the clock may have
/// jumped while a read was measured.
const MAX_PAUSE_MS: u64 = 4000;

/// Says when the next read is due.
#[derive(Debug, Default)]
pub struct PollBudget {
    next: Millis,
}

impl PollBudget {
    /// Whether a read is due.
    #[must_use]
    pub fn is_due(&self, now: Millis) -> bool {
        now >= self.next
    }

    /// A read that found nothing took from `begin` to `end`.
    pub fn found_nothing(&mut self, begin: Millis, end: Millis) {
        self.next = end + PAUSE_FACTOR.saturating_mul(end.since(begin)).min(MAX_PAUSE_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_costs_nothing_may_be_repeated_at_once() {
        let mut budget = PollBudget::default();
        budget.found_nothing(Millis(7), Millis(7));
        assert!(budget.is_due(Millis(7)));
    }

    #[test]
    fn a_clock_that_jumps_does_not_end_the_reads() {
        let mut budget = PollBudget::default();
        budget.found_nothing(Millis(7), Millis(3_600_007));
        assert!(!budget.is_due(Millis(3_600_008)));
        assert!(budget.is_due(Millis(3_604_007)));
    }

    #[test]
    fn dear_reads_take_under_a_tenth_of_the_time() {
        let mut budget = PollBudget::default();
        let (mut now, mut reading) = (Millis(0), 0);
        while now < Millis(100_000) {
            if budget.is_due(now) {
                budget.found_nothing(now, now + 100);
                reading += 100;
                now = now + 100;
            } else {
                now = now + 1;
            }
        }
        assert!((5_000..10_000).contains(&reading), "{reading}");
    }
}
