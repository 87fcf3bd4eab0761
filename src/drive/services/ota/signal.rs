//! The way of reports to the cloud, and of its commands to the device.

use std::sync::Arc;

use iot_engine::services::ota::Report;

use crate::drive::error::Error;
use crate::hal::Platform;

/// A client of the cloud as upgrades use it. Called with no lock held but that of the download, where it says so.
pub(super) trait Signal: Send + Sync {
    /// Time and connections.
    fn platform(&self) -> &Arc<dyn Platform>;

    /// Sends a report. Returns its id. A failure is logged.
    fn report(&self, report: &Report) -> Result<u16, Error>;

    /// As [`report`](Self::report), for the version: the cloud's command may be the answer.
    fn report_version(&self, report: &Report) -> Result<u16, Error> {
        self.report(report)
    }

    /// Takes no more commands.
    fn close(&self) {}

    /// This thread fetches. May be called under the download's lock.
    fn note_fetch(&self) {}

    /// A download runs, or has ended: calls that drive the client wait for nothing meanwhile. May be called under the download's
    /// lock.
    fn set_transfer_running(&self, is_running: bool);
}

/// Logs that a report was not sent, and why.
pub(super) fn not_sent(report: &Report, error: &Error) {
    log::warn!(target: "ota_report", "not published ({error}): {}", report.payload);
}
