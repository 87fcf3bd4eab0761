//! The session: one client's subscriptions and packets in flight, over as many connections as it takes.
//!
//! The caller owns the transport. It reports what happens to it ([`Session::open`], [`Session::received`],
//! [`Session::lost`]), writes what [`Session::take_output`] returns, hands on what [`Session::next_event`] returns, and
//! calls [`Session::tick`] at [`Session::deadline`]. `H` is what the caller gets back with a subscription's events.

mod publishing;
mod receiving;
mod subscriptions;
mod terms;

pub use publishing::{MAX_KEPT, MAX_PENDING_PUBLISHES, MAX_SEND, MAX_UNSENT};
pub use subscriptions::MAX_SUBSCRIPTIONS;
pub use terms::{Config, Event, LinkFault, LinkState, Login, Refusal, Skipped};

use std::collections::VecDeque;

use bytes::Bytes;

use super::backoff::Backoff;
use super::frame::Framer;
use super::keep_alive::{Due, KeepAlive};
use super::packet::{self, Message, QoS};
use super::packet_id::{PacketIds, SeenIds, Unreleased};
use super::NoMemory;
use crate::time::Millis;

use publishing::Kept;
use receiving::Slow;
use subscriptions::Subscription;

/// A connection that lived for so long was of use.
const PROVED_MS: u64 = 10_000;
/// An acknowledgement makes a connection of use that ended sooner, but not more than so many of them in a row.
/// Two devices with one client id throw each other out for ever, each time after their subscriptions were granted.
const MAX_SHORT_LIVED: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Puback,
    /// For the subscription with this key.
    Suback(u64),
    /// `tells_program`: the program gets an event.
    Unsuback {
        tells_program: bool,
    },
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    id: u16,
    awaited: Awaited,
    deadline: Millis,
}

/// See the module's documentation.
///
/// ```
/// use iot_engine::mqtt::{Config, Event, LinkState, Login, QoS, Session};
/// use iot_engine::time::Millis;
///
/// let mut session = Session::<&str>::new(
///     Config {
///         client_id: "PRODUCTID0lamp".to_owned(),
///         keep_alive_s: 240,
///         clean_session: true,
///         command_timeout_ms: 5000,
///         auto_connect: true,
///     },
///     0,
/// );
/// // The caller has a connection: what the session wants to say goes out over it, what comes in goes to the session.
/// session.open(Millis(0), Login { user_name: "lamp".to_owned(), password: String::new() });
/// let connect = session.take_output();
/// assert_eq!(connect[0], 0x10, "a CONNECT");
/// session.received(Millis(20), &[0x20, 2, 0, 0]).expect("a CONNACK");
/// assert_eq!(session.link(), LinkState::Up);
/// assert!(matches!(session.next_event(), Some(Event::Connected)));
///
/// let id = session.publish(Millis(30), "lamp/state", b"on", QoS::AtLeastOnce, false).expect("the link is up");
/// assert_eq!(id, 1);
/// ```
pub struct Session<H> {
    config: Config,
    link: LinkState,
    backoff: Option<Backoff>,
    was_up: bool,
    /// When the CONNACK came.
    up_since: Millis,
    /// The server has acknowledged a publish, or granted every subscription, over this connection.
    acknowledged: bool,
    short_lived: u32,
    framer: Framer,
    slow: Option<Slow>,
    output: Vec<u8>,
    /// Something could not be written for want of memory: the link can't go on.
    starved: bool,
    events: VecDeque<Event<H>>,
    subscriptions: Vec<Subscription<H>>,
    /// Services that are told of time and links without a subscription.
    attached: Vec<H>,
    removed: Vec<H>,
    next_key: u64,
    repeated: Vec<(u16, String)>,
    pending: Vec<Pending>,
    kept: Vec<Kept>,
    ids: PacketIds,
    seen: SeenIds,
    unreleased: Unreleased,
    /// QoS and packet ids of messages that came over this connection and are to be acknowledged once they are handed on.
    undelivered: Vec<(u8, u16)>,
    keep_alive: KeepAlive,
}

impl<H: Clone> Session<H> {
    /// A session without a link. Packet ids start behind `first_id`, which should be random.
    #[must_use]
    pub fn new(config: Config, first_id: u16) -> Self {
        let keep_alive = KeepAlive::start(Millis(0), 0);
        Session {
            config,
            link: LinkState::Down,
            backoff: None,
            was_up: false,
            up_since: Millis(0),
            acknowledged: false,
            short_lived: 0,
            framer: Framer::default(),
            slow: None,
            output: Vec::new(),
            starved: false,
            events: VecDeque::new(),
            subscriptions: Vec::new(),
            attached: Vec::new(),
            removed: Vec::new(),
            next_key: 0,
            repeated: Vec::new(),
            pending: Vec::new(),
            kept: Vec::new(),
            ids: PacketIds::start(first_id),
            seen: SeenIds::default(),
            unreleased: Unreleased::default(),
            undelivered: Vec::new(),
            keep_alive,
        }
    }

    /// The state of the link.
    #[must_use]
    pub fn link(&self) -> LinkState {
        self.link
    }

    /// A transport is open: sends CONNECT and waits for CONNACK.
    pub fn open(&mut self, now: Millis, login: Login) {
        self.forget_connection();
        self.link = LinkState::Connecting(now + u64::from(self.config.command_timeout_ms));
        let connect = packet::Connect {
            client_id: &self.config.client_id,
            keep_alive_s: self.config.keep_alive_s,
            clean_session: self.config.clean_session,
            user_name: &login.user_name,
            password: &login.password,
        };
        self.starved |= connect.write(&mut self.output).is_err();
    }

    /// The transport is gone, or could not be opened. `random` spreads the first wait.
    pub fn lost(&mut self, now: Millis, random: u64) {
        if self.link == LinkState::Closed {
            return;
        }
        let was_up = self.link == LinkState::Up;
        if was_up {
            self.judge_connection(now);
        }
        self.forget_connection();
        self.link = if !self.config.auto_connect || !self.was_up {
            LinkState::Down
        } else {
            let next = match self.backoff {
                None => Some(Backoff::start(now, random)),
                Some(backoff) => backoff.after_failure(now),
            };
            self.backoff = next;
            next.map_or(LinkState::GaveUp, |backoff| LinkState::Waiting(backoff.until()))
        };
        if was_up {
            for subscription in &mut self.subscriptions {
                subscription.ready = false;
            }
            self.events.push_back(Event::Disconnected);
        }
    }

    /// Whether the connection that ends now was of use: then the back-off starts over. A CONNACK alone proves nothing: a
    /// server that closes each connection would be asked every second.
    fn judge_connection(&mut self, now: Millis) {
        let lived = now.since(self.up_since) >= PROVED_MS;
        self.short_lived = if lived { 0 } else { self.short_lived.saturating_add(1) };
        if lived || (self.acknowledged && self.short_lived <= MAX_SHORT_LIVED) {
            self.backoff = None;
        }
    }

    /// How many connections in a row ended within seconds of their CONNACK.
    #[must_use]
    pub fn short_lived(&self) -> u32 {
        self.short_lived
    }

    fn forget_connection(&mut self) {
        self.framer = Framer::default();
        self.slow = None;
        self.output = Vec::new();
        self.starved = false;
        self.acknowledged = false;
        self.undelivered.clear();
        self.repeated.clear();
    }

    /// Goes on after [`LinkState::GaveUp`], which the caller has told: with the longest waits.
    pub fn go_on(&mut self, now: Millis, random: u64) {
        if self.link == LinkState::GaveUp {
            let backoff = Backoff::at_limit(now, random);
            self.backoff = Some(backoff);
            self.link = LinkState::Waiting(backoff.until());
        }
    }

    /// Ends the session for good: queues DISCONNECT where there is a link, and forgets subscriptions and attached services,
    /// which it returns.
    pub fn close(&mut self) -> Vec<H> {
        if self.link == LinkState::Up {
            self.write(packet::write_disconnect);
        }
        self.link = LinkState::Closed;
        self.pending.clear();
        self.kept.clear();
        self.events.clear();
        let subscriptions = self.subscriptions.drain(..).map(|subscription| subscription.handler);
        subscriptions.chain(self.attached.drain(..)).collect()
    }

    /// How many bytes the session can use next; a read should not ask for more.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.framer.wanted()
    }

    /// Whether a packet has begun to arrive.
    #[must_use]
    pub fn is_mid_packet(&self) -> bool {
        self.framer.is_mid_packet()
    }

    /// What is due by now: time-outs and pings.
    ///
    /// # Errors
    /// The link can't go on.
    pub fn tick(&mut self, now: Millis) -> Result<(), LinkFault> {
        self.expire_pending(now);
        if self.link == LinkState::Up {
            self.ask_again(now);
        }
        self.check_speed(now)?;
        if self.starved {
            return Err(LinkFault::NoMemory);
        }
        match self.link {
            LinkState::Connecting(deadline) if now >= deadline => Err(LinkFault::ConnackTimeout),
            LinkState::Up => match self.keep_alive.tick(now) {
                Due::Nothing => Ok(()),
                Due::Ping => {
                    self.write(packet::write_pingreq);
                    Ok(())
                }
                Due::Lost => Err(LinkFault::PingTimeout),
            },
            _ => Ok(()),
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let link = match self.link {
            LinkState::Connecting(deadline) => Some(deadline),
            LinkState::Up => self.keep_alive.deadline(),
            _ => None,
        };
        let asking = if self.link == LinkState::Up { self.subscriptions.as_slice() } else { &[] };
        let again = asking.iter().filter_map(|known| known.ask_again);
        let slow = self.slow.as_ref().map(Slow::deadline);
        self.pending.iter().map(|pending| pending.deadline).chain(link).chain(again).chain(slow).min()
    }

    /// Bytes to be written to the transport, in order; empty when there are none.
    pub fn take_output(&mut self) -> Bytes {
        std::mem::take(&mut self.output).into()
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event<H>> {
        self.events.pop_front()
    }

    fn expire_pending(&mut self, now: Millis) {
        let expired: Vec<Pending> = self.pending.iter().filter(|pending| now >= pending.deadline).copied().collect();
        for Pending { id, awaited, .. } in expired {
            self.pending.retain(|pending| pending.id != id);
            match awaited {
                Awaited::Puback => self.events.push_back(Event::PublishTimedOut(id)),
                Awaited::Unsuback { tells_program: false } => {}
                Awaited::Unsuback { tells_program: true } => self.events.push_back(Event::UnsubscribeTimedOut(id)),
                Awaited::Suback(key) => self.suback_timed_out(now, key, id),
            }
        }
    }

    fn next_id(&mut self) -> u16 {
        let (pending, kept) = (&self.pending, &self.kept);
        self.ids.next(|id| pending.iter().any(|pending| pending.id == id) || kept.iter().any(|kept| kept.id == id))
    }

    fn await_ack(&mut self, now: Millis, id: u16, awaited: Awaited) {
        let deadline = now + u64::from(self.config.command_timeout_ms);
        self.pending.push(Pending { id, awaited, deadline });
    }

    /// Without memory for it the link can't go on, which [`tick`](Self::tick) and [`received`](Self::received) say.
    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), NoMemory>) {
        self.starved |= write(&mut self.output).is_err();
    }
}

#[cfg(test)]
mod tests;
