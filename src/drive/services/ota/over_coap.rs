//! Upgrades that are announced over CoAP: a command comes as the answer to a version report (coap.md section 7).

use std::sync::{Arc, Weak};

use iot_engine::coap::Refusal;
use iot_engine::services::ota::Report;

use super::signal::{not_sent, Signal};
use super::upgrade::Upgrade;
use crate::drive::coap::{Answer, Client, Listener};
use crate::drive::error::Error;
use crate::hal::Platform;

/// A CoAP client, and who hears what the cloud answers to a version report.
pub(super) struct CoapSignal {
    client: Arc<Client>,
    receiver: Arc<Receiver>,
}

/// The client holds it as long as it waits for an answer, and perhaps longer than the upgrade lives.
struct Receiver {
    upgrade: Weak<Upgrade>,
    topic: String,
}

impl CoapSignal {
    /// Sends nothing.
    pub(super) fn new(client: Arc<Client>, topic: String, upgrade: &Arc<Upgrade>) -> Self {
        let receiver = Arc::new(Receiver { upgrade: Arc::downgrade(upgrade), topic });
        CoapSignal { client, receiver }
    }
}

impl Signal for CoapSignal {
    fn platform(&self) -> &Arc<dyn Platform> {
        self.client.platform()
    }

    fn report(&self, report: &Report) -> Result<u16, Error> {
        send(&self.client, &self.receiver.topic, report)
    }

    fn report_version(&self, report: &Report) -> Result<u16, Error> {
        let sent = self.client.send_followed(&self.receiver.topic, report.payload.as_bytes(), self.receiver.clone());
        noted(report, sent)
    }

    fn set_transfer_running(&self, is_running: bool) {
        self.client.set_transfer_running(is_running);
    }
}

/// Sends a report whose answer the client's event handler hears of.
fn send(client: &Client, topic: &str, report: &Report) -> Result<u16, Error> {
    let sent = match report.within(client.room(topic)) {
        Some(payload) => client.send(topic, payload.as_bytes(), false, None),
        None => Err(Error::Coap(Refusal::PacketTooLong)),
    };
    noted(report, sent)
}

fn noted(report: &Report, sent: Result<u16, Error>) -> Result<u16, Error> {
    sent.map_err(|error| {
        not_sent(report, &error);
        Error::NotReported
    })
}

impl Listener for Receiver {
    fn ended(&self, client: &Arc<Client>, answer: &Answer) {
        const FUNCTION: &str = "ota_message";
        let Some(upgrade) = self.upgrade.upgrade() else {
            return;
        };
        match answer.content() {
            Some([]) => log::warn!(target: FUNCTION, "the cloud's answer to the version report is empty"),
            Some(payload) => {
                if let Some(report) = upgrade.receive(payload) {
                    let _ = send(client, &self.topic, &report);
                }
            }
            None => log::error!(target: FUNCTION, "the version report was not answered: {}", answer.ending),
        }
    }
}

#[cfg(test)]
mod tests;
