//! Messages that are kept until they are acknowledged.

use super::*;

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
        assert_eq!(events(&mut session), [RECONNECTED]);
        session.lost(Millis(at + 10), 0);
        assert_eq!(events(&mut session), [Event::Disconnected]);
    }
    connect(&mut session, Millis(30_000));
    receive(&mut session, Millis(30_001), &Packet::PubAck(PubAck::new(id))).unwrap();
    assert_eq!(events(&mut session), [RECONNECTED, Event::Published(id)]);
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
fn a_server_that_has_the_device_report_without_end_uses_up_no_packet_ids() {
    let mut session = connected();
    let refused = (0..u16::MAX).find_map(|_| session.publish_kept(Millis(0), REPORT, b"fail").err());
    assert_eq!(refused, Some(Refusal::TooManyPublishes));
    assert_eq!(session.kept(), MAX_KEPT);
    session.tick(Millis(TIMEOUT)).unwrap();
    assert!(session.publish_kept(Millis(TIMEOUT), REPORT, b"done").is_ok());
}
