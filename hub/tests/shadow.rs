//! Shadows: a device's requests, a person's wishes by the API and the command line, and the store behind them.

mod common;

use std::net::TcpStream;

use common::console::Console;
use common::{device, Client, Desk, Hub, CERT, ONE, PRODUCT, TWO};
use rumqttc::mqttbytes::v4::{Packet, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::QoS;
use serde_json::{json, Value};

fn start() -> (Desk, Hub, Console) {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state"]);
    let console = Console::of(&hub);
    (desk, hub, console)
}

/// A device that hears what its shadow says.
struct Shadowed {
    client: Client<TcpStream>,
    name: &'static str,
    service: &'static str,
}

impl Shadowed {
    fn new(hub: &Hub, name: &'static str, service: &'static str) -> Self {
        let mut client = device(hub, &format!("{PRODUCT}{name}"));
        client.subscribe(&format!("{service}/operation/result/{PRODUCT}/{name}"));
        Shadowed { client, name, service }
    }

    fn send(&mut self, payload: &str) {
        // Of QoS 0, so nothing but the answer comes.
        let topic = format!("{}/operation/{PRODUCT}/{}", self.service, self.name);
        self.client.send(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload)));
    }

    fn heard(&mut self) -> Value {
        let message = self.client.message();
        assert_eq!(message.topic, format!("{}/operation/result/{PRODUCT}/{}", self.service, self.name));
        assert_eq!((message.qos as u8, message.retain), (0, false));
        common::json(&message.payload)
    }

    fn ask(&mut self, payload: &str) -> Value {
        self.send(payload);
        self.heard()
    }

    fn get(&mut self) -> Value {
        self.ask(r#"{"type":"get", "clientToken":"get-1"}"#)["payload"].take()
    }
}

#[test]
fn a_device_reports_and_takes_over_what_is_desired() {
    let (desk, hub, console) = start();
    let path = format!("/api/devices/{ONE}/shadow");
    let nothing =
        json!({ "client_id": ONE, "version": 0, "reported": {}, "desired": {}, "delta": {}, "updated_at": null });
    assert_eq!(console.get(&path).good(200), nothing);

    let mut one = Shadowed::new(&hub, "one", "$shadow");
    assert_eq!(one.get()["state"], json!({ "reported": {} }));
    let answer = one.ask(r#"{"type":"update", "state":{"reported":{"light":"off","level":3}}, "clientToken":"P-1"}"#);
    assert_eq!(
        [&answer["result"], &answer["clientToken"], &answer["type"]],
        [&json!(0), &json!("P-1"), &json!("update")]
    );
    assert_eq!(answer["payload"]["state"], json!({ "reported": { "light": "off", "level": 3 } }));
    assert_eq!(answer["payload"]["version"], 1);
    let event = hub.event("shadow", |event| event["action"] == "update");
    assert_eq!((&event["client_id"], &event["version"], &event["result"]), (&json!(ONE), &json!(1), &json!(0)));

    let shadow = console.post(&path, &json!({ "desired": { "light": "on", "level": 3.0 } })).good(200);
    assert_eq!((&shadow["version"], &shadow["delta"]), (&json!(2), &json!({ "light": "on" })));
    let delta = one.heard();
    assert_eq!((&delta["type"], &delta["payload"]["state"]), (&json!("delta"), &json!({ "light": "on" })));
    assert_eq!((&delta["payload"]["version"], &delta["clientToken"]), (&json!(2), &Value::Null));
    let state = &one.get()["state"];
    assert_eq!(state["delta"], json!({ "light": "on" }));
    assert_eq!(state["desired"], json!({ "light": "on", "level": 3.0 }));

    let both = r#"{"type":"update", "state":{"reported":{"light":"on"},"desired": null}, "clientToken":"P-2"}"#;
    assert_eq!(one.ask(both)["payload"]["version"], 3);
    let shadow = console.get(&path).good(200);
    assert_eq!((&shadow["desired"], &shadow["delta"]), (&json!({}), &json!({})));
    assert_eq!(shadow["reported"], json!({ "light": "on", "level": 3 }));

    // What a device said and what was desired of it outlive the hub.
    drop((one, hub));
    let hub = desk.start_plain(&["--state", "state"]);
    assert_eq!(Console::of(&hub).get(&path).good(200), shadow);
}

#[test]
fn versions_are_checked_on_both_sides() {
    let (_desk, hub, console) = start();
    let mut one = Shadowed::new(&hub, "one", "$shadow");
    let update = |version: u64, level: u64| {
        format!(
            r#"{{"type":"update","version":{version},"state":{{"reported":{{"level":{level}}}}},"clientToken":"{level}"}}"#
        )
    };
    assert_eq!(one.ask(&update(0, 1))["result"], 0);
    assert_eq!(one.ask(&update(1, 2))["result"], 0);
    let refused = one.ask(&update(1, 3));
    assert_eq!((&refused["result"], &refused["clientToken"]), (&json!(5005), &json!("3")));
    assert_eq!(
        (&refused["payload"]["version"], &refused["payload"]["state"]),
        (&json!(2), &json!({ "reported": { "level": 2 } }))
    );

    let path = format!("/api/devices/{ONE}/shadow");
    let detail = console.post(&path, &json!({ "desired": { "level": 9 }, "version": 1 })).refusal(409);
    assert!(detail.contains("version 2"), "{detail}");
    assert_eq!(console.post(&path, &json!({ "desired": { "level": 9 }, "version": 2 })).good(200)["version"], 3);
    assert_eq!(one.heard()["type"], "delta");
    let untouched = json!({ "desired": { "level": 9 }, "version": 0 });
    console.post(&format!("/api/devices/{TWO}/shadow"), &untouched).good(200);
    console.post(&format!("/api/devices/{TWO}/shadow"), &untouched).refusal(409);
}

#[test]
fn templates_are_the_same_document() {
    let (_desk, hub, console) = start();
    let mut one = Shadowed::new(&hub, "one", "$template");
    assert_eq!(one.ask(r#"{"type":"update","state":{"reported":{"a":1}},"clientToken":12}"#)["clientToken"], "12");
    console.post(&format!("/api/devices/{ONE}/shadow"), &json!({ "desired": { "b": [true] } })).good(200);
    assert_eq!(one.heard()["payload"]["state"], json!({ "b": [true] }));
    // Nothing is left to tell.
    console.post(&format!("/api/devices/{ONE}/shadow"), &json!({ "desired": null })).good(200);
    assert_eq!(one.get()["state"], json!({ "reported": { "a": 1 } }));
}

#[test]
fn what_makes_no_sense_is_refused_or_ignored() {
    let (_desk, hub, console) = start();
    let mut one = Shadowed::new(&hub, "one", "$shadow");
    for silent in ["", "{", "[]", r#"{"type":"get"}"#, r#"{"clientToken":"t"}"#] {
        one.send(silent);
        hub.event("warning", |event| event["client_id"] == ONE);
    }
    let refused = one.ask(r#"{"type":"update","state":{"reported":[]},"clientToken":"t"}"#);
    assert_eq!((&refused["result"], &refused["clientToken"]), (&json!(400), &json!("t")));
    let large =
        format!(r#"{{"type":"update","state":{{"reported":{{"a":"{}"}}}},"clientToken":"t"}}"#, "x".repeat(9000));
    assert_eq!(one.ask(&large)["result"], 413);
    assert_eq!(one.get()["version"], 0);

    let path = format!("/api/devices/{ONE}/shadow");
    console.post(&path, &json!({ "desired": { "a": "x".repeat(9000) } })).refusal(413);
    assert!(console.post(&path, &json!({})).refusal(400).contains("desired"));
    console.post(&path, &json!({ "desired": [] })).refusal(400);
    console.post(&path, &json!({ "desired": {}, "reported": {} })).refusal(400);
    console.get("/api/devices/nobody/shadow").refusal(404);
    console.post("/api/devices/nobody/shadow", &json!({ "desired": {} })).refusal(404);
}

#[test]
fn a_shadow_is_its_devices_own() {
    let (_desk, hub, console) = start();
    let (mut one, mut two) = (Shadowed::new(&hub, "one", "$shadow"), Shadowed::new(&hub, "two", "$shadow"));
    for filter in [&format!("$shadow/operation/result/{PRODUCT}/two"), "$shadow/#", "$shadow/operation/result/+/+"] {
        one.client.send(&Packet::Subscribe(Subscribe { pkid: 5, ..Subscribe::new(filter, QoS::AtMostOnce) }));
        match one.client.receive() {
            Some(Packet::SubAck(ack)) => assert_eq!(ack.return_codes, [SubscribeReasonCode::Failure], "{filter}"),
            other => panic!("{other:?} instead of SUBACK"),
        }
    }
    let update = r#"{"type":"update","state":{"reported":{"a":1}},"clientToken":"t"}"#;
    for topic in [format!("$shadow/operation/{PRODUCT}/two"), format!("$shadow/operation/result/{PRODUCT}/two")] {
        one.client.publish(&topic, update);
        hub.event("warning", |event| event["text"].as_str().is_some_and(|text| text.contains(&topic)));
    }
    assert_eq!(console.get(&format!("/api/devices/{TWO}/shadow")).good(200)["version"], 0);
    // The answer to its own question is the first that it hears.
    assert_eq!(two.get()["version"], 0);
}

#[test]
fn the_command_line_shows_and_desires() {
    let (desk, _hub, _console) = start();
    let run = |args: &[&str]| {
        let output = desk.output(&[&["shadow"], args, &["--state", "state"]].concat());
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, shown, _) = run(&["desire", CERT, r#"{"light":"on","level":2}"#]);
    assert_eq!(code, Some(0));
    assert!(shown.starts_with(&format!("{CERT}: version 1, changed ")), "{shown}");
    assert!(
        shown.ends_with(
            "reported  {}\ndesired   {\"level\":2,\"light\":\"on\"}\ndelta     {\"level\":2,\"light\":\"on\"}\n"
        ),
        "{shown}"
    );
    let (code, shown, _) = run(&["desire", CERT, r#"{"level":null}"#, "--version", "1", "--json"]);
    assert_eq!((code, common::json(shown.as_bytes())["desired"].clone()), (Some(0), json!({ "light": "on" })));
    let (code, _, complaint) = run(&["clear", CERT, "--version", "1"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("version 2"), "{complaint}");
    assert_eq!(run(&["clear", CERT]).0, Some(0));
    let (_, shown, _) = run(&["show", CERT, "--json"]);
    assert_eq!(common::json(shown.as_bytes())["desired"], json!({}));
    let (code, _, complaint) = run(&["desire", CERT, "[1]"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("JSON object"), "{complaint}");
    assert_eq!(run(&["show", "nobody"]).0, Some(1));
}
