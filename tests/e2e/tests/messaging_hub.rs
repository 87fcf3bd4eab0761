//! The samples of broadcast, RRPC and remote configuration against the hub, in every mode.

use std::fs;

use e2e::{Build, Desk, Finished, Process};

const MODES: [Build; 3] = [Build::Key, Build::NoTls, Build::Cert];

/// A hub with one device.
fn desk(build: Build, args: &[&str]) -> Desk {
    Desk::with_args(build, 1000, |_| args.iter().map(|arg| (*arg).to_owned()).collect())
}

/// A sample that goes on until the test ends.
fn start(desk: &Desk, program: &str, args: &[&str]) -> Process {
    desk.program(program).args(args).start()
}

/// The hub's command line, which must succeed.
#[track_caller]
fn ask(desk: &Desk, args: &[&str]) -> Finished {
    let finished = desk.ask(args);
    assert_eq!(finished.code(), 0, "{args:?}");
    finished
}

#[track_caller]
fn says(process: &Process, text: &str) {
    process.wait_for(&[text]);
}

#[test]
fn the_broadcast_sample_hears_what_the_hub_broadcasts() {
    for build in MODES {
        let desk = desk(build, &[]);
        let sample = start(&desk, "broadcast_sample", &["-l", "1200"]);
        says(&sample, "subscribed to broadcasts");
        for (text, qos) in [("closed", "0"), ("open", "1")] {
            let told = ask(&desk, &["broadcast", "--product", &desk.device.product_id, text, "--qos", qos]);
            told.assert_says(&["sent to 1 of 1 devices"]);
            says(&sample, &format!("broadcast of {} bytes: {text}", text.len()));
        }
    }
}

#[test]
fn the_rrpc_sample_answers_the_hub() {
    for build in MODES {
        let desk = desk(build, &[]);
        let sample = start(&desk, "rrpc_sample", &["-l", "1200"]);
        says(&sample, "ready for requests");
        for request in ["closed", "open"] {
            let answered = ask(&desk, &["rrpc", &desk.device.client_id(), request, "--timeout", "30000"]);
            answered.assert_says(&["ok"]);
            says(&sample, &format!("request of {} bytes: {request}", request.len()));
        }
        for event in ["asked", "answered", "asked", "answered"] {
            desk.hub.wait("rrpc", |seen| seen["outcome"] == event);
        }
    }
}

const CONFIGURATION: &str = r#"{"baud rate":9600,"data bits":8,"stop bit":1,"parity":"NONE","thread sleep":1000}"#;

#[test]
fn the_remote_config_sample_gets_what_the_hub_has() {
    for build in MODES {
        let desk = desk(build, &[]);
        let file = desk.folder.path().join("config.json");
        fs::write(&file, CONFIGURATION).expect("the configuration");
        let product = desk.device.product_id.as_str();
        let mut without = start(&desk, "remote_config_mqtt_sample", &[]);
        let finished = without.finish();
        assert_eq!(finished.code(), 0);
        finished.assert_says(&["no configuration: 1002"]);
        ask(&desk, &["config", "set", product, "--file", &file.to_string_lossy()]);
        ask(&desk, &["config", "off", product]);
        start(&desk, "remote_config_mqtt_sample", &[]).finish().assert_says(&["no configuration: 1001"]);
        ask(&desk, &["config", "on", product]);
        let finished = start(&desk, "remote_config_mqtt_sample", &[]).finish();
        assert_eq!(finished.code(), 0);
        finished.assert_says(&[&format!("configuration of {} bytes: {CONFIGURATION}", CONFIGURATION.len())]);

        // One that stays hears of another one.
        let sample = start(&desk, "remote_config_mqtt_sample", &["-l", "1200"]);
        says(&sample, "parity: NONE");
        ask(&desk, &["config", "set", product, r#"{"parity":"EVEN"}"#]).assert_says(&["sent to 1 of 1 devices"]);
        says(&sample, "parity: EVEN");
        ask(&desk, &["config", "show", product]).assert_says(&[&desk.device.client_id(), "told"]);
    }
}
