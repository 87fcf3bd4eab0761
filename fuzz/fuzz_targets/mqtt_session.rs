//! Any sequence of calls, packets, faults and passing time over many connections. The target plays the caller's loop
//! and keeps books of its own: each request ends once, links come and go in turns, and the session never spins.
#![no_main]

use std::collections::{HashMap, HashSet};

use bytes::{Bytes, BytesMut};
use iot_engine::mqtt::{Config, Event, LinkState, Login, QoS, Refusal, Session};
use iot_engine::time::Millis;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rumqttc::mqttbytes::v4::Packet;

const TIMEOUT_MS: u32 = 5_000;
const MAX_PENDING_PUBLISHES: usize = 20;
const MAX_SUBSCRIPTIONS: usize = 10;
const MAX_KEPT: usize = 10;
const MAX_PENDING: usize = 100;
const MAX_UNRELEASED: usize = 50;
const MAX_SEND: usize = 2048;
const FILTERS: [&str; 8] = ["a", "a/b", "a/#", "+/b", "#", "$ota/update/P/d", "a/+/c", "a//"];
const TOPICS: [&str; 8] = ["a", "a/b", "x/b", "a/b/c", "$ota/update/P/d", "a//", "y", "a/+"];

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    keep_alive_s: u16,
    first_id: u16,
    clean_session: bool,
    auto_connect: bool,
    steps: Vec<Step<'a>>,
}

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Wait(u16),
    /// Waits until there is something to do.
    WaitForDeadline,
    Subscribe(u8, bool),
    Unsubscribe(u8),
    Publish {
        topic: u8,
        len: u16,
        qos_1: bool,
        retain: bool,
    },
    /// A message that must not be lost.
    PublishKept(u8),
    /// The transport breaks.
    Cut(u8),
    /// The server answers a CONNECT, or sends a CONNACK out of turn.
    Connack {
        session_present: bool,
        code: u8,
    },
    /// The server answers the packet with this number among the last ones sent, well or badly.
    Answer {
        back: u8,
        good: bool,
    },
    /// With QoS 0 where the id is 0.
    Message {
        topic: u8,
        id: u16,
        qos_2: bool,
        dup: bool,
        len: u16,
    },
    /// The server releases a QoS 2 message.
    Pubrel(u16),
    Pingresp,
    Raw(&'a [u8]),
}

fuzz_target!(|input: Input| {
    let mut harness = Harness::new(&input);
    for step in &input.steps {
        harness.step(step);
        harness.keep_up();
    }
    harness.finish();
});

/// What became of a request.
#[derive(Debug, Default)]
struct Books {
    /// QoS 1 publishes without an end, with the time they were sent at.
    publishes: HashMap<u16, Millis>,
    /// Kept messages that were not acknowledged, the oldest first.
    kept: Vec<u16>,
    /// Kept messages whose time-out was told.
    late: HashSet<u16>,
    /// Kept messages that gave way to later ones.
    displaced: HashSet<u16>,
    /// SUBSCRIBEs without an end, with their filters. Those that the session repeats by itself are not among them.
    subscribes: HashMap<u16, &'static str>,
    /// UNSUBSCRIBEs without an end.
    unsubscribes: HashMap<u16, Millis>,
    /// QoS 2 messages that were handed on over this connection and not released. Emptied where the session may forget some.
    unreleased: HashSet<u16>,
    /// Raw bytes came over this connection: the session may have read a release in them.
    garbled: bool,
    /// Connected, since it says so.
    up: bool,
    connected: u32,
}

impl Books {
    fn published(&mut self, id: u16) -> bool {
        let kept = self.kept.len();
        self.kept.retain(|known| *known != id);
        self.kept.len() < kept || self.displaced.remove(&id) || self.publishes.remove(&id).is_some()
    }

    /// A kept message may be late more than once: it is sent again after each reconnect.
    fn timed_out(&mut self, id: u16) -> bool {
        if self.kept.contains(&id) {
            self.late.insert(id);
            return true;
        }
        self.displaced.contains(&id) || self.publishes.remove(&id).is_some()
    }
}

struct Harness {
    session: Session<u32>,
    now: Millis,
    books: Books,
    /// What the session sent lately and can be answered.
    sent: Vec<Packet>,
    next_handler: u32,
}

impl Harness {
    fn new(input: &Input) -> Self {
        let config = Config {
            client_id: "PRODUCTIDXdevice".to_owned(),
            keep_alive_s: input.keep_alive_s,
            clean_session: input.clean_session,
            command_timeout_ms: TIMEOUT_MS,
            auto_connect: input.auto_connect,
        };
        let session = Session::new(config, input.first_id);
        let mut harness =
            Harness { session, now: Millis(1_000), books: Books::default(), sent: Vec::new(), next_handler: 0 };
        harness.open();
        harness
    }

    fn open(&mut self) {
        let login = Login { user_name: "user".to_owned(), password: String::new() };
        self.session.open(self.now, login);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Wait(ms) => self.now = self.now + u64::from(*ms),
            Step::WaitForDeadline => {
                let due = match self.session.link() {
                    LinkState::Waiting(until) => Some(until),
                    _ => self.session.deadline(),
                };
                self.now = self.now.max(due.unwrap_or(self.now));
            }
            Step::Subscribe(filter, known) => {
                let filter = FILTERS[usize::from(*filter) % FILTERS.len()];
                self.next_handler += 1;
                let result =
                    self.session.subscribe(self.now, filter, QoS::AtLeastOnce, self.next_handler, |_, _| *known);
                match result {
                    Ok(id) => assert!(self.books.subscribes.insert(id, filter).is_none(), "{id} is in use"),
                    Err(refusal) => self.check_refusal(Some(refusal)),
                }
            }
            Step::Unsubscribe(filter) => {
                let filter = FILTERS[usize::from(*filter) % FILTERS.len()];
                match self.session.unsubscribe(self.now, filter) {
                    Ok(id) => assert!(self.books.unsubscribes.insert(id, self.now).is_none(), "{id} is in use"),
                    Err(refusal) => self.check_refusal(Some(refusal)),
                }
                let _ = self.session.take_removed();
                assert!(!self.session.is_subscribed(filter));
                self.books.subscribes.retain(|_, known| *known != filter);
            }
            Step::Publish { topic, len, qos_1, retain } => self.publish(*topic, *len, *qos_1, *retain),
            Step::PublishKept(len) => match self.session.publish_kept(self.now, "kept", &vec![b'k'; usize::from(*len)])
            {
                Ok(id) => {
                    if self.books.kept.len() == MAX_KEPT {
                        self.books.displaced.insert(self.books.kept.remove(0));
                    }
                    self.books.kept.push(id);
                }
                Err(Refusal::TooManyPublishes) => {
                    // The SUBSCRIBEs that the session repeats are not in the books, one for each subscription.
                    let others = self.books.subscribes.len() + self.books.unsubscribes.len() + MAX_SUBSCRIPTIONS;
                    assert!(self.publishes() + others >= MAX_PENDING);
                }
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::NotConnected);
                    assert_eq!(self.session.link(), LinkState::Down);
                }
            },
            Step::Cut(random) => self.lost(u64::from(*random)),
            Step::Connack { session_present, code } => self.receive(&[0x20, 2, u8::from(*session_present), *code]),
            Step::Answer { back, good } => self.answer(usize::from(*back), *good),
            Step::Message { topic, id, qos_2, dup, len } => self.message(*topic, *id, *qos_2, *dup, *len),
            Step::Pubrel(id) => {
                let [high, low] = id.to_be_bytes();
                self.receive(&[0x62, 2, high, low]);
                self.books.unreleased.remove(id);
            }
            Step::Pingresp => self.receive(&[0xd0, 0]),
            Step::Raw(bytes) => {
                self.books.garbled = true;
                self.receive(bytes);
            }
        }
    }

    /// A message with QoS 2 is handed on once until it is released; the session knows a hundred of them.
    fn message(&mut self, topic: u8, id: u16, qos_2: bool, dup: bool, len: u16) {
        let topic = TOPICS[usize::from(topic) % TOPICS.len()];
        let qos = match (id, qos_2) {
            (0, _) => rumqttc::QoS::AtMostOnce,
            (_, false) => rumqttc::QoS::AtLeastOnce,
            (_, true) => rumqttc::QoS::ExactlyOnce,
        };
        let mut publish = rumqttc::mqttbytes::v4::Publish::new(topic, qos, vec![b'x'; usize::from(len)]);
        publish.pkid = id;
        publish.dup = dup;
        self.receive_packet(&Packet::Publish(publish));
    }

    fn publish(&mut self, topic: u8, len: u16, qos_1: bool, retain: bool) {
        let topic = TOPICS[usize::from(topic) % TOPICS.len()];
        let qos = if qos_1 { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        match self.session.publish(self.now, topic, &vec![b'p'; usize::from(len)], qos, retain) {
            Ok(id) => {
                assert_eq!(id != 0, qos_1);
                assert!(!topic.contains('+') && usize::from(len) < MAX_SEND);
                if qos_1 {
                    assert!(self.books.publishes.insert(id, self.now).is_none(), "{id} is in use");
                    assert!(self.books.publishes.len() <= MAX_PENDING_PUBLISHES);
                }
            }
            Err(refusal) => self.check_refusal(Some(refusal)),
        }
    }

    /// A refusal must have its reason.
    fn check_refusal(&self, refusal: Option<Refusal>) {
        match refusal {
            None => assert_eq!(self.session.link(), LinkState::Up),
            Some(Refusal::NotConnected) => assert_ne!(self.session.link(), LinkState::Up),
            Some(Refusal::TooManyPublishes) => assert!(self.publishes() >= MAX_PENDING_PUBLISHES),
            Some(_) => {}
        }
    }

    /// Publishes that may wait for an acknowledgement.
    fn publishes(&self) -> usize {
        self.books.publishes.len() + self.books.kept.len() + self.books.displaced.len()
    }

    fn answer(&mut self, back: usize, good: bool) {
        if let Some(index) = self.sent.len().checked_sub(1 + back) {
            let packet = self.sent.swap_remove(index);
            self.answer_to(packet, good);
        }
    }

    fn answer_last(&mut self) {
        if let Some(packet) = self.sent.pop() {
            self.answer_to(packet, true);
        }
    }

    fn answer_to(&mut self, packet: Packet, good: bool) {
        let (first, id, rest): (u8, u16, &[u8]) = match packet {
            Packet::Publish(publish) => (0x40, publish.pkid, &[]),
            Packet::Subscribe(subscribe) => (0x90, subscribe.pkid, if good { &[1] } else { &[0x80] }),
            Packet::Unsubscribe(unsubscribe) => (0xb0, unsubscribe.pkid, &[]),
            Packet::PingReq => return self.receive(&[0xd0, 0]),
            _ => return,
        };
        let [high, low] = id.to_be_bytes();
        let mut packet = vec![first, 2 + rest.len() as u8, high, low];
        packet.extend_from_slice(rest);
        self.receive(&packet);
    }

    fn receive_packet(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        if packet.write(&mut bytes, usize::MAX).is_ok() {
            self.receive(&bytes);
        }
    }

    /// Bytes arrive only where there is a connection.
    fn receive(&mut self, bytes: &[u8]) {
        if matches!(self.session.link(), LinkState::Up | LinkState::Connecting(_))
            && self.session.received(self.now, bytes).is_err()
        {
            self.lost(7);
        }
    }

    fn lost(&mut self, random: u64) {
        if matches!(self.session.link(), LinkState::Up | LinkState::Connecting(_)) {
            self.session.lost(self.now, random);
            assert!(self.session.take_output().is_empty());
        }
    }

    /// What the caller's loop does between two things that happen to it.
    fn keep_up(&mut self) {
        self.events();
        if self.session.tick(self.now).is_err() {
            self.lost(3);
        } else if let Some(deadline) = self.session.deadline() {
            assert!(deadline > self.now, "a caller that sleeps until the deadline would spin");
        }
        match self.session.link() {
            LinkState::Waiting(until) if until <= self.now => self.open(),
            LinkState::GaveUp => self.session.go_on(self.now, 9),
            _ => {}
        }
        self.events();
        self.output();
        assert!(self.session.kept() <= self.books.kept.len(), "a message that was acknowledged is kept");
    }

    fn events(&mut self) {
        let mut count = 0;
        while let Some(event) = self.session.next_event() {
            count += 1;
            assert!(count < 100_000);
            match event {
                Event::Connected => {
                    assert!(!self.books.up && self.books.connected == 0);
                    self.books.connected += 1;
                    self.books.up = true;
                }
                Event::Reconnected { .. } => {
                    assert!(!self.books.up && self.books.connected > 0);
                    self.books.connected += 1;
                    self.books.up = true;
                    // The session asks again for all of them, under other numbers.
                    self.books.subscribes.clear();
                }
                Event::Disconnected => {
                    self.books.unreleased.clear();
                    self.books.garbled = false;
                    assert!(std::mem::replace(&mut self.books.up, false));
                }
                Event::Published(id) => assert!(self.books.published(id), "{id} ended twice, or was never sent"),
                Event::PublishTimedOut(id) => assert!(self.books.timed_out(id), "{id} ended twice, or was never sent"),
                Event::Unsubscribed(id) | Event::UnsubscribeTimedOut(id) => {
                    assert!(self.books.unsubscribes.remove(&id).is_some(), "{id} ended twice, or was never sent");
                }
                Event::Message(message) => {
                    if message.qos == 2 {
                        if self.books.unreleased.len() == MAX_UNRELEASED {
                            self.books.unreleased.clear();
                        }
                        let is_first = self.books.unreleased.insert(message.id);
                        assert!(is_first || self.books.garbled, "{} was handed on twice", message.id);
                    }
                    self.session.delivered(&message);
                }
                Event::Subscribed(id, _) | Event::SubscribeRefused(id, _) | Event::SubscribeTimedOut(id, _) => {
                    self.books.subscribes.remove(&id);
                }
                Event::Skipped(_) => {}
            }
        }
    }

    fn output(&mut self) {
        let output: Bytes = self.session.take_output();
        let mut stream = BytesMut::from(&output[..]);
        while !stream.is_empty() {
            let before = stream.len();
            let packet = Packet::read(&mut stream, usize::MAX).expect("what is sent is well-formed");
            assert!(before - stream.len() <= MAX_SEND);
            match &packet {
                Packet::Publish(publish) => assert!(publish.topic != "a/+"),
                Packet::Subscribe(subscribe) => assert!(subscribe.pkid != 0),
                Packet::Connect(_) | Packet::Unsubscribe(_) | Packet::PubAck(_) | Packet::PingReq => {}
                Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {}
                other => panic!("a device never sends {other:?}"),
            }
            self.sent.push(packet);
        }
        let old = self.sent.len().saturating_sub(300);
        self.sent.drain(..old);
    }

    /// After the time-out every request has come to its end, and after a connection to a server that answers
    /// nothing is kept any more.
    fn finish(mut self) {
        self.now = self.now + u64::from(TIMEOUT_MS);
        self.keep_up();
        self.lost(1);
        for _ in 0..20 {
            self.keep_up();
            match self.session.link() {
                LinkState::Connecting(_) => self.receive(&[0x20, 2, 0, 0]),
                LinkState::Up => {
                    while !self.sent.is_empty() && self.session.link() == LinkState::Up {
                        self.answer_last();
                    }
                }
                LinkState::Waiting(until) => self.now = until,
                LinkState::Down | LinkState::Closed | LinkState::GaveUp => {}
            }
        }
        if self.session.link() == LinkState::Up {
            assert_eq!(self.session.kept(), 0);
            // An acknowledgement that comes after the time-out was told is no news.
            assert!(self.books.kept.iter().all(|id| self.books.late.contains(id)));
        }
        self.now = self.now + u64::from(TIMEOUT_MS);
        self.keep_up();
        assert!(self.books.publishes.is_empty(), "{:?}", self.books.publishes);
        assert!(self.books.subscribes.is_empty(), "{:?}", self.books.subscribes);
        assert!(self.books.unsubscribes.is_empty(), "{:?}", self.books.unsubscribes);
        assert_eq!(self.books.up, self.session.link() == LinkState::Up);
        assert!(self.session.close().len() <= MAX_SUBSCRIPTIONS);
        assert_eq!(self.session.deadline(), None);
    }
}
