//! 200 devices behind one gateway: bound, put online, and upgraded at once over its one connection.

use std::fs;

use e2e::{Build, Device, Firmware, HubSetup};
use serde::Deserialize;
use tempfile::TempDir;

use crate::devices;
use crate::figures::{Figure, Row, Unit};
use crate::hub::peak_kb;
use crate::Plan;

const DEVICES: usize = 200;
const BYTES: usize = 1_000_000;
const VERSION: &str = "2.0.0";

/// The last line of `bench/c/gateway.c`.
#[derive(Deserialize)]
struct Said {
    devices: usize,
    bytes: usize,
    connected_kb: f64,
    online_kb: f64,
    peak_kb: f64,
    bind_s: f64,
    online_s: f64,
    upgrade_s: f64,
}

pub fn run(plan: &Plan) -> Vec<Row> {
    let count = if plan.quick { DEVICES / 10 } else { DEVICES };
    let folder = TempDir::new().expect("a temporary folder");
    let home = folder.path().join("gateway");
    fs::create_dir(&home).expect("the gateway's folder");
    let gateway = Device::default();
    gateway.write_info(&home, Build::Key);
    let firmware = Firmware::new(folder.path(), VERSION, BYTES);
    let named = |number: usize| Device { name: format!("{}{number}", gateway.name), ..gateway.clone() };
    let hub = HubSetup::new(folder.path(), &gateway)
        .devices((0..count).map(named))
        .firmware(&firmware)
        .args(&["--upgrade-on-report"])
        .start();
    println!("   {count} devices behind one gateway, MQTT over PSK, HTTPS");
    let said: Said = devices::run("gateway", Build::Key, count, &home, &hub);
    assert_eq!((said.devices, said.bytes), (count, count * BYTES), "devices and bytes of firmware");
    assert_eq!(devices::done(&hub), count, "devices whose upgrade was reported as done");

    let once = Figure::once;
    let kilobytes = |kb: f64| once(Unit::Kilobytes, kb * 1.024);
    let of_each = |kb: f64| kilobytes((kb - said.connected_kb) / count as f64);
    let (bind, online) = (once(Unit::Seconds, said.bind_s), once(Unit::Seconds, said.online_s));
    let upgrade = once(Unit::Seconds, said.upgrade_s);
    println!("   bind {bind}, online {online}, upgrades {upgrade}");
    let memory = of_each(said.peak_kb);
    vec![
        Row::new("200 devices behind one gateway upgrading 1 MB each at once (MQTT over PSK, HTTPS)", upgrade)
            .beside("binding them before that, one after the other", &bind)
            .beside("putting them online, one after the other", &online),
        Row::new("the same: memory for each device", memory)
            .beside("online, nothing going on", &of_each(said.online_kb))
            .beside("the gateway alone, whole process", &kilobytes(said.connected_kb))
            .beside("the hub's peak resident memory", &kilobytes(peak_kb(hub.id()))),
    ]
}
