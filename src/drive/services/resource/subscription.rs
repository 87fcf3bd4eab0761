//! What the cloud's messages do to a device's resources.

use std::sync::Arc;

use iot_engine::helpers::json;
use iot_engine::helpers::redact::without_url_secrets;
use iot_engine::services::resource::{Received, Report, Session};

use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};
use crate::drive::services::channel::Service;
use crate::drive::services::delivery::deliver;
use crate::hal::sync::Mutex;

const FUNCTION: &str = "resource_message";

/// The device's download and upload, and where they report.
pub(super) struct Subscription {
    /// Never held over I/O.
    pub session: Mutex<Session>,
    /// The topic of reports.
    pub up: String,
}

impl Subscription {
    /// Publishes a report. A failure is logged.
    pub(super) fn publish(&self, client: &Client, report: &Report) -> Result<u16, Error> {
        deliver(client, &self.up, report.delivery, &report.payload)
            .inspect_err(|error| log::warn!(target: "resource_report", "not published ({error}): {}", report.payload))
    }
}

impl Service for Subscription {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        log::debug!(target: FUNCTION, "topic={topic}");
        let shown = without_url_secrets(json::message(payload));
        log::info!(target: FUNCTION, "len={}, topic_msg={shown}", payload.len());
        let now = client.platform().now();
        let received = self.session.lock().receive(payload, now);
        match received {
            Received::Task { direction, name, size, location } => {
                log::info!(target: FUNCTION, "{} of {name}, {size} bytes, {location}", direction.word());
            }
            Received::BadTask(why, report) => {
                log::error!(target: FUNCTION, "{why}");
                if let Some(report) = report {
                    let _ = self.publish(client, &report);
                }
            }
            Received::Refused(direction, text) => {
                log::error!(target: FUNCTION, "the cloud has no {} for this device: {text}", direction.word());
            }
            Received::Result(_, 0, _) => {}
            Received::Result(direction, code, text) => {
                let word = direction.word();
                log::error!(target: FUNCTION, "the cloud refused a report of the {word}: result_code {code}, {text}");
            }
            Received::Ignored(what) => log::info!(target: FUNCTION, "message ignored: {what}"),
            Received::Malformed(why) => log::error!(target: FUNCTION, "message of {} bytes: {why}", payload.len()),
        }
    }

    fn link_restored(&self, client: &Arc<Client>, session_present: bool) {
        let questions = self.session.lock().link_restored(session_present);
        for question in questions {
            log::info!(target: FUNCTION, "the server has forgotten this device: asked again: {question}");
            if let Err(error) = client.publish(&self.up, QoS::AtLeastOnce, question.as_bytes()) {
                log::warn!(target: FUNCTION, "not asked again: {error}");
            }
        }
    }
}
