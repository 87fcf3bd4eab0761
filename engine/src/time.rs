//! Time as the engine knows it: milliseconds since some fixed moment, never running backwards.

use std::ops::Add;

/// A moment in milliseconds since an arbitrary, fixed origin. 64 bits wide, so it never wraps in practice; the
/// hal ring widens `HAL_GetTimeMs`, which wraps at 2^32 (hal.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Millis) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Milliseconds from `self` until `deadline`, 0 when it has passed.
    #[must_use]
    pub fn until(self, deadline: Millis) -> u64 {
        deadline.since(self)
    }
}

impl Add<u64> for Millis {
    type Output = Millis;

    fn add(self, ms: u64) -> Millis {
        Millis(self.0.saturating_add(ms))
    }
}

/// Widens a 32-bit millisecond counter that wraps at 2^32.
///
/// A platform's counter may follow the wall clock and jump back with it: time stands still then, and goes on from
/// where the counter is now. A step back of less than a second is taken for two threads that read the counter at
/// nearly the same time.
#[derive(Debug, Default)]
pub struct Widener {
    last: Option<u32>,
    total: u64,
}

impl Widener {
    const RACE_MS: u32 = 1000;

    /// A widener that has not seen a value yet.
    #[must_use]
    pub const fn new() -> Self {
        Widener { last: None, total: 0 }
    }

    /// The moment that `counter` means.
    pub fn widen(&mut self, counter: u32) -> Millis {
        let Some(last) = self.last else {
            self.last = Some(counter);
            return Millis(self.total);
        };
        let ahead = counter.wrapping_sub(last);
        let behind = last.wrapping_sub(counter);
        if ahead <= u32::MAX / 2 {
            self.total += u64::from(ahead);
            self.last = Some(counter);
        } else if behind > Self::RACE_MS {
            self.last = Some(counter);
        }
        Millis(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::{Millis, Widener};

    #[test]
    fn the_counter_may_wrap() {
        let mut clock = Widener::new();
        assert_eq!(clock.widen(u32::MAX - 9), Millis(0));
        assert_eq!(clock.widen(u32::MAX), Millis(9));
        assert_eq!(clock.widen(5), Millis(15));
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut clock = Widener::new();
        clock.widen(10_000);
        assert_eq!(clock.widen(20_000), Millis(10_000));
        // Another thread was a little late with its reading.
        assert_eq!(clock.widen(19_999), Millis(10_000));
        assert_eq!(clock.widen(20_001), Millis(10_001));
        // The wall clock was set back.
        assert_eq!(clock.widen(5_000), Millis(10_001));
        assert_eq!(clock.widen(5_100), Millis(10_101));
    }

    #[test]
    fn differences_never_go_below_zero() {
        assert_eq!(Millis(5).since(Millis(2)), 3);
        assert_eq!(Millis(2).since(Millis(5)), 0);
        assert_eq!(Millis(2).until(Millis(5)), 3);
        assert_eq!(Millis(u64::MAX) + 1, Millis(u64::MAX));
    }
}
