//! What one device may cost. What is too much is read later, so that nothing is lost; and who connects too often is turned
//! away for a while.

use std::time::Duration;

use tokio::time::Instant;

use hub_core::rate::{Quota, Rate};

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
    connects: Quota<String>,
}

impl Limiter {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        Limiter { limits, connects: Quota::new(limits.connects) }
    }

    pub(super) fn pace(&self, now: Instant) -> Pace {
        Pace::new(self.limits, now)
    }

    /// Whether a device may connect now; else how often it may.
    pub(super) fn connect(&self, client_id: &str, now: Instant) -> Result<(), u32> {
        self.connects.spend(client_id.to_owned(), now).map_err(|excess| excess.count)
    }
}

#[cfg(test)]
mod tests {
    use hub_core::rate::MINUTE;

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
        assert!((0..100).all(|_| Limiter::default().connect("a", now).is_ok()));
    }
}
