//! Hubs on several machines: each has a data folder of its own, and all have one PostgreSQL server.

mod common;
#[path = "../postgres/tests/server/mod.rs"]
mod server;

use std::time::{Duration, Instant};

use common::console::Console;
use common::{device, json, Desk, Hub, ONE, PATIENCE, PRODUCT};
use serde_json::json;
use server::Server;

const REPORT: &str = "$ota/report/ABCDEFGHIJ/one";
const UPDATE: &str = "$ota/update/ABCDEFGHIJ/one";

fn start(desk: &Desk, server: &Server, folder: &str) -> Hub {
    desk.start_plain(&["--state", folder, "--database", &server.url("public"), "--scheme", "http"])
}

/// What a device says of its upgrade to 2.0.
fn progress(state: &str) -> String {
    let progress = format!(r#"{{"state":"{state}","percent":"10","result_code":"0","result_msg":""}}"#);
    format!(r#"{{"type":"report_progress","report":{{"progress":{progress},"version":"2.0"}}}}"#)
}

#[test]
fn an_order_outlives_the_server_and_the_hub_that_took_it() {
    let server = Server::start();
    let desk = Desk::with_devices(&["one"]);
    let (here, mut there) = (start(&desk, &server, "here"), start(&desk, &server, "there"));
    let file = |name: &str| std::fs::read(desk.path(name)).expect("a key");
    for name in ["ca.pem", "ca.key", "signing.key"] {
        assert!(file(&format!("here/{name}")) == file(&format!("there/{name}")), "{name}");
    }
    assert!(!desk.path("here/hub.db").exists());

    let mut one = device(&here, ONE);
    one.subscribe(UPDATE);
    one.publish(REPORT, r#"{"type":"report_version","report":{"version":"1.0"}}"#);
    let consoles = [Console::of(&here), Console::of(&there)];
    let firmware = consoles[1].upload(&format!("product_id={PRODUCT}&version=2.0"), b"firmware").good(201);
    server.restart("immediate");
    // Ordered at the hub the device is not at, which dies at once.
    let order = json!({"firmware_id": firmware["id"], "scope": "chosen", "devices": [ONE]});
    consoles[1].post("/api/upgrades", &order).good(201);
    there.child.kill().expect("killed");
    let command = loop {
        let message = json(&one.message().payload);
        if message["type"] == "update_firmware" {
            break message;
        }
    };
    assert_eq!(command["version"], "2.0");
    one.publish(REPORT, &progress("downloading"));
    server.restart("fast");
    one.publish(REPORT, &progress("done"));
    one.publish(REPORT, r#"{"type":"report_version","report":{"version":"2.0"}}"#);
    let jobs = || consoles[0].get(&format!("/api/devices/{ONE}/jobs")).good(200)["jobs"].clone();
    let until = Instant::now() + PATIENCE;
    while jobs()[0]["state"] != "done" && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let jobs = jobs();
    assert_eq!((jobs.as_array().map(Vec::len), &jobs[0]["state"]), (Some(1), &json!("done")), "{jobs}");
}

#[test]
fn a_hub_moves_from_its_folder_to_a_database_and_back() {
    let server = Server::start();
    let (desk, url) = (Desk::with_devices(&["one"]), server.url("public"));
    let run = |args: &[&str]| {
        let output = desk.output(args);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    let mut hub = desk.start_plain(&["--state", "here", "--scheme", "http"]);
    Console::of(&hub).upload(&format!("product_id={PRODUCT}&version=2.0"), b"firmware").good(201);
    run(&["backup", "--state", "here", "--to", "first"]);
    run(&["restore", "--from", "first", "--state", "there", "--database", &url]);
    hub.child.kill().expect("killed");
    assert!(!desk.path("there/hub.db").exists());
    let known = |hub: &Hub| {
        let console = Console::of(hub);
        let firmware = console.get("/api/firmware").good(200)["firmware"][0].clone();
        let devices = console.get("/api/devices").good(200)["devices"].clone();
        (firmware, devices[0]["client_id"].clone(), std::fs::read(hub.text("ca_file")).expect("a CA"))
    };
    let there = start(&desk, &server, "there");
    let moved = known(&there);
    assert_eq!((&moved.0["version"], &moved.1), (&json!("2.0"), &json!(ONE)));
    run(&["backup", "--state", "there", "--database", &url, "--to", "second"]);
    drop(there);
    run(&["restore", "--from", "second", "--state", "back"]);
    let back = desk.start_plain(&["--state", "back", "--scheme", "http"]);
    assert!(known(&back) == moved);
    let again = desk.output(&["restore", "--from", "second", "--state", "never", "--database", &url]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("restore into an empty one"), "{again:?}");
    assert!(!desk.path("never").exists());
}
