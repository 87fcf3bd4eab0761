//! Programs of `bench/c` that are many devices, or one with many behind it.

use std::path::Path;
use std::process::Command;

use e2e::{Build, Hub, Process};
use serde::de::DeserializeOwned;

/// Runs `name` of `build` in `home` with `count` devices of the hub, and returns its last line, which is JSON.
pub fn run<T: DeserializeOwned>(name: &str, build: Build, count: usize, home: &Path, hub: &Hub) -> T {
    let mut command = Command::new(build.program(name));
    command
        .arg(count.to_string())
        .current_dir(home)
        .env("QCLOUD_IOT_MQTT_ENDPOINT", hub.ready(if build == Build::NoTls { "mqtt" } else { "mqtt_psk" }))
        .env("QCLOUD_IOT_CA_FILE", hub.ready("ca_file"));
    let finished = Process::start(name, &mut command).finish();
    assert_eq!(finished.code(), 0, "exit code");
    let said = finished.lines.iter().rev().find_map(|line| serde_json::from_str(line).ok());
    said.expect("a line of JSON")
}

/// How many upgrades the hub knows as done.
pub fn done(hub: &Hub) -> usize {
    hub.settle();
    hub.events_of("upgrade").iter().filter(|event| event["state"] == "done").count()
}
