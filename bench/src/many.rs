//! 1,000 devices in one process, each of which takes 1 MB from the hub at the same time.

use std::fs;

use e2e::{Build, Device, Firmware, HubSetup};
use serde::Deserialize;
use tempfile::TempDir;

use crate::devices;
use crate::figures::{Figure, Goal, Row, Unit};
use crate::Plan;

const DEVICES: usize = 1_000;
const BYTES: usize = 1_000_000;
const VERSION: &str = "2.0.0";

/// The last line of `bench/c/devices.c`.
#[derive(Deserialize)]
pub struct Said {
    devices: usize,
    bytes: usize,
    before_kb: f64,
    connected_kb: f64,
    peak_kb: f64,
    pub seconds: f64,
}

pub fn run(plan: &Plan) -> Vec<Row> {
    vec![
        of_build(plan, Build::NoTls, "1,000 devices in one process, each upgrading 1 MB, plain: memory for each", 64.0),
        of_build(plan, Build::Key, "the same with TLS (MQTT over PSK, HTTPS)", 110.0),
    ]
}

fn of_build(plan: &Plan, build: Build, case: &str, bound: f64) -> Row {
    let count = if plan.quick { DEVICES / 20 } else { DEVICES };
    let folder = TempDir::new().expect("a temporary folder");
    let home = folder.path().join("devices");
    fs::create_dir(&home).expect("the devices' folder");
    let model = Device::default();
    model.write_info(&home, build);
    let firmware = Firmware::new(folder.path(), VERSION, BYTES);
    let scheme = if build == Build::NoTls { "http" } else { "https" };
    let named = |number: usize| Device { name: format!("{}{number}", model.name), ..model.clone() };
    let hub = HubSetup::new(folder.path(), &model)
        .devices((0..count).map(named))
        .firmware(&firmware)
        .args(&["--upgrade-on-report", "--scheme", scheme])
        .start();
    println!("   {count} devices, {scheme}");
    let said: Said = devices::run("devices", build, count, &home, &hub);
    assert_eq!((said.devices, said.bytes), (count, count * BYTES), "devices and bytes of firmware");
    assert_eq!(devices::done(&hub), count, "devices that reported their upgrade as done");

    let for_each = |kb: f64| Figure::once(Unit::Kilobytes, (kb - said.before_kb) * 1.024 / count as f64);
    let (peak, connected) = (for_each(said.peak_kb), for_each(said.connected_kb));
    println!("   {peak} for each at most, {connected} when connected, {:.1} s", said.seconds);
    Row::new(case, peak.clone())
        .beside("connected, nothing going on", &connected)
        .beside("all upgrades", &Figure::once(Unit::Seconds, said.seconds))
        .goal(Goal::at_most(bound, peak.median(), "kB"))
}
