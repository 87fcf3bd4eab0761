use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::error::Error;
use crate::drive::testing::program::{said, Diary, Program};
use crate::drive::testing::Grant;

const TOPIC: &str = "$broadcast/rxd/PRODUCTIDX/device";

fn handler(diary: &Diary, name: &'static str) -> Handler {
    let diary = diary.clone();
    Box::new(move |_, payload| diary.write(name, payload))
}

impl Program {
    fn subscribe(&self, name: &'static str) -> Result<(), NotSubscribed> {
        subscribe(&self.client, handler(&self.diary, name))
    }
}

#[test]
fn case_1_bytes_arrive_as_they_were_sent_and_are_acknowledged() {
    let program = Program::new();
    let began = program.machine.ms();
    program.subscribe("a").unwrap();
    assert!(program.machine.ms() - began <= 50);
    let [(_, filter, 1)] = &program.take_subscribes()[..] else { panic!("one SUBSCRIBE of QoS 1") };
    assert_eq!(filter, TOPIC);
    assert_eq!(program.diary.take(), [said("event", b"granted")]);
    for payload in [&b"a\0b"[..], b"", &[7; 1900], &[8; 16_000]] {
        program.send(TOPIC, payload);
        assert_eq!(program.diary.take(), [said("a", payload)]);
    }
    program.machine.mqtt.world().publish(9, TOPIC, b"closed");
    let _ = program.client.yield_for(1);
    assert_eq!(program.diary.take(), [said("a", b"closed")]);
    let world = program.machine.mqtt.world();
    assert!(world.received.iter().any(|packet| matches!(packet, Packet::PubAck(ack) if ack.pkid == 9)));
}

#[test]
fn case_2_refused_at_once_and_silent_after_its_time() {
    for (grant, limit, expected) in
        [(Grant::Refused, 0..50, NotSubscribed::Refused), (Grant::Silent, 1_500..1_550, NotSubscribed::TimedOut)]
    {
        let program = Program::new();
        program.grants(&[grant]);
        let began = program.machine.ms();
        assert_eq!(program.subscribe("a"), Err(expected));
        let waited = program.machine.ms() - began;
        assert!(limit.contains(&waited), "{grant:?}: {waited}");
        assert_eq!(program.take_subscribes().len(), 1);
    }
}

#[test]
fn case_2_a_late_suback_still_makes_the_subscription() {
    let program = Program::new();
    program.grants(&[Grant::Silent]);
    assert_eq!(program.subscribe("a"), Err(NotSubscribed::TimedOut));
    program.send_suback(program.take_subscribes()[0].0);
    program.send(TOPIC, b"late");
    assert_eq!(program.diary.take(), [said("event", b"granted"), said("a", b"late")]);
    assert_eq!(program.subscribe("a"), Ok(()));
    assert!(program.take_subscribes().is_empty());
}

#[test]
fn case_2_asked_again_before_the_late_suback_it_is_one_subscription() {
    let program = Program::new();
    program.grants(&[Grant::Silent]);
    assert_eq!(program.subscribe("a"), Err(NotSubscribed::TimedOut));
    assert_eq!(program.subscribe("b"), Ok(()));
    program.send(TOPIC, b"once");
    assert_eq!(program.diary.take(), [said("event", b"granted"), said("b", b"once")]);
    // There is room for nine others.
    fill(&program, 9);
    let _ = program.client.yield_for(10);
    program.diary.take();
    program.client.unsubscribe(TOPIC).unwrap();
    program.send(TOPIC, b"nobody's");
    assert_eq!(program.diary.take(), [said("global", b"nobody's")]);
}

#[test]
fn case_3_a_second_call_only_replaces_the_handler_even_without_a_link() {
    let program = Program::new();
    program.subscribe("a").unwrap();
    program.take_subscribes();
    program.diary.take();
    assert_eq!(program.subscribe("b"), Ok(()));
    assert!(program.take_subscribes().is_empty());
    program.send(TOPIC, b"x");
    assert_eq!(program.diary.take(), [said("b", b"x")]);
    program.cut();
    assert_eq!(program.subscribe("c"), Ok(()));
    program.reconnect();
    program.diary.take();
    program.send(TOPIC, b"y");
    assert_eq!(program.diary.take(), [said("c", b"y")]);
}

#[test]
fn case_4_unsubscribed_it_can_be_set_up_again() {
    let program = Program::new();
    program.subscribe("a").unwrap();
    program.client.unsubscribe(TOPIC).unwrap();
    program.diary.take();
    program.send(TOPIC, b"x");
    assert_eq!(program.diary.take(), [said("global", b"x")]);
    program.take_subscribes();
    assert_eq!(program.subscribe("b"), Ok(()));
    assert_eq!(program.take_subscribes().len(), 1);
    program.send(TOPIC, b"y");
    assert_eq!(program.diary.take(), [said("event", b"granted"), said("b", b"y")]);
}

#[test]
fn case_5_a_link_that_is_cut_ends_the_wait_and_the_next_call_succeeds() {
    let program = Program::new();
    program.grants(&[Grant::Silent]);
    program.cut_at(|packet| matches!(packet, Packet::Subscribe(_)));
    let began = program.machine.ms();
    assert_eq!(program.subscribe("a"), Err(NotSubscribed::LinkLost(Error::Reconnecting)));
    assert!(program.machine.ms() - began < 1_500);
    let down = Error::Request(iot_engine::mqtt::Refusal::NotConnected);
    assert_eq!(program.subscribe("a"), Err(NotSubscribed::NotSent(down)));
    program.reconnect();
    assert_eq!(program.subscribe("a"), Ok(()));
    program.diary.take();
    program.send(TOPIC, b"x");
    assert_eq!(program.diary.take(), [said("a", b"x")]);
}

#[test]
fn case_6_a_reconnect_subscribes_again_and_a_refusal_there_makes_the_next_call_ask() {
    let program = Program::new();
    program.subscribe("a").unwrap();
    program.cut();
    program.take_subscribes();
    program.reconnect();
    assert_eq!(program.take_subscribes().len(), 1);
    program.diary.take();
    program.send(TOPIC, b"x");
    assert_eq!(program.diary.take(), [said("a", b"x")]);

    program.cut();
    program.grants(&[Grant::Refused, Grant::Refused, Grant::Granted]);
    program.reconnect();
    program.diary.take();
    program.send(TOPIC, b"still");
    assert_eq!(program.diary.take(), [said("a", b"still")]);
    program.take_subscribes();
    assert_eq!(program.subscribe("b"), Err(NotSubscribed::Refused));
    assert_eq!(program.subscribe("c"), Ok(()));
    assert_eq!(program.take_subscribes().len(), 2);
}

#[test]
fn case_6_silence_after_a_reconnect_makes_the_next_call_ask() {
    let program = Program::new();
    program.subscribe("a").unwrap();
    program.cut();
    program.grants(&[Grant::Silent, Grant::Silent]);
    program.reconnect();
    program.diary.take();
    while program.diary.take() != [said("event", b"timed out")] {
        let _ = program.client.yield_for(1);
    }
    program.take_subscribes();
    program.grants(&[]);
    assert_eq!(program.subscribe("b"), Ok(()));
    assert!(!program.take_subscribes().is_empty());
}

#[test]
fn case_14_a_handler_may_call_it_again_and_drive_the_client() {
    let program = Program::new();
    let diary = program.diary.clone();
    let first: Handler = Box::new(move |client, payload| {
        diary.write("first", payload);
        assert_eq!(subscribe(client, handler(&diary, "second")), Ok(()));
        let _ = client.yield_for(10);
    });
    subscribe(&program.client, first).unwrap();
    program.diary.take();
    program.machine.mqtt.world().publish(0, TOPIC, b"1");
    program.machine.mqtt.world().publish(0, TOPIC, b"2");
    let _ = program.client.yield_for(10);
    assert_eq!(program.diary.take(), [said("first", b"1"), said("second", b"2")]);
}

/// Fills `count` of the program's ten subscriptions.
fn fill(program: &Program, count: usize) {
    for number in 0..count {
        let other = Arc::new(Broadcasts(handler(&program.diary, "other")));
        inbox::subscribe(&program.client, &format!("t/{number}"), QoS::AtMostOnce, other, 1_000).unwrap();
    }
}

#[test]
fn case_28_an_eleventh_subscription_is_refused() {
    let program = Program::new();
    fill(&program, 10);
    let full = Error::Request(iot_engine::mqtt::Refusal::TooManySubscriptions);
    assert_eq!(program.subscribe("a"), Err(NotSubscribed::NotSent(full)));
}
