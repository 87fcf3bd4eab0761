//! The session: one client's subscriptions and packets in flight, over as many connections as it takes.
//!
//! The caller owns the transport. It reports what happens to it ([`Session::open`], [`Session::received`],
//! [`Session::lost`]), writes what [`Session::take_output`] hands out, hands on what [`Session::next_event`] says, and
//! calls [`Session::tick`] at [`Session::deadline`]. `H` is whatever the caller wants back with a subscription's news.

mod publishing;
mod subscriptions;
mod terms;

pub use publishing::{MAX_KEPT, MAX_PENDING_PUBLISHES, MAX_SEND, MAX_UNSENT};
pub use subscriptions::MAX_SUBSCRIPTIONS;
pub use terms::{Config, Event, Link, LinkFault, Login, Message, QoS, Refusal};

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, Disconnect, Packet, PingReq, PubAck, Publish, SubscribeReasonCode,
};

use super::backoff::Backoff;
use super::frame::{Frame, Framer};
use super::keep_alive::{Due, KeepAlive};
use super::packet_id::{PacketIds, SeenIds};
use super::Malformed;
use crate::time::Millis;

use publishing::Kept;
use subscriptions::Subscription;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Puback,
    /// For the subscription with this key.
    Suback(u64),
    /// `told`: the program hears of it.
    Unsuback {
        told: bool,
    },
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    id: u16,
    awaited: Awaited,
    deadline: Millis,
}

/// See the module's documentation.
pub struct Session<H> {
    config: Config,
    link: Link,
    backoff: Option<Backoff>,
    was_up: bool,
    framer: Framer,
    output: BytesMut,
    events: VecDeque<Event<H>>,
    subscriptions: Vec<Subscription<H>>,
    removed: Vec<H>,
    next_key: u64,
    pending: Vec<Pending>,
    kept: Vec<Kept>,
    ids: PacketIds,
    seen: SeenIds,
    keep_alive: KeepAlive,
}

impl<H: Clone> Session<H> {
    /// A session without a link. Packet ids start behind `first_id`, which should be random.
    #[must_use]
    pub fn new(config: Config, first_id: u16) -> Self {
        let keep_alive = KeepAlive::start(Millis(0), 0);
        Session {
            config,
            link: Link::Down,
            backoff: None,
            was_up: false,
            framer: Framer::default(),
            output: BytesMut::new(),
            events: VecDeque::new(),
            subscriptions: Vec::new(),
            removed: Vec::new(),
            next_key: 0,
            pending: Vec::new(),
            kept: Vec::new(),
            ids: PacketIds::start(first_id),
            seen: SeenIds::default(),
            keep_alive,
        }
    }

    /// The state of the link.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link
    }

    /// A transport is open: sends CONNECT and waits for CONNACK.
    pub fn open(&mut self, now: Millis, login: Login) {
        self.framer = Framer::default();
        self.output.clear();
        self.link = Link::Connecting(now + u64::from(self.config.command_timeout_ms));
        let mut connect = Connect::new(self.config.client_id.clone());
        connect.keep_alive = self.config.keep_alive_s;
        connect.clean_session = self.config.clean_session;
        connect.set_login(login.user_name, login.password);
        self.write(&Packet::Connect(connect));
    }

    /// The transport is gone, or could not be opened. `random` spreads the first wait.
    pub fn lost(&mut self, now: Millis, random: u64) {
        if self.link == Link::Closed {
            return;
        }
        let was_up = self.link == Link::Up;
        self.output.clear();
        self.framer = Framer::default();
        self.link = if !self.config.auto_connect || !self.was_up {
            Link::Down
        } else {
            let next = match self.backoff {
                None => Some(Backoff::start(now, random)),
                Some(backoff) => backoff.after_failure(now),
            };
            self.backoff = next;
            next.map_or(Link::GaveUp, |backoff| Link::Waiting(backoff.until()))
        };
        if was_up {
            for subscription in &mut self.subscriptions {
                subscription.ready = false;
            }
            self.events.push_back(Event::Disconnected);
        }
    }

    /// The caller was told that reconnecting timed out: the back-off starts anew.
    pub fn restart_backoff(&mut self, now: Millis, random: u64) {
        if self.link == Link::GaveUp {
            let backoff = Backoff::start(now, random);
            self.backoff = Some(backoff);
            self.link = Link::Waiting(backoff.until());
        }
    }

    /// Ends the session for good: queues DISCONNECT where there is a link, and forgets the subscriptions, which it
    /// returns.
    pub fn close(&mut self) -> Vec<H> {
        if self.link == Link::Up {
            self.write_with(|output| Disconnect.write(output).map(|_| ()));
        }
        self.link = Link::Closed;
        self.pending.clear();
        self.kept.clear();
        self.events.clear();
        self.subscriptions.drain(..).map(|subscription| subscription.handler).collect()
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

    /// Bytes came from the server.
    ///
    /// # Errors
    /// The link can't go on; what came before is in the events.
    pub fn received(&mut self, now: Millis, data: &[u8]) -> Result<(), LinkFault> {
        let mut frames = Vec::new();
        let framed = self.framer.push(data, &mut frames).map_err(LinkFault::Malformed);
        for frame in frames {
            match frame {
                Frame::Packet(packet) => self.packet(now, packet)?,
                Frame::TooLong { .. } if self.link != Link::Up => {
                    return Err(LinkFault::Malformed(Malformed("long packet before CONNACK")));
                }
                Frame::TooLong { len, id } => {
                    if let Some(id) = id {
                        self.write(&Packet::PubAck(PubAck::new(id)));
                    }
                    self.events.push_back(Event::TooLong(len));
                }
            }
            if self.output.len() > MAX_UNSENT {
                return Err(LinkFault::Unread);
            }
        }
        framed
    }

    /// What is due by now: time-outs and pings.
    ///
    /// # Errors
    /// The link can't go on.
    pub fn tick(&mut self, now: Millis) -> Result<(), LinkFault> {
        self.expire_pending(now);
        if self.link == Link::Up {
            self.ask_again(now);
        }
        match self.link {
            Link::Connecting(deadline) if now >= deadline => Err(LinkFault::ConnackTimeout),
            Link::Up => match self.keep_alive.tick(now) {
                Due::Nothing => Ok(()),
                Due::Ping => {
                    self.write_with(|output| PingReq.write(output).map(|_| ()));
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
            Link::Connecting(deadline) => Some(deadline),
            Link::Up => self.keep_alive.deadline(),
            _ => None,
        };
        let asking = if self.link == Link::Up { self.subscriptions.as_slice() } else { &[] };
        let again = asking.iter().filter_map(|known| known.ask_again);
        self.pending.iter().map(|pending| pending.deadline).chain(link).chain(again).min()
    }

    /// Bytes to be written to the transport, in order; empty when there are none.
    pub fn take_output(&mut self) -> Bytes {
        self.output.split().freeze()
    }

    /// The next news.
    pub fn next_event(&mut self) -> Option<Event<H>> {
        self.events.pop_front()
    }

    /// A message was handed on: acknowledges QoS 1.
    pub fn delivered(&mut self, message: &Message) {
        if message.qos == 1 && self.link == Link::Up {
            self.write(&Packet::PubAck(PubAck::new(message.id)));
        }
    }

    fn packet(&mut self, now: Millis, mut packet: Bytes) -> Result<(), LinkFault> {
        if let Link::Connecting(_) = self.link {
            return self.connack(now, &packet);
        }
        let malformed = |what| Err(LinkFault::Malformed(Malformed(what)));
        let mut stream = BytesMut::from(packet.split_to(packet.len()));
        let Ok(packet) = Packet::read(&mut stream, usize::MAX) else {
            return malformed("packet body");
        };
        match packet {
            Packet::Publish(publish) => return self.message(publish),
            Packet::PubAck(ack) => {
                self.kept.retain(|kept| kept.packet.pkid != ack.pkid);
                if self.acknowledged(now, ack.pkid, |awaited| awaited == Awaited::Puback).is_some() {
                    self.events.push_back(Event::Published(ack.pkid));
                }
            }
            Packet::SubAck(ack) => {
                let awaited = self.acknowledged(now, ack.pkid, |awaited| matches!(awaited, Awaited::Suback(_)));
                if let Some(Awaited::Suback(key)) = awaited {
                    let granted = ack.return_codes.first().is_some_and(|code| *code != SubscribeReasonCode::Failure);
                    self.suback(now, key, ack.pkid, granted);
                }
            }
            Packet::UnsubAck(ack) => {
                let awaited = self.acknowledged(now, ack.pkid, |awaited| matches!(awaited, Awaited::Unsuback { .. }));
                if awaited == Some(Awaited::Unsuback { told: true }) {
                    self.events.push_back(Event::Unsubscribed(ack.pkid));
                }
            }
            Packet::PingResp => self.keep_alive.acknowledged(now),
            _ => return malformed("a server never sends this packet type"),
        }
        Ok(())
    }

    fn connack(&mut self, now: Millis, packet: &[u8]) -> Result<(), LinkFault> {
        // Not left to the codec: it knows no codes above 5, and the caller wants to see them.
        let &[0x20, 2, flags @ (0 | 1), code] = packet else {
            return Err(LinkFault::Malformed(Malformed("CONNACK expected")));
        };
        if code != ConnectReturnCode::Success as u8 {
            return Err(LinkFault::Refused(code));
        }
        self.link = Link::Up;
        self.backoff = None;
        self.keep_alive = KeepAlive::start(now, self.config.keep_alive_s);
        // A session that was to begin anew has begun anew, whatever the server says.
        let session_present = flags == 1 && !self.config.clean_session;
        if !session_present {
            self.seen.clear();
        }
        self.subscribe_again(now);
        self.send_kept_again(now);
        self.events.push_back(if self.was_up { Event::Reconnected { session_present } } else { Event::Connected });
        self.was_up = true;
        Ok(())
    }

    fn message(&mut self, publish: Publish) -> Result<(), LinkFault> {
        let qos = match publish.qos {
            rumqttc::mqttbytes::QoS::AtMostOnce => 0,
            rumqttc::mqttbytes::QoS::AtLeastOnce => 1,
            rumqttc::mqttbytes::QoS::ExactlyOnce => {
                return Err(LinkFault::Malformed(Malformed("PUBLISH with QoS 2, which was never asked for")));
            }
        };
        if qos == 1 && self.seen.is_repeat(publish.pkid) {
            self.write(&Packet::PubAck(PubAck::new(publish.pkid)));
            return Ok(());
        }
        let message = Message {
            qos,
            retain: publish.retain,
            dup: publish.dup,
            id: publish.pkid,
            topic: publish.topic,
            payload: publish.payload,
        };
        self.events.push_back(Event::Message(message));
        Ok(())
    }

    /// Ends the wait for an acknowledgement. An unknown one is ignored: it may be late.
    fn acknowledged(&mut self, now: Millis, id: u16, is_meant: impl Fn(Awaited) -> bool) -> Option<Awaited> {
        self.keep_alive.acknowledged(now);
        let index = self.pending.iter().position(|pending| pending.id == id && is_meant(pending.awaited))?;
        Some(self.pending.swap_remove(index).awaited)
    }

    fn expire_pending(&mut self, now: Millis) {
        let expired: Vec<Pending> = self.pending.iter().filter(|pending| now >= pending.deadline).copied().collect();
        for Pending { id, awaited, .. } in expired {
            self.pending.retain(|pending| pending.id != id);
            match awaited {
                Awaited::Puback => self.events.push_back(Event::PublishTimedOut(id)),
                Awaited::Unsuback { told: false } => {}
                Awaited::Unsuback { told: true } => self.events.push_back(Event::UnsubscribeTimedOut(id)),
                Awaited::Suback(key) => self.suback_timed_out(now, key, id),
            }
        }
    }

    fn next_id(&mut self) -> u16 {
        let (pending, kept) = (&self.pending, &self.kept);
        self.ids
            .next(|id| pending.iter().any(|pending| pending.id == id) || kept.iter().any(|kept| kept.packet.pkid == id))
    }

    fn await_ack(&mut self, now: Millis, id: u16, awaited: Awaited) {
        let deadline = now + u64::from(self.config.command_timeout_ms);
        self.pending.push(Pending { id, awaited, deadline });
    }

    fn write(&mut self, packet: &Packet) {
        self.write_with(|output| packet.write(output, usize::MAX).map(|_| ()));
    }

    /// The codec refuses only packets without an id and over-long ones; neither is made here.
    fn write_with(&mut self, write: impl FnOnce(&mut BytesMut) -> Result<(), rumqttc::mqttbytes::Error>) {
        let before = self.output.len();
        if write(&mut self.output).is_err() {
            self.output.truncate(before);
        }
    }
}

#[cfg(test)]
mod tests;
