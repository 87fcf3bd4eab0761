//! The samples of broadcast, RRPC and remote configuration as programs, against a broker that plays the cloud
//! (messaging.md).

use std::fs;

use e2e::{publish, Broker, Build, Device, Finished, Packet, Reaction, Sample, PUBACK, SUBSCRIBE};
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
    (sample.start().finish(), broker)
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
