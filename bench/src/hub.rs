//! 200 devices that upgrade through one hub at once, while somebody looks at its console.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use e2e::{Build, Device, Firmware, HubSetup, Log};
use serde_json::Value;
use tempfile::TempDir;

use crate::api;
use crate::devices;
use crate::figures::{Figure, Goal, Row, Unit};
use crate::many::Said;
use crate::Plan;

const DEVICES: usize = 200;
const BYTES: usize = 1_000_000;
const VERSION: &str = "2.0.0";
/// How often the page asks for all devices, more often than it does.
const INTERVAL: Duration = Duration::from_millis(100);
/// What takes longer is not felt as at once.
const USABLE_MS: f64 = 200.0;

pub fn run(plan: &Plan) -> Vec<Row> {
    let count = if plan.quick { DEVICES / 10 } else { DEVICES };
    let folder = TempDir::new().expect("a temporary folder");
    let home = folder.path().join("devices");
    fs::create_dir(&home).expect("the devices' folder");
    let model = Device::default();
    model.write_info(&home, Build::Key);
    let firmware = Firmware::new(folder.path(), VERSION, BYTES);
    let named = |number: usize| Device { name: format!("{}{number}", model.name), ..model.clone() };
    let hub = HubSetup::new(folder.path(), &named(0))
        .devices((1..count).map(named))
        .firmware(&firmware)
        .args(&["--upgrade-on-report"])
        .start();
    let console = hub.ready("console");
    let address = console.strip_prefix("http://").expect("a http:// URL").to_owned();
    let events = watch(&address);
    let over = Arc::new(AtomicBool::new(false));
    let page = thread::spawn({
        let (address, over) = (address.clone(), over.clone());
        move || ask(&address, count, &over)
    });
    println!("   {count} devices, MQTT over PSK, HTTPS; the console at {console}");
    let said: Said = devices::run("devices", Build::Key, count, &home, &hub);
    over.store(true, Ordering::Relaxed);
    let latency = page.join().expect("the page");
    let mut done = BTreeSet::new();
    // A reset says that the page must ask for what it missed.
    let mut resets = 0;
    events.wait(0, "every device's end among the events", |event| {
        resets += usize::from(event["type"] == "reset");
        if event["type"] == "job" && event["job"]["state"] == "done" {
            done.insert(event["job"]["client_id"].to_string());
        }
        done.len() == count || resets > 1
    });
    assert_eq!(resets, 1, "only the first event is a reset");
    let memory = Figure::once(Unit::Kilobytes, peak_kb(hub.id()) * 1.024);
    let delivered = Figure::once(Unit::Events, events.mark() as f64);
    println!("   {:.1} s, the page's list {latency}, {delivered}, the hub at most {memory}", said.seconds);
    let worst = latency.highest();
    let row = Row::new(
        "200 devices upgrading 1 MB each through one hub at once (MQTT over PSK, HTTPS), from the first connection to the last result",
        Figure::once(Unit::Seconds, said.seconds),
    )
    .beside("the console's list of devices meanwhile, asked for every 100 ms", &latency)
    .beside("server-sent events delivered to it", &delivered)
    .beside("the hub's peak resident memory", &memory)
    .goal(Goal::at_least(count as f64, done.len() as f64, "devices done"))
    .goal(Goal::at_most(USABLE_MS, worst, "ms for the slowest list"));
    vec![row]
}

/// Asks for all devices again and again until it is over; how long each answer took.
fn ask(address: &str, count: usize, over: &AtomicBool) -> Figure {
    let mut figure = Figure::new(Unit::Milliseconds);
    while !over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let list = api::get(address, "/api/devices");
        let taken = begin.elapsed();
        assert_eq!(list["devices"].as_array().map(Vec::len), Some(count));
        figure.push(taken.as_secs_f64() * 1e3);
        thread::sleep(INTERVAL.saturating_sub(taken));
    }
    figure
}

/// The server-sent events, as they come.
fn watch(address: &str) -> Log<Value> {
    let log: Log<Value> = Log::default();
    let lines = BufReader::new(api::open(address, "/api/events")).lines();
    let ours = log.clone();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(data) = line.strip_prefix("data:") {
                ours.push(serde_json::from_str(data).expect("JSON"));
            }
        }
        ours.close();
    });
    log.wait(0, "the first event", |event| event["type"] == "reset");
    log
}

/// The most resident memory a process has had.
pub fn peak_kb(id: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
