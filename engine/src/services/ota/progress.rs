//! When progress goes out: at the first byte, at most once a second while data flows, once at 100 (wire.md section 3).

use crate::time::Millis;

/// Shortest time between two reports while data flows.
const INTERVAL_MS: u64 = 1000;

/// Decides which percentages are reported in one download.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    last: Option<Millis>,
    finished: bool,
}

impl Progress {
    /// Of a transfer that goes on at `now` where it was: its first byte is not told.
    #[must_use]
    pub fn resumed(now: Millis) -> Self {
        Progress { last: Some(now), finished: false }
    }

    /// `fetched` of `total` bytes are there. Returns the percentages to report now, in order.
    pub fn advance(&mut self, fetched: u32, total: u32, now: Millis) -> impl Iterator<Item = u8> {
        let first = self.last.is_none() && !self.finished;
        let complete = fetched >= total && !self.finished;
        let due = !first && !complete && !self.finished && self.last.is_some_and(|last| now.since(last) >= INTERVAL_MS);
        if first || due {
            self.last = Some(now);
        }
        self.finished |= complete;
        let percent = u64::from(fetched) * 100 / u64::from(total.max(1));
        // At most 100, and 100 only when complete.
        let percent = u8::try_from(percent).unwrap_or(100);
        [first.then_some(0), due.then_some(percent), complete.then_some(100)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(progress: &mut Progress, fetched: u32, ms: u64) -> Vec<u8> {
        progress.advance(fetched, 1000, Millis(ms)).collect()
    }

    #[test]
    fn zero_first_then_once_a_second_then_a_hundred() {
        let mut progress = Progress::default();
        assert_eq!(at(&mut progress, 10, 5000), [0]);
        assert_eq!(at(&mut progress, 20, 5999), [0_u8; 0]);
        assert_eq!(at(&mut progress, 319, 6000), [31]);
        assert_eq!(at(&mut progress, 320, 6500), [0_u8; 0]);
        assert_eq!(at(&mut progress, 999, 7000), [99]);
        assert_eq!(at(&mut progress, 1000, 7001), [100]);
        assert_eq!(at(&mut progress, 1000, 9000), [0_u8; 0]);
    }

    #[test]
    fn a_file_that_comes_at_once_reports_both_ends() {
        assert_eq!(at(&mut Progress::default(), 1000, 0), [0, 100]);
    }

    #[test]
    fn one_that_goes_on_tells_no_beginning() {
        let mut progress = Progress::resumed(Millis(5000));
        assert_eq!(at(&mut progress, 500, 5999), [0_u8; 0]);
        assert_eq!(at(&mut progress, 500, 6000), [50]);
        assert_eq!(at(&mut Progress::resumed(Millis(0)), 1000, 1), [100]);
    }

    #[test]
    fn sizes_near_the_limit_do_not_overflow() {
        let mut progress = Progress::default();
        let _ = progress.advance(1, u32::MAX, Millis(0)).count();
        let percent: Vec<u8> = progress.advance(u32::MAX - 1, u32::MAX, Millis(1000)).collect();
        assert_eq!(percent, [99]);
    }
}
