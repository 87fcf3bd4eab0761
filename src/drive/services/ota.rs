//! The OTA object: ties the engine's session to a client of the cloud and a download.
//!
//! Locks, from the outside in: the download lock (held while a download is started, fetched from or closed), the
//! session lock and the checksum lock (short, never held over I/O). Nothing is published under any of them, because a
//! publish may end in a user's callback.

#[cfg(feature = "coap")]
mod over_coap;
mod over_mqtt;
mod signal;
mod upgrade;

use std::sync::Arc;

use iot_engine::identity::Identity;
#[cfg(feature = "upgrade")]
use iot_engine::services::ota::FailureCode;
use iot_engine::services::ota::{OtaError, Report, Session, State, Topics};

#[cfg(feature = "coap")]
use crate::drive::coap;
use crate::drive::download::{Caller, Download, Fetched};
use crate::drive::error::Error;
use crate::drive::http_endpoint::Https;
use crate::drive::mqtt;
use crate::drive::services::slot::Slot;
use crate::hal::Platform;
#[cfg(feature = "coap")]
use over_coap::CoapSignal;
use over_mqtt::MqttSignal;
use signal::Signal;
use upgrade::Upgrade;

const CALLER: Caller = Caller {
    start: "IOT_OTA_StartDownload",
    fetch: "IOT_OTA_FetchYield",
    https: Https { option: "FEATURE_OTA_USE_HTTPS", is_on: cfg!(feature = "ota-use-https") },
};

/// One device's upgrades over one client. May be used from several threads.
pub struct Ota {
    signal: Box<dyn Signal>,
    upgrade: Arc<Upgrade>,
    download: Slot<Download>,
}

impl Ota {
    /// Subscribes to the device's update topic. Drives the client while it waits, up to 2 s, for the SUBACK.
    ///
    /// # Errors
    /// Why it can't be: a bad name, a refused or late subscription.
    pub fn new(product_id: &str, device_name: &str, client: Arc<mqtt::Client>) -> Result<Self, String> {
        Self::over_mqtt(product_id, device_name, client, Session::default())
    }

    /// As [`Ota::new`], but how an upgrade ended is told by [`report_upgrade_success`](Self::report_upgrade_success) and
    /// [`report_end`](Self::report_end) only.
    ///
    /// # Errors
    /// As [`Ota::new`].
    #[cfg(feature = "upgrade")]
    pub fn telling_once(product_id: &str, device_name: &str, client: Arc<mqtt::Client>) -> Result<Self, String> {
        Self::over_mqtt(product_id, device_name, client, Session::telling_once())
    }

    fn over_mqtt(
        product_id: &str,
        device_name: &str,
        client: Arc<mqtt::Client>,
        session: Session,
    ) -> Result<Self, String> {
        let topics = topics(product_id, device_name)?;
        let upgrade = Upgrade::new(session, false);
        let signal = MqttSignal::open(client, topics, upgrade.clone())?;
        Ok(Self::over(Box::new(signal), upgrade))
    }

    /// Upgrades whose commands are answers to version reports over CoAP. Sends nothing.
    ///
    /// # Errors
    /// A bad name.
    #[cfg(feature = "coap")]
    pub fn over_coap(product_id: &str, device_name: &str, client: Arc<coap::Client>) -> Result<Self, String> {
        let topics = topics(product_id, device_name)?;
        let upgrade = Upgrade::new(Session::default(), true);
        let signal = CoapSignal::new(client, topics.report, &upgrade);
        Ok(Self::over(Box::new(signal), upgrade))
    }

    fn over(signal: Box<dyn Signal>, upgrade: Arc<Upgrade>) -> Self {
        Ota { signal, upgrade, download: Slot::new() }
    }

    /// Ends everything: a fetch that runs on another thread returns soon.
    pub fn destroy(&self) {
        self.download.end(&mut self.upgrade.session.lock());
        self.signal.close();
        self.close_download();
    }

    fn platform(&self) -> &Arc<dyn Platform> {
        self.signal.platform()
    }

    /// `IOT_OTA_ReportVersion`. Returns the packet id.
    ///
    /// # Errors
    /// [`Error::BadVersion`] for a version that is not 1 to 32 bytes long; the client's error when it can't publish.
    pub fn report_version(&self, version: &str) -> Result<u16, Error> {
        let report = {
            let mut session = self.upgrade.session.lock();
            let report = session.report_version(version).map_err(refusal)?;
            self.download.end(&mut session);
            report
        };
        self.close_download();
        self.noted(self.signal.report_version(&report))
    }

    /// `IOT_OTA_ReportUpgradeBegin`. Returns the packet id.
    ///
    /// # Errors
    /// As [`Ota::report_version`]; `OtaError::InvalidState` without an update command.
    pub fn report_upgrade_begin(&self) -> Result<u16, Error> {
        let report = self.upgrade.session.lock().upgrade_begin(None).map_err(refusal)?;
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

    /// As [`report_upgrade_fail`](Self::report_upgrade_fail), by what the caller knows of it. Returns the packet id.
    ///
    /// # Errors
    /// As [`Ota::report_upgrade_begin`].
    #[cfg(feature = "upgrade")]
    pub fn report_end(&self, version: &str, code: FailureCode, text: &str) -> Result<u16, Error> {
        self.end_upgrade(|session| session.ended_by(Some(version), code, text))
    }

    /// Why the upgrade failed, where it was seen here; else empty.
    #[cfg(feature = "upgrade")]
    pub fn failure_reason(&self) -> String {
        self.upgrade.session.lock().failure_reason().unwrap_or_default().to_owned()
    }

    /// What the next [`report_upgrade_fail`](Self::report_upgrade_fail) tells the cloud, in place of what the library
    /// knows: a cause that only the program can see, for instance that there is no room left.
    pub fn set_failure_reason(&self, text: &str) {
        self.upgrade.session.lock().set_failure_reason(text);
    }

    fn end_upgrade(&self, end: impl FnOnce(&mut Session) -> Result<Report, OtaError>) -> Result<u16, Error> {
        let report = {
            let mut session = self.upgrade.session.lock();
            let report = end(&mut session).map_err(refusal)?;
            self.download.end(&mut session);
            report
        };
        self.close_download();
        self.publish(&report)
    }

    /// Publishes what the program asked for. A failure becomes the last error.
    fn publish(&self, report: &Report) -> Result<u16, Error> {
        self.noted(self.signal.report(report))
    }

    fn noted(&self, sent: Result<u16, Error>) -> Result<u16, Error> {
        sent.inspect_err(|_| {
            self.upgrade.session.lock().note(OtaError::SignalChannel);
        })
    }

    /// Whether the state is FETCHING.
    pub fn is_fetching(&self) -> bool {
        self.upgrade.session.lock().state() == State::Fetching
    }

    /// Whether the state is FETCHED.
    pub fn is_fetch_finished(&self) -> bool {
        self.upgrade.session.lock().state() == State::Fetched
    }

    /// `IOT_OTA_StartDownload`: connects and sends the request for bytes `offset..size`.
    ///
    /// # Errors
    /// `OtaError::InvalidState`, `OtaError::InvalidParam`, or why the download could not be started.
    pub fn start_download(&self, offset: u32, size: u32) -> Result<(), Error> {
        self.start(&mut self.download.transfer.lock(), offset, size)
    }

    fn start(&self, slot: &mut Option<Download>, offset: u32, size: u32) -> Result<(), Error> {
        const FUNCTION: &str = CALLER.start;
        let (plan, epoch) = {
            let mut session = self.upgrade.session.lock();
            let plan = session.plan_download(offset, size).map_err(|error| {
                log::error!(target: FUNCTION, "bytes {offset} to {size}: {}", why(error));
                Error::Ota(error)
            })?;
            (plan, self.download.epoch())
        };
        *slot = None;
        if offset == 0 {
            self.download.checksum.lock().reset();
        }
        // As users' scripts look for it (log_lines.md).
        log::debug!(target: FUNCTION, "to download FW from offset: {offset}, size: {size}");
        log::info!(target: FUNCTION, "fetching {} from byte {offset}", plan.url);
        let started = Download::start(self.platform().clone(), plan.clone(), &CALLER);
        let result = {
            let mut session = self.upgrade.session.lock();
            if self.download.epoch() == epoch {
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
        result.map_err(|(error, text)| {
            log::error!(target: FUNCTION, "{}: {text}", plan.url);
            error
        })
    }

    /// `IOT_OTA_FetchYield`: fetches into `buf` for at most `limit_ms`. 0: nothing came. Where no download was started, one of the
    /// whole firmware is.
    ///
    /// # Errors
    /// `OtaError::InvalidState` without an update command; why the download could not be started; the error that ended it.
    pub fn fetch(&self, buf: &mut [u8], limit_ms: u64) -> Result<usize, Error> {
        const FUNCTION: &str = CALLER.fetch;
        self.signal.note_fetch();
        let mut slot = self.download.transfer.lock();
        let epoch = {
            let mut session = self.upgrade.session.lock();
            session.may_fetch().map_err(|error| {
                log::error!(target: FUNCTION, "{}", why(error));
                Error::Ota(error)
            })?;
            self.download.epoch()
        };
        if slot.is_none() {
            self.start(&mut slot, 0, u32::MAX)?;
        }
        let Some(download) = slot.as_mut() else {
            return Err(Error::Ota(self.note(OtaError::InvalidState)));
        };
        let ended = || self.download.epoch() != epoch;
        let fetched = download.fetch(buf, limit_ms, &|| ended() || self.platform().is_leaving());
        let mut reports = Vec::new();
        let mut over = false;
        let result = {
            let mut session = self.upgrade.session.lock();
            match fetched {
                _ if ended() => Err(OtaError::InvalidState),
                Fetched::Stopped => Err(OtaError::InvalidState),
                Fetched::Nothing => Ok(0),
                Fetched::Bytes(count) => {
                    reports = session.fetched(u32::try_from(count).unwrap_or(u32::MAX), self.platform().now());
                    over = session.state() != State::Fetching;
                    Ok(count)
                }
                Fetched::Finished => {
                    reports = session.fetched(0, self.platform().now());
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
            self.download.checksum.lock().update(buf.get(..count).unwrap_or_default());
        }
        if over {
            *slot = None;
            self.set_running(false);
        }
        drop(slot);
        for report in &reports {
            let _ = self.signal.report(report);
        }
        result.map_err(Error::Ota)
    }

    /// Starts the MD5 over.
    pub fn reset_md5(&self) {
        self.download.checksum.lock().reset();
    }

    /// Adds bytes that are on flash already to the MD5.
    pub fn update_md5(&self, data: &[u8]) {
        self.download.checksum.lock().update(data);
    }

    /// Whether there is an update command to be asked about: in FETCHING and later.
    ///
    /// # Errors
    /// `InvalidState` while there is none.
    pub fn has_command(&self) -> Result<(), OtaError> {
        self.upgrade.session.lock().command().map(drop)
    }

    /// Bytes fetched so far, those before the offset included.
    ///
    /// # Errors
    /// `InvalidState` before an update command.
    pub fn fetched_size(&self) -> Result<u32, OtaError> {
        self.upgrade.session.lock().fetched_size()
    }

    /// Size of the firmware in bytes.
    ///
    /// # Errors
    /// As [`Ota::fetched_size`].
    pub fn file_size(&self) -> Result<u32, OtaError> {
        self.upgrade.session.lock().command().map(|command| command.file_size)
    }

    /// Announced version.
    ///
    /// # Errors
    /// As [`Ota::fetched_size`].
    pub fn version(&self) -> Result<String, OtaError> {
        self.upgrade.session.lock().command().map(|command| command.version.clone())
    }

    /// Announced MD5, hex digits as received.
    ///
    /// # Errors
    /// As [`Ota::fetched_size`].
    pub fn md5sum(&self) -> Result<String, OtaError> {
        self.upgrade.session.lock().command().map(|command| command.md5sum.clone())
    }

    /// Whether what was fetched has the announced MD5. A mismatch is reported to the cloud, once.
    ///
    /// # Errors
    /// `InvalidState` unless FETCHED.
    pub fn check_firmware(&self) -> Result<bool, OtaError> {
        let digest = self.download.checksum.lock().hex();
        let (announced, (matches, report)) = {
            let mut session = self.upgrade.session.lock();
            let checked = session.check_firmware(&digest)?;
            (session.command()?.md5sum.clone(), checked)
        };
        // As users' scripts look for it (log_lines.md).
        log::info!(target: "IOT_OTA_Ioctl", "FW MD5 check: origin={announced}, now={digest}");
        if let Some(report) = report {
            log::error!(target: "IOT_OTA_Ioctl", "the firmware's MD5 is {digest}, not the announced one");
            let _ = self.signal.report(&report);
        }
        Ok(matches)
    }

    /// Last error.
    pub fn last_error(&self) -> OtaError {
        self.upgrade.session.lock().last_error()
    }

    /// Notes a caller's mistake as the last error and returns it.
    pub fn note(&self, error: OtaError) -> OtaError {
        self.upgrade.session.lock().note(error)
    }

    /// Closes the download's connection. Waits for a running fetch, which stops soon.
    fn close_download(&self) {
        self.download.close(|is_running| self.signal.set_transfer_running(is_running));
    }

    /// Called under the download lock.
    fn set_running(&self, is_running: bool) {
        self.download.set_running(is_running, |is_running| self.signal.set_transfer_running(is_running));
    }
}

fn topics(product_id: &str, device_name: &str) -> Result<Topics, String> {
    Identity::new(product_id, device_name).map(|device| Topics::of(&device)).map_err(|error| error.to_string())
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
