//! Pumps an upload: bytes between a [`Transport`] and the engine's [`Machine`], with a time limit per call.

use std::sync::Arc;

use iot_engine::http::reply::Need;
use iot_engine::services::ota::Failure;
use iot_engine::services::resource::UploadPlan;
use iot_engine::time::Millis;
use iot_engine::upload::{Step, Upload as Machine};

use super::error::StartFault;
use super::http_endpoint::{endpoint, Https, StartError};
use super::http_exchange::{read_reply, wait_a_little};
use crate::hal::{Platform, Transport, SHORT_MS};

/// Longest wait in one read or write, so that a thread notices what another one changed.
const SLICE_MS: u64 = 500;
/// Time limit for sending the head in [`Upload::start`].
const SEND_MS: u64 = 10_000;

/// What one call brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// So many bytes of the piece are sent: all that are of the file.
    Piece(usize),
    /// Nothing in this time.
    Nothing,
    /// The server has the file.
    Finished,
    /// The upload failed for good.
    Failed(Failure),
    /// The caller asked to stop.
    Stopped,
}

/// An upload and its connection.
pub struct Upload {
    platform: Arc<dyn Platform>,
    transport: Arc<dyn Transport>,
    machine: Machine,
}

impl Upload {
    /// Connects and sends the head.
    ///
    /// # Errors
    /// Why it was not sent.
    pub fn start(platform: Arc<dyn Platform>, plan: &UploadPlan, https: Https) -> Result<Self, StartError> {
        let endpoint = endpoint(&plan.url, https)?;
        let unusable = |text: String| StartError { fault: StartFault::Unusable, text };
        let transport = platform.connect(&endpoint).map_err(|error| {
            let text = error.text_for(&endpoint.host, endpoint.port);
            StartError { fault: StartFault::Unreachable(error), text }
        })?;
        let now = platform.now();
        let machine = Machine::new(plan.url.clone(), &plan.md5, plan.size, now)
            .ok_or_else(|| unusable("no memory for the request".to_owned()))?;
        let mut upload = Upload { platform, transport, machine };
        match upload.send(&[], SEND_MS, &|| false) {
            Sent::Piece(_) => Ok(upload),
            Sent::Failed(failure) => Err(unusable(failure.text)),
            Sent::Nothing | Sent::Finished | Sent::Stopped => {
                Err(unusable("the request could not be sent in time".to_owned()))
            }
        }
    }

    /// Sends `piece`. For at most `limit_ms` where nothing of it goes; where some has gone, until all has or the machine
    /// gives up. Looks at `stop` now and then.
    pub fn send(&mut self, piece: &[u8], limit_ms: u64, stop: &dyn Fn() -> bool) -> Sent {
        let deadline = self.platform.now() + limit_ms;
        self.machine.begin_piece(piece.len());
        let mut has_tried = false;
        loop {
            if stop() {
                return Sent::Stopped;
            }
            let now = self.platform.now();
            let step = self.machine.next(now);
            let is_whole = self.machine.is_piece_whole();
            let left = if is_whole { now.until(deadline) } else { SLICE_MS };
            match step {
                Step::Done => return Sent::Finished,
                Step::Failed(failure) => return Sent::Failed(failure),
                Step::Sent | Step::Answer(..) => return Sent::Piece(self.machine.piece()),
                Step::Look => self.read(Need::Unknown, now, SHORT_MS),
                // A call without time may still do one thing that does not wait.
                Step::Head | Step::Piece(..) if left == 0 && has_tried => return Sent::Nothing,
                Step::Head => {
                    let head = self.machine.head().to_vec();
                    self.write(&head, now, left);
                    has_tried = true;
                }
                Step::Piece(from, to) => {
                    self.write(piece.get(from..to).unwrap_or_default(), now, left);
                    has_tried = true;
                }
            }
        }
    }

    /// Waits for the server's answer once all is sent. Looks at `stop` now and then.
    pub fn answer(&mut self, stop: &dyn Fn() -> bool) -> Sent {
        loop {
            if stop() {
                return Sent::Stopped;
            }
            let now = self.platform.now();
            match self.machine.next(now) {
                Step::Done => return Sent::Finished,
                Step::Failed(failure) => return Sent::Failed(failure),
                Step::Answer(need, by) => self.read(need, now, wait(now.until(by))),
                Step::Look => self.read(Need::Unknown, now, SHORT_MS),
                Step::Head | Step::Piece(..) | Step::Sent => return Sent::Nothing,
            }
        }
    }

    fn write(&mut self, bytes: &[u8], before: Millis, left_ms: u64) {
        match self.transport.write(bytes, wait(left_ms)) {
            Ok(0) => {
                wait_a_little(&*self.platform, before);
                self.machine.nothing(self.platform.now().since(before));
            }
            Ok(count) => self.machine.wrote(count),
            Err(error) => self.machine.write_failed(&error.to_string()),
        }
    }

    fn read(&mut self, need: Need, before: Millis, limit: u32) {
        match read_reply(&*self.transport, self.machine.reply(), need, limit) {
            Ok(count) => {
                if count == 0 {
                    wait_a_little(&*self.platform, before);
                }
                let waited = self.platform.now().since(before);
                self.machine.looked(count, waited);
            }
            Err(error) => self.machine.read_failed(&error.to_string()),
        }
    }
}

/// The limit of one read or write. Never 0: some platforms then do not look at all.
fn wait(left_ms: u64) -> u32 {
    u32::try_from(left_ms.clamp(1, SLICE_MS)).unwrap_or(1)
}

#[cfg(test)]
mod tests;
