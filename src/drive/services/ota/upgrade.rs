//! The part of an upgrade that the cloud's messages reach.

use std::sync::Arc;

use iot_engine::helpers::json;
use iot_engine::helpers::redact::without_url_secrets;
use iot_engine::services::ota::{Received, Report, Session};

use crate::hal::sync::Mutex;

/// The upgrade's state, and what becomes of a message.
pub(super) struct Upgrade {
    /// Never held over I/O.
    pub(super) session: Mutex<Session>,
    /// Whether no command can follow on a version report that was refused: it was the report's only answer.
    ends_refused: bool,
}

impl Upgrade {
    /// One that waits for its command.
    pub(super) fn new(session: Session, ends_refused: bool) -> Arc<Self> {
        Arc::new(Upgrade { session: Mutex::new(session), ends_refused })
    }

    /// Handles a message of the cloud. Returns what is to be reported because of it.
    pub(super) fn receive(&self, payload: &[u8]) -> Option<Report> {
        const FUNCTION: &str = "ota_message";
        // Level and text as users' scripts look for them (log_lines.md).
        let shown = without_url_secrets(json::message(payload));
        log::info!(target: FUNCTION, "len={}, topic_msg={shown}", payload.len());
        let received = {
            let mut session = self.session.lock();
            let received = session.receive(payload);
            if self.ends_refused && matches!(received, Received::VersionRefused(..)) {
                session.end_refused();
            }
            received
        };
        match received {
            Received::VersionAccepted => log::info!(target: FUNCTION, "Report version success!"),
            Received::VersionRefused(code, text) => {
                log::error!(target: FUNCTION, "the cloud refused the version report: result_code {code}, {text}");
            }
            Received::Update { version, file_size, location } => {
                log::info!(target: FUNCTION, "update to version {version}, {file_size} bytes, from {location}");
            }
            Received::BadUpdate(reason, report) => {
                log::error!(target: FUNCTION, "the update command can't be followed: {reason}");
                return Some(report);
            }
            Received::Ignored(what) => log::info!(target: FUNCTION, "message ignored: {what}"),
            Received::Malformed(why) => log::error!(target: FUNCTION, "message of {} bytes: {why}", payload.len()),
        }
        None
    }
}
