//! The command line against a running hub.

mod common;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Output, Stdio};

use common::console::Console;
use common::{device, Desk, Hub, CERT, ONE, PRODUCT, TWO};
use serde_json::{json, Value};

/// Runs a command and returns its exit code, output and complaint.
fn run(desk: &Desk, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = desk.output(&[args, &["--state", "state"]].concat());
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("exit code"), text(stdout), text(stderr))
}

/// Runs a command that must succeed.
fn good(desk: &Desk, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(desk, args);
    assert_eq!(code, 0, "{args:?}: {stderr}");
    // How far an upload is, it says when it takes long.
    let complaint = stderr.lines().find(|line| !line.starts_with("upload: "));
    assert_eq!(complaint, None, "{args:?}");
    stdout
}

/// Runs a command that must succeed and returns its JSON.
fn good_json(desk: &Desk, args: &[&str]) -> Value {
    serde_json::from_str(&good(desk, &[args, &["--json"]].concat())).expect("JSON")
}

/// Runs a command that must fail with this code and returns what it says.
fn bad(desk: &Desk, code: i32, args: &[&str]) -> String {
    let (actual, stdout, stderr) = run(desk, args);
    assert_eq!((actual, stdout.as_str()), (code, ""), "{args:?}: {stderr}");
    stderr
}

fn start() -> (Desk, Hub) {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--state", "state"]);
    (desk, hub)
}

fn add_firmware(desk: &Desk) {
    good(desk, &["firmware", "add", "firmware.bin", "--product", PRODUCT, "--version", "2.0", "--name", "spring"]);
}

type Device = common::Client<std::net::TcpStream>;

fn report(client: &mut Device, report: &str) {
    client.publish(&format!("$ota/report/{PRODUCT}/one"), report);
}

/// A device that runs 1.0 and waits for commands.
fn ready_device(hub: &Hub) -> Device {
    let mut one = device(hub, ONE);
    one.subscribe(&format!("$ota/update/{PRODUCT}/one"));
    report(&mut one, r#"{"type":"report_version","report":{"version":"1.0"}}"#);
    assert_eq!(common::json(&one.message().payload)["type"], "report_version_rsp");
    one
}

fn progress(client: &mut Device, state: &str, percent: u8, code: i64) {
    let progress = json!({
        "state": state, "percent": percent.to_string(), "result_code": code.to_string(), "result_msg": "no luck",
    });
    let payload = json!({ "type": "report_progress", "report": { "progress": progress, "version": "2.0" } });
    report(client, &payload.to_string());
}

/// Takes the update command and reports on it until `state`.
fn upgrade(client: &mut Device, state: &str, code: i64) {
    assert_eq!(common::json(&client.message().payload)["type"], "update_firmware");
    progress(client, "downloading", 50, 0);
    progress(client, state, 100, code);
}

/// A command that runs beside the test.
fn spawn(desk: &Desk, args: &[&str]) -> Child {
    let mut command = desk.command();
    command.args(args).args(["--state", "state"]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("hub")
}

/// The lines a command writes until it ends, and its exit code.
fn rest(mut child: Child) -> (Vec<String>, Option<i32>) {
    let stdout = child.stdout.take().expect("stdout");
    let lines = BufReader::new(stdout).lines().map(|line| line.expect("line")).collect();
    (lines, child.wait().expect("wait").code())
}

#[test]
fn firmware() {
    let (desk, _hub) = start();
    assert_eq!(good(&desk, &["firmware"]), "no firmware\n");
    let added = good_json(
        &desk,
        &["firmware", "add", "firmware.bin", "--product", PRODUCT, "--version", "2.0+b", "--name", "x y"],
    );
    assert_eq!((&added["version"], &added["name"], &added["size"]), (&json!("2.0+b"), &json!("x y"), &json!(700_001)));
    assert_eq!(good_json(&desk, &["firmware", "list"]), json!({ "firmware": [added] }));
    let list = good(&desk, &["firmware", "list"]);
    assert!(list.starts_with("ID") && list.contains("2.0+b") && list.contains("x y"), "{list}");
    let again = ["firmware", "add", "firmware.bin", "--product", PRODUCT, "--version", "2.0+b"];
    assert!(bad(&desk, 1, &again).contains("already has firmware 2.0+b"));
    desk.write("empty.bin", b"");
    let add = |file| ["firmware", "add", file, "--product", PRODUCT, "--version", "3"];
    assert!(bad(&desk, 2, &add("empty.bin")).contains("empty.bin is empty"));
    assert!(bad(&desk, 2, &add("missing.bin")).contains("missing.bin"));
    assert!(bad(&desk, 1, &["firmware", "remove", "2.0+b"]).contains("PRODUCT:VERSION"));
    good(&desk, &["firmware", "remove", &format!("{PRODUCT}:2.0+b")]);
    assert!(bad(&desk, 1, &["firmware", "remove", "1"]).contains("no firmware 1"));
    good(&desk, &["firmware", "add", "firmware.bin", "--product", "A:B", "--version", "1:2"]);
    good(&desk, &["firmware", "remove", "A:B:1:2"]);
}

#[test]
fn devices() {
    let (desk, hub) = start();
    let list = good(&desk, &["devices"]);
    assert!(list.contains(ONE) && list.contains("certificate") && !list.contains(common::SECRET), "{list}");
    let added = good(&desk, &["devices", "add", "--product", PRODUCT, "--name", "new"]);
    assert!(added.contains("secret: "), "{added}");
    assert!(bad(&desk, 1, &["devices", "add", "--product", PRODUCT, "--name", "new"]).contains("ABCDEFGHIJnew"));

    // The file is what a device's program reads; only its owner may.
    good(&desk, &["devices", "renew", "ABCDEFGHIJnew", "--device-info", "info.json"]);
    let info = common::json(&std::fs::read(desk.path("info.json")).expect("file"));
    assert_eq!(
        (&info["auth_mode"], &info["productId"], &info["deviceName"]),
        (&json!("KEY"), &json!(PRODUCT), &json!("new"))
    );
    let secret = info["key_deviceinfo"]["deviceSecret"].as_str().expect("secret");
    assert!(!added.contains(secret));
    assert_eq!(mode(&desk, "info.json"), 0o600);
    desk.write("secret", secret.as_bytes());
    let other =
        good_json(&desk, &["devices", "add", "--product", PRODUCT, "--name", "other", "--secret-file", "secret"]);
    assert_eq!(other["secret"], secret);

    let cert = [
        "devices",
        "add",
        "--product",
        PRODUCT,
        "--name",
        "t.l-s",
        "--proof",
        "certificate",
        "--device-info",
        "tls.json",
    ];
    good(&desk, &cert);
    let info = common::json(&std::fs::read(desk.path("tls.json")).expect("file"));
    assert_eq!(info["auth_mode"], "CERT");
    for key in ["devCertFile", "devPrivateKeyFile"] {
        let name = info["cert_deviceinfo"][key].as_str().expect("name");
        assert_eq!(mode(&desk, &format!("certs/{name}")), 0o600);
    }

    // A secret that could not be written is not made.
    let nowhere = ["devices", "add", "--product", PRODUCT, "--name", "lost", "--device-info", "no/such/folder"];
    assert!(bad(&desk, 2, &nowhere).contains("no/such/folder"));
    assert!(!good(&desk, &["devices", "list"]).contains("lost"));
    assert!(bad(&desk, 2, &["devices", "renew", ONE, "--device-info", "."]).contains("--device-info"));

    good(&desk, &["devices", "remove", "ABCDEFGHIJnew"]);
    assert!(bad(&desk, 1, &["devices", "remove", "ABCDEFGHIJnew"]).contains("ABCDEFGHIJnew"));
    assert!(bad(&desk, 1, &["devices", "remove", "../ca.pem"]).contains("../ca.pem"));
    let ids = Console::of(&hub).get("/api/devices").good(200)["devices"].as_array().map(Vec::len);
    assert_eq!(ids, Some(5));
}

fn mode(desk: &Desk, name: &str) -> u32 {
    std::fs::metadata(desk.path(name)).expect("file").permissions().mode() & 0o777
}

#[test]
fn an_upgrade_from_order_to_done() {
    let (desk, hub) = start();
    add_firmware(&desk);
    let mut one = ready_device(&hub);
    let watch = ["upgrade", "--firmware", "ABCDEFGHIJ:2.0", "--device", ONE, "--from", "1.0", "0.9", "--watch"];
    let child = spawn(&desk, &watch);
    upgrade(&mut one, "done", 0);
    let (lines, code) = rest(child);
    assert_eq!(code, Some(0), "{lines:?}");
    assert!(lines.iter().any(|line| line == "ABCDEFGHIJone 2.0: done"), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("1 done"));

    let shown = good(&desk, &["upgrade", "show", "1"]);
    assert!(shown.contains("chosen devices of 1.0, 0.9") && shown.contains("ABCDEFGHIJone 2.0: done"), "{shown}");
    assert_eq!(good_json(&desk, &["upgrade", "show", "1"])["jobs"][0]["state"], "done");
    assert!(good(&desk, &["upgrade", "list"]).contains("upgrade 1: ABCDEFGHIJ to 2.0"));
    // What has ended needs no watching.
    assert_eq!(run(&desk, &["watch", "1"]).0, 0);
}

#[test]
fn a_failure_is_one_of_the_watch_too() {
    let (desk, hub) = start();
    add_firmware(&desk);
    let mut one = ready_device(&hub);
    let child = spawn(&desk, &["watch", "--json"]);
    desk.write("list.txt", b"# devices\none\n");
    good(&desk, &["upgrade", "--firmware", "1", "--list", "list.txt"]);
    upgrade(&mut one, "fail", -4);
    let (lines, code) = rest(child);
    assert_eq!(code, Some(1), "{lines:?}");
    let last: Value = serde_json::from_str(lines.last().expect("lines")).expect("JSON");
    assert_eq!(last["job"]["state"], "failed");
    assert_eq!(run(&desk, &["watch", "1"]), (1, good(&desk, &["upgrade", "show", "1"]) + "1 failed\n", String::new()));
    assert!(good(&desk, &["upgrade", "show", "1"]).contains("failed (-4: no luck)"));
}

#[test]
fn a_watch_ends_also_where_an_order_goes_on_that_had_ended() {
    let (desk, mut hub) = start();
    add_firmware(&desk);
    // One device speaks for all.
    good(&desk, &["gateways", "bind", ONE, TWO]);
    good(&desk, &["gateways", "bind", ONE, CERT]);
    let mut client = device(&hub, ONE);
    let mut tell = |name: &str, state: &str| {
        let report = json!({ "progress": { "state": state }, "version": "2.0" });
        let payload = json!({ "type": "report_progress", "report": report });
        client.publish(&format!("$ota/report/{PRODUCT}/{name}"), &payload.to_string());
    };
    good(&desk, &["upgrade", "--firmware", "1", "--device", ONE, TWO]);
    tell("one", "done");
    tell("two", "fail");
    good(&desk, &["upgrade", "--firmware", "1", "--device", CERT]);
    let mut child = spawn(&desk, &["watch"]);
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines().map(|line| line.expect("text"));
    let mut until = |wanted: &str| assert!(lines.any(|line| line == wanted), "{wanted}");
    until("ABCDEFGHIJcert 2.0: waiting");
    // It tries once more.
    tell("two", "downloading");
    tell("two", "done");
    tell("cert", "done");
    until("ABCDEFGHIJcert 2.0: done");
    hub.say("quit");
    assert_eq!(child.wait().expect("wait").code(), Some(0));
}

#[test]
fn orders_can_be_cancelled() {
    let (desk, _hub) = start();
    add_firmware(&desk);
    let order = good_json(&desk, &["upgrade", "--firmware", "1", "--all"]);
    assert_eq!((&order["scope"], &order["counts"]["waiting"]), (&json!("all"), &json!(3)));
    let child = spawn(&desk, &["watch", "1"]);
    assert!(good(&desk, &["upgrade", "cancel", "1"]).contains("cancelled"));
    let (lines, code) = rest(child);
    assert_eq!((lines.last().map(String::as_str), code), (Some("3 cancelled"), Some(1)));
    assert!(bad(&desk, 1, &["upgrade", "cancel", "7"]).contains('7'));
    assert!(bad(&desk, 1, &["watch", "7"]).contains('7'));
}

#[test]
fn a_roll_out_stops_is_resumed_and_begins_at_its_time() {
    let (desk, hub) = start();
    add_firmware(&desk);
    let mut one = ready_device(&hub);
    let staged = ["--stages", "10,100", "--stop-at-failures", "50", "--not-before", "2020-02-29T02:00", "--watch"];
    let child = spawn(&desk, &[&["upgrade", "--firmware", "1", "--device", ONE][..], &staged].concat());
    upgrade(&mut one, "fail", -4);
    let (lines, code) = rest(child);
    assert_eq!((lines.last().map(String::as_str), code), (Some("1 failed"), Some(1)));
    hub.event("warning", |event| event["text"].as_str().is_some_and(|text| text.contains("upgrade 1 has stopped")));
    let shown = good(&desk, &["upgrade", "show", "1"]);
    assert!(
        shown.contains("stage 1 of 2 (10 %), stopped ") && shown.contains(": failed on 1 of 1: 1 failed"),
        "{shown}"
    );
    assert!(bad(&desk, 1, &["upgrade", "next", "1"]).contains("has stopped"));
    assert!(!good(&desk, &["upgrade", "resume", "1"]).contains("stopped"));
    assert!(bad(&desk, 1, &["upgrade", "resume", "1"]).contains("has not stopped"));

    let later = ["--not-before", "2100-01-01T00:00:00Z", "--per-minute", "60", "--by-hand"];
    good(&desk, &[&["upgrade", "--firmware", "1", "--device", ONE][..], &later].concat());
    let shown = good(&desk, &["upgrade", "show", "2"]);
    assert!(shown.contains("begins ") && shown.contains("waiting (held)"), "{shown}");
    let roll_out = &good_json(&desk, &["upgrade", "show", "2"])["upgrade"]["roll_out"];
    assert_eq!((&roll_out["stage"], &roll_out["plan"]["not_before"]), (&json!(0), &json!(4_102_444_800_000_u64)));
    assert_eq!((&roll_out["plan"]["per_minute"], &roll_out["plan"]["by_hand"]), (&json!(60), &json!(true)));
    assert!(good(&desk, &["upgrade", "stop", "2"]).contains(" by local: 1 waiting"));
    assert!(bad(&desk, 1, &["upgrade", "stop", "2"]).contains("has stopped"));
    assert!(bad(&desk, 1, &["upgrade", "next", "2"]).contains("has stopped"));
    assert!(!good(&desk, &["upgrade", "resume", "2"]).contains("stopped"));
    assert!(good(&desk, &["upgrade", "next", "2"]).contains("stage 1 of 1 (100 %)"));
    upgrade(&mut one, "done", 0);
    assert_eq!(run(&desk, &["watch", "2"]).0, 0);
    assert!(bad(&desk, 1, &["upgrade", "next", "2"]).contains("last stage"));
    assert!(bad(&desk, 1, &["upgrade", "stop", "2"]).contains("has ended"));

    let nightly = ["--hours", "22:00-04:30", "--not-before", "2100-01-01T00:00:00Z"];
    let order = good(&desk, &[&["upgrade", "--firmware", "1", "--all"][..], &nightly].concat());
    assert!(order.contains(", 22:00-04:30 UTC only"), "{order}");
    let plan = &good_json(&desk, &["upgrade", "show", "3"])["upgrade"]["roll_out"]["plan"];
    assert_eq!(plan["hours"], json!({ "from": "22:00", "to": "04:30" }));
}

#[test]
fn bad_orders_are_named() {
    let (desk, _hub) = start();
    add_firmware(&desk);
    desk.write("list.txt", b"one\nnobody\n");
    desk.write("list.bin", b"\xff\xfe");
    let order = |code, args: &[&str]| bad(&desk, code, &[&["upgrade", "--firmware", "1"], args].concat());
    assert!(order(1, &["--list", "list.txt"]).contains("nobody"));
    assert!(order(2, &["--list", "list.bin"]).contains("list.bin"));
    assert!(order(2, &["--list", "missing.txt"]).contains("missing.txt"));
    assert!(order(1, &["--device", "nobody"]).contains("nobody"));
    assert!(order(2, &[]).contains("--all"));
    assert!(order(2, &["--all", "--device", ONE]).contains("--device"));
    assert!(order(2, &["--list", "list.txt", "--from", "1.0"]).contains("--from"));
    assert!(order(2, &["--all", "list"]).contains("--firmware"));
    assert!(bad(&desk, 1, &["upgrade", "--firmware", "9", "--all"]).contains("no firmware 9"));
    assert!(bad(&desk, 1, &["upgrade", "--firmware", "A:B:9", "--all"]).contains("no firmware \"A:B:9\""));
    assert!(order(1, &["--all", "--stages", "10,5,100"]).contains("`stages`"));
    assert!(order(2, &["--all", "--stages", "ten"]).contains("--stages"));
    assert!(order(2, &["--all", "--not-before", "tomorrow"]).contains("this is no time"));
    assert!(order(2, &["--all", "--hours", "2-5"]).contains("\"2\" is no time of the day"));
    assert!(order(2, &["--all", "--hours", "02:00"]).contains("these are no hours"));
    assert!(order(1, &["--all", "--hours", "02:00-02:00"]).contains("`hours`"));
    assert!(order(2, &["--all", "--by-hand", "--advance-at", "50"]).contains("--by-hand"));
}

#[test]
fn the_hub_is_found_by_its_data_folder() {
    let (desk, mut hub) = start();
    assert_eq!(mode(&desk, "state/hub.json"), 0o600);
    hub.say("quit");
    assert_eq!(hub.exit_code(), Some(0));
    assert!(!desk.path("state/hub.json").exists());
    assert!(bad(&desk, 2, &["devices"]).contains("hub run --state state"));
    // What a killed hub leaves.
    let silent = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("address");
    desk.write("state/hub.json", json!({ "console": format!("http://{silent}") }).to_string().as_bytes());
    let text = bad(&desk, 2, &["devices"]);
    assert!(text.contains(&silent.to_string()) && text.contains("hub.json"), "{text}");
    desk.write("state/hub.json", b"{");
    assert!(bad(&desk, 2, &["devices"]).contains("hub.json"));
    let output = desk.output(&["devices"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--state"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_token_opens_the_hub_from_elsewhere() {
    let desk = Desk::new();
    desk.write("token", b"correct-horse-battery");
    desk.write("wrong", b"correct-horse-batterx");
    let hub = desk.start_plain(&["--state", "state", "--console-token-file", "token"]);
    // On this machine the data folder has the token.
    assert!(good(&desk, &["devices"]).contains(ONE));
    let url = hub.text("console");
    let ask = |args: &[&str], token: &str| {
        let mut command = desk.command();
        command.args(["devices", "--hub", url]).args(args).env("HUB_CONSOLE_TOKEN", token);
        let output = command.output().expect("hub");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(ask(&["--token-file", "token"], ""), (Some(0), String::new()));
    assert_eq!(ask(&[], "correct-horse-battery"), (Some(0), String::new()));
    let (code, text) = ask(&["--token-file", "wrong"], "");
    assert!(code == Some(1) && text.contains("token") && !text.contains("battery"), "{text}");
    assert_eq!(ask(&[], "").0, Some(1));
    // Something else answers there.
    let output = desk.output(&["devices", "--hub", hub.text("http")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not as a hub does"));
}

#[test]
fn a_watch_tells_when_the_hub_ends() {
    let (desk, mut hub) = start();
    add_firmware(&desk);
    let mut child = spawn(&desk, &["upgrade", "--firmware", "1", "--device", ONE, "--watch"]);
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    while !lines.next().expect("a line").expect("text").contains("waiting") {}
    let seen = lines.next().expect("a line").expect("text");
    assert!(seen.contains("waiting"), "{seen}");
    hub.say("quit");
    hub.exit_code();
    assert_eq!(child.wait().expect("wait").code(), Some(2));
}

#[test]
fn large_files_arrive_whole() {
    let (desk, hub) = start();
    let large = firmware_of(30 << 20);
    desk.write("large.bin", &large);
    let added = good_json(&desk, &["firmware", "add", "large.bin", "--product", PRODUCT, "--version", "9"]);
    assert_eq!(added["size"], large.len());
    drop(hub);
    let stored = std::fs::read(desk.path(&format!("state/firmware/{PRODUCT}_9.bin"))).expect("stored");
    assert!(stored == large);
}

fn firmware_of(size: usize) -> Vec<u8> {
    common::firmware().into_iter().cycle().take(size).collect()
}
