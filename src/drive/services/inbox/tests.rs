use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::testing::program::{Diary, Program};
use crate::drive::testing::Grant;

const TOPIC: &str = "t/device";

/// One with a name.
struct Named(&'static str, Diary);

impl Receiver for Named {
    fn message(&self, _: &Arc<Client>, _: &str, payload: &[u8]) {
        self.1.write(self.0, payload);
    }
}

fn ask_as(program: &Program, name: &'static str) -> Result<u16, NotSubscribed> {
    let receiver = Arc::new(Named(name, program.diary.clone()));
    subscribe(&program.client, TOPIC, QoS::AtMostOnce, receiver, 1_000)
}

/// Who gets a message now.
fn heir(program: &Program) -> Vec<String> {
    program.diary.take();
    program.send(TOPIC, b"x");
    program.diary.take().into_iter().map(|(who, _)| who).collect()
}

#[test]
fn a_receiver_takes_over_once_the_server_has_granted_it() {
    let program = Program::new();
    ask_as(&program, "first").unwrap();
    program.grants(&[Grant::Silent]);
    assert_eq!(ask_as(&program, "second"), Err(NotSubscribed::TimedOut));
    assert_eq!(heir(&program), ["first"]);
    let id = program.take_subscribes().pop().unwrap().0;
    program.send_suback(id);
    assert_eq!(heir(&program), ["second"]);
}

#[test]
fn the_receiver_of_a_call_that_failed_gets_nothing_later_either() {
    let program = Program::new();
    ask_as(&program, "first").unwrap();
    program.grants(&[Grant::Refused]);
    assert_eq!(ask_as(&program, "second"), Err(NotSubscribed::Refused));
    assert_eq!(heir(&program), ["first"]);

    program.grants(&[Grant::Silent]);
    program.cut_at(|packet| matches!(packet, Packet::Subscribe(_)));
    assert_eq!(ask_as(&program, "third"), Err(NotSubscribed::LinkLost(Error::Reconnecting)));
    program.reconnect();
    assert_eq!(heir(&program), ["first"]);
}

#[test]
fn a_first_call_that_lost_its_link_leaves_nothing_behind() {
    let program = Program::new();
    program.cut_at(|packet| matches!(packet, Packet::Subscribe(_)));
    program.grants(&[Grant::Silent]);
    assert_eq!(ask_as(&program, "first"), Err(NotSubscribed::LinkLost(Error::Reconnecting)));
    program.take_subscribes();
    program.reconnect();
    assert_eq!(program.take_subscribes(), []);
    assert_eq!(heir(&program), ["global"]);
    ask_as(&program, "second").unwrap();
    assert_eq!(heir(&program), ["second"]);
}

#[test]
fn the_end_of_the_clients_time_out_ends_the_wait() {
    let program = Program::new();
    program.grants(&[Grant::Silent]);
    let receiver = Arc::new(Named("first", program.diary.clone()));
    let result = subscribe(&program.client, TOPIC, QoS::AtMostOnce, receiver, 7_000);
    assert_eq!(result, Err(NotSubscribed::GivenUp));
    assert_eq!(heir(&program), ["global"]);
}

#[test]
fn without_auto_connect_a_lost_link_is_down_for_good() {
    let program = Program::with_auto_connect(false);
    program.cut_at(|packet| matches!(packet, Packet::Subscribe(_)));
    program.grants(&[Grant::Silent]);
    assert_eq!(ask_as(&program, "first"), Err(NotSubscribed::LinkLost(Error::NotConnected)));
}

#[test]
fn a_destroyed_client_calls_nobody() {
    let program = Program::new();
    ask_as(&program, "first").unwrap();
    let inbox = Inbox::<Named>::find(&program.client, TOPIC).unwrap();
    program.client.destroy();
    program.diary.take();
    // A message that was on its way to the receiver on another thread.
    Inlet(inbox).message(&program.client, TOPIC, b"x");
    assert_eq!(program.diary.take(), []);
    assert!(ask_as(&program, "second").is_err());
}

#[test]
fn a_link_that_was_made_again_meanwhile_was_lost() {
    let program = Program::new();
    let reconnects = program.client.reconnects();
    assert_eq!(program.client.link_lost(reconnects), None);
    program.cut();
    assert_eq!(program.client.link_lost(reconnects), Some(Error::Reconnecting));
    program.reconnect();
    assert_eq!(program.client.link_lost(reconnects), Some(Error::Reconnecting));
    assert_eq!(program.client.link_lost(program.client.reconnects()), None);
}
