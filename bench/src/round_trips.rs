//! How long an update of a shadow and a request to a device (RRPC) take on loopback.

use std::fs;
use std::time::Instant;

use e2e::{Build, Device, HubSetup, Process};
use serde::Deserialize;
use tempfile::TempDir;

use crate::api;
use crate::figures::{Figure, Row, Unit};
use crate::Plan;

const ROUNDS: usize = 501;

/// The line of `bench/c/round_trips.c`.
#[derive(Deserialize)]
struct Said {
    messages: Vec<f64>,
    updates: Vec<f64>,
}

pub fn run(plan: &Plan) -> Vec<Row> {
    let rounds = plan.rounds(ROUNDS);
    let folder = TempDir::new().expect("a temporary folder");
    let home = folder.path().join("device");
    fs::create_dir(&home).expect("the device's folder");
    let device = Device::default();
    device.write_info(&home, Build::Key);
    let hub = HubSetup::new(folder.path(), &device).start();
    let mut command = std::process::Command::new(Build::Key.program("round_trips"));
    command
        .arg(rounds.to_string())
        .current_dir(&home)
        .env("QCLOUD_IOT_MQTT_ENDPOINT", hub.ready("mqtt_psk"))
        .env("QCLOUD_IOT_CA_FILE", hub.ready("ca_file"));
    let process = Process::start("round_trips", &mut command);
    let said: Said = serde_json::from_str(&process.wait_for(&["updates"])).expect("a line of JSON");
    let milliseconds = |values: Vec<f64>| {
        let mut figure = Figure::new(Unit::Milliseconds);
        values.into_iter().for_each(|value| figure.push(value));
        figure
    };
    let (messages, updates) = (milliseconds(said.messages), milliseconds(said.updates));

    let console = hub.ready("console");
    let address = console.strip_prefix("http://").expect("a http:// URL");
    let path = format!("/api/devices/{}", device.client_id());
    let (mut requests, mut looks) = (Figure::new(Unit::Milliseconds), Figure::new(Unit::Milliseconds));
    for _ in 0..rounds {
        let begin = Instant::now();
        let answer = api::post(address, &format!("{path}/rrpc"), r#"{"payload":{"text":"closed"},"timeout_ms":30000}"#);
        requests.push(begin.elapsed().as_secs_f64() * 1e3);
        assert_eq!(answer["state"], "answered", "{answer}");
        let begin = Instant::now();
        assert!(api::get(address, &format!("{path}/shadow"))["version"].is_number());
        looks.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    println!("   shadow {updates}, a message {messages}; RRPC {requests}, a look {looks}");
    vec![
        Row::new("an update of the shadow, there and back (MQTT over PSK)", updates)
            .beside("a message of the device to itself", &messages),
        Row::new("a request to a device (RRPC), from the hub's API to the device and back", requests)
            .beside("a look at the shadow by the same API", &looks),
    ]
}
