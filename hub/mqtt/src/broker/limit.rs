//! What one device may cost. What is too much is read later, so that nothing is lost; and who connects too often is turned
//! away for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Limits of each device; `None`: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Packets a second.
    pub messages: Option<u32>,
    /// Bytes a second.
    pub bytes: Option<u32>,
    /// Connections a minute.
    pub connects: Option<u32>,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// So much in each period. What was not spent is there for one period more.
#[derive(Clone, Copy)]
struct Rate {
    count: u32,
    period: Duration,
}

impl Rate {
    /// Spends so much, and says how long to wait after it. `paid` is when all that was spent is made up for.
    fn spend(self, paid: &mut Instant, amount: u32, now: Instant) -> Duration {
        *paid = (*paid).max(now) + self.period * amount / self.count.max(1);
        paid.duration_since(now).saturating_sub(self.period)
    }
}

/// How fast one connection may be read.
pub(super) struct Pace {
    limits: Limits,
    messages: Instant,
    bytes: Instant,
    /// It has been told of.
    told: bool,
}

impl Pace {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Pace { limits, messages: now, bytes: now, told: false }
    }

    /// A packet has come, and so many bytes. When the next one may be read, where that is not at once.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let wait = |count: Option<u32>, paid: &mut Instant, amount| {
            count.map_or(Duration::ZERO, |count| Rate { count, period: SECOND }.spend(paid, amount, now))
        };
        let messages = wait(self.limits.messages, &mut self.messages, 1);
        let pause = messages.max(wait(self.limits.bytes, &mut self.bytes, bytes));
        (!pause.is_zero()).then(|| now + pause)
    }

    /// What a person should know of it; once for each connection.
    pub(super) fn word(&mut self) -> Option<String> {
        let told = std::mem::replace(&mut self.told, true);
        let messages = self.limits.messages.map(|count| format!("{count} messages"));
        let bytes = self.limits.bytes.map(|count| format!("{count} bytes"));
        let allowed: Vec<String> = messages.into_iter().chain(bytes).collect();
        (!told).then(|| format!("sends more than {} a second: the rest is read later", allowed.join(" or ")))
    }
}

/// What all connections have in common.
#[derive(Default)]
pub struct Limiter {
    limits: Limits,
    connects: Mutex<Connects>,
}

#[derive(Default)]
struct Connects {
    paid: HashMap<String, Instant>,
    swept: Option<Instant>,
}

impl Limiter {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        Limiter { limits, connects: Mutex::default() }
    }

    pub(super) fn pace(&self, now: Instant) -> Pace {
        Pace::new(self.limits, now)
    }

    /// Whether a device may connect now; else how often it may.
    pub(super) fn connect(&self, client_id: &str, now: Instant) -> Result<(), u32> {
        let Some(count) = self.limits.connects else {
            return Ok(());
        };
        let mut connects = self.connects.lock().unwrap_or_else(PoisonError::into_inner);
        if connects.swept.is_none_or(|at| now.saturating_duration_since(at) >= MINUTE) {
            connects.paid.retain(|_, paid| *paid > now);
            connects.swept = Some(now);
        }
        let before = connects.paid.get(client_id).copied().unwrap_or(now);
        let mut paid = before;
        if !(Rate { count, period: MINUTE }.spend(&mut paid, 1, now).is_zero()) {
            return Err(count);
        }
        connects.paid.insert(client_id.to_owned(), paid);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_waits() {
        let now = Instant::now();
        let mut pace = Pace::new(Limits { messages: Some(10), bytes: Some(1000), connects: None }, now);
        assert!((0..10).all(|_| pace.spend(1, now).is_none()));
        assert_eq!(pace.spend(1, now), Some(now + Duration::from_millis(100)));
        // A second later there are ten more, less the one too many.
        let later = now + SECOND;
        assert!((0..9).all(|_| pace.spend(1, later).is_none()));
        assert!(pace.spend(1, later).is_some());
        // Nothing is saved up for longer.
        let much_later = now + MINUTE;
        assert_eq!(pace.spend(3000, much_later), Some(much_later + 2 * SECOND));
        assert_eq!((pace.word().is_some(), pace.word()), (true, None));
        let mut free = Pace::new(Limits::default(), now);
        assert!((0..1000).all(|_| free.spend(usize::MAX, now).is_none()));
    }

    #[test]
    fn who_connects_too_often_is_turned_away_alone() {
        let now = Instant::now();
        let limiter = Limiter::new(Limits { connects: Some(3), ..Limits::default() });
        assert!((0..3).all(|_| limiter.connect("a", now).is_ok()));
        // Being turned away costs nothing.
        assert!((0..9).all(|_| limiter.connect("a", now) == Err(3)));
        assert!(limiter.connect("b", now).is_ok());
        assert!(limiter.connect("a", now + MINUTE / 3).is_ok());
        assert!(limiter.connect("a", now + MINUTE / 3).is_err());
        // Who has been quiet is forgotten.
        assert!(limiter.connect("b", now + 3 * MINUTE).is_ok());
        assert_eq!(limiter.connects.lock().expect("connects").paid.len(), 1);
        assert!((0..100).all(|_| Limiter::default().connect("a", now).is_ok()));
    }
}
