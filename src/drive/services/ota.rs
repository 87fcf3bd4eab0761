//! The OTA object: ties the engine's session to an MQTT client and a download.
//!
//! Locks, from the outside in: the transfer lock (held while a download is started, fetched from or closed), the
//! session lock and the checksum lock (short, never held over I/O). Nothing is published under any of them, because a
//! publish may end in a user's callback.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use iot_engine::services::ota::{Checksum, Delivery, OtaError, Received, Report, Session, State, Topics};

use crate::drive::download::{Download, Fetched};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, Driven, QoS, Subscriber, SubscriptionEvent};
use crate::hal::sync::Mutex;
use crate::hal::Platform;

/// How long [`Ota::new`] waits for the SUBACK.
const SUBSCRIBE_MS: u64 = 2000;
/// How long to drive the client at most before looking whether the SUBACK is in.
const STEP_MS: u32 = 20;

/// What an upgrade needs of an MQTT client.
trait Link: Send + Sync {
    fn publish(&self, topic: &str, delivery: Delivery, payload: &[u8]) -> Result<u16, Error>;
    fn subscribe(&self, filter: &str, inbox: Arc<Inbox>) -> Result<u16, Error>;
    fn unsubscribe(&self, filter: &str) -> Result<u16, Error>;
    fn is_subscribed(&self, filter: &str) -> bool;
    fn drive(&self, ms: u32) -> Result<Driven, Error>;
    fn set_download_running(&self, running: bool);
    /// The calling thread fetches firmware.
    fn note_fetch(&self) {}
}

impl Link for Arc<Client> {
    fn publish(&self, topic: &str, delivery: Delivery, payload: &[u8]) -> Result<u16, Error> {
        match delivery {
            Delivery::AtMostOnce => self.publish_in_passing(topic, payload),
            Delivery::AtLeastOnce => Client::publish(self, topic, QoS::AtLeastOnce, payload),
            Delivery::Kept => self.publish_kept(topic, payload),
        }
    }

    fn subscribe(&self, filter: &str, inbox: Arc<Inbox>) -> Result<u16, Error> {
        Client::subscribe(self, filter, QoS::AtLeastOnce, inbox)
    }

    fn unsubscribe(&self, filter: &str) -> Result<u16, Error> {
        Client::unsubscribe(self, filter)
    }

    fn is_subscribed(&self, filter: &str) -> bool {
        Client::is_subscribed(self, filter)
    }

    fn drive(&self, ms: u32) -> Result<Driven, Error> {
        self.yield_for(ms)
    }

    fn set_download_running(&self, running: bool) {
        Client::set_download_running(self, running);
    }

    fn note_fetch(&self) {
        Client::note_fetch(self);
    }
}

/// What the client holds of an upgrade: where messages go. It does not hold the client, so no circle keeps both alive.
struct Inbox {
    session: Mutex<Session>,
    report_topic: String,
    /// The server refused the subscription, or did not answer.
    refused: AtomicBool,
    /// Messages that arrive later are not for us.
    closed: AtomicBool,
}

impl Inbox {
    fn message(&self, link: &dyn Link, payload: &[u8]) {
        const FUNCTION: &str = "ota_message";
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let received = self.session.lock().receive(payload);
        match received {
            Received::VersionAccepted => log::info!(target: FUNCTION, "the cloud knows our version"),
            Received::VersionRefused(code, text) => {
                log::error!(target: FUNCTION, "the cloud refused the version report: result_code {code}, {text}");
            }
            Received::Update { version, file_size, location } => {
                log::info!(target: FUNCTION, "update to version {version}, {file_size} bytes, from {location}");
            }
            Received::BadUpdate(reason, report) => {
                log::error!(target: FUNCTION, "the update command can't be followed: {reason}");
                let _ = self.publish(link, &report);
            }
            Received::Ignored(what) => log::info!(target: FUNCTION, "message ignored: {what}"),
            Received::Malformed(why) => log::error!(target: FUNCTION, "message of {} bytes: {why}", payload.len()),
        }
    }

    /// Publishes on the report topic. A failure is logged.
    fn publish(&self, link: &dyn Link, report: &Report) -> Result<u16, Error> {
        let result = link.publish(&self.report_topic, report.delivery, report.payload.as_bytes());
        if let Err(error) = &result {
            log::warn!(target: "ota_report", "not published ({error}): {}", report.payload);
        }
        result
    }
}

impl Subscriber for Inbox {
    fn message(&self, client: &Arc<Client>, _topic: &str, payload: &[u8]) {
        Inbox::message(self, client, payload);
    }

    fn event(&self, _client: &Arc<Client>, event: SubscriptionEvent) {
        if event == SubscriptionEvent::ClientDestroyed && !self.closed.load(Ordering::Relaxed) {
            log::info!(target: "ota_event", "mqtt client has been destroyed");
        }
        match event {
            SubscriptionEvent::Granted => {}
            SubscriptionEvent::Refused
            | SubscriptionEvent::TimedOut
            | SubscriptionEvent::Removed
            | SubscriptionEvent::ClientDestroyed => self.refused.store(true, Ordering::Relaxed),
        }
    }
}

/// One device's upgrades over one MQTT client. May be used from several threads.
pub struct Ota {
    link: Box<dyn Link>,
    platform: Arc<dyn Platform>,
    update_topic: String,
    inbox: Arc<Inbox>,
    checksum: Mutex<Checksum>,
    transfer: Mutex<Option<Download>>,
    /// Counts what ends a download from outside. Changed under the session lock.
    epoch: AtomicU32,
    /// Whether the client has been told of a running download.
    running: AtomicBool,
}

impl Ota {
    /// Subscribes to the device's update topic. Drives the client while it waits, up to 2 s, for the SUBACK.
    ///
    /// # Errors
    /// Why it can't be: a bad name, a refused or late subscription.
    pub fn new(product_id: &str, device_name: &str, client: Arc<Client>) -> Result<Self, String> {
        let platform = client.platform().clone();
        Self::over(product_id, device_name, Box::new(client), platform)
    }

    fn over(
        product_id: &str,
        device_name: &str,
        link: Box<dyn Link>,
        platform: Arc<dyn Platform>,
    ) -> Result<Self, String> {
        let topics = Topics::new(product_id, device_name)?;
        let inbox = Arc::new(Inbox {
            session: Mutex::new(Session::default()),
            report_topic: topics.report,
            refused: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let ota = Ota {
            link,
            platform,
            update_topic: topics.update,
            inbox,
            checksum: Mutex::new(Checksum::default()),
            transfer: Mutex::new(None),
            epoch: AtomicU32::new(0),
            running: AtomicBool::new(false),
        };
        ota.subscribe()?;
        Ok(ota)
    }

    fn subscribe(&self) -> Result<(), String> {
        let topic = &self.update_topic;
        self.link.subscribe(topic, self.inbox.clone()).map_err(|error| format!("{topic} not subscribed: {error}"))?;
        let deadline = self.platform.now() + SUBSCRIBE_MS;
        while !self.link.is_subscribed(topic) {
            let before = self.platform.now();
            let refused = self.inbox.refused.load(Ordering::Relaxed);
            if refused || before >= deadline {
                self.inbox.closed.store(true, Ordering::Relaxed);
                // It may be gone already.
                let _ = self.link.unsubscribe(topic);
                let why = if refused { "the server refused it" } else { "no answer within 2 s" };
                return Err(format!("{topic} not subscribed: {why}"));
            }
            // Whether the link is up shows in what becomes of the subscription.
            let _ = self.link.drive(STEP_MS);
            if self.platform.now() <= before {
                // While another download runs, or when down, the client returns at once.
                self.platform.sleep(1);
            }
        }
        Ok(())
    }

    /// Ends everything: a fetch that runs on another thread returns soon.
    pub fn destroy(&self) {
        self.inbox.closed.store(true, Ordering::Relaxed);
        self.end_downloads(&mut self.inbox.session.lock());
        if let Err(error) = self.link.unsubscribe(&self.update_topic) {
            // The client may have been destroyed or may have lost its connection.
            log::debug!(target: "IOT_OTA_Destroy", "{} not unsubscribed: {error}", self.update_topic);
        }
        self.close_transfer();
    }

    /// `IOT_OTA_ReportVersion`. Returns the packet id.
    ///
    /// # Errors
    /// [`Error::BadVersion`] for a version that is not 1 to 32 bytes long; the client's error when it can't publish.
    pub fn report_version(&self, version: &str) -> Result<u16, Error> {
        let report = {
            let mut session = self.inbox.session.lock();
            let report = session.report_version(version).map_err(refusal)?;
            self.end_downloads(&mut session);
            report
        };
        self.close_transfer();
        self.publish(&report)
    }

    /// `IOT_OTA_ReportUpgradeBegin`. Returns the packet id.
    ///
    /// # Errors
    /// As [`Ota::report_version`]; `OtaError::InvalidState` without an update command.
    pub fn report_upgrade_begin(&self) -> Result<u16, Error> {
        let report = self.inbox.session.lock().upgrade_begin(None).map_err(refusal)?;
        self.publish(&report)
    }

    /// `IOT_OTA_ReportUpgradeSuccess`; `None` means the version of the update command. Returns the packet id.
    ///
    /// # Errors
    /// As [`Ota::report_upgrade_begin`].
    pub fn report_upgrade_success(&self, version: Option<&str>) -> Result<u16, Error> {
        self.end_upgrade(|session| session.upgrade_done(version))
    }

    /// `IOT_OTA_ReportUpgradeFail`; `None` means the version of the update command. Returns the packet id.
    ///
    /// # Errors
    /// As [`Ota::report_upgrade_begin`].
    pub fn report_upgrade_fail(&self, version: Option<&str>) -> Result<u16, Error> {
        self.end_upgrade(|session| session.upgrade_failed(version))
    }

    fn end_upgrade(&self, end: impl FnOnce(&mut Session) -> Result<Report, OtaError>) -> Result<u16, Error> {
        let report = {
            let mut session = self.inbox.session.lock();
            let report = end(&mut session).map_err(refusal)?;
            self.end_downloads(&mut session);
            report
        };
        self.close_transfer();
        self.publish(&report)
    }

    /// Publishes what the caller asked for: a failure is its business.
    fn publish(&self, report: &Report) -> Result<u16, Error> {
        self.inbox.publish(&*self.link, report).inspect_err(|_| {
            self.inbox.session.lock().note(OtaError::SignalChannel);
        })
    }

    /// Whether the state is FETCHING.
    pub fn is_fetching(&self) -> bool {
        self.inbox.session.lock().state() == State::Fetching
    }

    /// Whether the state is FETCHED.
    pub fn is_fetch_finished(&self) -> bool {
        self.inbox.session.lock().state() == State::Fetched
    }

    /// `IOT_OTA_StartDownload`: connects and sends the request for bytes `offset..size`.
    ///
    /// # Errors
    /// `OtaError::InvalidState`, `OtaError::InvalidParam`, or why the download could not be started.
    pub fn start_download(&self, offset: u32, size: u32) -> Result<(), Error> {
        const FUNCTION: &str = "IOT_OTA_StartDownload";
        let mut slot = self.transfer.lock();
        let (plan, epoch) = {
            let mut session = self.inbox.session.lock();
            let plan = session.plan_download(offset, size).map_err(|error| {
                log::error!(target: FUNCTION, "bytes {offset} to {size}: {}", why(error));
                Error::Ota(error)
            })?;
            (plan, self.epoch.load(Ordering::Relaxed))
        };
        *slot = None;
        if offset == 0 {
            self.checksum.lock().reset();
        }
        log::info!(target: FUNCTION, "fetching {} from byte {offset}", plan.url);
        let started = Download::start(self.platform.clone(), plan.clone());
        let result = {
            let mut session = self.inbox.session.lock();
            if self.epoch.load(Ordering::Relaxed) == epoch {
                match started {
                    Ok(download) => {
                        session.download_started(&plan);
                        *slot = Some(download);
                        Ok(())
                    }
                    Err(error) => {
                        session.download_refused(&error.text);
                        Err((Error::Start(error.fault), error.text))
                    }
                }
            } else {
                Err((Error::Ota(OtaError::InvalidState), "the upgrade was ended meanwhile".to_owned()))
            }
        };
        self.set_running(result.is_ok());
        drop(slot);
        result.map_err(|(error, text)| {
            log::error!(target: FUNCTION, "{}: {text}", plan.url);
            error
        })
    }

    /// `IOT_OTA_FetchYield`: fetches into `buf` for at most `limit_ms`. 0: nothing came.
    ///
    /// # Errors
    /// `OtaError::InvalidState` unless a download was started; the error that ended the download.
    pub fn fetch(&self, buf: &mut [u8], limit_ms: u64) -> Result<usize, Error> {
        const FUNCTION: &str = "IOT_OTA_FetchYield";
        self.link.note_fetch();
        let mut slot = self.transfer.lock();
        let epoch = {
            let mut session = self.inbox.session.lock();
            session.may_fetch().map_err(|error| {
                log::error!(target: FUNCTION, "{}", why(error));
                Error::Ota(error)
            })?;
            self.epoch.load(Ordering::Relaxed)
        };
        let Some(download) = slot.as_mut() else {
            log::error!(target: FUNCTION, "no download was started");
            return Err(Error::Ota(self.note(OtaError::InvalidState)));
        };
        let ended = || self.epoch.load(Ordering::Relaxed) != epoch;
        let fetched = download.fetch(buf, limit_ms, &ended);
        let mut reports = Vec::new();
        let mut over = false;
        let result = {
            let mut session = self.inbox.session.lock();
            match fetched {
                _ if ended() => Err(OtaError::InvalidState),
                Fetched::Stopped => Err(OtaError::InvalidState),
                Fetched::Nothing => Ok(0),
                Fetched::Bytes(count) => {
                    reports = session.fetched(u32::try_from(count).unwrap_or(u32::MAX), self.platform.now());
                    over = session.state() != State::Fetching;
                    Ok(count)
                }
                Fetched::Finished => {
                    reports = session.fetched(0, self.platform.now());
                    over = true;
                    Ok(0)
                }
                Fetched::Failed(failure) => {
                    log::error!(target: FUNCTION, "the download failed: {failure}");
                    reports.extend(session.fetch_failed(&failure));
                    over = true;
                    Err(failure.error)
                }
            }
        };
        if let Ok(count @ 1..) = result {
            self.checksum.lock().update(buf.get(..count).unwrap_or_default());
        }
        if over {
            *slot = None;
            self.set_running(false);
        }
        drop(slot);
        for report in &reports {
            let _ = self.inbox.publish(&*self.link, report);
        }
        result.map_err(Error::Ota)
    }

    /// Starts the MD5 over.
    pub fn reset_md5(&self) {
        self.checksum.lock().reset();
    }

    /// Adds bytes that are on flash already to the MD5.
    pub fn update_md5(&self, data: &[u8]) {
        self.checksum.lock().update(data);
    }

    /// Bytes fetched so far, those before the offset included.
    ///
    /// # Errors
    /// `InvalidState` before an update command.
    pub fn fetched_size(&self) -> Result<u32, OtaError> {
        self.inbox.session.lock().fetched_size()
    }

    /// Size of the firmware in bytes.
    ///
    /// # Errors
    /// As [`Ota::fetched_size`].
    pub fn file_size(&self) -> Result<u32, OtaError> {
        self.inbox.session.lock().command().map(|command| command.file_size)
    }

    /// Announced version.
    ///
    /// # Errors
    /// As [`Ota::fetched_size`].
    pub fn version(&self) -> Result<String, OtaError> {
        self.inbox.session.lock().command().map(|command| command.version.clone())
    }

    /// Announced MD5, hex digits as received.
    ///
    /// # Errors
    /// As [`Ota::fetched_size`].
    pub fn md5sum(&self) -> Result<String, OtaError> {
        self.inbox.session.lock().command().map(|command| command.md5sum.clone())
    }

    /// Whether what was fetched has the announced MD5. A mismatch is reported to the cloud, once.
    ///
    /// # Errors
    /// `InvalidState` unless FETCHED.
    pub fn check_firmware(&self) -> Result<bool, OtaError> {
        let digest = self.checksum.lock().hex();
        let (matches, report) = self.inbox.session.lock().check_firmware(&digest)?;
        if let Some(report) = report {
            log::error!(target: "IOT_OTA_Ioctl", "the firmware's MD5 is {digest}, not the announced one");
            let _ = self.inbox.publish(&*self.link, &report);
        }
        Ok(matches)
    }

    /// Last error.
    pub fn last_error(&self) -> OtaError {
        self.inbox.session.lock().last_error()
    }

    /// Notes a caller's mistake as the last error and returns it.
    pub fn note(&self, error: OtaError) -> OtaError {
        self.inbox.session.lock().note(error)
    }

    /// Tells a running download that it is over. The session is the witness that its lock is held.
    fn end_downloads(&self, _session: &mut Session) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the connection, after a fetch that is running has noticed.
    fn close_transfer(&self) {
        let mut slot = self.transfer.lock();
        *slot = None;
        self.set_running(false);
    }

    /// Tells the client, once for each change. Called under the transfer lock.
    fn set_running(&self, running: bool) {
        if self.running.swap(running, Ordering::Relaxed) != running {
            self.link.set_download_running(running);
        }
    }
}

/// Why a report is refused: the only parameter of a report is its version.
fn refusal(error: OtaError) -> Error {
    match error {
        OtaError::InvalidParam => Error::BadVersion,
        other => Error::Ota(other),
    }
}

fn why(error: OtaError) -> &'static str {
    match error {
        OtaError::InvalidState => "no update command is being followed",
        OtaError::InvalidParam => "the range is empty or beyond the firmware",
        _ => "refused",
    }
}

#[cfg(test)]
pub(crate) mod tests;
