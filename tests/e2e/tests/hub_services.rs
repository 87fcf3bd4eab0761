//! The samples of shadow and gateway against the hub: whole conversations, with a person at the command line.

use std::fs;
use std::path::Path;
use std::slice;

use e2e::{Build, Device, Finished, Hub, HubSetup, Sample};
use serde_json::{json, Value};
use tempfile::TempDir;

/// Those whose devices have a secret; a certificate makes no difference to a service.
const BUILDS: [Build; 2] = [Build::Key, Build::NoTls];

struct Place {
    build: Build,
    hub: Hub,
    setup: HubSetup,
    folder: TempDir,
}

/// A hub that knows these devices.
fn place(build: Build, devices: &[Device]) -> Place {
    place_with(build, devices, &[])
}

/// The same with more of the hub's command line.
fn place_with(build: Build, devices: &[Device], args: &[&str]) -> Place {
    let folder = TempDir::new().expect("a temporary folder");
    let (first, others) = devices.split_first().expect("a device");
    let setup = HubSetup::new(folder.path(), first).devices(others.iter().cloned()).args(args);
    Place { build, hub: setup.start(), setup, folder }
}

fn named(name: &str) -> Device {
    Device { name: name.to_owned(), ..Device::default() }
}

impl Place {
    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn sample(&self, program: &str) -> Sample {
        let listener = if self.build == Build::NoTls { "mqtt" } else { "mqtt_psk" };
        let sample = Sample::new(self.build, program, self.home());
        sample.endpoint(&self.hub.ready(listener)).trusts(self.hub.ready("ca_file"))
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

#[test]
fn the_counter_takes_over_what_a_person_desires() {
    for build in BUILDS {
        let device = Device::default();
        let place = place(build, slice::from_ref(&device));
        device.write_info(place.home(), place.build);
        place.ask(&["shadow", "desire", &device.client_id(), r#"{"updateCount":10}"#]);
        let finished = place.run("shadow_sample", &["-l", "2"]);
        assert_eq!(finished.code(), 0);
        finished.assert_says(&[r#"wanted: {"updateCount":10}"#]);
        finished.assert_says(&["clearing what was desired: accepted"]);
        finished.assert_says(&["reported: updateCount is 11"]);
        let shadow = place.ask(&["shadow", "show", &device.client_id()]);
        assert_eq!((&shadow["reported"], &shadow["desired"]), (&json!({ "updateCount": 11 }), &json!({})));
        // The wish, its end, and two reports.
        assert_eq!(shadow["version"], 4);
    }
}

#[test]
fn the_air_conditioner_hears_of_a_wish_while_it_runs() {
    for build in BUILDS {
        let device = Device::default();
        let place = place(build, slice::from_ref(&device));
        device.write_info(place.home(), place.build);
        let mut sample = place.sample("aircond_shadow_sample").args(&["-l", "1000"]).start();
        place.hub.wait("shadow", |event| event["action"] == "update");
        let client_id = device.client_id();
        place.ask(&["shadow", "desire", &client_id, r#"{"temperatureDesire":22.5}"#]);
        // It reports what it has taken over, and what was desired is no more.
        let desired_at = place.hub.wait("shadow", |event| event["action"] == "desire")["version"].as_u64();
        place.hub.wait("message", |event| {
            event["payload"].as_str().is_some_and(|text| text.contains(r#""temperatureDesire":22.500000"#))
        });
        place.hub.wait("shadow", |event| event["action"] == "update" && event["version"].as_u64() > desired_at);
        let shadow = place.ask(&["shadow", "show", &client_id]);
        assert_eq!((&shadow["reported"]["temperatureDesire"], &shadow["delta"]), (&json!(22.5), &json!({})));
        sample.kill();
    }
}

#[test]
fn three_devices_have_a_shadow_each() {
    for build in BUILDS {
        let devices = ["dev1", "dev2", "dev3"].map(named);
        let place = place(build, &devices);
        for device in &devices {
            fs::write(place.home().join(&device.name), device.info(place.build)).expect("the device's file");
        }
        let finished = place.run("multi_client_shadow_sample", &["dev1", "dev2", "dev3"]);
        assert_eq!(finished.code(), 0);
        for device in &devices {
            let shadow = place.ask(&["shadow", "show", &device.client_id()]);
            assert_eq!(shadow["reported"], json!({ "updateCount": 3 }), "{}", device.name);
            assert_eq!(shadow["version"], 3);
        }
    }
}

/// The gateway's folder: its own file, which names the device behind it, and that device's file for `-b`.
fn gateway(place: &Place, gateway: &Device, sub: &Device) {
    let info = gateway.info(place.build);
    let mut info: Value = serde_json::from_str(&info).expect("JSON");
    info["subDev"]["sub_productId"] = json!(sub.product_id);
    info["subDev"]["sub_devName"] = json!(sub.name);
    fs::write(place.home().join("device_info.json"), format!("{info:#}\n")).expect("the gateway's file");
    fs::write(place.home().join("sub.json"), sub.info(place.build)).expect("the device's file");
}

#[test]
fn a_gateway_binds_its_device_serves_it_and_unbinds_it() {
    for build in BUILDS {
        let (own, sub) = (Device::default(), named("behind"));
        let place = place(build, &[own.clone(), sub.clone()]);
        gateway(&place, &own, &sub);
        let finished = place.run("gateway_sample", &["-b", "sub.json", "-l", "2"]);
        assert_eq!(finished.code(), 0);
        finished.assert_says(&["bind: 0"]);
        finished.assert_says(&["1 bound devices"]);
        finished.assert_says(&[&format!("received on {}/{}/data", sub.product_id, sub.name)]);
        let actions: Vec<Value> = place.hub.events_of("gateway");
        let told = |event: &Value| (event["action"].clone(), event["device"].clone(), event["result"].clone());
        let expected =
            ["bind", "online", "offline", "unbind"].map(|action| (json!(action), json!(sub.client_id()), json!(0)));
        assert_eq!(actions.iter().map(told).collect::<Vec<_>>(), expected);
        assert_eq!(place.ask(&["gateways"]), json!({ "gateways": [] }));
    }
}

#[test]
fn a_gateway_is_refused_a_device_that_is_not_its_own() {
    for build in BUILDS {
        let (own, sub) = (Device::default(), named("behind"));
        let place = place(build, &[own.clone(), sub.clone(), named("other")]);
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
}

/// shadow.md, section 4: how a request ends.
#[test]
fn a_shadow_that_misbehaves_ends_the_request_as_the_contract_says() {
    for (rule, code, says) in [
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
    ] {
        let device = Device::default();
        let place = place_with(Build::NoTls, slice::from_ref(&device), &["--fault", rule]);
        device.write_info(place.home(), place.build);
        let finished = place.run("shadow_sample", &["-l", "1"]);
        assert!(finished.code() == code && finished.says(&[says]), "{rule}: {}", finished.lines.join("\n"));
        assert!(!place.hub.events_of("fault").is_empty(), "{rule} never bit");
    }
}

/// gateway.md, section 2: what a call returns.
#[test]
fn a_cloud_that_misbehaves_fails_the_gateways_call() {
    for (rule, code, says) in [
        ("mqtt:message=result:806@gateway#2", 1, "could not be put online: 806"),
        ("mqtt:message=result:\"-1\"@gateway#2", 1, "could not be put online: -1"),
        ("mqtt:message=result:9@gateway#3", 1, "could not be put offline: 9"),
        ("mqtt:lose@gateway#1", 1, "no list of bound devices: -1001"),
        ("mqtt:message=other-device@gateway#2", 1, "could not be put online: -1001"),
        ("mqtt:message=half@gateway#2", 1, "could not be put online: -1001"),
        ("mqtt:message=16-kb@gateway", 0, "offline"),
        ("mqtt:twice@gateway", 0, "offline"),
        ("mqtt:late=2@gateway#2", 0, "offline"),
    ] {
        let (own, sub) = (Device::default(), named("behind"));
        let place = place_with(Build::NoTls, &[own.clone(), sub.clone()], &["--fault", rule]);
        gateway(&place, &own, &sub);
        place.ask(&["gateways", "bind", &own.client_id(), &sub.client_id()]);
        let finished = place.run("gateway_sample", &[]);
        assert!(finished.code() == code && finished.says(&[says]), "{rule}: {}", finished.lines.join("\n"));
        assert!(!place.hub.events_of("fault").is_empty(), "{rule} never bit");
    }
}
