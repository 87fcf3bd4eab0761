//! Files for devices and of devices: API and web server on one side, a device on the other (resource.md section 8).

mod common;

use std::io::{Read, Write};

use base64::prelude::{Engine, BASE64_STANDARD};
use common::console::Console;
use common::{device, json, tcp, Client, Desk, Hub, ONE, PRODUCT, TWO};
use md5::{Digest, Md5};
use rumqttc::mqttbytes::v4::{Packet, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::QoS;
use serde_json::{json, Value};

const FILE: &[u8] = b"what goes up or down";

fn start(args: &[&str]) -> (Desk, Hub, Console) {
    let desk = Desk::new();
    let hub = desk.start_plain(&[&["--state", "state", "--scheme", "http"], args].concat());
    let console = Console::of(&hub);
    (desk, hub, console)
}

fn up() -> String {
    format!("$resource/up/service/{PRODUCT}/one")
}

fn down() -> String {
    format!("$resource/down/service/{PRODUCT}/one")
}

/// What the device is told next.
fn told(client: &mut Client<std::net::TcpStream>) -> Value {
    let message = client.message();
    assert_eq!(message.topic, down());
    json(&message.payload)
}

/// The status of a request to the URL of a task, as the hub handed it out but for `change`.
fn request(url: &str, method: &str, fields: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let (address, target) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = tcp(address);
    let head = format!("{method} /{target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).expect("send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_off(text.find("\r\n\r\n").expect("a head") + 4))
}

fn put(url: &str, md5_of: &[u8], body: &[u8]) -> u16 {
    let digest = BASE64_STANDARD.encode(Md5::digest(md5_of));
    let fields = format!("Content-MD5:{digest}\r\nContent-Length: {}\r\n", body.len());
    request(url, "PUT", &fields, body).0
}

#[test]
fn a_file_waits_for_its_device_and_is_told_of_to_the_end() {
    let (_desk, hub, console) = start(&[]);
    let path = format!("/api/devices/{ONE}/resources");
    let sent = console.request("POST", &format!("{path}?name=song"), Some("application/octet-stream"), FILE).good(201);
    assert_eq!((&sent["name"], &sent["size"], &sent["state"]), (&json!("song"), &json!(20), &json!("waiting")));

    let mut one = device(&hub, ONE);
    one.subscribe(&down());
    one.publish(&up(), r#"{"type": "get_download_task"}"#);
    let task = told(&mut one);
    assert_eq!((&task["type"], &task["name"]), (&json!("get_download_task_rsp"), &json!("song")));
    assert_eq!(task["md5sum"], json!(hex::encode(Md5::digest(FILE))));
    let url = task["url"].as_str().expect("a URL");
    assert_eq!(request(url, "GET", "", b""), (200, FILE.to_vec()));
    assert_eq!(request(url, "GET", "Range: bytes=5-\r\n", b"").0, 206);
    assert_eq!(put(url, FILE, FILE), 404, "nothing is uploaded there");

    one.publish(&up(), r#"{"type":"report_download_progress","name":"song","progress":{"percent":31,"state":"downloading","result_code":0,"result_msg":""}}"#);
    assert_eq!(told(&mut one), json!({"type":"report_download_progress_rsp","result_code":0,"result_msg":"ok"}));
    one.publish(&up(), r#"{"type":"report_download_progress","name":"song","progress":{"state":"done","result_code":0,"result_msg":""}}"#);
    told(&mut one);
    let list = console.get(&path).good(200);
    let row = &list["resources"][0];
    assert_eq!((&row["state"], &row["percent"], &row["result_code"]), (&json!("done"), &json!(31), &json!(0)));

    // One that is there is told at once.
    console.request("POST", &format!("{path}?name=next"), Some("application/octet-stream"), FILE).good(201);
    let task = told(&mut one);
    assert_eq!((&task["type"], &task["name"]), (&json!("download"), &json!("next")));
}

/// The URL for an upload of the file, as a device is told it.
fn announced(hub: &Hub) -> String {
    let mut one = device(hub, ONE);
    one.subscribe(&down());
    let md5 = hex::encode(Md5::digest(FILE));
    one.publish(&up(), &format!(r#"{{"type": "create_upload_task","size": 20,"name": "n","md5sum": "{md5}"}}"#));
    let task = told(&mut one);
    assert_eq!((&task["type"], &task["size"]), (&json!("create_upload_task_rsp"), &json!(20)));
    task["url"].as_str().expect("a URL").to_owned()
}

#[test]
fn a_device_that_uploads_too_often_is_told_to_wait() {
    let (_desk, hub, _console) = start(&["--device-uploads", "1"]);
    let url = announced(&hub);
    assert_eq!([(); 3].map(|()| put(&url, FILE, FILE)), [200, 429, 429]);
}

#[test]
fn an_upload_is_taken_where_it_is_the_announced_one() {
    let (_desk, hub, console) = start(&[]);
    let url = &announced(&hub);

    let other = [b"W", &FILE[1..]].concat();
    assert_eq!(put(url, FILE, &FILE[1..]), 400, "another length");
    assert_eq!(put(url, FILE, &other), 400, "damaged on its way");
    assert_eq!(put(url, &other, FILE), 400, "its Content-MD5 is another one's");
    assert_eq!(put(url, &other, &other), 400, "another file");
    assert_eq!(put(&url.replace("q-signature%3D", "q-signature%3D0"), FILE, FILE), 403);
    assert_eq!(put(url.split('?').next().expect("a path"), FILE, FILE), 403);
    assert_eq!(request(url, "GET", "", b"").0, 404, "it is not there yet");
    let id = &console.get(&format!("/api/devices/{ONE}/resources")).good(200)["resources"][0]["id"];
    assert!(console.get(&format!("/api/resources/{id}")).refusal(409).contains("has not come"));

    assert_eq!(put(url, FILE, FILE), 200);
    assert_eq!(request(url, "GET", "", b""), (200, FILE.to_vec()));
    let stored = &console.get(&format!("/api/devices/{ONE}/resources")).good(200)["resources"][0];
    assert_eq!((&stored["direction"], &stored["stored"]), (&json!("upload"), &json!(true)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (_desk, hub, console) = start(&[]);
    let mut one = device(&hub, ONE);
    one.subscribe(&down());
    for question in [
        r#"{"type": "create_upload_task","size": 20,"name": "n","md5sum": "m"}"#,
        r#"{"type": "create_upload_task","size": 0,"name": "n","md5sum": "00000000000000000000000000000000"}"#,
        r#"{"type": "create_upload_task","size": 20,"name": "","md5sum": "00000000000000000000000000000000"}"#,
        r#"{"type": "create_upload_task","size": 99999999,"name": "n","md5sum": "00000000000000000000000000000000"}"#,
    ] {
        one.publish(&up(), question);
        let refusal = told(&mut one);
        assert_eq!((&refusal["result_code"], refusal.get("url")), (&json!(-1), None), "{question}");
    }
    one.publish(&up(), "no JSON");
    hub.event("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("cannot be read")));

    // A device hears what is its own, only.
    let mut two = device(&hub, TWO);
    two.send(&Packet::Subscribe(Subscribe::new(down(), QoS::AtLeastOnce)));
    let Some(Packet::SubAck(granted)) = two.receive() else { panic!("no SUBACK") };
    assert_eq!(granted.return_codes, [SubscribeReasonCode::Failure]);

    let post = |path: &str, body: &[u8]| console.request("POST", path, Some("application/octet-stream"), body);
    assert!(post("/api/devices/NOSUCH/resources?name=n", FILE).refusal(404).contains("NOSUCH"));
    assert!(post(&format!("/api/devices/{ONE}/resources?name="), FILE).refusal(400).contains("name"));
    assert!(post(&format!("/api/devices/{ONE}/resources?name=n"), b"").refusal(400).contains("bytes"));
    console.get("/api/resources/99").refusal(404);
}
