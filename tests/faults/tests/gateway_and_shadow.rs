//! The samples of shadow and gateway against a hub that refuses or misbehaves.

use std::fs;
use std::path::Path;
use std::slice;
use std::thread;

use e2e::{Build, Device, Finished, Firmware, Hub, HubSetup, Sample};
use serde_json::{json, Value};
use tempfile::TempDir;

/// How a device proves itself makes no difference to these.
const BUILD: Build = Build::NoTls;

struct Place {
    hub: Hub,
    setup: HubSetup,
    folder: TempDir,
}

/// A hub that knows these devices, with more of its command line.
fn place(devices: &[Device], args: &[&str]) -> Place {
    let folder = TempDir::new().expect("a temporary folder");
    let (first, others) = devices.split_first().expect("a device");
    let setup = HubSetup::new(folder.path(), first).devices(others.iter().cloned()).args(args);
    Place { hub: setup.start(), setup, folder }
}

fn named(name: &str) -> Device {
    Device { name: name.to_owned(), ..Device::default() }
}

impl Place {
    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn sample(&self, program: &str) -> Sample {
        Sample::new(BUILD, program, self.home()).endpoint(&self.hub.ready("mqtt"))
    }

    fn run(&self, program: &str, args: &[&str]) -> Finished {
        self.sample(program).args(args).start().finish()
    }

    /// Asks the hub by its command line, which answers in JSON.
    fn ask(&self, args: &[&str]) -> Value {
        let finished = self.setup.ask(&[args, &["--json"]].concat());
        assert_eq!(finished.code(), 0, "{args:?}");
        serde_json::from_str(&finished.lines.concat()).expect("JSON")
    }
}

/// The gateway's folder: its own file, which names the device behind it, and that device's file for `-b`.
fn gateway(place: &Place, gateway: &Device, sub: &Device) {
    let info = gateway.info(BUILD);
    let mut info: Value = serde_json::from_str(&info).expect("JSON");
    info["subDev"]["sub_productId"] = json!(sub.product_id);
    info["subDev"]["sub_devName"] = json!(sub.name);
    fs::write(place.home().join("device_info.json"), format!("{info:#}\n")).expect("the gateway's file");
    fs::write(place.home().join("sub.json"), sub.info(BUILD)).expect("the device's file");
}

#[test]
fn a_gateway_is_refused_a_device_that_is_not_its_own() {
    let (own, sub) = (Device::default(), named("behind"));
    let place = place(&[own.clone(), sub.clone(), named("other")], &[]);
    gateway(&place, &own, &sub);
    let finished = place.run("gateway_sample", &[]);
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["could not be put online: -1"]);

    place.ask(&["gateways", "bind", &named("other").client_id(), &sub.client_id()]);
    let finished = place.run("gateway_sample", &["-b", "sub.json"]);
    assert_eq!(finished.code(), 1);
    finished.assert_says(&["could not be bound: 806"]);

    place.ask(&["gateways", "unbind", &named("other").client_id(), &sub.client_id()]);
    place.ask(&["gateways", "bind", &own.client_id(), &sub.client_id()]);
    assert_eq!(place.run("gateway_sample", &[]).code(), 0);
}

/// What goes wrong, the sample's exit code, and what it says.
type Row = (&'static str, i32, &'static str);

/// Runs each row on a thread of its own; most of them only wait.
fn each(rows: &[Row], run: impl Fn(&Place) -> Finished + Sync, devices: &[Device], args: &[&str]) {
    thread::scope(|scope| {
        for (rule, code, says) in rows {
            let run = &run;
            // A panic names its thread.
            let thread = thread::Builder::new().name((*rule).to_owned());
            let spawned = thread.spawn_scoped(scope, move || {
                let place = place(devices, &[&["--fault", rule], args].concat());
                let finished = run(&place);
                let ends = finished.code() == *code && finished.says(&[says]);
                assert!(ends, "{rule}: {}", finished.lines.join("\n"));
                // The hub's line may come after the sample's end.
                place.hub.wait("fault", |_| true);
            });
            spawned.expect("a thread");
        }
    });
}

/// shadow.md, section 4: how a request ends.
#[test]
fn a_shadow_that_misbehaves_ends_the_request_as_the_contract_says() {
    let rows = [
        ("mqtt:lose@shadow#1", 1, "no document of the cloud: -205"),
        ("mqtt:late=60@shadow#1", 1, "no document of the cloud: -205"),
        ("mqtt:message=other-token@shadow#1", 1, "no document of the cloud: -205"),
        ("mqtt:message=no-token@shadow#1", 1, "no document of the cloud: -205"),
        ("mqtt:message=half@shadow#1", 1, "no document of the cloud: -205"),
        ("mqtt:message=17-kb@shadow#1", 1, "no document of the cloud: -205"),
        ("mqtt:message=result:5005@shadow#1", 1, "no document of the cloud: -206"),
        ("mqtt:message=no-result@shadow#1", 1, "no document of the cloud: -206"),
        ("mqtt:message=result:65536@shadow#2", 1, "updateCount could not be reported: -204"),
        ("mqtt:lose@shadow#2", 1, "updateCount could not be reported: -203"),
        ("mqtt:message=16-kb@shadow", 0, "updateCount is 1"),
        ("mqtt:twice@shadow", 0, "updateCount is 1"),
        ("mqtt:late=1@shadow#1", 0, "updateCount is 1"),
        ("mqtt:late=1@subscribe#1", 0, "updateCount is 1"),
        ("mqtt:first=push@shadow#1", 0, "updateCount is 1"),
        ("mqtt:first=half@shadow", 0, "updateCount is 1"),
    ];
    let device = Device::default();
    let run = |place: &Place| {
        device.write_info(place.home(), BUILD);
        place.run("shadow_sample", &["-l", "1"])
    };
    each(&rows, run, slice::from_ref(&device), &[]);
}

/// gateway.md, section 2: what a call returns; and of section 8 the codes of case 2.
#[test]
fn a_cloud_that_misbehaves_fails_the_gateways_call() {
    let rows = [
        ("mqtt:message=result:806@gateway#2", 1, "could not be put online: 806"),
        ("mqtt:message=result:\"-1\"@gateway#2", 1, "could not be put online: -1"),
        ("mqtt:message=result:9@gateway#3", 1, "could not be put offline: 9"),
        ("mqtt:lose@gateway#1", 1, "no list of bound devices: -1001"),
        ("mqtt:message=other-device@gateway#2", 1, "could not be put online: -1001"),
        ("mqtt:message=half@gateway#2", 1, "could not be put online: -1001"),
        ("mqtt:refuse-subscription#1", 1, "could not connect: -108"),
        ("mqtt:no-answer@subscribe#1", 1, "could not connect: -111"),
        ("mqtt:connack=4#1", 1, "could not connect: -116"),
        ("mqtt:message=16-kb@gateway", 0, "offline"),
        ("mqtt:twice@gateway", 0, "offline"),
        ("mqtt:late=2@gateway#2", 0, "offline"),
        ("mqtt:late=1@subscribe#1", 0, "offline"),
        ("mqtt:first=push@gateway#2", 0, "offline"),
    ];
    let (own, sub) = (Device::default(), named("behind"));
    let run = |place: &Place| {
        gateway(place, &own, &sub);
        place.ask(&["gateways", "bind", &own.client_id(), &sub.client_id()]);
        place.run("gateway_sample", &[])
    };
    each(&rows, run, &[own.clone(), sub.clone()], &[]);
}

/// gateway.md, section 6: the device behind a gateway gets its firmware, or the gateway says why not.
#[test]
fn upgrades_of_a_device_behind_a_gateway_survive_or_fail_by_name() {
    let good = "upgrade of behind succeeded";
    let rows = [
        ("http:cut=5000#1", 0, good),
        ("http:status=503#1", 0, good),
        ("http:chunked=1000#1", 0, good),
        ("http:ignore-range", 0, good),
        ("http:corrupt=5", 1, "upgrade of behind failed"),
        ("http:status=403", 1, "upgrade of behind failed"),
        ("mqtt:twice@order#1", 0, good),
        ("mqtt:cut@downloading#1", 0, good),
        ("mqtt:late=1@subscribe#2", 0, good),
        ("mqtt:refuse-subscription#2", 0, good),
        ("mqtt:message=result:806@gateway#1", 1, "could not be put online: 806"),
    ];
    let (own, sub) = (Device::default(), named("behind"));
    let folder = TempDir::new().expect("a temporary folder");
    let firmware = Firmware::new(folder.path(), "2.0.0", 60_000);
    let path = firmware.path.to_string_lossy().into_owned();
    let run = |place: &Place| {
        gateway(place, &own, &sub);
        place.ask(&["gateways", "bind", &own.client_id(), &sub.client_id()]);
        let finished = place.run("ota_mqtt_subdev_sample", &["-l", "1"]);
        let stored = fs::read(Sample::bin_file(place.home(), &sub, "2.0.0")).unwrap_or_default();
        // The right file or a failure, never both and never neither.
        assert_eq!(finished.code() == 0, stored == firmware.bytes, "{}", finished.lines.join("\n"));
        finished
    };
    let offer = ["--upgrade-on-report", "--scheme", "http", "--firmware", &path, "--version", "2.0.0"];
    each(&rows, run, &[own.clone(), sub.clone()], &offer);
}
