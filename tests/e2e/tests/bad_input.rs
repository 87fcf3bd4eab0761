//! Bad input of every kind: the cause is named, nothing crashes, and where it makes sense the next attempt works.

use std::fs;

use e2e::{
    ends, failures, reports, Answer, Authority, Build, Desk, Device, Finished, Firmware, ReservedPort, Sample, Server,
    Validity,
};
use tempfile::TempDir;

const SIZE: usize = 50_000;

// ---- Connecting ----

/// Runs a sample that must not get past its connection.
fn refused(desk: &Desk, sample: &Sample) -> Finished {
    let finished = sample.start().finish();
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["err|"]);
    finished.assert_says(&["MQTT connection failed"]);
    assert!(desk.hub.events_of("connected").is_empty());
    finished
}

#[test]
fn wrong_psk() {
    let desk = Desk::new(Build::Key, SIZE);
    desk.device.with_wrong_secret().write_info(&desk.home, desk.build);
    refused(&desk, &desk.sample()).assert_says(&["err|", "secret"]);
    desk.hub.wait("refused", |event| event["listener"] == "psk");
}

#[test]
fn right_psk_after_a_wrong_one() {
    let desk = Desk::new(Build::Key, SIZE);
    desk.device.with_wrong_secret().write_info(&desk.home, desk.build);
    refused(&desk, &desk.sample());
    desk.device.write_info(&desk.home, desk.build);
    desk.expect_upgrade(&mut desk.sample().start());
}

#[test]
fn unknown_device() {
    for build in [Build::Key, Build::NoTls] {
        let desk = Desk::new(build, SIZE);
        Device { name: "stranger".to_owned(), ..desk.device.clone() }.write_info(&desk.home, desk.build);
        refused(&desk, &desk.sample());
        desk.hub.wait("refused", |_| true);
    }
}

#[test]
fn refused_connect() {
    let desk = Desk::new(Build::NoTls, SIZE);
    desk.device.with_wrong_secret().write_info(&desk.home, desk.build);
    let finished = refused(&desk, &desk.sample());
    // CONNACK 4.
    finished.assert_says(&["err|", "user name or password"]);
    finished.assert_says(&["MQTT connection failed: -116"]);
    desk.hub.wait("refused", |event| event["reason"].as_str().is_some_and(|why| why.contains("wrong password")));
}

#[test]
fn nobody_listens() {
    for build in [Build::Key, Build::NoTls, Build::Cert] {
        let desk = Desk::new(build, SIZE);
        let port = ReservedPort::new();
        let sample = desk.sample().endpoint(&port.address());
        refused(&desk, &sample).assert_says(&["err|", &port.address(), "refused"]);
    }
}

#[test]
fn a_host_that_does_not_exist() {
    let desk = Desk::new(Build::Key, SIZE);
    let sample = desk.sample().endpoint("no-such-host.invalid:8883");
    refused(&desk, &sample).assert_says(&["err|", "no-such-host.invalid"]);
}

#[test]
fn an_endpoint_that_makes_no_sense() {
    for endpoint in ["nonsense", "localhost:", "localhost:0", "localhost:99999", ":8883"] {
        let desk = Desk::new(Build::Key, SIZE);
        let sample = desk.sample().endpoint(endpoint);
        refused(&desk, &sample).assert_says(&["err|", "QCLOUD_IOT_MQTT_ENDPOINT"]);
    }
}

#[test]
fn a_server_that_speaks_something_else() {
    // HTTP where MQTT is expected.
    let server = Server::http(|_| Answer::status(400));
    let address = server.url("").replace("http://", "");
    for build in [Build::Key, Build::Cert] {
        let desk = Desk::new(build, SIZE);
        let finished = desk.sample().endpoint(&address).start();
        // Nothing comes back from it: the handshake's time limit ends this.
        let mut finished = finished;
        assert_eq!(finished.finish().code(), 1);
    }
}

#[test]
fn tries_again_while_nobody_listens() {
    let desk = Desk::new(Build::Key, SIZE);
    let port = ReservedPort::new();
    let mut sample = desk.sample_with_attempts(2).endpoint(&port.address()).start();
    sample.wait_for(&["next attempt in"]);
    assert_eq!(sample.finish().code(), 1);
}

// ---- Certificates ----

#[test]
fn mqtt_server_of_an_untrusted_ca() {
    let desk = Desk::new(Build::Cert, SIZE);
    let other = Authority::new(desk.folder.path());
    refused(&desk, &desk.sample().trusts(other.file())).assert_says(&["err|", "certificate"]);
}

/// The sample against an MQTT server whose certificate it must not take.
fn untrusted_mqtt(host: &str, validity: Validity, words: &[&str]) {
    let desk = Desk::new(Build::Cert, SIZE);
    let authority = Authority::new(desk.folder.path());
    // It gets as far as the handshake, so it may well be a web server.
    let server = Server::https(&authority.server(host, validity), |_| Answer::status(400));
    let endpoint = server.url("").replace("https://", "");
    refused(&desk, &desk.sample().endpoint(&endpoint).trusts(authority.file())).assert_says(words);
    assert_eq!(server.requests().mark(), 0, "it got something");
}

#[test]
fn mqtt_server_with_an_expired_certificate() {
    untrusted_mqtt("localhost", Validity::Over, &["err|", "certificate", "expired"]);
}

#[test]
fn mqtt_server_with_another_name() {
    untrusted_mqtt("example.com", Validity::Now, &["err|", "certificate", "other hosts"]);
}

#[test]
fn client_certificate_files() {
    let desk = Desk::new(Build::Cert, SIZE);
    let key = Device::key_file(&desk.home);
    fs::write(&key, "not a key").expect("the key");
    refused(&desk, &desk.sample()).assert_says(&["err|", "dev_private.key"]);
    fs::remove_file(&key).expect("the key");
    refused(&desk, &desk.sample()).assert_says(&["err|", "dev_private.key"]);
    let (cert, good_key) = desk.hub.client_cert(&desk.device);
    desk.device.write_cert(&desk.home, &cert, &good_key);
    desk.expect_upgrade(&mut desk.sample().start());
}

#[test]
fn client_certificate_of_another_ca() {
    let desk = Desk::new(Build::Cert, SIZE);
    let other = Authority::new(desk.folder.path()).server("localhost", Validity::Now);
    desk.device.write_cert(&desk.home, &other.cert, &other.key);
    refused(&desk, &desk.sample());
    desk.hub.wait("refused", |event| event["listener"] == "cert");
}

/// Runs the sample against an HTTPS server it must not trust, then against one it may.
fn untrusted(host: &str, validity: Validity, other_ca: bool, words: &[&str]) {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new(folder.path());
    let image = Firmware::image(SIZE);
    let server = Server::https(&authority.server(host, validity), move |request| Answer::file(&image, request));
    let mut desk = Desk::with_url(Build::Key, SIZE, |_| server.url("/firmware"));
    if !other_ca {
        desk.ca_file = authority.file();
    }
    let finished = desk.finish(&mut desk.sample().start());
    assert_eq!(finished.code(), 1);
    finished.assert_says(words);
    assert_eq!(failures(&desk.hub, &desk.device), [-5]);
    assert!(!desk.bin_file().exists() || fs::read(desk.bin_file()).is_ok_and(|bytes| bytes.is_empty()));
    assert_eq!(server.requests().mark(), 0, "it got a request");
}

#[test]
fn https_server_of_an_untrusted_ca() {
    untrusted("localhost", Validity::Now, true, &["err|", "certificate", "does not trust"]);
}

#[test]
fn https_server_with_an_expired_certificate() {
    untrusted("localhost", Validity::Over, false, &["err|", "certificate", "expired"]);
}

#[test]
fn https_server_with_another_name() {
    untrusted("example.com", Validity::Now, false, &["err|", "certificate", "other hosts"]);
}

#[test]
fn no_root_certificates() {
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, word) in [(None, "roots.pem"), (Some(""), "roots.pem"), (Some(garbage), "CA certificate")] {
        let mut desk = Desk::new(Build::Key, SIZE);
        desk.ca_file = desk.folder.path().join("roots.pem");
        if let Some(content) = content {
            fs::write(&desk.ca_file, content).expect("the roots");
        }
        let finished = desk.finish(&mut desk.sample().start());
        assert_eq!(finished.code(), 1);
        finished.assert_says(&["err|", word]);
        assert_eq!(failures(&desk.hub, &desk.device), [-5]);
    }
}

// ---- Commands ----

#[test]
fn update_commands_that_cannot_be_followed() {
    let mut desk = Desk::with_args(Build::Key, SIZE, |_| Vec::new());
    let mut sample = desk.sample().start();
    sample.wait_for(&["waiting for an update command"]);
    let good = desk.firmware.command(&desk.hub.ready("firmware_url"));
    let md5 = desk.firmware.md5();
    let broken = [
        (good.replace("file_size", "filesize"), "file_size"),
        (good.replace("\"file_size\":50000", "\"file_size\":0"), "file_size"),
        (good.replace("\"file_size\":50000", "\"file_size\":-1"), "file_size"),
        (good.replace("\"file_size\":50000", "\"file_size\":4294967296"), "file_size"),
        (good.replace("\"file_size\":50000", "\"file_size\":\"many\""), "file_size"),
        (good.replace("md5sum", "md5"), "md5sum"),
        (good.replace(&md5, "0123"), "md5sum"),
        (good.replace(&md5, &"z".repeat(32)), "md5sum"),
        (good.replace("\"url\"", "\"uri\""), "url"),
        (good.replace("https://", "gopher://"), "url"),
        (good.replace("\"version\"", "\"v\""), "version"),
        (good.replace("2.0.0\"}", &format!("{}\"}}", "9".repeat(33))), "version"),
    ];
    for (number, (command, _)) in broken.iter().enumerate() {
        assert_ne!(command, &good, "{number}");
        let before = desk.hub.out().mark();
        desk.hub.say(&format!("send {} {command}", desk.device.client_id()));
        desk.hub.wait_from(before, "upgrade", |event| event["state"] == "fail");
    }
    let failed: Vec<_> = reports(&desk.hub, &desk.device);
    let failed: Vec<_> = failed.iter().filter(|report| report.state.as_deref() == Some("fail")).collect();
    assert_eq!(failed.len(), broken.len());
    for (report, (command, key)) in failed.iter().zip(&broken) {
        assert_eq!(report.code, Some(-5));
        assert!(report.text.as_ref().is_some_and(|text| text.contains(key)), "{command} got {}", report.payload);
    }
    // Neither does what is no message at all end anything.
    for nonsense in [
        "{",
        "[]",
        "\"http://h/f?sign=x\"",
        "null",
        "{\"type\":5}",
        "{\"type\":\"unknown\"}",
        "\"update_firmware\"",
        "\\\\\u{fffd}",
    ] {
        desk.hub.say(&format!("send {} {nonsense}", desk.device.client_id()));
    }
    desk.hub.say(&format!("upgrade {}", desk.device.client_id()));
    desk.expect_upgrade(&mut sample);
    assert_eq!(ends(&desk.hub, &desk.device).last().map(String::as_str), Some("done"));
}

#[test]
fn a_refused_version_report_is_no_obstacle() {
    let mut desk = Desk::with_args(Build::Key, SIZE, |_| Vec::new());
    let mut sample = desk.sample().start();
    sample.wait_for(&["waiting for an update command"]);
    let answer = r#"{"result_code":"-1","result_msg":"no such product","type":"report_version_rsp","version":"1.0.0"}"#;
    desk.hub.say(&format!("send {} {answer}", desk.device.client_id()));
    sample.wait_for(&["err|", "no such product"]);
    sample.wait_for(&["wrn|", "the cloud refused the version report"]);
    // The device can be upgraded all the same (behaviour.md section 4).
    desk.hub.say(&format!("upgrade {}", desk.device.client_id()));
    desk.expect_upgrade(&mut sample);
}

#[test]
fn a_command_of_sixteen_kilobytes_and_one_beyond() {
    let mut desk = Desk::with_args(Build::Key, SIZE, |_| Vec::new());
    let mut sample = desk.sample().start();
    sample.wait_for(&["waiting for an update command"]);
    let good = desk.firmware.command(&desk.hub.ready("firmware_url"));
    let padded = |size: usize| good.replacen('{', &format!("{{\"padding\":\"{}\",", "x".repeat(size)), 1);
    desk.hub.say(&format!("send {} {}", desk.device.client_id(), padded(40_000)));
    sample.wait_for(&["err|", "40"]);
    desk.hub.say(&format!("send {} {}", desk.device.client_id(), padded(14_000)));
    desk.expect_upgrade(&mut sample);
    assert_eq!(desk.hub.events_of("connected").len(), 1, "the connection went on");
}

// ---- Identity ----

/// Runs a sample that has no good identity.
fn no_identity(build: Build, info: Option<&str>, words: &[&str]) {
    let folder = TempDir::new().expect("a temporary folder");
    if let Some(info) = info {
        fs::write(folder.path().join("device_info.json"), info).expect("device_info.json");
    }
    let port = ReservedPort::new();
    for name in ["ota_mqtt_sample", "mqtt_sample"] {
        let finished =
            Sample::new(build, name, folder.path()).endpoint(&port.address()).args(&["-d", "-n", "1"]).start().finish();
        assert_eq!(finished.code(), 1);
        finished.assert_says(words);
    }
}

#[test]
fn no_device_info() {
    no_identity(Build::Key, None, &["err|", "device_info.json"]);
}

#[test]
fn broken_device_info() {
    for text in ["", "{", "not json", "[]", "{\"productId\":}", "\0"] {
        no_identity(Build::Key, Some(text), &["err|", "device_info.json"]);
    }
    let huge = format!("{{\"productId\":\"{}\"}}", "x".repeat(100_000));
    no_identity(Build::Key, Some(&huge), &["err|", "device_info.json"]);
}

#[test]
fn partial_device_info() {
    let good = Device::default();
    for key in ["productId", "deviceName", "deviceSecret"] {
        no_identity(Build::Key, Some(&good.info(Build::Key).replace(key, "other")), &["err|", key]);
    }
    for key in ["devCertFile", "devPrivateKeyFile"] {
        no_identity(Build::Cert, Some(&good.info(Build::Cert).replace(key, "other")), &["err|", key]);
    }
}

#[test]
fn device_info_with_values_too_long() {
    let device = Device::default();
    let long = Device { product_id: "ELEVENCHARS".to_owned(), ..device.clone() };
    no_identity(Build::Key, Some(&long.info(Build::Key)), &["err|", "productId"]);
    let long = Device { name: "n".repeat(49), ..device.clone() };
    no_identity(Build::Key, Some(&long.info(Build::Key)), &["err|", "deviceName"]);
    let long = Device { secret: "A".repeat(68), ..device };
    no_identity(Build::Key, Some(&long.info(Build::Key)), &["err|", "deviceSecret"]);
}

#[test]
fn a_secret_that_is_not_base64() {
    let device = Device { secret: "%%% no base64 %%%".to_owned(), ..Device::default() };
    for build in [Build::Key, Build::NoTls] {
        no_identity(build, Some(&device.info(build)), &["err|", "base64"]);
    }
}

#[test]
fn a_secret_of_nothing() {
    let device = Device { secret: String::new(), ..Device::default() };
    no_identity(Build::Key, Some(&device.info(Build::Key)), &["err|", "secret"]);
}

#[test]
fn longest_identity_the_platform_allows() {
    // Names of 10 and 48 characters: the topics are as long as they get. A secret of 64: the key has 48 bytes.
    let folder = TempDir::new().expect("a temporary folder");
    let device = Device { name: "n".repeat(48), secret: "c2Vj".repeat(16), ..Device::default() };
    device.write_info(folder.path(), Build::Key);
    let firmware = Firmware::new(folder.path(), "2.0.0", SIZE);
    let hub = e2e::HubSetup::new(folder.path(), &device).firmware(&firmware).args(&["--upgrade-on-report"]).start();
    let mut sample = Sample::new(Build::Key, "ota_mqtt_sample", folder.path())
        .endpoint(&hub.ready("mqtt_psk"))
        .trusts(hub.ready("ca_file"))
        .args(&["-d", "-n", "1"])
        .start();
    assert_eq!(sample.finish().code(), 0);
    hub.wait_state("done");
}
