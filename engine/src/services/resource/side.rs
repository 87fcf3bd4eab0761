//! One way of a resource, download or upload: its state, its task, and what each call does (resource.md section 2).

use super::command::Task;
use super::error::{ResourceError, ResultCode};
use super::is_name;
use super::message::{Direction, Report};
use crate::services::ota::progress::Progress;
use crate::services::ota::Failure;
use crate::time::Millis;

/// Where a transfer stands (`QCLOUD_RESOURCE_STATE_CODE_E`; a service that exists is initialised).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waiting for a task.
    Inited,
    /// There is a task, and not all is transferred.
    Start,
    /// All is transferred, or the transfer failed for good.
    End,
    /// The transfer could not be started.
    Disconnected,
}

/// A failure that the library has reported itself.
#[derive(Debug, Clone)]
struct Told {
    name: String,
    code: ResultCode,
}

/// One way of a resource.
#[derive(Debug, Clone)]
pub struct Side {
    direction: Direction,
    state: State,
    last_error: ResourceError,
    task: Option<Task>,
    /// Bytes transferred.
    count: u32,
    progress: Progress,
    /// What the cloud answered to a report.
    result: i32,
    told: Option<Told>,
}

impl Side {
    /// One that waits for a task.
    #[must_use]
    pub fn new(direction: Direction) -> Self {
        Side {
            direction,
            state: State::Inited,
            last_error: ResourceError::None,
            task: None,
            count: 0,
            progress: Progress::default(),
            result: 0,
            told: None,
        }
    }

    /// Present state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Last error.
    #[must_use]
    pub fn last_error(&self) -> ResourceError {
        self.last_error
    }

    /// Notes `error` as the last error and returns it.
    pub fn note(&mut self, error: ResourceError) -> ResourceError {
        self.last_error = error;
        error
    }

    /// A task came. It counts only where none is under way.
    pub fn begin(&mut self, task: Task) {
        *self = Side { state: State::Start, task: Some(task), ..Side::new(self.direction) };
    }

    /// The cloud answered a report.
    pub fn answered(&mut self, code: i32) {
        self.result = code;
    }

    /// Whether there is a task to begin or to go on with. An error that the cloud answered is forgotten.
    pub fn is_started(&mut self) -> bool {
        self.result = 0;
        self.state == State::Start
    }

    /// The task that may be started now.
    ///
    /// # Errors
    /// `InvalidState` where none waits for that.
    pub fn startable(&mut self) -> Result<&Task, ResourceError> {
        match (self.state, &self.task) {
            (State::Start, Some(task)) => Ok(task),
            _ => {
                self.last_error = ResourceError::InvalidState;
                Err(ResourceError::InvalidState)
            }
        }
    }

    /// The transfer runs; `count` bytes are there already.
    pub fn started(&mut self, count: u32, now: Millis) {
        self.count = count;
        self.progress = if count == 0 { Progress::default() } else { Progress::resumed(now) };
    }

    /// The transfer could not be started.
    pub fn not_started(&mut self, error: ResourceError) -> ResourceError {
        self.state = State::Disconnected;
        self.note(error)
    }

    /// Whether bytes may be transferred.
    ///
    /// # Errors
    /// `InvalidState` without a task that is under way, or where the cloud answered a report with an error, which is
    /// then told.
    pub fn may_go_on(&mut self) -> Result<(), (ResourceError, String)> {
        let why = match (self.state, self.result) {
            (State::Start, 0) => return Ok(()),
            (State::Start, code) => format!("the cloud answered result_code {code} to a report"),
            _ => format!("no {} is under way", self.direction.word()),
        };
        Err((self.note(ResourceError::InvalidState), why))
    }

    /// `count` more bytes are transferred; 0 when nothing was left. Returns what is to be published.
    pub fn moved(&mut self, count: u32, now: Millis) -> Vec<Report> {
        let (State::Start, Some(task)) = (self.state, &self.task) else {
            return Vec::new();
        };
        self.count = self.count.saturating_add(count).min(task.size);
        if self.count == task.size {
            self.state = State::End;
        }
        if count == 0 {
            return Vec::new();
        }
        let percentages = self.progress.advance(self.count, task.size, now);
        percentages.map(|percent| Report::progress(self.direction, &task.name, percent)).collect()
    }

    /// The transfer failed for good. Returns its error, and what is to be published.
    pub fn failed(&mut self, failure: &Failure) -> (ResourceError, Option<Report>) {
        let error = ResourceError::from(failure.error);
        let report = match ResultCode::of(failure.code) {
            Some(code) => self.fail_by_itself(code, error),
            None => {
                self.state = State::End;
                None
            }
        };
        (self.note(error), report)
    }

    /// Drops the task and says so to the cloud.
    fn fail_by_itself(&mut self, code: ResultCode, error: ResourceError) -> Option<Report> {
        let name = self.task.take()?.name;
        let report = Report::failed_by_itself(self.direction, &name, code);
        *self = Side { told: Some(Told { name, code }), last_error: error, ..Side::new(self.direction) };
        Some(report)
    }

    /// The task, from START on.
    ///
    /// # Errors
    /// `InvalidState` before.
    pub fn task(&mut self) -> Result<&Task, ResourceError> {
        if self.state == State::Inited || self.task.is_none() {
            return Err(self.note(ResourceError::InvalidState));
        }
        self.task.as_ref().ok_or(ResourceError::InvalidState)
    }

    /// Bytes transferred, those before the offset included.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether `digest`, lower-case hex, is the task's MD5. A mismatch drops the task and brings a report to publish.
    ///
    /// # Errors
    /// `InvalidState` unless END.
    pub fn check(&mut self, digest: &str) -> Result<(bool, Option<Report>), ResourceError> {
        let (State::End, Some(task)) = (self.state, &self.task) else {
            return Err(self.note(ResourceError::InvalidState));
        };
        if digest.eq_ignore_ascii_case(&task.md5sum) {
            return Ok((true, None));
        }
        Ok((false, self.fail_by_itself(ResultCode::Md5Mismatch, ResourceError::FetchFailed)))
    }

    /// The report of the result, with which the task is over. `None` means the name of the task.
    ///
    /// # Errors
    /// `InvalidParam`: it has no name, or one that is not 1 to 64 bytes long. The task is over all the same.
    pub fn finish(&mut self, name: Option<&str>, is_done: bool) -> Result<Report, ResourceError> {
        let told = self.told.take();
        let known = self.task.take().map(|task| task.name).or_else(|| told.as_ref().map(|told| told.name.clone()));
        self.reset();
        let name = name.map(str::to_owned).or(known).filter(|name| is_name(name));
        let Some(name) = name else {
            return Err(self.note(ResourceError::InvalidParam));
        };
        // What the library has said itself is the true cause.
        let code = told.map_or(ResultCode::Timeout, |told| told.code);
        Ok(if is_done { Report::done(self.direction, &name) } else { Report::failed(self.direction, &name, code) })
    }

    /// Back to where it waits for a task.
    pub fn reset(&mut self) {
        *self = Side::new(self.direction);
    }
}
