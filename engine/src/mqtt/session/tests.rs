//! The session against a scripted server; time is a number.

use super::*;

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
fn a_subscription_is_ready_with_its_suback() {
    let mut session = connected();
    let id = session.subscribe(Millis(0), "a/+", QoS::AtLeastOnce, "h", never_same).unwrap();
    assert!(!session.is_subscribed("a/+"));
    receive(&mut session, Millis(1), &suback(id, true)).unwrap();
    assert!(session.is_subscribed("a/+"));
    assert_eq!(events(&mut session), [Event::Subscribed(id, "h")]);
}

#[test]
fn a_refused_or_unanswered_subscription_is_dropped() {
    let mut session = connected();
    let id = session.subscribe(Millis(0), "a", QoS::AtLeastOnce, "h", never_same).unwrap();
    receive(&mut session, Millis(1), &suback(id, false)).unwrap();
    assert_eq!(events(&mut session), [Event::SubscribeRefused(id, "h")]);
    let id = session.subscribe(Millis(0), "b", QoS::AtLeastOnce, "h", never_same).unwrap();
    session.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut session), [Event::SubscribeTimedOut(id, "h")]);
    receive(&mut session, Millis(TIMEOUT), &suback(id, true)).unwrap();
    assert!(!session.is_subscribed("b"), "too late");
    assert_eq!(session.unsubscribe(Millis(TIMEOUT), "b"), Err(Refusal::UnknownTopic));
}

#[test]
fn ten_subscriptions_may_exist_those_waiting_counted() {
    let mut session = connected();
    for filter in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] {
        session.subscribe(Millis(0), filter, QoS::AtMostOnce, "h", never_same).unwrap();
    }
    let next = session.subscribe(Millis(0), "x", QoS::AtMostOnce, "h", never_same);
    assert_eq!(next, Err(Refusal::TooManySubscriptions));
    assert!(session.subscribe(Millis(0), "0", QoS::AtMostOnce, "i", |_, _| true).is_ok(), "the same one again");
}

#[test]
fn the_same_subscription_again_replaces_its_handler() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "first");
    let id = session.subscribe(Millis(0), "a", QoS::AtLeastOnce, "second", |_, _| true).unwrap();
    receive(&mut session, Millis(0), &suback(id, true)).unwrap();
    assert_eq!(events(&mut session), [Event::Subscribed(id, "second")]);
    receive(&mut session, Millis(0), &incoming(0, "a", b"")).unwrap();
    assert!(matches!(&events(&mut session)[..], [Event::Message(Some((_, "second")), _)]));
}

#[test]
fn a_message_goes_to_the_first_subscription_that_matches() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a/#", "wide");
    subscribe(&mut session, Millis(0), "a/b", "narrow");
    receive(&mut session, Millis(0), &incoming(0, "a/b", b"x")).unwrap();
    receive(&mut session, Millis(0), &incoming(0, "z", b"y")).unwrap();
    let news = events(&mut session);
    let [Event::Message(Some((key, "wide")), first), Event::Message(None, second)] = &news[..] else {
        panic!("{news:?}")
    };
    assert!(session.has_subscription(*key));
    assert_eq!((&first.payload[..], &second.payload[..]), (&b"x"[..], &b"y"[..]));
}

#[test]
fn qos_1_is_acknowledged_after_the_handler_and_a_repeat_at_once() {
    let mut session = connected();
    receive(&mut session, Millis(0), &incoming(7, "t", b"x")).unwrap();
    assert!(packets(&mut session).is_empty());
    let news = events(&mut session);
    let [Event::Message(None, message)] = &news[..] else { panic!("{news:?}") };
    session.delivered(message);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
    receive(&mut session, Millis(0), &incoming(7, "t", b"x")).unwrap();
    assert_eq!(events(&mut session), []);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
}

#[test]
fn a_message_that_is_too_long_is_acknowledged_and_told() {
    let mut session = connected();
    receive(&mut session, Millis(0), &incoming(7, "t", &vec![0; 20_000])).unwrap();
    assert_eq!(events(&mut session), [Event::TooLong(20_005)]);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
}

#[test]
fn unsubscribing_takes_effect_at_once() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    receive(&mut session, Millis(0), &incoming(0, "a", b"")).unwrap();
    let id = session.unsubscribe(Millis(0), "a").unwrap();
    assert_eq!(session.take_removed(), ["h"]);
    assert!(session.take_removed().is_empty());
    let news = events(&mut session);
    let [Event::Message(Some((key, _)), _)] = &news[..] else { panic!("{news:?}") };
    assert!(!session.has_subscription(*key), "what arrived before is not to be handed on any more");
    receive(&mut session, Millis(1), &Packet::UnsubAck(rumqttc::mqttbytes::v4::UnsubAck::new(id))).unwrap();
    assert_eq!(events(&mut session), [Event::Unsubscribed(id)]);
    assert_eq!(session.unsubscribe(Millis(1), "a"), Err(Refusal::UnknownTopic));
}

#[test]
fn after_a_loss_every_subscription_is_made_again() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    subscribe(&mut session, Millis(0), "b", "i");
    session.lost(Millis(100), 0);
    assert_eq!(events(&mut session), [Event::Disconnected]);
    assert_eq!(session.link(), Link::Waiting(Millis(1100)));
    assert!(!session.is_subscribed("a"));
    session.lost(Millis(1100), 0);
    assert_eq!(events(&mut session), [], "told once");
    assert_eq!(session.link(), Link::Waiting(Millis(3100)), "twice as long");
    connect(&mut session, Millis(3100));
    assert_eq!(events(&mut session), [Event::Reconnected]);
    let sent = packets(&mut session);
    let filters: Vec<_> = sent
        .iter()
        .map(|packet| match packet {
            Packet::Subscribe(subscribe) => (subscribe.pkid, subscribe.filters[0].path.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(matches!(&filters[..], [(_, "a"), (_, "b")]), "{filters:?}");
    receive(&mut session, Millis(3100), &suback(filters[0].0, true)).unwrap();
    assert!(session.is_subscribed("a"));
    // The second one stays without an answer: it is asked for again, not dropped.
    session.tick(Millis(3100 + TIMEOUT)).unwrap();
    assert!(events(&mut session).contains(&Event::SubscribeTimedOut(filters[1].0, "i")));
    assert_eq!(session.deadline(), Some(Millis(3101 + TIMEOUT)));
    session.tick(Millis(3101 + TIMEOUT)).unwrap();
    assert!(matches!(&packets(&mut session)[..], [Packet::Subscribe(again)] if again.filters[0].path == "b"));
}

#[test]
fn the_back_off_ends_after_a_minute_and_can_be_started_anew() {
    let mut session = connected();
    let mut now = Millis(0);
    session.lost(now, 0);
    while let Link::Waiting(due) = session.link() {
        now = due;
        session.lost(now, 0);
    }
    assert_eq!(session.link(), Link::GaveUp);
    assert_eq!(now, Millis(1000 + 2000 + 4000 + 8000 + 16_000 + 32_000));
    session.restart_backoff(now, 0);
    assert_eq!(session.link(), Link::Waiting(now + 1000));
}

#[test]
fn a_success_resets_the_back_off() {
    let mut session = connected();
    session.lost(Millis(0), 0);
    session.lost(Millis(1000), 0);
    connect(&mut session, Millis(3000));
    session.lost(Millis(4000), 0);
    assert_eq!(session.link(), Link::Waiting(Millis(5000)));
}

#[test]
fn without_auto_connect_the_link_stays_down() {
    let mut session = session();
    session.config.auto_connect = false;
    connect(&mut session, Millis(0));
    session.lost(Millis(0), 0);
    assert_eq!(session.link(), Link::Down);
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
    let packets: [&[u8]; 8] = [
        &[0x10, 0],                      // CONNECT
        &[0x82, 6, 0, 1, 0, 1, b'a', 0], // SUBSCRIBE
        &[0xe0, 0],                      // DISCONNECT
        &[0x00, 0],                      // no such type
        &[0xf0, 0],                      // no such type
        &[0x30, 3, 0, 9, b'a'],          // a topic longer than the packet
        &[0x34, 5, 0, 1, b'a', 0, 1],    // QoS 2
        &[0x90, 2, 0, 1],                // SUBACK without a code
    ];
    for packet in packets {
        let mut session = connected();
        let result = session.received(Millis(0), packet);
        assert!(matches!(result, Err(LinkFault::Malformed(_))), "{packet:x?}: {result:?}");
    }
}

#[test]
fn a_new_connection_forgets_the_packet_ids_seen() {
    let mut session = connected();
    receive(&mut session, Millis(0), &incoming(7, "t", b"")).unwrap();
    session.lost(Millis(0), 0);
    events(&mut session);
    connect(&mut session, Millis(1000));
    receive(&mut session, Millis(1000), &incoming(7, "t", b"")).unwrap();
    assert!(matches!(&events(&mut session)[..], [Event::Reconnected, Event::Message(..)]));
}

#[test]
fn packet_ids_seen_are_remembered_only_in_a_session_that_goes_on() {
    for (clean_session, present, delivered) in [(true, 0, true), (true, 1, true), (false, 0, true), (false, 1, false)] {
        let mut session = session();
        session.config.clean_session = clean_session;
        connect(&mut session, Millis(0));
        receive(&mut session, Millis(0), &incoming(7, "t", b"")).unwrap();
        session.lost(Millis(0), 0);
        session.open(Millis(1000), login());
        session.received(Millis(1000), &[0x20, 2, present, 0]).unwrap();
        events(&mut session);
        receive(&mut session, Millis(1000), &incoming(7, "t", b"")).unwrap();
        assert_eq!(events(&mut session).len(), usize::from(delivered), "clean {clean_session}, present {present}");
    }
}

#[test]
fn closing_says_goodbye_and_returns_the_subscribers() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    assert_eq!(session.close(), ["h"]);
    assert_eq!(packets(&mut session), [Packet::Disconnect]);
    assert_eq!(session.link(), Link::Closed);
    session.lost(Millis(0), 0);
    assert_eq!(session.link(), Link::Closed);
    assert_eq!(session.publish(Millis(0), "t", b"", QoS::AtMostOnce, false), Err(Refusal::NotConnected));
}

const REPORT: &str = "$ota/report/PRODUCTIDX/device";

fn published(sent: &[Packet]) -> Vec<(u16, bool, &[u8])> {
    let publishes = sent.iter().filter_map(|packet| match packet {
        Packet::Publish(publish) => Some((publish.pkid, publish.dup, &publish.payload[..])),
        _ => None,
    });
    publishes.collect()
}

#[test]
fn a_kept_message_goes_out_at_once_and_is_forgotten_with_its_acknowledgement() {
    let mut session = connected();
    let id = session.publish_kept(Millis(0), REPORT, b"done").unwrap();
    assert_eq!(published(&packets(&mut session)), [(id, false, &b"done"[..])]);
    receive(&mut session, Millis(1), &Packet::PubAck(PubAck::new(id))).unwrap();
    assert_eq!(events(&mut session), [Event::Published(id)]);
    assert_eq!(session.kept(), 0);
    session.lost(Millis(2), 0);
    connect(&mut session, Millis(2000));
    assert!(packets(&mut session).is_empty());
}

#[test]
fn a_kept_message_is_sent_again_over_every_connection_until_it_is_acknowledged() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "handler");
    let id = session.publish_kept(Millis(0), REPORT, b"done").unwrap();
    let _ = packets(&mut session);
    // The server dies before it acknowledges; the time-out is told all the same.
    session.lost(Millis(10), 0);
    session.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut session), [Event::Disconnected, Event::PublishTimedOut(id)]);
    for at in [10_000, 20_000] {
        connect(&mut session, Millis(at));
        let sent = packets(&mut session);
        assert!(matches!(sent[0], Packet::Subscribe(_)), "{sent:?}");
        assert_eq!(published(&sent), [(id, true, &b"done"[..])]);
        assert_eq!(events(&mut session), [Event::Reconnected]);
        session.lost(Millis(at + 10), 0);
        assert_eq!(events(&mut session), [Event::Disconnected]);
    }
    connect(&mut session, Millis(30_000));
    receive(&mut session, Millis(30_001), &Packet::PubAck(PubAck::new(id))).unwrap();
    assert_eq!(events(&mut session), [Event::Reconnected, Event::Published(id)]);
    assert_eq!(session.kept(), 0);
}

#[test]
fn a_late_acknowledgement_ends_the_keeping() {
    let mut session = connected();
    let id = session.publish_kept(Millis(0), REPORT, b"done").unwrap();
    session.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut session), [Event::PublishTimedOut(id)]);
    assert_eq!(session.kept(), 1);
    receive(&mut session, Millis(TIMEOUT + 1), &Packet::PubAck(PubAck::new(id))).unwrap();
    assert_eq!((session.kept(), events(&mut session)), (0, Vec::new()));
}

#[test]
fn messages_kept_while_the_link_is_down_go_out_in_order_when_it_is_back() {
    let mut session = connected();
    session.lost(Millis(0), 0);
    let first = session.publish_kept(Millis(1), REPORT, b"burning").unwrap();
    session.open(Millis(2000), login());
    let second = session.publish_kept(Millis(2000), REPORT, b"done").unwrap();
    assert!(matches!(&packets(&mut session)[..], [Packet::Connect(_)]));
    session.received(Millis(2000), &[0x20, 2, 0, 0]).unwrap();
    let sent = packets(&mut session);
    assert_eq!(published(&sent), [(first, false, &b"burning"[..]), (second, false, &b"done"[..])]);
}

#[test]
fn nothing_is_kept_where_the_link_will_not_come_back_by_itself() {
    let mut never = session();
    assert_eq!(never.publish_kept(Millis(0), REPORT, b"x"), Err(Refusal::NotConnected));
    let mut closed = connected();
    closed.publish_kept(Millis(0), REPORT, b"x").unwrap();
    closed.close();
    assert_eq!(closed.kept(), 0);
    assert_eq!(closed.publish_kept(Millis(0), REPORT, b"x"), Err(Refusal::NotConnected));
    for topic in ["", "a/#", &"t".repeat(129)] {
        assert!(connected().publish_kept(Millis(0), topic, b"x").is_err());
    }
    assert_eq!(connected().publish_kept(Millis(0), "t", &[0; MAX_SEND]), Err(Refusal::PacketTooLong));
}

#[test]
fn a_server_that_never_acknowledges_can_not_make_the_session_keep_more_and_more() {
    let mut session = connected();
    let ids: Vec<u16> = (0..=MAX_KEPT).map(|_| session.publish_kept(Millis(0), REPORT, b"fail").unwrap()).collect();
    assert_eq!(session.kept(), MAX_KEPT);
    let _ = packets(&mut session);
    session.lost(Millis(1), 0);
    connect(&mut session, Millis(2000));
    let again: Vec<u16> = published(&packets(&mut session)).iter().map(|(id, ..)| *id).collect();
    assert_eq!(again, ids[1..]);
}

#[test]
fn the_packet_id_of_a_kept_message_is_not_used_again() {
    let mut session = connected();
    let id = session.publish_kept(Millis(0), REPORT, b"done").unwrap();
    session.tick(Millis(TIMEOUT)).unwrap();
    for _ in 0..u16::MAX {
        let other = session.publish(Millis(TIMEOUT), "t", b"", QoS::AtLeastOnce, false).unwrap();
        assert_ne!(other, id);
        receive(&mut session, Millis(TIMEOUT), &Packet::PubAck(PubAck::new(other))).unwrap();
        let _ = session.take_output();
        while session.next_event().is_some() {}
    }
}

#[test]
fn a_subscription_granted_once_is_asked_for_again_where_it_is_refused_later() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "handler");
    session.lost(Millis(1), 0);
    connect(&mut session, Millis(2000));
    let refused = |session: &mut TestSession, now: Millis| {
        let sent = packets(session);
        let [Packet::Subscribe(again)] = &sent[..] else { panic!("{sent:?}") };
        receive(session, now, &suback(again.pkid, false)).unwrap();
        again.pkid
    };
    let id = refused(&mut session, Millis(2000));
    let told = events(&mut session);
    assert_eq!(told, [Event::Disconnected, Event::Reconnected, Event::SubscribeRefused(id, "handler")]);
    assert!(!session.is_subscribed("a"));
    assert_eq!(session.deadline(), Some(Millis(62_000)));
    session.tick(Millis(61_999)).unwrap();
    assert!(packets(&mut session).is_empty());
    session.tick(Millis(62_000)).unwrap();
    let id = refused(&mut session, Millis(62_000));
    assert_eq!(events(&mut session), [Event::SubscribeRefused(id, "handler")]);
    session.tick(Millis(122_000)).unwrap();
    let sent = packets(&mut session);
    let [Packet::Subscribe(again)] = &sent[..] else { panic!("{sent:?}") };
    receive(&mut session, Millis(122_000), &suback(again.pkid, true)).unwrap();
    assert_eq!(events(&mut session), [Event::Subscribed(again.pkid, "handler")]);
    assert!(session.is_subscribed("a"));
}

#[test]
fn each_subscribe_to_the_same_subscription_gets_its_own_answer() {
    let twice = |session: &mut TestSession| {
        let ids = [0, 1].map(|ms| session.subscribe(Millis(ms), "a", QoS::AtLeastOnce, "h", |_, _| true).unwrap());
        packets(session);
        ids
    };
    let mut refused = connected();
    let [first, second] = twice(&mut refused);
    receive(&mut refused, Millis(2), &suback(first, false)).unwrap();
    receive(&mut refused, Millis(2), &suback(second, true)).unwrap();
    assert_eq!(events(&mut refused), [Event::SubscribeRefused(first, "h"), Event::Subscribed(second, "h")]);
    assert!(refused.is_subscribed("a"));

    let mut late = connected();
    let [first, second] = twice(&mut late);
    late.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut late), [Event::SubscribeTimedOut(first, "h")]);
    late.tick(Millis(TIMEOUT + 1)).unwrap();
    assert_eq!(events(&mut late), [Event::SubscribeTimedOut(second, "h")]);
    assert_eq!(late.unsubscribe(Millis(TIMEOUT + 1), "a"), Err(Refusal::UnknownTopic));

    let mut both_late = connected();
    let [first, second] = twice(&mut both_late);
    both_late.tick(Millis(TIMEOUT + 1)).unwrap();
    let told = events(&mut both_late);
    assert_eq!(told, [Event::SubscribeTimedOut(first, "h"), Event::SubscribeTimedOut(second, "h")]);
    assert_eq!(both_late.unsubscribe(Millis(TIMEOUT + 1), "a"), Err(Refusal::UnknownTopic));
}

#[test]
fn subscribe_and_unsubscribe_checks_come_before_sending() {
    let subscribe = |session: &mut TestSession, filter: &str| {
        session.subscribe(Millis(0), filter, QoS::AtLeastOnce, "handler", never_same)
    };
    let mut session = connected();
    assert_eq!(subscribe(&mut session, &"t".repeat(129)), Err(Refusal::TopicTooLong));
    for filter in ["", "a/#/b", "a+", "a\0b"] {
        assert_eq!(subscribe(&mut session, filter), Err(Refusal::BadTopic), "{filter:?}");
    }
    assert_eq!(session.unsubscribe(Millis(0), &"t".repeat(129)), Err(Refusal::TopicTooLong));
    assert_eq!(session.unsubscribe(Millis(0), "a"), Err(Refusal::UnknownTopic));
    assert!(session.take_output().is_empty());

    session.lost(Millis(0), 0);
    assert_eq!(subscribe(&mut session, "a"), Err(Refusal::NotConnected));
}

#[test]
fn a_subscription_taken_away_while_the_link_is_down_is_not_made_again() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "handler");
    session.lost(Millis(0), 0);
    assert_eq!(session.unsubscribe(Millis(0), "a"), Err(Refusal::NotConnected));
    assert_eq!(session.take_removed(), ["handler"]);
    assert_eq!(events(&mut session), [Event::Disconnected]);
    connect(&mut session, Millis(2000));
    assert!(packets(&mut session).is_empty());
}

#[test]
fn an_unsubscribe_without_an_answer_times_out() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "handler");
    let id = session.unsubscribe(Millis(0), "a").unwrap();
    session.tick(Millis(TIMEOUT)).unwrap();
    assert_eq!(events(&mut session), [Event::UnsubscribeTimedOut(id)]);
}

#[test]
fn a_long_packet_before_connack_is_no_connack() {
    let mut session = session();
    session.open(Millis(0), login());
    let mut stream = vec![0x20, 0xff, 0xff, 0x7f];
    stream.resize(4 + 0x1f_ffff, 0);
    let fault = LinkFault::Malformed(Malformed("long packet before CONNACK"));
    assert_eq!(session.received(Millis(0), &stream), Err(fault));
}

#[test]
fn a_session_says_whether_the_rest_of_a_packet_is_to_come() {
    let mut session = connected();
    assert!(!session.is_mid_packet());
    session.received(Millis(0), &[0xd0]).unwrap();
    assert!(session.is_mid_packet());
    session.received(Millis(0), &[0]).unwrap();
    assert!(!session.is_mid_packet());
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
    assert_eq!(told, [Event::Disconnected, Event::Reconnected, Event::Subscribed(only.pkid, "first")]);
}

#[test]
fn a_withdrawn_subscribe_leaves_another_one_its_answer() {
    let mut session = connected();
    let ids = [0, 1].map(|ms| session.subscribe(Millis(ms), "a", QoS::AtLeastOnce, "h", |_, _| true).unwrap());
    session.withdraw(ids[1]);
    receive(&mut session, Millis(2), &suback(ids[0], true)).unwrap();
    assert_eq!(events(&mut session), [Event::Subscribed(ids[0], "h")]);
    assert!(session.is_subscribed("a"));
}

#[test]
fn a_server_that_has_the_device_report_without_end_uses_up_no_packet_ids() {
    let mut session = connected();
    let refused = (0..u16::MAX).find_map(|_| session.publish_kept(Millis(0), REPORT, b"fail").err());
    assert_eq!(refused, Some(Refusal::TooManyPublishes));
    assert_eq!(session.kept(), MAX_KEPT);
    session.tick(Millis(TIMEOUT)).unwrap();
    assert!(session.publish_kept(Millis(TIMEOUT), REPORT, b"done").is_ok());
}

#[test]
fn a_caller_that_asks_again_itself_doubles_nothing() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    session.lost(Millis(1), 0);
    connect(&mut session, Millis(2000));
    let _ = (packets(&mut session), events(&mut session));
    let mut now = Millis(2000);
    for _ in 0..20 {
        now = session.deadline().unwrap();
        session.tick(now).unwrap();
        let told = events(&mut session);
        assert!(matches!(told[..], [Event::SubscribeTimedOut(_, "h")]), "{told:?}");
        session.subscribe(now, "a", QoS::AtLeastOnce, "h", |_, _| true).unwrap();
        assert_eq!(packets(&mut session).len(), 1);
    }
    session.tick(now + 1).unwrap();
    assert!(packets(&mut session).is_empty());
}

#[test]
fn what_the_server_does_not_take_does_not_pile_up() {
    let mut session = connected();
    let refused = (0..1000).find_map(|_| session.publish(Millis(0), "t", &[0; 2000], QoS::AtMostOnce, false).err());
    assert_eq!(refused, Some(Refusal::TooManyPublishes));
    assert!(session.take_output().len() < MAX_UNSENT + MAX_SEND);
    assert!(session.publish(Millis(0), "t", b"", QoS::AtMostOnce, false).is_ok());

    let fault = (0..100_000).find_map(|_| receive(&mut session, Millis(0), &incoming(7, "t", b"")).err());
    assert_eq!(fault, Some(LinkFault::Unread));
    session.lost(Millis(0), 0);
    assert!(session.take_output().is_empty());
}
