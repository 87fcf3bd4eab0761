//! The session: one client's subscriptions and packets in flight, over as many connections as it takes.
//!
//! The caller owns the transport. It reports what happens to it ([`Session::open`], [`Session::received`],
//! [`Session::lost`]), writes what [`Session::take_output`] hands out, hands on what [`Session::next_event`] says, and
//! calls [`Session::tick`] at [`Session::deadline`]. `H` is whatever the caller wants back with a subscription's news.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, Disconnect, Packet, PingReq, PubAck, Publish, Subscribe, SubscribeReasonCode,
    Unsubscribe,
};

use super::backoff::Backoff;
use super::frame::{Frame, Framer};
use super::keep_alive::{Due, KeepAlive};
use super::packet_id::{PacketIds, SeenIds};
use super::Malformed;
use crate::time::Millis;
use crate::topic::{is_filter, is_topic, matches, MAX_TOPIC_LEN};

/// Longest packet that is sent, the C SDK's transmit buffer.
pub const MAX_SEND: usize = 2048;
/// Most publishes that wait for an acknowledgement.
pub const MAX_PENDING_PUBLISHES: usize = 20;
/// Most subscriptions.
pub const MAX_SUBSCRIPTIONS: usize = 10;
/// How long to wait before a subscription is asked for again that the server granted once and refuses now.
const ASK_AGAIN_MS: u64 = 60_000;
/// Most messages that are kept until they are acknowledged. The next one displaces the oldest.
pub const MAX_KEPT: usize = 10;

/// Quality of service. This side never uses QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QoS {
    /// At most once.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
}

impl From<QoS> for rumqttc::mqttbytes::QoS {
    fn from(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => rumqttc::mqttbytes::QoS::AtMostOnce,
            QoS::AtLeastOnce => rumqttc::mqttbytes::QoS::AtLeastOnce,
        }
    }
}

/// What stays the same over all connections of a session.
#[derive(Debug, Clone)]
pub struct Config {
    /// MQTT client id.
    pub client_id: String,
    /// Keep-alive in seconds, 0 for none.
    pub keep_alive_s: u16,
    /// Whether the server shall forget the session when the connection ends.
    pub clean_session: bool,
    /// How long an acknowledgement may take, in milliseconds.
    pub command_timeout_ms: u32,
    /// Whether to connect again after the link was lost.
    pub auto_connect: bool,
}

/// What proves the device's identity in one connection attempt.
#[derive(Clone)]
pub struct Login {
    /// MQTT user name.
    pub user_name: String,
    /// MQTT password; empty for none.
    pub password: String,
}

/// The state of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// There is none yet, or it was lost and is not to be made again by itself.
    Down,
    /// It was closed by [`Session::close`].
    Closed,
    /// It was lost; the next attempt is due at that moment.
    Waiting(Millis),
    /// It was lost and the wait between attempts grew too long.
    GaveUp,
    /// CONNECT is on its way, CONNACK is due by that moment.
    Connecting(Millis),
    /// Up.
    Up,
}

/// Why a link can't go on. The caller closes the transport and calls [`Session::lost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFault {
    /// The server sent something that is not MQTT 3.1.1 from a server.
    Malformed(Malformed),
    /// The server refused the connection with this CONNACK code.
    Refused(u8),
    /// No CONNACK in time.
    ConnackTimeout,
    /// Pings stayed without an answer.
    PingTimeout,
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkFault::Malformed(what) => what.fmt(f),
            LinkFault::Refused(1) => write!(f, "server refuses the connection: protocol version (1)"),
            LinkFault::Refused(2) => write!(f, "server refuses the connection: client id (2)"),
            LinkFault::Refused(3) => write!(f, "server refuses the connection: server unavailable (3)"),
            LinkFault::Refused(4) => write!(f, "server refuses the connection: bad user name or password (4)"),
            LinkFault::Refused(5) => write!(f, "server refuses the connection: not authorised (5)"),
            LinkFault::Refused(code) => write!(f, "server refuses the connection: code {code}"),
            LinkFault::ConnackTimeout => write!(f, "no CONNACK in time"),
            LinkFault::PingTimeout => write!(f, "no answer to pings"),
        }
    }
}

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The topic is empty, has wildcards where none may be, or is no valid filter.
    BadTopic,
    /// The topic is longer than [`MAX_TOPIC_LEN`].
    TopicTooLong,
    /// The link is down.
    NotConnected,
    /// The packet would be longer than [`MAX_SEND`].
    PacketTooLong,
    /// [`MAX_PENDING_PUBLISHES`] publishes wait already.
    TooManyPublishes,
    /// [`MAX_SUBSCRIPTIONS`] subscriptions exist already.
    TooManySubscriptions,
    /// There is no such subscription.
    UnknownTopic,
}

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 0 or 1.
    pub qos: u8,
    /// The server kept it for new subscribers.
    pub retain: bool,
    /// The server sends it again.
    pub dup: bool,
    /// Packet id, 0 for QoS 0.
    pub id: u16,
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Bytes,
}

/// News for the caller, in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<H> {
    /// The first connection of this session is up.
    Connected,
    /// The link was lost.
    Disconnected,
    /// The link is up again and every subscription was asked for again.
    Reconnected,
    /// A message came, for this subscription or for none. Answer with [`Session::delivered`].
    Message(Option<(u64, H)>, Message),
    /// A message with a payload of this length was too long and was skipped.
    TooLong(usize),
    /// A SUBACK grants the subscription.
    Subscribed(u16, H),
    /// A SUBACK refuses the subscription.
    SubscribeRefused(u16, H),
    /// No SUBACK in time.
    SubscribeTimedOut(u16, H),
    /// The subscription was taken away by the caller.
    Removed(H),
    /// An UNSUBACK came.
    Unsubscribed(u16),
    /// No UNSUBACK in time.
    UnsubscribeTimedOut(u16),
    /// A PUBACK came.
    Published(u16),
    /// No PUBACK in time.
    PublishTimedOut(u16),
}

#[derive(Debug)]
struct Subscription<H> {
    key: u64,
    filter: String,
    qos: QoS,
    handler: H,
    /// A SUBACK came since the link is up.
    ready: bool,
    /// A SUBACK came at some time: the subscription stays until it is taken away.
    established: bool,
    /// When to ask for it again.
    ask_again: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Puback,
    /// For the subscription with this key.
    Suback(u64),
    Unsuback,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    id: u16,
    awaited: Awaited,
    deadline: Millis,
}

/// A message that is sent over as many connections as it takes until it is acknowledged.
#[derive(Debug)]
struct Kept {
    packet: Publish,
    sent: bool,
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

    /// Whether the subscription with this key still exists: its news are to be handed on only then.
    #[must_use]
    pub fn has_subscription(&self, key: u64) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.key == key)
    }

    /// A message was handed on: acknowledges QoS 1.
    pub fn delivered(&mut self, message: &Message) {
        if message.qos == 1 && self.link == Link::Up {
            self.write(&Packet::PubAck(PubAck::new(message.id)));
        }
    }

    /// Sends a message. Returns its packet id, 0 for QoS 0.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn publish(
        &mut self,
        now: Millis,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<u16, Refusal> {
        let mut packet = checked(topic, payload, qos)?;
        packet.retain = retain;
        if self.link != Link::Up {
            return Err(Refusal::NotConnected);
        }
        let waiting = self.pending.iter().filter(|pending| pending.awaited == Awaited::Puback).count();
        if qos == QoS::AtLeastOnce {
            if waiting >= MAX_PENDING_PUBLISHES {
                return Err(Refusal::TooManyPublishes);
            }
            packet.pkid = self.next_id();
            self.await_ack(now, packet.pkid, Awaited::Puback);
        }
        let id = packet.pkid;
        self.write(&Packet::Publish(packet));
        Ok(id)
    }

    /// Sends a message with QoS 1 and keeps it until it is acknowledged: it is sent again after each reconnect, with the
    /// same packet id (MQTT 3.1.1 section 4.4), and may be handed over while the link is down and will be made again.
    /// The time-out of its acknowledgement is told as for any other. Returns the packet id.
    ///
    /// # Errors
    /// It is not kept: `NotConnected` where the link will not come back by itself.
    pub fn publish_kept(&mut self, now: Millis, topic: &str, payload: &[u8]) -> Result<u16, Refusal> {
        let mut packet = checked(topic, payload, QoS::AtLeastOnce)?;
        if matches!(self.link, Link::Down | Link::Closed) {
            return Err(Refusal::NotConnected);
        }
        if self.kept.len() >= MAX_KEPT {
            self.kept.remove(0);
        }
        let id = self.next_id();
        packet.pkid = id;
        self.await_ack(now, id, Awaited::Puback);
        let sent = self.link == Link::Up;
        if sent {
            self.write(&Packet::Publish(packet.clone()));
        }
        self.kept.push(Kept { packet, sent });
        Ok(id)
    }

    /// How many messages are kept because nobody has acknowledged them.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Subscribes. `same` tells whether an existing subscription to the same filter is meant: its handler is replaced
    /// then. Returns the packet id.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn subscribe(
        &mut self,
        now: Millis,
        filter: &str,
        qos: QoS,
        handler: H,
        same: impl Fn(&H, &H) -> bool,
    ) -> Result<u16, Refusal> {
        if filter.len() > MAX_TOPIC_LEN {
            return Err(Refusal::TopicTooLong);
        }
        if !is_filter(filter) {
            return Err(Refusal::BadTopic);
        }
        if self.link != Link::Up {
            return Err(Refusal::NotConnected);
        }
        let known =
            self.subscriptions.iter_mut().find(|known| known.filter == filter && same(&known.handler, &handler));
        let key = if let Some(known) = known {
            known.handler = handler;
            known.qos = qos;
            known.key
        } else {
            if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
                return Err(Refusal::TooManySubscriptions);
            }
            let key = self.next_key;
            self.next_key += 1;
            let filter = filter.to_owned();
            self.subscriptions.push(Subscription {
                key,
                filter,
                qos,
                handler,
                ready: false,
                established: false,
                ask_again: None,
            });
            key
        };
        Ok(self.send_subscribe(now, key, filter, qos))
    }

    /// Takes away every subscription to `filter`. Returns the packet id.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn unsubscribe(&mut self, now: Millis, filter: &str) -> Result<u16, Refusal> {
        if filter.len() > MAX_TOPIC_LEN {
            return Err(Refusal::TopicTooLong);
        }
        if !self.subscriptions.iter().any(|subscription| subscription.filter == filter) {
            return Err(Refusal::UnknownTopic);
        }
        let mut removed = Vec::new();
        self.subscriptions.retain(|subscription| {
            let keep = subscription.filter != filter;
            if !keep {
                removed.push((subscription.key, subscription.handler.clone()));
            }
            keep
        });
        for (key, handler) in removed {
            self.pending.retain(|pending| pending.awaited != Awaited::Suback(key));
            self.events.push_back(Event::Removed(handler));
        }
        // Without a link the subscription is gone all the same: it is not made again.
        if self.link != Link::Up {
            return Err(Refusal::NotConnected);
        }
        let id = self.next_id();
        self.await_ack(now, id, Awaited::Unsuback);
        let mut packet = Unsubscribe::new(filter);
        packet.pkid = id;
        self.write(&Packet::Unsubscribe(packet));
        Ok(id)
    }

    /// Whether a SUBACK for `filter` is in.
    #[must_use]
    pub fn is_subscribed(&self, filter: &str) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.filter == filter && subscription.ready)
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
                if self.acknowledged(now, ack.pkid, |awaited| awaited == Awaited::Unsuback).is_some() {
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
        if flags == 0 {
            self.seen.clear();
        }
        self.subscribe_again(now);
        self.send_kept_again(now);
        self.events.push_back(if self.was_up { Event::Reconnected } else { Event::Connected });
        self.was_up = true;
        Ok(())
    }

    fn subscribe_again(&mut self, now: Millis) {
        self.pending.retain(|pending| !matches!(pending.awaited, Awaited::Suback(_)));
        self.send_subscribes(now, |_| true);
    }

    fn send_kept_again(&mut self, now: Millis) {
        for mut kept in std::mem::take(&mut self.kept) {
            let id = kept.packet.pkid;
            kept.packet.dup = std::mem::replace(&mut kept.sent, true);
            self.pending.retain(|pending| pending.id != id);
            self.await_ack(now, id, Awaited::Puback);
            self.write(&Packet::Publish(kept.packet.clone()));
            self.kept.push(kept);
        }
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
        let to = self.subscriptions.iter().find(|known| matches(&publish.topic, &known.filter));
        let to = to.map(|known| (known.key, known.handler.clone()));
        let message = Message {
            qos,
            retain: publish.retain,
            dup: publish.dup,
            id: publish.pkid,
            topic: publish.topic,
            payload: publish.payload,
        };
        self.events.push_back(Event::Message(to, message));
        Ok(())
    }

    /// Ends the wait for an acknowledgement. An unknown one is ignored: it may be late.
    fn acknowledged(&mut self, now: Millis, id: u16, is_meant: impl Fn(Awaited) -> bool) -> Option<Awaited> {
        self.keep_alive.acknowledged(now);
        let index = self.pending.iter().position(|pending| pending.id == id && is_meant(pending.awaited))?;
        Some(self.pending.swap_remove(index).awaited)
    }

    /// A new subscription that is refused is dropped. One that was granted before is asked for again later: the server may
    /// only be out of order, and the device would silently stay without its messages.
    fn suback(&mut self, now: Millis, key: u64, id: u16, granted: bool) {
        let Some(index) = self.subscriptions.iter().position(|known| known.key == key) else {
            return;
        };
        if granted {
            let known = &mut self.subscriptions[index];
            known.ready = true;
            known.established = true;
            self.events.push_back(Event::Subscribed(id, known.handler.clone()));
        } else if self.subscriptions[index].established {
            let known = &mut self.subscriptions[index];
            known.ready = false;
            known.ask_again = Some(now + ASK_AGAIN_MS);
            self.events.push_back(Event::SubscribeRefused(id, known.handler.clone()));
        } else {
            self.events.push_back(Event::SubscribeRefused(id, self.subscriptions[index].handler.clone()));
            self.drop_unless_asked_for(index);
        }
    }

    /// Another SUBSCRIBE for the same subscription, which is still to be answered, keeps it.
    fn drop_unless_asked_for(&mut self, index: usize) {
        let awaited = Awaited::Suback(self.subscriptions[index].key);
        if !self.pending.iter().any(|pending| pending.awaited == awaited) {
            self.subscriptions.remove(index);
        }
    }

    fn expire_pending(&mut self, now: Millis) {
        let expired: Vec<Pending> = self.pending.iter().filter(|pending| now >= pending.deadline).copied().collect();
        for Pending { id, awaited, .. } in expired {
            self.pending.retain(|pending| pending.id != id);
            match awaited {
                Awaited::Puback => self.events.push_back(Event::PublishTimedOut(id)),
                Awaited::Unsuback => self.events.push_back(Event::UnsubscribeTimedOut(id)),
                Awaited::Suback(key) => self.suback_timed_out(now, key, id),
            }
        }
    }

    /// A new subscription without a SUBACK is dropped. One that was made before is asked for again, else the device
    /// would silently stay without its messages after a reconnect.
    fn suback_timed_out(&mut self, now: Millis, key: u64, id: u16) {
        let Some(index) = self.subscriptions.iter().position(|known| known.key == key) else {
            return;
        };
        let known = &self.subscriptions[index];
        self.events.push_back(Event::SubscribeTimedOut(id, known.handler.clone()));
        if !known.established {
            self.drop_unless_asked_for(index);
        } else if self.link == Link::Up {
            let (filter, qos) = (known.filter.clone(), known.qos);
            self.send_subscribe(now, key, &filter, qos);
        }
    }

    fn ask_again(&mut self, now: Millis) {
        self.send_subscribes(now, |known| known.ask_again.is_some_and(|at| now >= at));
    }

    fn send_subscribes(&mut self, now: Millis, wanted: impl Fn(&Subscription<H>) -> bool) {
        let wanted = self.subscriptions.iter().filter(|known| wanted(known));
        let again: Vec<_> = wanted.map(|known| (known.key, known.filter.clone(), known.qos)).collect();
        for (key, filter, qos) in again {
            self.send_subscribe(now, key, &filter, qos);
        }
    }

    fn send_subscribe(&mut self, now: Millis, key: u64, filter: &str, qos: QoS) -> u16 {
        for known in self.subscriptions.iter_mut().filter(|known| known.key == key) {
            known.ask_again = None;
        }
        let id = self.next_id();
        self.await_ack(now, id, Awaited::Suback(key));
        let mut packet = Subscribe::new(filter, qos.into());
        packet.pkid = id;
        self.write(&Packet::Subscribe(packet));
        id
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

/// The packet for a message that may be sent, still without an id.
fn checked(topic: &str, payload: &[u8], qos: QoS) -> Result<Publish, Refusal> {
    if topic.len() > MAX_TOPIC_LEN {
        return Err(Refusal::TopicTooLong);
    }
    if !is_topic(topic) {
        return Err(Refusal::BadTopic);
    }
    let mut packet = Publish::new(topic, qos.into(), payload);
    // The codec counts the id only where there is one.
    packet.pkid = 1;
    if packet.size() > MAX_SEND {
        return Err(Refusal::PacketTooLong);
    }
    packet.pkid = 0;
    Ok(packet)
}

#[cfg(test)]
mod tests;
