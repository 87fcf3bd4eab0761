//! When lines go out, and what becomes of them (log_upload.md sections 3 to 5).

use super::form::Form;
use super::level::Wanted;
use super::lines::Lines;
use crate::helpers::logline::Level;
use crate::time::Millis;

/// How long after one attempt the next is due, in milliseconds.
const INTERVAL_MS: u64 = 2_000;
/// Longest wait after failures.
const MAX_WAIT_MS: u64 = 60_000;
/// How long the cloud's time is good for, and how long after a failure it is not asked for.
const CLOCK_MS: u64 = 30 * 60_000;
const NO_CLOCK_MS: u64 = 15 * 60_000;

/// How urgent an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// When it is time.
    WhenDue,
    /// The library has seen something go wrong: as soon as the server may be asked again.
    Pressing,
    /// The program wants it now.
    Demanded,
}

/// The uploads of one process.
#[derive(Debug)]
pub struct Session {
    lines: Lines,
    only_on_error: bool,
    last_attempt: Option<Millis>,
    /// In a row.
    failures: u32,
    /// The program may have kept lines from before.
    may_have_saved: bool,
    /// The cloud's UTC seconds, and when it told them.
    clock: Option<(u64, Millis)>,
    ask_again: Option<Millis>,
}

impl Session {
    /// Nothing was collected yet. `keeps` says whether the program keeps what could not be sent. `None` without memory.
    #[must_use]
    pub fn new(form: Form, keeps: bool) -> Option<Self> {
        Some(Session {
            lines: Lines::new(form)?,
            only_on_error: false,
            last_attempt: None,
            failures: 0,
            may_have_saved: keeps,
            clock: None,
            ask_again: None,
        })
    }

    /// Takes a line. False where there is no room for it.
    pub fn collect(&mut self, line: &[u8]) -> bool {
        self.lines.push(line)
    }

    /// The cloud wants other lines than those up to `level`. Returns the level from now on.
    pub fn want(&mut self, wanted: Wanted, level: u32) -> Level {
        match wanted {
            Wanted::OnlyOnError => {
                self.lines.clear();
                self.only_on_error = true;
                Level::Error
            }
            Wanted::UpTo(wanted) => {
                if (wanted as u32) < level {
                    self.lines.clear();
                }
                self.only_on_error = false;
                wanted
            }
        }
    }

    /// Whether an upload begins now.
    pub fn begin(&mut self, now: Millis, urgency: Urgency) -> bool {
        if urgency == Urgency::WhenDue && self.only_on_error {
            if self.lines.is_low() {
                self.lines.clear();
            }
            return false;
        }
        let since = self.last_attempt.map(|last| now.since(last));
        let is_due = match urgency {
            Urgency::Demanded => true,
            // A buffer that fills up with a server that fails must not make it be asked more often.
            _ if self.failures > 0 => since.is_none_or(|since| since >= self.wait_ms()),
            Urgency::WhenDue if self.lines.is_low() => true,
            Urgency::WhenDue | Urgency::Pressing => since.is_none_or(|since| since >= INTERVAL_MS),
        };
        let begins = is_due && (self.may_have_saved || !self.lines.is_empty());
        if begins {
            self.last_attempt = Some(now);
        }
        begins
    }

    fn wait_ms(&self) -> u64 {
        let doubled = self.failures.saturating_sub(1).min(5);
        (INTERVAL_MS << doubled).min(MAX_WAIT_MS)
    }

    /// Whether the lines that the program has kept come first.
    #[must_use]
    pub fn may_have_saved(&self) -> bool {
        self.may_have_saved
    }

    /// The lines that are to be sent now, or kept. What comes later stays for the next time. `None` without memory.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.lines.take()
    }

    /// How the upload ended, and whether the program may keep lines now.
    pub fn ended(&mut self, succeeded: bool, may_have_saved: bool) {
        self.failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
        self.may_have_saved = may_have_saved;
    }

    /// Whether it is time to ask the cloud for the time.
    #[must_use]
    pub fn needs_clock(&self, now: Millis) -> bool {
        self.ask_again.is_none_or(|moment| now >= moment)
    }

    /// The cloud has said what time it is, or has not.
    pub fn set_clock(&mut self, now: Millis, seconds: Option<u64>) {
        if let Some(seconds) = seconds {
            self.clock = Some((seconds, now));
        }
        self.ask_again = Some(now + if seconds.is_some() { CLOCK_MS } else { NO_CLOCK_MS });
    }

    /// UTC seconds, 0 where nobody has told them.
    #[must_use]
    pub fn seconds(&self, now: Millis) -> u64 {
        self.clock.map_or(0, |(seconds, then)| seconds.saturating_add(now.since(then) / 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(Form::Plain, false).unwrap()
    }

    fn begins(session: &mut Session, ms: u64, urgency: Urgency) -> bool {
        session.begin(Millis(ms), urgency)
    }

    fn fill(session: &mut Session) {
        while session.collect(&[b'x'; 500]) {}
    }

    #[test]
    fn case_07_once_in_2_s_at_once_when_the_buffer_is_low_and_never_without_lines() {
        let mut session = session();
        for urgency in [Urgency::WhenDue, Urgency::Pressing, Urgency::Demanded] {
            assert!(!begins(&mut session, 0, urgency), "{urgency:?}");
        }
        session.collect(b"a");
        assert!(begins(&mut session, 10, Urgency::WhenDue));
        session.ended(true, false);
        assert!(!begins(&mut session, 2_009, Urgency::WhenDue));
        assert!(!begins(&mut session, 2_009, Urgency::Pressing));
        assert!(begins(&mut session, 2_010, Urgency::WhenDue));
        session.ended(true, false);
        assert!(begins(&mut session, 2_011, Urgency::Demanded));
        session.ended(true, false);
        fill(&mut session);
        assert!(begins(&mut session, 2_012, Urgency::WhenDue));
    }

    #[test]
    fn case_10_failures_make_it_wait_longer_and_longer_but_not_the_program() {
        let mut session = session();
        fill(&mut session);
        let mut now = 0;
        assert!(begins(&mut session, now, Urgency::WhenDue));
        session.ended(false, false);
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            for urgency in [Urgency::WhenDue, Urgency::Pressing] {
                assert!(!begins(&mut session, now + wait * 1_000 - 1, urgency), "{wait} {urgency:?}");
            }
            now += wait * 1_000;
            assert!(begins(&mut session, now, Urgency::Pressing), "{wait}");
            session.ended(false, false);
        }
        assert!(begins(&mut session, now, Urgency::Demanded));
        session.ended(true, false);
        assert!(begins(&mut session, now + 2_000, Urgency::Pressing));
    }

    #[test]
    fn case_08_level_0_sends_only_when_something_goes_wrong() {
        let mut session = session();
        session.collect(b"before");
        assert_eq!(session.want(Wanted::OnlyOnError, 4), Level::Error);
        assert_eq!(session.take().unwrap(), b"");
        session.collect(b"a");
        assert!(!begins(&mut session, 10_000, Urgency::WhenDue));
        assert!(begins(&mut session, 10_000, Urgency::Pressing));
        assert_eq!(session.take().unwrap(), b"a\n\x0c");
        session.ended(true, false);
        fill(&mut session);
        assert!(!begins(&mut session, 20_000, Urgency::WhenDue));
        assert_eq!(session.take().unwrap(), b"", "a buffer that is low is emptied");

        session.collect(b"b");
        assert_eq!(session.want(Wanted::UpTo(Level::Info), 1), Level::Info);
        assert!(begins(&mut session, 30_000, Urgency::WhenDue));
        assert_eq!(session.take().unwrap(), b"b\n\x0c");
        session.collect(b"c");
        assert_eq!(session.want(Wanted::UpTo(Level::Info), 3), Level::Info);
        assert_eq!(session.want(Wanted::UpTo(Level::Warn), 3), Level::Warn);
        assert_eq!(session.take().unwrap(), b"", "lower than before");
    }

    #[test]
    fn case_14_what_the_program_kept_is_looked_for_at_first_and_after_failures() {
        let mut session = Session::new(Form::Plain, true).unwrap();
        assert!(begins(&mut session, 0, Urgency::WhenDue) && session.may_have_saved());
        session.ended(true, false);
        assert!(!session.may_have_saved() && !begins(&mut session, 10_000, Urgency::Demanded));
        session.collect(b"a");
        assert!(begins(&mut session, 10_000, Urgency::Demanded));
        let _ = session.take();
        session.ended(false, true);
        assert!(begins(&mut session, 12_000, Urgency::WhenDue) && session.may_have_saved());
    }

    #[test]
    fn case_13_the_clock_goes_on_by_itself_and_is_asked_for_seldom() {
        let mut session = session();
        assert!(session.needs_clock(Millis(0)));
        session.set_clock(Millis(1_000), None);
        assert_eq!(session.seconds(Millis(2_000)), 0);
        assert!(!session.needs_clock(Millis(900_999)) && session.needs_clock(Millis(901_000)));
        session.set_clock(Millis(901_000), Some(1_700_000_000));
        assert_eq!(session.seconds(Millis(902_999)), 1_700_000_001);
        assert!(!session.needs_clock(Millis(2_700_999)) && session.needs_clock(Millis(2_701_000)));
        session.set_clock(Millis(2_701_000), None);
        assert_eq!(session.seconds(Millis(2_701_000)), 1_700_001_800);
    }
}
