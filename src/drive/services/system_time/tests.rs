use std::sync::Mutex as StdMutex;

use super::*;
use crate::drive::mqtt::{Listener, Notice};
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Cloud, Grant, Machine};

const RESULT: &str = "$sys/operation/result/PRODUCTIDX/device";

fn machine() -> Arc<Machine> {
    Machine::new(|_, _| Answer::new(""))
}

/// A cloud that answers every question for the time with `answers`.
fn answering(answer: &'static str) -> Cloud {
    Cloud::default().answer_with(|topic, payload| {
        assert_eq!(topic, "$sys/operation/PRODUCTIDX/device");
        assert_eq!(payload, br#"{"type": "get", "resource": ["time"]}"#);
        Some((RESULT.to_owned(), answer.as_bytes().to_vec()))
    })
}

#[test]
fn the_round_trip_ends_when_the_answer_arrives() {
    let machine = machine();
    let client = machine.client();
    machine.mqtt.world().cloud =
        answering(r#"{"type":"get","time":1604458421,"ntptime1":1604458421734,"ntptime2":1604458421736}"#);
    machine.mqtt.world().latency_ms = 53;
    let exchanged = ask(&client).unwrap();
    assert_eq!((exchanged.answer.seconds, exchanged.answer.sent_ms), (1_604_458_421, 1_604_458_421_736));
    assert_eq!(exchanged.round_trip_ms, 53);
    let began = machine.ms();
    assert_eq!(ask(&client), Ok(exchanged), "it can be asked again");
    // No longer than both answers took, to the subscription and to the question.
    assert_eq!(machine.ms() - began, 2 * 53);
}

#[test]
fn silence_and_other_messages_fail_after_two_seconds() {
    for cloud in [Cloud::default(), answering("null")] {
        let machine = machine();
        let client = machine.client();
        machine.mqtt.world().cloud = cloud;
        let began = machine.ms();
        assert_eq!(ask(&client), Err(Error::NoAnswer));
        let waited = machine.ms() - began;
        assert!((2_000..2_100).contains(&waited), "{waited}");
    }
}

#[test]
fn without_a_grant_nothing_is_asked() {
    for grant in [Grant::Refused, Grant::Silent] {
        let machine = machine();
        let client = machine.client();
        machine.mqtt.world().grants(&[grant]);
        assert_eq!(ask(&client), Err(Error::NoAnswer));
        assert!(machine.take_published("$sys/operation/PRODUCTIDX/device").is_empty());
    }
}

#[test]
fn a_client_that_was_destroyed_is_not_waited_for() {
    let machine = machine();
    let client = machine.client();
    client.destroy();
    let began = machine.ms();
    assert!(ask(&client).is_err());
    assert_eq!(machine.ms(), began);
}

/// Counts what the program hears.
#[derive(Clone, Default)]
struct Heard(Arc<StdMutex<Vec<String>>>);

impl Listener for Heard {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        self.0.lock().unwrap().push(format!("{notice:?}"));
    }
}

#[test]
fn the_program_hears_nothing_of_it() {
    let (machine, heard) = (machine(), Heard::default());
    let client = machine.client_with(heard.clone());
    ask(&client).unwrap();
    let _ = client.yield_for(1_000);
    assert_eq!(*heard.0.lock().unwrap(), [""; 0]);
    assert!(machine.mqtt.world().received.iter().any(|packet| format!("{packet:?}").starts_with("Unsubscribe")));
}
