//! The broker and the OTA service behind it, seen from a device.

mod common;

use std::io::Write;
use std::process::Command;

use common::{connect_packet, device, json, user_name, Client, Desk, Hub, CERT, ONE, PATIENCE, TWO};
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use rumqttc::{AsyncClient, Event, MqttOptions, QoS};
use serde_json::Value;

const UPDATE: &str = "$ota/update/ABCDEFGHIJ/one";
const REPORT: &str = "$ota/report/ABCDEFGHIJ/one";

fn version(version: &str) -> String {
    format!(r#"{{"type": "report_version", "report":{{"version":"{version}"}}}}"#)
}

fn progress(state: &str) -> String {
    format!(
        r#"{{"type": "report_progress", "report":{{"progress":{{"state":"{state}", "result_code":"0", "result_msg":""}}, "version":"2.0"}}}}"#
    )
}

/// The next message to an asynchronous client.
async fn next_message(events: &mut rumqttc::EventLoop) -> Value {
    loop {
        let event = tokio::time::timeout(PATIENCE, events.poll()).await.expect("in time").expect("connection");
        if let Event::Incoming(Packet::Publish(message)) = event {
            assert_eq!(message.topic, UPDATE);
            assert_eq!(message.qos, QoS::AtLeastOnce);
            return json(&message.payload);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_upgrades_and_the_hub_ends() {
    let desk = Desk::with_devices(&["one"]);
    let mut hub = desk.start(&["--upgrade-on-report", "--exit-when-done", "--ready-file", "ready.json"]);
    assert_eq!(json(&std::fs::read(desk.path("ready.json")).expect("ready file"))["mqtt"], hub.ready["mqtt"]);

    let (host, port) = hub.text("mqtt").split_once(':').expect("host:port");
    let mut options = MqttOptions::new(ONE, host, port.parse().expect("port"));
    let name = user_name(ONE);
    options.set_credentials(name.clone(), common::password(common::KEY, &name));
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe(UPDATE, QoS::AtLeastOnce).await.expect("subscribe");
    client.publish(REPORT, QoS::AtLeastOnce, false, version("1.0")).await.expect("publish");
    let answer = next_message(&mut events).await;
    assert_eq!((&answer["type"], &answer["version"]), (&Value::from("report_version_rsp"), &Value::from("1.0")));
    let command = next_message(&mut events).await;
    assert_eq!(command["type"], "update_firmware");
    // Signed anew for each command: the same file, perhaps a second later.
    let path = |url: &Value| url.as_str().and_then(|url| url.split_once('?')).map(|(path, _)| path.to_owned());
    assert!(path(&command["url"]).is_some_and(|path| path.starts_with("https://localhost:")));
    assert_eq!(path(&command["url"]), path(&hub.ready["firmware_url"]));
    assert_eq!(command["md5sum"], hub.ready["md5"]);
    assert_eq!(command["file_size"], common::firmware().len());

    let connected = hub.event("connected", |_| true);
    assert_eq!((&connected["client_id"], &connected["listener"]), (&Value::from(ONE), &Value::from("tcp")));
    assert_eq!(connected["username"], name.as_str());
    assert_eq!(hub.event("subscribed", |_| true)["filter"], UPDATE);
    assert_eq!(hub.event("message", |_| true)["payload"], version("1.0"));

    client.publish(REPORT, QoS::AtLeastOnce, false, progress("done")).await.expect("publish");
    tokio::spawn(async move { while events.poll().await.is_ok() {} });
    assert_eq!(hub.event("upgrade", |_| true)["state"], "done");
    assert_eq!(hub.exit_code(), Some(0));
}

#[test]
fn one_failure_ends_the_hub_with_1() {
    let desk = Desk::new();
    let mut hub = desk.start(&["--exit-when-done"]);
    device(&hub, ONE).publish(REPORT, &progress("fail"));
    assert_eq!(hub.exit_code(), Some(1));
}

#[test]
fn the_wrong_are_refused() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let mut wrong_password = connect_packet(ONE);
    wrong_password.set_login(user_name(ONE), "00;hmacsha1");
    let mut without_secret = Connect::new(CERT);
    without_secret.set_login(user_name(CERT), "");
    for (connect, code) in
        [(wrong_password, 4), (Connect::new(ONE), 4), (connect_packet("ABCDEFGHIJnobody"), 2), (without_secret, 5)]
    {
        let mut client = Client::new(hub.connect());
        let id = connect.client_id.clone();
        assert_eq!(client.connect(connect).code as u8, code);
        assert_eq!(client.receive(), None);
        let refused = hub.event("refused", |_| true);
        assert_eq!(refused["client_id"], id);
        assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains(&format!("CONNACK {code}"))));
    }
    let mut other_version = Client::new(hub.connect());
    other_version.stream.write_all(b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02ab").expect("send");
    assert!(matches!(other_version.receive(), Some(Packet::ConnAck(ack)) if ack.code as u8 == 1));
    assert_eq!(other_version.receive(), None);
}

#[test]
fn malformed_packets_cost_only_their_connection() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let mut witness = device(&hub, TWO);
    for bytes in [
        &b"\x82\x05\x00\x01\x00\x09a"[..],
        b"\x80\x06\x00\x01\x00\x01a\x00",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x04\x00\x02\xff\xfe",
        b"\x30\x05\x00\x03a/+",
        b"\x34\x05\x00\x01a\x00\x01",
        b"\xf0\x00",
        b"\x20\x02\x00\x00",
    ] {
        let mut client = device(&hub, ONE);
        client.stream.write_all(bytes).expect("send");
        assert_eq!(client.receive(), None, "{bytes:x?}");
        assert_eq!(hub.event("disconnected", |_| true)["clean"], false);
    }
    let mut stranger = Client::new(hub.connect());
    stranger.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("send");
    assert_eq!(stranger.receive(), None);
    witness.send(&Packet::PingReq);
    assert_eq!(witness.receive(), Some(Packet::PingResp));
}

#[test]
fn messages_reach_other_devices_and_the_time_is_told() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let (mut one, mut two) = (device(&hub, ONE), device(&hub, TWO));
    two.subscribe("a/b");
    one.publish(REPORT, "not a report");
    assert_eq!(hub.event("warning", |_| true)["client_id"], ONE);
    one.publish("b", "x");
    one.publish("a/b", "y");
    let message = two.message();
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("a/b", &b"y"[..]));

    one.subscribe("$sys/operation/result/ABCDEFGHIJ/one");
    one.publish("$sys/operation/ABCDEFGHIJ/one", r#"{"type": "get", "resource": ["time"]}"#);
    let answer = json(&one.message().payload);
    assert_eq!(answer["type"], "get");
    assert_eq!(answer["time"].as_u64(), answer["ntptime1"].as_u64().map(|ms| ms / 1000));
}

#[test]
fn a_second_connection_takes_the_session_over() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let mut first = device(&hub, ONE);
    let mut second = device(&hub, ONE);
    assert_eq!(first.receive(), None);
    second.send(&Packet::PingReq);
    assert_eq!(second.receive(), Some(Packet::PingResp));
    second.send(&Packet::Disconnect);
    assert_eq!(hub.event("disconnected", |event| event["clean"] == true)["client_id"], ONE);
}

#[test]
fn silence_beyond_the_keep_alive_ends_a_connection() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let mut client = Client::new(hub.connect());
    let mut connect = connect_packet(ONE);
    connect.keep_alive = 1;
    client.connect(connect);
    assert_eq!(client.receive(), None);
    let reason = hub.event("disconnected", |_| true);
    assert!(reason["reason"].as_str().is_some_and(|reason| reason.contains("keep-alive")));
}

#[test]
fn commands() {
    let desk = Desk::new();
    let mut hub = desk.start(&[]);
    let mut one = device(&hub, ONE);
    one.subscribe(UPDATE);
    one.publish(REPORT, &version("1.0"));
    assert_eq!(json(&one.message().payload)["type"], "report_version_rsp");

    hub.say(&format!("upgrade {ONE}"));
    assert_eq!(json(&one.message().payload)["type"], "update_firmware");
    hub.say(&format!("send {ONE} {{\"a\":  1}}"));
    let raw = one.message();
    assert_eq!((&raw.payload[..], raw.retain), (&b"{\"a\":  1}"[..], false));

    hub.say("devices");
    let rows = hub.event("devices", |_| true)["devices"].clone();
    let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["client_id"] == ONE)).cloned();
    let row = row.expect("a row for each device");
    assert_eq!((&row["online"], &row["version"]), (&Value::from(true), &Value::from("1.0")));

    hub.say(&format!("send {TWO} x"));
    assert!(hub.event("warning", |_| true)["text"].as_str().is_some_and(|text| text.contains("two")));
    hub.say(&format!("drop {ONE}"));
    assert_eq!(one.receive(), None);
    hub.say("nonsense");
    assert!(hub.event("warning", |_| true)["text"].as_str().is_some_and(|text| text.contains("nonsense")));
    hub.say("quit");
    assert_eq!(hub.exit_code(), Some(0));
}

#[test]
fn the_end_of_standard_input_is_not_the_hubs_and_sigterm_cleans_up() {
    let desk = Desk::new();
    let mut hub = desk.start(&[]);
    drop(hub.stdin.take());
    let mut one = device(&hub, ONE);
    one.send(&Packet::PingReq);
    assert_eq!(one.receive(), Some(Packet::PingResp));
    let ca = hub.text("ca_file").to_owned();
    assert!(common::exists(&ca));
    let pid = hub.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    assert_eq!(hub.exit_code(), Some(0));
    assert!(!common::exists(&ca));
}

#[test]
fn a_session_that_is_not_clean_is_kept() {
    let desk = Desk::new();
    let hub = desk.start(&[]);
    let kept = || {
        let mut connect = connect_packet(ONE);
        connect.clean_session = false;
        connect
    };
    let mut first = Client::new(hub.connect());
    assert!(!first.connect(kept()).session_present);
    first.subscribe("a");
    first.send(&Packet::Disconnect);
    hub.event("disconnected", |_| true);
    device(&hub, TWO).publish("a", "missed");
    let mut second = Client::new(hub.connect());
    assert!(second.connect(kept()).session_present);
    assert_eq!(&second.message().payload[..], b"missed");
}

#[test]
fn a_device_that_says_too_much_is_read_no_faster() {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--device-messages", "1"]);
    let mut chatty = device(&hub, ONE);
    for id in 1..=3 {
        let message = Publish { pkid: id, ..Publish::new(REPORT, QoS::AtLeastOnce, version("1.0")) };
        chatty.send(&Packet::Publish(message));
    }
    let warned = hub.event("warning", |_| true);
    assert_eq!(warned["client_id"], ONE);
    assert!(warned["text"].as_str().is_some_and(|text| text.contains("1 messages a second")), "{warned}");
    // Nothing is lost.
    for id in 1..=3 {
        assert!(matches!(chatty.receive(), Some(Packet::PubAck(ack)) if ack.pkid == id));
    }
}

#[test]
fn a_device_that_connects_too_often_is_turned_away() {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--device-connects", "1"]);
    let mut first = device(&hub, ONE);
    let refused = Client::new(hub.connect()).connect(connect_packet(ONE));
    assert_eq!(refused.code as u8, 3, "the service is not available");
    let refused = hub.event("refused", |_| true);
    assert!(refused["reason"].as_str().is_some_and(|text| text.contains("1 times a minute")), "{refused}");
    // Nobody else is touched, and the connection that is there goes on.
    let _other = device(&hub, TWO);
    first.publish(REPORT, &version("1.0"));
}

#[test]
fn a_log_in_json_has_a_time_in_each_line() {
    let desk = Desk::new();
    let mut command = desk.command();
    command.args(["run", "--devices", "devices.json", "--log-format", "json"]);
    let hub = Hub::launch(command);
    let client = device(&hub, ONE);
    let connected = hub.event("connected", |_| true);
    assert!(connected["at"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{connected}");
    assert_eq!(connected["client_id"], ONE);
    drop(client);
}
