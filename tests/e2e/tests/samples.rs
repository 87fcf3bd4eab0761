//! Samples as programs, against a broker that plays the cloud: a door, the second air conditioner, several threads on one
//! client, and several clients in one program.

use std::fs;

use e2e::{publish, Broker, Build, Device, Finished, Packet, Reaction, Sample, PUBLISH, SUBSCRIBE};
use tempfile::TempDir;

/// A broker that sends each message back to whoever published it.
fn echo(packet: &Packet) -> Reaction {
    if packet.kind != PUBLISH {
        return Reaction::Answer;
    }
    let (topic, _, payload) = packet.message();
    Reaction::Also(publish(&topic, 0, 0, &payload))
}

fn folder(device: &Device) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("device_info.json"), device.info(Build::NoTls)).expect("the device's file");
    folder
}

fn run(program: &'static str, folder: &TempDir, broker: &Broker, args: &[&str]) -> Finished {
    let sample = Sample::new(Build::NoTls, program, folder.path()).endpoint(&broker.address());
    let finished = sample.args(args).under_valgrind().start().finish();
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    finished
}

fn published(packets: &[Packet]) -> Vec<(String, String)> {
    let messages = packets.iter().filter(|packet| packet.kind == PUBLISH).map(Packet::message);
    messages.map(|(topic, _, payload)| (topic, String::from_utf8_lossy(&payload).into_owned())).collect()
}

#[test]
fn the_door_tells_who_comes_and_goes() {
    for (args, action, target) in
        [(&[][..], "come_home", "air_conditioner"), (&["-a", "leave_home", "-t", "ac2"], "leave_home", "ac2")]
    {
        let device = Device::default();
        let broker = Broker::start(|_| Reaction::Answer);
        let finished = run("door_mqtt_sample", &folder(&device), &broker, args);
        assert_eq!(finished.code(), 0);
        finished.assert_says(&[&format!("told {target}: {action}")]);
        let topic = format!("{}/{}/event", device.product_id, device.name);
        let message = format!(r#"{{"action": "{action}", "targetDevice": "{target}"}}"#);
        assert_eq!(published(&broker.packets().all()), [(topic, message)]);
    }
}

#[test]
fn a_door_that_is_not_understood_says_how_it_is_used() {
    let broker = Broker::start(|_| Reaction::Answer);
    let finished = run("door_mqtt_sample", &folder(&Device::default()), &broker, &["-a", "burn_down"]);
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["come_home (default) or leave_home"]);
    assert!(broker.packets().all().is_empty());
}

#[test]
fn several_threads_share_a_client() {
    let device = Device::default();
    let broker = Broker::start(echo);
    let finished = run("multi_thread_mqtt_sample", &folder(&device), &broker, &["-t", "4"]);
    assert_eq!(finished.code(), 0);
    finished.assert_says(&["4 threads: 20 published, 20 acknowledged, 20 received"]);
    let packets = broker.packets().all();
    let data = format!("{}/{}/data", device.product_id, device.name);
    assert_eq!(published(&packets).iter().filter(|(topic, _)| *topic == data).count(), 20);
    // One to data, three to the other topic.
    assert_eq!(packets.iter().filter(|packet| packet.kind == SUBSCRIBE).count(), 4);
}

#[test]
fn several_devices_in_one_program_have_a_client_each() {
    let folder = TempDir::new().expect("a temporary folder");
    let devices = ["dev1", "dev2", "dev3"].map(|name| Device { name: name.to_owned(), ..Device::default() });
    for device in &devices {
        fs::write(folder.path().join(&device.name), device.info(Build::NoTls)).expect("the device's file");
    }
    let broker = Broker::start(echo);
    let finished = run("multi_client_mqtt_sample", &folder, &broker, &["dev1", "dev2", "dev3"]);
    assert_eq!(finished.code(), 0);
    let messages = published(&broker.packets().all());
    for device in &devices {
        finished.assert_says(&[&format!("{}: 3 of 3 messages came back", device.name)]);
        let topic = format!("{}/{}/data", device.product_id, device.name);
        let own: Vec<_> = messages.iter().filter(|(known, _)| *known == topic).map(|(_, text)| text.as_str()).collect();
        assert_eq!(own, [r#"{"count": "1"}"#, r#"{"count": "2"}"#, r#"{"count": "3"}"#]);
    }
}

/// The cloud's reply to a request of the shadow.
fn shadow_reply(device: &Device, packet: &Packet) -> Reaction {
    if packet.kind != PUBLISH {
        return Reaction::Answer;
    }
    let (_, _, payload) = packet.message();
    let text = String::from_utf8_lossy(&payload).into_owned();
    let token = text.split(r#""clientToken":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let is_get = text.starts_with(r#"{"type":"get""#);
    let (kind, state) = match is_get {
        true => ("get", r#"{"desired":{"temperatureDesire":22.5},"delta":{"temperatureDesire":22.5}}"#),
        false => ("update", "{}"),
    };
    let answer = format!(
        r#"{{"clientToken":"{token}","payload":{{"state":{state},"timestamp":1568696289949,"version":5}},"result":0,"timestamp":1568696341,"type":"{kind}"}}"#
    );
    let down = format!("$shadow/operation/result/{}/{}", device.product_id, device.name);
    let mut bytes = publish(&down, 0, 0, answer.as_bytes());
    if text.contains(r#""temperatureDesire":22.5"#) && text.contains(r#""temperature":21"#) {
        let control = format!("{}/{}/control", device.product_id, device.name);
        bytes.extend(publish(&control, 1, 7, br#"{"action":"leave_home"}"#));
    }
    Reaction::Also(bytes)
}

#[test]
fn the_second_air_conditioner_follows_what_is_desired_until_everybody_has_left() {
    let device = Device::default();
    let script = device.clone();
    let broker = Broker::start(move |packet| shadow_reply(&script, packet));
    let finished = run("aircond_shadow_sample_v2", &folder(&device), &broker, &["-l", "3"]);
    assert_eq!(finished.code(), 0);
    finished.assert_says(&[r#"desired: {"temperatureDesire":22.5}"#]);
    finished.assert_says(&["leave_home: switched off"]);
    finished.assert_says(&["reported: wanted 22.5, room 21.0"]);
    let update = |state: &str, number: u32| {
        format!(r#"{{"type":"update", "state":{state}, "clientToken":"{}-{number}"}}"#, device.product_id)
    };
    let report = r#"{"reported":{"temperatureDesire":22.500000,"temperature":21.000000}}"#;
    let texts: Vec<_> = published(&broker.packets().all()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts[1..],
        [update(r#"{"desired": null}"#, 1), update(report, 2), update(report, 3), update(report, 4)]
    );
}
