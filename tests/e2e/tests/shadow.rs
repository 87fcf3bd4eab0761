//! The samples of the shadow as programs, against a broker that plays the cloud (shadow.md).

use std::fs;

use e2e::{publish, Broker, Build, Device, Finished, Packet, Reaction, Sample, PUBLISH, SUBSCRIBE};
use tempfile::TempDir;

/// What the cloud says of a request: its result, and the state that it tells.
type Answer = (i32, &'static str);

/// The cloud's reply to a request of the device; `None` for other packets.
fn reply(device: &Device, packet: &Packet, get: Answer, update: Answer) -> Option<Vec<u8>> {
    if packet.kind != PUBLISH {
        return None;
    }
    let (topic, _, payload) = packet.message();
    assert_eq!(topic, format!("$shadow/operation/{}/{}", device.product_id, device.name));
    let text = String::from_utf8_lossy(&payload).into_owned();
    let token = text.split(r#""clientToken":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let is_get = text.starts_with(r#"{"type":"get""#);
    let (kind, (result, state)) = if is_get { ("get", get) } else { ("update", update) };
    let answer = format!(
        r#"{{"clientToken":"{token}","payload":{{"state":{state},"timestamp":1568696289949,"version":5}},"result":{result},"timestamp":1568696341,"type":"{kind}"}}"#
    );
    let down = format!("$shadow/operation/result/{}/{}", device.product_id, device.name);
    Some(publish(&down, 0, 0, answer.as_bytes()))
}

/// Runs a sample under valgrind, against a cloud that reacts as `react` says.
fn run(
    program: &'static str,
    args: &[&str],
    react: impl Fn(&Device, &Packet) -> Reaction + Send + Sync + 'static,
) -> (Finished, Vec<Packet>, Device) {
    let device = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("device_info.json"), device.info(Build::NoTls)).expect("the device's file");
    let script = device.clone();
    let broker = Broker::start(move |packet| react(&script, packet));
    let sample = Sample::new(Build::NoTls, program, folder.path()).endpoint(&broker.address());
    let finished = sample.args(args).under_valgrind().start().finish();
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    let packets = broker.packets().all();
    (finished, packets, device)
}

/// Somebody wants 10 of what is counted.
const COUNT: &str = r#"{"reported":{"updateCount":5},"desired":{"updateCount":10},"delta":{"updateCount":10}}"#;

fn run_counter(results: (i32, i32), args: &[&str]) -> (Finished, Vec<Packet>, Device) {
    run("shadow_sample", args, move |device, packet| {
        reply(device, packet, (results.0, COUNT), (results.1, "{}")).map_or(Reaction::Answer, Reaction::Also)
    })
}

/// What the sample published, in order.
fn published(packets: &[Packet]) -> Vec<String> {
    let messages = packets.iter().filter(|packet| packet.kind == PUBLISH).map(Packet::message);
    messages.map(|(_, _, payload)| String::from_utf8_lossy(&payload).into_owned()).collect()
}

#[test]
fn the_sample_takes_over_what_is_wanted_and_reports() {
    takes_over_and_reports(&["-l", "2"]);
}

#[test]
fn with_the_loop_thread_it_does_the_same() {
    takes_over_and_reports(&["-l", "2", "-t"]);
}

#[track_caller]
fn takes_over_and_reports(args: &[&str]) {
    let (finished, packets, device) = run_counter((0, 0), args);
    assert_eq!(finished.code(), 0);
    finished.assert_says(&[r#"wanted: {"updateCount":10}"#]);
    finished.assert_says(&["clearing what was desired: accepted"]);
    finished.assert_says(&["reported: updateCount is 10"]);
    finished.assert_says(&["reported: updateCount is 11"]);

    let token = |number: u32| format!("{}-{number}", device.product_id);
    assert_eq!(
        published(&packets),
        [
            format!(r#"{{"type":"get", "clientToken":"{}"}}"#, token(0)),
            format!(r#"{{"type":"update", "state":{{"desired": null}}, "clientToken":"{}"}}"#, token(1)),
            format!(
                r#"{{"type":"update", "state":{{"reported":{{"updateCount":10}}}}, "clientToken":"{}"}}"#,
                token(2)
            ),
            format!(
                r#"{{"type":"update", "state":{{"reported":{{"updateCount":11}}}}, "clientToken":"{}"}}"#,
                token(3)
            ),
        ]
    );
    assert_eq!(packets.iter().filter(|packet| packet.kind == SUBSCRIBE).count(), 1);
}

#[test]
fn what_the_cloud_refuses_ends_the_sample() {
    for (results, says, sent) in
        [((5000, 0), "no document of the cloud: -206", 1), ((0, 5005), "updateCount could not be reported: -204", 3)]
    {
        let (finished, packets, _) = run_counter(results, &[]);
        assert_eq!(finished.code(), 1);
        finished.assert_says(&[says]);
        assert_eq!(published(&packets).len(), sent);
    }
}

#[test]
fn the_air_conditioner_follows_what_is_desired_and_is_switched_off() {
    const DESIRED: &str = r#"{"reported":{},"desired":{"temperatureDesire":22.5},"delta":{"temperatureDesire":22.5}}"#;
    let (finished, packets, device) = run("aircond_shadow_sample", &["-l", "3"], |device, packet| {
        let Some(reply) = reply(device, packet, (0, DESIRED), (0, "{}")) else {
            return Reaction::Answer;
        };
        let (_, _, payload) = packet.message();
        // With the reply to the first report.
        let is_first = String::from_utf8_lossy(&payload).contains("temperatureDesire");
        let control = format!("{}/{}/control", device.product_id, device.name);
        let off = publish(&control, 1, 7, br#"{"action":"off"}"#);
        Reaction::Also(if is_first { [reply, off].concat() } else { reply })
    });
    assert_eq!(finished.code(), 0);
    finished.assert_says(&[r#"desired: {"temperatureDesire":22.5}"#]);
    finished.assert_says(&["switched off"]);

    let update = |state: &str, number: u32| {
        format!(r#"{{"type":"update", "state":{state}, "clientToken":"{}-{number}"}}"#, device.product_id)
    };
    let room = r#"{"reported":{"temperature":21.000000}}"#;
    assert_eq!(
        published(&packets)[1..],
        [
            update(r#"{"reported":{"temperatureDesire":22.500000,"temperature":21.000000},"desired": null}"#, 1),
            update(room, 2),
            update(room, 3),
        ]
    );
}

/// shadow.md section 12, case 25.
#[test]
fn three_devices_in_three_threads_do_not_mind_each_other() {
    let folder = TempDir::new().expect("a temporary folder");
    let devices = ["dev1", "dev2", "dev3"].map(|name| Device { name: name.to_owned(), ..Device::default() });
    for device in &devices {
        fs::write(folder.path().join(&device.name), device.info(Build::NoTls)).expect("the device's file");
    }
    let script = devices.clone();
    let broker = Broker::start(move |packet| {
        let named = |device: &&Device| packet.kind == PUBLISH && packet.message().0.ends_with(&device.name);
        let answer = script.iter().find(named).and_then(|device| reply(device, packet, (0, "{}"), (0, "{}")));
        answer.map_or(Reaction::Answer, Reaction::Also)
    });
    let sample = Sample::new(Build::NoTls, "multi_client_shadow_sample", folder.path()).endpoint(&broker.address());
    let finished = sample.args(&["dev1", "dev2", "dev3"]).under_valgrind().start().finish();
    assert_eq!(finished.code(), 0);
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    let packets = broker.packets().all();
    for device in &devices {
        finished.assert_says(&[&format!("{} reported 3", device.name)]);
        let sent = |packet: &&Packet| packet.kind == PUBLISH && packet.message().0.ends_with(&device.name);
        let texts = published(&packets.iter().filter(sent).cloned().collect::<Vec<_>>());
        let token = |number: u32| format!("{}-{number}", device.product_id);
        assert_eq!(texts[0], format!(r#"{{"type":"get", "clientToken":"{}"}}"#, token(0)));
        for (index, text) in (1..4).zip(&texts[1..]) {
            let state = format!(r#"{{"reported":{{"updateCount":{index}}}}}"#);
            let update = format!(r#"{{"type":"update", "state":{state}, "clientToken":"{}"}}"#, token(index));
            assert_eq!(*text, update);
        }
        assert_eq!(texts.len(), 4);
    }
}
