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

#[cfg(test)]
mod tests {
    use super::Millis;

    #[test]
    fn differences_never_go_below_zero() {
        assert_eq!(Millis(5).since(Millis(2)), 3);
        assert_eq!(Millis(2).since(Millis(5)), 0);
        assert_eq!(Millis(2).until(Millis(5)), 3);
        assert_eq!(Millis(u64::MAX) + 1, Millis(u64::MAX));
    }
}
