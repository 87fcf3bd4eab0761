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
    /// A message of another type, or one that does not count in this state.
    Ignored(String),
    /// The message can't be read: why.
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
    /// What `upgrade_failed` will tell the cloud: what the program said, or what last went wrong.
    failure_reason: Option<String>,
    /// The version that was reported last, as long as it is true.
    reported_version: Option<String>,
    /// Only [`Session::ended_by`] tells of a failure.
    tells_once: bool,
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
            failure_reason: None,
            reported_version: None,
            tells_once: false,
        }
    }
}

impl Session {
    /// One whose owner tells the cloud how each upgrade ended: the session reports no failure of its own, but of
    /// commands that nobody can follow.
    #[must_use]
    pub fn telling_once() -> Self {
        Session { tells_once: true, ..Session::default() }
    }

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
        let tells_once = self.tells_once;
        *self = Session { reported_version: Some(version.to_owned()), tells_once, ..Session::default() };
        Ok(Report::version(version))
    }

    /// The link is up again. Where the server has forgotten us, a command that it sent meanwhile is lost: returns the
    /// version report that makes the cloud send it again.
    #[must_use]
    pub fn link_restored(&self, session_present: bool) -> Option<Report> {
        let version = self.reported_version.as_ref().filter(|_| self.state == State::Inited && !session_present)?;
        Some(Report::version(version))
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
                self.failure_reason = None;
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

    /// The cloud has refused the version report and will send no command: the attempt is over until the next report.
    pub fn end_refused(&mut self) {
        if self.state == State::Inited {
            self.state = State::Fetched;
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

    /// The planned download could not be started. `text` says why; the failure report quotes it.
    pub fn download_refused(&mut self, text: &str) {
        self.failure_reason = Some(text.to_owned());
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

    /// The download failed for good. Returns what is to be published; `None` where no download is running any more, or
    /// the session tells once.
    pub fn fetch_failed(&mut self, failure: &Failure) -> Option<Report> {
        if self.state != State::Fetching {
            return None;
        }
        self.state = State::Fetched;
        self.last_error = failure.error;
        self.failure_reason = Some(failure.text.clone());
        (!self.tells_once).then(|| Report::failure(self.command_version(), failure.code, &failure.text))
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
        if first {
            self.failure_reason = Some(text);
        }
        Ok((false, (first && !self.tells_once).then_some(report)))
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
        // What runs from now on, or from the next start, is another version: the program will report it.
        self.reported_version = None;
        Ok(Report::upgrade_done(&version))
    }

    /// Why the upgrade failed, where the session has seen it.
    #[must_use]
    pub fn failure_reason(&self) -> Option<&str> {
        self.failure_reason.as_deref()
    }

    /// What the next [`upgrade_failed`](Self::upgrade_failed) tells the cloud, in place of what the session knows.
    pub fn set_failure_reason(&mut self, text: &str) {
        self.failure_reason = Some(text.to_owned());
    }

    /// The report that the upgrade failed, and why; back to INITED.
    ///
    /// # Errors
    /// As [`Session::upgrade_done`].
    pub fn upgrade_failed(&mut self, version: Option<&str>) -> Result<Report, OtaError> {
        let text = self.failure_reason.clone();
        self.ended_by(version, FailureCode::Upgrade, text.as_deref().unwrap_or("upgrade failed"))
    }

    /// As [`upgrade_failed`](Self::upgrade_failed), by what the owner knows of it.
    ///
    /// # Errors
    /// As [`Session::upgrade_done`].
    pub fn ended_by(&mut self, version: Option<&str>, code: FailureCode, text: &str) -> Result<Report, OtaError> {
        let version = self.version_or_command(version)?;
        self.state = State::Inited;
        Ok(Report::failure(&version, code, text))
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
mod tests;
