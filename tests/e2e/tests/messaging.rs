//! The samples of broadcast, RRPC and remote configuration as programs, against a broker that plays the cloud
//! (messaging.md).

use std::fs;

use e2e::{publish, Broker, Build, Device, Finished, Packet, Reaction, Sample, PUBACK, PUBLISH, SUBSCRIBE};
use tempfile::TempDir;

/// Runs a sample against a broker with this script.
fn run(
    device: &Device,
    program: &str,
    args: &[&str],
    script: impl Fn(&Packet) -> Reaction + Send + Sync + 'static,
) -> (Finished, Broker) {
    let folder = TempDir::new().expect("a temporary folder");
    fs::write(folder.path().join("device_info.json"), device.info(Build::NoTls)).expect("the device's file");
    let broker = Broker::start(script);
    let sample = Sample::new(Build::NoTls, program, folder.path()).endpoint(&broker.address()).args(args);
    let finished = sample.under_valgrind().start().finish();
    finished.assert_says(&["ERROR SUMMARY: 0 errors"]);
    (finished, broker)
}

/// What follows the fixed headers of the device's packets of one kind, without the packet id in front.
fn bodies(broker: &Broker, kind: u8) -> Vec<Vec<u8>> {
    let packets = broker.packets().all();
    packets.into_iter().filter(|packet| packet.kind == kind).map(|packet| packet.body[2..].to_vec()).collect()
}

/// One filter and its QoS, as a SUBSCRIBE has them.
fn filter(topic: &str, qos: u8) -> Vec<u8> {
    [&(topic.len() as u16).to_be_bytes(), topic.as_bytes(), &[qos]].concat()
}

#[test]
fn the_broadcast_sample_prints_what_is_broadcast_and_acknowledges_it() {
    let device = Device::default();
    let topic = format!("$broadcast/rxd/{}/{}", device.product_id, device.name);
    let down = topic.clone();
    let (finished, broker) = run(&device, "broadcast_sample", &["-l", "1"], move |packet| match packet.kind {
        SUBSCRIBE => Reaction::Also([publish(&down, 1, 7, b"closed"), publish(&down, 0, 0, b"open")].concat()),
        _ => Reaction::Answer,
    });
    assert_eq!(finished.code(), 0);
    for line in ["subscribed to broadcasts", "broadcast of 6 bytes: closed", "broadcast of 4 bytes: open"] {
        finished.assert_says(&[line]);
    }
    assert_eq!(bodies(&broker, SUBSCRIBE), [filter(&topic, 1)]);
    let acknowledged: Vec<u16> =
        broker.packets().all().iter().filter(|packet| packet.kind == PUBACK).map(Packet::id).collect();
    assert_eq!(acknowledged, [7]);
}

#[test]
fn the_rrpc_sample_answers_each_request_at_its_own_id() {
    let device = Device::default();
    let (down, up) = ["rxd", "txd"].map(|way| format!("$rrpc/{way}/{}/{}", device.product_id, device.name)).into();
    let requests = ["12345678", "99", "", "469"].map(|id| publish(&format!("{down}/{id}"), 0, 0, b"closed")).concat();
    let (finished, broker) = run(&device, "rrpc_sample", &["-l", "1"], move |packet| match packet.kind {
        SUBSCRIBE => Reaction::Also(requests.clone()),
        _ => Reaction::Answer,
    });
    assert_eq!(finished.code(), 0);
    for line in ["ready for requests", "request of 6 bytes: closed", "answered with ok"] {
        finished.assert_says(&[line]);
    }
    assert_eq!(bodies(&broker, SUBSCRIBE), [filter(&format!("{down}/+"), 0)]);
    let packets = broker.packets().all();
    let answers = packets.iter().filter(|packet| packet.kind == PUBLISH).map(|packet| (packet.qos(), packet.message()));
    let expected = ["12345678", "99", "469"].map(|id| (0, (format!("{up}/{id}"), None, b"ok".to_vec())));
    assert_eq!(answers.collect::<Vec<_>>(), expected);
}

const CONFIGURATION: &str = r#"{"baud rate":9600,"data bits":8,"stop bit":1,"parity":"NONE","thread sleep":1000}"#;

/// Runs the sample of remote configuration with a cloud that replies with this.
fn configure(reply: String) -> (Finished, Broker, Device) {
    let device = Device::default();
    let down = format!("$config/operation/result/{}/{}", device.product_id, device.name);
    let (finished, broker) = run(&device, "remote_config_mqtt_sample", &[], move |packet| match packet.kind {
        PUBLISH => Reaction::Also(publish(&down, 0, 0, reply.as_bytes())),
        _ => Reaction::Answer,
    });
    let packets = broker.packets().all();
    let questions =
        packets.iter().filter(|packet| packet.kind == PUBLISH).map(|packet| (packet.qos(), packet.message()));
    let up = format!("$config/operation/{}/{}", device.product_id, device.name);
    assert_eq!(questions.collect::<Vec<_>>(), [(0, (up, None, br#"{"type":"get"}"#.to_vec()))]);
    (finished, broker, device)
}

#[test]
fn the_remote_config_sample_asks_and_prints_the_configuration() {
    let reply = format!(r#"{{"type":"reply","result":0,"payload":{CONFIGURATION}}}"#);
    let (finished, broker, device) = configure(reply);
    assert_eq!(finished.code(), 0);
    finished.assert_says(&[&format!("configuration of {} bytes: {CONFIGURATION}", CONFIGURATION.len())]);
    for line in ["subscribed to configurations", "baud rate: 9600", "parity: NONE", "thread sleep: 1000"] {
        finished.assert_says(&[line]);
    }
    let down = format!("$config/operation/result/{}/{}", device.product_id, device.name);
    assert_eq!(bodies(&broker, SUBSCRIBE), [filter(&down, 0)]);
}

#[test]
fn the_remote_config_sample_says_what_the_cloud_has_instead_of_a_configuration() {
    let (finished, _, _) = configure(r#"{"type":"reply","result":1002,"payload":{}}"#.to_owned());
    assert_eq!(finished.code(), 0);
    finished.assert_says(&["no configuration: 1002"]);
}
