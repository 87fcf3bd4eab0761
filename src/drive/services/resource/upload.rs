//! The upload of a resource.

use std::sync::atomic::Ordering;

use iot_engine::services::resource::{Direction, ResourceError, State};

use super::{Resource, Unreported, HTTPS};
use crate::drive::error::Error;
use crate::drive::services::channel::drive_until;
use crate::drive::upload::{Sent, Upload};
use crate::hal::sync::Guard;

const START: &str = "IOT_Resource_StartUpload";
const SEND: &str = "IOT_Resource_UploadYield";
const WAY: Direction = Direction::Upload;
/// How long the cloud may take to answer the final report.
const ANSWER_MS: u64 = 5_000;

impl Resource {
    /// `IOT_Resource_StartUpload`: connects and sends the head of the request.
    ///
    /// # Errors
    /// `InvalidState`, `InvalidParam`, or why the upload could not be started.
    pub fn start_upload(&self) -> Result<(), Error> {
        let mut place = self.upload.transfer.lock();
        let (plan, epoch) = {
            let mut session = self.session().lock();
            let plan = session.plan_upload().map_err(|error| {
                let why = match error {
                    ResourceError::InvalidParam => "the cloud expects a file of another size than was asked for",
                    _ => "the cloud has not given leave to upload",
                };
                log::error!(target: START, "{why}");
                Error::Resource(error)
            })?;
            (plan, self.upload.epoch())
        };
        *place = None;
        self.upload.checksum.lock().reset();
        log::info!(target: START, "sending {} bytes to {}", plan.size, plan.url);
        let started = Upload::start(self.platform().clone(), &plan, HTTPS);
        self.started((START, WAY), &self.upload, &mut place, (epoch, 0), started)
    }

    /// `IOT_Resource_UploadYield`: sends `piece`, all of it, for at most `limit_ms` where nothing of it goes. After the
    /// last one it waits for the server's answer. 0: nothing was sent, or the server has the file.
    ///
    /// # Errors
    /// `InvalidState`, or the error that ended it.
    pub fn send(&self, piece: &[u8], limit_ms: u64) -> Result<usize, ResourceError> {
        self.client.note_fetch();
        let mut place = self.upload.transfer.lock();
        let epoch = self.may_go_on(SEND, WAY, &self.upload)?;
        let Some(upload) = place.as_mut() else {
            log::error!(target: SEND, "no upload was started");
            return Err(self.note(WAY, ResourceError::InvalidState));
        };
        let must_stop = || self.upload.epoch() != epoch || self.platform().is_leaving();
        let sent = upload.send(piece, limit_ms, &must_stop);
        let Sent::Piece(count) = sent else {
            return self.ended(sent, epoch, place);
        };
        self.upload.checksum.lock().update(piece.get(..count).unwrap_or_default());
        let (reports, is_complete) = {
            let mut session = self.session().lock();
            if self.upload.epoch() != epoch {
                return Err(ResourceError::InvalidState);
            }
            let reports = session.uploaded(u32::try_from(count).unwrap_or(u32::MAX), self.platform().now());
            (reports, session.side(WAY).state() == State::End)
        };
        drop(place);
        self.publish(&reports);
        if !is_complete {
            return Ok(piece.len());
        }
        let mut place = self.upload.transfer.lock();
        let answered = place.as_mut().map_or(Sent::Stopped, |upload| upload.answer(&must_stop));
        self.ended(answered, epoch, place)
    }

    /// What is left of an upload that does not go on now: 0, or its error.
    fn ended(&self, sent: Sent, epoch: u32, mut place: Guard<'_, Option<Upload>>) -> Result<usize, ResourceError> {
        let mut report = None;
        let result = {
            let mut session = self.session().lock();
            match sent {
                _ if self.upload.epoch() != epoch => Err(ResourceError::InvalidState),
                Sent::Stopped => Err(ResourceError::InvalidState),
                Sent::Piece(_) | Sent::Nothing => return Ok(0),
                Sent::Finished => Ok(0),
                Sent::Failed(failure) => {
                    log::error!(target: SEND, "the upload failed: {failure}");
                    let (error, to_publish) = session.side(WAY).failed(&failure);
                    report = to_publish;
                    Err(error)
                }
            }
        };
        *place = None;
        self.upload.set_running(false, |is_running| self.tell_running(is_running));
        drop(place);
        self.publish(report.as_slice());
        result
    }

    /// What the server has answered to the file: nothing, or the error of the upload.
    ///
    /// # Errors
    /// `InvalidState` where no upload has ended; the error that ended it.
    pub fn upload_answer(&self) -> Result<(), ResourceError> {
        let mut session = self.session().lock();
        let side = session.side(WAY);
        match (side.state(), side.last_error()) {
            (State::End, ResourceError::None) => Ok(()),
            (
                State::End | State::Inited,
                error @ (ResourceError::FetchFailed
                | ResourceError::FetchNotExist
                | ResourceError::FetchAuthFail
                | ResourceError::FetchTimeout),
            ) => Err(error),
            _ => Err(ResourceError::InvalidState),
        }
    }

    /// `IOT_Resource_ReportUploadSuccess` and `Fail`; `None` means the task's name. Waits up to 5 s for the cloud's answer,
    /// and returns its code.
    ///
    /// # Errors
    /// Why there is none. The task is over all the same.
    pub fn report_upload(&self, name: Option<&str>, is_done: bool) -> Result<i32, Unreported> {
        let report = {
            let mut session = self.session().lock();
            let report = session.side(WAY).finish(name, is_done);
            self.upload.end(&mut session);
            session.await_answer();
            report
        };
        self.upload.close(|is_running| self.tell_running(is_running));
        let answer = report
            .map_err(|_| Unreported::NoName)
            .and_then(|report| self.subscription.publish(&self.client, &report).map_err(Unreported::NotSent))
            .and_then(|_| self.final_answer());
        self.session().lock().end_wait();
        answer
    }

    fn final_answer(&self) -> Result<i32, Unreported> {
        let now = || self.platform().now();
        let look = || {
            if self.is_closed.load(Ordering::Relaxed) {
                return Some(Err(Unreported::Closed));
            }
            self.session().lock().final_answer(now()).map(Ok)
        };
        drive_until(&self.client, now() + ANSWER_MS, look).unwrap_or(Err(Unreported::NoAnswer))
    }
}
