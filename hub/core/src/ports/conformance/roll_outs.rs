//! Orders that do not reach their devices all at once.

use super::{add_firmware, code, key, report};
use crate::model::{Hours, Job, Page, Problem, ProblemCode, ProblemKind, RollOut, RollOutPlan, Scope, State, Stopped};
use crate::ota::roll_out::late_stage;
use crate::ports::roll_outs::Going;
use crate::ports::store::{Due, NewOrder, Store};

/// Everything that anybody may take.
const ALL: Due = Due { waiting: 999, taken: 999, told: 999, tries: 3 };

/// Twenty devices that run 1.0.
fn fleet(store: &dyn Store) -> Vec<String> {
    let ids: Vec<String> = (0..20).map(|n| format!("P1d{n:02}")).collect();
    for id in &ids {
        store.add_device(id, "P1", &id[2..], &mut key).expect("added");
        store.report_version(id, "P1", "1.0", 1).expect("kept");
    }
    ids
}

fn plan(stages: &[u8]) -> RollOutPlan {
    RollOutPlan { stages: stages.to_vec(), ..RollOutPlan::default() }
}

fn order(store: &dyn Store, scope: Scope, named: Option<&[String]>, plan: &RollOutPlan) -> i64 {
    let firmware_id = store.firmware_of_version("P1", "2.0").expect("answer").map(|stored| stored.firmware.id);
    let firmware_id = firmware_id.unwrap_or_else(|| add_firmware(store, "2.0"));
    let from_versions = &["1.0".to_owned()];
    let order = NewOrder { from_versions, named, plan: Some(plan), ..NewOrder::new(firmware_id, scope) };
    store.add_order(&order, 5).expect("ordered").0
}

fn roll_out(store: &dyn Store, upgrade: i64) -> RollOut {
    store.upgrade(upgrade).expect("an order").roll_out.expect("a plan")
}

fn held(store: &dyn Store, upgrade: i64) -> Vec<i64> {
    store.held(upgrade, (0, 0), 99).expect("jobs").iter().map(|job| job.at.1).collect()
}

/// Lets all go that may, and returns them as told.
fn tell(store: &dyn Store, upgrade: i64, now: u64) -> Vec<Job> {
    let told = store.let_go(upgrade, &held(store, upgrade), now).expect("jobs");
    store.set_sent(&told.iter().map(|job| job.id).collect::<Vec<_>>(), now).expect("kept");
    told
}

fn jobs(store: &dyn Store, upgrade: i64) -> Vec<Job> {
    store.upgrade_jobs(upgrade, &[], &Page::first()).expect("jobs").1
}

fn is_conflict<T>(outcome: Result<T, Problem>) -> bool {
    outcome.is_err_and(|problem| problem.kind == ProblemKind::Conflict)
}

/// Stage by stage, and nobody is told before his has begun.
pub fn stages(store: &dyn Store) {
    let ids = fleet(store);
    let with_time = RollOutPlan { not_before: Some(100), ..plan(&[1, 50, 100]) };
    let upgrade = order(store, Scope::Chosen, Some(&ids), &with_time);
    let going = |now| store.roll_on(now).expect("an answer").going;
    assert_eq!((going(99), roll_out(store, upgrade).stage, held(store, upgrade)), (vec![], 0, vec![]));
    let rolled = store.roll_on(100).expect("an answer");
    assert!(rolled.touched.upgrades.contains(&upgrade) && rolled.stopped.is_empty());
    assert_eq!(rolled.going, [Going { upgrade_id: upgrade, turns: u64::MAX }]);
    assert_eq!(roll_out(store, upgrade), RollOut { plan: with_time, stage: 1, stage_at: Some(100), stopped: None });
    // Of whoever asks, nobody gets a held one.
    let claimed = [store.claim(&ALL, 999, 99), store.claim_first(upgrade, 99, 999)];
    assert_eq!((claimed, store.waiting(999, (0, 0), 99)), ([Ok(vec![]), Ok(vec![])], Ok(vec![])));
    let all: Vec<i64> = jobs(store, upgrade).iter().map(|job| job.id).collect();
    assert!(jobs(store, upgrade).iter().all(|job| job.held && job.state == State::Waiting) && all.len() == 20);

    // One in a hundred is one of twenty, and those of later stages don't come with it.
    let first = store.let_go(upgrade, &all, 101).expect("jobs");
    assert_eq!((first.len(), first[0].held, held(store, upgrade)), (1, false, vec![]));
    assert_eq!(store.let_go(upgrade, &all, 102), Ok(vec![]));
    // A hub that died with it at hand has left it for the others.
    assert_eq!(store.waiting(101, (0, 0), 99).map(|waiting| waiting.len()), Ok(1));
    let other = jobs(store, upgrade).into_iter().find(|job| job.held).expect("a held job");
    let (told, touched) = store.report_version(&other.client_id, "P1", "1.0", 103).expect("kept");
    assert_eq!((told, touched.jobs.contains(&other.id)), (None, true));
    assert!(store.jobs(&[other.id]).expect("jobs")[0].held);
    let (told, _) = store.report_version(&first[0].client_id, "P1", "1.0", 104).expect("kept");
    assert_eq!(told.map(|job| job.id), Some(first[0].id));

    assert_eq!((going(105).len(), roll_out(store, upgrade).stage), (1, 1));
    store.report_progress(&first[0].client_id, &report("done"), 106).expect("kept");
    going(107);
    assert_eq!(roll_out(store, upgrade).stage, 2);
    let page = store.held(upgrade, (0, 0), 4).expect("jobs");
    let rest = store.held(upgrade, page[3].at, 99).expect("jobs");
    assert_eq!((page.len(), rest.len()), (4, 5));
    assert_eq!(tell(store, upgrade, 108).len(), 9);
    // Somebody does not wait for it.
    let (after, touched) = store.next_stage(upgrade, 109).expect("begun");
    assert_eq!((after.roll_out.map(|roll_out| roll_out.stage), touched.upgrades.len()), (Some(3), 1));
    assert!(is_conflict(store.next_stage(upgrade, 110)) && is_conflict(store.resume_upgrade(upgrade)));
    assert_eq!(tell(store, upgrade, 111).len(), 10);
    for id in &ids {
        store.report_version(id, "P1", "2.0", 112).expect("kept");
    }
    going(113);
    // There is nothing more to look at.
    let rolled = store.roll_on(114).expect("an answer");
    assert_eq!((rolled.going, rolled.touched.upgrades.len()), (vec![], 0));
    assert_eq!(store.upgrade(upgrade).expect("an order").counts.done, 20);
}

/// Too many failures: nobody else is told, until somebody says so.
pub fn stops(store: &dyn Store) {
    let ids = fleet(store);
    let careful = RollOutPlan { stop_at_failures: Some(20), ..plan(&[50, 100]) };
    let upgrade = order(store, Scope::All, None, &careful);
    store.roll_on(10).expect("begun");
    let told = tell(store, upgrade, 11);
    assert_eq!(told.len(), 10);
    let said = |job: &Job, state: &str, now| store.report_progress(&job.client_id, &report(state), now).expect("kept");
    // One of the first two has failed: that says too little yet.
    said(&told[0], "fail", 12);
    said(&told[1], "done", 12);
    said(&told[2], "downloading", 12);
    assert_eq!(store.roll_on(13).map(|rolled| rolled.stopped), Ok(vec![]));
    for job in &told[4..] {
        said(job, if job.id == told[4].id { "fail" } else { "done" }, 14);
    }
    said(&told[2], "fail", 15);
    let rolled = store.roll_on(16).expect("an answer");
    assert_eq!((rolled.stopped, rolled.going), (vec![upgrade], vec![]));
    assert_eq!(roll_out(store, upgrade).stopped, Some(Stopped { at: 16, by: None, failed: 3, ended: 9 }));
    assert_eq!(store.roll_on(17).map(|rolled| (rolled.stopped, rolled.touched.upgrades.len())), Ok((vec![], 0)));

    // Whoever had been told and is silent is not told again.
    assert_eq!(store.claim(&ALL, 999, 99), Ok(vec![]));
    let silent = &told[3];
    assert_eq!(store.jobs(&[silent.id]).map(|jobs| (jobs[0].state, jobs[0].held)), Ok((State::Sent, true)));
    assert_eq!(store.report_version(&silent.client_id, "P1", "1.0", 18).map(|(tell, _)| tell), Ok(None));
    assert!(is_conflict(store.next_stage(upgrade, 19)));
    // A device that comes is taken, and held: this one for the second stage.
    let mut names = (0..).map(|n| format!("P1late{n}"));
    let late = names.find(|id| late_stage(&careful, upgrade, id) == 1).expect("one of half of them");
    store.add_device(&late, "P1", &late[2..], &mut key).expect("added");
    let (tell_late, _) = store.report_version(&late, "P1", "1.0", 20).expect("kept");
    assert_eq!((tell_late, jobs(store, upgrade).len()), (None, 21));

    store.resume_upgrade(upgrade).expect("resumed");
    let rolled = store.roll_on(21).expect("an answer");
    // The stage has ended but for one, and its failures are forgiven.
    assert_eq!((roll_out(store, upgrade).stage, roll_out(store, upgrade).stopped), (2, None));
    assert_eq!((rolled.stopped, rolled.going.len()), (vec![], 1));
    let again = tell(store, upgrade, 22);
    assert_eq!((again.len(), again.iter().any(|job| job.id == silent.id)), (12, true));
    let failed = |from: usize, to: usize, now| again[from..to].iter().for_each(|job| drop(said(job, "fail", now)));
    failed(0, 9, 23);
    assert_eq!(store.roll_on(24).map(|rolled| rolled.stopped), Ok(vec![]));
    said(&again[10], "downloading", 25);
    failed(9, 10, 26);
    assert_eq!(store.roll_on(27).map(|rolled| rolled.stopped), Ok(vec![upgrade]));
    assert_eq!(roll_out(store, upgrade).stopped, Some(Stopped { at: 27, by: None, failed: 10, ended: 10 }));

    // Cancelled after that: what runs goes on, and is not begun again where it was interrupted.
    store.cancel_upgrade(upgrade, 28).expect("cancelled");
    assert!(is_conflict(store.next_stage(upgrade, 29)) && is_conflict(store.resume_upgrade(upgrade)));
    let running = store.jobs(&[again[10].id]).expect("jobs");
    assert_eq!(running[0].state, State::Downloading);
    assert_eq!(store.report_version(&again[10].client_id, "P1", "1.0", 30).map(|(tell, _)| tell), Ok(None));
    let open = jobs(store, upgrade).iter().filter(|job| job.state.is_open()).count();
    assert_eq!((open, store.roll_on(31).map(|rolled| rolled.going)), (0, Ok(vec![])));

    let simple = super::order(store, add_firmware(store, "3.0"), Scope::All, 32);
    assert!(is_conflict(store.next_stage(simple, 33)) && is_conflict(store.resume_upgrade(simple)));
    assert_eq!(code(store.next_stage(9999, 33)), Some(ProblemCode::UpgradeUnknown));
    assert_eq!(ids.len(), 20);
}

/// Somebody stops it, and somebody lets it go on.
pub fn stopped_by_hand(store: &dyn Store) {
    let ids = fleet(store);
    let careful = RollOutPlan { stop_at_failures: Some(20), advance_at: 100, ..plan(&[50, 100]) };
    let upgrade = order(store, Scope::Chosen, Some(&ids), &careful);
    store.roll_on(10).expect("begun");
    let told = tell(store, upgrade, 11);
    let said = |job: &Job, state: &str, now| store.report_progress(&job.client_id, &report(state), now).expect("kept");
    said(&told[0], "fail", 12);
    said(&told[1], "downloading", 12);
    let (after, touched) = store.stop_upgrade(upgrade, "alice", 13).expect("stopped");
    let stopped = Some(Stopped { at: 13, by: Some("alice".to_owned()), failed: 1, ended: 1 });
    assert_eq!((after.roll_out.and_then(|roll_out| roll_out.stopped), touched.upgrades.len()), (stopped, 1));
    assert_eq!(code(store.stop_upgrade(upgrade, "bob", 14)), Some(ProblemCode::UpgradeStopped));
    // What was told stays as it is, nobody else is told, and no stage begins.
    let states: Vec<State> = store.jobs(&[told[1].id, told[2].id]).expect("jobs").iter().map(|job| job.state).collect();
    assert_eq!(states, [State::Downloading, State::Sent]);
    assert_eq!((store.claim(&ALL, 999, 99), tell(store, upgrade, 14).len()), (Ok(vec![]), 0));
    let waits = jobs(store, upgrade).into_iter().find(|job| job.state == State::Waiting).expect("a job that waits");
    for job in [&waits, &told[2]] {
        assert_eq!(store.report_version(&job.client_id, "P1", "1.0", 15).map(|(tell, _)| tell), Ok(None));
    }
    said(&told[1], "done", 16);
    assert_eq!((store.roll_on(17).map(|rolled| rolled.going), roll_out(store, upgrade).stage), (Ok(vec![]), 1));

    // It forgets no failure.
    store.resume_upgrade(upgrade).expect("resumed");
    assert_eq!((roll_out(store, upgrade).stopped, store.roll_on(18).map(|rolled| rolled.going.len())), (None, Ok(1)));
    let again = tell(store, upgrade, 19);
    assert_eq!(again.len(), 8);
    said(&again[0], "fail", 20);
    again[1..].iter().for_each(|job| drop(said(job, "done", 20)));
    assert_eq!(store.roll_on(21).map(|rolled| rolled.stopped), Ok(vec![upgrade]));
    assert_eq!(roll_out(store, upgrade).stopped, Some(Stopped { at: 21, by: None, failed: 2, ended: 10 }));
    store.cancel_upgrade(upgrade, 22).expect("cancelled");
    assert_eq!(code(store.stop_upgrade(upgrade, "alice", 23)), Some(ProblemCode::UpgradeCancelled));
    assert_eq!(code(store.stop_upgrade(9999, "alice", 23)), Some(ProblemCode::UpgradeUnknown));
}

/// An order for all at once is stopped by hand, too: it has reached those who were there.
pub fn stopped_at_once(store: &dyn Store) {
    fleet(store);
    let upgrade = super::order(store, add_firmware(store, "2.0"), Scope::All, 30);
    let told = store.claim_first(upgrade, 5, 31).expect("jobs");
    store.set_sent(&told.iter().map(|job| job.id).collect::<Vec<_>>(), 31).expect("kept");
    store.stop_upgrade(upgrade, "alice", 32).expect("stopped");
    let begun = RollOut { plan: RollOutPlan::default(), stage: 1, stage_at: Some(30), stopped: None };
    let stopped = Some(Stopped { at: 32, by: Some("alice".to_owned()), failed: 0, ended: 0 });
    assert_eq!(roll_out(store, upgrade), RollOut { stopped, ..begun.clone() });
    assert_eq!((store.claim(&ALL, 999, 99), store.waiting(999, (0, 0), 99)), (Ok(vec![]), Ok(vec![])));
    store.add_device("P1late", "P1", "late", &mut key).expect("added");
    for id in ["P1late", &told[0].client_id] {
        assert_eq!(store.report_version(id, "P1", "1.0", 33).map(|(tell, _)| tell), Ok(None), "{id}");
    }
    store.resume_upgrade(upgrade).expect("resumed");
    assert_eq!(roll_out(store, upgrade), begun);
    assert_eq!((store.roll_on(34).map(|rolled| rolled.going.len()), tell(store, upgrade, 35).len()), (Ok(1), 23));

    let chosen = super::order(store, add_firmware(store, "3.0"), Scope::Chosen, 40);
    for job in jobs(store, chosen) {
        store.report_version(&job.client_id, "P1", "3.0", 41).expect("kept");
    }
    assert_eq!(code(store.stop_upgrade(chosen, "alice", 42)), Some(ProblemCode::UpgradeOver));
    assert_eq!(store.upgrade(chosen).expect("an order").roll_out, None);
}

/// At its hours of the day, and whoever was told and is silent not outside of them either.
pub fn hours(store: &dyn Store) {
    let ids = fleet(store);
    let hours = Hours { from: "02:00".parse().expect("a time"), to: "05:00".parse().expect("a time") };
    let nightly = RollOutPlan { hours: Some(hours), advance_at: 50, ..plan(&[50, 100]) };
    let upgrade = order(store, Scope::All, None, &nightly);
    let at = |day: u64, hour: u64| (day * 24 + hour) * 3_600_000;
    let sweeps = |now| (0..3).map(|_| store.roll_on(now).expect("an answer")).collect::<Vec<_>>();
    let going = |now| sweeps(now).pop().is_some_and(|rolled| !rolled.going.is_empty());
    assert_eq!((going(at(1, 1)), roll_out(store, upgrade).stage), (false, 1));
    assert_eq!((roll_out(store, upgrade).plan, tell(store, upgrade, at(1, 1)).len()), (nightly, 0));
    let first = jobs(store, upgrade)[0].client_id.clone();
    assert_eq!(store.report_version(&first, "P1", "1.0", at(1, 1)).map(|(tell, _)| tell), Ok(None));
    assert!(going(at(1, 2)));
    let told = tell(store, upgrade, at(1, 2));
    assert_eq!(told.len(), 10);

    let outside = at(1, 5);
    assert!(!going(outside));
    // Nothing is written where nothing happens.
    assert_eq!(store.roll_on(outside).map(|rolled| rolled.touched.upgrades.len()), Ok(0));
    let all = Due { waiting: outside, taken: outside, told: outside, tries: 9 };
    assert_eq!(store.claim(&all, outside, 99), Ok(vec![]));
    assert_eq!(store.report_version(&told[0].client_id, "P1", "1.0", outside).map(|(tell, _)| tell), Ok(None));
    // What runs goes on, and the next stage may begin; its devices wait.
    for job in &told[1..] {
        store.report_progress(&job.client_id, &report("done"), outside).expect("kept");
    }
    assert_eq!((going(outside), roll_out(store, upgrade).stage, tell(store, upgrade, outside).len()), (false, 2, 0));
    assert_eq!((going(at(2, 4)), tell(store, upgrade, at(2, 4)).len(), ids.len()), (true, 11, 20));
}

/// So many in a minute, whoever tells them.
pub fn turns(store: &dyn Store) {
    let ids = fleet(store);
    let slow = RollOutPlan { per_minute: Some(2), ..RollOutPlan::default() };
    let upgrade = order(store, Scope::Chosen, Some(&ids), &slow);
    let turns = |now| {
        let going = store.roll_on(now).expect("an answer").going;
        going.first().map_or(0, |going| going.turns)
    };
    assert_eq!((turns(1_000_000), held(store, upgrade).len()), (1, 20));
    assert_eq!((tell(store, upgrade, 1_000_000).len(), turns(1_000_001)), (1, 0));
    assert_eq!(tell(store, upgrade, 1_020_000).len(), 0);
    let reports = |now| {
        let device = jobs(store, upgrade).into_iter().find(|job| job.held).expect("a held job").client_id;
        store.report_version(&device, "P1", "1.0", now).expect("kept").0.is_some()
    };
    // A device that reports takes a turn like any other.
    assert_eq!([1_020_000, 1_031_000, 1_032_000].map(reports), [false, true, false]);
    assert_eq!((turns(1_033_000), tell(store, upgrade, 1_033_000).len()), (0, 0));
    assert_eq!((turns(1_065_000), tell(store, upgrade, 1_065_000).len()), (1, 1));
    // Nobody gathers turns.
    assert_eq!((turns(9_000_000), tell(store, upgrade, 9_000_000).len()), (1, 1));
}

/// Devices that come after the order are in the stage that the rules say.
pub fn late(store: &dyn Store) {
    let halves = RollOutPlan { by_hand: true, ..plan(&[50, 100]) };
    let upgrade = order(store, Scope::All, None, &halves);
    store.roll_on(10).expect("begun");
    let ids = fleet(store);
    let wanted = |stage| ids.iter().filter(|id| late_stage(&halves, upgrade, id) == stage).count();
    assert!(wanted(0) > 0 && wanted(1) > 0, "{} {}", wanted(0), wanted(1));
    let jobs = jobs(store, upgrade);
    for job in &jobs {
        assert_eq!(job.held, late_stage(&halves, upgrade, &job.client_id) == 1, "{}", job.client_id);
    }
    assert_eq!((jobs.len(), held(store, upgrade)), (20, vec![]));
    store.next_stage(upgrade, 11).expect("begun");
    assert_eq!(tell(store, upgrade, 12).len(), wanted(1));
}
