//! Hubs on somebody else's broker, without one: what a hub had handed out when it died.

mod desk;

use std::sync::{Arc, Mutex, PoisonError};

use rumqttc::mqttbytes::v4::Publish;
use serde_json::Value;

use desk::{hub_on, name, order};
use hub_core::devices::Devices;
use hub_core::hub::{now_ms, Hub};
use hub_core::model::{Page, Scope, State};
use hub_core::ports::store::Store;
use hub_core::ports::{Downlink, LinkFigures, Uplink};

/// A connection to the broker: what was given to it, and the job where it is a command.
#[derive(Default)]
struct Link(Mutex<Vec<(String, Option<i64>)>>);

impl Link {
    fn give(&self, message: &Publish, job: Option<i64>) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((message.topic.clone(), job));
        true
    }

    /// The jobs of the commands that were given to it since the last look.
    fn commands(&self) -> Vec<i64> {
        let given = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        given.into_iter().filter_map(|(_, job)| job).collect()
    }
}

impl Downlink for Link {
    fn send(&self, message: Publish) -> bool {
        self.give(&message, None)
    }

    fn send_command(&self, message: Publish, job: i64) -> bool {
        self.give(&message, Some(job))
    }

    fn pass_on(&self, _message: &Publish) {}

    fn is_shared(&self) -> bool {
        true
    }

    fn is_online(&self, _client_id: &str) -> Option<bool> {
        None
    }

    fn may_repeat(&self) -> bool {
        true
    }

    fn figures(&self) -> LinkFigures {
        LinkFigures::default()
    }

    fn listens(&self, _client_id: &str, _topic: &str) -> bool {
        true
    }

    fn cut(&self, _client_id: &str) -> Result<(), String> {
        Ok(())
    }

    fn forget(&self, _client_id: &str) {}

    fn revoke(&self, _client_id: &str, _is_over: &dyn Fn(&str) -> bool) {}
}

fn say(hub: &Hub, device: &str, what: &Value) {
    let topic = format!("$ota/report/P1/{device}");
    let message = Publish::new(topic, rumqttc::mqttbytes::QoS::AtLeastOnce, what.to_string());
    assert!(hub.device_message(&format!("P1{device}"), &message));
}

#[test]
fn what_a_dead_hub_had_handed_out_another_one_hands_out_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (here, there) = (Arc::new(Link::default()), Arc::new(Link::default()));
    let (one, store) = hub_on(&folder, Some("http://localhost:1"), here.clone());
    let (two, _) = hub_on(&folder, Some("http://localhost:1"), there.clone());
    let list = r#"{"devices":[{"productId":"P1","deviceName":"a"},{"productId":"P1","deviceName":"b"},
        {"productId":"P1","deviceName":"c"}]}"#;
    store.import(&Devices::parse(list).expect("good list")).expect("import");
    let mut upload = one.upload(name("P1", "2.0"), Some(8)).expect("an upload");
    upload.write(b"firmware").expect("room");
    let firmware = upload.finish().expect("an upload");
    one.order_upgrade(order(&firmware, Scope::All)).expect("an order");
    let given = here.commands();
    assert_eq!(given.len(), 3);
    let states = || -> Vec<State> { store.jobs(&given).expect("jobs").iter().map(|job| job.state).collect() };
    // A command that the broker has not is not told.
    assert_eq!(states(), [State::Waiting; 3]);
    one.broker_has(&given[..1]);
    assert_eq!(states(), [State::Sent, State::Waiting, State::Waiting]);

    // As long as its hub lives, nobody else does it, however long the broker takes.
    let begin = now_ms();
    for seconds in [2, 5, 8, 11, 14] {
        two.sweep(begin + seconds * 1000);
        one.sweep(begin + seconds * 1000);
    }
    assert_eq!((here.commands(), there.commands()), (vec![], vec![]));
    // The second device has heard it all the same, and is done before anybody says that the broker had it.
    for (kind, report) in [
        ("report_progress", r#"{"progress":{"state":"done","result_code":"0","result_msg":""},"version":"2.0"}"#),
        ("report_version", r#"{"version":"2.0"}"#),
    ] {
        let report: Value = serde_json::from_str(report).expect("JSON");
        say(&two, "b", &serde_json::json!({ "type": kind, "report": report }));
    }
    // The hub is dead now. Of what it had in its memory, another one tells what is still to be told, once.
    drop(one);
    two.sweep(begin + 25_000);
    assert_eq!(there.commands(), [given[2]]);
    two.sweep(begin + 27_000);
    two.broker_has(&given[2..]);
    two.sweep(begin + 40_000);
    assert_eq!((there.commands(), states()), (vec![], vec![State::Sent, State::Done, State::Sent]));
    let jobs = two.device_jobs("P1b", &Page::first()).expect("jobs").jobs;
    assert_eq!(jobs.len(), 1);
    // A device that has been told and says nothing is told again much later.
    two.sweep(begin + 70_000);
    assert_eq!(there.commands(), [given[0], given[2]]);
}
