//! A whole upgrade against the hub in each of the three modes, and what a CONNECT looks like.

use e2e::{assert_good_run, failures, reports, Build, Desk};

const SIZE: usize = 300_000;

/// Runs the sample once; it must upgrade. Returns the hub's event of its connection.
fn upgrade(desk: &Desk, args: &[&str]) -> serde_json::Value {
    let mut sample = desk.sample().args(args).start();
    desk.expect_upgrade(&mut sample);
    desk.hub.wait_state("done");
    assert_good_run(&reports(&desk.hub, &desk.device));
    let connected = desk.hub.events_of("connected");
    assert_eq!(connected.len(), 1, "{connected:?}");
    let disconnected = desk.hub.events_of("disconnected");
    assert_eq!(disconnected[0]["clean"], true, "no DISCONNECT: {disconnected:?}");
    connected[0].clone()
}

/// Fails the test unless the transfer was one GET of the whole file.
fn assert_one_get(desk: &Desk) {
    // The hub tells of a transfer when it is over.
    let get = desk.hub.wait("http", |_| true);
    assert_eq!(get["method"], "GET");
    assert_eq!(get["complete"], true, "{get}");
    assert_eq!(get["bytes"], SIZE);
    assert_eq!(get["accept_encoding"], "identity");
    assert_eq!(desk.hub.events_of("http").len(), 1);
}

#[test]
fn key_mode() {
    let desk = Desk::new(Build::Key, SIZE);
    let connected = upgrade(&desk, &[]);
    assert_eq!(connected["listener"], "psk");
    assert_one_get(&desk);

    // wire.md sections 1 and 2.
    assert_eq!(connected["client_id"], desk.device.client_id());
    assert_eq!(connected["keep_alive"], 240);
    assert_eq!(connected["clean_session"], true);
    let username = connected["username"].as_str().expect("a user name");
    let parts: Vec<&str> = username.split(';').collect();
    assert_eq!(parts.len(), 4, "{username}");
    assert_eq!((parts[0], parts[1], parts[3]), (&*desk.device.client_id(), "21010406", "9223372036854775807"));
    assert!(parts[2].len() == 5 && parts[2].bytes().all(|b| b.is_ascii_alphanumeric()), "{username}");

    let subscribed = desk.hub.events_of("subscribed");
    assert_eq!(subscribed[0]["filter"], desk.device.update_topic());
    assert_eq!(subscribed[0]["qos"], 1);
}

#[test]
fn key_mode_with_loop_thread() {
    let desk = Desk::new(Build::Key, SIZE);
    upgrade(&desk, &["-l"]);
    assert_one_get(&desk);
}

#[test]
fn key_mode_without_tls() {
    let desk = Desk::new(Build::NoTls, SIZE);
    let connected = upgrade(&desk, &[]);
    assert_eq!(connected["listener"], "tcp");
    assert_one_get(&desk);
}

#[test]
fn a_build_without_tls_refuses_https() {
    let desk = Desk::with_args(Build::NoTls, SIZE, |_| vec!["--upgrade-on-report".into(), "--scheme=https".into()]);
    let finished = desk.finish(&mut desk.sample().start());
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["err|", "https"]);
    assert_eq!(failures(&desk.hub, &desk.device), [-5]);
    assert!(desk.hub.events_of("http").is_empty());
}

#[test]
fn cert_mode() {
    let desk = Desk::new(Build::Cert, SIZE);
    let connected = upgrade(&desk, &[]);
    assert_eq!(connected["listener"], "cert");
    assert_one_get(&desk);
}

#[test]
fn cert_mode_with_loop_thread() {
    let desk = Desk::new(Build::Cert, SIZE);
    upgrade(&desk, &["-l"]);
}

#[test]
fn a_device_that_is_up_to_date_waits() {
    let desk = Desk::new(Build::Key, SIZE);
    let sample = desk.sample().args(&["-v", "2.0.0"]).start();
    sample.wait_for(&["waiting for an update command"]);
    // The cloud's answer to the report, which orders nothing.
    sample.wait_for(&["Report version success!"]);
    assert!(desk.hub.events_of("ordered").is_empty());
}

#[test]
fn secrets_stay_out_of_the_log() {
    for build in [Build::Key, Build::NoTls] {
        let desk = Desk::new(build, SIZE);
        let url = desk.hub.ready("firmware_url");
        let signature = url.split("q-signature").nth(1).expect("a signed URL").to_owned();
        let finished = desk.expect_upgrade(&mut desk.sample().start());
        let hex = "31323334353637383930616263646566";
        for secret in [&*signature, &desk.device.secret, "1234567890abcdef", hex, "hmacsha1"] {
            let shown: Vec<&String> = finished.lines.iter().filter(|line| line.contains(secret)).collect();
            assert!(shown.is_empty(), "{secret} in the log: {shown:?}");
        }
    }
}
