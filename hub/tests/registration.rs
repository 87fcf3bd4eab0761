//! Dynamic registration: a person at the API or the command line on one side, a device on the other.

mod common;

use std::io::{Read, Write};

use base64::prelude::{Engine, BASE64_STANDARD};
use common::console::Console;
use common::{device, tcp, Desk, Hub, ONE, PRODUCT};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{json, Value};
use sha1::Sha1;

const PRODUCT_SECRET: &str = "0123456789abcdef01234567";

fn start() -> (Desk, Hub, Console) {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state"]);
    let console = Console::of(&hub);
    (desk, hub, console)
}

/// The request as the C SDK makes it.
fn request(name: &str, secret: &str) -> String {
    let text = format!("deviceName={name}&nonce=5&productId={PRODUCT}&timestamp=1795887523");
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    let signature = BASE64_STANDARD.encode(hex::encode(mac.finalize().into_bytes()));
    let body = json!({
        "deviceName": name, "nonce": 5, "productId": PRODUCT, "timestamp": 1_795_887_523_u64, "signature": signature
    });
    body.to_string()
}

fn answer(hub: &Hub, body: &str) -> String {
    let mut stream = tcp(hub.text("http").trim_start_matches("http://"));
    let head = format!(
        "POST /register/dev HTTP/1.1\r\nHost: gateway.tencentdevices.com\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn ask(hub: &Hub, body: &str) -> Value {
    let answer = answer(hub, body);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    // Spelt as the C SDK needs it.
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn a_device_of_a_product_that_is_switched_on_registers_until_it_has_reported() {
    let (_desk, hub, console) = start();
    let refused = |name: &str, secret: &str| ask(&hub, &request(name, secret))["code"].clone();
    assert_eq!(refused("one", PRODUCT_SECRET), json!(1006));
    let path = format!("/api/products/{PRODUCT}/registration");
    let on = console.post(&path, &json!({ "enabled": true, "secret": PRODUCT_SECRET })).good(200);
    let product = json!({ "product_id": PRODUCT, "registration": true });
    assert_eq!(on, json!({ "product": product, "secret": PRODUCT_SECRET }));
    assert_eq!(console.get("/api/products").good(200), json!({ "products": [product] }));

    assert_eq!(refused("one", "another secret, 24 of it"), json!(1005));
    assert_eq!(refused("nobody", PRODUCT_SECRET), json!(1007));
    assert_eq!(ask(&hub, "no JSON")["code"], json!(1004));
    let granted = ask(&hub, &request("one", PRODUCT_SECRET));
    assert_eq!((&granted["code"], &granted["message"], &granted["len"]), (&json!(0), &json!(""), &json!(53)));
    hub.event("registered", |event| event["client_id"] == ONE);
    // A lost answer may be asked for again: another secret.
    let again = ask(&hub, &request("one", PRODUCT_SECRET));
    assert_eq!(again["code"], json!(0));
    assert_ne!(again["payload"], granted["payload"]);
    // A certificate is longer.
    assert!(ask(&hub, &request("cert", PRODUCT_SECRET))["len"].as_u64().expect("a length") > 500);

    let off = console.post(&path, &json!({ "enabled": false })).good(200);
    assert_eq!(off["secret"], json!(PRODUCT_SECRET));
    assert_eq!(refused("one", PRODUCT_SECRET), json!(1009));
    console.post(&path, &json!({ "enabled": true })).good(200);

    let mut two = device(&hub, &format!("{PRODUCT}two"));
    let report = br#"{"type":"report_version","report":{"version":"1.0"}}"#;
    let topic = format!("$ota/report/{PRODUCT}/two");
    let message = rumqttc::mqttbytes::v4::Publish::new(topic, rumqttc::mqttbytes::QoS::AtMostOnce, &report[..]);
    two.send(&rumqttc::mqttbytes::v4::Packet::Publish(message));
    hub.event("version", |_| true);
    assert_eq!(refused("two", PRODUCT_SECRET), json!(1008));
}

#[test]
fn fault_rules_hold_for_registration_too() {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state", "--fault", "http:status=503#1"]);
    let on = json!({ "enabled": true, "secret": PRODUCT_SECRET });
    Console::of(&hub).post(&format!("/api/products/{PRODUCT}/registration"), &on).good(200);
    let body = request("one", PRODUCT_SECRET);
    assert!(answer(&hub, &body).starts_with("HTTP/1.1 503 "));
    assert_eq!(ask(&hub, &body)["code"], json!(0));
    let long = format!("{body}{}", " ".repeat(70_000));
    assert_eq!(ask(&start().1, &long)["code"], json!(1004));
}

#[test]
fn the_command_line_switches_registration() {
    let (desk, hub, console) = start();
    let run = |args: &[&str]| {
        let output = desk.output(&[&["registration"], args, &["--state", "state"]].concat());
        String::from_utf8([output.stdout, output.stderr].concat()).expect("text")
    };
    assert_eq!(run(&[]), "no products with a secret\n");
    desk.write("secret", b"0123456789abcdef01234567\n");
    let on = format!("devices of product {PRODUCT} may register\nsecret: {PRODUCT_SECRET}\n");
    assert_eq!(run(&["on", PRODUCT, "--secret-file", "secret"]), on);
    assert_eq!(ask(&hub, &request("one", PRODUCT_SECRET))["code"], json!(0));
    assert_eq!(run(&["off", PRODUCT]), format!("devices of product {PRODUCT} may not register any more\n"));
    // The secret stays.
    assert_eq!(run(&["on", PRODUCT]), on);
    let made = run(&["on", "OTHER"]);
    assert!(made.starts_with("devices of product OTHER may register\nsecret: ") && made.trim().len() == 70, "{made}");
    assert!(run(&["list"]).contains("OTHER"), "{}", run(&["list"]));
    assert!(run(&["on", "a b"]).contains("product id"));
    let path = format!("/api/products/{PRODUCT}/registration");
    let bad = console.post(&path, &json!({ "enabled": true, "secret": "short" })).refusal(400);
    assert!(bad.contains("16 to 32"), "{bad}");
}
