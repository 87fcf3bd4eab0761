//! Whether somebody takes what is sent to him: who hardly does would hold a connection for ever.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes that are looked at together: fewer than that a socket does not tell of.
pub const PORTION: u32 = 32 * 1024;

/// Bytes a second that one must take where nobody says how many.
pub const SLOWEST: u32 = 64;

/// How long one has waited for somebody, since he took a portion last.
pub struct Headway {
    /// A portion may take so long.
    limit: Duration,
    taken: u64,
    waited: Duration,
    /// When the wait began that lasts.
    since: Option<Instant>,
}

impl Headway {
    /// Of somebody who must take so many bytes a second.
    pub fn new(rate: u32) -> Self {
        let limit = Duration::from_secs(PORTION.into()) / rate.max(1);
        Headway { limit, taken: 0, waited: Duration::ZERO, since: None }
    }

    /// Nothing more goes out at present. When that has lasted too long.
    pub fn waits(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.limit.saturating_sub(self.waited)
    }

    /// So many bytes have gone out.
    pub fn goes_on(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        self.taken += bytes as u64;
        if self.taken >= PORTION.into() {
            (self.taken, self.waited) = (0, Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_takes_a_portion_in_time_has_all_the_time_for_the_next_one() {
        // A portion in 32 seconds.
        let (mut now, mut headway) = (Instant::now(), Headway::new(1024));
        for _ in 0..100 {
            assert_eq!(headway.waits(now), now + 32 * SECOND);
            now += 31 * SECOND;
            headway.goes_on(PORTION as usize, now);
        }
    }

    #[test]
    fn who_takes_little_at_a_time_has_no_more_time_for_it() {
        let (begin, mut headway) = (Instant::now(), Headway::new(1024));
        for second in 0..31 {
            assert_eq!(headway.waits(begin + second * SECOND), begin + 32 * SECOND);
            // To look again changes nothing.
            assert_eq!(headway.waits(begin + second * SECOND + SECOND / 2), begin + 32 * SECOND);
            headway.goes_on(1, begin + (second + 1) * SECOND);
        }
        headway.goes_on(PORTION as usize, begin + 31 * SECOND);
        assert_eq!(headway.waits(begin + 31 * SECOND), begin + 63 * SECOND);
    }

    #[test]
    fn where_nothing_is_to_be_taken_no_time_passes() {
        let (begin, mut headway) = (Instant::now(), Headway::new(1024));
        headway.waits(begin);
        headway.goes_on(1, begin + SECOND);
        let later = begin + 3600 * SECOND;
        assert_eq!(headway.waits(later), later + 31 * SECOND);
    }
}
