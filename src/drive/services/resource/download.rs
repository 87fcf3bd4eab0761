//! The download of a resource.

use iot_engine::services::resource::{Direction, ResourceError, State};

use super::{Resource, Unreported, HTTPS};
use crate::drive::download::{Caller, Download, Fetched};
use crate::drive::error::Error;

const START: &str = "IOT_Resource_StartDownload";
const FETCH: &str = "IOT_Resource_DownloadYield";
const CALLER: Caller = Caller { start: START, fetch: FETCH, https: HTTPS };

impl Resource {
    /// `IOT_Resource_StartDownload`: connects and sends the request for the bytes from `offset` on.
    ///
    /// # Errors
    /// `InvalidState`, `InvalidParam`, or why the download could not be started.
    pub fn start_download(&self, offset: u32) -> Result<(), Error> {
        let mut place = self.download.transfer.lock();
        let (plan, epoch) = {
            let mut session = self.session().lock();
            let plan = session.plan_download(offset).map_err(|error| {
                log::error!(target: START, "no download can begin at byte {offset}");
                Error::Resource(error)
            })?;
            (plan, self.download.epoch())
        };
        *place = None;
        if offset == 0 {
            self.download.checksum.lock().reset();
        }
        log::info!(target: START, "fetching {} from byte {offset}", plan.url);
        let started = Download::start(self.platform().clone(), plan, &CALLER);
        self.started((START, Direction::Download), &self.download, &mut place, (epoch, offset), started)
    }

    /// `IOT_Resource_DownloadYield`: fetches into `buf` for at most `limit_ms`. 0: nothing came.
    ///
    /// # Errors
    /// `InvalidState`, or the error that ended it.
    pub fn fetch(&self, buf: &mut [u8], limit_ms: u64) -> Result<usize, ResourceError> {
        const WAY: Direction = Direction::Download;
        self.client.note_fetch();
        let mut place = self.download.transfer.lock();
        let epoch = self.may_go_on(FETCH, WAY, &self.download)?;
        let Some(download) = place.as_mut() else {
            log::error!(target: FETCH, "no download was started");
            return Err(self.note(WAY, ResourceError::InvalidState));
        };
        let ended = || self.download.epoch() != epoch;
        let fetched = download.fetch(buf, limit_ms, &|| ended() || self.platform().is_leaving());
        let mut reports = Vec::new();
        let mut is_over = false;
        let result = {
            let mut session = self.session().lock();
            let side = session.side(WAY);
            match fetched {
                _ if ended() => Err(ResourceError::InvalidState),
                Fetched::Stopped => Err(ResourceError::InvalidState),
                Fetched::Nothing => Ok(0),
                Fetched::Bytes(count) => {
                    reports = side.moved(u32::try_from(count).unwrap_or(u32::MAX), self.platform().now());
                    is_over = side.state() != State::Start;
                    Ok(count)
                }
                Fetched::Finished => {
                    side.moved(0, self.platform().now());
                    is_over = true;
                    Ok(0)
                }
                Fetched::Failed(failure) => {
                    log::error!(target: FETCH, "the download failed: {failure}");
                    let (error, report) = side.failed(&failure);
                    reports.extend(report);
                    is_over = true;
                    Err(error)
                }
            }
        };
        if let Ok(count @ 1..) = result {
            self.download.checksum.lock().update(buf.get(..count).unwrap_or_default());
        }
        if is_over {
            *place = None;
            self.download.set_running(false, |is_running| self.tell_running(is_running));
        }
        drop(place);
        self.publish(&reports);
        result
    }

    /// `IOT_Resource_ReportDownloadSuccess` and `Fail`; `None` means the task's name. Returns the packet id.
    ///
    /// # Errors
    /// Why nothing was reported. The task is over all the same.
    pub fn report_download(&self, name: Option<&str>, is_done: bool) -> Result<u16, Unreported> {
        let report = {
            let mut session = self.session().lock();
            let report = session.side(Direction::Download).finish(name, is_done);
            self.download.end(&mut session);
            report
        };
        self.download.close(|is_running| self.tell_running(is_running));
        let report = report.map_err(|_| Unreported::NoName)?;
        self.subscription.publish(&self.client, &report).map_err(Unreported::NotSent)
    }
}
