//! A device's download and upload, and what a message of the cloud does to them.

use super::answers::Answers;
use super::command::{CloudMessage, Task};
use super::error::{ResourceError, ResultCode};
use super::is_name;
use super::message::{create_upload_task, Direction, Report, GET_DOWNLOAD_TASK};
use super::side::{Side, State};
use crate::helpers::hex;
use crate::http::Url;
use crate::services::fields::is_md5sum;
use crate::services::ota::Plan;
use crate::time::Millis;

/// What a message of the cloud did, for the log, and what must be published because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// There is a file to transfer.
    Task {
        /// Which way.
        direction: Direction,
        /// Its name.
        name: String,
        /// Its size in bytes.
        size: u32,
        /// Its URL without the query.
        location: String,
    },
    /// A task that can't be followed: why, and the report to publish.
    BadTask(String, Option<Report>),
    /// The cloud has no task, or gives no leave. What it says.
    Refused(Direction, String),
    /// The cloud answered a report: code and text.
    Result(Direction, i32, String),
    /// A message of another type, or one that does not count in this state.
    Ignored(String),
    /// The message can't be read: why.
    Malformed(String),
}

/// An upload that may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadPlan {
    /// Where the file goes.
    pub url: Url,
    /// Its size in bytes.
    pub size: u32,
    /// Its MD5.
    pub md5: [u8; 16],
}

/// What the program asked to upload.
#[derive(Debug, Clone)]
struct Request {
    size: u32,
    /// Sent again where the link is lost before the answer.
    payload: String,
    is_answered: bool,
}

/// A device's resources.
#[derive(Debug, Clone)]
pub struct Session {
    download: Side,
    upload: Side,
    answers: Answers,
    /// Whether the program has asked for downloads.
    wants_download: bool,
    request: Option<Request>,
}

impl Default for Session {
    fn default() -> Self {
        Session {
            download: Side::new(Direction::Download),
            upload: Side::new(Direction::Upload),
            answers: Answers::default(),
            wants_download: false,
            request: None,
        }
    }
}

impl Session {
    /// One way.
    pub fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Download => &mut self.download,
            Direction::Upload => &mut self.upload,
        }
    }

    /// The question for a download task.
    pub fn ask_download(&mut self) -> &'static str {
        self.wants_download = true;
        GET_DOWNLOAD_TASK
    }

    /// The question whether a file may be uploaded.
    ///
    /// # Errors
    /// `InvalidParam`: a name that is not 1 to 64 bytes long, no size, or an MD5 that is not 32 hex digits.
    pub fn ask_upload(&mut self, name: &str, size: i32, md5sum: &str) -> Result<String, ResourceError> {
        let size = u32::try_from(size).unwrap_or(0);
        if size == 0 || !is_name(name) || !is_md5sum(md5sum) {
            return Err(self.upload.note(ResourceError::InvalidParam));
        }
        let payload = create_upload_task(name, size, md5sum);
        self.request = Some(Request { size, payload: payload.clone(), is_answered: false });
        Ok(payload)
    }

    /// The link is up again. Where the server has forgotten us, what it answered meanwhile is lost: returns what is
    /// asked again.
    #[must_use]
    pub fn link_restored(&self, session_present: bool) -> Vec<String> {
        if session_present {
            return Vec::new();
        }
        let download = (self.wants_download && self.download.state() == State::Inited).then_some(GET_DOWNLOAD_TASK);
        let upload = self.request.as_ref().filter(|request| !request.is_answered).map(|request| &*request.payload);
        download.into_iter().chain(upload).map(str::to_owned).collect()
    }

    /// Handles a message of the cloud that came at `now`.
    pub fn receive(&mut self, payload: &[u8], now: Millis) -> Received {
        let message = match CloudMessage::parse(payload) {
            Ok(message) => message,
            Err(why) => return Received::Malformed(why),
        };
        match message {
            CloudMessage::Task(direction, task) => self.task(direction, task),
            CloudMessage::BadTask { direction, reason, name } => {
                self.asked_is_answered(direction);
                if self.side(direction).state() != State::Inited {
                    return under_way(direction);
                }
                let report = name.map(|name| Report::failed_by_itself(direction, &name, ResultCode::Timeout));
                Received::BadTask(format!("the {} task can't be followed: {reason}", direction.word()), report)
            }
            CloudMessage::Refused(direction, text) => {
                self.asked_is_answered(direction);
                let side = self.side(direction);
                if side.state() != State::Inited {
                    return under_way(direction);
                }
                side.note(ResourceError::Fail);
                Received::Refused(direction, text)
            }
            CloudMessage::Result { direction, code, text } => {
                if direction == Direction::Upload {
                    self.answers.received(code, now);
                }
                self.side(direction).answered(code);
                Received::Result(direction, code, text)
            }
            CloudMessage::UploadResult(code) => {
                self.answers.received_result(code);
                self.upload.answered(code);
                Received::Result(Direction::Upload, code, String::new())
            }
            CloudMessage::Other(kind) => Received::Ignored(format!("unknown type {kind}")),
        }
    }

    fn task(&mut self, direction: Direction, task: Task) -> Received {
        self.asked_is_answered(direction);
        if self.side(direction).state() != State::Inited {
            return under_way(direction);
        }
        if direction == Direction::Upload {
            self.answers.begin();
        }
        let (name, size, location) = (task.name.clone(), task.size, task.url.to_string());
        self.side(direction).begin(task);
        Received::Task { direction, name, size, location }
    }

    fn asked_is_answered(&mut self, direction: Direction) {
        if let (Direction::Upload, Some(request)) = (direction, &mut self.request) {
            request.is_answered = true;
        }
    }

    /// Checks whether the download may start at `offset`.
    ///
    /// # Errors
    /// `InvalidState` where no task waits for that; `InvalidParam` for an offset behind its end, which ends it.
    pub fn plan_download(&mut self, offset: u32) -> Result<Plan, ResourceError> {
        let task = self.download.startable()?;
        if offset > task.size {
            return Err(self.download.not_started(ResourceError::InvalidParam));
        }
        Ok(Plan { url: task.url.clone(), offset, end: task.size, file_size: task.size })
    }

    /// Checks whether the upload may start.
    ///
    /// # Errors
    /// `InvalidState` where no task waits for that; `InvalidParam` where the cloud expects another file than the
    /// program asked for, which ends it.
    pub fn plan_upload(&mut self) -> Result<UploadPlan, ResourceError> {
        let asked = self.request.as_ref().map(|request| request.size);
        let task = self.upload.startable()?;
        let is_other = asked.is_some_and(|size| size != task.size);
        match hex::bytes(task.md5sum.as_bytes()).filter(|_| !is_other) {
            Some(md5) => Ok(UploadPlan { url: task.url.clone(), size: task.size, md5 }),
            None => Err(self.upload.not_started(ResourceError::InvalidParam)),
        }
    }

    /// `count` more bytes were uploaded. Returns what is to be published.
    pub fn uploaded(&mut self, count: u32, now: Millis) -> Vec<Report> {
        let reports = self.upload.moved(count, now);
        reports.iter().for_each(|_| self.answers.reported());
        reports
    }

    /// The final report of an upload goes out: its answer is waited for.
    pub fn await_answer(&mut self) {
        self.answers.await_last();
    }

    /// The cloud's answer to the final report of the upload, as far as it can be told at `now`.
    #[must_use]
    pub fn final_answer(&self, now: Millis) -> Option<i32> {
        self.answers.last(now)
    }

    /// The upload's result is reported: nobody waits for an answer any more.
    pub fn end_wait(&mut self) {
        self.answers.end();
        self.request = self.request.take().filter(|request| !request.is_answered);
    }
}

fn under_way(direction: Direction) -> Received {
    let word = direction.word();
    Received::Ignored(format!("task for the {word}, while another one is under way"))
}

#[cfg(test)]
mod tests;
