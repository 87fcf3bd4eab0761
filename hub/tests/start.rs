//! What the hub says about bad input, and its other command.

mod common;

use std::net::TcpListener;

use common::{exists, json, Desk};

/// Runs a hub that must not start and returns what it says.
fn complaint(desk: &Desk, args: &[&str]) -> String {
    let output = desk.output(&[&["run", "--devices", "devices.json"], args].concat());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    text
}

#[test]
fn bad_input_is_named() {
    let desk = Desk::new();
    desk.write("empty.bin", b"");
    let socket = TcpListener::bind("127.0.0.1:0").expect("port");
    let taken = socket.local_addr().expect("address").to_string();
    // Released at once, so nobody answers there.
    let silent = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("address");
    for (args, parts) in [
        (&["--firmware", "missing.bin", "--version", "1"][..], &["missing.bin"][..]),
        (&["--firmware", "empty.bin", "--version", "1"], &["empty.bin", "empty"]),
        (&["--firmware", "firmware.bin"], &["--version"]),
        (&["--firmware", "firmware.bin", "--version", ""], &["version"]),
        (&["--mqtt", &taken], &["--mqtt", &taken, "in use", "port 0"]),
        (&["--https", "no address"], &["--https", "no address"]),
        (&["--broker", "http://x"], &["--broker", "mqtt://host:port"]),
        (&["--broker", &format!("mqtt://{silent}")], &["broker", &silent.to_string()]),
        (&["--firmware", "firmware.bin", "--version", "1", "--https", "off"], &["--scheme https", "--https off"]),
        (&["--firmware", "firmware.bin", "--version", "1", "--firmware-url", "ftp://x"], &["--firmware-url"]),
        (&["--ready-file", "no/such/folder"], &["no/such/folder"]),
        (&["--host", "a b"], &["a b"]),
        (&["--exit-when-done"], &["--firmware"]),
    ] {
        let text = complaint(&desk, args);
        for part in parts {
            assert!(text.contains(part), "{args:?}: {text}");
        }
    }
}

#[test]
fn bad_device_lists_are_named() {
    let desk = Desk::new();
    desk.write("devices.json", b"{\"devices\":[\n{\"productId\":1}]}");
    let text = complaint(&desk, &[]);
    assert!(text.contains("devices.json") && text.contains("line 2"), "{text}");
    desk.write("devices.json", br#"{"devices":[{"productId":"P","deviceName":"d","deviceSecrt":"x"}]}"#);
    assert!(complaint(&desk, &[]).contains("deviceSecrt"));
    std::fs::remove_file(desk.path("devices.json")).expect("remove");
    assert!(complaint(&desk, &[]).contains("devices.json"));
}

#[test]
fn listeners_can_be_switched_off() {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--mqtt-psk", "off", "--mqtt-cert", "off", "--http", "off", "--https", "off"]);
    for key in ["mqtt_psk", "mqtt_cert", "http", "https", "firmware_url", "md5"] {
        assert!(hub.ready[key].is_null(), "{key}");
    }
    assert!(hub.ready["mqtt"].is_string());
}

#[test]
fn a_hub_that_listens_everywhere_tells_its_name() {
    let desk = Desk::new();
    let hub = desk.start_plain(&["--mqtt-psk", "0.0.0.0:0", "--mqtt-cert", "0.0.0.0:0", "--host", "desk.example"]);
    for key in ["mqtt_psk", "mqtt_cert"] {
        assert!(hub.text(key).starts_with("desk.example:"), "{key}");
    }
    assert!(hub.text("mqtt").starts_with("127.0.0.1:"));
}

#[test]
fn certificates_are_made_once() {
    let desk = Desk::new();
    let args = ["cert", "--state", "state", "--client-id", "ABCDEFGHIJcert"];
    let first = desk.output(&args);
    assert_eq!(first.status.code(), Some(0));
    let paths = json(&first.stdout);
    for key in ["ca_file", "cert", "key"] {
        assert!(paths[key].as_str().is_some_and(exists), "{key}");
    }
    let cert = std::fs::read(desk.path("state/clients/ABCDEFGHIJcert.crt")).expect("certificate");
    let hub = desk.start(&["--state", "state"]);
    assert_eq!(hub.ready["client_certs"]["ABCDEFGHIJcert"]["cert"], paths["cert"]);
    assert_eq!(std::fs::read(desk.path("state/clients/ABCDEFGHIJcert.crt")).expect("certificate"), cert);
    assert_eq!(desk.output(&["cert", "--state", "state", "--client-id", "../x"]).status.code(), Some(2));
}
