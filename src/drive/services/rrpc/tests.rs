use iot_engine::mqtt::Refusal;

use super::*;
use crate::drive::testing::program::{said, Program};

const TOPIC: &str = "$rrpc/rxd/PRODUCTIDX/device";

impl Program {
    /// Requests go to the diary.
    fn listen(&self) -> Result<(), NotSubscribed> {
        let diary = self.diary.clone();
        subscribe(&self.client, Box::new(move |_, payload| diary.write("request", payload)))
    }

    fn ask(&self, id: &str) {
        self.send(&format!("{TOPIC}/{id}"), b"closed");
    }

    /// QoS and text of what went to the answer topic of this id since the last call.
    fn answers(&self, id: &str) -> Vec<(u8, String)> {
        self.machine.take_published(&format!("$rrpc/txd/PRODUCTIDX/device/{id}"))
    }

    fn published_nothing(&self) -> bool {
        let world = self.machine.mqtt.world();
        !world.received.iter().any(|packet| matches!(packet, rumqttc::mqttbytes::v4::Packet::Publish(_)))
    }
}

fn ok() -> Vec<(u8, String)> {
    vec![(0, "ok".to_owned())]
}

#[test]
fn case_7_a_request_is_answered_inside_the_handler() {
    let program = Program::new();
    let diary = program.diary.clone();
    let handler: Handler = Box::new(move |client, payload| {
        diary.write("request", payload);
        assert_eq!(answer(client, b"ok"), Ok(()));
        let _ = client.yield_for(10);
    });
    subscribe(&program.client, handler).unwrap();
    let [(_, filter, 0)] = &program.take_subscribes()[..] else { panic!("one SUBSCRIBE of QoS 0") };
    assert_eq!(filter, "$rrpc/rxd/PRODUCTIDX/device/+");
    program.ask("469");
    assert_eq!(program.diary.take(), [said("event", b"granted"), said("request", b"closed")]);
    assert_eq!(program.answers("469"), ok());
    assert!(program.published_nothing());
}

#[test]
fn case_7_more_levels_are_for_the_global_handler() {
    let program = Program::new();
    program.listen().unwrap();
    program.diary.take();
    program.ask("5/6");
    assert_eq!(program.diary.take(), [said("global", b"closed")]);
    assert_eq!(answer(&program.client, b"ok"), Err(NotAnswered::NoRequest));
}

#[test]
fn case_8_every_answer_goes_to_its_own_id() {
    let program = Program::new();
    program.listen().unwrap();
    program.diary.take();
    for id in ["12345678", "99", "1234567890123456", "7"] {
        program.ask(id);
        assert_eq!(program.diary.take(), [said("request", b"closed")]);
        answer(&program.client, b"ok").unwrap();
        assert_eq!(program.answers(id), ok());
        for bad in ["12345678901234567", ""] {
            program.ask(bad);
            assert_eq!(program.diary.take(), []);
        }
        // What was dropped is not the last request.
        answer(&program.client, b"ok").unwrap();
        assert_eq!(program.answers(id), ok());
    }
    assert!(program.published_nothing());
}

#[test]
fn case_10_before_any_request_there_is_nothing_to_answer() {
    let program = Program::new();
    assert_eq!(answer(&program.client, b"ok"), Err(NotAnswered::NoRequest));
    program.listen().unwrap();
    assert_eq!(answer(&program.client, b"ok"), Err(NotAnswered::NoRequest));
    assert!(program.published_nothing());
}

#[test]
fn case_11_too_long_or_without_a_link_and_late_after_a_reconnect() {
    let program = Program::new();
    program.listen().unwrap();
    program.ask("22");
    let refused = |refusal| Err(NotAnswered::NotSent(Error::Request(refusal)));
    assert_eq!(answer(&program.client, &[b'x'; 5_000]), refused(Refusal::PacketTooLong));
    program.cut();
    assert_eq!(answer(&program.client, b"ok"), refused(Refusal::NotConnected));
    program.reconnect();
    assert!(program.published_nothing());
    answer(&program.client, b"ok").unwrap();
    assert_eq!(program.answers("22"), ok());
}

#[test]
fn case_12_two_clients_do_not_mix_their_ids() {
    let (a, b) = (Program::new(), Program::new());
    a.listen().unwrap();
    b.listen().unwrap();
    b.ask("22");
    a.ask("11");
    std::thread::scope(|scope| {
        scope.spawn(|| answer(&b.client, b"ok").unwrap());
        scope.spawn(|| answer(&a.client, b"ok").unwrap());
    });
    assert_eq!((a.answers("11"), b.answers("22")), (ok(), ok()));
    assert!(a.published_nothing() && b.published_nothing());
}

#[test]
fn case_13_a_late_answer_goes_to_the_newest_id() {
    let program = Program::new();
    program.listen().unwrap();
    program.ask("1");
    program.ask("2");
    answer(&program.client, b"ok").unwrap();
    answer(&program.client, b"again").unwrap();
    assert_eq!(program.answers("1"), []);
    assert_eq!(program.answers("2"), [(0, "ok".to_owned()), (0, "again".to_owned())]);
}

#[test]
fn unsubscribed_the_last_request_can_still_be_answered() {
    let program = Program::new();
    program.listen().unwrap();
    program.ask("3");
    program.client.unsubscribe(&filter(program.client.identity())).unwrap();
    answer(&program.client, b"ok").unwrap();
    assert_eq!(program.answers("3"), ok());
    program.take_subscribes();
    program.listen().unwrap();
    assert_eq!(program.take_subscribes().len(), 1);
}
