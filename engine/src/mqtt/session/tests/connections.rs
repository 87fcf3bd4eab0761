//! When the back-off starts over (behaviour.md section 3, case reconnect_storm).

use super::*;

/// The waits between connections that end `lived_ms` after their CONNACK, with what happens in between.
fn waits(lived_ms: u64, meanwhile: impl Fn(&mut TestSession, Millis)) -> Vec<u64> {
    let mut session = session();
    let mut now = Millis(0);
    let mut waits = Vec::new();
    for _ in 0..9 {
        connect(&mut session, now);
        meanwhile(&mut session, now);
        now = now + lived_ms;
        session.lost(now, 0);
        if session.link() == LinkState::GaveUp {
            session.go_on(now, 0);
        }
        let LinkState::Waiting(due) = session.link() else { panic!("{:?}", session.link()) };
        waits.push(now.until(due));
        now = due;
    }
    waits
}

fn publish_and_acknowledge(session: &mut TestSession, now: Millis) {
    let id = session.publish(now, "t", b"", QoS::AtLeastOnce, false).unwrap();
    receive(session, now, &Packet::PubAck(PubAck::new(id))).unwrap();
}

#[test]
fn a_connack_alone_does_not_start_the_back_off_anew() {
    let expected = [1000, 2000, 4000, 8000, 16_000, 32_000, 30_000, 60_000, 30_000];
    assert_eq!(waits(50, |_, _| {}), expected);
    assert_eq!(waits(9999, |_, _| {}), expected);
}

#[test]
fn a_connection_that_lived_starts_the_back_off_anew() {
    assert_eq!(waits(10_000, |_, _| {}), [1000; 9]);
}

#[test]
fn an_acknowledgement_starts_the_back_off_anew_but_not_for_ever() {
    let expected = [1000, 1000, 2000, 4000, 8000, 16_000, 32_000, 30_000, 60_000];
    assert_eq!(waits(1500, publish_and_acknowledge), expected, "two devices with one client id");
    let mut session = connected();
    publish_and_acknowledge(&mut session, Millis(0));
    session.lost(Millis(50), 0);
    assert_eq!(session.short_lived(), 1);
    connect(&mut session, Millis(1050));
    session.lost(Millis(20_000), 0);
    assert_eq!((session.short_lived(), session.link()), (0, LinkState::Waiting(Millis(21_000))));
}

#[test]
fn an_acknowledgement_of_what_was_not_asked_for_proves_nothing() {
    let stray = |session: &mut TestSession, now| {
        for packet in [Packet::PubAck(PubAck::new(1)), suback(1, true), Packet::PingResp] {
            receive(session, now, &packet).unwrap();
        }
    };
    assert_eq!(waits(50, stray)[..3], [1000, 2000, 4000]);
}

#[test]
fn subscriptions_prove_a_connection_when_all_are_granted() {
    for (granted, second_wait) in [([true, true], 1000), ([true, false], 2000)] {
        let mut session = connected();
        for filter in ["a", "b"] {
            subscribe(&mut session, Millis(0), filter, "h");
        }
        session.lost(Millis(20_000), 0);
        connect(&mut session, Millis(21_000));
        let sent = packets(&mut session);
        for (packet, granted) in sent.iter().zip(granted) {
            let Packet::Subscribe(subscribe) = packet else { panic!("{packet:?}") };
            if granted {
                receive(&mut session, Millis(21_000), &suback(subscribe.pkid, true)).unwrap();
            }
        }
        // The server closes at the other one: its topic is forbidden.
        session.lost(Millis(21_050), 0);
        assert_eq!(session.link(), LinkState::Waiting(Millis(21_050 + second_wait)), "{granted:?}");
    }
}

#[test]
fn a_kept_message_that_is_acknowledged_late_proves_a_connection() {
    let mut session = connected();
    session.lost(Millis(50), 0);
    let id = session.publish_kept(Millis(60), "t", b"done").unwrap();
    session.tick(Millis(60 + TIMEOUT)).unwrap();
    connect(&mut session, Millis(10_000));
    receive(&mut session, Millis(10_010), &Packet::PubAck(PubAck::new(id))).unwrap();
    session.lost(Millis(10_020), 0);
    assert_eq!(session.link(), LinkState::Waiting(Millis(11_020)));
}
