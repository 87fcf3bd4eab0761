//! What a hub keeps, and how it ends and begins.

mod common;

use std::io::Write;
use std::process::Command;

use common::{device, json, tcp, Client, Desk, Hub, ONE, PRODUCT, TWO};
use serde_json::{json, Value};
use ureq::http::Response;
use ureq::{Agent, Body};

const REPORT: &str = "$ota/report/ABCDEFGHIJ/one";
const UPDATE: &str = "$ota/update/ABCDEFGHIJ/one";

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

/// A request to the API: its status and what it answers.
fn ask(hub: &Hub, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    let url = format!("{}{path}", hub.text("console"));
    let kind = if path.starts_with("/api/firmware") { "application/octet-stream" } else { "application/json" };
    let request = ureq::http::Request::builder().method(method).uri(url).header("Content-Type", kind);
    let outcome = match body {
        [] => agent().run(request.body(()).expect("request")),
        _ => agent().run(request.body(body).expect("request")),
    };
    let mut response: Response<Body> = outcome.expect("answer");
    let text = response.body_mut().read_to_vec().expect("body");
    (response.status().as_u16(), if text.is_empty() { Value::Null } else { json(&text) })
}

fn get(hub: &Hub, path: &str) -> Value {
    let (status, answer) = ask(hub, "GET", path, b"");
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn upload(hub: &Hub, version: &str, content: &[u8]) -> (u16, Value) {
    ask(hub, "POST", &format!("/api/firmware?product_id={PRODUCT}&version={version}"), content)
}

fn order(hub: &Hub, body: &Value) -> Value {
    let (status, answer) = ask(hub, "POST", "/api/upgrades", body.to_string().as_bytes());
    assert_eq!(status, 201, "{answer}");
    answer
}

fn version(version: &str) -> String {
    format!(r#"{{"type": "report_version", "report":{{"version":"{version}"}}}}"#)
}

/// The next update command; answers to reports are passed over.
fn command<S: std::io::Read + Write>(client: &mut Client<S>) -> Value {
    loop {
        let message = json(&client.message().payload);
        if message["type"] == "update_firmware" {
            return message;
        }
    }
}

fn kill(hub: &mut Hub) {
    hub.child.kill().expect("kill -9");
    hub.child.wait().expect("wait");
}

/// What a firmware server answers to a URL of `hub`, or of one before it that listened elsewhere.
fn fetch(hub: &Hub, url: &str) -> u16 {
    let target = url.splitn(4, '/').nth(3).expect("a path");
    let response = agent().get(format!("{}/{target}", hub.text("http"))).call();
    response.expect("answer").status().as_u16()
}

#[test]
fn what_is_acknowledged_survives_a_kill() {
    let desk = Desk::new();
    let mut last = Value::Null;
    for round in 0..10 {
        let mut hub = desk.start_plain(&["--state", "state"]);
        let devices = get(&hub, "/api/devices")["devices"].clone();
        let devices = devices.as_array().expect("a list");
        let known = devices.iter().find(|device| device["client_id"] == ONE).expect("the device");
        assert_eq!(known["version"], last);
        let mut one = device(&hub, ONE);
        one.publish(REPORT, &version(&format!("1.{round}")));
        kill(&mut hub);
        last = format!("1.{round}").into();
    }
}

#[test]
fn a_killed_hub_has_lost_nothing() {
    let desk = Desk::new();
    let args = ["--state", "state", "--scheme", "http"];
    let mut hub = desk.start_plain(&[&args[..], &["--url-lifetime", "0"]].concat());
    assert_eq!(upload(&hub, "2.0", b"firmware").0, 201);
    // This one is told before the end, the other one is not there.
    let mut two = device(&hub, TWO);
    two.subscribe("$ota/update/ABCDEFGHIJ/two");
    two.publish("$ota/report/ABCDEFGHIJ/two", &version("1.0"));
    let upgrade = order(&hub, &json!({ "firmware_id": 1, "scope": "all" }));
    assert_eq!(upgrade["counts"], json!({ "waiting": 2, "running": 1, "done": 0, "failed": 0, "cancelled": 0 }));
    let old = command(&mut two)["url"].as_str().expect("URL").to_owned();
    kill(&mut hub);

    // Without the list of devices: they are known.
    let mut next = desk.command();
    next.args(["run", "--json"]).args(args);
    let mut hub = Hub::launch(next);
    let order = &get(&hub, "/api/upgrades")["upgrades"][0];
    assert_eq!((&order["id"], &order["counts"]), (&upgrade["id"], &upgrade["counts"]));
    let mut one = device(&hub, ONE);
    one.subscribe(UPDATE);
    one.publish(REPORT, &version("1.0"));
    let good = command(&mut one);
    assert_eq!((&good["version"], &good["file_size"]), (&"2.0".into(), &8.into()));
    assert_eq!(fetch(&hub, good["url"].as_str().expect("URL")), 200);

    // What the killed hub signed has come to its end; whoever asks anew gets a URL that opens.
    while fetch(&hub, &old) != 403 {}
    let event = hub.event("http", |event| event["status"] == 403);
    assert!(event["reason"].as_str().is_some_and(|reason| reason.contains("expired")), "{event}");
    let mut two = device(&hub, TWO);
    two.subscribe("$ota/update/ABCDEFGHIJ/two");
    two.publish("$ota/report/ABCDEFGHIJ/two", &version("1.0"));
    let fresh = command(&mut two)["url"].as_str().expect("URL").to_owned();
    assert_ne!(fresh, old);
    assert_eq!(fetch(&hub, &fresh), 200);
    assert_eq!(fetch(&hub, &fresh.replace("%26", "&")), 403);

    two.publish("$ota/report/ABCDEFGHIJ/two", &version("2.0"));
    hub.event("version", |event| event["version"] == "2.0");
    hub.say("quit");
    assert_eq!(hub.exit_code(), Some(0));
    let hub = desk.start_plain(&args);
    let jobs = get(&hub, "/api/upgrades/1")["jobs"].clone();
    let states: Vec<&Value> = jobs.as_array().expect("jobs").iter().map(|job| &job["state"]).collect();
    assert_eq!(states, ["waiting", "sent", "done"]);
}

#[test]
fn a_device_added_while_the_hub_runs_gets_in_until_its_secret_is_renewed() {
    let desk = Desk::new();
    let hub = desk.start_plain(&[]);
    let body =
        json!({ "product_id": PRODUCT, "device_name": "new", "proof": "secret", "secret": "MTIzNDU2Nzg5MGFiY2RlZg==" });
    let (status, added) = ask(&hub, "POST", "/api/devices", body.to_string().as_bytes());
    assert_eq!((status, &added["device"]["online"]), (201, &false.into()));
    let id = format!("{PRODUCT}new");
    let mut client = device(&hub, &id);
    client.publish("a", "b");
    let (status, renewed) = ask(&hub, "POST", &format!("/api/devices/{id}/renew"), b"");
    assert_eq!(status, 200);
    assert_ne!(renewed["secret"], added["secret"]);
    assert_eq!(client.receive(), None);
    let mut client = Client::new(hub.connect());
    assert_eq!(client.connect(common::connect_packet(&id)).code as u8, 4);
    assert_eq!(ask(&hub, "DELETE", &format!("/api/devices/{id}"), b"").0, 204);
    let mut client = Client::new(hub.connect());
    assert_eq!(client.connect(common::connect_packet(&id)).code as u8, 2);
    // Shown once: lists do not hold it.
    assert!(!get(&hub, "/api/devices").to_string().contains("secret\":\""));
}

#[test]
fn the_devices_of_the_folder_are_waited_for_where_no_list_names_any() {
    let desk = Desk::with_devices(&["one"]);
    let mut hub = desk.start_plain(&["--state", "state"]);
    hub.say(&format!("upgrade {ONE}"));
    assert!(hub.event("warning", |_| true)["text"].as_str().is_some_and(|text| text.contains("no firmware")));
    hub.say("quit");
    assert_eq!(hub.exit_code(), Some(0));
    let mut next = desk.command();
    next.args([
        "run",
        "--json",
        "--state",
        "state",
        "--firmware",
        "firmware.bin",
        "--version",
        "2.0",
        "--exit-when-done",
    ]);
    let mut hub = Hub::launch(next);
    hub.say(&format!("upgrade {ONE}"));
    assert!(hub.event("note", |_| true)["text"].as_str().is_some_and(|text| text.contains("told when they come")));
    let mut one = device(&hub, ONE);
    one.subscribe(UPDATE);
    assert_eq!(command(&mut one)["version"], "2.0");
    one.publish(REPORT, r#"{"type":"report_progress","report":{"progress":{"state":"done"},"version":"2.0"}}"#);
    assert_eq!(hub.exit_code(), Some(0));
}

#[test]
fn without_space_nothing_is_half_stored() {
    let desk = Desk::new();
    // bash counts 1024 bytes a block: no file may grow beyond 1 MiB. That fails as a full disk does, once its signal
    // is ignored.
    let mut limited = Command::new("bash");
    limited.current_dir(desk.folder.path()).env("TMPDIR", desk.folder.path());
    let script = r#"trap "" XFSZ; ulimit -f 1024; exec "$0" run --json --devices devices.json --state state"#;
    limited.args(["-c", script, env!("CARGO_BIN_EXE_hub")]);
    let hub = Hub::launch(limited);
    let (status, problem) = upload(&hub, "2.0", &vec![7; 3 << 20]);
    assert_eq!(status, 507, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("no space left")), "{problem}");
    let left = std::fs::read_dir(desk.path("state/firmware")).expect("folder").count();
    assert_eq!((left, &get(&hub, "/api/firmware")["firmware"]), (0, &json!([])));
    assert_eq!(upload(&hub, "2.0", b"small").0, 201);
}

#[test]
fn two_hubs_share_a_data_folder() {
    let desk = Desk::new();
    let one = desk.start_plain(&["--state", "state", "--scheme", "http"]);
    let two = desk.start_plain(&["--state", "state", "--scheme", "http"]);
    assert_eq!(one.text("ca_file"), two.text("ca_file"));
    let mut client = device(&two, ONE);
    client.subscribe(UPDATE);
    let mut changes = agent().get(format!("{}/api/events", two.text("console"))).call().expect("events");
    let mut changes = std::io::BufReader::new(changes.body_mut().as_reader());
    let mut resets = 0;
    let mut wait_for_reset = || loop {
        let mut line = String::new();
        assert_ne!(std::io::BufRead::read_line(&mut changes, &mut line).expect("events"), 0);
        if line.trim_end() == "event: reset" || line.trim_end() == "event:reset" {
            resets += 1;
            return;
        }
    };
    wait_for_reset();
    assert_eq!(upload(&one, "2.0", b"firmware").0, 201);
    wait_for_reset();
    // The order is given at one hub; the device is at the other, which finds it and signs with the same key.
    order(&one, &json!({ "firmware_id": 1, "scope": "chosen", "devices": [ONE] }));
    let command = command(&mut client);
    assert_eq!(fetch(&one, command["url"].as_str().expect("URL")), 200);
    assert_eq!(fetch(&two, command["url"].as_str().expect("URL")), 200);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("state")).expect("folder");
    desk.write("state/hub.db", &[7; 4096]);
    let output = desk.output(&["run", "--devices", "devices.json", "--state", "state"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("state/hub.db") && text.contains("no database"), "{text}");

    std::fs::remove_file(desk.path("state/hub.db")).expect("remove");
    desk.write("state/signing.key", b"short");
    let output = desk.output(&["run", "--devices", "devices.json", "--state", "state"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("signing.key"));
    desk.write("state.file", b"");
    let output = desk.output(&["run", "--devices", "devices.json", "--state", "state.file"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("state.file"));
}

#[test]
fn secrets_are_for_their_owner_and_never_told() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let mut hub = desk.start_plain(&["--state", "state"]);
    for name in ["hub.db", "hub.db-wal", "hub.json", "signing.key", "ca.key"] {
        let mode = std::fs::metadata(desk.path(&format!("state/{name}"))).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(json(&std::fs::read(desk.path("state/hub.json")).expect("file"))["console"], hub.ready["console"]);
    let listed = get(&hub, "/api/devices").to_string() + &hub.ready.to_string();
    assert!(!listed.contains("MTIzNDU2Nzg5MGFiY2RlZg"));
    drop(tcp(hub.text("mqtt")));
    hub.say("quit");
    assert_eq!(hub.exit_code(), Some(0));
    assert!(!desk.path("state/hub.json").exists());
}
