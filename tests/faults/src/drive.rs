//! Drives the sample through one row, and checks what must hold in every row.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use e2e::{ends, failures, Desk, Finished};
use serde_json::Value;

use crate::coverage::Coverage;
use crate::row::{Expect, Row, SIZE};

/// The longest row, six stalls of 30 s with the waits in between, takes three and a half minutes.
const LIMIT: Duration = Duration::from_secs(400);
/// The sample takes so many bytes at a time: what a cut may cost.
const BUFFER: u64 = 5000;

/// What came of a row.
pub struct Outcome {
    /// Why it failed.
    pub failure: Option<String>,
    /// Requests for the firmware, those of the next attempt included.
    pub requests: usize,
    /// Bytes of the firmware that were sent more than once.
    pub twice: u64,
    /// How long it took.
    pub time: Duration,
    /// What the device and the hub said.
    pub log: Vec<String>,
}

/// Runs one row to its end.
pub fn drive(row: &Row) -> Outcome {
    let begin = Instant::now();
    let mut scene = Scene { log: Vec::new(), requests: 0, twice: 0 };
    // The harness fails as tests do.
    let result = panic::catch_unwind(AssertUnwindSafe(|| scene.play(row)));
    let failure = match result {
        Ok(result) => result.err(),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            Some(text.or(payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        }
    };
    Outcome { failure, requests: scene.requests, twice: scene.twice, time: begin.elapsed(), log: scene.log }
}

struct Scene {
    log: Vec<String>,
    requests: usize,
    twice: u64,
}

impl Scene {
    fn play(&mut self, row: &Row) -> Result<(), String> {
        let mut desk = desk(row);
        let result = self.runs(row, &mut desk);
        let events = desk.hub.events();
        let gets: Vec<&Value> = events.iter().filter(|event| event["event"] == "http").collect();
        let coverage = Coverage::of(&gets, row.stored as u64, row.refused);
        (self.requests, self.twice) = (gets.len(), coverage.twice());
        let said = desk.hub.out().all().into_iter().map(|line| format!("hub: {}", without_query(&line)));
        self.log.extend(said);
        result?;
        if !row.fetched_anew && self.twice > BUFFER * self.requests as u64 {
            return Err(format!("{} bytes were fetched twice in {} requests", self.twice, self.requests));
        }
        Ok(())
    }

    fn runs(&mut self, row: &Row, desk: &mut Desk) -> Result<(), String> {
        let finished = self.run(row, desk, "device");
        self.check_first(row, desk, &finished)?;
        for rule in &row.faults {
            // A test that met no fault shows nothing. The hub's word may be on its way.
            let event = |line: &String| serde_json::from_str::<Value>(line).unwrap_or_default();
            let bitten = desk.hub.out().find(0, |line| event(line)["rule"] == rule.as_str()).is_some();
            check(bitten, || format!("the hub never had an occasion for {rule}"))?;
        }
        if row.expect.upgrades() {
            return Ok(());
        }
        // The next attempt works.
        desk.hub.say("fault off");
        desk.hub.wait("note", |event| event["text"] == "no faults");
        let before = ends(&desk.hub, &desk.device).len();
        let finished = self.run(row, desk, "device again");
        check(finished.code() == 0, || format!("the next attempt ends with {}", finished.code()))?;
        check_right_file(desk)?;
        desk.hub.settle();
        let after = ends(&desk.hub, &desk.device);
        check(after[before..] == ["done"], || format!("the next attempt reported {:?}", &after[before..]))
    }

    /// Runs the sample to its end.
    fn run(&mut self, row: &Row, desk: &Desk, name: &str) -> Finished {
        let args: Vec<&str> = row.args.iter().map(String::as_str).collect();
        let mut process = desk.sample_with_attempts(row.attempts).args(&args).start();
        let lines = process.lines().clone();
        let finished = panic::catch_unwind(AssertUnwindSafe(|| process.finish_within(LIMIT)));
        self.log.extend(lines.all().iter().map(|line| format!("{name}: {line}")));
        finished.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    fn check_first(&self, row: &Row, desk: &Desk, finished: &Finished) -> Result<(), String> {
        check(row.says.is_empty() || finished.says(&row.says), || format!("no line holds {:?}", row.says))?;
        let code = finished.code();
        if row.expect != Expect::FailsUnheard {
            desk.hub.settle();
        }
        let (codes, ended) = (failures(&desk.hub, &desk.device), ends(&desk.hub, &desk.device));
        check(codes == row.expect.codes(), || format!("failures reported: {codes:?}"))?;
        if row.expect.upgrades() {
            check(code == 0, || format!("exit code {code}"))?;
            check(ended.last().is_some_and(|end| end == "done"), || format!("reported: {ended:?}"))?;
            check_right_file(desk)?;
        } else {
            check(code == 1, || format!("exit code {code} instead of a failure"))?;
            check(finished.lines.iter().any(|line| line.starts_with("ERR|")), || "no error is logged".to_owned())?;
            check(!ended.iter().any(|end| end == "done"), || "reported as done, and failed".to_owned())?;
            check_stored(desk)?;
        }
        if let Some(wanted) = row.requests {
            let made = desk.hub.events_of("http").len();
            check(made == wanted, || format!("{made} requests instead of {wanted}"))?;
        }
        Ok(())
    }
}

fn desk(row: &Row) -> Desk {
    let scheme = if row.https { "https" } else { "http" };
    let desk = Desk::with_args(row.build, SIZE, |_| {
        let mut args = vec!["--upgrade-on-report".to_owned(), "--scheme".to_owned(), scheme.to_owned()];
        args.extend(row.faults.iter().flat_map(|rule| ["--fault".to_owned(), rule.clone()]));
        args
    });
    if row.stored > 0 {
        desk.store(row.stored);
    }
    desk
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise())
    }
}

fn check_right_file(desk: &Desk) -> Result<(), String> {
    let stored = fs::read(desk.bin_file()).map_err(|error| format!("no firmware on the device: {error}"))?;
    check(stored == desk.firmware.bytes, || "the firmware on the device is not the right one".to_owned())?;
    check(!desk.state_file().exists(), || "the state file is still there".to_owned())
}

/// What the state file says is on the device is there, and is firmware.
fn check_stored(desk: &Desk) -> Result<(), String> {
    let Ok(state) = fs::read(desk.state_file()) else {
        return Ok(());
    };
    let state: Value = serde_json::from_slice(&state).map_err(|error| format!("the state file: {error}"))?;
    let count = state["downloaded"].as_u64().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or_else(|| format!("the state file: {state}"))?;
    let stored = fs::read(desk.bin_file()).unwrap_or_default();
    let same = stored.get(..count).is_some_and(|stored| desk.firmware.bytes.get(..count) == Some(stored));
    check(same, || format!("the {count} bytes on the device are not the firmware's"))
}

/// Signatures are long and nobody's business.
fn without_query(line: &str) -> String {
    line.split("?sign=").next().unwrap_or(line).chars().take(300).collect()
}
