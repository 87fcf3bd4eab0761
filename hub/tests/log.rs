//! Log lines that devices upload: by HTTP in both forms of the C SDK, with the level by MQTT.

mod common;

use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use common::console::Console;
use common::{device, tcp, Desk, Hub, CERT, ONE, PRODUCT, SECRET};
use hmac::{Hmac, KeyInit, Mac};
use rumqttc::mqttbytes::v4::{Packet, Publish};
use rumqttc::mqttbytes::QoS;
use serde_json::{json, Value};
use sha1::Sha1;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

fn start(args: &[&str]) -> (Desk, Hub, Console) {
    let desk = Desk::new();
    let hub = desk.start_plain(&[&["--state", "state"], args].concat());
    let console = Console::of(&hub);
    (desk, hub, console)
}

/// An upload in the earlier form, signed with the first 24 characters of `key`.
fn report(key: &str, kind: &str, name: &str, time: u64, lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\n\x0c")).collect();
    let rest = format!("{kind:#<4}{PRODUCT:#<10}{name:#<48}{time:010}{lines}");
    let mut mac = Hmac::<Sha1>::new_from_slice(&key.as_bytes()[..24]).expect("any key");
    mac.update(rest.as_bytes());
    format!("{}{rest}", hex::encode(mac.finalize().into_bytes())).into_bytes()
}

/// Posts a body as the C SDK does, and returns the whole answer; the hub may keep the connection open.
fn post(hub: &Hub, body: &[u8]) -> String {
    let address = hub.text("http").strip_prefix("http://").expect("address").to_owned();
    let mut stream = tcp(&address);
    let head = format!(
        "POST /cgi-bin/report-log HTTP/1.1\r\nHost: devicelog.iot.cloud.tencent.com\r\nAccept:application/json;*/*\r\n\
         Content-Length: {}\r\nContent-Type: text/plain;charset=utf-8\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn texts(console: &Console, path: &str) -> Vec<String> {
    let log = console.get(path).good(200);
    let lines = log["lines"].as_array().expect("lines").iter();
    lines.map(|line| line["text"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn what_a_device_uploads_is_kept_and_shown() {
    let (desk, hub, console) = start(&[]);
    let path = format!("/api/devices/{ONE}/log");
    let answer = post(&hub, &report(SECRET, "P", "one", now(), &["ERR|first", "WRN|second ü"]));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Length: 29\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"Retcode\":0,\"Msg\":\"success\"}"), "{answer}");
    let event = hub.event("log", |_| true);
    assert_eq!((&event["client_id"], &event["lines"]), (&json!(ONE), &json!(["ERR|first", "WRN|second ü"])));
    // A device that does not know the time is believed.
    assert!(post(&hub, &report(SECRET, "P", "one", 0, &["ERR|third"])).contains("success"));
    let log = console.get(&path).good(200);
    assert_eq!((&log["level"], log["lines"].as_array().map(Vec::len)), (&json!(1), Some(3)));
    assert!(log["lines"][0]["sent_at"].is_u64() && log["lines"][2]["sent_at"].is_null());
    assert_eq!(texts(&console, &format!("{path}?limit=1")), ["ERR|third"]);
    assert_eq!(texts(&console, &format!("{path}?after={}", log["lines"][0]["id"])), ["WRN|second ü", "ERR|third"]);
    let output = desk.output(&["log", ONE, "--lines", "2", "--state", "state"]);
    assert_eq!(String::from_utf8(output.stdout).expect("text"), "WRN|second ü\nERR|third\n");
    desk.output(&["log", ONE, "--clear", "--state", "state"]);
    assert_eq!(texts(&console, &path), Vec::<String>::new());
    console.get("/api/devices/nobody/log").refusal(404);
}

#[test]
fn an_upload_that_is_not_the_devices_is_refused() {
    let (_desk, hub, console) = start(&[]);
    let refused = |body: &[u8], part: &str| {
        let answer = post(&hub, body);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(part), "{answer}");
        hub.event("warning", |_| true);
    };
    let sign = r#"{"Retcode":-1,"Msg":"sign"}"#;
    refused(&report("another secret, as long as needed", "P", "one", now(), &["x"]), sign);
    refused(&report(SECRET, "P", "nobody", now(), &["x"]), sign);
    refused(&report(SECRET, "P", "one", now() - 1000, &["x"]), sign);
    let mut changed = report(SECRET, "P", "one", now(), &["x"]);
    changed.push(b'y');
    refused(&changed, sign);
    refused(b"no upload", r#""Msg":"form""#);
    refused(&vec![b'x'; 70_000], r#""Msg":"#);
    assert_eq!(texts(&console, &format!("/api/devices/{ONE}/log")), Vec::<String>::new());
}

#[test]
fn a_device_with_a_certificate_signs_with_its_first_line() {
    let (desk, hub, console) = start(&[]);
    let pem = std::fs::read_to_string(desk.path(&format!("state/clients/{CERT}.crt"))).expect("the certificate");
    let key = pem.lines().nth(1).expect("a line");
    assert!(post(&hub, &report(key, "C", "cert", now(), &["ERR|one"])).contains("success"));
    assert_eq!(texts(&console, &format!("/api/devices/{CERT}/log")), ["ERR|one"]);
}

#[test]
fn uploads_meet_the_faults_of_the_firmware_servers() {
    let (_desk, hub, console) = start(&["--fault", "http:status=403#1", "--fault", "http:chunked=5#2"]);
    let body = report(SECRET, "P", "one", now(), &["ERR|one"]);
    assert!(post(&hub, &body).starts_with("HTTP/1.1 403 "));
    let chunked = post(&hub, &body);
    assert!(chunked.contains("Transfer-Encoding: chunked\r\n") && chunked.contains("\r\n1d\r\n{\"Ret"), "{chunked}");
    assert!(post(&hub, &body).contains("success"));
    // The hub has taken them in all the same: the answer alone was spoilt.
    assert_eq!(texts(&console, &format!("/api/devices/{ONE}/log")).len(), 3);
}

#[test]
fn the_level_is_asked_for_and_pushed() {
    let (desk, hub, console) = start(&["--fault", "mqtt:message=text:{}@level#4"]);
    let mut one = device(&hub, ONE);
    one.subscribe(&format!("$log/operation/result/{PRODUCT}/one"));
    let ask = |one: &mut common::Client<std::net::TcpStream>| {
        let question = br#"{"type": "get_log_level", "clientToken": "P-7"}"#;
        let topic = format!("$log/operation/{PRODUCT}/one");
        one.send(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, &question[..])));
        common::json(&one.message().payload)
    };
    let answer = ask(&mut one);
    assert_eq!((&answer["type"], &answer["clientToken"]), (&json!("get_log_level"), &json!("P-7")));
    assert_eq!((&answer["log_level"], &answer["result"]), (&json!(1), &json!(0)));
    assert!(answer["timestamp"].as_u64().is_some_and(|at| now().abs_diff(at) < 600));

    let set = console.post(&format!("/api/devices/{ONE}/log-level"), &json!({ "level": 4 })).good(200);
    assert_eq!(set, json!({ "client_id": ONE, "level": 4, "sent": true }));
    assert_eq!(common::json(&one.message().payload)["log_level"], 4);
    assert_eq!(ask(&mut one)["log_level"], 4);
    assert_eq!(ask(&mut one), json!({}), "by the fault");
    let output = desk.output(&["log", CERT, "--level", "0", "--json", "--state", "state"]);
    let set: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(set, json!({ "client_id": CERT, "level": 0, "sent": false }));
    let refused = console.post(&format!("/api/devices/{ONE}/log-level"), &json!({ "level": 5 }));
    assert!(refused.refusal(400).contains("0 to 4"));
}

#[test]
fn a_device_that_uploads_too_often_is_told_to_wait_and_a_person_once() {
    let (_desk, hub, console) = start(&["--device-uploads", "1"]);
    let upload = report(SECRET, "P", "one", now(), &["DBG|a"]);
    assert!(post(&hub, &upload).starts_with("HTTP/1.1 200"));
    for _ in 0..2 {
        let answer = post(&hub, &upload);
        assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("\r\nRetry-After: "), "{answer}");
    }
    // What somebody else signs in its name costs it nothing, and another device has its own.
    assert!(post(&hub, &report(SECRET, "P", "two", now(), &["DBG|a"])).starts_with("HTTP/1.1 200"));
    assert_eq!(texts(&console, &format!("/api/devices/{ONE}/log")), ["DBG|a"]);
    let warning = hub.event("warning", |_| true);
    assert_eq!(
        (&warning["client_id"], &warning["text"]),
        (&ONE.into(), &"uploads more than 1 times a minute: it is refused".into())
    );
}
