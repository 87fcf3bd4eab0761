//! The states of an upgrade and what each call and message does in them (behaviour.md section 4).

use super::command::{CloudMessage, UpdateCommand};
use super::error::{Failure, FailureCode, OtaError};
use super::message::Report;
use super::progress::Progress;
use super::MAX_VERSION_LEN;
use crate::http::Url;
use crate::time::Millis;

/// Where an upgrade stands (`IOT_OTA_State_Code`; a session that exists is initialised).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waiting for an update command.
    Inited,
    /// An update command is there, the firmware is not complete.
    Fetching,
    /// The firmware is complete, or the attempt failed for good.
    Fetched,
    /// The download server could not be reached.
    Disconnected,
}

/// What a message from the cloud did, for the log, and what must be published because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// The cloud knows our version.
    VersionAccepted,
    /// The cloud refused the version report: result code and text.
    VersionRefused(i64, String),
    /// There is firmware to fetch.
    Update {
        /// Its version.
        version: String,
        /// Its size in bytes.
        file_size: u32,
        /// Its URL without the query.
        location: String,
    },
    /// A command that can't be followed: why, and the report to publish.
    BadUpdate(String, Report),
    /// Not for this state, or of no known type.
    Ignored(String),
    /// Not a message at all: why.
    Malformed(String),
}

/// A download that may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where the firmware is.
    pub url: Url,
    /// First byte to fetch.
    pub offset: u32,
    /// One past the last byte to fetch.
    pub end: u32,
    /// Size of the whole firmware in bytes.
    pub file_size: u32,
}

/// One device's upgrade.
#[derive(Debug, Clone)]
pub struct Session {
    state: State,
    last_error: OtaError,
    command: Option<UpdateCommand>,
    fetched: u32,
    progress: Progress,
    mismatch_reported: bool,
    /// Why the download could not be started.
    refusal: Option<String>,
}

impl Default for Session {
    fn default() -> Self {
        Session {
            state: State::Inited,
            last_error: OtaError::None,
            command: None,
            fetched: 0,
            progress: Progress::default(),
            mismatch_reported: false,
            refusal: None,
        }
    }
}

impl Session {
    /// Present state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Last error.
    #[must_use]
    pub fn last_error(&self) -> OtaError {
        self.last_error
    }

    /// Notes `error` as the last error and returns it.
    pub fn note(&mut self, error: OtaError) -> OtaError {
        self.last_error = error;
        error
    }

    /// Starts over and returns the version report.
    ///
    /// # Errors
    /// `InvalidParam`: not 1 to 32 bytes. Nothing else changes then.
    pub fn report_version(&mut self, version: &str) -> Result<Report, OtaError> {
        self.check_version(version)?;
        *self = Session::default();
        Ok(Report::version(version))
    }

    /// Handles a message from the update topic.
    pub fn receive(&mut self, payload: &[u8]) -> Received {
        let message = match CloudMessage::parse(payload) {
            Ok(message) => message,
            Err(why) => return Received::Malformed(why),
        };
        if self.state != State::Inited {
            let kind = match message {
                CloudMessage::VersionResult { .. } => "report_version_rsp".to_owned(),
                CloudMessage::Update(_) | CloudMessage::BadUpdate(_) => "update_firmware".to_owned(),
                CloudMessage::Other(kind) => kind,
            };
            return Received::Ignored(format!("{kind} in the middle of an upgrade"));
        }
        match message {
            CloudMessage::VersionResult { code: 0, .. } => Received::VersionAccepted,
            CloudMessage::VersionResult { code, text } => {
                self.last_error = OtaError::ReportVersion;
                self.state = State::Fetched;
                Received::VersionRefused(code, text)
            }
            CloudMessage::Update(command) => {
                let update = Received::Update {
                    version: command.version.clone(),
                    file_size: command.file_size,
                    location: command.url.to_string(),
                };
                self.command = Some(command);
                self.fetched = 0;
                self.mismatch_reported = false;
                self.refusal = None;
                self.state = State::Fetching;
                update
            }
            CloudMessage::BadUpdate(bad) => {
                let report = Report::failure(&bad.version, FailureCode::Upgrade, &bad.reason);
                Received::BadUpdate(bad.reason, report)
            }
            CloudMessage::Other(kind) => Received::Ignored(format!("unknown type {kind}")),
        }
    }

    /// Checks whether bytes `offset..size` may be fetched now.
    ///
    /// # Errors
    /// `InvalidState` without an update command; `InvalidParam` for an empty or absurd range.
    pub fn plan_download(&mut self, offset: u32, size: u32) -> Result<Plan, OtaError> {
        let (State::Fetching, Some(command)) = (self.state, &self.command) else {
            return Err(self.note(OtaError::InvalidState));
        };
        let end = size.min(command.file_size);
        if end == 0 || offset > end {
            return Err(self.note(OtaError::InvalidParam));
        }
        Ok(Plan { url: command.url.clone(), offset, end, file_size: command.file_size })
    }

    /// The planned download runs.
    pub fn download_started(&mut self, plan: &Plan) {
        self.fetched = plan.offset;
        self.progress = Progress::default();
    }

    /// The planned download could not be started; `text` says why, to whoever reads the failure report.
    pub fn download_refused(&mut self, text: &str) {
        self.refusal = Some(text.to_owned());
        self.last_error = OtaError::FetchFailed;
        self.state = State::Disconnected;
    }

    /// Whether bytes may be fetched.
    ///
    /// # Errors
    /// `InvalidState` when not.
    pub fn may_fetch(&mut self) -> Result<(), OtaError> {
        match self.state {
            State::Fetching => Ok(()),
            _ => Err(self.note(OtaError::InvalidState)),
        }
    }

    /// `count` more bytes were handed to the caller; 0 when a download found nothing left to fetch.
    /// Returns what is to be published.
    pub fn fetched(&mut self, count: u32, now: Millis) -> Vec<Report> {
        let (State::Fetching, Some(command)) = (self.state, &self.command) else {
            return Vec::new();
        };
        self.fetched = self.fetched.saturating_add(count).min(command.file_size);
        if self.fetched == command.file_size {
            self.state = State::Fetched;
        }
        if count == 0 {
            return Vec::new();
        }
        let percentages = self.progress.advance(self.fetched, command.file_size, now);
        percentages.map(|percent| Report::downloading(&command.version, percent)).collect()
    }

    /// The download failed for good. Returns what is to be published; `None` when the session has moved on.
    pub fn fetch_failed(&mut self, failure: &Failure) -> Option<Report> {
        if self.state != State::Fetching {
            return None;
        }
        self.state = State::Fetched;
        self.last_error = failure.error;
        Some(Report::failure(self.command_version(), failure.code, &failure.text))
    }

    /// The update command, from the moment it came.
    ///
    /// # Errors
    /// `InvalidState` before.
    pub fn command(&mut self) -> Result<&UpdateCommand, OtaError> {
        if self.state == State::Inited || self.command.is_none() {
            return Err(self.note(OtaError::InvalidState));
        }
        self.command.as_ref().ok_or(OtaError::InvalidState)
    }

    /// Bytes fetched so far, those before the offset included.
    ///
    /// # Errors
    /// `InvalidState` before an update command.
    pub fn fetched_size(&mut self) -> Result<u32, OtaError> {
        self.command()?;
        Ok(self.fetched)
    }

    /// Whether `digest`, lower-case hex, is the announced MD5. The first mismatch also brings a report to publish.
    ///
    /// # Errors
    /// `InvalidState` unless FETCHED with a command.
    pub fn check_firmware(&mut self, digest: &str) -> Result<(bool, Option<Report>), OtaError> {
        let (State::Fetched, Some(command)) = (self.state, &self.command) else {
            return Err(self.note(OtaError::InvalidState));
        };
        if digest.eq_ignore_ascii_case(&command.md5sum) {
            return Ok((true, None));
        }
        let text = format!("MD5 of the firmware is {digest}, announced was {}", command.md5sum);
        let report = Report::failure(&command.version, FailureCode::Md5Mismatch, &text);
        let first = !std::mem::replace(&mut self.mismatch_reported, true);
        Ok((false, first.then_some(report)))
    }

    /// The report that the firmware is being written.
    ///
    /// # Errors
    /// As [`Session::upgrade_done`].
    pub fn upgrade_begin(&mut self, version: Option<&str>) -> Result<Report, OtaError> {
        let version = self.version_or_command(version)?;
        Ok(Report::upgrade_begin(&version))
    }

    /// The report that the upgrade is done; back to INITED. `None` means the version of the update command.
    ///
    /// # Errors
    /// `InvalidParam`: not 1 to 32 bytes; `InvalidState`: `None` without a command.
    pub fn upgrade_done(&mut self, version: Option<&str>) -> Result<Report, OtaError> {
        let version = self.version_or_command(version)?;
        self.state = State::Inited;
        Ok(Report::upgrade_done(&version))
    }

    /// The report that the upgrade failed; back to INITED.
    ///
    /// # Errors
    /// As [`Session::upgrade_done`].
    pub fn upgrade_failed(&mut self, version: Option<&str>) -> Result<Report, OtaError> {
        let version = self.version_or_command(version)?;
        self.state = State::Inited;
        let text = self.refusal.as_deref().unwrap_or("upgrade failed");
        Ok(Report::failure(&version, FailureCode::Upgrade, text))
    }

    fn version_or_command(&mut self, version: Option<&str>) -> Result<String, OtaError> {
        match (version, &self.command) {
            (Some(version), _) => self.check_version(version).map(|()| version.to_owned()),
            (None, Some(command)) => Ok(command.version.clone()),
            (None, None) => Err(self.note(OtaError::InvalidState)),
        }
    }

    fn check_version(&mut self, version: &str) -> Result<(), OtaError> {
        match version.len() {
            1..=MAX_VERSION_LEN => Ok(()),
            _ => Err(self.note(OtaError::InvalidParam)),
        }
    }

    fn command_version(&self) -> &str {
        self.command.as_ref().map_or("", |command| &command.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: &[u8] = br#"{"type":"update_firmware","url":"http://h/f?sign=s3cret","version":"1.3.0",
        "md5sum":"AD4615B866C13AFB8B293A679BFA5DC4","file_size":1000}"#;
    const ACCEPTED: &[u8] = br#"{"type":"report_version_rsp","result_code":0}"#;
    const REFUSED: &[u8] = br#"{"type":"report_version_rsp","result_code":"-7","result_msg":"who?"}"#;

    fn fetching() -> Session {
        let mut session = Session::default();
        assert!(matches!(session.receive(UPDATE), Received::Update { file_size: 1000, .. }));
        session
    }

    fn downloading(offset: u32) -> Session {
        let mut session = fetching();
        let plan = session.plan_download(offset, 1000).unwrap();
        session.download_started(&plan);
        session
    }

    /// One session in each state, FETCHED both ways.
    fn sessions() -> [(State, Session); 5] {
        let mut complete = downloading(0);
        let _ = complete.fetched(1000, Millis(0));
        let mut refused = Session::default();
        let _ = refused.receive(REFUSED);
        let mut disconnected = fetching();
        disconnected.download_refused("no route");
        let all = [
            (State::Inited, Session::default()),
            (State::Fetching, fetching()),
            (State::Fetched, complete),
            (State::Fetched, refused),
            (State::Disconnected, disconnected),
        ];
        for (state, session) in &all {
            assert_eq!(session.state(), *state);
        }
        all
    }

    #[test]
    fn version_answers_count_in_inited_only() {
        for (state, mut session) in sessions() {
            let before = session.last_error();
            match state {
                State::Inited => {
                    assert_eq!(session.receive(ACCEPTED), Received::VersionAccepted);
                    assert_eq!(session.state(), State::Inited);
                    assert_eq!(session.receive(REFUSED), Received::VersionRefused(-7, "who?".to_owned()));
                    assert_eq!(session.state(), State::Fetched);
                    assert_eq!(session.last_error(), OtaError::ReportVersion);
                }
                _ => {
                    assert!(matches!(session.receive(REFUSED), Received::Ignored(_)));
                    assert_eq!((session.state(), session.last_error()), (state, before));
                }
            }
        }
    }

    #[test]
    fn an_update_command_counts_in_inited_only() {
        for (state, mut session) in sessions() {
            match state {
                State::Inited => {
                    let received = session.receive(UPDATE);
                    let location = "http://h/f".to_owned();
                    let expected = Received::Update { version: "1.3.0".to_owned(), file_size: 1000, location };
                    assert_eq!(received, expected);
                    assert_eq!(session.state(), State::Fetching);
                }
                _ => {
                    assert!(matches!(session.receive(UPDATE), Received::Ignored(_)));
                    assert!(matches!(session.receive(br#"{"type":"future"}"#), Received::Ignored(_)));
                    assert_eq!(session.state(), state);
                }
            }
        }
    }

    #[test]
    fn a_bad_command_changes_nothing_and_is_reported() {
        let mut session = Session::default();
        let Received::BadUpdate(reason, report) = session.receive(br#"{"type":"update_firmware","version":"2"}"#)
        else {
            panic!("taken");
        };
        assert_eq!(reason, "url is missing");
        assert_eq!(report, Report::failure("2", FailureCode::Upgrade, "url is missing"));
        assert_eq!((session.state(), session.last_error()), (State::Inited, OtaError::None));
        assert!(matches!(session.receive(b"{"), Received::Malformed(_)));
        assert!(matches!(session.receive(br#"{"type":"x"}"#), Received::Ignored(_)));
    }

    #[test]
    fn reporting_a_version_starts_over_in_every_state() {
        for (_, mut session) in sessions() {
            assert_eq!(session.report_version("1.0"), Ok(Report::version("1.0")));
            assert_eq!((session.state(), session.last_error()), (State::Inited, OtaError::None));
            assert_eq!(session.command(), Err(OtaError::InvalidState));
            assert_eq!(session.upgrade_begin(None), Err(OtaError::InvalidState));
        }
    }

    #[test]
    fn a_version_has_1_to_32_characters() {
        for (state, mut session) in sessions() {
            for version in ["", &"v".repeat(33)] {
                assert_eq!(session.report_version(version), Err(OtaError::InvalidParam));
                assert_eq!(session.upgrade_done(Some(version)), Err(OtaError::InvalidParam));
                assert_eq!(session.upgrade_failed(Some(version)), Err(OtaError::InvalidParam));
                assert_eq!((session.state(), session.last_error()), (state, OtaError::InvalidParam));
            }
            assert!(session.report_version(&"v".repeat(32)).is_ok());
        }
    }

    #[test]
    fn downloads_and_fetches_need_fetching() {
        for (state, mut session) in sessions() {
            let expected = if state == State::Fetching { Ok(()) } else { Err(OtaError::InvalidState) };
            assert_eq!(session.plan_download(0, 1000).map(drop), expected);
            assert_eq!(session.may_fetch(), expected);
        }
    }

    #[test]
    fn ranges_stay_inside_the_file() {
        let range = |offset, size| fetching().plan_download(offset, size).map(|plan| (plan.offset, plan.end));
        assert_eq!(range(0, 1000), Ok((0, 1000)));
        assert_eq!(range(999, 1000), Ok((999, 1000)));
        assert_eq!(range(1000, 1000), Ok((1000, 1000)));
        assert_eq!(range(0, 5000), Ok((0, 1000)));
        assert_eq!(range(0, 400), Ok((0, 400)));
        assert_eq!(range(1001, 1000), Err(OtaError::InvalidParam));
        assert_eq!(range(1001, u32::MAX), Err(OtaError::InvalidParam));
        assert_eq!(range(0, 0), Err(OtaError::InvalidParam));
    }

    #[test]
    fn bytes_are_counted_from_the_offset_and_the_last_one_completes() {
        let mut session = downloading(600);
        assert_eq!(session.fetched_size(), Ok(600));
        assert_eq!(session.fetched(100, Millis(0)), [Report::downloading("1.3.0", 0)]);
        assert_eq!(session.fetched(100, Millis(1000)), [Report::downloading("1.3.0", 80)]);
        assert_eq!(session.state(), State::Fetching);
        assert_eq!(session.fetched(200, Millis(1001)), [Report::downloading("1.3.0", 100)]);
        assert_eq!((session.state(), session.fetched_size()), (State::Fetched, Ok(1000)));
    }

    #[test]
    fn nothing_left_to_fetch_is_complete_without_a_byte() {
        let mut session = downloading(1000);
        assert_eq!(session.state(), State::Fetching);
        assert_eq!(session.fetched(0, Millis(0)), []);
        assert_eq!(session.state(), State::Fetched);
    }

    #[test]
    fn a_failure_is_reported_once() {
        let mut session = downloading(0);
        let failure = Failure::auth("the server answered 403");
        let report = Report::failure("1.3.0", FailureCode::Auth, "the server answered 403");
        assert_eq!(session.fetch_failed(&failure), Some(report));
        assert_eq!((session.state(), session.last_error()), (State::Fetched, OtaError::FetchAuthFail));
        assert_eq!(session.fetch_failed(&failure), None);
        assert_eq!(session.fetched(10, Millis(0)), []);
    }

    #[test]
    fn the_check_answers_twice_and_reports_once() {
        let mut session = downloading(0);
        let digest = "ad4615b866c13afb8b293a679bfa5dc4";
        assert_eq!(session.check_firmware(digest), Err(OtaError::InvalidState));
        let _ = session.fetched(1000, Millis(0));
        assert_eq!(session.check_firmware(digest), Ok((true, None)));
        let Ok((false, Some(report))) = session.check_firmware("00") else { panic!("no report") };
        assert!(report.payload.contains(r#""result_code":"-4""#));
        assert_eq!(session.check_firmware("00"), Ok((false, None)));
        assert_eq!(session.check_firmware(digest), Ok((true, None)));
    }

    #[test]
    fn questions_need_a_command() {
        for (state, mut session) in sessions() {
            let refused = session.last_error() == OtaError::ReportVersion;
            let known = state != State::Inited && !refused;
            assert_eq!(session.command().is_ok(), known, "{state:?}");
            assert_eq!(session.fetched_size().is_ok(), known, "{state:?}");
        }
    }

    #[test]
    fn the_end_of_an_upgrade_goes_back_to_inited() {
        let mut session = downloading(0);
        let _ = session.fetched(1000, Millis(0));
        assert_eq!(session.upgrade_begin(None), Ok(Report::upgrade_begin("1.3.0")));
        assert_eq!(session.state(), State::Fetched);
        assert_eq!(session.upgrade_done(None), Ok(Report::upgrade_done("1.3.0")));
        assert_eq!(session.state(), State::Inited);
        // The publish may have failed: it can be tried again without naming the version.
        assert_eq!(session.upgrade_done(None), Ok(Report::upgrade_done("1.3.0")));
        let failed = Report::failure("9", FailureCode::Upgrade, "upgrade failed");
        assert_eq!(session.upgrade_failed(Some("9")), Ok(failed));
        assert_eq!(session.state(), State::Inited);
    }

    #[test]
    fn a_download_that_could_not_start_is_the_reason_of_the_failure_report() {
        let mut session = fetching();
        session.download_refused("no route");
        let refused = Report::failure("1.3.0", FailureCode::Upgrade, "no route");
        assert_eq!(session.upgrade_failed(None), Ok(refused));
        // The next command has nothing to do with it.
        session.receive(UPDATE);
        let failed = Report::failure("1.3.0", FailureCode::Upgrade, "upgrade failed");
        assert_eq!(session.upgrade_failed(None), Ok(failed));
    }
}
