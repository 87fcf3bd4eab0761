//! `hub upgrade`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::args::{self, UpgradeAction};
use super::connection::Connection;
use super::display::{describe_job, describe_upgrade};
use super::trouble::Trouble;
use super::{firmware, output, watch};
use hub_core::model::{OrderUpgrade, RollOutPlan, Scope, Upgrade, UpgradeJobs, UpgradeList};

/// Carries the command out.
pub fn run(args: &args::Upgrade) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    match (&args.action, &args.order.firmware) {
        (Some(_), Some(_)) => return Err(Trouble::failed("--firmware orders an upgrade and goes with no subcommand")),
        (Some(UpgradeAction::List), _) => {
            let list: UpgradeList = hub.whole("/api/upgrades")?;
            match json {
                true => output::json(&list),
                false if list.upgrades.is_empty() => output::line("no upgrades"),
                false => list.upgrades.iter().for_each(|upgrade| output::line(&describe_upgrade(upgrade))),
            }
        }
        (Some(UpgradeAction::Show { id }), _) => {
            let found: UpgradeJobs = hub.whole(&format!("/api/upgrades/{id}"))?;
            if json {
                output::json(&found);
            } else {
                output::line(&describe_upgrade(&found.upgrade));
                found.jobs.iter().for_each(|job| output::line(&describe_job(job)));
            }
        }
        (Some(UpgradeAction::Next { id }), _) => change(&hub, *id, "next", json)?,
        (Some(UpgradeAction::Stop { id }), _) => change(&hub, *id, "stop", json)?,
        (Some(UpgradeAction::Resume { id }), _) => change(&hub, *id, "resume", json)?,
        (Some(UpgradeAction::Cancel { id }), _) => change(&hub, *id, "cancel", json)?,
        (None, Some(firmware)) => {
            let upgrade: Upgrade = hub.post("/api/upgrades", &question(&hub, firmware, &args.order)?)?;
            if args.order.watch {
                // Shows the order first of all.
                return watch::follow(&hub, Some(upgrade.id), json);
            }
            show(json, &upgrade);
        }
        // The command line asks for one of the two already.
        (None, None) => return Err(Trouble::failed("hub upgrade --help lists what can be done")),
    }
    Ok(ExitCode::SUCCESS)
}

fn change(hub: &Connection, id: i64, how: &str, json: bool) -> Result<(), Trouble> {
    let upgrade: Upgrade = hub.post(&format!("/api/upgrades/{id}/{how}"), &())?;
    show(json, &upgrade);
    Ok(())
}

fn show(json: bool, upgrade: &Upgrade) {
    match json {
        true => output::json(upgrade),
        false => output::line(&describe_upgrade(upgrade)),
    }
}

fn question(hub: &Connection, firmware: &str, order: &args::Order) -> Result<OrderUpgrade, Trouble> {
    let list = order.devices.list.as_deref().map(read_list).transpose()?;
    let scope = match &order.devices {
        args::Chosen { all: true, .. } => Scope::All,
        args::Chosen { list: Some(_), .. } => Scope::Listed,
        args::Chosen { tag: Some(_), .. } => Scope::Tagged,
        _ => Scope::Chosen,
    };
    Ok(OrderUpgrade {
        firmware_id: firmware::find(hub, firmware)?.id,
        scope,
        from_versions: order.from.clone(),
        devices: order.devices.device.clone(),
        list: list.unwrap_or_default(),
        tag: order.devices.tag.clone(),
        roll_out: plan(&order.roll_out),
    })
}

/// The plan of a roll-out, where something is said of one.
fn plan(given: &args::RollOut) -> Option<RollOutPlan> {
    let usual = RollOutPlan::default();
    let plan = RollOutPlan {
        stages: if given.stages.is_empty() { usual.stages.clone() } else { given.stages.clone() },
        by_hand: given.by_hand,
        advance_at: given.advance_at.unwrap_or(usual.advance_at),
        stop_at_failures: given.stop_at_failures,
        not_before: given.not_before,
        per_minute: given.per_minute,
        hours: given.hours,
    };
    (plan != usual).then_some(plan)
}

fn read_list(path: &Path) -> Result<String, Trouble> {
    let bytes = fs::read(path).map_err(|error| Trouble::failed(format!("--list {}: {error}", path.display())))?;
    String::from_utf8(bytes)
        .map_err(|_| Trouble::failed(format!("--list {}: this is no text in UTF-8", path.display())))
}
