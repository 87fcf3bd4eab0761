//! Gateways: their requests, people's by the API and the command line, and upgrades of the devices behind them.

mod common;

use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{Engine, BASE64_STANDARD};
use common::console::Console;
use common::{device, Client, Desk, Hub, CERT, ONE, PRODUCT, SECRET, TWO};
use hmac::{Hmac, KeyInit, Mac};
use rumqttc::mqttbytes::v4::{Packet, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::QoS;
use serde_json::{json, Value};
use sha1::Sha1;

fn start() -> (Desk, Hub, Console) {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state"]);
    let console = Console::of(&hub);
    (desk, hub, console)
}

/// A gateway that hears its answers.
struct Gateway {
    client: Client<TcpStream>,
    name: &'static str,
}

impl Gateway {
    fn new(hub: &Hub, name: &'static str) -> Self {
        let mut client = device(hub, &format!("{PRODUCT}{name}"));
        client.subscribe(&format!("$gateway/operation/result/{PRODUCT}/{name}"));
        Gateway { client, name }
    }

    fn send(&mut self, payload: &str) {
        let topic = format!("$gateway/operation/{PRODUCT}/{}", self.name);
        self.client.send(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload)));
    }

    fn heard(&mut self) -> Value {
        let message = self.client.message();
        assert_eq!(message.topic, format!("$gateway/operation/result/{PRODUCT}/{}", self.name));
        common::json(&message.payload)
    }

    /// Asks for something to happen to a device and returns the result.
    fn ask(&mut self, action: &str, entry: Value) -> Value {
        self.send(&json!({ "type": action, "payload": { "devices": [entry] } }).to_string());
        let mut answer = self.heard();
        assert_eq!(answer["type"], action);
        assert_eq!(answer["payload"]["devices"][0]["device_name"], entry["device_name"]);
        answer["payload"]["devices"][0]["result"].take()
    }

    fn describe(&mut self) -> Value {
        self.send(r#"{"type":"describe_sub_devices"}"#);
        let mut answer = self.heard();
        assert_eq!(answer["type"], "describe_sub_devices");
        answer["payload"]["devices"].take()
    }
}

fn entry(name: &str) -> Value {
    json!({ "product_id": PRODUCT, "device_name": name })
}

/// A device's agreement, signed with `key` so many seconds from now.
fn signed(name: &str, key: &str, kind: &str, later: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let timestamp = now.checked_add_signed(later).expect("a time");
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("any key");
    mac.update(format!("{PRODUCT}{name};805570441;{timestamp}").as_bytes());
    let mut entry = entry(name);
    for (key, value) in [
        ("signature", json!(BASE64_STANDARD.encode(mac.finalize().into_bytes()))),
        ("random", json!(805_570_441)),
        ("timestamp", json!(timestamp)),
        ("signmethod", json!("hmacsha1")),
        ("authtype", json!(kind)),
    ] {
        entry[key] = value;
    }
    entry
}

#[test]
fn a_device_is_bound_goes_online_and_leaves() {
    let (desk, hub, console) = start();
    let mut one = Gateway::new(&hub, "one");
    assert_eq!(one.describe(), json!([]));
    assert_eq!(one.ask("online", entry("two")), -1);
    assert_eq!(one.ask("bind", signed("two", SECRET, "psk", 0)), 0);
    assert_eq!(one.ask("bind", signed("two", SECRET, "psk", 0)), 809);
    assert_eq!(one.describe(), json!([entry("two")]));
    let event = hub.event("gateway", |event| event["action"] == "bind" && event["result"] == 0);
    assert_eq!((&event["client_id"], &event["device"]), (&json!(ONE), &json!(TWO)));

    let online = || {
        let list = console.get("/api/devices").good(200);
        let devices = list["devices"].as_array().expect("a list").clone();
        devices.iter().find(|device| device["client_id"] == TWO).expect("the device")["online"].clone()
    };
    assert_eq!(online(), false);
    assert_eq!(one.ask("online", entry("two")), 0);
    assert_eq!(one.ask("online", entry("two")), 0);
    assert_eq!(online(), true);
    let expected = json!({ "gateways": [{ "client_id": ONE, "online": true, "devices": [
        { "client_id": TWO, "product_id": PRODUCT, "device_name": "two", "online": true },
    ] }] });
    assert_eq!(console.get("/api/gateways").good(200), expected);
    let behind = console.get(&format!("/api/gateways/{ONE}/devices")).good(200);
    assert_eq!(behind["devices"], expected["gateways"][0]["devices"]);
    assert_eq!(one.ask("offline", entry("two")), 0);
    assert_eq!(online(), false);

    // With the gateway's connection its devices are gone.
    assert_eq!(one.ask("online", entry("two")), 0);
    drop(one);
    hub.event("disconnected", |event| event["client_id"] == ONE);
    assert_eq!(online(), false);
    let mut one = Gateway::new(&hub, "one");
    assert_eq!(online(), false);

    drop(hub);
    let hub = desk.start_plain(&["--state", "state"]);
    one = Gateway { client: Gateway::new(&hub, "one").client, ..one };
    assert_eq!(one.describe(), json!([entry("two")]));
    assert_eq!(one.ask("unbind", entry("two")), 0);
    assert_eq!(one.ask("unbind", entry("two")), -1);
    assert_eq!(one.ask("offline", entry("two")), -1);
    assert_eq!(one.describe(), json!([]));
}

#[test]
fn a_device_must_agree_to_be_bound() {
    let (_desk, hub, console) = start();
    let mut one = Gateway::new(&hub, "one");
    assert_eq!(one.ask("bind", signed("nobody", SECRET, "psk", 0)), 802);
    assert_eq!(one.ask("bind", signed("two", "MTIzNDU2Nzg5MGFiY2RlZw", "psk", 0)), 803);
    assert_eq!(one.ask("bind", signed("two", SECRET, "certificate", 0)), 803);
    let mut odd = signed("two", SECRET, "psk", 0);
    odd["signmethod"] = json!("md5");
    assert_eq!(one.ask("bind", odd), 804);
    assert_eq!(one.ask("bind", signed("two", SECRET, "psk", -3600)), 805);
    assert_eq!(one.ask("bind", signed("two", SECRET, "psk", 3600)), 805);
    assert_eq!(one.ask("bind", signed("one", SECRET, "psk", 0)), 807);
    assert_eq!(one.ask("bind", entry("two")), 801);
    assert_eq!(console.get("/api/gateways").good(200), json!({ "gateways": [] }));

    console.post(&format!("/api/gateways/{TWO}/devices"), &json!({ "client_id": CERT })).good(200);
    let certificate = std::fs::read(hub.ready["client_certs"][CERT]["cert"].as_str().expect("a path")).expect("a file");
    use md5::Digest;
    let key = hex::encode(md5::Md5::digest(&certificate));
    assert_eq!(one.ask("bind", signed("cert", &key, "psk", 0)), 803);
    assert_eq!(one.ask("bind", signed("cert", &key, "certificate", 0)), 806);
    console.delete(&format!("/api/gateways/{TWO}/devices/{CERT}")).good(204);
    assert_eq!(one.ask("bind", signed("cert", &key, "certificate", 0)), 0);
}

#[test]
fn a_device_with_a_connection_of_its_own_is_not_free() {
    let (_desk, hub, console) = start();
    console.post(&format!("/api/gateways/{ONE}/devices"), &json!({ "client_id": TWO })).good(200);
    let mut one = Gateway::new(&hub, "one");
    let _two = device(&hub, TWO);
    assert_eq!(one.ask("online", entry("two")), 808);
}

#[test]
fn the_cloud_binds_and_unbinds() {
    let (_desk, hub, console) = start();
    let path = format!("/api/gateways/{ONE}/devices");
    assert!(console.post(&path, &json!({ "client_id": ONE })).refusal(400).contains("itself"));
    console.post(&path, &json!({ "client_id": "nobody" })).refusal(404);
    console.post("/api/gateways/nobody/devices", &json!({ "client_id": TWO })).refusal(404);
    assert!(console.post(&format!("/api/gateways/{ONE}/search"), &json!({ "on": true })).refusal(409).contains(ONE));

    let mut one = Gateway::new(&hub, "one");
    let bound = console.post(&path, &json!({ "client_id": TWO })).good(200);
    assert_eq!((&bound["online"], &bound["devices"][0]["client_id"]), (&json!(true), &json!(TWO)));
    let told = |status: u8| json!({ "type": "change", "payload": { "status": status, "devices": [entry("two")] } });
    assert_eq!(one.heard(), told(1));
    one.send(
        r#"{"type":"change", "payload":{"status":1, "devices":[{"product_id":"P","device_name":"D","result":0}]}}"#,
    );
    hub.event("gateway", |event| event["action"] == "change");
    assert!(console.post(&path, &json!({ "client_id": TWO })).refusal(409).contains(ONE));
    assert_eq!(one.ask("online", entry("two")), 0);

    console.delete(&format!("{path}/{TWO}")).good(204);
    assert_eq!(one.heard(), told(0));
    assert!(console.delete(&format!("{path}/{TWO}")).refusal(409).contains("not bound"));
    assert_eq!(one.ask("online", entry("two")), -1);

    console.post(&path, &json!({ "client_id": TWO })).good(200);
    assert_eq!(one.heard(), told(1));
    console.delete(&path).good(204);
    assert_eq!(one.heard(), json!({ "type": "unbind_all" }));
    console.post(&format!("/api/gateways/{ONE}/search"), &json!({ "on": true })).good(204);
    assert_eq!(one.heard(), json!({ "type": "search_devices", "payload": { "status": 1 } }));

    // A gateway hears of a device that is removed.
    console.post(&path, &json!({ "client_id": TWO })).good(200);
    assert_eq!(one.heard(), told(1));
    console.delete(&format!("/api/devices/{TWO}")).good(204);
    assert_eq!(one.heard(), told(0));
    assert_eq!(console.get("/api/gateways").good(200), json!({ "gateways": [] }));
}

#[test]
fn nobody_asks_in_a_gateways_name() {
    let (_desk, hub, _console) = start();
    let mut one = Gateway::new(&hub, "one");
    let mut two = device(&hub, TWO);
    let request = r#"{"type":"describe_sub_devices"}"#;
    two.publish(&format!("$gateway/operation/{PRODUCT}/one"), request);
    hub.event("warning", |event| event["client_id"] == TWO);
    // The answer to its own request is the first that it hears.
    assert_eq!(one.ask("online", entry("two")), -1);
    for nonsense in ["", "{}", r#"{"type":"online"}"#] {
        one.send(nonsense);
        hub.event("warning", |event| event["client_id"] == ONE);
    }
}

/// Whether a client is let to subscribe.
fn is_granted(client: &mut Client<TcpStream>, filter: &str) -> bool {
    client.send(&Packet::Subscribe(Subscribe { pkid: 8, ..Subscribe::new(filter, QoS::AtMostOnce) }));
    match client.receive() {
        Some(Packet::SubAck(ack)) => ack.return_codes != [SubscribeReasonCode::Failure],
        other => panic!("{other:?} instead of SUBACK"),
    }
}

#[test]
fn a_gateway_hears_and_speaks_for_its_devices_only() {
    let (_desk, hub, console) = start();
    let path = format!("/api/gateways/{ONE}/devices");
    let (mut one, mut two) = (Gateway::new(&hub, "one"), device(&hub, TWO));
    let of_two =
        ["$ota/update/", "$shadow/operation/result/", "$template/operation/result/", "$sys/operation/result/", ""]
            .map(|prefix| format!("{prefix}{PRODUCT}/two"));
    let data = format!("{PRODUCT}/two/#");
    let own = format!("$gateway/operation/result/{PRODUCT}/two");
    for filter in of_two.iter().chain([&data]) {
        assert!(!is_granted(&mut one.client, filter), "{filter}");
        assert!(is_granted(&mut two, filter), "{filter}");
    }
    let said = [
        (format!("$ota/report/{PRODUCT}/two"), r#"{"type":"report_version","report":{"version":"6.6"}}"#),
        (format!("$shadow/operation/{PRODUCT}/two"), r#"{"type":"get","clientToken":"t"}"#),
        (format!("{PRODUCT}/two/data"), "x"),
    ];
    // What only the cloud says, bound or not.
    let clouds = [format!("$ota/update/{PRODUCT}/two"), format!("$shadow/operation/result/{PRODUCT}/two")];
    let refused = |client: &mut Client<TcpStream>, topic: &str, payload: &str| {
        client.publish(topic, payload);
        hub.event("warning", |event| {
            event["client_id"] == ONE && event["text"].as_str().is_some_and(|text| text.contains(topic))
        });
    };
    for (topic, payload) in &said {
        refused(&mut one.client, topic, payload);
    }
    let list = console.get("/api/devices").good(200);
    let behind = list["devices"].as_array().expect("a list").iter().find(|device| device["client_id"] == TWO);
    assert_eq!(behind.expect("the device").get("version").filter(|version| !version.is_null()), None);

    console.post(&path, &json!({ "client_id": TWO })).good(200);
    assert_eq!(one.heard()["type"], "change");
    for filter in of_two.iter().chain([&data]) {
        assert!(is_granted(&mut one.client, filter), "{filter}");
    }
    assert!(!is_granted(&mut one.client, &own));
    for topic in &clouds {
        refused(&mut one.client, topic, "{}");
    }
    // The first that it hears are the answers to what it says for the device, and its data.
    let (topic, payload) = &said[1];
    one.client.send(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, *payload)));
    assert_eq!(one.client.message().topic, format!("$shadow/operation/result/{PRODUCT}/two"));
    let (topic, payload) = &said[2];
    one.client.send(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, *payload)));
    assert_eq!(one.client.message().topic, *topic);

    // With the bond goes what it has subscribed to.
    console.delete(&format!("{path}/{TWO}")).good(204);
    assert_eq!(one.heard()["type"], "change");
    two.send(&Packet::Publish(Publish::new(&said[1].0, QoS::AtMostOnce, said[1].1)));
    two.send(&Packet::Publish(Publish::new(&said[2].0, QoS::AtMostOnce, said[2].1)));
    hub.event("message", |event| event["client_id"] == TWO && event["topic"] == said[2].0.as_str());
    assert_eq!(one.describe(), json!([]));
}

#[test]
fn a_device_behind_a_gateway_is_upgraded() {
    let (_desk, hub, console) = start();
    console.post(&format!("/api/gateways/{ONE}/devices"), &json!({ "client_id": TWO })).good(200);
    let firmware = console.upload(&format!("product_id={PRODUCT}&version=2.0"), &common::firmware()).good(201);
    let mut one = Gateway::new(&hub, "one");
    assert_eq!(one.ask("online", entry("two")), 0);
    let mut subscribe = Subscribe::new(format!("$ota/update/{PRODUCT}/two"), QoS::AtLeastOnce);
    subscribe.pkid = 8;
    one.client.send(&Packet::Subscribe(subscribe));
    assert!(matches!(one.client.receive(), Some(Packet::SubAck(_))));

    let order = json!({ "firmware_id": firmware["id"], "scope": "chosen", "devices": [TWO] });
    let upgrade = console.post("/api/upgrades", &order).good(201);
    let command = one.client.message();
    assert_eq!(command.topic, format!("$ota/update/{PRODUCT}/two"));
    assert_eq!(common::json(&command.payload)["type"], "update_firmware");
    let report = r#"{"type":"report_progress","report":{"progress":{"state":"done","result_code":"0","result_msg":""},"version":"2.0"}}"#;
    one.client.publish(&format!("$ota/report/{PRODUCT}/two"), report);
    assert_eq!(console.get(&format!("/api/upgrades/{}", upgrade["id"])).good(200)["jobs"][0]["state"], "done");
}

#[test]
fn the_command_line_binds_and_lists() {
    let (desk, _hub, _console) = start();
    let run = |args: &[&str]| {
        let output = desk.output(&[&["gateways"], args, &["--state", "state"]].concat());
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(run(&[]).1, "no device is bound to a gateway\n");
    assert_eq!(run(&["bind", ONE, TWO]).1, format!("bound {TWO} to {ONE}\n"));
    let (_, listed, _) = run(&["list"]);
    let row: Vec<&str> = listed.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row, [ONE, "no", TWO, "no"]);
    let (code, _, complaint) = run(&["bind", CERT, TWO]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains(ONE), "{complaint}");
    assert_eq!(run(&["search", ONE]).0, Some(1));
    assert_eq!(run(&["unbind", ONE, TWO]).1, format!("unbound {TWO} from {ONE}\n"));
    assert_eq!(run(&["unbind", ONE]).0, Some(2));
    assert_eq!(run(&["unbind", ONE, "--all", "--json"]).0, Some(0));
    assert_eq!(common::json(run(&["--json"]).1.as_bytes()), json!({ "gateways": [] }));
}

#[test]
fn gateways_come_in_pages_of_their_devices() {
    let (_desk, _hub, console) = start();
    for device in [TWO, CERT] {
        console.post(&format!("/api/gateways/{ONE}/devices"), &json!({ "client_id": device })).good(200);
    }
    let bound = |page: &Value| -> Vec<String> {
        let gateways = page["gateways"].as_array().expect("gateways");
        let devices = gateways.iter().flat_map(|one| one["devices"].as_array().expect("devices"));
        devices.map(|device| device["client_id"].as_str().expect("an id").to_owned()).collect()
    };
    let first = console.get("/api/gateways?limit=1").good(200);
    let next = format!("{ONE}/{CERT}");
    assert_eq!((bound(&first), &first["next"]), (vec![CERT.to_owned()], &json!(next)));
    let rest = console.get(&format!("/api/gateways?limit=1&after={next}")).good(200);
    assert_eq!((bound(&rest), &rest["next"]), (vec![TWO.to_owned()], &Value::Null));
    let behind = console.get(&format!("/api/gateways/{ONE}/devices?limit=1&search=tw")).good(200);
    assert_eq!((&behind["devices"][0]["client_id"], &behind["next"]), (&json!(TWO), &Value::Null));
    console.get("/api/gateways/nothing/devices").refusal(404);
}
