//! All services on one client (messaging.md section 6, cases 28 and 29).

use std::sync::Arc;

use iot_engine::mqtt::Refusal;

use super::gateway::Gateway;
use super::inbox::{Handler, NotSubscribed};
use super::ota::Ota;
use super::remote_config::{self, Destination, NoReply};
use super::{broadcast, rrpc};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS, Subscriber, SubscriptionEvent};
use crate::drive::testing::program::{said, Diary, Program};

const BROADCAST: &str = "$broadcast/rxd/PRODUCTIDX/device";
const REQUEST: &str = "$rrpc/rxd/PRODUCTIDX/device/469";
const CONFIGURATION: &str = "$config/operation/result/PRODUCTIDX/device";

struct Noted(Diary);

impl Destination for Noted {
    fn room(&self) -> usize {
        64
    }

    fn take(&self, _: &Arc<Client>, _: i32, text: &[u8]) {
        self.0.write("configuration", text);
    }
}

struct Other;

impl Subscriber for Other {
    fn message(&self, _: &Arc<Client>, _: &str, _: &[u8]) {}
    fn event(&self, _: &Arc<Client>, _: SubscriptionEvent) {}
}

impl Program {
    fn noted(&self, name: &'static str) -> Handler {
        let diary = self.diary.clone();
        Box::new(move |_, payload| diary.write(name, payload))
    }

    fn set_all_up(&self) -> [Result<(), NotSubscribed>; 3] {
        [
            broadcast::subscribe(&self.client, self.noted("broadcast")),
            rrpc::subscribe(&self.client, self.noted("request")),
            remote_config::subscribe(&self.client, Noted(self.diary.clone()), 5_000).map(drop),
        ]
    }

    /// Of the program's ten.
    fn fill(&self, count: usize) {
        for number in 0..count {
            self.client.subscribe(&format!("t/{number}"), QoS::AtMostOnce, Arc::new(Other)).unwrap();
            let _ = self.client.yield_for(10);
        }
    }

    fn send_to_all(&self) {
        self.diary.take();
        self.send(BROADCAST, b"1");
        self.send(REQUEST, b"2");
        self.send(CONFIGURATION, br#"{"type":"push","payload":3}"#);
    }
}

#[test]
fn case_28_all_services_share_a_client_and_each_hears_its_own() {
    let program = Program::new();
    let gateway = Gateway::new(program.client.clone()).unwrap();
    let ota = Ota::new("PRODUCTIDX", "device", program.client.clone()).map(Arc::new).unwrap();
    assert_eq!(program.set_all_up(), [Ok(()), Ok(()), Ok(())]);
    program.send_to_all();
    assert_eq!(program.diary.take(), [said("broadcast", b"1"), said("request", b"2"), said("configuration", b"3")]);
    // Those of gateway and upgrades are the library's own.
    program.fill(7);
    let full = Error::Request(Refusal::TooManySubscriptions);
    let eleventh = program.client.subscribe("t", QoS::AtMostOnce, Arc::new(Other));
    assert_eq!(eleventh, Err(full));
    drop((gateway, ota));
}

#[test]
fn case_28_with_ten_others_each_call_is_refused_at_once() {
    let program = Program::new();
    program.fill(10);
    let began = program.machine.ms();
    let full = || Err(NotSubscribed::NotSent(Error::Request(Refusal::TooManySubscriptions)));
    assert_eq!(program.set_all_up(), [full(), full(), full()]);
    assert_eq!(remote_config::get::<Noted>(&program.client, 5_000), Err(NoReply::NotSubscribed));
    assert_eq!(program.machine.ms(), began);
}

#[test]
fn case_29_after_the_end_of_the_client_nobody_is_called_and_nothing_is_held() {
    let program = Program::new();
    assert_eq!(program.set_all_up(), [Ok(()), Ok(()), Ok(())]);
    program.client.destroy();
    program.send_to_all();
    assert_eq!(program.diary.take(), []);
    assert_eq!(Arc::strong_count(&program.client), 1, "somebody still holds the client");
}
