//! What the server sends, with every QoS, in good and in bad order.

use super::super::super::memory::shortage::Shortage;
use super::*;

fn publish(qos: u8, id: u16, payload: &[u8], dup: bool) -> Packet {
    use rumqttc::mqttbytes::QoS;
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)];
    let mut publish = Publish::new("t", qos, payload);
    (publish.pkid, publish.dup) = (id, dup);
    Packet::Publish(publish)
}

/// The same message once more, as a server sends it again.
fn again(id: u16, topic: &str, payload: &[u8]) -> Packet {
    let Packet::Publish(mut publish) = incoming(id, topic, payload) else { panic!() };
    publish.dup = true;
    Packet::Publish(publish)
}

/// Hands on the messages that are there; their payloads.
fn deliver(session: &mut TestSession) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for event in events(session) {
        if let Event::Message(message) = event {
            session.delivered(&message);
            payloads.push(message.payload.to_vec());
        }
    }
    payloads
}

fn pubrec(id: u16) -> Packet {
    Packet::PubRec(rumqttc::mqttbytes::v4::PubRec::new(id))
}

fn pubrel(id: u16) -> Packet {
    Packet::PubRel(rumqttc::mqttbytes::v4::PubRel::new(id))
}

fn pubcomp(id: u16) -> Packet {
    Packet::PubComp(rumqttc::mqttbytes::v4::PubComp::new(id))
}

#[test]
fn qos_1_is_acknowledged_after_the_handler_and_a_repeat_at_once() {
    let mut session = connected();
    receive(&mut session, Millis(0), &incoming(7, "t", b"x")).unwrap();
    assert!(packets(&mut session).is_empty());
    let news = events(&mut session);
    let [Event::Message(message)] = &news[..] else { panic!("{news:?}") };
    session.delivered(message);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
    receive(&mut session, Millis(0), &again(7, "t", b"x")).unwrap();
    assert_eq!(events(&mut session), []);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
}

#[test]
fn a_message_that_is_too_long_is_acknowledged_and_told() {
    let mut session = connected();
    receive(&mut session, Millis(0), &incoming(7, "t", &vec![0; 20_000])).unwrap();
    assert_eq!(events(&mut session), [Event::Skipped(Skipped::TooLong(20_005))]);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
}

#[test]
fn a_new_connection_forgets_the_packet_ids_seen() {
    let mut session = connected();
    receive(&mut session, Millis(0), &incoming(7, "t", b"")).unwrap();
    session.lost(Millis(0), 0);
    events(&mut session);
    connect(&mut session, Millis(1000));
    receive(&mut session, Millis(1000), &again(7, "t", b"")).unwrap();
    assert!(matches!(&events(&mut session)[..], [RECONNECTED, Event::Message(_)]));
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
        receive(&mut session, Millis(1000), &again(7, "t", b"")).unwrap();
        assert_eq!(events(&mut session).len(), usize::from(delivered), "clean {clean_session}, present {present}");
    }
}

#[test]
fn what_the_server_does_not_take_does_not_pile_up() {
    let mut session = connected();
    let refused = (0..1000).find_map(|_| session.publish(Millis(0), "t", &[0; 2000], QoS::AtMostOnce, false).err());
    assert_eq!(refused, Some(Refusal::TooManyPublishes));
    assert!(session.take_output().len() < MAX_UNSENT + MAX_SEND);
    assert!(session.publish(Millis(0), "t", b"", QoS::AtMostOnce, false).is_ok());

    receive(&mut session, Millis(0), &incoming(7, "t", b"")).unwrap();
    let news = events(&mut session);
    let [Event::Message(message)] = &news[..] else { panic!("{news:?}") };
    session.delivered(message);
    let fault = (0..100_000).find_map(|_| receive(&mut session, Millis(0), &again(7, "t", b"")).err());
    assert_eq!(fault, Some(LinkFault::Unread));
    session.lost(Millis(0), 0);
    assert!(session.take_output().is_empty());
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
fn a_long_packet_before_connack_is_no_connack() {
    let mut session = session();
    session.open(Millis(0), login());
    let mut stream = vec![0x20, 0xff, 0xff, 0x7f];
    stream.resize(4 + 0x1f_ffff, 0);
    let fault = LinkFault::Malformed(Malformed("long packet before CONNACK"));
    assert_eq!(session.received(Millis(0), &stream), Err(fault));
}

#[test]
fn a_qos_2_message_is_delivered_once_over_the_whole_exchange() {
    // Case qos2_message, byte for byte but for the topic's length.
    let mut session = connected();
    receive(&mut session, Millis(0), &publish(2, 77, b"hello", false)).unwrap();
    assert!(packets(&mut session).is_empty(), "after the handler");
    assert_eq!(deliver(&mut session), [b"hello"]);
    assert_eq!(packets(&mut session), [pubrec(77)]);
    receive(&mut session, Millis(1), &publish(2, 77, b"hello", true)).unwrap();
    assert_eq!(deliver(&mut session), [[0; 0]; 0], "delivered once");
    assert_eq!(packets(&mut session), [pubrec(77)]);
    receive(&mut session, Millis(2), &pubrel(77)).unwrap();
    assert_eq!(packets(&mut session), [pubcomp(77)]);
    receive(&mut session, Millis(3), &publish(2, 77, b"next", false)).unwrap();
    assert_eq!(deliver(&mut session), [b"next"], "the id is free again");
}

#[test]
fn the_bytes_of_the_field_case_reach_a_subscriber() {
    let mut session = connected();
    let mut stream = vec![0x34, 0x31, 0, 0x1b];
    stream.extend_from_slice(b"$ota/update/ABCDEFGHIJ/dev1");
    stream.extend_from_slice(&[0, 0x4d]);
    stream.extend_from_slice(b"{\"type\":\"hello\"}");
    stream[1] = u8::try_from(stream.len() - 2).unwrap();
    session.received(Millis(0), &stream).unwrap();
    assert_eq!(deliver(&mut session), [b"{\"type\":\"hello\"}"]);
    assert_eq!(packets(&mut session), [pubrec(77)]);
}

#[test]
fn an_exchange_that_a_session_left_behind_is_brought_to_its_end() {
    let mut session = connected();
    receive(&mut session, Millis(0), &pubrel(5)).unwrap();
    receive(&mut session, Millis(0), &pubrec(6)).unwrap();
    receive(&mut session, Millis(0), &pubcomp(6)).unwrap();
    assert_eq!(packets(&mut session), [pubcomp(5), pubrel(6)]);
    assert_eq!(events(&mut session), []);
}

#[test]
fn a_qos_2_message_is_known_again_only_in_a_session_that_goes_on() {
    for present in [0, 1] {
        let mut session = session();
        session.config.clean_session = false;
        connect(&mut session, Millis(0));
        receive(&mut session, Millis(0), &publish(2, 7, b"x", false)).unwrap();
        assert_eq!(deliver(&mut session), [b"x"]);
        session.lost(Millis(0), 0);
        session.open(Millis(1000), login());
        session.received(Millis(1000), &[0x20, 2, present, 0]).unwrap();
        receive(&mut session, Millis(1000), &publish(2, 7, b"x", true)).unwrap();
        assert_eq!(deliver(&mut session).len(), usize::from(present == 0));
    }
}

#[test]
fn an_acknowledgement_never_goes_over_another_connection() {
    for qos in [1, 2] {
        let mut session = connected();
        receive(&mut session, Millis(0), &publish(qos, 7, b"x", false)).unwrap();
        let news = events(&mut session);
        let [Event::Message(message)] = &news[..] else { panic!("{news:?}") };
        session.lost(Millis(1), 0);
        connect(&mut session, Millis(2000));
        session.delivered(message);
        assert!(packets(&mut session).is_empty(), "the id may belong to another message by now");
    }
}

#[test]
fn a_repeat_before_the_handler_is_acknowledged_once() {
    let mut session = connected();
    receive(&mut session, Millis(0), &publish(1, 7, b"x", false)).unwrap();
    receive(&mut session, Millis(0), &publish(1, 7, b"x", true)).unwrap();
    assert!(packets(&mut session).is_empty());
    assert_eq!(deliver(&mut session), [b"x"]);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
}

#[test]
fn a_server_that_gives_each_message_the_lowest_free_id_loses_none() {
    let mut session = connected();
    for payload in [b"on", b"on", b"no"] {
        receive(&mut session, Millis(0), &publish(1, 1, payload, false)).unwrap();
        assert_eq!(deliver(&mut session), [payload]);
        assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(1))]);
    }
}

#[test]
fn what_is_not_taken_is_acknowledged_with_its_qos() {
    for (first, answer) in [(0x30, None), (0x32, Some(Packet::PubAck(PubAck::new(7)))), (0x34, Some(pubrec(7)))] {
        for (stream, skipped) in [
            (&[first, 7, 0, 2, 0xff, 0xfe, 0, 7, b'x'][..], Skipped::BadTopic(7)),
            (&[first, 7, 0, 2, b'a', b'#', 0, 7, b'x'][..], Skipped::BadTopic(7)),
        ] {
            let mut session = connected();
            session.received(Millis(0), stream).unwrap();
            assert_eq!(events(&mut session), [Event::Skipped(skipped)]);
            assert_eq!(packets(&mut session), answer.iter().cloned().collect::<Vec<_>>());
        }
        let mut session = connected();
        let mut long = vec![first, 0xa0, 0x9c, 0x01, 0, 1, b't', 0, 7];
        long.resize(4 + 20_000, 0);
        session.received(Millis(0), &long).unwrap();
        assert_eq!(events(&mut session), [Event::Skipped(Skipped::TooLong(20_000))]);
        assert_eq!(packets(&mut session), answer.iter().cloned().collect::<Vec<_>>());
    }
}

/// A session that has begun to skip a packet of 4 MB, at time 0.
fn skipping() -> TestSession {
    let mut session = connected();
    session.received(Millis(0), &[0x30, 0xff, 0xff, 0xff, 0x01]).unwrap();
    session
}

#[test]
fn a_length_that_swallows_what_follows_costs_seconds() {
    let mut session = skipping();
    assert_eq!(session.deadline(), Some(Millis(10_000)));
    session.tick(Millis(9999)).unwrap();
    // A caller that did not look for a while reads first what has come in meanwhile.
    session.tick(Millis(10_000)).unwrap();
    assert_eq!(session.deadline(), Some(Millis(11_000)));
    assert_eq!(session.tick(Millis(11_000)), Err(LinkFault::TooSlow));
    session.lost(Millis(11_000), 0);
    assert_eq!(session.tick(Millis(11_001)), Ok(()));
}

#[test]
fn a_long_packet_that_comes_in_at_1_kb_per_second_is_waited_for() {
    let mut session = skipping();
    for second in 1..60 {
        session.received(Millis(second * 1000), &[0; 1000]).unwrap();
        session.tick(Millis(second * 1000)).unwrap();
    }
    let mut session = skipping();
    let fault = (1..60).find_map(|second| {
        session.received(Millis(second * 1000), &[0; 900]).unwrap();
        session.tick(Millis(second * 1000)).err().map(|fault| (second, fault))
    });
    assert_eq!(fault, Some((11, LinkFault::TooSlow)));
}

#[test]
fn the_watch_ends_with_the_packet() {
    let mut session = connected();
    let mut long = vec![0x30, 0xa0, 0x9c, 0x01];
    session.received(Millis(0), &long).unwrap();
    long = vec![0; 20_000];
    session.received(Millis(1), &long).unwrap();
    session.tick(Millis(60_000)).unwrap();
    assert_eq!(session.deadline(), Some(Millis(240_000)));
}

#[test]
fn more_than_4_mb_end_the_link_at_once() {
    let mut session = connected();
    let result = session.received(Millis(0), &[0x30, 0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(result, Err(LinkFault::Malformed(Malformed("a length of more than 4 MB"))));
}

#[test]
fn a_session_outlives_a_shortage_of_memory() {
    let mut session = connected();
    subscribe(&mut session, Millis(0), "a", "h");
    let shortage = Shortage::above(0);
    let refused = Err(Refusal::NoMemory);
    assert_eq!(session.publish(Millis(0), "t", b"x", QoS::AtLeastOnce, false), refused);
    assert_eq!(session.publish_kept(Millis(0), "t", b"x"), refused);
    assert_eq!(session.subscribe(Millis(0), "b", QoS::AtMostOnce, "h", never_same), refused);
    assert_eq!(session.subscribe_for_service(Millis(0), "b", QoS::AtMostOnce, "h"), Err(Refusal::NoMemory));
    assert_eq!((session.kept(), session.deadline()), (0, Some(Millis(240_000))), "nothing is left of them");
    assert_eq!(session.received(Millis(0), &[0x30, 5, 0, 1, b'a', b'x', b'y']), Err(LinkFault::NoMemory));
    // An answer that can't be written.
    session.lost(Millis(0), 0);
    drop(shortage);
    connect(&mut session, Millis(1000));
    packets(&mut session);
    let shortage = Shortage::above(2);
    assert_eq!(session.received(Millis(1000), &[0x62, 2, 0, 7]), Err(LinkFault::NoMemory));
    assert_eq!(session.tick(Millis(1000)), Err(LinkFault::NoMemory));
    session.lost(Millis(1000), 0);
    session.open(Millis(3000), login());
    assert_eq!(session.tick(Millis(3000)), Err(LinkFault::NoMemory), "CONNECT can't be written");
    session.lost(Millis(3000), 0);
    drop(shortage);
    connect(&mut session, Millis(7000));
    assert!(matches!(&packets(&mut session)[..], [Packet::Subscribe(again)] if again.filters[0].path == "a"));
}

#[test]
fn a_message_that_there_is_no_memory_for_is_acknowledged_and_told() {
    let mut session = connected();
    let shortage = Shortage::above(1000);
    receive(&mut session, Millis(0), &publish(1, 7, &[b'x'; 5000], false)).unwrap();
    assert_eq!(events(&mut session), [Event::Skipped(Skipped::NoMemory(5005))]);
    assert_eq!(packets(&mut session), [Packet::PubAck(PubAck::new(7))]);
    drop(shortage);
}

#[test]
fn each_message_that_is_not_taken_says_why() {
    for (what, text) in [
        (Skipped::TooLong(9), "a message of 9 bytes is too long and was skipped"),
        (Skipped::NoMemory(9), "no memory for a message of 9 bytes, it was skipped"),
        (Skipped::BadTopic(9), "a message of 9 bytes has no valid topic and was skipped"),
    ] {
        assert_eq!(what.to_string(), text);
    }
}
