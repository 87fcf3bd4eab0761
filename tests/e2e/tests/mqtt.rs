//! The MQTT sample, and connections that are lost while a device waits.

use std::fs;

use e2e::{
    Answer, Authority, Build, Desk, Device, Firmware, Gate, Hub, HubSetup, Mosquitto, Process, ReservedPort, Sample,
    Server,
};
use tempfile::TempDir;

fn talks(build: Build, args: &[&str]) {
    let desk = Desk::new(build, 1000);
    let mut sample = Sample::new(build, "mqtt_sample", &desk.home)
        .endpoint(&desk.endpoint())
        .trusts(&desk.ca_file)
        .args(&["-d", "-n", "3"])
        .args(args)
        .start();
    let finished = desk.finish(&mut sample);
    assert_eq!(finished.code(), 0);
    finished.assert_says(&["3 published, 3 acknowledged, 3 received"]);
    let topic = format!("{}/{}/data", desk.device.product_id, desk.device.name);
    let messages = desk.hub.events_of("message");
    let said: Vec<&str> = messages.iter().filter_map(|event| event["payload"].as_str()).collect();
    let wanted: Vec<String> =
        (1..=3).map(|number| format!(r#"{{"action": "publish_test", "count": "{number}"}}"#)).collect();
    assert_eq!(said, wanted);
    assert!(messages.iter().all(|event| event["topic"] == topic && event["qos"] == 1), "{messages:?}");
    assert_eq!(desk.hub.events_of("unsubscribed").len(), 1);
}

#[test]
fn mqtt_sample_in_key_mode() {
    talks(Build::Key, &[]);
}

#[test]
fn mqtt_sample_with_loop_thread() {
    talks(Build::Key, &["-l"]);
}

#[test]
fn mqtt_sample_without_tls() {
    talks(Build::NoTls, &[]);
}

#[test]
fn mqtt_sample_in_cert_mode() {
    talks(Build::Cert, &[]);
}

#[test]
fn mqtt_sample_with_mosquitto() {
    let folder = TempDir::new().expect("a temporary folder");
    let device = Device::default();
    device.write_info(folder.path(), Build::Key);
    let mosquitto = Mosquitto::start(folder.path(), &device, &Authority::new(folder.path()));
    let mut sample = Sample::new(Build::Key, "mqtt_sample", folder.path())
        .endpoint(&mosquitto.psk_address())
        .args(&["-d", "-n", "3"])
        .start();
    let finished = sample.finish();
    assert_eq!(finished.code(), 0);
    finished.assert_says(&["3 published, 3 acknowledged, 3 received"]);
}

fn upgrade_after_a_drop(args: &[&str]) {
    let mut desk = Desk::with_args(Build::Key, 100_000, |_| Vec::new());
    let mut sample = desk.sample().args(args).start();
    sample.wait_for(&["waiting for an update command"]);
    let before = desk.hub.out().mark();
    desk.hub.say(&format!("drop {}", desk.device.client_id()));
    desk.hub.wait_from(before, "disconnected", |_| true);
    desk.hub.wait_from(before, "connected", |_| true);
    desk.hub.wait_from(before, "subscribed", |event| event["filter"] == desk.device.update_topic());
    sample.wait_for(&["MQTT connection lost"]);
    sample.wait_for(&["MQTT connection is back"]);
    // The sample reports anew, because an order may have got lost meanwhile.
    desk.hub.wait_from(before, "version", |_| true);
    desk.hub.say(&format!("upgrade {}", desk.device.client_id()));
    desk.expect_upgrade(&mut sample);
}

#[test]
fn a_dropped_connection_comes_back() {
    upgrade_after_a_drop(&[]);
}

#[test]
fn a_dropped_connection_comes_back_with_loop_thread() {
    upgrade_after_a_drop(&["-l"]);
}

#[test]
fn a_connection_dropped_in_mid_download_does_no_harm() {
    let gate = Gate::default();
    let held = gate.clone();
    let bytes = Firmware::image(100_000);
    let server = Server::http(move |request| Answer::file(&bytes, request).stall_after(50_000, &held));
    let url = server.url("/firmware");
    let mut desk = Desk::with_url(Build::Key, 100_000, |_| url);
    let mut sample = desk.sample().start();
    sample.wait_for(&["downloaded 50000 of 100000"]);
    let before = desk.hub.out().mark();
    desk.hub.say(&format!("drop {}", desk.device.client_id()));
    desk.hub.wait_from(before, "connected", |_| true);
    gate.open();
    desk.expect_upgrade(&mut sample);
    desk.hub.wait_state("done");
    assert_eq!(server.requests().mark(), 1, "the download went on untouched");
}

/// Fails the test unless the device upgrades when told to.
fn expect_upgrade(hub: &mut Hub, device: &Device, sample: &mut Process) {
    hub.say(&format!("upgrade {}", device.client_id()));
    assert_eq!(sample.finish().code(), 0);
    hub.wait_state("done");
}

#[test]
fn the_hub_restarts_while_a_device_waits() {
    let port = ReservedPort::new();
    let address = port.address();
    let mut desk = Desk::with_args(Build::Key, 100_000, |_| vec!["--mqtt-psk".to_owned(), address.clone()]);
    let mut sample = desk.sample().start();
    sample.wait_for(&["waiting for an update command"]);
    desk.hub.kill();
    sample.wait_for(&["MQTT connection lost"]);
    desk.hub = HubSetup::new(desk.folder.path(), &desk.device)
        .firmware(&desk.firmware)
        .args(&["--mqtt-psk", &address])
        .start();
    // The sample reports anew, because an order may have got lost meanwhile.
    desk.hub.wait("version", |_| true);
    expect_upgrade(&mut desk.hub, &desk.device, &mut sample);
    desk.assert_upgraded();
}

#[test]
fn mosquitto_restarts_while_a_device_waits() {
    let folder = TempDir::new().expect("a temporary folder");
    let home = folder.path().join("device");
    fs::create_dir(&home).expect("the device's folder");
    let device = Device::default();
    device.write_info(&home, Build::Key);
    let firmware = Firmware::new(folder.path(), "2.0.0", 100_000);
    let mut mosquitto = Mosquitto::start(folder.path(), &device, &Authority::new(folder.path()));
    let hub_args = ["--broker", &mosquitto.url()];
    let mut hub = HubSetup::new(folder.path(), &device).firmware(&firmware).args(&hub_args).start();
    let mut sample = Sample::new(Build::Key, "ota_mqtt_sample", &home)
        .endpoint(&mosquitto.psk_address())
        .trusts(hub.ready("ca_file"))
        .args(&["-d", "-n", "1"])
        .start();
    sample.wait_for(&["waiting for an update command"]);
    let before = sample.lines().mark();
    mosquitto.restart();
    sample.wait_from(before, &["MQTT connection is back"]);
    // The version report, which follows the subscription.
    sample.wait_from(before, &["publish", "was acknowledged"]);
    hub.wait("warning", |event| event["text"] == "connected to the broker again");
    expect_upgrade(&mut hub, &device, &mut sample);
    let stored = fs::read(Sample::bin_file(&home, &device, &firmware.version)).expect("the firmware on the device");
    assert!(stored == firmware.bytes);
}
