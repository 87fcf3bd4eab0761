//! Pings (behaviour.md section 3): after the keep-alive interval without an acknowledgement a PINGREQ goes out; two
//! without an answer mean that the link is lost.

use crate::time::Millis;

const MAX_UNANSWERED: u32 = 2;
const MAX_WAIT_MS: u64 = 5000;

/// What the timer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// Send a PINGREQ.
    Ping,
    /// The link is lost.
    Lost,
}

/// The ping timer of one connection.
#[derive(Debug, Clone, Copy)]
pub struct KeepAlive {
    interval_ms: u64,
    deadline: Millis,
    unanswered: u32,
}

impl KeepAlive {
    /// A timer that starts now; an interval of 0 seconds switches it off.
    #[must_use]
    pub fn start(now: Millis, interval_s: u16) -> Self {
        let interval_ms = u64::from(interval_s) * 1000;
        KeepAlive { interval_ms, deadline: now + interval_ms, unanswered: 0 }
    }

    /// The server acknowledged something: the link is alive in both directions.
    pub fn acknowledged(&mut self, now: Millis) {
        self.unanswered = 0;
        self.deadline = now + self.interval_ms;
    }

    /// What is due now. After [`Due::Ping`] the timer waits for the answer.
    pub fn tick(&mut self, now: Millis) -> Due {
        if self.interval_ms == 0 || now < self.deadline {
            return Due::Nothing;
        }
        if self.unanswered >= MAX_UNANSWERED {
            return Due::Lost;
        }
        self.unanswered += 1;
        self.deadline = now + (self.interval_ms / 2).min(MAX_WAIT_MS);
        Due::Ping
    }

    /// When [`tick`](Self::tick) has something to say; `None` when switched off.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        (self.interval_ms != 0).then_some(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_unanswered_pings_lose_the_link() {
        let mut timer = KeepAlive::start(Millis(0), 240);
        assert_eq!(timer.tick(Millis(239_999)), Due::Nothing);
        assert_eq!(timer.tick(Millis(240_000)), Due::Ping);
        assert_eq!(timer.tick(Millis(244_999)), Due::Nothing);
        assert_eq!(timer.tick(Millis(245_000)), Due::Ping);
        assert_eq!(timer.tick(Millis(249_999)), Due::Nothing);
        assert_eq!(timer.tick(Millis(250_000)), Due::Lost);
    }

    #[test]
    fn an_acknowledgement_starts_the_interval_anew() {
        let mut timer = KeepAlive::start(Millis(0), 4);
        assert_eq!(timer.tick(Millis(4000)), Due::Ping);
        // A short interval waits half of itself, not 5 s.
        assert_eq!(timer.deadline(), Some(Millis(6000)));
        timer.acknowledged(Millis(4500));
        assert_eq!(timer.tick(Millis(8499)), Due::Nothing);
        assert_eq!(timer.tick(Millis(8500)), Due::Ping);
    }

    #[test]
    fn zero_switches_it_off() {
        let mut timer = KeepAlive::start(Millis(0), 0);
        assert_eq!(timer.tick(Millis(u64::MAX)), Due::Nothing);
        assert_eq!(timer.deadline(), None);
    }
}
