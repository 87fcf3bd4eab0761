//! Against the codec of another implementation, and what only a lenient reader takes.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use rumqttc::mqttbytes::{v4, QoS as TheirQoS};

use super::*;

fn theirs(bytes: &[u8]) -> v4::Packet {
    let mut stream = BytesMut::from(bytes);
    let packet = v4::Packet::read(&mut stream, usize::MAX).unwrap();
    assert!(stream.is_empty());
    packet
}

/// First byte and body of a packet that the other codec writes.
fn written(packet: &v4::Packet) -> (u8, Vec<u8>) {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, usize::MAX).unwrap();
    let header = 1 + bytes[1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    (bytes[0], bytes[header..].to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_publish_reads_as_another_codec_wrote_it(
        qos in 0_u8..3, id in 1_u16.., retain: bool, dup: bool, topic in "[a-z$ü/]{1,300}", payload in vec(any::<u8>(), 0..300)
    ) {
        let their_qos = [TheirQoS::AtMostOnce, TheirQoS::AtLeastOnce, TheirQoS::ExactlyOnce][usize::from(qos)];
        let mut publish = v4::Publish::new(&topic, their_qos, payload.clone());
        publish.pkid = if qos == 0 { 0 } else { id };
        (publish.retain, publish.dup) = (retain, dup);
        let id = publish.pkid;
        let (first, body) = written(&v4::Packet::Publish(publish));
        let message = Message { qos, retain, dup, id, topic, payload: payload.into() };
        prop_assert_eq!(read(first, body), Ok(Incoming::Publish(message)));
    }

    #[test]
    fn another_codec_reads_what_is_written(
        id: u16, retain: bool, dup: bool, topic in "[a-z$ü/]{1,300}", payload in vec(any::<u8>(), 0..300)
    ) {
        let mut out = Vec::new();
        Publish { topic: &topic, payload: &payload, id, retain, dup }.write(&mut out).unwrap();
        let qos = if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        prop_assert_eq!(out.len(), Publish::size(&topic, &payload, qos));
        let v4::Packet::Publish(publish) = theirs(&out) else { panic!() };
        prop_assert_eq!((publish.pkid, publish.retain, publish.dup), (id, retain, dup));
        prop_assert_eq!((&publish.topic, &publish.payload[..]), (&topic, &payload[..]));
    }

    #[test]
    fn no_bytes_make_the_reader_fail_in_another_way(first: u8, body in vec(any::<u8>(), 0..50)) {
        let _ = read(first, body);
    }
}

#[test]
fn requests_and_answers_are_what_another_codec_reads() {
    let mut out = Vec::new();
    write_subscribe(&mut out, 7, "a/+", QoS::AtLeastOnce).unwrap();
    let v4::Packet::Subscribe(subscribe) = theirs(&out) else { panic!() };
    assert_eq!((subscribe.pkid, subscribe.filters[0].path.as_str()), (7, "a/+"));
    assert_eq!(subscribe.filters[0].qos, TheirQoS::AtLeastOnce);
    out.clear();
    write_unsubscribe(&mut out, 8, "a/+").unwrap();
    let v4::Packet::Unsubscribe(unsubscribe) = theirs(&out) else { panic!() };
    assert_eq!((unsubscribe.pkid, &unsubscribe.topics[..]), (8, &["a/+".to_owned()][..]));
    let answers = [Answer::Puback, Answer::Pubrec, Answer::Pubrel, Answer::Pubcomp].map(|answer| {
        let mut out = Vec::new();
        write_answer(&mut out, answer, 9).unwrap();
        theirs(&out)
    });
    let expected = [
        v4::Packet::PubAck(v4::PubAck::new(9)),
        v4::Packet::PubRec(v4::PubRec::new(9)),
        v4::Packet::PubRel(v4::PubRel::new(9)),
        v4::Packet::PubComp(v4::PubComp::new(9)),
    ];
    assert_eq!(answers, expected);
    out.clear();
    write_pingreq(&mut out).unwrap();
    assert_eq!(theirs(&out), v4::Packet::PingReq);
    out.clear();
    write_disconnect(&mut out).unwrap();
    assert_eq!(theirs(&out), v4::Packet::Disconnect);
}

#[test]
fn connect_carries_what_is_there() {
    for (clean_session, user_name, password) in [(true, "user", "secret"), (false, "user", ""), (true, "", "")] {
        let mut out = Vec::new();
        Connect { client_id: "Pd", keep_alive_s: 240, clean_session, user_name, password }.write(&mut out).unwrap();
        let v4::Packet::Connect(connect) = theirs(&out) else { panic!() };
        assert_eq!((connect.client_id.as_str(), connect.keep_alive), ("Pd", 240));
        assert_eq!(connect.clean_session, clean_session);
        let login = connect.login.map(|login| (login.username, login.password));
        let expected = (!user_name.is_empty()).then(|| (user_name.to_owned(), password.to_owned()));
        assert_eq!(login, expected);
    }
}

#[test]
fn acknowledgements_are_read_with_surplus_bytes_and_odd_codes() {
    let id = 0x0203;
    assert_eq!(read(0x40, vec![2, 3]), Ok(Incoming::Puback(id)));
    assert_eq!(read(0x40, vec![2, 3, 0, 0]), Ok(Incoming::Puback(id)));
    assert_eq!(read(0x50, vec![2, 3]), Ok(Incoming::Pubrec(id)));
    assert_eq!(read(0x62, vec![2, 3]), Ok(Incoming::Pubrel(id)));
    assert_eq!(read(0x70, vec![2, 3]), Ok(Incoming::Pubcomp(id)));
    assert_eq!(read(0xb0, vec![2, 3]), Ok(Incoming::Unsuback(id)));
    assert_eq!(read(0xd0, vec![]), Ok(Incoming::Pingresp));
    for (code, granted) in [(0, true), (1, true), (2, true), (0x80, false), (0x87, false), (3, false)] {
        assert_eq!(read(0x90, vec![2, 3, code]), Ok(Incoming::Suback { id, granted }), "{code:#x}");
    }
}

#[test]
fn a_topic_that_is_none_is_told_and_not_fatal() {
    for topic in [&b"\xff\xfe"[..], b"", b"a/+", b"#", b"a\0b"] {
        let mut body = vec![0, topic.len() as u8];
        body.extend_from_slice(topic);
        body.extend_from_slice(&[0, 7, b'x']);
        let len = body.len();
        assert_eq!(read(0x32, body), Ok(Incoming::BadTopic { qos: 1, id: 7, len }), "{topic:?}");
    }
}

#[test]
fn what_is_cut_off_or_impossible_is_malformed() {
    let packets: [(u8, &[u8]); 12] = [
        (0x30, &[]),
        (0x30, &[0]),
        (0x30, &[0, 2, b'a']),
        (0x32, &[0, 1, b'a', 0]),
        (0x32, &[0, 1, b'a', 0, 0]),
        (0x36, &[0, 1, b'a', 0, 1]),
        (0x40, &[1]),
        (0x90, &[0, 1]),
        (0x20, &[0, 0]),
        (0x10, &[]),
        (0x00, &[]),
        (0xf0, &[]),
    ];
    for (first, body) in packets {
        let result = read(first, body.to_vec());
        assert!(matches!(result, Err(Broken::Malformed(_))), "{first:x} {body:x?}: {result:?}");
    }
}
