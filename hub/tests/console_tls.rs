//! The console over TLS.

mod common;

use std::fs;
use std::process::Output;
use std::time::Instant;

use common::{Desk, Hub, PATIENCE};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_hubs_ca_makes_a_certificate_that_its_commands_trust() {
    let desk = Desk::new();
    let running = desk.start_plain(&["--state", "state", "--console-tls", "auto", "--console-users"]);
    let url = running.text("console");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let listed = desk.output(&["devices", "--state", "state"]);
    assert!(
        listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains(common::ONE),
        "{}",
        said(&listed)
    );
    // Elsewhere the CA has to be known.
    let stranger = desk.output(&["devices", "--hub", url]);
    assert!(!stranger.status.success() && said(&stranger).contains("certificate"), "{}", said(&stranger));
    let known = desk.output(&["devices", "--hub", url, "--ca", "state/ca.pem"]);
    assert!(said(&known).contains("token"), "{}", said(&known));
    let plain = desk.output(&["devices", "--hub", &url.replace("https", "http")]);
    assert!(!plain.status.success());
}

/// Makes a certificate of another CA, and returns the CA's file.
fn other(desk: &Desk, name: &str) -> String {
    drop(desk.start_plain(&["--state", name]));
    format!("{name}/ca.pem")
}

fn put(desk: &Desk, from: &str) {
    for (file, to) in [("localhost.key", "console.key"), ("localhost.crt", "console.crt")] {
        fs::copy(desk.path(&format!("{from}/servers/{file}")), desk.path(to)).expect("copied");
    }
}

#[test]
fn another_certificate_is_shown_without_a_restart() {
    let desk = Desk::new();
    let (first, second) = (other(&desk, "first"), other(&desk, "second"));
    put(&desk, "first");
    let running: Hub = desk.start_plain(&["--state", "state", "--console-tls", "console.crt,console.key"]);
    let trusts = |ca: &str| desk.output(&["devices", "--hub", running.text("console"), "--ca", ca]).status.success();
    assert_eq!((trusts(&first), trusts(&second), trusts("state/ca.pem")), (true, false, false));
    // What is no certificate changes nothing.
    desk.write("console.crt", b"no certificate");
    assert!(trusts(&first));
    put(&desk, "second");
    let begin = Instant::now();
    while !trusts(&second) {
        assert!(begin.elapsed() < PATIENCE, "still the first one");
    }
    assert!(!trusts(&first));
}

#[test]
fn bad_certificates_end_the_start() {
    let desk = Desk::new();
    desk.write("empty", b"");
    for (value, part) in [("auto,", "CERT,KEY"), ("x", "CERT,KEY"), ("empty,empty", "empty"), ("none,empty", "none")] {
        let output = desk.output(&["run", "--console-tls", value]);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(part), "{value}: {}", said(&output));
    }
}
