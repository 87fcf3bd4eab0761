//! Orders in stages to a hundred devices: one stops where too many fail, another one goes through, also over a hub's death.

mod common;

use std::collections::VecDeque;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::console::Console;
use common::{connect_packet, firmware, json, Client, Desk, Hub, PATIENCE, PRODUCT};
use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, Subscribe};
use rumqttc::mqttbytes::QoS;
use serde_json::{json, Value};

const DEVICES: usize = 100;
/// The version that every second device fails at.
const BAD: &str = "2.0";
const GOOD: &str = "3.0";
const PAUSE: Duration = Duration::from_millis(20);

/// What the devices know together.
#[derive(Default)]
struct Fleet {
    /// Where the hub is.
    address: Mutex<String>,
    /// What happened, in order: `told` or `done`, and the version.
    log: Mutex<Vec<(&'static str, String)>>,
    /// Versions that the hub has acknowledged.
    answers: AtomicUsize,
}

impl Fleet {
    fn note(&self, what: &'static str, version: &str) -> usize {
        let mut log = self.log.lock().expect("log");
        log.push((what, version.to_owned()));
        log.iter().filter(|(event, of)| *event == what && of == version).count()
    }

    fn count(&self, what: &str, version: &str) -> usize {
        self.log.lock().expect("log").iter().filter(|(event, of)| *event == what && of == version).count()
    }

    /// A device, which connects again where the hub goes.
    fn live(&self, name: &str) {
        let mut running = "1.0".to_owned();
        loop {
            let address = self.address.lock().expect("address").clone();
            if let Ok(stream) = TcpStream::connect(address) {
                self.session(Client::new(stream), name, &mut running);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// What a device does while its connection lasts.
    fn session(&self, mut client: Client<TcpStream>, name: &str, running: &mut String) -> Option<()> {
        client.try_send(&Packet::Connect(connect_packet(&format!("{PRODUCT}{name}")))).ok()?;
        let mut subscribe = Subscribe::new(format!("$ota/update/{PRODUCT}/{name}"), QoS::AtLeastOnce);
        subscribe.pkid = 1;
        client.try_send(&Packet::Subscribe(subscribe)).ok()?;
        let mut reports = VecDeque::from([version(running)]);
        let mut acknowledged = true;
        loop {
            match client.receive()? {
                Packet::Publish(publish) => {
                    client.try_send(&Packet::PubAck(PubAck::new(publish.pkid))).ok()?;
                    let message = json(&publish.payload);
                    if message["type"] == "update_firmware" && message["version"] != *running {
                        reports.extend(self.upgrade(message["version"].as_str().expect("a version"), running));
                    }
                }
                Packet::PubAck(_) => {
                    self.answers.fetch_add(1, Ordering::Relaxed);
                    acknowledged = true;
                }
                _ => {}
            }
            if let Some(report) = reports.pop_front().filter(|_| acknowledged) {
                let mut publish = Publish::new(format!("$ota/report/{PRODUCT}/{name}"), QoS::AtLeastOnce, report);
                publish.pkid = 2;
                client.try_send(&Packet::Publish(publish)).ok()?;
                acknowledged = false;
            }
        }
    }

    /// What a device says that is told to upgrade.
    fn upgrade(&self, to: &str, running: &mut String) -> Vec<String> {
        let nth = self.note("told", to);
        if to == BAD && nth % 2 == 0 {
            return vec![progress("downloading", to), progress("fail", to)];
        }
        self.note("done", to);
        to.clone_into(running);
        vec![progress("downloading", to), progress("done", to), version(to)]
    }
}

fn version(version: &str) -> String {
    json!({ "type": "report_version", "report": { "version": version } }).to_string()
}

fn progress(state: &str, version: &str) -> String {
    let progress = json!({ "state": state, "percent": "50", "result_code": "-4", "result_msg": "" });
    json!({ "type": "report_progress", "report": { "progress": progress, "version": version } }).to_string()
}

fn start(desk: &Desk, fleet: &Fleet) -> (Hub, Console) {
    let hub = desk.start_plain(&["--state", "state", "--scheme", "http"]);
    hub.text("mqtt").clone_into(&mut fleet.address.lock().expect("address"));
    let console = Console::of(&hub);
    (hub, console)
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE * 2;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(PAUSE);
    }
}

fn order(console: &Console, version: &str, roll_out: &Value) -> String {
    let firmware = console.upload(&format!("product_id={PRODUCT}&version={version}"), &firmware()).good(201);
    let order = json!({ "firmware_id": firmware["id"], "scope": "all", "roll_out": roll_out });
    format!("/api/upgrades/{}", console.post("/api/upgrades", &order).good(201)["id"])
}

fn show(console: &Console, order: &str) -> Value {
    console.get(&format!("{order}?limit=1")).good(200)["upgrade"].clone()
}

#[test]
fn a_bad_firmware_stops_in_its_first_stage_and_a_good_one_goes_through_all() {
    let names: Vec<String> = (0..DEVICES).map(|n| format!("d{n:02}")).collect();
    let desk = Desk::with_devices(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let fleet = Arc::new(Fleet::default());
    let (hub, console) = start(&desk, &fleet);
    for name in names {
        let fleet = fleet.clone();
        std::thread::spawn(move || fleet.live(&name));
    }
    wait("all devices are there", || fleet.answers.load(Ordering::Relaxed) >= DEVICES);

    let careful = json!({ "stages": [10, 50, 100], "advance_at": 100, "stop_at_failures": 20 });
    let bad = order(&console, BAD, &careful);
    wait("the order stops", || !show(&console, &bad)["roll_out"]["stopped"].is_null());
    hub.event("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("has stopped")));
    let stopped = |console: &Console| {
        let upgrade = show(console, &bad);
        let (roll_out, counts) = (&upgrade["roll_out"], &upgrade["counts"]);
        assert_eq!(
            (&roll_out["stage"], &roll_out["stopped"]["failed"], &roll_out["stopped"]["ended"]),
            (&1.into(), &5.into(), &10.into())
        );
        assert_eq!((&counts["waiting"], &counts["failed"], &counts["done"]), (&90.into(), &5.into(), &5.into()));
    };
    stopped(&console);
    // Another hub finds it so, and devices that report to it are not told either.
    let before = fleet.answers.load(Ordering::Relaxed);
    drop(hub);
    let (hub, console) = start(&desk, &fleet);
    wait("all devices are back", || fleet.answers.load(Ordering::Relaxed) >= before + DEVICES);
    stopped(&console);
    assert_eq!(fleet.count("told", BAD), 10);
    console.post(&format!("{bad}/next"), &json!({})).refusal(409);
    console.post(&format!("{bad}/cancel"), &json!({})).good(200);

    let good = order(&console, GOOD, &json!({ "stages": [1, 10, 100], "stop_at_failures": 5 }));
    wait("the second stage begins", || fleet.count("told", GOOD) > 1);
    drop(hub);
    let (hub, console) = start(&desk, &fleet);
    wait("the last stage begins", || fleet.count("told", GOOD) > 20);
    drop(hub);
    let (_hub, console_after) = start(&desk, &fleet);
    drop(console);
    wait("all are done", || show(&console_after, &good)["counts"]["done"] == DEVICES);
    let upgrade = show(&console_after, &good);
    assert_eq!((&upgrade["roll_out"]["stage"], &upgrade["roll_out"]["stopped"]), (&3.into(), &Value::Null));
    // Nobody was told before the stage before was done, or nearly.
    let log = fleet.log.lock().expect("log").clone();
    let of_good: Vec<&str> = log.iter().filter(|(_, version)| version == GOOD).map(|(what, _)| *what).collect();
    let done_before = |nth: usize| {
        let told = of_good.iter().enumerate().filter(|(_, what)| **what == "told").nth(nth);
        let (place, _) = told.expect("so many were told");
        of_good[..place].iter().filter(|what| **what == "done").count()
    };
    assert!(done_before(1) == 1 && done_before(10) >= 9, "{of_good:?}");
}
