//! Hubs and devices on a cluster of brokers that knows no shared subscriptions: RabbitMQ.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use e2e::{Answer, Build, Device, Firmware, Gate, HubSetup, Process, RabbitMq, Sample, Server, Sessions};
use serde_json::Value;
use tempfile::TempDir;

const SIZE: usize = 400_000;
/// Where each download waits.
const HALF: usize = 200_000;
const VERSION: &str = "2.0.0";
const DEVICES: usize = 6;

struct City {
    setup: HubSetup,
    devices: Vec<Device>,
    firmware: Firmware,
    /// Lets the downloads go on.
    gate: Gate,
    brokers: RabbitMq,
    _server: Server,
    folder: TempDir,
}

impl City {
    fn new() -> City {
        let folder = TempDir::new().expect("a temporary folder");
        let model = Device::default();
        let devices: Vec<Device> =
            (0..DEVICES).map(|number| Device { name: format!("dev{number}"), ..model.clone() }).collect();
        let firmware = Firmware::new(folder.path(), VERSION, SIZE);
        let gate = Gate::default();
        let (bytes, held) = (firmware.bytes.clone(), gate.clone());
        let server = Server::http(move |request| Answer::file(&bytes, request).stall_after(HALF, &held));
        let brokers = RabbitMq::cluster(folder.path(), Sessions::Mirrored);
        let first = devices.first().expect("a device");
        let setup = HubSetup::new(folder.path(), first)
            .devices(devices.iter().skip(1).cloned())
            .firmware(&firmware)
            .args(&["--broker", &brokers.url(), "--firmware-url", &server.url("/firmware")]);
        City { setup, devices, firmware, gate, brokers, _server: server, folder }
    }

    fn home(&self, device: &Device) -> PathBuf {
        let home = self.folder.path().join(&device.name);
        fs::create_dir_all(&home).expect("the device's folder");
        device.write_info(&home, Build::NoTls);
        home
    }

    fn sample(&self, device: &Device) -> Process {
        self.program("ota_mqtt_sample", device, &["-d", "-n", "1"])
    }

    fn program(&self, name: &str, device: &Device, args: &[&str]) -> Process {
        Sample::new(Build::NoTls, name, &self.home(device)).endpoint(&self.brokers.address()).args(args).start()
    }

    fn ask(&self, args: &[&str], says: &str) {
        let outcome = self.setup.ask(args);
        assert_eq!(outcome.code(), 0, "{args:?}");
        outcome.assert_says(&[says]);
    }

    /// What else the hub does for devices, each of whom is one or the other hub's.
    fn serves_the_rest(&self) {
        let [one, two, three, four, ..] = self.devices.as_slice() else { panic!("too few devices") };
        let requests = self.program("rrpc_sample", one, &["-l", "1200"]);
        requests.wait_for(&["ready for requests"]);
        self.ask(&["rrpc", &one.client_id(), "open", "--timeout", "30000"], "ok");
        requests.wait_for(&["request of 4 bytes: open"]);

        let broadcasts = self.program("broadcast_sample", two, &["-l", "1200"]);
        broadcasts.wait_for(&["subscribed to broadcasts"]);
        self.ask(&["broadcast", "--product", &two.product_id, "closed", "--qos", "1"], "sent to");
        broadcasts.wait_for(&["broadcast of 6 bytes: closed"]);

        self.ask(&["shadow", "desire", &three.client_id(), r#"{"updateCount":10}"#], "updateCount");
        let shadow = self.program("shadow_sample", three, &["-l", "2"]).finish();
        assert_eq!(shadow.code(), 0, "exit code");
        shadow.assert_says(&["reported: updateCount is 11"]);

        self.ask(&["config", "set", &four.product_id, r#"{"parity":"EVEN"}"#], "");
        let config = self.program("remote_config_mqtt_sample", four, &["-l", "1200"]);
        config.wait_for(&["parity: EVEN"]);
    }

    /// Waits until each device has one job, and its only result is that it is done.
    fn wait_until_done(&self) {
        let watched = self.setup.ask(&["watch", "1"]);
        assert_eq!(watched.code(), 0, "all are done");
        let shown = self.setup.ask(&["upgrade", "show", "1", "--json"]);
        let shown: Value = serde_json::from_str(&shown.lines.concat()).expect("JSON");
        let jobs = shown["jobs"].as_array().expect("jobs");
        let done: BTreeSet<&str> =
            jobs.iter().filter(|job| job["state"] == "done").filter_map(|job| job["client_id"].as_str()).collect();
        assert_eq!((jobs.len(), done.len()), (DEVICES, DEVICES), "{shown}");
    }
}

#[test]
fn a_broker_is_lost_in_mid_upgrade() {
    let mut city = City::new();
    let mut hubs = [city.setup.start(), city.setup.start()];
    // The second hub's connection is what this node has, and a third of the devices'.
    let node = city.brokers.last_used();
    let mut samples: Vec<Process> = city.devices.iter().map(|device| city.sample(device)).collect();
    for sample in &samples {
        sample.wait_for(&["waiting for an update command"]);
    }
    hubs[0].say("upgrade all");
    for sample in &samples {
        sample.wait_for(&[&format!("downloaded {HALF} of")]);
    }
    for hub in &hubs {
        // It has its share of the devices.
        hub.wait("version", |_| true);
    }
    let so_far = hubs[1].out().mark();
    city.brokers.kill(node);
    hubs[1].wait_from(so_far, "warning", |event| said(event, "lost the broker"));
    hubs[1].wait_from(so_far, "warning", |event| said(event, "connected to the broker again"));
    city.gate.open();
    for (device, sample) in city.devices.iter().zip(&mut samples) {
        assert_eq!(sample.finish().code(), 0, "exit code");
        let bin = Sample::bin_file(&city.home(device), device, VERSION);
        assert!(fs::read(bin).expect("the firmware on the device") == city.firmware.bytes);
    }
    let came_back = |sample: &Process| sample.lines().all().iter().any(|line| line.contains("MQTT is connected again"));
    assert!(samples.iter().any(came_back), "a device was on that node");
    // What the samples said last may still be on its way.
    city.wait_until_done();
    for hub in &hubs {
        assert!(hub.events_of("upgrade").iter().all(|event| event["state"] != "fail"), "nothing failed on the way");
    }
    city.serves_the_rest();
}

fn said(event: &Value, words: &str) -> bool {
    event["text"].as_str().is_some_and(|text| text.contains(words))
}
