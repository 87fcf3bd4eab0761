//! Tags of devices: in the API, on the command line, and in orders.

mod common;

use common::console::Console;
use common::{device, Desk, CERT, ONE, PRODUCT, TWO};
use serde_json::{json, Value};

fn ids(list: &Value) -> Vec<&str> {
    list["devices"].as_array().expect("devices").iter().map(|one| one["client_id"].as_str().expect("an id")).collect()
}

#[test]
fn devices_are_tagged_and_found_by_tags() {
    let desk = Desk::new();
    let hub = desk.start_plain(&[]);
    let console = Console::of(&hub);
    let path = format!("/api/devices/{ONE}/tags");
    let tagged = console.post(&path, &json!({ "tags": ["site=shanghai", "工厂-1"] })).good(200);
    assert_eq!(tagged["tags"], json!(["site=shanghai", "工厂-1"]));
    assert_eq!(console.get(&format!("/api/devices/{ONE}")).good(200), tagged);
    console.get("/api/devices/nothing").refusal(404);
    assert!(console.post(&path, &json!({ "tags": ["two words"] })).refusal(400).contains("\"two words\""));
    let many: Vec<String> = (0..17).map(|n| format!("t{n}")).collect();
    assert!(console.post(&path, &json!({ "tags": many })).refusal(409).contains("16"));

    let changed = console.post("/api/tags", &json!({ "devices": [ONE, TWO], "add": ["x"] })).good(200);
    assert_eq!(changed, json!({ "devices": 2 }));
    let found = json!({ "product": PRODUCT, "tag": "x", "search": "tw", "add": ["y"], "remove": ["x"] });
    assert_eq!(console.post("/api/tags", &found).good(200)["devices"], 1);
    let all = console.get(&format!("/api/products/{PRODUCT}/tags")).good(200);
    let [counts, first] = [all, console.get(&format!("/api/products/{PRODUCT}/tags?limit=1")).good(200)];
    assert_eq!(
        counts["tags"],
        json!([{ "tag": "site=shanghai", "devices": 1 }, { "tag": "x", "devices": 1 }, { "tag": "y", "devices": 1 },
            { "tag": "工厂-1", "devices": 1 }])
    );
    assert_eq!(first["next"], "site=shanghai");
    let list = |query: &str| console.get(&format!("/api/devices?{query}")).good(200);
    assert_eq!(ids(&list("tag=x")), [ONE]);
    assert_eq!(ids(&list(&format!("tag=y&product={PRODUCT}&search=two"))), [TWO]);
    assert_eq!(ids(&list("tag=none")), [""; 0]);
    assert_eq!(list("tag=x&limit=1")["next"], Value::Null);
    let _running = report(&hub, "two");
    assert_eq!(ids(&list("version=1.0")), [TWO]);
    assert_eq!(ids(&list("version=&limit=1")), [CERT]);
    let versions = console.get(&format!("/api/products/{PRODUCT}/versions")).good(200);
    assert_eq!(versions, json!({ "versions": [{ "version": "1.0", "devices": 1 }] }));

    for (wrong, part) in [
        (json!({ "add": ["x"] }), "Say which"),
        (json!({ "devices": [ONE], "product": PRODUCT, "add": ["x"] }), "goes without"),
        (json!({ "devices": [ONE], "tag": "x", "add": ["y"] }), "goes without"),
        (json!({ "devices": [ONE] }), "No tag"),
        (json!({ "devices": [ONE], "add": ["x"], "remove": ["x"] }), "to be added and to be removed"),
        (json!({ "devices": [ONE], "remove": [""] }), "1 to 32"),
    ] {
        let refusal = console.post("/api/tags", &wrong).refusal(400);
        assert!(refusal.contains(part), "{wrong}: {refusal}");
    }
    console.post("/api/tags", &json!({ "devices": [ONE, "nothing"], "add": ["z"] })).refusal(404);
}

fn report(hub: &common::Hub, name: &str) -> common::Client<std::net::TcpStream> {
    let mut client = device(hub, &format!("{PRODUCT}{name}"));
    client.subscribe(&format!("$ota/update/{PRODUCT}/{name}"));
    report_version(&mut client, name);
    client
}

fn report_version(client: &mut common::Client<std::net::TcpStream>, name: &str) {
    let report = json!({ "type": "report_version", "report": { "version": "1.0" } });
    client.publish(&format!("$ota/report/{PRODUCT}/{name}"), &report.to_string());
    assert_eq!(common::json(&client.message().payload)["type"], "report_version_rsp");
}

#[test]
fn an_order_for_a_tag_takes_whoever_has_it() {
    let desk = Desk::new();
    let hub = desk.start_plain(&[]);
    let console = Console::of(&hub);
    let id = console.upload(&format!("product_id={PRODUCT}&version=2.0"), b"firmware").good(201)["id"].clone();
    for (wrong, part) in [
        (json!({ "firmware_id": id, "scope": "tagged" }), "needs a `tag`"),
        (json!({ "firmware_id": id, "scope": "all", "tag": "x" }), "only"),
        (json!({ "firmware_id": id, "scope": "tagged", "tag": "a b" }), "a b"),
    ] {
        assert!(console.post("/api/upgrades", &wrong).refusal(400).contains(part), "{wrong}");
    }
    let [mut one, mut two] = ["one", "two"].map(|name| report(&hub, name));
    console.post("/api/tags", &json!({ "devices": [ONE], "add": ["x"] })).good(200);
    let order = console.post("/api/upgrades", &json!({ "firmware_id": id, "scope": "tagged", "tag": "x" })).good(201);
    assert_eq!((&order["tag"], &order["counts"]["running"]), (&json!("x"), &json!(1)));
    let command = |client: &mut common::Client<std::net::TcpStream>| {
        assert_eq!(common::json(&client.message().payload)["type"], "update_firmware");
    };
    command(&mut one);
    // The other one gets the tag later, and is taken with its next report.
    console.post("/api/tags", &json!({ "devices": [TWO], "add": ["x"] })).good(200);
    report_version(&mut two, "two");
    command(&mut two);
}

#[test]
fn the_command_line_tags_lists_and_orders() {
    let desk = Desk::new();
    let devices = json!({ "devices": [
        { "productId": PRODUCT, "deviceName": "one", "tags": ["listed"] }, { "productId": PRODUCT, "deviceName": "two" },
    ] });
    desk.write("devices.json", devices.to_string().as_bytes());
    let _hub = desk.start_plain(&["--state", "state"]);
    let run = |args: &[&str]| {
        let output = desk.output(&[args, &["--state", "state"]].concat());
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.code(), text)
    };
    let good = |args: &[&str]| {
        let (code, text) = run(args);
        assert_eq!(code, Some(0), "{args:?}: {text}");
        text
    };
    assert_eq!(good(&["devices", "tag", ONE, TWO, "--add", "x", "y", "--remove", "listed"]), "tagged devices: 2\n");
    assert_eq!(
        good(&["devices", "tag", "--product", PRODUCT, "--search", "one", "--remove", "y"]),
        "tagged devices: 1\n"
    );
    let list = good(&["devices", "list", "--tag", "y"]);
    assert!(list.contains(TWO) && list.contains("x y") && !list.contains(ONE), "{list}");
    let tags: Vec<String> =
        good(&["devices", "tags", PRODUCT]).lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(tags, ["TAGDEVICES", "x2", "y1"]);
    assert_eq!(run(&["devices", "tag", ONE]).0, Some(2));
    let (code, refusal) = run(&["devices", "tag", "--add", "x"]);
    assert!(code == Some(1) && refusal.contains("Say which devices"), "{code:?} {refusal}");
    desk.write("firmware.bin", b"firmware");
    good(&["firmware", "add", "firmware.bin", "--product", PRODUCT, "--version", "2.0"]);
    let order = good(&["upgrade", "--firmware", &format!("{PRODUCT}:2.0"), "--tag", "y"]);
    assert!(order.contains("devices with tag y") && order.contains("1 waiting"), "{order}");
}
