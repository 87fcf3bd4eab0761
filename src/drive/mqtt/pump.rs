//! The pump: what a thread does inside `IOT_MQTT_Yield`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use iot_engine::mqtt::{Event, LinkState};
use iot_engine::time::Millis;

use super::{trace, Client, Driven, Message, Notice, Subscriber, SubscriptionEvent};
use crate::drive::error::Error;
use crate::hal::abandoned::{self, Held, HoldingOf};
use crate::hal::Platform;

/// Longest wait in one read or sleep, so that a thread notices what another one changed.
const SLICE_MS: u64 = 500;
/// Wait between two attempts to become the pumping thread.
const TURN_MS: u64 = 10;
/// How long a callback may run before another thread takes the pumping over.
const AWAY_MS: u64 = 10_000;

/// The right to pump, held by one thread at a time, any number of times.
pub(super) struct Token {
    /// The holder's number, 0 for nobody.
    owner: AtomicU64,
    /// When the holder went into the program's code, in milliseconds and 1; 0 where it is in ours.
    away_since: AtomicU64,
}

/// A number for the calling thread, never 0, never used twice.
pub(super) fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

impl Token {
    pub(super) fn new() -> Self {
        Token { owner: AtomicU64::new(0), away_since: AtomicU64::new(0) }
    }

    /// Whether the calling thread is pumping: it is inside a callback then.
    pub(super) fn is_mine(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == this_thread()
    }

    /// Waits until `deadline` for the right to pump.
    pub(super) fn acquire(self: &Arc<Self>, platform: &dyn Platform, deadline: Millis) -> Option<Pumping<'_>> {
        let me = this_thread();
        if self.owner.load(Ordering::Relaxed) == me {
            return Some(Pumping { token: None, _note: None });
        }
        while self.owner.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
            if self.take_over(me, platform.now()) {
                break;
            }
            let left = platform.now().until(deadline).min(TURN_MS);
            if left == 0 || platform.is_leaving() {
                return None;
            }
            sleep(platform, left);
        }
        self.away_since.store(0, Ordering::Relaxed);
        Some(Pumping { token: Some(self), _note: Some(abandoned::hold_shared(self)) })
    }

    /// Takes the right from a thread that went into a callback long ago: one that left it by `longjmp` never comes back.
    fn take_over(&self, me: u64, now: Millis) -> bool {
        let owner = self.owner.load(Ordering::Relaxed);
        let since = self.away_since.load(Ordering::Relaxed);
        owner != 0
            && since != 0
            && now.0.saturating_sub(since) > AWAY_MS
            && self.owner.compare_exchange(owner, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Runs what may call the program's code. False where another thread has taken the right over meanwhile.
    fn lend(&self, platform: &dyn Platform, body: impl FnOnce()) -> bool {
        let before = self.away_since.swap(platform.now().0 + 1, Ordering::Relaxed);
        body();
        let is_mine = self.is_mine();
        if is_mine {
            self.away_since.store(before, Ordering::Relaxed);
        }
        is_mine
    }
}

impl Held for Token {
    fn give_back(&self) {
        // Another thread may have taken it over.
        let _ = self.owner.compare_exchange(this_thread(), 0, Ordering::Release, Ordering::Relaxed);
    }
}

/// The right to pump, given back when dropped by its outermost holder.
pub(super) struct Pumping<'a> {
    token: Option<&'a Token>,
    _note: Option<HoldingOf<Token>>,
}

impl Drop for Pumping<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            token.give_back();
        }
    }
}

fn sleep(platform: &dyn Platform, ms: u64) {
    platform.sleep(u32::try_from(ms).unwrap_or(u32::MAX));
}

/// The earliest moment at which a service wants to be called.
pub(super) struct Wake(AtomicU64);

impl Wake {
    pub(super) fn new() -> Self {
        Wake(AtomicU64::new(u64::MAX))
    }

    fn at(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
}

impl Client {
    /// Has every service's [`Subscriber::expire`] called as soon as the client is driven at or after `moment`, once.
    pub fn wake_at(&self, moment: Millis) {
        self.wake.0.fetch_min(moment.0, Ordering::Relaxed);
        self.stir();
    }

    /// Calls the services if one of them wants it by now.
    fn expire(self: &Arc<Self>) {
        let now = self.platform.now();
        if now < self.wake.at() {
            return;
        }
        // First, so that what a service asks for meanwhile is kept.
        self.wake.0.store(u64::MAX, Ordering::Relaxed);
        let services = self.session.lock().services();
        // A program that is told of a time-out may leave by `longjmp`. Whether the right to pump is still ours, the next
        // round sees.
        self.pump.lend(&*self.platform, || {
            for service in services {
                service.expire(self, now);
            }
        });
    }

    /// Drives the connection for at most `ms` milliseconds.
    ///
    /// # Errors
    /// The connection is down ([`Error::NotConnected`], [`Error::Reconnecting`], [`Error::ReconnectTimedOut`]).
    pub fn yield_for(self: &Arc<Self>, ms: u32) -> Result<Driven, Error> {
        self.drive_for(ms, &|| false)
    }

    /// The same, and no longer than until `is_over` says so of what has been handed on. The loop thread does not ask it.
    ///
    /// # Errors
    /// As [`yield_for`](Self::yield_for).
    pub(crate) fn drive_for(self: &Arc<Self>, ms: u32, is_over: &dyn Fn() -> bool) -> Result<Driven, Error> {
        let deadline = self.platform.now() + u64::from(ms);
        #[cfg(feature = "multithread")]
        if self.is_left_to_loop() {
            let is_fetching = self.is_transferring() && self.fetcher.load(Ordering::Relaxed) == this_thread();
            if !is_fetching {
                self.sleep_until(deadline);
            }
            return Ok(Driven::Done);
        }
        self.pump_until(deadline, &|| false, is_over)
    }

    fn is_transferring(&self) -> bool {
        self.transfers.any()
    }

    /// Whether the pumping thread has a download to go on with. The loop thread has none, so it may wait for the server.
    pub(super) fn must_hurry(&self) -> bool {
        #[cfg(feature = "multithread")]
        if self.is_looping() {
            return false;
        }
        self.is_transferring()
    }

    #[cfg(feature = "multithread")]
    fn sleep_until(&self, deadline: Millis) {
        loop {
            let left = self.platform.now().until(deadline).min(SLICE_MS);
            if left == 0 || self.platform.is_leaving() {
                return;
            }
            sleep(&*self.platform, left);
        }
    }

    /// Drives the connection until `deadline`, and for as long as nothing is to be done where `may_rest` says so: it is asked
    /// when a [`stir`](Self::stir) can end the rest. It ends where `is_over` says so of what has been handed on.
    ///
    /// # Errors
    /// As [`yield_for`](Self::yield_for).
    pub(super) fn pump_until(
        self: &Arc<Self>,
        deadline: Millis,
        may_rest: &dyn Fn() -> bool,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Driven, Error> {
        let Some(_pumping) = self.pump.acquire(&*self.platform, deadline) else {
            return Ok(Driven::Done);
        };
        let mut result = Driven::Done;
        loop {
            // A server that takes nothing must not hold up a download.
            let patience = if self.must_hurry() { Millis(0) } else { deadline };
            self.tick(patience);
            if self.hand_on_events(patience) {
                result = Driven::Reconnected;
            }
            if self.platform.is_leaving() || !self.pump.is_mine() || is_over() {
                return Ok(result);
            }
            let now = self.platform.now();
            let link = self.session.lock().link();
            if link != LinkState::Up {
                self.expire();
            }
            match link {
                LinkState::Up if self.must_hurry() => {
                    if !self.poll(deadline) || now >= deadline {
                        self.expire();
                        return Ok(result);
                    }
                }
                LinkState::Up => {
                    // What has arrived in time counts, however late it is read.
                    if !self.read_or_rest(deadline, may_rest) {
                        self.expire();
                    }
                    if self.platform.now() >= deadline {
                        // What has arrived is still handed on in this call.
                        self.hand_on_events(patience);
                        return Ok(result);
                    }
                }
                LinkState::Connecting(_) if self.must_hurry() => {
                    if !self.poll(deadline) || now >= deadline {
                        return Err(Error::Reconnecting);
                    }
                }
                LinkState::Connecting(_) => {
                    self.read_some(deadline);
                    if now >= deadline && self.session.lock().link() != LinkState::Up {
                        return Err(Error::Reconnecting);
                    }
                }
                LinkState::Waiting(due) if now >= due => {
                    let wait_ms = if self.must_hurry() { 0 } else { now.until(deadline).min(SLICE_MS) };
                    self.reconnect(wait_ms);
                    let is_waiting = matches!(self.session.lock().link(), LinkState::Waiting(_));
                    if is_waiting && (wait_ms == 0 || self.platform.now() >= deadline) {
                        return Err(Error::Reconnecting);
                    }
                }
                LinkState::Waiting(due) => {
                    let until = deadline.min(due).min(self.wake.at());
                    let left = now.until(until).clamp(1, SLICE_MS);
                    if now >= deadline || self.must_hurry() {
                        return Err(Error::Reconnecting);
                    }
                    sleep(&*self.platform, left);
                }
                LinkState::GaveUp => {
                    // The caller hears of it once; a device must never stop trying for good.
                    self.session.lock().go_on(now, self.platform.random());
                    return Err(Error::ReconnectTimedOut);
                }
                LinkState::Down => return Err(Error::NotConnected),
                LinkState::Closed => return Ok(Driven::Closed),
            }
        }
    }

    /// Time-outs and pings, and whatever waits to be written, until `patience`.
    pub(super) fn tick(&self, patience: Millis) {
        let ticked = self.session.lock().tick(self.platform.now());
        match ticked {
            Ok(()) => {
                // A failure gives the link up, which the caller sees in its state.
                let _ = self.flush_until(patience);
            }
            Err(fault) => self.fault(fault),
        }
    }

    /// Reads what is there while a download runs. False when nothing is there, or when it is too early to ask again.
    fn poll(&self, deadline: Millis) -> bool {
        let begin = self.platform.now();
        if !self.poll_budget.lock().is_due(begin) {
            return false;
        }
        let something = self.read_some(begin.min(deadline));
        if !something {
            self.poll_budget.lock().found_nothing(begin, self.platform.now());
        }
        something
    }

    /// Waits for bytes until `deadline`, or for as long as nothing else is due, and feeds them to the session.
    /// False when nothing came.
    pub(super) fn read_some(&self, deadline: Millis) -> bool {
        self.read_or_rest(deadline, &|| false)
    }

    /// The same, without a `deadline` where the platform has a wait that another thread can end, and `may_rest`.
    fn read_or_rest(&self, deadline: Millis, may_rest: &dyn Fn() -> bool) -> bool {
        let Some(transport) = self.transport.lock().clone() else {
            return false;
        };
        let mut buffer = [0; 2048];
        let now = self.platform.now();
        let rested = (now < deadline).then(|| self.rest_on(&transport, &mut buffer, deadline, may_rest)).flatten();
        let (read, wait) = rested.unwrap_or_else(|| {
            let (wanted, until) = self.wanted_until(deadline);
            let wait = now.until(until).min(SLICE_MS);
            let wanted = wanted.min(buffer.len());
            (transport.read(&mut buffer[..wanted], u32::try_from(wait).unwrap_or(0)), wait)
        });
        // While this thread waited, a failed write on another one may have given that link up.
        if !self.is_current(&transport) {
            return false;
        }
        match read {
            Ok(0) => {
                // A platform that does not wait must not make us spin.
                if wait > 0 && self.platform.now() <= now {
                    sleep(&*self.platform, 1);
                }
                false
            }
            Ok(count) => {
                let received = self.session.lock().received(self.platform.now(), &buffer[..count]);
                if let Err(fault) = received {
                    self.fault(fault);
                }
                true
            }
            Err(error) => {
                self.broken(error.into());
                true
            }
        }
    }

    /// How many bytes the session wants, and until when it can wait for them: at most until `deadline`.
    pub(super) fn wanted_until(&self, deadline: Millis) -> (usize, Millis) {
        let (wanted, due) = {
            let session = self.session.lock();
            (session.wanted(), session.deadline())
        };
        (wanted, due.map_or(deadline, |due| due.min(deadline)).min(self.wake.at()))
    }

    /// Hands on the session's events, one at a time, with no lock held. True when the link came back.
    fn hand_on_events(self: &Arc<Self>, patience: Millis) -> bool {
        let mut reconnected = false;
        let repeated = self.session.lock().take_repeated();
        for (id, filter) in repeated {
            trace::subscribe(id, &filter);
        }
        loop {
            let event = self.session.lock().next_event();
            let Some(event) = event else {
                // Acknowledgements of what was handed on; a failure shows in the link's state.
                let _ = self.flush_until(patience);
                return reconnected;
            };
            reconnected |= matches!(event, Event::Reconnected { .. });
            let is_mine = self.pump.lend(&*self.platform, || self.hand_on(event, patience));
            if !is_mine || self.platform.is_leaving() {
                // What has come besides waits for the next pump.
                return reconnected;
            }
        }
    }

    fn hand_on(self: &Arc<Self>, event: Event<Arc<dyn Subscriber>>, patience: Millis) {
        match event {
            Event::Connected => {}
            Event::Disconnected => self.notify(Notice::Disconnected),
            Event::Reconnected { session_present } => {
                #[cfg(feature = "inbox")]
                self.reconnects.fetch_add(1, Ordering::AcqRel);
                log::info!(target: "mqtt_session", "MQTT is connected again");
                self.notify(Notice::Reconnected);
                let services = self.session.lock().services();
                for service in services {
                    service.link_restored(self, session_present);
                }
            }
            Event::Message(message) => {
                self.deliver(&message);
                self.session.lock().delivered(&message);
                let _ = self.flush_until(patience);
            }
            Event::Skipped(what) => log::error!(target: "mqtt_session", "{what}"),
            Event::Subscribed(id, subscriber) => {
                self.notify_of_answer(&subscriber, Notice::Subscribed(id), SubscriptionEvent::Granted);
            }
            Event::SubscribeRefused(id, subscriber) => {
                log::error!(target: "mqtt_session", "the server refuses subscription {id}");
                self.notify_of_answer(&subscriber, Notice::SubscribeRefused(id), SubscriptionEvent::Refused);
            }
            Event::SubscribeTimedOut(id, subscriber) => {
                self.notify_of_answer(&subscriber, Notice::SubscribeTimedOut(id), SubscriptionEvent::TimedOut);
            }
            Event::Unsubscribed(id) => self.notify(Notice::Unsubscribed(id)),
            Event::UnsubscribeTimedOut(id) => self.notify(Notice::UnsubscribeTimedOut(id)),
            Event::Published(id) => self.notify(Notice::Published(id)),
            Event::PublishTimedOut(id) => self.notify(Notice::PublishTimedOut(id)),
        }
    }

    /// Hands a message to its recipients, or to the global handler. Where there is neither, the log says so (behaviour.md
    /// section 3).
    fn deliver(self: &Arc<Self>, message: &Message) {
        let recipients = self.session.lock().recipients(&message.topic, |subscriber| subscriber.takes_messages());
        if recipients.is_empty() && self.setup.listener.is_none() {
            log::info!(target: "mqtt_session", "nobody takes the message on {}", message.topic);
        }
        if recipients.is_empty() {
            self.notify(Notice::Message(message));
        }
        for subscriber in recipients {
            subscriber.deliver(self, message);
        }
    }

    /// What became of a SUBSCRIBE: the program's global handler hears of it first (behaviour.md section 3).
    fn notify_of_answer(
        self: &Arc<Self>,
        subscriber: &Arc<dyn Subscriber>,
        notice: Notice<'_>,
        event: SubscriptionEvent,
    ) {
        if subscriber.tells_program() {
            self.notify(notice);
        }
        subscriber.event(self, event);
    }

    /// Tells the client's owner. No lock may be held.
    pub(in crate::drive) fn notify(self: &Arc<Self>, notice: Notice<'_>) {
        if let Some(listener) = &self.setup.listener {
            listener.notice(self, notice);
        }
    }
}
