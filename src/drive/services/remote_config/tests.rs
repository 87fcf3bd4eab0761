use std::sync::atomic::{AtomicUsize, Ordering};

use iot_engine::mqtt::Refusal;
use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::testing::program::{said, Diary, Entry, Program};
use crate::drive::testing::{Cloud, Grant};

const DOWN: &str = "$config/operation/result/PRODUCTIDX/device";
const UP: &str = "$config/operation/PRODUCTIDX/device";

type Then = Box<dyn Fn(&Arc<Client>) + Send + Sync>;

/// One that writes result and text into a diary, and then does more.
struct Named {
    name: &'static str,
    diary: Diary,
    room: usize,
    then: Then,
}

impl Destination for Named {
    fn room(&self) -> usize {
        self.room
    }

    fn take(&self, client: &Arc<Client>, result: i32, text: &[u8]) {
        self.diary.write(&format!("{} {result}", self.name), text);
        (self.then)(client);
    }
}

impl Program {
    fn named(&self, name: &'static str) -> Named {
        Named { name, diary: self.diary.clone(), room: 148, then: Box::new(|_| {}) }
    }

    fn follow(&self, name: &'static str) -> Result<u16, NotSubscribed> {
        subscribe(&self.client, self.named(name), 5_000)
    }

    fn get(&self) -> Result<(), NoReply> {
        get::<Named>(&self.client, 5_000)
    }

    /// The cloud sends these to each question.
    fn cloud_says(&self, texts: &[&str]) {
        let mut cloud = Cloud::default();
        for text in texts.iter().map(|text| (*text).to_owned()) {
            cloud =
                cloud.answer_with(move |topic, _| (topic == UP).then(|| (DOWN.to_owned(), text.clone().into_bytes())));
        }
        self.machine.mqtt.world().cloud = cloud;
    }

    fn questions(&self) -> Vec<(u8, String)> {
        self.machine.take_published(UP)
    }

    /// One with a subscription, whose cloud answers with these.
    fn ready(texts: &[&str]) -> Program {
        let program = Program::new();
        program.cloud_says(texts);
        program.follow("a").unwrap();
        program.diary.take();
        program
    }
}

fn reply(result: &str, payload: &str) -> String {
    format!(r#"{{"type":"reply","result":{result},"payload":{payload}}}"#)
}

fn question() -> Vec<(u8, String)> {
    vec![(0, r#"{"type":"get"}"#.to_owned())]
}

#[test]
fn case_15_a_question_brings_the_configuration_to_the_handler() {
    let program = Program::new();
    program.cloud_says(&[&reply("0", r#"{"baud rate":9600}"#)]);
    let began = program.machine.ms();
    let id = program.follow("a").unwrap();
    assert!(program.machine.ms() - began <= 50);
    assert_eq!(program.take_subscribes(), [(id, DOWN.to_owned(), 0)]);
    assert_eq!(program.diary.take(), [said("event", b"granted")]);
    assert_eq!(program.get(), Ok(()));
    assert_eq!(program.questions(), question());
    assert_eq!(program.diary.take(), [said("a 0", br#"{"baud rate":9600}"#)]);
}

#[test]
fn case_16_a_result_of_the_cloud_ends_the_wait_too() {
    for (result, who) in [("1001", "a 1001"), ("1002", "a 1002"), (r#""1003""#, "a 1003")] {
        let program = Program::ready(&[&reply(result, "{}")]);
        assert_eq!(program.get(), Ok(()));
        assert_eq!(program.diary.take(), [said(who, b"{}")]);
    }
}

#[test]
fn case_18_what_is_no_reply_does_not_end_the_wait() {
    for text in [
        r#"{"type":"reply","payload":{}}"#,
        r#"{"type":"reply","result":0,"payload":{"a":1}"#,
        r#"{"result":0,"payload":{}}"#,
        r#"{"type":"get"}"#,
    ] {
        let program = Program::ready(&[text]);
        let began = program.machine.ms();
        assert_eq!(program.get(), Err(NoReply::TimedOut), "{text}");
        assert!((5_000..5_050).contains(&(program.machine.ms() - began)));
        assert_eq!(program.diary.take(), []);
    }
}

#[test]
fn case_19_what_does_not_fit_is_dropped_and_the_wait_goes_on() {
    let program = Program::ready(&[&reply("0", "1234567890"), &reply("0", "123456789")]);
    let tight = Named { room: 10, ..program.named("tight") };
    subscribe(&program.client, tight, 5_000).unwrap();
    program.diary.take();
    assert_eq!(program.get(), Ok(()));
    assert_eq!(program.diary.take(), [said("tight 0", b"123456789")]);
}

#[test]
fn case_20_without_a_subscription_nothing_is_asked() {
    let program = Program::new();
    assert_eq!(program.get(), Err(NoReply::NotSubscribed));
    program.grants(&[Grant::Refused]);
    assert_eq!(program.follow("a"), Err(NotSubscribed::Refused));
    assert_eq!(program.get(), Err(NoReply::NotSubscribed));
    program.follow("a").unwrap();
    program.client.unsubscribe(DOWN).unwrap();
    assert_eq!(program.get(), Err(NoReply::NotSubscribed));
    assert_eq!(program.questions(), []);
}

#[test]
fn case_22_a_suback_after_the_time_still_subscribes() {
    let program = Program::new();
    program.cloud_says(&[&reply("0", "{}")]);
    program.grants(&[Grant::Silent]);
    let began = program.machine.ms();
    assert_eq!(subscribe(&program.client, program.named("a"), 1_000), Err(NotSubscribed::TimedOut));
    assert!((1_000..1_050).contains(&(program.machine.ms() - began)));
    program.send_suback(program.take_subscribes()[0].0);
    assert_eq!(program.get(), Ok(()));
    assert_eq!(program.diary.take(), [said("event", b"granted"), said("a 0", b"{}")]);
}

#[test]
fn case_22_without_time_the_request_is_sent_and_not_waited_for() {
    let program = Program::new();
    program.cloud_says(&[&reply("0", "{}")]);
    assert_eq!(subscribe(&program.client, program.named("a"), 0), Err(NotSubscribed::TimedOut));
    assert_eq!(program.take_subscribes().len(), 1);
    let _ = program.client.yield_for(10);
    assert_eq!(get::<Named>(&program.client, 0), Err(NoReply::TimedOut));
    assert_eq!(program.questions(), question());
    let _ = program.client.yield_for(10);
    assert_eq!(program.diary.take(), [said("event", b"granted"), said("a 0", b"{}")]);
}

#[test]
fn case_22_the_clients_own_time_out_comes_first() {
    let program = Program::new();
    program.grants(&[Grant::Silent]);
    assert_eq!(subscribe(&program.client, program.named("a"), 7_000), Err(NotSubscribed::GivenUp));
}

#[test]
fn case_23_a_reply_after_the_time_reaches_the_handler() {
    let program = Program::ready(&[]);
    assert_eq!(program.get(), Err(NoReply::TimedOut));
    program.send(DOWN, reply("0", "7").as_bytes());
    assert_eq!(program.diary.take(), [said("a 0", b"7")]);
}

#[test]
fn case_24_pushes_do_not_end_a_wait_and_second_replies_arrive() {
    let push = r#"{"type":"push","result":1001,"payload":1}"#;
    let program = Program::ready(&[push]);
    program.send(DOWN, push.as_bytes());
    assert_eq!(program.diary.take(), [said("a 0", b"1")]);
    assert_eq!(program.get(), Err(NoReply::TimedOut));
    assert_eq!(program.diary.take(), [said("a 0", b"1")]);
    program.cloud_says(&[push, &reply("0", "2"), &reply("0", "3")]);
    assert_eq!(program.get(), Ok(()));
    let _ = program.client.yield_for(10);
    assert_eq!(program.diary.take(), [said("a 0", b"1"), said("a 0", b"2"), said("a 0", b"3")]);
}

#[test]
fn case_25_a_link_that_is_cut_ends_each_wait_at_once() {
    for (auto_connect, lost) in [(true, Error::Reconnecting), (false, Error::NotConnected)] {
        let program = Program::with_auto_connect(auto_connect);
        program.grants(&[Grant::Silent]);
        program.cut_at(|packet| matches!(packet, Packet::Subscribe(_)));
        let began = program.machine.ms();
        assert_eq!(program.follow("a"), Err(NotSubscribed::LinkLost(lost.clone())));
        assert!(program.machine.ms() - began <= 50);
    }
    for (auto_connect, lost) in [(true, Error::Reconnecting), (false, Error::NotConnected)] {
        let program = Program::with_auto_connect(auto_connect);
        program.follow("a").unwrap();
        program.cut_at(|packet| matches!(packet, Packet::Publish(_)));
        let began = program.machine.ms();
        assert_eq!(program.get(), Err(NoReply::LinkLost(lost)));
        assert!(program.machine.ms() - began <= 50);
        let down = NoReply::NotSent(Error::Request(Refusal::NotConnected));
        assert_eq!(program.get(), Err(down));
        if auto_connect {
            program.reconnect();
            program.cloud_says(&[&reply("0", "{}")]);
            assert_eq!(program.get(), Ok(()), "without another call of subscribe");
        }
    }
}

#[test]
fn case_26_another_destination_replaces_the_first() {
    let program = Program::ready(&[&reply("0", "{}")]);
    program.follow("b").unwrap();
    assert_eq!(program.take_subscribes().len(), 2);
    program.diary.take();
    assert_eq!(program.get(), Ok(()));
    assert_eq!(program.diary.take(), [said("b 0", b"{}")]);
}

#[test]
fn case_27_a_question_from_inside_the_handler() {
    let program = Program::new();
    program.cloud_says(&[&reply("0", "{}")]);
    let calls = Arc::new(AtomicUsize::new(0));
    let then: Then = Box::new(move |client| {
        if calls.fetch_add(1, Ordering::Relaxed) < 2 {
            assert_eq!(get::<Named>(client, 5_000), Ok(()));
        }
    });
    subscribe(&program.client, Named { then, ..program.named("a") }, 5_000).unwrap();
    program.diary.take();
    assert_eq!(program.get(), Ok(()));
    assert_eq!(program.diary.take(), vec![said("a 0", b"{}"); 3]);
    assert_eq!(program.questions().len(), 3);
}

#[test]
fn case_27_two_that_wait_at_once_have_a_reply_each() {
    let program = Program::new();
    let first = Arc::new(AtomicUsize::new(0));
    let diary = program.diary.clone();
    // The second question goes out while the first one waits; the first reply is not for it.
    let then: Then = Box::new(move |client| {
        if first.fetch_add(1, Ordering::Relaxed) == 0 {
            assert_eq!(get::<Named>(client, 5_000), Ok(()));
            diary.write("second", b"has it");
        }
    });
    program.cloud_says(&[r#"{"type":"push","payload":1}"#, &reply("0", "2")]);
    subscribe(&program.client, Named { then, ..program.named("a") }, 5_000).unwrap();
    program.diary.take();
    // Longer than a step of driving: the first reply is seen alone.
    program.machine.mqtt.world().latency_ms = 50;
    assert_eq!(program.get(), Ok(()));
    let entry = |text: &[u8]| -> Entry { said("a 0", text) };
    let expected = [entry(b"1"), entry(b"2"), entry(b"1"), entry(b"2"), said("second", b"has it")];
    assert_eq!(program.diary.take(), expected);
}
