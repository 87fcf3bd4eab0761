//! Asks the cloud for the time over an MQTT client (behaviour.md section 7).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use iot_engine::services::system_time::{self, Answer, ANSWER_TIMEOUT_MS, REQUEST};
use iot_engine::time::Millis;

use crate::drive::error::Error;
use crate::drive::mqtt::{Client, Driven, QoS, Subscriber, SubscriptionEvent};
use crate::hal::Platform;

/// How long to pump at most before looking whether the answer is in. Short, as a pump may well sit out its time.
const STEP_MS: u32 = 20;

/// An answer and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// What the cloud said.
    pub answer: Answer,
    /// From sending the question to receiving the answer, in milliseconds.
    pub round_trip_ms: u64,
}

/// Asks the cloud for the time. Drives the client while it waits, up to 2 s for the subscription and 2 s for the answer.
///
/// The subscription is taken back afterwards: a client has room for 10, and they are the program's.
///
/// # Errors
/// The client's error when it can't subscribe, publish or go on; [`Error::NoAnswer`] when no answer came in time.
pub fn ask(client: &Arc<Client>) -> Result<Exchange, Error> {
    let identity = client.identity();
    exchange(client, identity.product_id(), identity.device_name())
}

/// What an exchange needs of an MQTT client.
trait Link {
    fn subscribe(&self, filter: &str, inbox: Arc<Inbox>) -> Result<u16, Error>;
    fn unsubscribe(&self, filter: &str) -> Result<u16, Error>;
    fn is_subscribed(&self, filter: &str) -> bool;
    fn publish(&self, topic: &str, payload: &[u8]) -> Result<u16, Error>;
    fn pump(&self, ms: u32) -> Result<Driven, Error>;
    fn platform(&self) -> &dyn Platform;
    /// Tells this client from all others alive.
    fn id(&self) -> usize;
}

impl Link for Arc<Client> {
    fn subscribe(&self, filter: &str, inbox: Arc<Inbox>) -> Result<u16, Error> {
        Client::subscribe(self, filter, QoS::AtMostOnce, inbox)
    }

    fn unsubscribe(&self, filter: &str) -> Result<u16, Error> {
        Client::unsubscribe(self, filter)
    }

    fn is_subscribed(&self, filter: &str) -> bool {
        Client::is_subscribed(self, filter)
    }

    fn publish(&self, topic: &str, payload: &[u8]) -> Result<u16, Error> {
        Client::publish(self, topic, QoS::AtMostOnce, payload)
    }

    fn pump(&self, ms: u32) -> Result<Driven, Error> {
        self.yield_for(ms)
    }

    fn platform(&self) -> &dyn Platform {
        &**Client::platform(self)
    }

    fn id(&self) -> usize {
        Arc::as_ptr(self) as usize
    }
}

/// Takes in the answer and the moment it came: pumping may go on for a while after that.
#[derive(Default)]
struct Inbox {
    answer: OnceLock<(Answer, Millis)>,
    refused: AtomicBool,
}

impl Inbox {
    fn take_in(&self, payload: &[u8], now: Millis) {
        match system_time::parse(payload) {
            // The first answer counts.
            Some(answer) => drop(self.answer.set((answer, now))),
            None => log::warn!("a message of {} bytes on the system-time topic is no answer", payload.len()),
        }
    }
}

impl Subscriber for Inbox {
    fn message(&self, client: &Arc<Client>, _topic: &str, payload: &[u8]) {
        self.take_in(payload, client.platform().now());
    }

    fn event(&self, _client: &Arc<Client>, event: SubscriptionEvent) {
        match event {
            SubscriptionEvent::Granted => {}
            SubscriptionEvent::Refused
            | SubscriptionEvent::TimedOut
            | SubscriptionEvent::Removed
            | SubscriptionEvent::ClientDestroyed => self.refused.store(true, Ordering::Relaxed),
        }
    }
}

fn exchange(link: &impl Link, product_id: &str, device_name: &str) -> Result<Exchange, Error> {
    let _turn = Turn::take(link)?;
    let filter = system_time::result_topic(product_id, device_name);
    let inbox = Arc::new(Inbox::default());
    link.subscribe(&filter, inbox.clone())?;
    let result = question_and_answer(link, &filter, &system_time::request_topic(product_id, device_name), &inbox);
    // Best effort: it may be gone with the connection.
    let _ = link.unsubscribe(&filter);
    result
}

fn question_and_answer(link: &impl Link, filter: &str, topic: &str, inbox: &Inbox) -> Result<Exchange, Error> {
    let refused = || inbox.refused.load(Ordering::Relaxed);
    pump_until(link, || link.is_subscribed(filter) || refused())?;
    if refused() {
        return Err(Error::NoAnswer);
    }
    let asked = link.platform().now();
    link.publish(topic, REQUEST.as_bytes())?;
    pump_until(link, || inbox.answer.get().is_some())?;
    let &(answer, arrived) = inbox.answer.get().ok_or(Error::NoAnswer)?;
    Ok(Exchange { answer, round_trip_ms: arrived.since(asked) })
}

/// Drives the client until `done`, at most for the answer's time limit.
fn pump_until(link: &impl Link, done: impl Fn() -> bool) -> Result<(), Error> {
    let platform = link.platform();
    let deadline = platform.now() + ANSWER_TIMEOUT_MS;
    while !done() {
        let before = platform.now();
        if before.until(deadline) == 0 {
            return Err(Error::NoAnswer);
        }
        let driven = link.pump(STEP_MS);
        if matches!(driven, Err(Error::NotConnected) | Ok(Driven::Closed)) {
            return Err(Error::NotConnected);
        }
        // While a download runs, or when down, a pump returns at once.
        if platform.now() == before && !done() {
            platform.sleep(1);
        }
    }
    Ok(())
}

/// One exchange per client at a time: two would share one subscription, and the first to end would take it away.
struct Turn(usize);

static TURNS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

impl Turn {
    /// Waits for the exchange that another thread has going on this client.
    fn take(link: &impl Link) -> Result<Turn, Error> {
        let id = link.id();
        pump_until(link, || {
            let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
            let free = !turns.contains(&id);
            if free {
                turns.push(id);
            }
            free
        })?;
        Ok(Turn(id))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|&id| id != self.0);
        if turns.is_empty() {
            // A program that has destroyed everything gets every byte back.
            *turns = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hal::{ConnectError, Connected, Endpoint};
    use std::sync::atomic::AtomicU64;

    const FILTER: &str = "$sys/operation/result/PID/dev";
    const ANSWER: &str = r#"{"type":"get","time":1604458421,"ntptime1":1604458421734,"ntptime2":1604458421736}"#;

    /// A clock that only sleeping and pumping move.
    #[derive(Default)]
    struct Clock(AtomicU64);

    impl Platform for Clock {
        fn now(&self) -> Millis {
            Millis(self.0.load(Ordering::Relaxed))
        }

        fn sleep(&self, ms: u32) {
            self.0.fetch_add(u64::from(ms), Ordering::Relaxed);
        }

        fn connect(&self, _endpoint: &Endpoint) -> Connected {
            Err(ConnectError::unexplained(-1001))
        }
    }

    /// A client whose cloud grants and answers after some time.
    struct Cloud {
        clock: Clock,
        grant_after: Option<u64>,
        answer_after: Option<u64>,
        answer: &'static str,
        /// What a pump returns, and whether it sits out its time.
        pump: (Result<Driven, Error>, bool),
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        inbox: Option<Arc<Inbox>>,
        subscribed_at: u64,
        asked: Option<(u64, String, Vec<u8>)>,
        pumps: u32,
    }

    impl Cloud {
        fn new() -> Self {
            Cloud {
                clock: Clock::default(),
                grant_after: Some(30),
                answer_after: Some(50),
                answer: ANSWER,
                pump: (Ok(Driven::Done), true),
                state: Mutex::default(),
            }
        }

        fn state(&self) -> std::sync::MutexGuard<'_, State> {
            self.state.lock().unwrap()
        }
    }

    impl Link for Cloud {
        fn subscribe(&self, filter: &str, inbox: Arc<Inbox>) -> Result<u16, Error> {
            assert_eq!(filter, FILTER);
            let mut state = self.state();
            assert!(state.inbox.is_none(), "subscribed twice");
            state.inbox = Some(inbox);
            state.subscribed_at = self.clock.now().0;
            Ok(1)
        }

        fn unsubscribe(&self, filter: &str) -> Result<u16, Error> {
            assert_eq!(filter, FILTER);
            self.state().inbox.take().map(|_| 2).ok_or(Error::NoAnswer)
        }

        fn is_subscribed(&self, _filter: &str) -> bool {
            self.grant_after.is_some_and(|after| self.clock.now().0 >= self.state().subscribed_at + after)
        }

        fn publish(&self, topic: &str, payload: &[u8]) -> Result<u16, Error> {
            self.state().asked = Some((self.clock.now().0, topic.to_owned(), payload.to_vec()));
            Ok(0)
        }

        fn pump(&self, ms: u32) -> Result<Driven, Error> {
            let end = self.clock.now() + if self.pump.1 { u64::from(ms) } else { 0 };
            let state = &mut *self.state();
            state.pumps += 1;
            assert!(state.pumps < 10_000, "spins");
            if let (Some((at, ..)), Some(after), Some(inbox)) = (&state.asked, self.answer_after, &state.inbox) {
                if end.0 >= at + after {
                    inbox.take_in(b"{}", Millis(at + after));
                    inbox.take_in(self.answer.as_bytes(), Millis(at + after));
                }
            }
            self.clock.0.store(end.0, Ordering::Relaxed);
            self.pump.0.clone()
        }

        fn platform(&self) -> &dyn Platform {
            &self.clock
        }

        fn id(&self) -> usize {
            std::ptr::from_ref(self) as usize
        }
    }

    #[test]
    fn the_round_trip_ends_when_the_answer_arrives() {
        let cloud = Cloud { answer_after: Some(53), ..Cloud::new() };
        let exchange = exchange(&cloud, "PID", "dev").unwrap();
        assert_eq!(exchange.answer.seconds, 1_604_458_421);
        assert_eq!(exchange.round_trip_ms, 53);
        let state = cloud.state();
        let (_, topic, payload) = state.asked.as_ref().unwrap();
        assert_eq!(topic, "$sys/operation/PID/dev");
        assert_eq!(payload, br#"{"type": "get", "resource": ["time"]}"#);
        assert!(state.inbox.is_none(), "the subscription was kept");
    }

    #[test]
    fn it_can_be_asked_again() {
        let cloud = Cloud::new();
        assert!(exchange(&cloud, "PID", "dev").is_ok());
        assert!(exchange(&cloud, "PID", "dev").is_ok());
    }

    #[test]
    fn silence_fails_after_two_seconds() {
        let cloud = Cloud { answer_after: None, ..Cloud::new() };
        assert_eq!(exchange(&cloud, "PID", "dev"), Err(Error::NoAnswer));
        let waited = cloud.clock.now().0;
        assert!((2_000..2_100).contains(&waited), "{waited}");
        assert!(cloud.state().inbox.is_none());
        assert!(exchange(&Cloud { answer: "null", ..Cloud::new() }, "PID", "dev").is_err());
    }

    #[test]
    fn without_a_grant_nothing_is_asked() {
        let cloud = Cloud { grant_after: None, ..Cloud::new() };
        assert_eq!(exchange(&cloud, "PID", "dev"), Err(Error::NoAnswer));
        assert!(cloud.state().asked.is_none());
        assert!(cloud.state().inbox.is_none());
    }

    #[test]
    fn a_pump_that_returns_at_once_is_not_spun() {
        let cloud = Cloud { pump: (Ok(Driven::Done), false), ..Cloud::new() };
        assert!(exchange(&cloud, "PID", "dev").is_ok());
        assert!(cloud.state().pumps <= 100, "{}", cloud.state().pumps);
    }

    #[test]
    fn a_lost_connection_is_not_waited_out() {
        let cloud = Cloud { pump: (Err(Error::NotConnected), false), ..Cloud::new() };
        assert_eq!(exchange(&cloud, "PID", "dev"), Err(Error::NotConnected));
        assert_eq!(cloud.clock.now(), Millis(0));
    }

    #[test]
    fn a_second_exchange_waits_for_the_first() {
        let cloud = Cloud::new();
        let turn = Turn::take(&cloud).unwrap();
        assert_eq!(exchange(&cloud, "PID", "dev"), Err(Error::NoAnswer));
        drop(turn);
        assert!(exchange(&cloud, "PID", "dev").is_ok());
    }
}
