//! `hub firmware keygen`, `sign` and `verify`, and what a hub does with signed firmware.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Desk, PRODUCT};
use serde_json::Value;

const OTHER: &str = "OTHERPRODU";

fn run(desk: &Desk, args: &[&str]) -> (i32, String, String) {
    let output = desk.output(&[&["firmware"], args].concat());
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("exit code"), text(output.stdout), text(output.stderr))
}

fn good(desk: &Desk, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(desk, args);
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    stdout
}

/// The command must fail with this code, and say this part.
fn bad(desk: &Desk, code: i32, args: &[&str], part: &str) {
    let (actual, _, stderr) = run(desk, args);
    assert!(actual == code && stderr.contains(part), "{args:?}: {actual}, {stderr}");
}

/// A desk with a pair of keys and an image.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("app.bin", b"an image");
    good(&desk, &["keygen", "maker.key"]);
    desk
}

fn sign<'a>(image: &'a str, output: &'a str) -> [&'a str; 10] {
    ["sign", image, "--product", PRODUCT, "--version", "2.0", "--key", "maker.key", "--output", output]
}

fn key_id(desk: &Desk, file: &str) -> String {
    let told: Value =
        serde_json::from_str(&good(desk, &["verify", file, "--public-key", "maker.key.pub", "--json"])).expect("JSON");
    told["key_id"].as_str().expect("a key id").to_owned()
}

#[test]
fn a_secret_key_is_for_its_owner_and_stays() {
    let desk = desk();
    let read = |name| fs::read_to_string(desk.path(name)).expect("a key");
    assert_eq!(fs::metadata(desk.path("maker.key")).expect("a key").permissions().mode() & 0o777, 0o600);
    let (secret, public) = (read("maker.key"), read("maker.key.pub"));
    assert!(public.trim().len() == 64 && !secret.contains(public.trim()), "{public}");
    for args in [&["keygen", "maker.key"][..], &["keygen", "./maker.key", "--json"]] {
        bad(&desk, 2, args, "--force");
    }
    fs::remove_file(desk.path("maker.key.pub")).expect("a key");
    bad(&desk, 2, &["keygen", "maker.key"], "maker.key is there");
    assert_eq!(read("maker.key"), secret);

    let told = good(&desk, &["keygen", "maker.key", "--force"]);
    let (other, public) = (read("maker.key"), read("maker.key.pub"));
    assert_ne!(other, secret);
    let digits = other.trim().rsplit(':').next().expect("digits");
    assert!(digits.len() == 64 && told.contains(public.trim()) && !told.contains(digits), "{told}");
    bad(&desk, 2, &["keygen", "no/such/folder/key"], "no/such/folder");
    let names: Vec<_> =
        fs::read_dir(desk.path(".")).expect("folder").map(|entry| entry.expect("entry").file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with(".tmp")), "{names:?}");
}

#[test]
fn what_was_signed_is_verified_and_nothing_else() {
    let desk = desk();
    let signed = good(&desk, &[&sign("app.bin", "app.signed")[..], &["--time", "1700000000"]].concat());
    let file = fs::read(desk.path("app.signed")).expect("the signed file");
    assert_eq!((file.len(), &file[256..]), (256 + 8, &b"an image"[..]));
    assert!(signed.contains("product ABCDEFGHIJ, version 2.0, 8 bytes"), "{signed}");
    let verify = |file| ["verify", file, "--public-key", "maker.key.pub"];
    assert_eq!(good(&desk, &verify("app.signed")), signed);
    let digits = fs::read_to_string(desk.path("maker.key.pub")).expect("a key");
    good(&desk, &["verify", "app.signed", "--public-key", digits.trim()]);
    // The same of everything is the same file.
    good(&desk, &[&sign("app.bin", "again.signed")[..], &["--time", "1700000000"]].concat());
    assert_eq!(fs::read(desk.path("again.signed")).expect("the signed file"), file);

    bad(&desk, 1, &["verify", "app.signed"], "--public-key");
    bad(&desk, 1, &verify("app.bin"), "not signed");
    for (at, part) in [(40, "signature is wrong"), (5, "can't be read"), (260, "not the one that was signed")] {
        let mut wrong = file.clone();
        wrong[at] ^= 1;
        desk.write("wrong", &wrong);
        bad(&desk, 1, &verify("wrong"), part);
    }
    desk.write("cut", &file[..file.len() - 1]);
    bad(&desk, 1, &verify("cut"), "size");
    good(&desk, &["keygen", "other.key"]);
    bad(&desk, 1, &["verify", "app.signed", "--public-key", "other.key.pub"], "none of the public keys");
    good(&desk, &["verify", "app.signed", "--public-key", "other.key.pub", "--public-key", "maker.key.pub"]);
    bad(&desk, 2, &["verify", "app.signed", "--public-key", "maker.key"], "no public key");
    bad(&desk, 2, &["verify", "app.signed", "--public-key", "no-such-file"], "no-such-file");
}

#[test]
fn what_can_not_be_signed_is_named_and_nothing_is_left() {
    let desk = desk();
    good(&desk, &sign("app.bin", "app.signed"));
    desk.write("empty", b"");
    bad(&desk, 2, &sign("empty", "out"), "empty");
    bad(&desk, 2, &sign("none", "out"), "none");
    bad(&desk, 2, &sign("app.signed", "out"), "signed already, as version 2.0");
    bad(&desk, 2, &sign("app.bin", "app.bin"), "would replace");
    bad(&desk, 2, &sign("app.bin", "maker.key"), "would replace");
    bad(&desk, 2, &sign("app.bin", "no/such/folder"), "no/such/folder");
    for (at, value) in [(3, ""), (3, "a b"), (5, "ü"), (5, "123456789012345678901234567890123")] {
        let mut args = sign("app.bin", "out");
        args[at] = value;
        bad(&desk, 2, &args, "--product and --version");
    }
    let mut args = sign("app.bin", "out");
    args[7] = "maker.key.pub";
    bad(&desk, 2, &args, "no secret key");
    assert!(!desk.path("out").exists() && fs::read(desk.path("app.bin")).expect("image") == b"an image");
}

#[test]
fn a_hub_shows_who_signed_and_takes_a_firmware_as_nothing_else() {
    let desk = desk();
    good(&desk, &sign("app.bin", "app.signed"));
    let _hub = desk.start_plain(&["--state", "state"]);
    let id = key_id(&desk, "app.signed");
    let add = |file, product, version| ["add", file, "--product", product, "--version", version, "--state", "state"];
    bad(&desk, 1, &add("app.signed", PRODUCT, "2.1"), "signed as version 2.0 of product ABCDEFGHIJ");
    bad(&desk, 1, &add("app.signed", OTHER, "2.0"), "sign it again for product OTHERPRODU");
    let file = fs::read(desk.path("app.signed")).expect("the signed file");
    desk.write("cut", &file[..file.len() - 1]);
    bad(&desk, 1, &add("cut", PRODUCT, "2.0"), "not whole");
    desk.write("unreadable", &file[..200]);
    bad(&desk, 1, &add("unreadable", PRODUCT, "2.0"), "sign it again");

    let added = good(&desk, &add("app.signed", PRODUCT, "2.0"));
    assert!(added.contains(&format!("signed by {id}")), "{added}");
    let added = good(&desk, &add("app.bin", PRODUCT, "1.0"));
    assert!(!added.contains("signed"), "{added}");
    let list = good(&desk, &["list", "--state", "state"]);
    assert!(list.contains("SIGNED BY") && list.contains(&id), "{list}");
    let list: Value = serde_json::from_str(&good(&desk, &["list", "--state", "state", "--json"])).expect("JSON");
    assert_eq!(list["firmware"][0]["signature"], Value::Null);
    assert_eq!(list["firmware"][1]["signature"]["key_id"], id.as_str());
}
