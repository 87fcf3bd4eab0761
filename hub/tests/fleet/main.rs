//! A fleet on two hubs, PostgreSQL and somebody else's broker, while hubs, the server and a node of the broker die: each device
//! ends with one result, and none is told again after the service has heard of it.
//!
//! `FLEET_DEVICES` says how many there are, `FLEET_TLS=1` has them use TLS; `-- --nocapture` shows the figures.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../postgres/tests/server/mod.rs"]
mod server;

mod brokers;
mod device;
mod roll_out;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brokers::Brokers;
use common::console::Console;
use common::{firmware, Desk, Hub, PATIENCE, PRODUCT};
use device::{Counts, Device, Fleet, NEXT};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::json;
use server::Server;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// Many devices report again less often, as each does in the field.
fn again(devices: usize) -> Duration {
    Duration::from_secs(5) + Duration::from_millis(10) * u32::try_from(devices).unwrap_or(u32::MAX)
}

/// A hub of those that share the devices: no broker here shares a topic that begins with `$`, so they agree by their data folder.
fn start(desk: &Desk, server: &Server, brokers: &Brokers) -> Hub {
    let mut command = desk.command();
    command.args(["run", "--json", "--state", "hubs", "--database", &server.url("public"), "--scheme", "http"]);
    command.args(["--coap", "off", "--coap-psk", "off", "--coap-cert", "off", "--broker", &brokers.url()]);
    // The broker has many devices to see to.
    Hub::launch_within(PATIENCE * 4, command)
}

/// Adds so many devices.
fn enrol(server: &Server, devices: usize) {
    server.sql(&format!(
        "INSERT INTO devices (client_id, product_id, device_name) SELECT '{PRODUCT}' || name, '{PRODUCT}', name FROM
         (SELECT 'd' || lpad(CAST(i AS TEXT), 5, '0') AS name FROM generate_series(0, {}) i) names; ANALYZE",
        devices - 1
    ));
}

/// What they know, before anybody may end his upgrade.
fn fleet(brokers: &Brokers, tls: bool, again: Duration, pause: Duration) -> Arc<Fleet> {
    let (addresses, tls) = brokers.way(tls);
    let (entrance, may_end) = (Semaphore::new(brokers.entrance()), Semaphore::new(0));
    Arc::new(Fleet { addresses, tls, entrance, again, pause, may_end, counts: Counts::default() })
}

/// Connects them.
fn connect(fleet: &Arc<Fleet>, devices: usize) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    for number in 0..devices {
        runtime.spawn(Device::new(fleet.clone(), number).live());
    }
    runtime
}

/// kill -9; what it had in memory at most.
fn kill(mut hub: Hub) -> String {
    let memory = peak(hub.child.id());
    hub.child.kill().expect("killed");
    memory
}

/// Waits until `reached`, for `patience` without any headway at most.
fn wait(what: &str, patience: Duration, mut count: impl FnMut() -> u64, reached: u64) -> Duration {
    let begin = Instant::now();
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let now = count();
        if now >= reached {
            return begin.elapsed();
        }
        if now > last {
            (last, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < patience, "{what}: {now} of {reached}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A line of a process' status, such as `VmHWM:`, its peak of resident memory.
fn status(id: u32, key: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned())
}

fn peak(id: u32) -> String {
    let kilobytes = status(id, "VmHWM:").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    kilobytes.map_or_else(|| "gone".to_owned(), |kilobytes| format!("{:.1} MB", kilobytes as f64 / 1000.0))
}

/// What a process and its children have of the memory at present, shared pages counted once.
fn family(id: u32) -> String {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = id.to_string();
    let share = |id: u32| {
        let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    let family = ids.filter(|other| *other == id || status(*other, "PPid:").is_some_and(|own| own == parent));
    format!("{:.1} MB", family.filter_map(share).sum::<u64>() as f64 / 1000.0)
}

#[test]
fn each_device_of_a_fleet_ends_with_one_result() {
    let desk = Desk::with_devices(&[]);
    let brokers = Brokers::mosquitto(&desk);
    upgrade(&desk, brokers, 200);
}

#[test]
fn each_device_of_a_fleet_on_a_cluster_of_brokers_ends_with_one_result() {
    let desk = Desk::with_devices(&[]);
    let brokers = Brokers::cluster(&desk);
    upgrade(&desk, brokers, 60);
}

fn upgrade(desk: &Desk, mut brokers: Brokers, few: usize) {
    let devices: usize = std::env::var("FLEET_DEVICES").map_or(few, |text| text.parse().expect("a number"));
    let again = again(devices);
    let patience = PATIENCE * 4 + again * 2;
    let server = Server::start();
    let (mut here, there) = (start(desk, &server, &brokers), start(desk, &server, &brokers));
    enrol(&server, devices);
    let console = Console::of(&there);
    let firmware = console.upload(&format!("product_id={PRODUCT}&version={NEXT}"), &firmware()).good(201);

    let tls = std::env::var("FLEET_TLS").is_ok_and(|text| text == "1");
    let by = if tls { "TLS" } else { "plain MQTT" };
    let fleet = fleet(&brokers, tls, again, again / 20);
    let counts = &fleet.counts;
    let _runtime = connect(&fleet, devices);
    let all = devices as u64;
    let storm = wait("devices that are there", patience, || counts.there.read(), all);
    println!("{devices} devices by {by} are there after {storm:.1?}: {} reports", counts.reports.read());

    let begin = Instant::now();
    let order = json!({ "firmware_id": firmware["id"], "scope": "all" });
    let order = console.post("/api/upgrades", &order).good(201);
    println!("the order is given after {:.1?}", begin.elapsed());
    // So many may end, so that the others are in the middle of it.
    let mut reached = 0;
    let mut until = |eighths: usize| {
        fleet.may_end.add_permits(devices * eighths / 8 - reached);
        reached = devices * eighths / 8;
        wait("devices that are done", patience, || counts.done.read(), reached as u64);
        format!("after {:.1?}, with {} devices done", begin.elapsed(), counts.done.read())
    };
    let mut killed = Vec::new();
    let when = until(1);
    killed.push(kill(here));
    println!("a hub killed {when}");
    here = start(desk, &server, &brokers);
    let when = until(2);
    let broker_memory: Vec<String> = brokers.ids().into_iter().map(peak).collect();
    if let Some(node) = brokers.lose_one() {
        println!("node {node} of the broker killed {when}");
    }
    let when = until(4);
    server.restart("immediate");
    println!("the server started again {when}");
    let when = until(5);
    killed.push(kill(here));
    println!("the hub that was started again killed {when}");
    here = start(desk, &server, &brokers);
    fleet.may_end.add_permits(devices);

    let upgrade = format!("/api/upgrades/{}", order["id"]);
    let mut slowest = Duration::ZERO;
    let mut ask = |path: &str| {
        let asked = Instant::now();
        let answer = console.get(path).good(200);
        slowest = slowest.max(asked.elapsed());
        answer
    };
    wait(
        "jobs done",
        patience,
        || {
            ask("/api/devices?limit=100");
            ask("/api/upgrades?limit=100");
            ask(&format!("{upgrade}?limit=100"))["upgrade"]["counts"]["done"].as_u64().expect("a count")
        },
        all,
    );
    let taken = begin.elapsed();
    println!(
        "all done after {taken:.1?}: {} reports, {:.0} a second since the first connection; {} commands",
        counts.reports.read(),
        counts.reports.read() as f64 / (storm + taken).as_secs_f64(),
        counts.commands.read()
    );
    println!(
        "slowest list {slowest:.1?}; peak memory: hubs {} (killed), {}, {}, broker {} before the loss, {} after it, \
         devices {}; PostgreSQL {} at the end",
        killed.join(", "),
        peak(here.child.id()),
        peak(there.child.id()),
        broker_memory.join(", "),
        brokers.ids().into_iter().map(peak).collect::<Vec<_>>().join(", "),
        peak(std::process::id()),
        family(server.id())
    );
    wait("devices that the service has heard to the end", patience, || counts.settled.read(), all);
    // What was on its way has come by the time that each hub has answered another report.
    let (after, before) = (counts.reports.read(), counts.commands.read());
    wait("reports after the end", patience, || counts.reports.read(), after + all.min(100));
    println!(
        "{} connections; {} commands crossed the end of an upgrade, {} came again, {} after the end in {} more reports",
        counts.connections.read(),
        counts.crossed.read(),
        counts.redelivered.read(),
        counts.commands.read() - before,
        counts.reports.read() - after
    );
    assert_eq!(counts.told_again(), BTreeMap::new(), "devices that were told again, how often");
    let jobs = "SELECT count(*) || ' ' || count(DISTINCT client_id) || ' ' || count(*) FILTER (WHERE state = 'done') FROM jobs";
    assert_eq!(server.sql(jobs).trim(), format!("{all} {all} {all}"));
}

#[test]
fn what_a_killed_hub_had_not_told_another_one_tells_within_seconds() {
    let devices = 200;
    let (server, desk) = (Server::start(), Desk::with_devices(&[]));
    let brokers = Brokers::mosquitto(&desk);
    let (here, there) = (start(&desk, &server, &brokers), start(&desk, &server, &brokers));
    enrol(&server, devices);
    let firmware = Console::of(&there).upload(&format!("product_id={PRODUCT}&version={NEXT}"), &firmware()).good(201);
    // They only listen: nothing but a command brings one along.
    let fleet = fleet(&brokers, false, Duration::from_secs(3600), PATIENCE / 100);
    fleet.may_end.add_permits(devices);
    let _runtime = connect(&fleet, devices);
    let (all, counts) = (devices as u64, &fleet.counts);
    wait("devices that are there", PATIENCE, || counts.there.read(), all);

    // The broker takes nothing, so most commands are in the hub's memory when it dies.
    let broker = brokers.ids().first().and_then(|id| Pid::from_raw(i32::try_from(*id).ok()?)).expect("a process");
    kill_process(broker, Signal::STOP).expect("stopped");
    let order = json!({ "firmware_id": firmware["id"], "scope": "all" });
    let order = Console::of(&here).post("/api/upgrades", &order).good(201);
    kill(here);
    let begin = Instant::now();
    kill_process(broker, Signal::CONT).expect("going on");
    let (console, upgrade) = (Console::of(&there), format!("/api/upgrades/{}", order["id"]));
    let done = || console.get(&upgrade).good(200)["upgrade"]["counts"]["done"].as_u64().expect("a count");
    // Less than the minute after which a silent device is told again.
    wait("jobs done", PATIENCE, done, all);
    println!("all done {:.1?} after the hub was killed; {} commands", begin.elapsed(), counts.commands.read());
    assert_eq!(counts.told_again(), BTreeMap::new(), "devices that were told again, how often");
    let jobs = "SELECT count(*) || ' ' || count(*) FILTER (WHERE state = 'done') FROM jobs";
    assert_eq!(server.sql(jobs).trim(), format!("{all} {all}"));
}
