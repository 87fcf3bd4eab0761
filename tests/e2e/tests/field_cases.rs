//! What real programs, brokers and publishers do (the cases of issue 12 that are about MQTT): one whole upgrade for each.

use std::time::Duration;

use e2e::{publish, Broker, Device, Field, Packet, Reaction, CONNECT, FIRMWARE_PATH, PUBCOMP, PUBREC, SUBSCRIBE};

// ---- closed_descriptors ----

#[test]
fn closed_descriptors() {
    for closed in ["0<&- 1>&- 2>&-", "1>&-", "1>&- 2>&-", "0<&- 1>&-"] {
        let field = Field::new();
        let server = field.good_server();
        let broker = Broker::orders(&field.device, field.firmware.command(&server.url(FIRMWARE_PATH)).into_bytes());
        let shell = format!(r#"exec "$0" "$@" {closed}"#);
        let mut process = field.sample(&broker).under(&["sh", "-c", &shell]).start();
        let finished = field.expect_upgrade(&broker, &mut process);
        assert!(finished.lines.len() < 400, "{closed}: {} lines", finished.lines.len());
        assert!(broker.packets().all().iter().all(|packet| packet.connection == 1), "{closed}: it connected again");
    }
}

// ---- nested_command ----

#[test]
fn nested_command() {
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    for key in ["url", "version", "md5sum", "file_size", "type", "result_msg"] {
        let field = Field::new();
        let server = field.good_server();
        let good = field.firmware.command(&server.url(FIRMWARE_PATH));
        let mut bad: serde_json::Map<_, _> = serde_json::from_str(&good).expect("our command");
        bad.insert(key.to_owned(), serde_json::from_str(&deep).expect("nested arrays"));
        let bad = serde_json::to_vec(&bad).expect("our command");
        let topic = field.device.update_topic();
        let good = good.into_bytes();
        let broker = Broker::start(move |packet| match packet.says("report_version") {
            true => Reaction::Also([publish(&topic, 1, 1, &bad), publish(&topic, 1, 2, &good)].concat()),
            false => Reaction::Answer,
        });
        let finished = field.sample(&broker).start().finish();
        field.assert_upgraded(&finished);
        let failed = broker.failures(&field.device);
        // `result_msg` is no part of a command, and a message of no type is none.
        let wanted = usize::from(!["type", "result_msg"].contains(&key));
        assert_eq!(failed.len(), wanted, "{key}: {failed:?}");
        for report in failed {
            assert_eq!(report.code, Some(-5));
            assert!(report.text.as_deref().is_some_and(|text| text.contains(key)), "{report:?}");
        }
    }
}

// ---- command_with_nul ----

#[test]
fn command_with_nul() {
    let field = Field::new();
    let server = field.good_server();
    let command = field.firmware.command(&server.url(FIRMWARE_PATH)).into_bytes();
    let notes = String::from_utf8(command.clone()).expect("text").replacen('{', "{\"notes\":\"a\tb\nc\",", 1);
    for (what, command) in [
        ("one NUL", [&command[..], b"\0"].concat()),
        ("three NULs", [&command[..], b"\0\0\0"].concat()),
        ("a byte order mark", [b"\xef\xbb\xbf", &command[..]].concat()),
        ("both", [b"\xef\xbb\xbf", &command[..], b"\0"].concat()),
        ("a tab and a line feed in a text", notes.into_bytes()),
    ] {
        eprintln!("{what}");
        let field = Field::new();
        field.upgrade_by(command);
    }
}

// ---- qos2_message ----

/// The case's own message.
fn hello(device: &Device, id: u16, again: bool) -> Vec<u8> {
    let mut packet = publish(&device.update_topic(), 2, id, br#"{"type":"hello"}"#);
    packet[0] |= if again { 8 } else { 0 };
    packet
}

#[test]
fn qos2_message() {
    let field = Field::new();
    let server = field.good_server();
    let command =
        publish(&field.device.update_topic(), 1, 1, field.firmware.command(&server.url(FIRMWARE_PATH)).as_bytes());
    let device = field.device.clone();
    let broker = Broker::start(move |packet| match packet.kind {
        // Behind it a PUBREL of a message that the device has never had.
        CONNECT => Reaction::Also([hello(&device, 77, false), hello(&device, 77, true), vec![0x62, 2, 0, 99]].concat()),
        _ if packet.says("report_version") => Reaction::Also(command.clone()),
        _ => Reaction::Answer,
    });
    let finished = field.expect_upgrade(&broker, &mut field.sample(&broker).start());
    let packets = broker.packets().all();
    assert!(packets.iter().all(|packet| packet.connection == 1), "it connected again");
    let ids = |kind| packets.iter().filter(|packet| packet.kind == kind).map(Packet::id).collect::<Vec<_>>();
    assert_eq!(ids(PUBREC), [77, 77]);
    assert!(ids(PUBCOMP).contains(&77) && ids(PUBCOMP).contains(&99), "{:?}", ids(PUBCOMP));
    let told = finished.lines.iter().filter(|line| line.contains(r#"topic_msg={"type":"hello"}"#)).count();
    assert_eq!(told, 1, "so often the message was delivered");
}

#[test]
fn command_of_qos_2() {
    let field = Field::new();
    let server = field.good_server();
    let command =
        publish(&field.device.update_topic(), 2, 5, field.firmware.command(&server.url(FIRMWARE_PATH)).as_bytes());
    let broker = Broker::start(move |packet| match packet.says("report_version") {
        true => Reaction::Also(command.clone()),
        false => Reaction::Answer,
    });
    field.expect_upgrade(&broker, &mut field.sample(&broker).start());
}

// ---- reconnect_storm ----

/// The times between the connections of a device that is turned away from the second one on.
fn storm(turn_away: impl Fn(&Packet) -> Option<Reaction> + Send + Sync + 'static) {
    const CONNECTIONS: usize = 5;
    let field = Field::new();
    let broker = Broker::start(move |packet| match turn_away(packet) {
        _ if packet.connection == 1 && packet.says("report_version") => Reaction::AnswerAndClose,
        Some(reaction) if packet.connection > 1 => reaction,
        _ => Reaction::Answer,
    });
    let mut process = field.sample(&broker).args(&["-n", "1"]).start();
    let last = |packet: &Packet| packet.kind == CONNECT && packet.connection == CONNECTIONS;
    broker.packets().wait(0, "the last connection", last);
    process.wait_for(&["closed right after connecting", "another device"]);
    process.kill();
    let times: Vec<_> = broker.packets().all().iter().filter(|p| p.kind == CONNECT).map(|p| p.at).collect();
    let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The first link had proved itself. From then on each wait is twice the one before, some of it at random.
    assert!(waits[1..].windows(2).all(|pair| pair[1] > pair[0] * 5 / 4), "{waits:?}");
}

#[test]
fn reconnect_storm() {
    storm(|packet| (packet.kind == CONNECT).then_some(Reaction::AnswerAndClose));
}

#[test]
fn reconnect_storm_at_subscribe() {
    storm(|packet| (packet.kind == SUBSCRIBE).then_some(Reaction::Close));
}
