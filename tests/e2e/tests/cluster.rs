//! The hub past one machine: a broker that is not ours, over TLS and shared with other hubs, and firmware on a web server.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use e2e::{Authority, Build, Device, Finished, Firmware, Hub, HubSetup, Mosquitto, Nginx, Process, Sample, Validity};
use tempfile::TempDir;

const SIZE: usize = 175_436;
const VERSION: &str = "2.0.0";

/// A broker, a web server that serves what the hub's data folder has for it, and devices.
struct Town {
    setup: HubSetup,
    nginx: Nginx,
    mosquitto: Mosquitto,
    authority: Authority,
    devices: Vec<Device>,
    firmware: Firmware,
    folder: TempDir,
}

impl Town {
    /// Hubs connect to the broker in the plain. `more` stands in nginx's configuration.
    fn new(count: usize, more: &str) -> Town {
        let folder = TempDir::new().expect("a temporary folder");
        let authority = Authority::new(folder.path());
        let model = Device::default();
        let devices: Vec<Device> =
            (0..count).map(|number| Device { name: format!("dev{number}"), ..model.clone() }).collect();
        let mosquitto = Mosquitto::start_with(folder.path(), &devices, &authority);
        let firmware = Firmware::new(folder.path(), VERSION, SIZE);
        let first = devices.first().expect("a device");
        let setup = HubSetup::new(folder.path(), first).devices(devices.iter().skip(1).cloned());
        let server = authority.server("localhost", Validity::Now);
        let nginx = Nginx::start_with(folder.path(), &setup.state().join("firmware"), &server, more);
        let base = nginx.url("");
        let off = ["--http", "off", "--https", "off"];
        let setup = setup.firmware(&firmware).args(&["--firmware-base-url", &base]).args(&off);
        Town { setup, nginx, mosquitto, authority, devices, firmware, folder }
    }

    fn with_args(mut self, args: &[&str]) -> Town {
        self.setup = self.setup.args(args);
        self
    }

    fn hub(&self) -> Hub {
        self.setup.start()
    }

    fn home(&self, device: &Device) -> PathBuf {
        let home = self.folder.path().join(&device.name);
        fs::create_dir_all(&home).expect("the device's folder");
        device.write_info(&home, Build::Key);
        home
    }

    fn sample(&self, device: &Device) -> Process {
        Sample::new(Build::Key, "ota_mqtt_sample", &self.home(device))
            .endpoint(&self.mosquitto.psk_address())
            .trusts(self.authority.file())
            .args(&["-d", "-n", "1"])
            .start()
    }

    fn assert_upgraded(&self, device: &Device, finished: &Finished) {
        assert_eq!(finished.code(), 0, "exit code");
        let bin = Sample::bin_file(&self.home(device), device, VERSION);
        assert!(fs::read(bin).expect("the firmware on the device") == self.firmware.bytes);
    }
}

/// The devices with such an event.
fn seen(hub: &Hub, kind: &str, state: Option<&str>) -> BTreeSet<String> {
    let events = hub.events_of(kind);
    let wanted = events.iter().filter(|event| state.is_none_or(|state| event["state"] == state));
    wanted.filter_map(|event| event["client_id"].as_str().map(str::to_owned)).collect()
}

#[test]
fn two_hubs_share_the_work_and_one_may_die() {
    // Slow enough that every device is in mid-download for a while.
    let town = Town::new(20, "limit_rate 60k;");
    let url = town.mosquitto.url();
    let town = town.with_args(&["--broker", &url]);
    let (mut first, mut second) = (town.hub(), town.hub());
    let mut samples: Vec<Process> = town.devices.iter().map(|device| town.sample(device)).collect();
    for sample in &samples {
        sample.wait_for(&["waiting for an update command"]);
    }
    let all: BTreeSet<String> = town.devices.iter().map(Device::client_id).collect();
    first.say("upgrade all");
    for sample in &samples {
        sample.wait_for(&["update command"]);
    }
    for hub in [&first, &second] {
        hub.wait_state("downloading");
        assert!(!seen(hub, "version", None).is_empty(), "it has its share of the devices");
    }
    first.kill();
    // The command line finds the one that is left.
    let list = town.setup.ask(&["devices", "--json"]);
    assert_eq!(list.code(), 0, "exit code");
    list.assert_says(&[town.devices.last().expect("a device").client_id().as_str()]);
    for (device, sample) in town.devices.iter().zip(&mut samples) {
        town.assert_upgraded(device, &sample.finish());
    }
    // The one that died may have dealt with some. What it had not, the other one takes over.
    let before = seen(&first, "upgrade", Some("done"));
    for client_id in all.difference(&before) {
        second.wait("upgrade", |event| event["state"] == "done" && event["client_id"] == client_id.as_str());
    }
    second.say("devices");
    let rows = second.wait("devices", |_| true)["devices"].clone();
    let rows = rows.as_array().expect("rows");
    assert_eq!(rows.len(), all.len());
    assert!(rows.iter().all(|row| row["state"] == "done"), "{rows:?}");
}

#[test]
fn reports_wait_for_the_hub() {
    let town = Town::new(1, "");
    let url = town.mosquitto.url();
    let town = town.with_args(&["--broker", &url, "--upgrade-on-report"]);
    let device = town.devices.first().expect("a device");
    town.hub().kill();
    let mut sample = town.sample(device);
    // The broker has the report; nobody will make it again.
    sample.wait_for(&["waiting for an update command"]);
    let hub = town.hub();
    town.assert_upgraded(device, &sample.finish());
    hub.wait_state("done");
}

#[test]
fn a_survivor_takes_the_reports_of_the_dead() {
    let town = Town::new(6, "");
    let url = town.mosquitto.url();
    let town = town.with_args(&["--broker", &url, "--upgrade-on-report"]);
    let (mut first, second) = (town.hub(), town.hub());
    first.kill();
    // Before the other one can have noticed.
    let mut samples: Vec<Process> = town.devices.iter().map(|device| town.sample(device)).collect();
    for (device, sample) in town.devices.iter().zip(&mut samples) {
        town.assert_upgraded(device, &sample.finish());
        second.wait("upgrade", |event| event["state"] == "done" && event["client_id"] == device.client_id());
    }
}

#[test]
fn firmware_on_a_web_server_is_resumed() {
    let town = Town::new(1, "");
    let url = town.mosquitto.url();
    let town = town.with_args(&["--broker", &url, "--upgrade-on-report"]);
    let device = town.devices.first().expect("a device");
    let home = town.home(device);
    Sample::store(&home, device, &town.firmware, 100_000);
    let hub = town.hub();
    town.assert_upgraded(device, &town.sample(device).finish());
    hub.wait_state("done");
    let log = town.nginx.access_log();
    let request = format!("GET /{}_{VERSION}.bin HTTP/1.1|206|bytes=100000-", device.product_id);
    assert!(log.contains(&request), "{log}");
}

#[test]
fn a_broker_with_tls_and_a_password() {
    let town = Town::new(1, "");
    let (user, password) = Mosquitto::login();
    let file = town.folder.path().join("password");
    fs::write(&file, format!("{password}\n")).expect("the password's file");
    let (url, ca) = (town.mosquitto.password_url(), town.authority.file());
    let (file, ca) = (file.to_string_lossy().into_owned(), ca.to_string_lossy().into_owned());
    let login = ["--broker-user", user, "--broker-password-file", &file];
    let town = town.with_args(&["--broker", &url, "--broker-ca", &ca, "--upgrade-on-report"]).with_args(&login);
    let device = town.devices.first().expect("a device");
    let hub = town.hub();
    town.assert_upgraded(device, &town.sample(device).finish());
    hub.wait_state("done");
    assert!(hub.out().all().iter().all(|line| !line.contains(password)), "the password is in the hub's output");
}

#[test]
fn a_broker_with_mutual_tls() {
    let town = Town::new(1, "");
    let identity = town.authority.client("the-hub", Build::Key);
    let (cert, key) = (identity.cert.to_string_lossy().into_owned(), identity.key.to_string_lossy().into_owned());
    let (url, ca) = (town.mosquitto.cert_url(), town.authority.file().to_string_lossy().into_owned());
    let certs = ["--broker-ca", &ca, "--broker-cert", &cert, "--broker-key", &key];
    let town = town.with_args(&["--broker", &url, "--upgrade-on-report"]).with_args(&certs);
    let device = town.devices.first().expect("a device");
    let hub = town.hub();
    town.assert_upgraded(device, &town.sample(device).finish());
    hub.wait_state("done");
}

/// A hub that can't use the broker says why, and what to do.
fn complaint(args: impl FnOnce(&Town) -> Vec<String>) -> Finished {
    let town = Town::new(1, "");
    let args = args(&town);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let finished = town.with_args(&args).setup.fail();
    assert_eq!(finished.code(), 2, "exit code");
    finished
}

fn options(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_wrong_ca_is_named() {
    let stranger = TempDir::new().expect("a temporary folder");
    let ca = Authority::new(stranger.path()).file().to_string_lossy().into_owned();
    let finished = complaint(|town| options(&["--broker", &town.mosquitto.password_url(), "--broker-ca", &ca]));
    finished.assert_says(&["not signed by a CA in --broker-ca", &ca]);
}

#[test]
fn a_wrong_password_is_named() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("password");
    fs::write(&file, "not the one\n").expect("the password's file");
    let file = file.to_string_lossy().into_owned();
    let finished = complaint(|town| {
        let ca = town.authority.file().to_string_lossy().into_owned();
        let (url, (user, _)) = (town.mosquitto.password_url(), Mosquitto::login());
        options(&["--broker", &url, "--broker-ca", &ca, "--broker-user", user, "--broker-password-file", &file])
    });
    finished.assert_says(&["wrong --broker-user or password"]);
    assert!(!finished.says(&["not the one"]), "the password is in the message");
}

#[test]
fn a_missing_certificate_is_named() {
    let finished = complaint(|town| {
        let ca = town.authority.file().to_string_lossy().into_owned();
        options(&["--broker", &town.mosquitto.cert_url(), "--broker-ca", &ca])
    });
    finished.assert_says(&["--broker-cert and --broker-key"]);
}

#[test]
fn a_broker_that_does_not_share_is_named() {
    let finished = complaint(|town| options(&["--broker", &town.mosquitto.url(), "--broker-group", "ours"]));
    finished.assert_says(&["shared subscriptions", "without --broker-group"]);
}
