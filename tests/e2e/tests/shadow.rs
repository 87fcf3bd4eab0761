//! The shadow sample as a program, against a broker that plays the cloud (shadow.md).

use std::fs;

use e2e::{publish, Broker, Build, Device, Finished, Packet, Reaction, Sample, PUBLISH, SUBSCRIBE};
use tempfile::TempDir;

/// What the cloud answers: somebody wants 10 of what is counted; `results` are those of a get and of an update.
fn cloud(device: &Device, packet: &Packet, results: (i32, i32)) -> Reaction {
    if packet.kind != PUBLISH {
        return Reaction::Answer;
    }
    let (topic, _, payload) = packet.message();
    assert_eq!(topic, format!("$shadow/operation/{}/{}", device.product_id, device.name));
    let text = String::from_utf8_lossy(&payload).into_owned();
    let token = text.split(r#""clientToken":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let (kind, result, state) = if text.starts_with(r#"{"type":"get""#) {
        ("get", results.0, r#"{"reported":{"updateCount":5},"desired":{"updateCount":10},"delta":{"updateCount":10}}"#)
    } else {
        ("update", results.1, "{}")
    };
    let answer = format!(
        r#"{{"clientToken":"{token}","payload":{{"state":{state},"timestamp":1568696289949,"version":5}},"result":{result},"timestamp":1568696341,"type":"{kind}"}}"#
    );
    Reaction::Also(publish(&down(device), 0, 0, answer.as_bytes()))
}

fn down(device: &Device) -> String {
    format!("$shadow/operation/result/{}/{}", device.product_id, device.name)
}

fn run(results: (i32, i32), args: &[&str]) -> (Finished, Vec<Packet>, Device) {
    let device = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("device_info.json"), device.info(Build::NoTls)).expect("the device's file");
    let script = device.clone();
    let broker = Broker::start(move |packet| cloud(&script, packet, results));
    let sample = Sample::new(Build::NoTls, "shadow_sample", folder.path()).endpoint(&broker.address()).args(args);
    let finished = sample.start().finish();
    let packets = broker.packets().all();
    (finished, packets, device)
}

/// What the sample published, in order.
fn published(packets: &[Packet]) -> Vec<String> {
    let messages = packets.iter().filter(|packet| packet.kind == PUBLISH).map(Packet::message);
    messages.map(|(_, _, payload)| String::from_utf8_lossy(&payload).into_owned()).collect()
}

#[test]
fn the_sample_takes_over_what_is_wanted_and_reports() {
    let (finished, packets, device) = run((0, 0), &["-l", "2"]);
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
        let (finished, packets, _) = run(results, &[]);
        assert_eq!(finished.code(), 1);
        finished.assert_says(&[says]);
        assert_eq!(published(&packets).len(), sent);
    }
}
