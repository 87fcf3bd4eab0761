//! Whether the devices got where they had to: events in, a verdict out. No I/O and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use hub_core::events::Event;

/// Where a device must get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It reports `done` for the version on offer.
    Done,
    /// It reports a failure, of this code where there is one.
    Fail(Option<i64>),
    /// It was told to upgrade and reports that it runs the version on offer.
    Version,
}

impl FromStr for Expect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "done" => Ok(Expect::Done),
            None if text == "version" => Ok(Expect::Version),
            None if text == "fail" => Ok(Expect::Fail(None)),
            Some(("fail", code)) => {
                let code = code.parse().map_err(|_| format!("{code:?} is not a number, such as fail=-4"))?;
                Ok(Expect::Fail(Some(code)))
            }
            _ => Err("there are: done, fail, fail=CODE, version".to_owned()),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expect::Done => f.write_str("done"),
            Expect::Fail(None) => f.write_str("fail"),
            Expect::Fail(Some(code)) => write!(f, "fail={code}"),
            Expect::Version => f.write_str("version"),
        }
    }
}

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct Case {
    pub expect: Expect,
    /// The version on offer.
    pub version: String,
    /// What a device must run at first.
    pub from_version: Option<String>,
    /// How many failures of a device are none of the test's.
    pub failures: u32,
    /// Client ids.
    pub devices: Vec<String>,
    /// Fault rules as written.
    pub rules: Vec<String>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every device got there.
    Arrived,
    /// One got elsewhere; this says where.
    Elsewhere(String),
}

/// The phases of an upgrade in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Nothing,
    Connected,
    Reported,
    Ordered,
    Downloading,
    Burning,
    Ended,
}

impl Phase {
    fn text(self) -> &'static str {
        match self {
            Phase::Nothing => "it never connected",
            Phase::Connected => "connected",
            Phase::Reported => "reported its version",
            Phase::Ordered => "told to upgrade",
            Phase::Downloading => "downloading",
            Phase::Burning => "burning",
            Phase::Ended => "ended",
        }
    }
}

/// What one device did.
#[derive(Default)]
struct Course {
    phase: Phase,
    /// The most it reported.
    percent: Option<u8>,
    /// The version it reported first.
    first_version: Option<String>,
    ordered: bool,
    failures: u32,
    connected: bool,
    arrived: bool,
    /// Its last report in words.
    last: Option<String>,
}

impl Course {
    fn reached(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }
}

/// Follows the events of a test.
pub struct Judge {
    case: Case,
    courses: BTreeMap<String, Course>,
    bitten: BTreeSet<String>,
    /// The last refused connection or senseless message.
    complaint: Option<String>,
}

impl Judge {
    /// One that has seen nothing yet.
    pub fn new(case: Case) -> Self {
        let courses = case.devices.iter().map(|id| (id.clone(), Course::default())).collect();
        Judge { case, courses, bitten: BTreeSet::new(), complaint: None }
    }

    /// Whether any device is connected at the moment.
    pub fn is_connected(&self) -> bool {
        self.courses.values().any(|course| course.connected)
    }

    /// The fault rules that have not bitten yet.
    pub fn idle_rules(&self) -> Vec<&str> {
        self.case.rules.iter().map(String::as_str).filter(|rule| !self.bitten.contains(*rule)).collect()
    }

    /// Takes an event; the verdict, once there is one.
    pub fn see(&mut self, event: &Event) -> Option<Verdict> {
        match event {
            Event::Fault { rule } => {
                self.bitten.insert(rule.clone());
            }
            Event::Refused { client_id, reason, .. } => {
                self.complaint =
                    Some(format!("{} was refused: {reason}", client_id.as_deref().unwrap_or("a connection")));
            }
            Event::Warning { client_id, text } => {
                self.complaint = Some(match client_id {
                    Some(client_id) => format!("{client_id}: {text}"),
                    None => text.clone(),
                });
            }
            Event::Connected { client_id, .. } | Event::Admitted { client_id, .. } => {
                if let Some(course) = self.courses.get_mut(client_id) {
                    course.connected = true;
                    course.reached(Phase::Connected);
                }
            }
            Event::Disconnected { client_id, .. } => {
                if let Some(course) = self.courses.get_mut(client_id) {
                    course.connected = false;
                }
            }
            Event::Ordered { client_id, .. } => {
                if let Some(course) = self.courses.get_mut(client_id) {
                    course.ordered = true;
                    course.reached(Phase::Ordered);
                }
            }
            Event::Version { client_id, version } => return self.version(client_id, version),
            Event::Upgrade { client_id, version, state, percent, result_code, result_msg } => {
                let code = *result_code;
                return self.report(client_id, version, state, *percent, code, result_msg.as_deref());
            }
            _ => {}
        }
        None
    }

    fn version(&mut self, client_id: &str, version: &str) -> Option<Verdict> {
        let course = self.courses.get_mut(client_id)?;
        course.last = Some(format!("that it runs version {version}"));
        course.reached(Phase::Reported);
        let elsewhere = |text: String| Some(Verdict::Elsewhere(format!("{client_id} {text}")));
        let target = &self.case.version;
        let Some(first) = course.first_version.clone() else {
            course.first_version = Some(version.to_owned());
            return match &self.case.from_version {
                Some(from) if from != version => elsewhere(format!("runs version {version} at first, not {from}")),
                _ if version == target => elsewhere(format!("runs version {target} already: nothing was upgraded")),
                _ => None,
            };
        };
        if version == target {
            return match self.case.expect {
                Expect::Version if course.ordered => self.arrived(client_id),
                Expect::Fail(_) => elsewhere(format!("runs version {version}, though it had to fail")),
                // One that has not been told yet, or reports `done` after its restart.
                Expect::Version | Expect::Done => None,
            };
        }
        if version != first {
            return elsewhere(format!("runs version {version} now, neither {first} nor {target}"));
        }
        None
    }

    fn report(
        &mut self,
        client_id: &str,
        version: &str,
        state: &str,
        percent: Option<u8>,
        code: Option<i64>,
        message: Option<&str>,
    ) -> Option<Verdict> {
        let course = self.courses.get_mut(client_id)?;
        let expect = self.case.expect;
        let mut told = format!("{state} for version {version}");
        match state {
            "downloading" => {
                course.percent = course.percent.max(percent);
                course.reached(Phase::Downloading);
                if let Some(percent) = percent {
                    told.push_str(&format!(", {percent} %"));
                }
            }
            "burning" => course.reached(Phase::Burning),
            "done" => course.reached(Phase::Ended),
            "fail" => {
                course.reached(Phase::Ended);
                course.failures += 1;
                let code = code.map_or("no code".to_owned(), |code| format!("code {code}"));
                told.push_str(&format!(" ({code}, {:?})", message.unwrap_or_default()));
            }
            _ => {}
        }
        course.last = Some(told.clone());
        let elsewhere = || Some(Verdict::Elsewhere(format!("{client_id} reported {told}")));
        match (state, expect) {
            ("done", _) if version != self.case.version => elsewhere(),
            ("done", Expect::Done) => self.arrived(client_id),
            ("done", Expect::Fail(_)) => elsewhere(),
            ("fail", Expect::Fail(wanted)) if wanted.is_none() || wanted == code => self.arrived(client_id),
            ("fail", Expect::Fail(_)) => elsewhere(),
            ("fail", _) if course.failures > self.case.failures => elsewhere(),
            _ => None,
        }
    }

    fn arrived(&mut self, client_id: &str) -> Option<Verdict> {
        if let Some(course) = self.courses.get_mut(client_id) {
            course.arrived = true;
        }
        self.courses.values().all(|course| course.arrived).then_some(Verdict::Arrived)
    }

    /// How far each device came and what the hub had to complain of, a line each.
    pub fn account(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (client_id, course) in self.courses.iter().filter(|(_, course)| !course.arrived || self.courses.len() == 1)
        {
            let percent = match (course.phase, course.percent) {
                (Phase::Downloading, Some(percent)) => format!(", {percent} %"),
                (Phase::Ended, Some(percent)) => format!(" after {percent} % of the download"),
                _ => String::new(),
            };
            lines.push(format!("{client_id}: phase reached: {}{percent}", course.phase.text()));
            if let Some(last) = &course.last {
                lines.push(format!("{client_id}: reported last: {last}"));
            }
        }
        for rule in self.idle_rules() {
            lines.push(format!("fault rule that never bit: {rule}"));
        }
        if let Some(complaint) = &self.complaint {
            lines.push(format!("the hub's last complaint: {complaint}"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::events::Listener;

    const DEV: &str = "Pdev";

    fn judge(expect: &str) -> Judge {
        Judge::new(Case {
            expect: expect.parse().expect("an expectation"),
            version: "2.0".to_owned(),
            from_version: None,
            failures: 0,
            devices: vec![DEV.to_owned()],
            rules: Vec::new(),
        })
    }

    fn runs(version: &str) -> Event {
        Event::Version { client_id: DEV.to_owned(), version: version.to_owned() }
    }

    fn told() -> Event {
        Event::Ordered { client_id: DEV.to_owned(), version: "2.0".to_owned() }
    }

    fn report(state: &str, version: &str, percent: Option<u8>, code: Option<i64>) -> Event {
        Event::Upgrade {
            client_id: DEV.to_owned(),
            version: version.to_owned(),
            state: state.to_owned(),
            percent,
            result_code: code,
            result_msg: Some("why".to_owned()),
        }
    }

    fn fail(code: i64) -> Event {
        report("fail", "2.0", None, Some(code))
    }

    /// The verdict after these events, none of which but the last may bring one.
    fn after(judge: &mut Judge, events: &[Event]) -> Option<Verdict> {
        let (last, before) = events.split_last().expect("events");
        for event in before {
            assert_eq!(judge.see(event), None, "{event:?}");
        }
        judge.see(last)
    }

    fn elsewhere(verdict: Option<Verdict>, part: &str) {
        match verdict {
            Some(Verdict::Elsewhere(text)) => assert!(text.contains(part), "{text}"),
            other => panic!("{other:?} instead of {part}"),
        }
    }

    #[test]
    fn expectations_are_read_and_written() {
        for text in ["done", "fail", "fail=-4", "version"] {
            assert_eq!(text.parse::<Expect>().expect(text).to_string(), text);
        }
        for (text, part) in [("fine", "there are"), ("fail=x", "\"x\""), ("done=1", "there are"), ("", "there are")] {
            assert!(text.parse::<Expect>().is_err_and(|error| error.contains(part)), "{text}");
        }
    }

    #[test]
    fn done() {
        let begin = [runs("1.0"), told(), report("downloading", "2.0", Some(50), Some(0))];
        let with = |last: Event| after(&mut judge("done"), &[&begin[..], &[last]].concat());
        assert_eq!(with(report("burning", "2.0", None, Some(0))), None);
        assert_eq!(with(report("done", "2.0", None, Some(0))), Some(Verdict::Arrived));
        elsewhere(with(report("done", "3.0", None, Some(0))), "done for version 3.0");
        elsewhere(with(fail(-5)), "fail for version 2.0 (code -5, \"why\")");
        elsewhere(with(runs("0.9")), "neither 1.0 nor 2.0");
        // It may report `done` after its restart only.
        assert_eq!(with(runs("2.0")), None);
    }

    #[test]
    fn a_failure_of_the_right_code() {
        let with = |expect: &str, last: Event| after(&mut judge(expect), &[runs("1.0"), told(), last]);
        assert_eq!(with("fail", fail(-1)), Some(Verdict::Arrived));
        assert_eq!(with("fail=-4", fail(-4)), Some(Verdict::Arrived));
        elsewhere(with("fail=-4", fail(-5)), "code -5");
        elsewhere(with("fail=-4", report("fail", "2.0", None, None)), "no code");
        elsewhere(with("fail", report("done", "2.0", None, None)), "done");
        elsewhere(with("fail", runs("2.0")), "had to fail");
    }

    #[test]
    fn the_version_counts_after_the_order_only() {
        assert_eq!(after(&mut judge("version"), &[runs("1.0"), told(), runs("2.0")]), Some(Verdict::Arrived));
        let done = report("done", "2.0", None, None);
        assert_eq!(after(&mut judge("version"), &[runs("1.0"), told(), done, runs("2.0")]), Some(Verdict::Arrived));
        assert_eq!(after(&mut judge("version"), &[runs("1.0"), runs("2.0")]), None);
        elsewhere(after(&mut judge("version"), &[runs("2.0")]), "already");
        elsewhere(after(&mut judge("done"), &[runs("2.0")]), "already");
    }

    #[test]
    fn the_first_version_can_be_asked_for() {
        let mut judge = judge("done");
        judge.case.from_version = Some("1.0".to_owned());
        elsewhere(judge.see(&runs("1.1")), "1.1 at first, not 1.0");
    }

    #[test]
    fn some_failures_may_be_let_pass() {
        let mut judge = judge("done");
        judge.case.failures = 1;
        assert_eq!(after(&mut judge, &[runs("1.0"), told(), fail(-4), runs("1.0"), told()]), None);
        elsewhere(judge.see(&fail(-4)), "code -4");
    }

    #[test]
    fn every_device_must_arrive() {
        let mut judge = judge("done");
        judge.courses.insert("Pother".to_owned(), Course::default());
        assert_eq!(judge.see(&report("done", "2.0", None, None)), None);
        let other = Event::Upgrade {
            client_id: "Pother".to_owned(),
            version: "2.0".to_owned(),
            state: "done".to_owned(),
            percent: None,
            result_code: None,
            result_msg: None,
        };
        assert_eq!(judge.see(&other), Some(Verdict::Arrived));
        let stranger = Event::Version { client_id: "Pstranger".to_owned(), version: "9".to_owned() };
        assert_eq!(judge.see(&stranger), None);
    }

    #[test]
    fn the_account_tells_how_far_it_came() {
        let mut judge = judge("done");
        judge.case.rules = vec!["http:cut=1#1".to_owned(), "http:cut=2#9".to_owned()];
        assert!(judge.account().iter().any(|line| line.contains("never connected")));
        let connected = Event::Connected {
            client_id: DEV.to_owned(),
            listener: Listener::Psk,
            username: None,
            keep_alive: 1,
            clean_session: true,
        };
        let refused = Event::Refused { client_id: None, listener: Listener::Psk, reason: "wrong key".to_owned() };
        let bite = Event::Fault { rule: "http:cut=1#1".to_owned() };
        let half = report("downloading", "2.0", Some(57), Some(0));
        let again = report("downloading", "2.0", Some(12), Some(0));
        assert_eq!(after(&mut judge, &[refused, connected, runs("1.0"), told(), bite, half, again]), None);
        assert!(judge.is_connected());
        let account = judge.account().join("\n");
        for part in [
            "phase reached: downloading, 57 %",
            "reported last: downloading for version 2.0, 12 %",
            "never bit: http:cut=2#9",
            "a connection was refused: wrong key",
        ] {
            assert!(account.contains(part), "{part}: {account}");
        }
        assert!(!account.contains("http:cut=1#1"), "{account}");
    }
}
