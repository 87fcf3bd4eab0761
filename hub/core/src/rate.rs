//! How much of something there may be in a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time of a quota.
pub const MINUTE: Duration = Duration::from_secs(60);

/// So much in each period. What was not spent is there for one period more.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// So much.
    pub count: u32,
    /// In so long.
    pub period: Duration,
}

impl Rate {
    /// Spends so much, and says how long to wait after it. `paid` is when all that was spent is made up for.
    pub fn spend(self, paid: &mut Instant, amount: u32, now: Instant) -> Duration {
        *paid = (*paid).max(now) + self.period * amount / self.count.max(1);
        paid.duration_since(now).saturating_sub(self.period)
    }
}

/// The same for each of many, who are forgotten when they have been quiet.
pub struct Rates<K> {
    rate: Rate,
    spent: Mutex<Spent<K>>,
}

struct Spent<K> {
    paid: HashMap<K, Instant>,
    swept: Option<Instant>,
}

impl<K: Hash + Eq> Rates<K> {
    /// Each may spend as much as this.
    pub fn new(rate: Rate) -> Self {
        Rates { rate, spent: Mutex::new(Spent { paid: HashMap::new(), swept: None }) }
    }

    /// Spends one of somebody's; where there is none left, spends nothing and says how long it takes until there is.
    pub fn spend(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.swept.is_none_or(|at| now.saturating_duration_since(at) >= self.rate.period) {
            spent.paid.retain(|_, paid| *paid > now);
            spent.swept = Some(now);
        }
        let mut paid = spent.paid.get(&who).copied().unwrap_or(now);
        match self.rate.spend(&mut paid, 1, now) {
            Duration::ZERO => {
                spent.paid.insert(who, paid);
                Ok(())
            }
            wait => Err(wait),
        }
    }
}

/// So many a minute for each of many.
pub struct Quota<K>(Option<(u32, Rates<K>)>);

/// There is no more for somebody.
#[derive(Debug, PartialEq, Eq)]
pub struct Excess {
    /// So much there is in a minute.
    pub count: u32,
    /// How long it takes until there is more.
    pub wait: Duration,
}

impl<K> Default for Quota<K> {
    fn default() -> Self {
        Quota(None)
    }
}

impl<K: Hash + Eq> Quota<K> {
    /// So many; `None`: no limit.
    pub fn new(count: Option<u32>) -> Self {
        Quota(count.map(|count| (count, Rates::new(Rate { count, period: MINUTE }))))
    }

    /// Somebody has one more, where there is one for him.
    pub fn spend(&self, who: K, now: Instant) -> Result<(), Excess> {
        let Some((count, rates)) = &self.0 else { return Ok(()) };
        rates.spend(who, now).map_err(|wait| Excess { count: *count, wait })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_each_ones_own() {
        let (now, quota) = (Instant::now(), Quota::new(Some(2)));
        assert_eq!([(); 2].map(|()| quota.spend("a", now)), [Ok(()), Ok(())]);
        assert_eq!(quota.spend("a", now), Err(Excess { count: 2, wait: MINUTE / 2 }));
        assert_eq!((quota.spend("b", now), quota.spend("a", now + MINUTE / 2)), (Ok(()), Ok(())));
        assert!((0..1000).all(|_| Quota::default().spend("a", now).is_ok()));
    }

    #[test]
    fn who_spends_too_much_waits_alone_and_who_is_quiet_is_forgotten() {
        let (now, minute) = (Instant::now(), MINUTE);
        let rates = Rates::new(Rate { count: 3, period: minute });
        assert!((0..3).all(|_| rates.spend("a", now).is_ok()));
        // Being refused costs nothing.
        assert!((0..9).all(|_| rates.spend("a", now) == Err(minute / 3)));
        assert!(rates.spend("b", now).is_ok());
        assert!(rates.spend("a", now + minute / 3).is_ok());
        assert!(rates.spend("a", now + minute / 3).is_err());
        assert!(rates.spend("b", now + 3 * minute).is_ok());
        assert_eq!(rates.spent.lock().expect("spent").paid.len(), 1);
    }
}
