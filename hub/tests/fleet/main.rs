//! A fleet on two hubs, PostgreSQL and somebody else's broker, while hubs, the server and nodes of the broker die or are upgraded:
//! each device ends with one result, and none is told again after the service has heard of it.
//!
//! `FLEET_DEVICES` says how many there are, `FLEET_TLS=1` has them use TLS, `FLEET_NODE_BACK=1` has the lost node come back; `-- --nocapture` shows the figures.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../postgres/tests/server/mod.rs"]
mod server;

mod brokers;
mod device;
mod roll_out;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brokers::Brokers;
use common::console::Console;
use common::{Desk, Hub, PATIENCE, PRODUCT};
use device::{Counts, Device, Fleet, NEXT};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::{json, Value};
use server::Server;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// The hubs' data folders.
const HERE: &str = "here";
const THERE: &str = "there";

/// Many devices report again less often, as each does in the field.
fn again(devices: usize) -> Duration {
    Duration::from_secs(5) + Duration::from_millis(10) * u32::try_from(devices).unwrap_or(u32::MAX)
}

/// A hub of those that share the devices. No broker here shares a topic that begins with `$`, so they agree by the database.
fn command(desk: &Desk, server: Option<&Server>, brokers: &Brokers, folder: &str) -> Command {
    let mut command = desk.command();
    command.args(["run", "--json", "--state", folder, "--scheme", "http"]);
    command.args(["--coap", "off", "--coap-psk", "off", "--coap-cert", "off", "--broker", &brokers.url()]);
    if let Some(server) = server {
        command.args(["--database", &server.url("public")]);
    }
    command
}

/// Starts one. The broker has many devices to see to.
fn launch(command: Command) -> Hub {
    Hub::launch_within(PATIENCE * 4, command)
}

/// Starts one on a server, as if on a machine of its own.
fn start(desk: &Desk, server: &Server, brokers: &Brokers, folder: &str) -> Hub {
    launch(command(desk, Some(server), brokers, folder))
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

/// How many devices of an order have ended well.
fn jobs_done(console: &Console, upgrade: &str) -> u64 {
    console.get(upgrade).good(200)["upgrade"]["counts"]["done"].as_u64().expect("a count")
}

fn process(hub: &Hub) -> Pid {
    Pid::from_raw(i32::try_from(hub.child.id()).expect("an id")).expect("a process")
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

/// An upgrade of a fleet, in which so many devices at a time may end it, so that the others are in the middle of it.
struct Course<'a> {
    fleet: &'a Fleet,
    devices: usize,
    patience: Duration,
    begin: Instant,
    reached: usize,
}

impl<'a> Course<'a> {
    fn begin(fleet: &'a Fleet, devices: usize, patience: Duration) -> Self {
        Course { fleet, devices, patience, begin: Instant::now(), reached: 0 }
    }

    /// Lets so many eighths of all end it, and waits until they have.
    fn until(&mut self, eighths: usize) -> String {
        let reached = self.devices * eighths / 8;
        self.fleet.may_end.add_permits(reached - self.reached);
        self.reached = reached;
        let done = &self.fleet.counts.done;
        wait("devices that are done", self.patience, || done.read(), reached as u64);
        format!("after {:.1?}, with {} devices done", self.begin.elapsed(), done.read())
    }
}

#[test]
fn each_device_of_a_fleet_ends_with_one_result() {
    let desk = Desk::with_devices(&[]);
    let brokers = Brokers::mosquitto(&desk);
    upgrade(&desk, brokers, devices(200));
}

#[test]
fn each_device_of_a_fleet_on_a_cluster_of_brokers_ends_with_one_result() {
    let desk = Desk::with_devices(&[]);
    let devices = devices(60);
    upgrade(&desk, Brokers::cluster(&desk, devices), devices);
}

/// So many, or as many as whoever runs the test says.
fn devices(few: usize) -> usize {
    std::env::var("FLEET_DEVICES").map_or(few, |text| text.parse().expect("a number"))
}

fn upgrade(desk: &Desk, mut brokers: Brokers, devices: usize) {
    let again = again(devices);
    let patience = PATIENCE * 4 + again * 2;
    let server = Server::start();
    let (mut here, there) = (start(desk, &server, &brokers, HERE), start(desk, &server, &brokers, THERE));
    enrol(&server, devices);
    let console = Console::of(&there);
    let firmware = console.upload(&format!("product_id={PRODUCT}&version={NEXT}"), &common::firmware()).good(201);

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
    let mut course = Course::begin(&fleet, devices, patience);
    let mut killed = Vec::new();
    let when = course.until(1);
    killed.push(kill(here));
    println!("a hub killed {when}");
    here = start(desk, &server, &brokers, HERE);
    let when = course.until(2);
    let broker_memory: Vec<String> = brokers.ids().into_iter().map(peak).collect();
    let comes_back = std::env::var("FLEET_NODE_BACK").is_ok_and(|text| text == "1");
    let lost = brokers.lose_one();
    if let Some(node) = lost {
        println!("node {node} of the broker killed {when}");
        if !comes_back {
            brokers.give_up(node);
        }
    }
    let when = course.until(4);
    server.restart("immediate");
    println!("the server started again {when}");
    if let Some(node) = lost.filter(|_| comes_back) {
        brokers.bring_back(node);
        println!("node {node} of the broker is back after {:.1?}", begin.elapsed());
    }
    let when = course.until(5);
    killed.push(kill(here));
    println!("the hub that was started again killed {when}");
    here = start(desk, &server, &brokers, HERE);
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
    let (here, there) = (start(&desk, &server, &brokers, HERE), start(&desk, &server, &brokers, THERE));
    enrol(&server, devices);
    let firmware =
        Console::of(&there).upload(&format!("product_id={PRODUCT}&version={NEXT}"), &common::firmware()).good(201);
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
    let done = || jobs_done(&console, &upgrade);
    // Less than the minute after which a silent device is told again.
    wait("jobs done", PATIENCE, done, all);
    println!("all done {:.1?} after the hub was killed; {} commands", begin.elapsed(), counts.commands.read());
    assert_eq!(counts.told_again(), BTreeMap::new(), "devices that were told again, how often");
    let jobs = "SELECT count(*) || ' ' || count(*) FILTER (WHERE state = 'done') FROM jobs";
    assert_eq!(server.sql(jobs).trim(), format!("{all} {all}"));
}

#[test]
fn hubs_on_a_server_are_upgraded_one_after_the_other_in_the_middle_of_a_fleets_upgrade() {
    upgrade_of_hubs(Some(&Server::start()));
}

#[test]
fn hubs_on_one_folder_are_upgraded_one_after_the_other_in_the_middle_of_a_fleets_upgrade() {
    upgrade_of_hubs(None);
}

/// A later hub starts beside two earlier ones, which go on with its tables until each is ended and started again as a later one.
fn upgrade_of_hubs(server: Option<&Server>) {
    let devices = 40;
    let names: Vec<String> = (0..devices).map(device::name).collect();
    let desk = Desk::with_devices(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let brokers = Brokers::mosquitto(&desk);
    let earlier = || {
        let mut command = command(&desk, server, &brokers, HERE);
        command.args(["--devices", "devices.json"]);
        command
    };
    let later = || {
        let mut command = earlier();
        command.env("HUB_IS_LATER", "1");
        launch(command)
    };
    let mut hubs = [launch(earlier()), launch(earlier())];
    let again = again(devices);
    let fleet = fleet(&brokers, false, again, again / 20);
    let (_runtime, counts) = (connect(&fleet, devices), &fleet.counts);
    let (all, patience) = (devices as u64, PATIENCE + again * 2);
    wait("devices that are there", patience, || counts.there.read(), all);
    let firmware = format!("product_id={PRODUCT}&version={NEXT}");
    let firmware = Console::of(&hubs[0]).upload(&firmware, &common::firmware()).good(201);
    let order = json!({ "firmware_id": firmware["id"], "scope": "all" });
    let order = Console::of(&hubs[1]).post("/api/upgrades", &order).good(201);

    let mut course = Course::begin(&fleet, devices, patience);
    course.until(1);
    let first = later();
    // The tables are the later hub's by now.
    let refused = earlier().output().expect("a hub");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && text.contains("a later version of the hub made"), "{refused:?}");
    for (hub, eighths) in hubs.iter_mut().zip([3, 5]) {
        course.until(eighths);
        kill_process(process(hub), Signal::TERM).expect("told to end");
        assert_eq!(hub.exit_code(), Some(0));
        *hub = later();
    }
    course.until(8);

    let console = Console::of(&first);
    let upgrade = format!("/api/upgrades/{}", order["id"]);
    let done = || jobs_done(&console, &upgrade);
    wait("jobs done", patience, done, all);
    wait("devices that the service has heard to the end", patience, || counts.settled.read(), all);
    assert_eq!(counts.told_again(), BTreeMap::new(), "devices that were told again, how often");
    for name in &names {
        let jobs = console.get(&format!("/api/devices/{PRODUCT}{name}/jobs")).good(200)["jobs"].clone();
        let states: Vec<&Value> = jobs.as_array().into_iter().flatten().map(|job| &job["state"]).collect();
        assert_eq!(states, ["done"], "{name}");
    }
}

#[test]
fn a_hub_that_comes_beside_one_with_a_backlog_loses_no_report() {
    let devices = 300;
    let (server, desk) = (Server::start(), Desk::with_devices(&[]));
    let brokers = Brokers::mosquitto(&desk);
    let here = start(&desk, &server, &brokers, HERE);
    enrol(&server, devices);
    // Each says once which version it runs.
    let fleet = fleet(&brokers, false, Duration::from_secs(3600), PATIENCE / 100);
    let (all, counts) = (devices as u64, &fleet.counts);
    let process = process(&here);
    kill_process(process, Signal::STOP).expect("stopped");
    let _runtime = connect(&fleet, devices);
    wait("reports at the broker", PATIENCE, || counts.acknowledged.read(), all);
    std::thread::scope(|scope| {
        let there = scope.spawn(|| start(&desk, &server, &brokers, THERE));
        // The one that stands may stand in the other one's way; if it does so for long, it counts as dead.
        let begin = Instant::now();
        while !there.is_finished() && begin.elapsed() < PATIENCE / 3 {
            std::thread::sleep(Duration::from_millis(20));
        }
        kill_process(process, Signal::CONT).expect("going on");
        let there = there.join().expect("a hub");
        wait("devices that are there", PATIENCE * 2, || counts.there.read(), all);
        drop((here, there));
    });
}

#[test]
fn a_hub_that_was_taken_for_dead_begins_anew() {
    let devices = 60;
    let (server, desk) = (Server::start(), Desk::with_devices(&[]));
    let brokers = Brokers::mosquitto(&desk);
    let (here, there) = (start(&desk, &server, &brokers, HERE), start(&desk, &server, &brokers, THERE));
    enrol(&server, devices);
    let says =
        |words: &'static str| move |event: &Value| event["text"].as_str().is_some_and(|text| text.contains(words));
    let process = process(&here);
    kill_process(process, Signal::STOP).expect("stopped");
    there.event("warning", says("has ended"));
    there.event("warning", says(" left "));
    let fleet = fleet(&brokers, false, Duration::from_secs(3600), PATIENCE / 100);
    fleet.may_end.add_permits(devices);
    let _runtime = connect(&fleet, devices);
    let (all, counts) = (devices as u64, &fleet.counts);
    wait("devices that are there", PATIENCE, || counts.there.read(), all);
    kill_process(process, Signal::CONT).expect("going on");
    here.event("warning", says("connected to the broker again"));

    let firmware = format!("product_id={PRODUCT}&version={NEXT}");
    let firmware = Console::of(&here).upload(&firmware, &common::firmware()).good(201);
    let order = json!({ "firmware_id": firmware["id"], "scope": "all" });
    let order = Console::of(&here).post("/api/upgrades", &order).good(201);
    let (console, upgrade) = (Console::of(&there), format!("/api/upgrades/{}", order["id"]));
    let done = || jobs_done(&console, &upgrade);
    wait("jobs done", PATIENCE * 2, done, all);
    assert_eq!(counts.told_again(), BTreeMap::new(), "devices that were told again, how often");
    // It has its share again.
    here.event("message", |_| true);
}
