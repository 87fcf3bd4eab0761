//! `hub run --once`: a device that gets where it had to, or elsewhere, or nowhere; with a program that is the device.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use base64::prelude::{Engine, BASE64_STANDARD};
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish};
use rumqttc::mqttbytes::QoS;
use serde_json::Value;

use common::{exists, json, password, tcp, user_name, Client, Desk};

/// A running test.
struct Once {
    child: Child,
    ready: Value,
}

/// How it ended.
struct End {
    code: Option<i32>,
    text: String,
}

impl Once {
    /// Offers the desk's firmware as version 2.0 to a device that comes in by password.
    fn start(desk: &Desk, args: &[&str]) -> Once {
        let firmware = ["--firmware", "firmware.bin", "--auth", "password"];
        Once::start_plain(desk, &[&firmware[..], args].concat())
    }

    fn start_plain(desk: &Desk, args: &[&str]) -> Once {
        let mut child = desk
            .command()
            .args(["run", "--once", "--version", "2.0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hub");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("a line");
        if line.is_empty() {
            panic!("no ready object: {}", Once { child, ready: Value::Null }.end().text);
        }
        Once { child, ready: json(line.as_bytes()) }
    }

    fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", self.ready))
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(self.text("folder")).join(name)
    }

    /// The device, connected as its `device_info.json` says, for version 1.0.
    fn device(&self) -> Device {
        let info = json(&fs::read(self.text("device_info")).expect("device_info.json"));
        assert_eq!(info["auth_mode"], "KEY");
        let secret = info["key_deviceinfo"]["deviceSecret"].as_str().expect("a secret");
        let key = BASE64_STANDARD.decode(secret).expect("base64");
        let client_id = self.text("client_id");
        let name = user_name(client_id);
        let mut connect = Connect::new(client_id);
        connect.set_login(&name, password(&key, &name));
        let mut client = Client::new(tcp(self.text("endpoint")));
        assert_eq!(client.connect(connect).code as u8, 0);
        let topic = |kind: &str| format!("$ota/{kind}/{}/{}", self.text("product_id"), self.text("device_name"));
        client.subscribe(&topic("update"));
        Device { client, topic: topic("report") }
    }

    fn end(mut self) -> End {
        let mut text = String::new();
        self.child.stderr.take().expect("stderr").read_to_string(&mut text).expect("text");
        End { code: self.child.wait().expect("wait").code(), text }
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End {
    #[track_caller]
    fn is(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "no {part:?} in {}", self.text);
        }
    }
}

struct Device {
    client: Client<TcpStream>,
    topic: String,
}

impl Device {
    fn report_version(&mut self, version: &str) {
        let payload = format!(r#"{{"type":"report_version","report":{{"version":"{version}"}}}}"#);
        self.report(&payload);
    }

    fn version(&mut self, version: &str) {
        self.report_version(version);
        assert_eq!(json(&self.client.message().payload)["type"], "report_version_rsp");
    }

    /// Without an acknowledgement: a report may be the hub's last.
    fn report(&mut self, payload: &str) {
        self.client.send(&Packet::Publish(Publish::new(self.topic.as_str(), QoS::AtMostOnce, payload)));
    }

    /// Reports version 1.0 and takes the order.
    fn ordered(&mut self) -> Value {
        self.version("1.0");
        let order = json(&self.client.message().payload);
        assert_eq!((order["type"].as_str(), order["version"].as_str()), (Some("update_firmware"), Some("2.0")));
        order
    }

    fn progress(&mut self, progress: &str) {
        let payload = format!(r#"{{"type":"report_progress","report":{{"progress":{{{progress}}},"version":"2.0"}}}}"#);
        self.report(&payload);
    }

    fn downloading(&mut self, percent: u8) {
        self.progress(&format!(r#""state":"downloading","percent":"{percent}","result_code":"0","result_msg":"""#));
    }

    fn done(&mut self) {
        self.progress(r#""state":"done","result_code":"0","result_msg":"""#);
    }

    fn fail(&mut self, code: i32) {
        self.progress(&format!(r#""state":"fail","result_code":"{code}","result_msg":"why""#));
    }
}

#[test]
fn a_device_that_gets_there() {
    let desk = Desk::new();
    let once = Once::start(&desk, &["--from-version", "1.0"]);
    let info = once.text("device_info").to_owned();
    let mode = fs::metadata(&info).expect("device_info.json").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(once.text("endpoint"), once.text("mqtt"));
    let mut device = once.device();
    let order = device.ordered();
    assert_eq!(order["file_size"], 700_001);
    device.downloading(50);
    device.done();
    once.end().is(0, &["passed: done"]);
    assert!(!exists(&info), "its own folder is gone with it");
}

#[test]
fn a_device_that_gets_elsewhere() {
    let desk = Desk::new();
    for (args, part) in [
        (&[][..], "expected done: TESTPRODUCdevice reported fail for version 2.0 (code -4, \"why\")"),
        (&["--expect", "fail=-5"], "expected fail=-5"),
        (&["--expect", "version"], "expected version"),
    ] {
        let once = Once::start(&desk, args);
        let mut device = once.device();
        device.ordered();
        device.downloading(57);
        device.fail(-4);
        once.end().is(1, &[part, "phase reached: ended after 57 % of the download", "reported last: fail"]);
    }
    let once = Once::start(&desk, &["--expect", "fail"]);
    let mut device = once.device();
    device.ordered();
    device.done();
    once.end().is(1, &["expected fail: TESTPRODUCdevice reported done"]);
    let once = Once::start(&desk, &["--from-version", "1.0"]);
    let mut device = once.device();
    // The hub may be gone before it answers.
    device.report_version("1.1");
    once.end().is(1, &["1.1 at first, not 1.0"]);
}

#[test]
fn failures_and_versions_can_be_what_is_wanted() {
    let desk = Desk::new();
    let once = Once::start(&desk, &["--expect", "fail=-4"]);
    let mut device = once.device();
    device.ordered();
    device.fail(-4);
    once.end().is(0, &["passed: fail=-4"]);

    let once = Once::start(&desk, &["--expect", "version", "--failures", "1"]);
    let mut device = once.device();
    device.ordered();
    device.fail(-4);
    device.ordered();
    device.done();
    device.report_version("2.0");
    once.end().is(0, &["passed: version"]);
}

#[test]
fn the_time_runs_out() {
    let desk = Desk::new();
    let once = Once::start(&desk, &["--timeout", "1", "--fault", "http:cut=5#7"]);
    once.device().ordered();
    once.end().is(
        3,
        &["no such thing within 1 s", "phase reached: told to upgrade", "runs version 1.0", "never bit: http:cut=5#7"],
    );
    Once::start(&desk, &["--timeout", "1"]).end().is(3, &["it never connected"]);
}

#[test]
fn a_fault_that_did_not_happen_fails_the_test() {
    let desk = Desk::new();
    let rules = ["--fault", "mqtt:twice@order#1", "--fault", "http:cut=5#7"];
    let once = Once::start(&desk, &rules);
    let mut device = once.device();
    device.ordered();
    assert_eq!(json(&device.client.message().payload)["type"], "update_firmware");
    device.done();
    drop(device);
    let end = once.end();
    end.is(1, &["not every fault happened", "never bit: http:cut=5#7"]);
    assert!(!end.text.contains("never bit: mqtt:twice"), "{}", end.text);

    // The one that is due with the device's last word happens in time.
    let once = Once::start(&desk, &["--fault", "mqtt:cut@disconnect"]);
    let mut device = once.device();
    device.ordered();
    device.done();
    device.client.send(&rumqttc::mqttbytes::v4::Packet::Disconnect);
    once.end().is(0, &["passed"]);
}

#[test]
fn a_program_is_started_and_ended() {
    let desk = Desk::new();
    let script = r#"echo "$QCLOUD_IOT_MQTT_ENDPOINT $QCLOUD_IOT_COAP_ENDPOINT" >endpoint; cat "$QCLOUD_IOT_CA_FILE" >ca; echo "$@" >args
        ls >files; trap 'echo asked to end; exit' TERM; echo begun; touch begun
        while :; do sleep 0.1; done"#;
    let program =
        ["--from-version", "1.0", "--", "sh", "-c", script, "sh", "{device_info}", "{from_version}={file_size}"];
    let once = Once::start(&desk, &program);
    let mut device = once.device();
    device.ordered();
    wait_for(&once, "begun");
    let read = |name: &str| fs::read_to_string(once.file(name)).expect(name);
    assert_eq!(read("endpoint").trim_end(), format!("{} {}", once.text("mqtt"), once.text("coap")));
    assert_eq!(read("args").trim_end(), format!("{} 1.0=700001", once.text("device_info")));
    assert!(read("ca").starts_with("-----BEGIN CERTIFICATE"));
    assert!(read("files").contains("device_info.json"));
    device.done();
    once.end().is(0, &["begun\n", "asked to end"]);
}

/// Until the program has made this file.
fn wait_for(once: &Once, name: &str) {
    let begin = std::time::Instant::now();
    while !once.file(name).exists() {
        assert!(begin.elapsed() < common::PATIENCE, "no file {name}");
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_ends_early() {
    let desk = Desk::new();
    Once::start(&desk, &["--", "sh", "-c", "exit 7"])
        .end()
        .is(1, &["ended early, with exit code 7", "never connected"]);
    Once::start(&desk, &["--restart", "--", "sh", "-c", "kill -SEGV $$"]).end().is(1, &["crashed early, by signal 11"]);
    // One that crashes when it is asked to end.
    let script = "trap 'kill -SEGV $$' TERM; touch begun; while :; do sleep 0.1; done";
    let once = Once::start(&desk, &["--", "sh", "-c", script]);
    wait_for(&once, "begun");
    let mut device = once.device();
    device.ordered();
    device.done();
    once.end().is(1, &["crashed when it was to end"]);
}

#[test]
fn a_program_ends_with_the_test_whatever_it_thinks_of_it() {
    let desk = Desk::new();
    // It and what it started pay no heed to being asked.
    let script = "trap '' TERM; echo $$ >pid; touch begun; while :; do sleep 0.1; done";
    let once = Once::start(&desk, &["--folder", "stubborn", "--", "sh", "-c", script]);
    wait_for(&once, "begun");
    let mut device = once.device();
    device.ordered();
    device.done();
    once.end().is(0, &["passed"]);
    let pid = fs::read_to_string(desk.path("stubborn/pid")).expect("its number");
    assert!(!exists(&format!("/proc/{}", pid.trim())));

    // One whose test is stopped by somebody.
    let once = Once::start(&desk, &["--folder", "stopped", "--", "sh", "-c", "echo $$ >pid; touch begun; sleep 1000"]);
    wait_for(&once, "begun");
    let hub = once.child.id().to_string();
    assert!(std::process::Command::new("kill").arg(&hub).status().expect("kill").success());
    once.end().is(1, &["stopped by a signal"]);
    let pid = fs::read_to_string(desk.path("stopped/pid")).expect("its number");
    assert!(!exists(&format!("/proc/{}", pid.trim())));
}

#[test]
fn a_program_that_restarts() {
    let desk = Desk::new();
    // The first time it ends by itself.
    let script = "[ -e first ] && touch second && sleep 1000; touch first";
    let once = Once::start(&desk, &["--restart", "--", "sh", "-c", script]);
    wait_for(&once, "second");
    let mut device = once.device();
    device.ordered();
    device.done();
    once.end().is(0, &["passed"]);
}

#[test]
fn a_program_that_is_killed_in_mid_download() {
    let desk = Desk::new();
    let script = "[ -e first ] && touch second; touch first; sleep 1000";
    let args = ["--kill-at", "50", "--", "sh", "-c", script];
    let once = Once::start(&desk, &args);
    wait_for(&once, "first");
    let mut device = once.device();
    device.ordered();
    device.downloading(49);
    device.downloading(51);
    wait_for(&once, "second");
    device.done();
    once.end().is(0, &["passed"]);

    let once = Once::start(&desk, &args);
    let mut device = once.device();
    device.ordered();
    device.done();
    once.end().is(1, &["never killed", "50 %"]);
}

#[test]
fn the_devices_file_is_compared() {
    let desk = Desk::new();
    let folder = desk.path("scratch");
    let args = ["--folder", "scratch", "--compare", "{client_id}_{version}.bin"];
    for (content, code, part) in [
        (Some(common::firmware()), 0, "passed"),
        (
            Some(common::firmware()[..700_000].to_vec()),
            1,
            "700000 bytes instead of 700001, the first difference at byte 700000",
        ),
        (None, 1, "TESTPRODUCdevice_2.0.bin"),
    ] {
        let _ = fs::remove_dir_all(&folder);
        let once = Once::start(&desk, &args);
        assert_eq!(fs::canonicalize(&folder).expect("the folder").to_str(), Some(once.text("folder")));
        if let Some(content) = &content {
            fs::write(folder.join("TESTPRODUCdevice_2.0.bin"), content).expect("write");
        }
        let mut device = once.device();
        device.ordered();
        device.done();
        once.end().is(code, &[part]);
        assert!(folder.join("device_info.json").exists(), "a folder that was given stays");
    }
}

#[test]
fn each_way_to_come_in() {
    let desk = Desk::new();
    let once = Once::start_plain(&desk, &["--size", "100000"]);
    assert_eq!((once.text("auth"), once.text("endpoint")), ("psk", once.text("mqtt_psk")));
    assert_eq!(once.text("coap_endpoint"), once.text("coap_psk"));
    assert_eq!(once.ready["file_size"], 100_000);

    let once = Once::start_plain(&desk, &["--size", "1", "--auth", "certificate", "--ready-file", "ready.json"]);
    assert_eq!(once.text("endpoint"), once.text("mqtt_cert"));
    let info = json(&fs::read(once.text("device_info")).expect("device_info.json"));
    assert_eq!(info["auth_mode"], "CERT");
    assert_eq!(info["cert_deviceinfo"]["devCertFile"], "dev_cert.crt");
    let mode = |name: &str| fs::metadata(once.file(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!(mode("certs/dev_private.key"), 0o600);
    mode("certs/dev_cert.crt");
    let file = json(&fs::read(desk.path("ready.json")).expect("the ready file"));
    assert_eq!(file, once.ready);
}

#[test]
fn a_list_of_devices_of_ones_own() {
    let desk = Desk::with_devices(&["one"]);
    let once = Once::start(&desk, &["--devices", "devices.json"]);
    assert_eq!(once.text("client_id"), common::ONE);
    let mut device = once.device();
    device.ordered();
    device.done();
    once.end().is(0, &["passed"]);

    // Of several, each must get there, and there is no one device to write files for.
    let desk = Desk::with_devices(&["one", "two"]);
    let once = Once::start(&desk, &["--devices", "devices.json"]);
    assert!(once.ready["device_info"].is_null());
    assert!(once.ready["endpoint"].is_string());
}

#[test]
fn bad_input_is_named() {
    let desk = Desk::new();
    fs::create_dir(desk.path("full")).expect("folder");
    desk.write("full/file", b"");
    let base = ["--version", "2.0", "--size", "1"];
    for (args, parts) in [
        (&["--version", "2.0"][..], &["--firmware"][..]),
        (&["--size", "1"], &["--version"]),
        (&["--version", "2.0", "--size", "0"], &["--size", "0"]),
        (&[&base[..], &["--firmware", "firmware.bin"]].concat(), &["--size", "--firmware"]),
        (&[&base[..], &["--expect", "glory"]].concat(), &["--expect", "fail=CODE"]),
        (&[&base[..], &["--timeout", "0"]].concat(), &["--timeout"]),
        (&[&base[..], &["--from-version", "2.0"]].concat(), &["--from-version", "the same"]),
        (&[&base[..], &["--auth", "psk", "--mqtt-psk", "off"]].concat(), &["--auth psk", "--mqtt-psk"]),
        (&[&base[..], &["--exit-when-done"]].concat(), &["--exit-when-done"]),
        (&[&base[..], &["--restart"]].concat(), &["PROGRAM"]),
        (&[&base[..], &["--folder", "full"]].concat(), &["--folder full", "empty"]),
        (&[&base[..], &["--compare", "{clientid}"]].concat(), &["{clientid}", "{client_id}"]),
        (&[&base[..], &["--", "sh", "{http}{htp}"]].concat(), &["{htp}", "{https}"]),
        (&[&base[..], &["--", "./no-such-program"]].concat(), &["./no-such-program"]),
        (&[&base[..], &["--", "no-such-program"]].concat(), &["no-such-program"]),
        (&[&base[..], &["--devices", "devices.json", "--", "echo", "{device_info}"]].concat(), &["device_info"]),
    ] {
        let output = desk.output(&[&["run", "--once"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{args:?}: {text}");
        }
    }
}
