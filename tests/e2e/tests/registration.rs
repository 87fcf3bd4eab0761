//! A device that knows only its product's secret registers at the hub, and upgrades with what it got (dynreg.md).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use e2e::{each_row, openssl, Build, Desk, Device, Firmware, HubSetup, Sample};
use serde_json::json;
use tempfile::TempDir;

const PRODUCT_SECRET: &str = "0123456789abcdef01234567";

/// The device's file as it leaves the factory.
fn factory_file(desk: &Desk) -> String {
    let text = desk.device.info(desk.build);
    let text = text.replace(&desk.device.secret, "YOUR_IOT_PSK");
    assert!(text.contains("YOUR_IOT_PSK"), "{text}");
    let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut file = file.as_object().expect("an object").clone();
    file.insert("productSecret".to_owned(), PRODUCT_SECRET.into());
    serde_json::Value::from(file).to_string()
}

/// The sample, pointed at one of the hub's firmware servers.
fn registration_sample(desk: &Desk, server: &str) -> Sample {
    let address = desk.hub.ready(server);
    let (_, address) = address.rsplit_once("//").expect("a URL");
    let sample = Sample::new(desk.build, "dynreg_dev_sample", &desk.home).trusts(&desk.ca_file);
    sample.environment("QCLOUD_IOT_REGISTRATION_ENDPOINT", address)
}

/// Lets the devices of the desk's product register.
fn switch_on(desk: &Desk) {
    let secret_file = desk.folder.path().join("product_secret");
    fs::write(&secret_file, PRODUCT_SECRET).expect("the secret's file");
    let secret_file = secret_file.to_string_lossy();
    let on = desk.ask(&["registration", "on", &desk.device.product_id, "--secret-file", &secret_file]);
    assert_eq!(on.code(), 0);
}

fn registers_and_upgrades(build: Build, server: &str) {
    let desk = Desk::new(build, 100_000);
    let path = desk.home.join("device_info.json");
    fs::write(&path, factory_file(&desk)).expect("the device's file");
    let sample = registration_sample(&desk, server);
    // The product's switch is off: the sample says so, and ends as always.
    let refused = sample.start().finish();
    assert_eq!(refused.code(), 0);
    refused.assert_says(&["err|", "1006"]);
    assert!(fs::read_to_string(&path).expect("the file").contains("YOUR_IOT_PSK"));

    switch_on(&desk);
    let registered = sample.start().finish();
    assert_eq!(registered.code(), 0);
    registered.assert_says(&["the device is registered"]);
    assert!(!fs::read_to_string(&path).expect("the file").contains("YOUR_IOT_PSK"));
    desk.expect_upgrade(&mut desk.sample().start());
    // It has reported, and has a secret of its own.
    sample.start().finish().assert_says(&["has been registered before"]);
}

#[test]
fn a_device_registers_over_https_and_upgrades() {
    registers_and_upgrades(Build::Key, "https");
}

#[test]
fn a_device_registers_over_http_and_upgrades() {
    registers_and_upgrades(Build::NoTls, "http");
}

/// Case 19: a server that can't prove who it is gets no request, and the device's file stays.
#[test]
fn nothing_is_sent_to_a_server_without_a_good_certificate() {
    for (fault, words) in [
        ("http:cert=expired", "expired"),
        ("http:cert=wrong-host", "is for other hosts"),
        ("http:cert=untrusted", "trust"),
    ] {
        let args = ["--scheme", "https", "--fault", fault].map(str::to_owned);
        let desk = Desk::with_args(Build::Key, 1000, |_| args.to_vec());
        let path = desk.home.join("device_info.json");
        fs::write(&path, factory_file(&desk)).expect("the device's file");
        switch_on(&desk);
        let failed = registration_sample(&desk, "https").start().finish();
        assert_eq!(failed.code(), 0);
        failed.assert_says(&["err|", words]);
        failed.assert_says(&["not registered: -8"]);
        assert_eq!(fs::read_to_string(&path).expect("the file"), factory_file(&desk));
        desk.hub.wait("fault", |_| true);
        desk.hub.settle();
        let kinds: Vec<_> = desk.hub.events().iter().map(|event| event["event"].clone()).collect();
        assert_eq!(kinds, ["ready", "fault"], "{fault}");
    }
}

/// A desk whose device has no certificate of the hub's, and may register.
fn certificate_desk(build: Build) -> Desk {
    let folder = TempDir::new().expect("a temporary folder");
    let home = folder.path().join("device");
    fs::create_dir(&home).expect("the device's folder");
    let firmware = Firmware::new(folder.path(), "2.0.0", 100_000);
    // Without a secret, so with a certificate.
    let device = Device { secret: String::new(), ..Device::default() };
    let setup = HubSetup::new(folder.path(), &device).firmware(&firmware);
    let hub = setup.args(&["--upgrade-on-report", "--scheme", "https"]).start();
    let ca_file = PathBuf::from(hub.ready("ca_file"));
    let desk = Desk { hub, build, device, firmware, home, ca_file, folder };
    write_info(&desk, "YOUR_DEVICE_NAME");
    switch_on(&desk);
    desk
}

/// The device's file, which names its certificate and key after `owner`.
fn write_info(desk: &Desk, owner: &str) {
    let info = json!({
        "auth_mode": "CERT",
        "productId": desk.device.product_id,
        "productSecret": PRODUCT_SECRET,
        "deviceName": desk.device.name,
        "cert_deviceinfo": {
            "devCertFile": format!("{owner}_cert.crt"),
            "devPrivateKeyFile": format!("{owner}_private.key"),
        },
    });
    fs::write(desk.home.join("device_info.json"), info.to_string()).expect("the device's file");
}

/// A device in CERT mode: both files are there, the key for its owner only, and are good for the upgrade.
#[test]
fn a_device_registers_for_a_certificate_and_upgrades() {
    let desk = certificate_desk(Build::Cert);
    let registered = registration_sample(&desk, "https").start().finish();
    assert_eq!(registered.code(), 0);
    registered.assert_says(&["the device is registered"]);
    let certs = desk.home.join("certs");
    let name = &desk.device.name;
    let key = certs.join(format!("{name}_private.key"));
    assert_eq!(fs::metadata(&key).expect("the key").permissions().mode() & 0o777, 0o600);
    let mut names: Vec<_> =
        fs::read_dir(&certs).expect("the folder").map(|file| file.expect("a file").path()).collect();
    names.sort();
    assert_eq!(names, [certs.join(format!("{name}_cert.crt")), key]);
    desk.expect_upgrade(&mut desk.sample().start());
}

/// What a row of the table below ends in.
/// dynreg.md section 5: a certificate that the device has made itself goes along, and is the one by which it comes in.
#[test]
fn a_device_registers_its_own_certificate_and_upgrades() {
    let desk = certificate_desk(Build::WebSocketCert);
    let (certs, name) = (desk.home.join("certs"), desk.device.name.as_str());
    fs::create_dir(&certs).expect("the folder");
    let make = |subject: &str| {
        openssl(&certs, &format!("req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN={subject} -keyout {name}_private.key -out {name}_cert.crt"));
    };
    make("somebody");
    let refused = registration_sample(&desk, "https").start().finish();
    refused.assert_says(&["err|", "1010"]);

    make(&desk.device.client_id());
    let files = || {
        [format!("{name}_cert.crt"), format!("{name}_private.key")]
            .map(|file| fs::read(certs.join(file)).expect("a file"))
    };
    let own = files();
    // As yet the hub does not know it.
    write_info(&desk, name);
    assert_ne!(desk.finish(&mut desk.program("mqtt_sample").args(&["-n", "1"]).start()).code(), 0);

    write_info(&desk, "YOUR_DEVICE_NAME");
    let registered = registration_sample(&desk, "https").start().finish();
    registered.assert_says(&[REGISTERED]);
    assert!(files() == own, "they are the device's own");
    write_info(&desk, name);
    desk.expect_upgrade(&mut desk.sample().start());
}

const REGISTERED: &str = "the device is registered";

/// What a hub does wrong, and what the sample says of it.
const FAULTS: &[(&str, &str)] = &[
    ("register:key=wrong", "not registered: -1001"),
    ("register:type=1", "not registered: -1001"),
    ("register:type=7", "not registered: -1001"),
    ("register:no-psk", "not registered: -1001"),
    ("register:psk=0", "not registered: -1001"),
    ("register:psk=64", REGISTERED),
    ("register:psk=65", "not registered: -1001"),
    ("register:psk=80", "not registered: -1001"),
    ("register:payload=no-base64", "not registered: -1001"),
    ("register:short=1", "not registered: -1001"),
    ("register:body=255", REGISTERED),
    ("register:body=256", REGISTERED),
    ("register:body=6000", REGISTERED),
    ("register:body=70000", "not registered: -1001"),
    ("register:code=1234,reason=why", "not registered: 1234"),
    ("http:chunked=16", REGISTERED),
    ("http:no-length", REGISTERED),
    ("http:status=401", "not registered: -9"),
    ("http:status=403", "not registered: -9"),
    ("http:status=404", "not registered: -10"),
    ("http:status=429", "not registered: -4"),
    ("http:status=500", "not registered: -4"),
    ("http:redirect=self", "not registered: -4"),
    ("http:page", "not registered: -1"),
    ("http:cut-head=20", "not registered: -608"),
    ("http:short=10", "not registered: -608"),
];

/// Cases 7, 8, 10, 11, 13, 14 and 20: what a reply may have wrong. The device's file changes where it was good, only.
#[test]
fn a_device_takes_a_good_reply_only() {
    each_row(FAULTS, |(fault, words)| faces(fault, words));
}

fn faces(fault: &str, words: &str) {
    let desk = Desk::with_args(Build::NoTls, 1000, |_| ["--fault", fault].map(str::to_owned).to_vec());
    let path = desk.home.join("device_info.json");
    let before = factory_file(&desk);
    fs::write(&path, &before).expect("the device's file");
    switch_on(&desk);
    let finished = registration_sample(&desk, "http").start().finish();
    assert_eq!(finished.code(), 0, "{fault}");
    // A code is all of it: -1 is not -1001.
    assert!(finished.lines.iter().any(|line| line.trim_end().ends_with(words)), "{fault}: {words}");
    let after = fs::read_to_string(&path).expect("the file");
    assert_eq!(after == before, words != REGISTERED, "{fault}: {after}");
    assert_eq!(after.contains("YOUR_IOT_PSK"), words != REGISTERED, "{fault}: {after}");
    desk.hub.wait("fault", |event| event["rule"] == fault);
}
