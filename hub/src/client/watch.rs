//! `hub watch`: upgrades as they go.

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::args;
use super::connection::Connection;
use super::display::Display;
use super::stream::Changes;
use super::trouble::Trouble;
use hub_core::model::{Change, Counts, Job, State, Upgrade, UpgradeJobs, UpgradeList};

/// Carries the command out.
pub fn run(args: &args::Watch) -> Result<ExitCode, Trouble> {
    follow(&Connection::open(&args.target)?, args.upgrade, args.target.json)
}

/// Watches one order, or all that are not finished, until the end.
pub fn follow(hub: &Connection, only: Option<i64>, json: bool) -> Result<ExitCode, Trouble> {
    let mut changes = Changes::new(hub.events()?);
    let mut watched = Watched::default();
    let mut display = Display::new(json);
    loop {
        match changes.next()? {
            Change::Reset => {
                for id in due(hub, only, &watched)? {
                    watched.ask(hub, id, &mut display)?;
                }
            }
            Change::Upgrade { upgrade } if watched.orders.contains_key(&upgrade.id) => {
                watched.upgrade(upgrade, &mut display)
            }
            // Nothing more is told of the jobs that it has had.
            Change::Upgrade { upgrade } if only.is_none() && goes_on(&upgrade) => {
                watched.ask(hub, upgrade.id, &mut display)?
            }
            Change::Job { job } if watched.orders.contains_key(&job.upgrade_id) => watched.job(job, &mut display),
            Change::Job { job } if only.is_none() => watched.ask(hub, job.upgrade_id, &mut display)?,
            _ => continue,
        }
        if watched.ended() {
            let counts = watched.counts();
            display.end(&counts);
            let stopped = watched.orders.values().any(|(upgrade, _)| is_stopped(upgrade));
            let good = counts.failed == 0 && counts.cancelled == 0 && !stopped;
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
}

/// Orders to ask for where changes may have been missed.
fn due(hub: &Connection, only: Option<i64>, watched: &Watched) -> Result<Vec<i64>, Trouble> {
    if let Some(id) = only {
        return Ok(vec![id]);
    }
    let list: UpgradeList = hub.whole("/api/upgrades")?;
    let open = list.upgrades.iter().filter(|upgrade| upgrade.counts.waiting + upgrade.counts.running > 0);
    let ids = open.map(|upgrade| upgrade.id).chain(watched.orders.keys().copied());
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// What is known of the orders.
#[derive(Default)]
struct Watched {
    orders: BTreeMap<i64, (Upgrade, BTreeMap<i64, Job>)>,
}

impl Watched {
    fn ask(&mut self, hub: &Connection, id: i64, display: &mut Display) -> Result<(), Trouble> {
        let found: UpgradeJobs = hub.whole(&format!("/api/upgrades/{id}"))?;
        self.upgrade(found.upgrade, display);
        found.jobs.into_iter().for_each(|job| self.job(job, display));
        Ok(())
    }

    fn upgrade(&mut self, upgrade: Upgrade, display: &mut Display) {
        let known = self.orders.get(&upgrade.id).map(|(known, _)| known);
        // Counts are made from the jobs here; what else changes is that it was cancelled, and how far its roll-out is.
        let state = |upgrade: &Upgrade| (upgrade.cancelled_at, upgrade.roll_out.clone());
        if known.is_none_or(|known| state(known) != state(&upgrade)) {
            display.upgrade(&upgrade);
        }
        match self.orders.get_mut(&upgrade.id) {
            Some((known, _)) => *known = upgrade,
            None => drop(self.orders.insert(upgrade.id, (upgrade, BTreeMap::new()))),
        }
    }

    fn job(&mut self, job: Job, display: &mut Display) {
        let Some((_, jobs)) = self.orders.get_mut(&job.upgrade_id) else {
            return;
        };
        if jobs.get(&job.id) != Some(&job) {
            display.job(&job);
            jobs.insert(job.id, job);
        }
    }

    /// Whether there was something to watch and nothing of it goes on.
    fn ended(&self) -> bool {
        let over = |(upgrade, jobs): &(Upgrade, BTreeMap<i64, Job>)| {
            // Nobody else is told until somebody resumes it.
            if is_stopped(upgrade) {
                return true;
            }
            // Devices may still come under a standing order.
            let none_to_come = !upgrade.scope.stands() || upgrade.cancelled_at.is_some() || !jobs.is_empty();
            let all_known = jobs.len() as u64 >= total(&upgrade.counts);
            none_to_come && all_known && jobs.values().all(|job| is_over(job.state))
        };
        !self.orders.is_empty() && self.orders.values().all(over)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for job in self.orders.values().flat_map(|(_, jobs)| jobs.values()) {
            match job.state {
                State::Waiting => counts.waiting += 1,
                State::Sent | State::Downloading | State::Burning => counts.running += 1,
                State::Done => counts.done += 1,
                State::Failed => counts.failed += 1,
                State::Cancelled => counts.cancelled += 1,
            }
        }
        counts
    }
}

/// Whether more may come of an order.
fn goes_on(upgrade: &Upgrade) -> bool {
    upgrade.cancelled_at.is_none() || upgrade.counts.waiting + upgrade.counts.running > 0
}

fn is_stopped(upgrade: &Upgrade) -> bool {
    upgrade.roll_out.as_ref().is_some_and(|roll_out| roll_out.stopped.is_some())
}

fn total(counts: &Counts) -> u64 {
    counts.waiting + counts.running + counts.done + counts.failed + counts.cancelled
}

fn is_over(state: State) -> bool {
    matches!(state, State::Done | State::Failed | State::Cancelled)
}
