//! Requests that wait for their answer.
//!
//! A service asks the cloud something ([`Exchange::begin`]), the answer arrives on a topic some time later
//! ([`Exchange::settle`]), or it does not ([`Exchange::tick`]). The key says which request an answer is for: a client token,
//! a pair of type and sub-device, a process id, or `()` where only one request can wait at a time.
//!
//! ```
//! use iot_engine::services::exchange::{Exchange, Settled};
//! use iot_engine::time::Millis;
//!
//! let mut exchange = Exchange::with_room(10);
//! exchange.begin(Millis(0), "token-1".to_owned(), 500, "get the shadow").unwrap();
//! assert_eq!(exchange.deadline(), Some(Millis(500)));
//! assert_eq!(exchange.settle("token-2"), Settled::Unknown);
//! assert_eq!(exchange.settle("token-1"), Settled::Answered("get the shadow"));
//! ```

use crate::time::Millis;

/// The requests of one service. `K` tells them apart, `R` is what the service wants back with the answer.
#[derive(Debug, Clone)]
pub struct Exchange<K, R = ()> {
    waiting: Vec<Waiting<K, R>>,
    room: usize,
}

#[derive(Debug, Clone)]
struct Waiting<K, R> {
    key: K,
    request: R,
    deadline: Millis,
}

/// Why a request can't begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A request with this key waits already.
    Pending,
    /// As many requests wait as there is room for, or no memory.
    Full,
}

/// What an answer was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled<R> {
    /// For this request, which waits no longer.
    Answered(R),
    /// For none that waits: late, repeated, or meant for somebody else.
    Unknown,
}

impl<K, R> Exchange<K, R> {
    /// An exchange with room for `room` requests at a time.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        Exchange { waiting: Vec::new(), room }
    }

    /// The request `key` was sent: its answer is waited for until `timeout_ms` from now.
    ///
    /// # Errors
    /// Nothing changes then.
    pub fn begin(&mut self, now: Millis, key: K, timeout_ms: u64, request: R) -> Result<(), Refused>
    where
        K: PartialEq,
    {
        if self.is_waiting(&key) {
            return Err(Refused::Pending);
        }
        if self.waiting.len() >= self.room || self.waiting.try_reserve(1).is_err() {
            return Err(Refused::Full);
        }
        self.waiting.push(Waiting { key, request, deadline: now + timeout_ms });
        Ok(())
    }

    /// An answer with this key came. `Q` is what the answer holds of the key: `str` where `K` is a `String`.
    pub fn settle<Q: ?Sized>(&mut self, key: &Q) -> Settled<R>
    where
        K: PartialEq<Q>,
    {
        match self.waiting.iter().position(|waiting| waiting.key == *key) {
            Some(index) => Settled::Answered(self.waiting.remove(index).request),
            None => Settled::Unknown,
        }
    }

    /// The next request, in the order of their beginning, whose time is over by now: it waits no longer.
    pub fn tick(&mut self, now: Millis) -> Option<(K, R)> {
        let index = self.waiting.iter().position(|waiting| now >= waiting.deadline)?;
        let Waiting { key, request, .. } = self.waiting.remove(index);
        Some((key, request))
    }

    /// When [`tick`](Self::tick) has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// Whether a request with this key waits.
    #[must_use]
    pub fn is_waiting<Q: ?Sized>(&self, key: &Q) -> bool
    where
        K: PartialEq<Q>,
    {
        self.waiting.iter().any(|waiting| waiting.key == *key)
    }

    /// The requests that wait, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = (&K, &R)> {
        self.waiting.iter().map(|waiting| (&waiting.key, &waiting.request))
    }

    /// Ends every wait, for instance because the service ends. Returns the requests in the order of their beginning.
    pub fn end(&mut self) -> impl Iterator<Item = (K, R)> + '_ {
        self.waiting.drain(..).map(|waiting| (waiting.key, waiting.request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange<&'static str, u8> {
        let mut exchange = Exchange::with_room(3);
        exchange.begin(Millis(100), "a", 500, 1).unwrap();
        exchange.begin(Millis(200), "b", 50, 2).unwrap();
        exchange
    }

    #[test]
    fn an_answer_settles_its_request_once() {
        let mut exchange = exchange();
        assert_eq!(exchange.settle(&"b"), Settled::Answered(2));
        assert_eq!(exchange.settle(&"b"), Settled::Unknown);
        assert!(exchange.is_waiting(&"a") && !exchange.is_waiting(&"b"));
        assert_eq!(exchange.settle(&"c"), Settled::Unknown);
        assert_eq!(exchange.settle(&"a"), Settled::Answered(1));
        assert_eq!(exchange.deadline(), None);
    }

    #[test]
    fn a_request_times_out_at_its_deadline_and_no_answer_settles_it_then() {
        let mut exchange = exchange();
        assert_eq!(exchange.deadline(), Some(Millis(250)));
        assert_eq!(exchange.tick(Millis(249)), None);
        assert_eq!(exchange.tick(Millis(250)), Some(("b", 2)));
        assert_eq!((exchange.tick(Millis(250)), exchange.settle(&"b")), (None, Settled::Unknown));
        assert_eq!(exchange.deadline(), Some(Millis(600)));
    }

    #[test]
    fn requests_that_are_late_together_come_in_the_order_of_their_beginning() {
        let mut exchange = exchange();
        assert_eq!(exchange.tick(Millis(9_000)), Some(("a", 1)));
        assert_eq!(exchange.tick(Millis(9_000)), Some(("b", 2)));
        assert_eq!(exchange.tick(Millis(9_000)), None);
    }

    #[test]
    fn one_key_waits_once_and_no_more_than_there_is_room() {
        let mut exchange = exchange();
        assert_eq!(exchange.begin(Millis(0), "a", 9_999, 9), Err(Refused::Pending));
        exchange.begin(Millis(0), "c", 0, 3).unwrap();
        assert_eq!(exchange.begin(Millis(0), "d", 1, 4), Err(Refused::Full));
        assert_eq!(exchange.tick(Millis(0)), Some(("c", 3)));
        assert_eq!(exchange.begin(Millis(0), "d", 1, 4), Ok(()));
        assert_eq!(exchange.settle(&"a"), Settled::Answered(1), "the second request changed the first");
    }

    #[test]
    fn the_end_gives_everything_back() {
        let mut exchange = exchange();
        assert_eq!(exchange.end().collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
        assert_eq!((exchange.deadline(), exchange.end().count()), (None, 0));
    }

    #[test]
    fn a_service_with_one_request_at_a_time_needs_no_key() {
        let mut exchange = Exchange::with_room(1);
        exchange.begin(Millis(u64::MAX), (), u64::MAX, ()).unwrap();
        assert_eq!(exchange.begin(Millis(0), (), 1, ()), Err(Refused::Pending));
        assert_eq!(exchange.settle(&()), Settled::Answered(()));
    }
}
