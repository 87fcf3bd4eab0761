//! The session against a scripted server; time is a number.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, SubscribeReasonCode};

use super::super::Malformed;
use super::*;

mod connections;
mod kept;
mod receiving;
mod subscriptions;

const TIMEOUT: u64 = 5000;

type TestSession = Session<&'static str>;

fn session() -> TestSession {
    let config = Config {
        client_id: "PRODUCTIDXdevice".to_owned(),
        keep_alive_s: 240,
        clean_session: true,
        command_timeout_ms: 5000,
        auto_connect: true,
    };
    Session::new(config, 99)
}

fn login() -> Login {
    Login { user_name: "user".to_owned(), password: String::new() }
}

/// A session whose first connection is up at time 0.
fn connected() -> TestSession {
    let mut session = session();
    connect(&mut session, Millis(0));
    assert_eq!(events(&mut session), [Event::Connected]);
    session
}

fn connect(session: &mut TestSession, now: Millis) {
    session.open(now, login());
    let sent = packets(session);
    assert!(matches!(&sent[..], [Packet::Connect(_)]), "{sent:?}");
    session.received(now, &[0x20, 2, 0, 0]).unwrap();
}

fn packets(session: &mut TestSession) -> Vec<Packet> {
    let mut stream = BytesMut::from(&session.take_output()[..]);
    let mut packets = Vec::new();
    while !stream.is_empty() {
        packets.push(Packet::read(&mut stream, usize::MAX).unwrap());
    }
    packets
}

fn events(session: &mut TestSession) -> Vec<Event<&'static str>> {
    std::iter::from_fn(|| session.next_event()).collect()
}

fn receive(session: &mut TestSession, now: Millis, packet: &Packet) -> Result<(), LinkFault> {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, usize::MAX).unwrap();
    session.received(now, &bytes)
}

fn never_same(_: &&str, _: &&str) -> bool {
    false
}

fn incoming(id: u16, topic: &str, payload: &[u8]) -> Packet {
    let qos = if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let mut publish = Publish::new(topic, qos.into(), payload);
    publish.pkid = id;
    Packet::Publish(publish)
}

fn suback(id: u16, granted: bool) -> Packet {
    let code =
        if granted { SubscribeReasonCode::Success(QoS::AtLeastOnce.into()) } else { SubscribeReasonCode::Failure };
    Packet::SubAck(rumqttc::mqttbytes::v4::SubAck::new(id, vec![code]))
}

fn subscribe(session: &mut TestSession, now: Millis, filter: &str, handler: &'static str) -> u16 {
    let id = session.subscribe(now, filter, QoS::AtLeastOnce, handler, never_same).unwrap();
    packets(session);
    receive(session, now, &suback(id, true)).unwrap();
    assert_eq!(events(session), [Event::Subscribed(id, handler)]);
    id
}

const RECONNECTED: Event<&str> = Event::Reconnected { session_present: false };

#[test]
fn connect_says_who_the_device_is() {
    let mut session = session();
    session.open(Millis(0), Login { user_name: "user".to_owned(), password: "secret".to_owned() });
    let sent = packets(&mut session);
    let [Packet::Connect(connect)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(connect.client_id, "PRODUCTIDXdevice");
    assert_eq!(connect.keep_alive, 240);
    assert!(connect.clean_session);
    let login = connect.login.as_ref().unwrap();
    assert!(login.validate("user", "secret"));
}

#[test]
fn an_empty_password_is_not_sent() {
    let mut session = session();
    session.open(Millis(0), login());
    let output = session.take_output();
    // Flags: user name, clean session.
    assert_eq!(output[9], 0x82);
}

#[test]
fn connack_codes_are_told() {
    for code in [1, 5, 6, 255] {
        let mut session = session();
        session.open(Millis(0), login());
        assert_eq!(session.received(Millis(0), &[0x20, 2, 0, code]), Err(LinkFault::Refused(code)));
    }
}

#[test]
fn connack_must_come_first_and_in_time() {
    let mut session = session();
    session.open(Millis(0), login());
    assert_eq!(session.tick(Millis(TIMEOUT - 1)), Ok(()));
    assert_eq!(session.deadline(), Some(Millis(TIMEOUT)));
    assert_eq!(session.tick(Millis(TIMEOUT)), Err(LinkFault::ConnackTimeout));
    let result = receive(&mut session, Millis(0), &Packet::PingResp);
    assert_eq!(result, Err(LinkFault::Malformed(Malformed("CONNACK expected"))));
}

#[test]
fn publish_checks_come_before_sending() {
    let mut session = session();
    let publish = |session: &mut TestSession, topic: &str, payload: &[u8]| {
        session.publish(Millis(0), topic, payload, QoS::AtLeastOnce, false)
    };
    assert_eq!(publish(&mut session, "t", b""), Err(Refusal::NotConnected));
    connect(&mut session, Millis(0));
    assert_eq!(publish(&mut session, &"t".repeat(129), b""), Err(Refusal::TopicTooLong));
    assert_eq!(publish(&mut session, "", b""), Err(Refusal::BadTopic));
    assert_eq!(publish(&mut session, "a/#", b""), Err(Refusal::BadTopic));
    // 3 bytes of fixed header, 2 + 1 of topic, 2 of packet id.
    assert_eq!(publish(&mut session, "t", &[0; MAX_SEND - 7]), Err(Refusal::PacketTooLong));
    assert!(packets(&mut session).is_empty());
    assert!(publish(&mut session, "t", &[0; MAX_SEND - 8]).is_ok());
    assert_eq!(session.take_output().len(), MAX_SEND);
}

#[test]
fn a_qos_1_publish_ends_with_its_acknowledgement_or_the_time_out() {
    let mut session = connected();
    assert_eq!(session.publish(Millis(0), "t", b"x", QoS::AtMostOnce, false), Ok(0));
    let first = session.publish(Millis(0), "t", b"x", QoS::AtLeastOnce, false).unwrap();
    let second = session.publish(Millis(10), "t", b"x", QoS::AtLeastOnce, false).unwrap();
    assert_eq!((first, second), (100, 101), "one after the random start");
    receive(&mut session, Millis(20), &Packet::PubAck(PubAck::new(first))).unwrap();
    receive(&mut session, Millis(20), &Packet::PubAck(PubAck::new(first))).unwrap();
    assert_eq!(events(&mut session), [Event::Published(first)], "an unknown acknowledgement is ignored");
    session.tick(Millis(10 + TIMEOUT - 1)).unwrap();
    assert_eq!(events(&mut session), []);
    session.tick(Millis(10 + TIMEOUT)).unwrap();
    assert_eq!(events(&mut session), [Event::PublishTimedOut(second)]);
}

#[test]
fn twenty_publishes_may_wait() {
    let mut session = connected();
    for _ in 0..MAX_PENDING_PUBLISHES {
        session.publish(Millis(0), "t", b"", QoS::AtLeastOnce, false).unwrap();
    }
    let next = session.publish(Millis(0), "t", b"", QoS::AtLeastOnce, false);
    assert_eq!(next, Err(Refusal::TooManyPublishes));
    assert_eq!(session.publish(Millis(0), "t", b"", QoS::AtMostOnce, false), Ok(0), "QoS 0 never waits");
}

#[test]
fn the_back_off_ends_after_a_minute_and_can_be_started_anew() {
    let mut session = connected();
    let mut now = Millis(0);
    session.lost(now, 0);
    while let LinkState::Waiting(due) = session.link() {
        now = due;
        session.lost(now, 0);
    }
    assert_eq!(session.link(), LinkState::GaveUp);
    assert_eq!(now, Millis(1000 + 2000 + 4000 + 8000 + 16_000 + 32_000));
    session.go_on(now, 0);
    assert_eq!(session.link(), LinkState::Waiting(now + 30_000), "not sooner than the server was asked last");
    session.lost(now + 30_000, 0);
    assert!(matches!(session.link(), LinkState::Waiting(_)));
}

#[test]
fn without_auto_connect_the_link_stays_down() {
    let mut session = session();
    session.config.auto_connect = false;
    connect(&mut session, Millis(0));
    session.lost(Millis(0), 0);
    assert_eq!(session.link(), LinkState::Down);
}

#[test]
fn pings_keep_the_link_and_their_absence_ends_it() {
    let mut session = connected();
    assert_eq!(session.deadline(), Some(Millis(240_000)));
    session.tick(Millis(240_000)).unwrap();
    assert_eq!(packets(&mut session), [Packet::PingReq]);
    receive(&mut session, Millis(241_000), &Packet::PingResp).unwrap();
    assert_eq!(session.deadline(), Some(Millis(481_000)));
    session.tick(Millis(481_000)).unwrap();
    session.tick(Millis(486_000)).unwrap();
    assert_eq!(session.tick(Millis(491_000)), Err(LinkFault::PingTimeout));
}

#[test]
fn what_no_server_sends_ends_the_link() {
    let packets: [&[u8]; 7] = [
        &[0x10, 0],                      // CONNECT
        &[0x82, 6, 0, 1, 0, 1, b'a', 0], // SUBSCRIBE
        &[0xe0, 0],                      // DISCONNECT
        &[0x00, 0],                      // no such type
        &[0xf0, 0],                      // no such type
        &[0x30, 3, 0, 9, b'a'],          // a topic longer than the packet
        &[0x90, 2, 0, 1],                // SUBACK without a code
    ];
    for packet in packets {
        let mut session = connected();
        let result = session.received(Millis(0), packet);
        assert!(matches!(result, Err(LinkFault::Malformed(_))), "{packet:x?}: {result:?}");
    }
}

#[test]
fn each_fault_says_what_happened() {
    for (fault, text) in [
        (LinkFault::Malformed(Malformed("packet body")), "malformed packet: packet body"),
        (LinkFault::Refused(1), "server refuses the connection: protocol version (1)"),
        (LinkFault::Refused(2), "server refuses the connection: client id (2)"),
        (LinkFault::Refused(3), "server refuses the connection: server unavailable (3)"),
        (LinkFault::Refused(4), "server refuses the connection: bad user name or password (4)"),
        (LinkFault::Refused(5), "server refuses the connection: not authorised (5)"),
        (LinkFault::Refused(6), "server refuses the connection: code 6"),
        (LinkFault::ConnackTimeout, "no CONNACK in time"),
        (LinkFault::PingTimeout, "no answer to pings"),
        (LinkFault::Unread, "the server does not read its answers"),
        (LinkFault::TooSlow, "a packet that is too long comes in at less than 1 kB/s"),
        (LinkFault::NoMemory, "no memory for a packet"),
    ] {
        assert_eq!(fault.to_string(), text);
    }
}

#[test]
fn nothing_is_due_without_a_link_and_requests() {
    assert_eq!(session().deadline(), None);
    assert_eq!(session().tick(Millis(u64::MAX)), Ok(()));
}

#[test]
fn a_request_that_was_withdrawn_leaves_nothing_behind() {
    let same = |_: &&str, _: &&str| true;
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "first");
    let again = session.subscribe(Millis(1), "a", QoS::AtMostOnce, "second", same).unwrap();
    let other = session.subscribe(Millis(1), "b", QoS::AtLeastOnce, "third", same).unwrap();
    let publish = session.publish(Millis(1), "t", b"", QoS::AtLeastOnce, false).unwrap();
    session.lost(Millis(2), 0);
    for id in [again, other, publish, 0] {
        session.withdraw(id);
    }
    connect(&mut session, Millis(2000));
    let sent = packets(&mut session);
    let [Packet::Subscribe(only)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((only.filters[0].path.as_str(), only.filters[0].qos), ("a", QoS::AtLeastOnce.into()));
    receive(&mut session, Millis(2000), &suback(only.pkid, true)).unwrap();
    session.tick(Millis(3 * TIMEOUT)).unwrap();
    let told = events(&mut session);
    assert_eq!(told, [Event::Disconnected, RECONNECTED, Event::Subscribed(only.pkid, "first")]);
}

impl From<QoS> for rumqttc::mqttbytes::QoS {
    fn from(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => rumqttc::mqttbytes::QoS::AtMostOnce,
            QoS::AtLeastOnce => rumqttc::mqttbytes::QoS::AtLeastOnce,
        }
    }
}
