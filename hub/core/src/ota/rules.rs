//! Whom an order reaches, and what a report does to a job.

use std::collections::BTreeSet;

use super::message::Progress;
use crate::model::{Job, RollOutPlan, Scope, State};

/// An order that stands, as it concerns one device.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The order's id.
    pub upgrade_id: i64,
    /// What it upgrades to.
    pub version: String,
    /// Only devices that run one of these; empty: any.
    pub from_versions: Vec<String>,
    /// It takes a device again whose upgrade has failed, or that runs another version after all.
    pub again: bool,
    /// The device already had a job of it.
    pub had_job: bool,
    /// How it gets out, where not to all at once.
    pub plan: Option<RollOutPlan>,
}

/// Whether an order to upgrade to `version` reaches a device that runs `running`, as far as versions go.
///
/// A device that never reported is reached only where any version will do.
pub fn reaches(scope: Scope, from_versions: &[String], version: &str, running: Option<&str>) -> bool {
    let other = running != Some(version);
    match scope {
        Scope::Listed => other,
        Scope::All | Scope::Chosen | Scope::Tagged if from_versions.is_empty() => other,
        Scope::All | Scope::Chosen | Scope::Tagged => {
            running.is_some_and(|running| from_versions.iter().any(|from| from == running))
        }
    }
}

/// What follows from the version a device reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionOutcome {
    /// Its unfinished job has reached its end.
    pub done: bool,
    /// It must be told of its unfinished job, again or for the first time.
    pub tell: bool,
    /// This order takes it.
    pub begin: Option<i64>,
}

/// A device reports the version it runs. `latest` is its latest job; `standing` are its product's orders, newest first.
pub fn on_version(version: &str, latest: Option<&Job>, standing: &[Standing]) -> VersionOutcome {
    let mut outcome = VersionOutcome::default();
    if let Some(job) = latest.filter(|job| job.state.is_open()) {
        if job.version != version {
            return VersionOutcome { tell: true, ..outcome };
        }
        outcome.done = true;
    }
    for order in standing {
        if order.version == version {
            // It is where the newest order wants it; older ones would take it back.
            break;
        }
        if reaches(Scope::All, &order.from_versions, &order.version, Some(version)) {
            outcome.begin = (order.again || !order.had_job).then_some(order.upgrade_id);
            break;
        }
    }
    outcome
}

/// A device reports progress: its latest job as it is from now on, or `None` where nothing changes.
///
/// What the device says counts, also where the job was called off or had failed: it goes on all the same.
pub fn on_progress(report: &Progress, latest: &Job, now: u64) -> Option<Job> {
    // A command that a device cannot use may be reported without a version.
    let unnamed_failure = report.state == "fail" && report.version.is_empty() && latest.state.is_open();
    if latest.state == State::Done || !(report.version == latest.version || unnamed_failure) {
        return None;
    }
    let (state, percent) = match report.state.as_str() {
        "downloading" => (State::Downloading, report.percent.or(latest.percent)),
        "burning" => (State::Burning, latest.percent),
        "done" => (State::Done, Some(100)),
        "fail" => (State::Failed, latest.percent),
        _ => return None,
    };
    let failed = state == State::Failed;
    Some(Job {
        state,
        percent,
        result_code: report.result_code.filter(|_| failed),
        result_msg: report.result_msg.clone().filter(|_| failed),
        updated_at: now,
        held: false,
        ..latest.clone()
    })
}

/// The device names in an uploaded list, with the numbers of their lines.
fn names(list: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = list.trim_start_matches('\u{feff}').lines().map(|line| line.split(',').next().unwrap_or_default());
    let names = lines.map(|name| name.trim().trim_matches('"').trim());
    (1..).zip(names).filter(|(_, name)| !name.is_empty() && !name.starts_with('#'))
}

/// The client ids that an uploaded list of device names is about, in order and each once.
pub fn read_list(list: &str, product_id: &str) -> Result<Vec<String>, String> {
    let found: BTreeSet<String> = names(list).map(|(_, name)| format!("{product_id}{name}")).collect();
    if found.is_empty() {
        return Err("The list names no device.".to_owned());
    }
    Ok(found.into_iter().collect())
}

/// What is wrong with a list, where these client ids of it are of no device; they are in order.
pub fn unknown_in_list(list: &str, product_id: &str, unknown: &[String]) -> String {
    let is_unknown = |name: &str| unknown.binary_search(&format!("{product_id}{name}")).is_ok();
    let lines: Vec<String> = names(list)
        .filter(|(_, name)| is_unknown(name))
        .map(|(line, name)| format!("line {line}: {:?}", shorten(name)))
        .collect();
    format!("The list names what is no device of product {product_id}: {}.", join(&lines))
}

/// Most entries of a list that a message names.
const NAMED: usize = 20;

/// A text for people out of a list that may be long.
pub fn join(entries: &[String]) -> String {
    let named: Vec<&str> = entries.iter().take(NAMED).map(String::as_str).collect();
    match entries.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn shorten(name: &str) -> String {
    let mut short: String = name.chars().take(64).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: State) -> Job {
        Job {
            id: 1,
            upgrade_id: 1,
            client_id: "P1dev1".to_owned(),
            from_version: Some("1.0".to_owned()),
            version: "2.0".to_owned(),
            state,
            percent: Some(40),
            result_code: None,
            result_msg: None,
            created_at: 1,
            updated_at: 1,
            held: false,
        }
    }

    fn order(upgrade_id: i64, version: &str, from_versions: &[&str]) -> Standing {
        let from_versions = from_versions.iter().map(|version| (*version).to_owned()).collect();
        Standing { upgrade_id, version: version.to_owned(), from_versions, again: false, had_job: false, plan: None }
    }

    fn begins(version: &str, standing: &[Standing]) -> Option<i64> {
        on_version(version, None, standing).begin
    }

    #[test]
    fn whom_an_order_reaches() {
        let some = ["1.0".to_owned(), "1.1".to_owned()];
        for (scope, from, running, reached) in [
            (Scope::All, &[][..], Some("1.0"), true),
            (Scope::All, &[], Some("2.0"), false),
            (Scope::All, &[], None, true),
            (Scope::All, &some, Some("1.1"), true),
            (Scope::All, &some, Some("0.9"), false),
            (Scope::All, &some, None, false),
            (Scope::Chosen, &some, Some("1.0"), true),
            (Scope::Chosen, &some, Some("0.9"), false),
            (Scope::Chosen, &[], Some("2.0"), false),
            (Scope::Tagged, &some, Some("1.0"), true),
            (Scope::Tagged, &[], Some("2.0"), false),
            (Scope::Listed, &some, Some("0.9"), true),
            (Scope::Listed, &[], None, true),
            (Scope::Listed, &[], Some("2.0"), false),
        ] {
            assert_eq!(reaches(scope, from, "2.0", running), reached, "{scope:?} {from:?} {running:?}");
        }
    }

    #[test]
    fn a_version_ends_or_repeats_an_unfinished_job() {
        for state in [State::Waiting, State::Sent, State::Downloading, State::Burning] {
            let tell = VersionOutcome { tell: true, ..VersionOutcome::default() };
            assert_eq!(on_version("1.0", Some(&job(state)), &[order(9, "3.0", &[])]), tell);
            let done = VersionOutcome { done: true, ..VersionOutcome::default() };
            assert_eq!(on_version("2.0", Some(&job(state)), &[]), done);
        }
        for state in [State::Done, State::Failed, State::Cancelled] {
            assert_eq!(on_version("1.0", Some(&job(state)), &[]), VersionOutcome::default());
        }
        let on = VersionOutcome { done: true, tell: false, begin: Some(9) };
        assert_eq!(on_version("2.0", Some(&job(State::Burning)), &[order(9, "3.0", &["2.0"])]), on);
    }

    #[test]
    fn the_newest_standing_order_that_fits_takes_a_device_once() {
        assert_eq!(begins("1.0", &[order(2, "3.0", &[]), order(1, "2.0", &[])]), Some(2));
        assert_eq!(begins("3.0", &[order(2, "3.0", &[]), order(1, "2.0", &[])]), None);
        assert_eq!(begins("1.0", &[order(2, "3.0", &["2.0"]), order(1, "2.0", &[])]), Some(1));
        assert_eq!(begins("2.0", &[order(2, "3.0", &["2.0"]), order(1, "2.0", &[])]), Some(2));
        let had = Standing { had_job: true, ..order(2, "3.0", &[]) };
        assert_eq!(begins("1.0", &[had.clone(), order(1, "2.0", &[])]), None);
        assert_eq!(begins("1.0", &[Standing { again: true, ..had }]), Some(2));
        assert_eq!(begins("1.0", &[]), None);
    }

    fn told(state: &str, version: &str, latest: State) -> Option<State> {
        let report = Progress {
            version: version.to_owned(),
            state: state.to_owned(),
            percent: None,
            result_code: Some(0),
            result_msg: None,
        };
        on_progress(&report, &job(latest), 2).map(|job| job.state)
    }

    #[test]
    fn progress_moves_a_job() {
        for state in [State::Waiting, State::Sent, State::Downloading, State::Burning, State::Failed, State::Cancelled]
        {
            assert_eq!(told("downloading", "2.0", state), Some(State::Downloading));
            assert_eq!(told("burning", "2.0", state), Some(State::Burning));
            assert_eq!(told("done", "2.0", state), Some(State::Done));
            assert_eq!(told("fail", "2.0", state), Some(State::Failed));
            assert_eq!(told("sleeping", "2.0", state), None);
            for other in ["downloading", "burning", "done", "fail"] {
                assert_eq!(told(other, "1.9", state), None);
            }
        }
        assert_eq!(told("fail", "2.0", State::Done), None);
        assert_eq!(told("fail", "", State::Sent), Some(State::Failed));
        assert_eq!(told("fail", "", State::Cancelled), None);
        assert_eq!(told("done", "", State::Sent), None);
    }

    #[test]
    fn what_a_report_leaves_in_a_job() {
        let mut report = Progress {
            version: "2.0".to_owned(),
            state: "downloading".to_owned(),
            percent: Some(55),
            result_code: Some(0),
            result_msg: Some(String::new()),
        };
        let after = on_progress(&report, &job(State::Sent), 7).expect("a change");
        assert_eq!((after.percent, after.result_code, after.updated_at), (Some(55), None, 7));
        (report.state, report.percent, report.result_code) = ("fail".to_owned(), None, Some(-4));
        report.result_msg = Some("md5".to_owned());
        let after = on_progress(&report, &after, 8).expect("a change");
        assert_eq!((after.percent, after.result_code, after.result_msg.as_deref()), (Some(55), Some(-4), Some("md5")));
        report.state = "done".to_owned();
        let after = on_progress(&report, &after, 9).expect("a change");
        assert_eq!((after.percent, after.result_code, after.result_msg), (Some(100), None, None));
    }

    #[test]
    fn lists() {
        let read = |list: &str| read_list(list, "P1");
        let text = "\u{feff}# those\r\n\r\nc\r\n a , floor 3\r\n\"c\"\r\n";
        assert_eq!(read(text), Ok(vec!["P1a".to_owned(), "P1c".to_owned()]));
        let wrong = |list: &str, known: &[&str]| {
            let mut unknown = read(list).expect("names");
            unknown.retain(|id| !known.contains(&id.as_str()));
            unknown_in_list(list, "P1", &unknown)
        };
        let text = wrong("a\nx\n\nb\ny y,1\n", &["P1a", "P1b"]);
        assert!(text.contains("line 2: \"x\", line 5: \"y y\"") && text.contains("product P1"), "{text}");
        let long: String = (0..100).map(|n| format!("{n}\n")).collect();
        let text = wrong(&long, &[]);
        assert!(text.contains("line 20: \"19\" and 80 more"), "{text}");
        assert!(wrong(&"z".repeat(100_000), &[]).len() < 500);
        for empty in ["", "\n\n", "# none\n", ",,\n"] {
            assert_eq!(read(empty), Err("The list names no device.".to_owned()));
        }
    }
}
