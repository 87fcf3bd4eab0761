//! The console's API against the hub itself: each route, good and bad.

mod common;

use std::io::{Read, Write};
use std::time::Instant;

use common::console::Console;
use common::{device, firmware, tcp, Desk, Hub, ONE, PATIENCE, PRODUCT, TWO};
use rumqttc::mqttbytes::v4::Packet;
use serde_json::{json, Value};

const TOKEN: &str = "correct-horse-battery";

fn start(args: &[&str]) -> (Desk, Hub, Console) {
    let desk = Desk::new();
    let hub = desk.start_plain(args);
    let console = Console::of(&hub);
    (desk, hub, console)
}

fn add_firmware(console: &Console, version: &str) -> Value {
    console.upload(&format!("product_id={PRODUCT}&version={version}"), &firmware()).good(201)
}

/// Tells the hub what a device runs.
fn report(hub: &Hub, name: &str, version: &str) -> common::Client<std::net::TcpStream> {
    let mut client = device(hub, &format!("{PRODUCT}{name}"));
    client.subscribe(&format!("$ota/update/{PRODUCT}/{name}"));
    client.publish(
        &format!("$ota/report/{PRODUCT}/{name}"),
        &format!(r#"{{"type":"report_version","report":{{"version":"{version}"}}}}"#),
    );
    assert_eq!(common::json(&client.message().payload)["type"], "report_version_rsp");
    client
}

fn progress(client: &mut common::Client<std::net::TcpStream>, name: &str, state: &str, percent: u8) {
    let payload = json!({
        "type": "report_progress",
        "report": {
            "progress": { "state": state, "percent": percent.to_string(), "result_code": "0", "result_msg": "" },
            "version": "2.0",
        },
    });
    client.publish(&format!("$ota/report/{PRODUCT}/{name}"), &payload.to_string());
}

#[test]
fn the_hub_tells_about_itself() {
    let (_desk, hub, console) = start(&["--max-upload", "1000"]);
    let about = console.get("/api/hub").good(200);
    assert_eq!(about["products"], json!([PRODUCT]));
    assert_eq!((&about["broker"], &about["max_upload"]), (&Value::Null, &json!(1000)));
    for key in ["mqtt_psk", "mqtt", "mqtt_cert", "http", "https"] {
        assert_eq!(about["addresses"][key], hub.ready[key], "{key}");
    }
    let ca_pem = std::fs::read_to_string(hub.text("ca_file")).expect("CA");
    assert_eq!(about["ca_pem"], ca_pem);
}

#[test]
fn firmware_comes_and_goes() {
    let (desk, _hub, console) = start(&["--state", "state"]);
    assert_eq!(console.get("/api/firmware").good(200), json!({ "firmware": [] }));
    let md5 = "f36afdff0aeb7eb6ab1e8ac5cd1cb4b5";
    let wrong = console.upload(&format!("product_id={PRODUCT}&version=2.0&md5={md5}"), &firmware());
    assert!(wrong.refusal(400).contains(md5));
    let added = console.upload(&format!("product_id={PRODUCT}&version=2.0%2Bb&name=spring%20%E6%98%A5"), &firmware());
    let added = added.good(201);
    assert_eq!((&added["version"], &added["name"]), (&json!("2.0+b"), &json!("spring 春")));
    assert_eq!(added["size"], firmware().len());
    assert_eq!(console.get("/api/firmware").good(200), json!({ "firmware": [added] }));
    assert!(desk.path("state/firmware").join(format!("{PRODUCT}_2.0%2Bb.bin")).exists());

    let again = console.upload(&format!("product_id={PRODUCT}&version=2.0%2Bb"), &firmware()).refusal(409);
    assert!(again.contains("2.0+b"), "{again}");
    let path = format!("/api/firmware/{}", added["id"]);
    console.delete(&path).good(204);
    console.delete(&path).refusal(404);
    assert!(console.delete("/api/firmware/none").refusal(400).contains("none"));
    assert_eq!(files(&desk), 0);
}

/// Files in the firmware folder.
fn files(desk: &Desk) -> usize {
    std::fs::read_dir(desk.path("state/firmware")).expect("folder").count()
}

#[test]
fn bad_uploads_are_refused_and_leave_nothing() {
    let (desk, _hub, console) = start(&["--state", "state", "--max-upload", "700001"]);
    let good = format!("product_id={PRODUCT}&version=1");
    assert!(console.upload(&good, b"").refusal(400).contains("empty"));
    let large = [firmware(), vec![0]].concat();
    assert!(console.upload(&good, &large).refusal(413).contains("700001"));
    // The same without a length.
    let chunked = console.raw(&format!(
        "POST /api/firmware?{good} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    ));
    assert!(send_chunks(chunked, &large).starts_with("HTTP/1.1 413 "));
    for (query, part) in [
        ("", "product_id"),
        ("product_id=ABCDEFGHIJ", "version"),
        ("product_id=ABCDEFGHIJ&version=", "version"),
        ("product_id=ABCDEFGHIJ&version=123456789012345678901234567890123", "version"),
        ("product_id=ABCDEFGHIJ&version=a%00b", "version"),
        ("product_id=&version=1", "product"),
        ("product_id=..%2F..%2Fetc&version=1", "product"),
        ("product_id=a%2Fb&version=1", "product"),
        ("product_id=ABCDEFGHIJ&version=1&md5=zz", "MD5"),
        ("product_id=ABCDEFGHIJ&version=1&version=2", "version"),
    ] {
        let detail = console.upload(query, b"content").refusal(400);
        assert!(detail.contains(part), "{query}: {detail}");
    }
    // Cut off in the middle.
    let head = format!("POST /api/firmware?{good} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600000\r\n\r\n");
    let mut cut = console.raw(&head);
    cut.write_all(&firmware()[..300_000]).expect("send");
    cut.shutdown(std::net::Shutdown::Write).expect("end");
    let mut answer = Vec::new();
    let _ = cut.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
    // The thread that writes may hear of it last.
    let begin = Instant::now();
    while files(&desk) > 0 && begin.elapsed() < common::PATIENCE {
        std::thread::yield_now();
    }
    assert_eq!(files(&desk), 0);
    assert_eq!(console.get("/api/firmware").good(200), json!({ "firmware": [] }));

    // A path in a version is nothing but a version.
    console.upload(&format!("product_id={PRODUCT}&version=..%2F..%2Fhub.db"), b"content").good(201);
    assert_eq!(files(&desk), 1);
}

fn send_chunks(mut stream: std::net::TcpStream, content: &[u8]) -> String {
    for chunk in content.chunks(10_000) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).expect("size");
        stream.write_all(chunk).and_then(|()| stream.write_all(b"\r\n")).expect("chunk");
    }
    stream.write_all(b"0\r\n\r\n").expect("end");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    answer
}

#[test]
fn devices_come_and_go() {
    let (_desk, hub, console) = start(&[]);
    let list = console.get("/api/devices").good(200);
    let ids: Vec<&Value> = list["devices"].as_array().expect("list").iter().map(|row| &row["client_id"]).collect();
    assert_eq!(ids, ["ABCDEFGHIJcert", ONE, TWO]);
    assert!(!list.to_string().contains(common::SECRET));

    let what = json!({ "product_id": PRODUCT, "device_name": "three", "proof": "secret", "secret": common::SECRET });
    let added = console.post("/api/devices", &what).good(201);
    assert_eq!(added["secret"], common::SECRET);
    assert!(console.post("/api/devices", &what).refusal(409).contains("ABCDEFGHIJthree"));
    let mut three = report(&hub, "three", "1.0");
    let renewed = console.post("/api/devices/ABCDEFGHIJthree/renew", &Value::Null).good(200);
    assert_ne!(renewed["secret"], common::SECRET);
    while three.receive().is_some() {}
    let ack = common::Client::new(hub.connect()).connect(common::connect_packet("ABCDEFGHIJthree"));
    assert_ne!(ack.code as u8, 0, "the secret before has ended");

    let what = json!({ "product_id": PRODUCT, "device_name": "four", "proof": "certificate" });
    let certificate = &console.post("/api/devices", &what).good(201)["certificate"];
    assert!(certificate["certificate"].as_str().is_some_and(|pem| pem.contains("BEGIN CERTIFICATE")));
    assert!(certificate["private_key"].as_str().is_some_and(|pem| pem.contains("PRIVATE KEY")));

    assert_eq!(console.get("/api/devices/ABCDEFGHIJthree/jobs").good(200), json!({ "jobs": [] }));
    console.delete("/api/devices/ABCDEFGHIJthree").good(204);
    for path in ["/api/devices/ABCDEFGHIJthree", "/api/devices/..%2F..%2Fca.pem", "/api/devices/%00"] {
        console.delete(path).refusal(404);
        console.get(&format!("{path}/jobs")).refusal(404);
        console.post(&format!("{path}/renew"), &Value::Null).refusal(404);
    }
    console.delete("/api/devices/%ff").refusal(400);
    for (what, part) in [
        (json!({ "product_id": PRODUCT, "device_name": "../x", "proof": "secret" }), "name"),
        (json!({ "product_id": PRODUCT, "device_name": "", "proof": "secret" }), "name"),
        (json!({ "product_id": "a/b", "device_name": "x", "proof": "secret" }), "product"),
        (json!({ "product_id": PRODUCT, "device_name": "x", "proof": "word" }), "proof"),
        (json!({ "product_id": PRODUCT, "device_name": "x" }), "proof"),
        (json!({ "product_id": PRODUCT, "device_name": "x", "proof": "secret", "secret": "%" }), "secret"),
        (json!({ "product_id": PRODUCT, "device_name": "x", "proof": "secret", "secrte": "" }), "secrte"),
        (json!([PRODUCT, "x", "secret"]), "object"),
    ] {
        let detail = console.post("/api/devices", &what).refusal(400);
        assert!(detail.contains(part), "{what}: {detail}");
    }
}

#[test]
fn orders_are_given_shown_and_cancelled() {
    let (_desk, hub, console) = start(&[]);
    let id = add_firmware(&console, "2.0")["id"].clone();
    let _one = report(&hub, "one", "1.0");
    let order = |what: Value| {
        let mut whole = json!({ "firmware_id": id, "scope": "chosen" });
        whole.as_object_mut().expect("object").extend(what.as_object().expect("object").clone());
        console.post("/api/upgrades", &whole)
    };
    let chosen = order(json!({ "devices": [ONE, TWO] })).good(201);
    assert_eq!((&chosen["scope"], &chosen["firmware"]["id"]), (&json!("chosen"), &id));
    let path = format!("/api/upgrades/{}", chosen["id"]);
    let shown = console.get(&path).good(200);
    assert_eq!(shown["upgrade"]["id"], chosen["id"]);
    let states: Vec<&Value> = shown["jobs"].as_array().expect("jobs").iter().map(|job| &job["state"]).collect();
    assert_eq!(states, ["sent", "waiting"]);
    let needed = console.delete(&format!("/api/firmware/{id}")).refusal(409);
    assert!(needed.contains(&chosen["id"].to_string()), "{needed}");
    let cancelled = console.post(&format!("{path}/cancel"), &Value::Null).good(200);
    assert!(cancelled["cancelled_at"].is_u64());
    assert_eq!(cancelled["counts"]["waiting"], 0);
    let listed = order(json!({ "scope": "listed", "list": "# mine\n\none,red\r\ntwo\n" })).good(201);
    assert_eq!(listed["counts"]["waiting"].as_u64().zip(listed["counts"]["running"].as_u64()), Some((1, 1)));
    order(json!({ "scope": "all", "from_versions": ["1.0"] })).good(201);
    let list = console.get("/api/upgrades").good(200);
    assert_eq!(list["upgrades"].as_array().map(Vec::len), Some(3));
    assert_eq!(console.get(&format!("/api/devices/{ONE}/jobs")).good(200)["jobs"].as_array().map(Vec::len), Some(3));

    for (what, status, part) in [
        (json!({ "firmware_id": 999, "devices": [ONE] }), 404, "999"),
        (json!({ "devices": ["nobody"] }), 400, "nobody"),
        (json!({ "devices": [] }), 400, "device"),
        (json!({ "scope": "listed", "list": "one\nnobody\n" }), 400, "nobody"),
        (json!({ "scope": "listed", "list": "" }), 400, "list"),
        (json!({ "scope": "some" }), 400, "some"),
        (json!({ "devcies": [] }), 400, "devcies"),
        (json!({ "firmware_id": "x" }), 400, "firmware_id"),
    ] {
        let detail = order(what.clone()).refusal(status);
        assert!(detail.contains(part), "{what}: {detail}");
    }
    console.get("/api/upgrades/999").refusal(404);
    console.post("/api/upgrades/999/cancel", &Value::Null).refusal(404);
    console.get("/api/upgrades/99999999999999999999").refusal(400);
}

#[test]
fn lists_come_in_pages() {
    let (_desk, _hub, console) = start(&[]);
    let id = add_firmware(&console, "2.0")["id"].clone();
    let order = json!({ "firmware_id": id, "scope": "chosen", "devices": [ONE, TWO] });
    let orders = [(); 2].map(|()| console.post("/api/upgrades", &order).good(201)["id"].clone());
    let jobs = format!("/api/upgrades/{}", orders[1]);
    let history = format!("/api/devices/{ONE}/jobs");
    add_firmware(&console, "2.1");
    for (path, list, key, search) in [
        ("/api/devices", "devices", "client_id", "tw"),
        ("/api/firmware", "firmware", "id", "2."),
        ("/api/upgrades", "upgrades", "id", "2."),
        (&jobs, "jobs", "id", "tw"),
        (&history, "jobs", "id", "2.0"),
    ] {
        let all = console.get(path).good(200);
        assert!(all["next"].is_null(), "{path}: {all}");
        let first = console.get(&format!("{path}?limit=1")).good(200);
        let (entries, one) = (all[list].as_array().expect("a list"), &first[list]);
        assert_eq!(one, &json!([entries[0]]), "{path}");
        let next = first["next"].as_str().expect("another page");
        assert_eq!(next, entries[0][key].to_string().trim_matches('"'), "{path}");
        let rest = console.get(&format!("{path}?after={next}")).good(200);
        assert_eq!(rest[list].as_array().map(Vec::as_slice), Some(&entries[1..]), "{path}");
        let found = console.get(&format!("{path}?search={search}")).good(200);
        let wanted = if search == "tw" { &entries[entries.len() - 1..] } else { &entries[..] };
        assert_eq!(found[list].as_array().map(Vec::as_slice), Some(wanted), "{path}");
        for wrong in ["limit=0", "limit=1001", "limit=x"] {
            console.get(&format!("{path}?{wrong}")).refusal(400);
        }
    }
    console.get("/api/upgrades?after=x").refusal(400);
    let one = console.get(&format!("/api/firmware/{id}")).good(200);
    let of_version = format!("/api/firmware?product={PRODUCT}&version=2.0");
    assert_eq!(console.get(&of_version).good(200), json!({ "firmware": [one] }));
    console.get("/api/firmware/999").refusal(404);
    let count = |path: &str, list: &str| console.get(path).good(200)[list].as_array().map(Vec::len);
    assert_eq!(count("/api/upgrades?active=true", "upgrades"), Some(1));
    assert_eq!(count("/api/upgrades?active=false", "upgrades"), Some(1));
    assert_eq!(count(&format!("{jobs}?state=waiting,sent"), "jobs"), Some(2));
    assert_eq!(count(&format!("{jobs}?state=done"), "jobs"), Some(0));
    assert!(console.get(&format!("{jobs}?state=lost")).refusal(400).contains("lost"));
}

#[test]
fn a_device_that_pings_is_seen() {
    let (_desk, hub, console) = start(&[]);
    let seen = || console.get(&format!("/api/devices/{ONE}")).good(200)["seen_at"].as_u64();
    assert_eq!(seen(), None);
    let mut one = device(&hub, ONE);
    let came = seen().expect("a time");
    let begin = Instant::now();
    while seen() == Some(came) {
        assert!(begin.elapsed() < PATIENCE, "no ping counts");
        one.send(&Packet::PingReq);
        assert_eq!(one.receive(), Some(Packet::PingResp));
    }
    assert!(seen() > Some(came));
}

#[test]
fn whom_an_order_would_reach_is_told_before() {
    let (_desk, hub, console) = start(&["--state", "state"]);
    let id = add_firmware(&console, "2.0")["id"].clone();
    let _there = report(&hub, "one", "1.0");
    let _done = report(&hub, "two", "2.0");
    let reach = |order: Value| console.post("/api/upgrades/reach", &order);
    let of = |[devices, online, replaced, left_out, unknown]: [u64; 5], names: &[&str]| {
        json!({ "devices": devices, "online": online, "replaced": replaced, "left_out": left_out, "unknown": unknown,
            "unknown_names": names })
    };
    let all = json!({ "firmware_id": id, "scope": "all" });
    assert_eq!(reach(all.clone()).good(200), of([2, 1, 0, 0, 0], &[]));
    let list = json!({ "firmware_id": id, "scope": "listed", "list": "one\ntwo\nnobody\n" });
    assert_eq!(reach(list).good(200), of([1, 1, 0, 1, 1], &["nobody"]));
    assert!(reach(json!({ "firmware_id": id, "scope": "chosen" })).refusal(400).contains("No device"));
    assert_eq!(console.get("/api/upgrades").good(200)["upgrades"], json!([]), "nothing is ordered");
    console.post("/api/upgrades", &all).good(201);
    assert_eq!(reach(all).good(200), of([2, 1, 2, 0, 0], &[]));
    // Nor is it anything to be noted.
    let noted = console.get("/api/audit").good(200).to_string();
    assert!(noted.contains("POST /api/upgrades") && !noted.contains("reach"), "{noted}");
}

#[test]
fn every_refusal_is_a_problem() {
    let (_desk, _hub, console) = start(&[]);
    console.get("/api/nothing").refusal(404);
    console.get("/../../etc/passwd").refusal(404);
    console.get("/%2e%2e/Cargo.toml").refusal(404);
    console.get("/api/").refusal(404);
    let answer = console.request("PUT", "/api/hub", None, "");
    answer.refusal(405);
    assert!(answer.header("allow").contains("GET"));
    let post = |content_type, body: &str| console.request("POST", "/api/devices", content_type, body);
    assert!(post(Some("application/json"), "{").refusal(400).contains("line 1"));
    post(Some("application/json"), &"[".repeat(100_000)).refusal(400);
    post(Some("text/plain"), "{}").refusal(415);
    post(None, "{}").refusal(415);
    post(Some("application/json"), &" ".repeat(17 << 20)).refusal(413);
}

#[test]
fn every_answer_has_the_security_headers() {
    let (_desk, _hub, console) = start(&[]);
    let page = console.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    for answer in [page, console.get("/api/hub"), console.get("/api/nothing"), console.get("/nothing")] {
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
    assert_eq!(console.get("/api/hub").header("cache-control"), "no-store");
}

#[test]
fn pages_from_elsewhere_are_turned_away() {
    let (_desk, hub, console) = start(&[]);
    let port = console.address().rsplit_once(':').expect("port").1.to_owned();
    let with = |name, value: &str| Console::of(&hub).with(name, value);
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "10.0.0.1".to_owned()] {
        assert!(with("host", &host).get("/api/hub").refusal(403).contains("localhost"));
        with("host", &host).get("/").refusal(403);
    }
    with("host", &format!("localhost:{port}")).get("/api/hub").good(200);
    with("origin", &console.base).get("/api/hub").good(200);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        with("origin", origin).post("/api/upgrades", &json!({})).refusal(403);
        with("origin", origin).upload("product_id=P&version=1", b"x").refusal(403);
        with("origin", origin).delete(&format!("/api/devices/{ONE}")).refusal(403);
    }
    assert_eq!(console.get("/api/devices").good(200)["devices"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_token_is_asked_for() {
    let desk = Desk::new();
    desk.write("token", format!("{TOKEN}\n").as_bytes());
    let hub = desk.start_plain(&["--console-token-file", "token", "--console", "0.0.0.0:0"]);
    let console = || Console::of(&hub);
    assert_eq!(console().get("/").status, 200);
    let refused = console().get("/api/hub");
    refused.refusal(401);
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    for path in ["/api/events", "/api/firmware", "/api/devices", "/api/upgrades", "/api/openapi.json", "/api/nothing"] {
        console().get(path).refusal(401);
    }
    console().upload("product_id=P&version=1", b"x").refusal(401);
    console().with("authorization", "Bearer wrong").get("/api/hub").refusal(401);
    console().with("authorization", &format!("Bearer {TOKEN}")).get("/api/hub").good(200);
    // With a token the hub may have any name.
    let named = console().with("host", "hub.example").with("authorization", &format!("Bearer {TOKEN}"));
    named.get("/api/hub").good(200);

    assert!(!console().post("/api/session", &json!({ "token": "wrong" })).refusal(401).contains(TOKEN));
    console().post("/api/session", &json!({})).refusal(400);
    let session = console().post("/api/session", &json!({ "token": TOKEN }));
    session.good(204);
    let line = session.header("set-cookie").to_owned();
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict") && !line.contains(TOKEN), "{line}");
    let cookie = line.split(';').next().expect("cookie");
    console().with("cookie", cookie).get("/api/hub").good(200);
    console().with("cookie", cookie).with("origin", "http://evil.example").get("/api/hub").refusal(403);
    console().with("cookie", &format!("{}0", &cookie[..cookie.len() - 1])).get("/api/hub");
    let out = console().delete("/api/session");
    out.good(204);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
}

#[test]
fn the_console_is_not_open_to_the_world_without_a_token() {
    let desk = Desk::new();
    desk.write("short", b"0123456789");
    desk.write("spaced", b"0123456789 0123456789");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let taken = taken.local_addr().expect("address").to_string();
    for (args, parts) in [
        (&["--console", "0.0.0.0:0"][..], &["--console-token-file", "HUB_CONSOLE_TOKEN", "127.0.0.1"][..]),
        (&["--console", "[::]:0"], &["--console-token-file"]),
        (&["--console-token-file", "short"], &["16", "short"]),
        (&["--console-token-file", "spaced"], &["spaces"]),
        (&["--console-token-file", "missing"], &["missing"]),
        (&["--console", &taken], &["--console", &taken, "in use"]),
        (&["--console", "no address"], &["--console", "no address"]),
        (&["--max-upload", "0"], &["--max-upload"]),
        (&["--max-upload", "4294967296"], &["--max-upload"]),
    ] {
        let output = desk.output(&[&["run", "--devices", "devices.json"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{args:?}: {text}");
    }
    let hub = desk.start_plain(&["--console", "off"]);
    assert!(hub.ready["console"].is_null());
}

#[test]
fn changes_come_in_order() {
    let (_desk, hub, console) = start(&[]);
    let changes = console.events();
    assert_eq!(changes.next(), ("reset".to_owned(), json!({ "type": "reset" })));
    let added = add_firmware(&console, "2.0");
    assert_eq!(changes.until("firmware", |_| true)["firmware"], added);
    let mut one = report(&hub, "one", "1.0");
    changes.until("device", |change| change["device"]["online"] == true);
    changes.until("device", |change| change["device"]["version"] == "1.0");
    let order = json!({ "firmware_id": added["id"], "scope": "chosen", "devices": [ONE] });
    let id = console.post("/api/upgrades", &order).good(201)["id"].clone();
    let is = |state: &'static str| move |change: &Value| change["job"]["state"] == state;
    assert_eq!(changes.until("job", is("sent"))["job"]["upgrade_id"], id);
    assert_eq!(common::json(&one.message().payload)["type"], "update_firmware");
    progress(&mut one, "one", "downloading", 40);
    assert_eq!(changes.until("job", is("downloading"))["job"]["percent"], 40);
    progress(&mut one, "one", "burning", 100);
    changes.until("job", is("burning"));
    progress(&mut one, "one", "done", 100);
    changes.until("upgrade", |change| change["upgrade"]["counts"]["done"] == 1);
    changes.until("job", is("done"));
    console.delete(&format!("/api/devices/{TWO}")).good(204);
    assert_eq!(changes.until("device_removed", |_| true)["client_id"], TWO);
    drop(one);
    changes.until("device", |change| change["device"]["online"] == false);
}

#[test]
fn the_description_is_served() {
    let (_desk, _hub, console) = start(&[]);
    let description = console.get("/api/openapi.json").good(200);
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    assert!(description["paths"]["/api/firmware"]["post"]["responses"]["default"].is_object());
    for schema in ["Change", "Problem", "Firmware", "Job"] {
        assert!(description["components"]["schemas"][schema].is_object(), "{schema}");
    }
    for name in ["product_id", "version", "name", "md5"] {
        let parameters = description["paths"]["/api/firmware"]["post"]["parameters"].as_array().expect("parameters");
        assert!(parameters.iter().any(|one| one["name"] == name && one["in"] == "query"), "{name}");
    }
}

#[test]
fn nonsense_ends_a_connection_and_nothing_else() {
    let (_desk, _hub, console) = start(&[]);
    for request in ["\0\0\0\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"] {
        let mut stream = console.raw(request);
        stream.shutdown(std::net::Shutdown::Write).expect("end");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    let _silent = tcp(console.address());
    console.get("/api/hub").good(200);
}

#[test]
fn what_watches_over_the_hub_is_told_how_it_is() {
    let (_desk, hub, console) = start(&["--state", "state"]);
    let firmware_id = add_firmware(&console, "2.0")["id"].clone();
    let mut client = report(&hub, "one", "1.0");
    console.post("/api/upgrades", &json!({ "firmware_id": firmware_id, "scope": "all" })).good(201);
    let _command = client.message();
    progress(&mut client, "one", "downloading", 7);
    console.get(&format!("/api/devices/{ONE}/jobs")).good(200);

    // A probe knows no name of the hub's, and no token.
    let mut answer = String::new();
    let request = "GET /healthz HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n";
    console.raw(request).read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");

    let figures = console.get("/metrics").text;
    for line in [
        "hub_devices_online 1",
        "hub_jobs{state=\"waiting\"} 2",
        "hub_jobs{state=\"downloading\"} 1",
        "hub_orders{state=\"given\"} 1",
        "hub_connections_total{outcome=\"taken\"} 1",
        "hub_reports_total{kind=\"version\"} 1",
        "hub_reports_total{kind=\"downloading\"} 1",
        "hub_commands_total 1",
        "hub_database_errors_total 0",
    ] {
        assert!(figures.lines().any(|other| other == line), "{line}\n{figures}");
    }
    for secret in [common::SECRET, ONE, PRODUCT] {
        assert!(!figures.contains(secret), "{secret}");
    }
}

#[test]
fn figures_need_the_token_and_health_does_not() {
    let desk = Desk::new();
    desk.write("token", TOKEN.as_bytes());
    let hub = desk.start_plain(&["--console-token-file", "token"]);
    let nobody = Console::of(&hub);
    nobody.get("/metrics").refusal(401);
    assert_eq!(nobody.get("/healthz").text, "ok\n");
    assert!(nobody.with("authorization", &format!("Bearer {TOKEN}")).get("/metrics").text.contains("hub_build_info"));
}
