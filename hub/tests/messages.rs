//! Broadcast, RRPC and remote configuration: the API and the command line on one side, a device on the other.

mod common;

use std::thread;

use common::console::Console;
use common::{device, Desk, Hub, ONE, PRODUCT, TWO};
use rumqttc::mqttbytes::v4::{Packet, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::QoS;
use serde_json::{json, Value};

type Device = common::Client<std::net::TcpStream>;

fn start() -> (Desk, Hub, Console) {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state"]);
    let console = Console::of(&hub);
    (desk, hub, console)
}

/// A device that has subscribed to what is its own of these services.
fn listening(hub: &Hub, name: &str) -> Device {
    let mut client = device(hub, &format!("{PRODUCT}{name}"));
    client.subscribe(&format!("$broadcast/rxd/{PRODUCT}/{name}"));
    client.subscribe(&format!("$rrpc/rxd/{PRODUCT}/{name}/+"));
    client.subscribe(&format!("$config/operation/result/{PRODUCT}/{name}"));
    client
}

fn say(client: &mut Device, topic: &str, payload: &[u8]) {
    client.send(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload)));
}

fn heard(client: &mut Device) -> (String, String) {
    let message = client.message();
    (message.topic, String::from_utf8(message.payload.to_vec()).expect("text"))
}

#[test]
fn a_broadcast_reaches_the_connected_devices_of_the_product() {
    let (desk, hub, console) = start();
    let (mut one, mut two) = (listening(&hub, "one"), device(&hub, TWO));
    two.subscribe(&format!("$ota/update/{PRODUCT}/two"));
    let what = json!({ "product_id": PRODUCT, "payload": { "base64": "AP9h" }, "qos": 1 });
    // Two has not subscribed, and the third is not there.
    let told = console.post("/api/broadcasts", &what).good(200);
    assert_eq!(told, json!({ "product_id": PRODUCT, "devices": 3, "sent": 1 }));
    let message = one.message();
    assert_eq!((message.topic.as_str(), message.qos as u8), (&*format!("$broadcast/rxd/{PRODUCT}/one"), 1));
    assert_eq!(&message.payload[..], b"\0\xffa");
    let event = hub.event("broadcast", |_| true);
    assert_eq!((&event["product_id"], &event["bytes"], &event["sent"]), (&json!(PRODUCT), &json!(3), &json!(1)));

    let output = desk.output(&["broadcast", "--product", PRODUCT, "closed", "--state", "state"]);
    let said = String::from_utf8(output.stdout).expect("text");
    assert_eq!(said, format!("sent to 1 of 3 devices of product {PRODUCT}\n"));
    assert_eq!(heard(&mut one), (format!("$broadcast/rxd/{PRODUCT}/one"), "closed".to_owned()));

    let refused = |payload: Value, qos: u8, product: &str, status: u16| {
        let what = json!({ "product_id": product, "payload": payload, "qos": qos });
        console.post("/api/broadcasts", &what).refusal(status)
    };
    assert!(refused(json!({ "text": "x" }), 0, "NOSUCH", 404).contains("NOSUCH"));
    assert!(refused(json!({ "text": "x" }), 2, PRODUCT, 400).contains("qos"));
    assert!(refused(json!({}), 0, PRODUCT, 400).contains("base64"));
    assert!(refused(json!({ "text": "x".repeat(16_001) }), 0, PRODUCT, 413).contains("16000"));
}

#[test]
fn an_answer_goes_back_to_the_one_who_asked() {
    let (desk, hub, console) = start();
    let mut one = listening(&hub, "one");
    let path = format!("/api/devices/{ONE}/rrpc");
    let answering = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in [&b"ok"[..], b"\xff\0"] {
            let (topic, request) = heard(&mut one);
            let id = topic.strip_prefix(&format!("$rrpc/rxd/{PRODUCT}/one/")).expect("a request").to_owned();
            // What was never asked settles nothing.
            say(&mut one, &format!("$rrpc/txd/{PRODUCT}/one/{id}0"), b"no");
            say(&mut one, &format!("$rrpc/txd/{PRODUCT}/one/"), b"no");
            for answer in [answer, b"again"] {
                say(&mut one, &format!("$rrpc/txd/{PRODUCT}/one/{id}"), answer);
            }
            asked.push((id, request));
        }
        (one, asked)
    });
    let first = console.post(&path, &json!({ "payload": { "text": "closed" } })).good(200);
    assert_eq!((&first["state"], &first["answer"]), (&json!("answered"), &json!({ "text": "ok" })));
    assert_eq!((&first["request"], &first["timeout_ms"]), (&json!({ "text": "closed" }), &json!(4000)));
    let output = desk.output(&["rrpc", ONE, "open", "--state", "state"]);
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stdout).expect("text").as_str()),
        (Some(0), "hex ff00\n")
    );
    let (mut one, asked) = answering.join().expect("the device");
    assert_eq!(asked.iter().map(|(_, request)| request.as_str()).collect::<Vec<_>>(), ["closed", "open"]);
    assert_ne!(asked[0].0, asked[1].0);
    assert_eq!(json!(asked[0].0), first["id"].to_string());
    // The last answer of all has been taken in when this is acknowledged.
    one.publish("elsewhere", "");
    for outcome in ["asked", "never_asked", "never_asked", "answered", "again"] {
        let event = hub.event("rrpc", |_| true);
        assert_eq!((&event["client_id"], &event["outcome"]), (&json!(ONE), &json!(outcome)));
    }
    let list = console.get(&path).good(200);
    let answers: Vec<_> = list["requests"].as_array().expect("a list").iter().map(|rrpc| &rrpc["answers"]).collect();
    assert_eq!(answers, [2, 2]);
    let output = desk.output(&["rrpc", ONE, "--list", "--state", "state"]);
    assert!(String::from_utf8(output.stdout).expect("text").contains("answered, 2 times"));
}

#[test]
fn a_device_that_does_not_answer_in_time_is_told_from_one_that_cannot_hear() {
    let (desk, hub, console) = start();
    let path = format!("/api/devices/{ONE}/rrpc");
    let ask = json!({ "payload": { "text": "closed" }, "timeout_ms": 50 });
    assert!(console.post(&path, &ask).refusal(409).contains(ONE));
    assert!(console.post("/api/devices/nobody/rrpc", &ask).refusal(404).contains("nobody"));
    let mut deaf = device(&hub, ONE);
    deaf.subscribe(&format!("$broadcast/rxd/{PRODUCT}/one"));
    assert!(console.post(&path, &ask).refusal(409).contains("subscribed"));
    let mut one = listening(&hub, "one");
    let refused = console.post(&path, &ask);
    assert!(refused.refusal(504).contains("50 ms"));
    assert_eq!(refused.json()["code"], "no_answer");
    let output = desk.output(&["rrpc", ONE, "closed", "--timeout", "50", "--state", "state"]);
    assert_eq!(output.status.code(), Some(1));
    // Both answers come too late, and are told of and kept.
    for _ in 0..2 {
        let (topic, _) = heard(&mut one);
        say(&mut one, &topic.replace("/rxd/", "/txd/"), b"ok");
        let event = hub.event("rrpc", |event| event["outcome"] == "late");
        assert_eq!(event["id"], topic.rsplit('/').next().expect("an id"));
    }
    let list = console.get(&path).good(200);
    assert_eq!(
        (&list["requests"][1]["state"], &list["requests"][1]["answer"]),
        (&json!("late"), &json!({ "text": "ok" }))
    );
    for timeout in [0, 30_001] {
        let ask = json!({ "payload": { "text": "" }, "timeout_ms": timeout });
        assert!(console.post(&path, &ask).refusal(400).contains("30000"));
    }
}

const CONFIG: &str = r#"{"baud rate":9600, "parity":"NONE"}"#;

#[test]
fn a_configuration_is_published_pushed_and_asked_for() {
    let (desk, hub, console) = start();
    let mut one = listening(&hub, "one");
    let path = format!("/api/configs/{PRODUCT}");
    let ask = |one: &mut Device| {
        say(one, &format!("$config/operation/{PRODUCT}/one"), br#"{"type":"get"}"#);
        let (topic, text) = heard(one);
        assert_eq!(topic, format!("$config/operation/result/{PRODUCT}/one"));
        text
    };
    assert!(console.get(&path).refusal(404).contains(PRODUCT));
    assert_eq!(ask(&mut one), r#"{"type":"reply","result":1002,"payload":{}}"#);

    let pushed = console.post(&path, &json!({ "payload": CONFIG })).good(200);
    assert_eq!((&pushed["devices"], &pushed["sent"]), (&json!(3), &json!(1)));
    assert_eq!((&pushed["config"]["version"], &pushed["config"]["payload"]), (&json!(1), &json!(CONFIG)));
    assert_eq!(heard(&mut one).1, format!(r#"{{"type":"push","payload":{CONFIG}}}"#));
    let sent = hub.event("config_sent", |event| event["pushed"] == true);
    assert_eq!((&sent["client_id"], &sent["version"]), (&json!(ONE), &json!(1)));
    assert_eq!(ask(&mut one), format!(r#"{{"type":"reply","result":0,"payload":{CONFIG}}}"#));

    let off = console.post(&format!("{path}/switch"), &json!({ "enabled": false })).good(200);
    assert_eq!((&off["version"], &off["enabled"]), (&json!(1), &json!(false)));
    assert_eq!(ask(&mut one), r#"{"type":"reply","result":1001,"payload":{}}"#);
    assert!(console.post(&format!("{path}/push"), &json!({})).refusal(409).contains("switched off"));
    let found = console.get(&path).good(200);
    let told = &found["devices"][0];
    assert_eq!((&told["client_id"], &told["version"], &told["result"]), (&json!(ONE), &Value::Null, &json!(1001)));

    // Nobody is told while it is off; then by hand.
    let quiet = console.post(&path, &json!({ "payload": "{}" })).good(200);
    assert_eq!((&quiet["config"]["version"], &quiet["sent"]), (&json!(2), &json!(0)));
    let run = |args: &[&str]| {
        let output = desk.output(&[args, &["--state", "state"]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    run(&["config", "on", PRODUCT]);
    assert!(run(&["config", "push", PRODUCT]).contains("sent to 1 of 3 devices"));
    assert_eq!(heard(&mut one).1, r#"{"type":"push","payload":{}}"#);
    desk.write("config.json", CONFIG.as_bytes());
    assert!(run(&["config", "set", PRODUCT, "--file", "config.json"]).contains("configuration 3"));
    assert_eq!(heard(&mut one).1, format!(r#"{{"type":"push","payload":{CONFIG}}}"#));
    let shown = run(&["config", "show", PRODUCT]);
    assert!(shown.contains(CONFIG) && shown.contains(ONE) && shown.contains("told"), "{shown}");
    run(&["config", "set", PRODUCT, "{}", "--quiet"]);
    console.delete(&path).good(204);
    console.delete(&path).refusal(404);
    assert_eq!(ask(&mut one), r#"{"type":"reply","result":1002,"payload":{}}"#);
    assert!(run(&["config"]).contains("configuration 5, none"));
    assert!(console.post(&path, &json!({ "payload": "[1]" })).refusal(400).contains("JSON object"));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(16_000));
    assert!(console.post(&path, &json!({ "payload": long })).refusal(413).contains("16000"));
}

#[test]
fn a_configuration_outlives_the_hub() {
    let (desk, hub, console) = start();
    console.post(&format!("/api/configs/{PRODUCT}"), &json!({ "payload": CONFIG })).good(200);
    drop(hub);
    let hub = desk.start_plain(&["--state", "state"]);
    let mut one = listening(&hub, "one");
    say(&mut one, &format!("$config/operation/{PRODUCT}/one"), br#"{"type":"get"}"#);
    assert_eq!(heard(&mut one).1, format!(r#"{{"type":"reply","result":0,"payload":{CONFIG}}}"#));
}

#[test]
fn a_device_neither_hears_nor_speaks_for_another_one() {
    let (_desk, hub, console) = start();
    let (mut one, mut two) = (listening(&hub, "one"), listening(&hub, "two"));
    for filter in ["$broadcast/rxd/ABCDEFGHIJ/two", "$rrpc/rxd/+/+/+", "$config/#"] {
        one.send(&Packet::Subscribe(Subscribe { pkid: 5, ..Subscribe::new(filter, QoS::AtMostOnce) }));
        match one.receive() {
            Some(Packet::SubAck(ack)) => assert_eq!(ack.return_codes, [SubscribeReasonCode::Failure], "{filter}"),
            other => panic!("{other:?} instead of SUBACK"),
        }
    }
    // None of these gets anywhere.
    for (topic, payload) in [
        (format!("$config/operation/{PRODUCT}/two"), r#"{"type":"get"}"#),
        (format!("$config/operation/result/{PRODUCT}/two"), r#"{"type":"push","payload":{}}"#),
        (format!("$broadcast/rxd/{PRODUCT}/two"), "closed"),
        (format!("$config/operation/{PRODUCT}/one"), "nonsense"),
        (format!("$config/operation/{PRODUCT}/one"), r#"{"type":"set"}"#),
    ] {
        say(&mut one, &topic, payload.as_bytes());
        hub.event("warning", |event| event["client_id"] == ONE);
    }
    let what = json!({ "product_id": PRODUCT, "payload": { "text": "last" } });
    console.post("/api/broadcasts", &what).good(200);
    for client in [&mut one, &mut two] {
        assert_eq!(heard(client).1, "last");
    }
}
