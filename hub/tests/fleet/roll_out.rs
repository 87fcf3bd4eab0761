//! An order in stages through somebody else's broker: nobody is told before his stage begins, whoever of the hubs dies.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{json, Value};

use super::brokers::Brokers;
use super::common::console::Console;
use super::common::{firmware, Desk, PATIENCE, PRODUCT};
use super::device::NEXT;
use super::server::Server;
use super::{connect, enrol, fleet, kill, start, wait, HERE, THERE};

const DEVICES: usize = 50;
/// A tenth of them.
const FIRST: usize = 5;

#[test]
fn a_roll_out_survives_a_killed_hub_and_each_device_ends_once() {
    let (server, desk) = (Server::start(), Desk::with_devices(&[]));
    let brokers = Brokers::mosquitto(&desk);
    let (here, there) = (start(&desk, &server, &brokers, HERE), start(&desk, &server, &brokers, THERE));
    enrol(&server, DEVICES);
    let console = Console::of(&there);
    let firmware = console.upload(&format!("product_id={PRODUCT}&version={NEXT}"), &firmware()).good(201);
    // Whoever waits for a command reports again and again: that must not bring him one.
    let fleet = fleet(&brokers, false, Duration::from_secs(1), PATIENCE / 100);
    let _runtime = connect(&fleet, DEVICES);
    let (all, counts) = (DEVICES as u64, &fleet.counts);
    wait("devices that are there", PATIENCE, || counts.there.read(), all);

    let order = json!({ "firmware_id": firmware["id"], "scope": "all", "roll_out": { "stages": [10, 100], "advance_at": 100 } });
    let order = Console::of(&here).post("/api/upgrades", &order).good(201);
    let order = format!("/api/upgrades/{}", order["id"]);
    let show = || console.get(&order).good(200);
    let number = |value: &Value| value.as_u64().expect("a number");
    wait("devices of the first stage", PATIENCE, || counts.commands.read(), FIRST as u64);
    fleet.may_end.add_permits(2);
    wait("devices that are done", PATIENCE, || counts.done.read(), 2);
    kill(here);
    let before = counts.reports.read();
    wait("reports of devices that wait", PATIENCE, || counts.reports.read(), before + 2 * all);
    let shown = show();
    let held = shown["jobs"].as_array().expect("jobs").iter().filter(|job| job["held"] == true).count();
    assert_eq!((number(&shown["upgrade"]["roll_out"]["stage"]), held), (1, DEVICES - FIRST));
    assert_eq!(counts.commands.read() - counts.crossed.read() - counts.redelivered.read(), FIRST as u64);

    fleet.may_end.add_permits(FIRST - 2);
    wait("commands of the last stage", PATIENCE, || counts.commands.read(), FIRST as u64 + 1);
    fleet.may_end.add_permits(DEVICES);
    wait("jobs done", PATIENCE, || number(&show()["upgrade"]["counts"]["done"]), all);
    wait("devices that the service has heard to the end", PATIENCE, || counts.settled.read(), all);
    // What was on its way has come by the time that the hub has answered other reports.
    let after = counts.reports.read();
    wait("reports after the end", PATIENCE, || counts.reports.read(), after + all);
    assert_eq!(number(&show()["upgrade"]["roll_out"]["stage"]), 2);
    assert_eq!(counts.told_again(), BTreeMap::new(), "devices that were told again, how often");
    let jobs = "SELECT count(*) || ' ' || count(DISTINCT client_id) || ' ' || count(*) FILTER (WHERE state = 'done') FROM jobs";
    assert_eq!(server.sql(jobs).trim(), format!("{all} {all} {all}"));
}
