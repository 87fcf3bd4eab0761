//! `hub backup` and `hub restore`.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::console::Console;
use common::{device, firmware, json, Desk, Hub, ONE, PATIENCE, PRODUCT, TWO};
use serde_json::{json, Value};

fn version(version: &str) -> String {
    format!(r#"{{"type":"report_version","report":{{"version":"{version}"}}}}"#)
}

fn progress(state: &str) -> String {
    let progress = format!(r#"{{"state":"{state}","percent":"10","result_code":"0","result_msg":""}}"#);
    format!(r#"{{"type":"report_progress","report":{{"progress":{progress},"version":"2.0"}}}}"#)
}

fn topic(kind: &str, name: &str) -> String {
    format!("$ota/{kind}/{PRODUCT}/{name}")
}

fn start(desk: &Desk, folder: &str) -> Hub {
    desk.start_plain(&["--state", folder, "--scheme", "http"])
}

/// A hub on the folder `here` with a firmware, and an order for two devices.
fn ordered(desk: &Desk) -> Hub {
    let hub = start(desk, "here");
    let console = Console::of(&hub);
    let firmware = console.upload(&format!("product_id={PRODUCT}&version=2.0"), &firmware()).good(201);
    let order = json!({"firmware_id": firmware["id"], "scope": "chosen", "devices": [ONE, TWO]});
    console.post("/api/upgrades", &order).good(201);
    hub
}

/// The hub's word where it has refused something.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn good(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// What begins as a draft's name does.
fn drafts(desk: &Desk) -> Vec<String> {
    let entries = fs::read_dir(desk.folder.path()).expect("the folder").flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.starts_with(".hub-")).collect()
}

#[test]
fn a_backup_of_a_running_hub_goes_on_elsewhere_with_one_result_for_each_device() {
    let desk = Desk::new();
    let mut hub = ordered(&desk);
    // One of them is in the middle of its upgrade, the other one has not come yet.
    let mut one = device(&hub, ONE);
    one.subscribe(&topic("update", "one"));
    one.publish(&topic("report", "one"), &version("1.0"));
    let url = loop {
        let message = json(&one.message().payload);
        if message["type"] == "update_firmware" {
            break message["url"].as_str().expect("a URL").to_owned();
        }
    };
    one.publish(&topic("report", "one"), &progress("downloading"));
    good(&desk.output(&["backup", "--state", "here", "--to", "saved"]));
    assert_eq!((mode(&desk.path("saved")), mode(&desk.path("saved/hub.db"))), (0o700, 0o600));
    assert_eq!(mode(&desk.path("saved/firmware/ABCDEFGHIJ_2.0.bin")), 0o600);
    assert!(refused(&desk.output(&["backup", "--state", "here", "--to", "saved"])).contains("something already"));
    // The hub has not noticed, and its device ends there, which the backup does not know.
    one.publish(&topic("report", "one"), &progress("done"));
    hub.say("quit");
    assert_eq!(hub.exit_code(), Some(0));

    good(&desk.output(&["restore", "--from", "saved", "--state", "there"]));
    for name in ["ca.pem", "ca.key", "signing.key", "firmware/ABCDEFGHIJ_2.0.bin"] {
        let [here, there] = ["here", "there"].map(|folder| desk.path(folder).join(name));
        assert!(fs::read(&here).expect("a file") == fs::read(&there).expect("a file"), "{name}");
        assert_eq!(mode(&here), mode(&there), "{name}");
    }
    assert!(!desk.path("there/hub.json").exists());
    assert!(refused(&desk.output(&["restore", "--from", "saved", "--state", "there"])).contains("something already"));
    assert_eq!(drafts(&desk), [""; 0]);

    let hub = start(&desk, "there");
    // The URL that the device has is good at the hub that has the keys now.
    let (_, path) = url.split_once("/100000000001_").expect("a path");
    let base = hub.text("http").to_owned();
    let answer = ureq::get(format!("{base}/100000000001_{path}")).call().expect("an answer");
    assert_eq!(answer.into_body().read_to_vec().expect("a body"), firmware());
    let mut one = device(&hub, ONE);
    one.publish(&topic("report", "one"), &progress("done"));
    one.publish(&topic("report", "one"), &version("2.0"));
    let mut two = device(&hub, TWO);
    two.subscribe(&topic("update", "two"));
    two.publish(&topic("report", "two"), &version("1.0"));
    while json(&two.message().payload)["type"] != "update_firmware" {}
    two.publish(&topic("report", "two"), &progress("done"));
    let console = Console::of(&hub);
    let until = Instant::now() + PATIENCE;
    let jobs = |id: &str| -> Vec<Value> {
        let jobs = console.get(&format!("/api/devices/{id}/jobs")).good(200)["jobs"].clone();
        jobs.as_array().expect("jobs").iter().map(|job| job["state"].clone()).collect()
    };
    while (jobs(ONE) != ["done"] || jobs(TWO) != ["done"]) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((jobs(ONE), jobs(TWO)), (vec![json!("done")], vec![json!("done")]));
}

#[test]
fn what_is_not_as_it_was_saved_is_not_restored() {
    let desk = Desk::new();
    drop(ordered(&desk));
    good(&desk.output(&["backup", "--state", "here", "--to", "saved"]));
    let restore = || refused(&desk.output(&["restore", "--from", "saved", "--state", "there"]));
    let file = desk.path("saved/firmware/ABCDEFGHIJ_2.0.bin");
    let whole = fs::read(&file).expect("a firmware");
    let mut other = whole.clone();
    other[1000] ^= 1;
    for (content, said) in [(&other[..], "not what was saved"), (&whole[1..], "it has 700000 bytes, and had 700001")] {
        fs::write(&file, content).expect("written");
        let text = restore();
        assert!(text.contains("damaged") && text.contains("ABCDEFGHIJ_2.0.bin") && text.contains(said), "{text}");
    }
    fs::remove_file(&file).expect("removed");
    assert!(restore().contains("ABCDEFGHIJ_2.0.bin"));
    fs::write(&file, &whole).expect("written");

    let list = desk.path("saved/backup.json");
    let text = fs::read_to_string(&list).expect("a list");
    for (from, to, said) in [
        ("firmware/ABCDEFGHIJ_2.0.bin", "firmware/../../x", "names what no hub has saved"),
        ("\"form\": 1", "\"form\": 2", "restore it with that one"),
        ("\"hub.db\"", "\"ca.key\"", "names what no hub has saved"),
        ("{", "", "damaged"),
    ] {
        fs::write(&list, text.replacen(from, to, 1)).expect("written");
        let word = restore();
        assert!(word.contains(said), "{word}");
    }
    fs::remove_file(&list).expect("removed");
    assert!(restore().contains("it is no backup, or not all of one"));
    assert!(!desk.path("there").exists());
    assert_eq!(drafts(&desk), [""; 0]);
    fs::write(&list, text).expect("written");
    good(&desk.output(&["restore", "--from", "saved", "--state", "there"]));
}

#[test]
fn a_restore_that_is_killed_leaves_no_data_folder() {
    let desk = Desk::new();
    drop(ordered(&desk));
    good(&desk.output(&["backup", "--state", "here", "--to", "saved"]));
    // A file that never ends holds it up in the middle.
    let file = desk.path("saved/signing.key");
    let whole = fs::read(&file).expect("a key");
    fs::remove_file(&file).expect("removed");
    assert!(Command::new("mkfifo").arg(&file).status().expect("mkfifo").success());
    let mut restore = desk.command().args(["restore", "--from", "saved", "--state", "there"]).spawn().expect("hub");
    let until = Instant::now() + PATIENCE;
    let is_there = |name: &str| drafts(&desk).iter().any(|draft| desk.path(draft).join(name).exists());
    while !is_there("signing.key") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(is_there("signing.key") && is_there("ca.key"));
    restore.kill().and_then(|()| restore.wait()).expect("killed");
    assert!(!desk.path("there").exists());
    fs::remove_file(&file).expect("removed");
    fs::write(&file, whole).expect("written");
    good(&desk.output(&["restore", "--from", "saved", "--state", "there"]));
}

#[test]
fn a_backup_without_the_file_of_a_firmware_is_none() {
    let desk = Desk::new();
    drop(ordered(&desk));
    fs::remove_file(desk.path("here/firmware/ABCDEFGHIJ_2.0.bin")).expect("removed");
    let text = refused(&desk.output(&["backup", "--state", "here", "--to", "saved"]));
    assert!(text.contains("firmware 2.0 of product ABCDEFGHIJ"), "{text}");
    assert!(!desk.path("saved").exists());
    let text = refused(&desk.output(&["backup", "--state", "nowhere", "--to", "saved"]));
    assert!(text.contains("nowhere/hub.db"), "{text}");
}
