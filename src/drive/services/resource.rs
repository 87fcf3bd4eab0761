//! A device's resources: ties the engine's session to a client of the cloud, a download and an upload (resource.md).
//!
//! Each way has its own locks, from the outside in: the transfer's (held while it is started, carried on or closed), the
//! session's and the checksum's (short, never held over I/O). Nothing is published under any of them, because a publish
//! may end in a user's callback.

mod download;
mod subscription;
mod upload;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use iot_engine::identity::Identity;
use iot_engine::services::ota::Checksum;
use iot_engine::services::resource::{Direction, Report, ResourceError, Session, State, Task, Topics};

use crate::drive::download::Download;
use crate::drive::error::Error;
use crate::drive::http_endpoint::{Https, StartError};
use crate::drive::mqtt::{Client, QoS};
use crate::drive::services::channel::{Channel, Terms};
use crate::drive::services::slot::Slot;
use crate::drive::upload::Upload;
use crate::hal::sync::Mutex;
use crate::hal::Platform;
use subscription::Subscription;

const TERMS: Terms = Terms { qos: QoS::AtLeastOnce, limit_ms: 2_000, asks: 1 };

const HTTPS: Https = Https { option: "FEATURE_RESOURCE_USE_HTTPS", is_on: cfg!(feature = "resource-use-https") };

/// Why a result was not reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreported {
    /// The resource has no name, or one that can't be.
    NoName,
    /// It could not be sent.
    NotSent(Error),
    /// The cloud gave no answer in time.
    NoAnswer,
    /// The service was closed meanwhile.
    Closed,
}

impl fmt::Display for Unreported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreported::NoName => f.write_str("the resource's name must have 1 to 64 characters"),
            Unreported::NotSent(error) => write!(f, "{error}"),
            Unreported::NoAnswer => f.write_str("the cloud gave no answer in time"),
            Unreported::Closed => f.write_str("the service was closed"),
        }
    }
}

/// One device's resources over one client. May be used from several threads.
pub struct Resource {
    client: Arc<Client>,
    channel: Channel<Subscription>,
    subscription: Arc<Subscription>,
    download: Slot<Download>,
    upload: Slot<Upload>,
    is_closed: AtomicBool,
}

impl Resource {
    /// Subscribes to the device's topic. Drives the client while it waits, up to 2 s, for the SUBACK.
    ///
    /// # Errors
    /// Why it can't be: a bad name, a refused or late subscription.
    pub fn new(product_id: &str, device_name: &str, client: Arc<Client>) -> Result<Self, String> {
        let device = Identity::new(product_id, device_name).map_err(|error| error.to_string())?;
        let topics = Topics::of(&device);
        let subscription = Arc::new(Subscription { session: Mutex::new(Session::default()), up: topics.up });
        let channel = Channel::open(&client, &topics.down, subscription.clone(), TERMS)
            .map_err(|why| format!("{} not subscribed: {why}", topics.down))?;
        Ok(Resource {
            client,
            channel,
            subscription,
            download: Slot::new(),
            upload: Slot::new(),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Ends everything: calls that run on other threads return soon.
    pub fn destroy(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        {
            let mut session = self.session().lock();
            self.download.end(&mut session);
            self.upload.end(&mut session);
        }
        self.channel.close();
        self.download.close(|is_running| self.tell_running(is_running));
        self.upload.close(|is_running| self.tell_running(is_running));
    }

    fn session(&self) -> &Mutex<Session> {
        &self.subscription.session
    }

    fn platform(&self) -> &Arc<dyn Platform> {
        self.client.platform()
    }

    /// Calls that drive the client wait for nothing while a transfer runs.
    fn tell_running(&self, is_running: bool) {
        self.client.set_transfer_running(is_running);
    }

    fn checksum(&self, direction: Direction) -> &Mutex<Checksum> {
        match direction {
            Direction::Download => &self.download.checksum,
            Direction::Upload => &self.upload.checksum,
        }
    }

    /// Asks for a download task. Returns the packet id.
    ///
    /// # Errors
    /// It could not be sent.
    pub fn ask_download(&self) -> Result<u16, Error> {
        let question = self.session().lock().ask_download();
        self.ask(Direction::Download, question)
    }

    /// Asks for leave to upload. Returns the packet id.
    ///
    /// # Errors
    /// `InvalidParam`, or it could not be sent.
    pub fn ask_upload(&self, name: &str, size: i32, md5sum: &str) -> Result<u16, Error> {
        let question = self.session().lock().ask_upload(name, size, md5sum).map_err(Error::Resource)?;
        self.ask(Direction::Upload, &question)
    }

    fn ask(&self, direction: Direction, question: &str) -> Result<u16, Error> {
        self.client.publish(&self.subscription.up, QoS::AtLeastOnce, question.as_bytes()).inspect_err(|_| {
            self.note(direction, ResourceError::NotPublished);
        })
    }

    /// Whether there is a task to begin or to go on with. An error that the cloud answered is forgotten.
    pub fn is_started(&self, direction: Direction) -> bool {
        self.session().lock().side(direction).is_started()
    }

    /// Whether all is transferred, or the transfer failed for good.
    pub fn is_finished(&self, direction: Direction) -> bool {
        self.session().lock().side(direction).state() == State::End
    }

    /// The task, from the moment it came.
    ///
    /// # Errors
    /// `InvalidState` before.
    pub fn task(&self, direction: Direction) -> Result<Task, ResourceError> {
        self.session().lock().side(direction).task().cloned()
    }

    /// Bytes transferred.
    pub fn count(&self, direction: Direction) -> u32 {
        self.session().lock().side(direction).count()
    }

    /// Starts the MD5 over.
    pub fn reset_md5(&self, direction: Direction) {
        self.checksum(direction).lock().reset();
    }

    /// Adds bytes to the MD5.
    pub fn update_md5(&self, direction: Direction, data: &[u8]) {
        self.checksum(direction).lock().update(data);
    }

    /// The MD5 of what will be uploaded, which starts over.
    pub fn take_upload_md5(&self) -> String {
        let mut checksum = self.upload.checksum.lock();
        let digest = checksum.hex();
        checksum.reset();
        digest
    }

    /// Whether what was transferred has the task's MD5. A mismatch drops the task and is reported to the cloud.
    ///
    /// # Errors
    /// `InvalidState` unless all is transferred.
    pub fn check(&self, direction: Direction) -> Result<bool, ResourceError> {
        const FUNCTION: &str = "resource_md5";
        let digest = self.checksum(direction).lock().hex();
        let (matches, report) = self.session().lock().side(direction).check(&digest)?;
        log::info!(target: FUNCTION, "MD5 of the {}: {digest}", direction.word());
        if let Some(report) = report {
            log::error!(target: FUNCTION, "that is not the announced one");
            let _ = self.subscription.publish(&self.client, &report);
        }
        Ok(matches)
    }

    /// Last error.
    pub fn last_error(&self, direction: Direction) -> ResourceError {
        self.session().lock().side(direction).last_error()
    }

    /// Notes a caller's mistake as the last error and returns it.
    pub fn note(&self, direction: Direction, error: ResourceError) -> ResourceError {
        self.session().lock().side(direction).note(error)
    }

    /// Whether a transfer may go on: the epoch that it belongs to.
    fn may_go_on<T>(&self, function: &str, direction: Direction, slot: &Slot<T>) -> Result<u32, ResourceError> {
        let mut session = self.session().lock();
        session.side(direction).may_go_on().map_err(|(error, why)| {
            log::error!(target: function, "{why}");
            error
        })?;
        Ok(slot.epoch())
    }

    /// Takes what became of a start, unless another call has ended the transfer meanwhile.
    fn started<T>(
        &self,
        (function, direction): (&str, Direction),
        slot: &Slot<T>,
        place: &mut Option<T>,
        (epoch, count): (u32, u32),
        started: Result<T, StartError>,
    ) -> Result<(), Error> {
        let result = {
            let mut session = self.session().lock();
            let side = session.side(direction);
            match started {
                _ if slot.epoch() != epoch => {
                    Err((Error::Resource(ResourceError::InvalidState), "it was ended meanwhile".to_owned()))
                }
                Ok(transfer) => {
                    side.started(count, self.platform().now());
                    *place = Some(transfer);
                    Ok(())
                }
                Err(error) => {
                    side.not_started(ResourceError::FetchFailed);
                    Err((Error::Start(error.fault), error.text))
                }
            }
        };
        slot.set_running(result.is_ok(), |is_running| self.tell_running(is_running));
        result.map_err(|(error, text)| {
            log::error!(target: function, "the {} does not start: {text}", direction.word());
            error
        })
    }

    /// Publishes what a transfer has to tell. A failure is logged.
    fn publish(&self, reports: &[Report]) {
        for report in reports {
            let _ = self.subscription.publish(&self.client, report);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
