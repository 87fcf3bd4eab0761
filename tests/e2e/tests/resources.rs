//! Files to a device and from it: the sample of the 3.3 interface and the hub (resource.md section 8), without TLS, with
//! pre-shared keys and with certificates. `E2E_KEY_DIR` names a build with `IOT_ABI=3.3`; plain `cargo test` leaves these out.

use std::fs;

use e2e::{each_row, Build, Desk};
use serde_json::{json, Value};

/// What the device uploads, and what it is to download.
const SIZES: (usize, usize) = (123_457, 98_765);

/// A desk whose hub has a file for the device, which has one for the hub.
fn desk(build: Build, scheme: &str, fault: Option<&str>) -> Desk {
    let mut args = vec!["--scheme".to_owned(), scheme.to_owned()];
    args.extend(fault.iter().flat_map(|fault| ["--fault".to_owned(), (*fault).to_owned()]));
    let desk = Desk::with_args(build, 1000, |_| args);
    let bytes = |size: usize, step: usize| (0..size).map(|at| (at * step + at / 251) as u8).collect::<Vec<_>>();
    fs::write(desk.home.join("uploadtest"), bytes(SIZES.0, 7)).expect("the file to upload");
    let file = desk.folder.path().join("file");
    fs::write(&file, bytes(SIZES.1, 31)).expect("the file to download");
    let sent =
        desk.ask(&["resources", "send", &desk.device.client_id(), &file.to_string_lossy(), "--name", "test file"]);
    assert_eq!(sent.code(), 0);
    desk
}

/// Direction, state, percent and result of each resource, oldest first.
fn resources(desk: &Desk) -> Vec<Value> {
    let listed = desk.ask(&["resources", "list", &desk.device.client_id(), "--json"]);
    assert_eq!(listed.code(), 0);
    let list: Value = serde_json::from_str(&listed.lines.join("\n")).expect("JSON");
    let mut rows = list["resources"].as_array().expect("resources").clone();
    rows.reverse();
    rows
}

fn assert_downloaded(desk: &Desk) {
    let path = desk.home.join(format!("download_{}_test file", desk.device.client_id()));
    let (got, sent) = (fs::read(path).expect("the downloaded file"), fs::read(desk.folder.path().join("file")));
    assert!(got == sent.expect("the file"), "the downloaded file is another one");
}

fn assert_uploaded(desk: &Desk, id: &Value) {
    let path = desk.folder.path().join("saved");
    assert_eq!(desk.ask(&["resources", "save", &id.to_string(), &path.to_string_lossy()]).code(), 0);
    let (got, sent) = (fs::read(path).expect("the saved file"), fs::read(desk.home.join("uploadtest")));
    assert!(got == sent.expect("the file"), "the uploaded file is another one");
}

#[test]
fn a_file_goes_up_and_another_one_comes_down() {
    for (build, scheme) in [
        (Build::Key, "http"),
        (Build::Key, "https"),
        (Build::WebSocket, "http"),
        (Build::WebSocketCert, "http"),
        (Build::WebSocketCert, "https"),
    ] {
        let desk = desk(build, scheme, None);
        let finished = desk.finish(&mut desk.program("resource_mqtt_sample").start());
        finished.assert_says(&["uploaded uploadtest"]);
        finished.assert_says(&["downloaded test file"]);
        assert_eq!(finished.code(), 0);
        let rows = resources(&desk);
        let told: Vec<_> = rows.iter().map(|row| json!([row["direction"], row["state"], row["percent"]])).collect();
        assert_eq!(told, [json!(["download", "done", 100]), json!(["upload", "done", 100])]);
        assert_downloaded(&desk);
        assert_uploaded(&desk, &rows[1]["id"]);
    }
}

const DONE: (&str, i64) = ("done", 0);

/// What a hub does wrong, and what becomes of the download and the upload. The PUT is the first request, the GET the second.
const FAULTS: &[(&str, (&str, i64), (&str, i64))] = &[
    ("http:status=401#1", DONE, ("fail", -3)),
    ("http:status=403#1", DONE, ("fail", -3)),
    ("http:status=404#1", DONE, ("fail", -2)),
    ("http:status=500#1", DONE, ("fail", -1)),
    ("http:redirect=self#1", DONE, ("fail", -1)),
    ("http:garbage=100#1", DONE, ("fail", -1)),
    ("http:cut-head=10#1", DONE, ("fail", -1)),
    ("http:no-length#1", DONE, DONE),
    ("http:page#1", DONE, DONE),
    ("http:status=403#2", ("fail", -3), DONE),
    ("http:status=404#2", ("fail", -2), DONE),
    ("http:corrupt=5000#2", ("fail", -4), DONE),
    ("http:stall=60000#2", DONE, DONE),
    ("http:stall=60000,for=3#2", DONE, DONE),
    ("http:short=10#2", DONE, DONE),
    ("http:short=10#2-", ("fail", -1), DONE),
    ("http:status=503#2", DONE, DONE),
    ("http:cut=60000#2", DONE, DONE),
    ("http:reset=60000#2", DONE, DONE),
    ("http:chunked=1000#2", DONE, DONE),
    ("http:long=10#2", DONE, DONE),
    ("mqtt:away=2@downloading#1", DONE, DONE),
];

/// Cases 5, 10, 11, 14 and 16.
#[test]
fn a_device_rides_out_what_can_mend_and_tells_what_can_not() {
    each_row(FAULTS, |(fault, download, upload)| {
        let desk = desk(Build::Key, "http", Some(fault));
        let finished = desk.finish(&mut desk.program("resource_mqtt_sample").args(&["-l", "1"]).start());
        assert_eq!(finished.code(), i32::from(*download != DONE || *upload != DONE), "{fault}: {:?}", finished.lines);
        let rows = resources(&desk);
        let told = |row: &Value| (row["state"].as_str().unwrap_or_default().to_owned(), row["result_code"].as_i64());
        let expected = |(state, code): &(&str, i64)| ((*state).to_owned(), Some(*code));
        assert_eq!([told(&rows[0]), told(&rows[1])], [expected(download), expected(upload)], "{fault}");
        if *download == DONE {
            assert_downloaded(&desk);
        }
        if *upload == DONE {
            assert_uploaded(&desk, &rows[1]["id"]);
        }
        desk.hub.wait("fault", |event| event["rule"] == *fault);
    });
}
