//! Upgrades that are announced over MQTT: commands come on a topic of the device.

use std::sync::Arc;

use iot_engine::services::ota::{Report, Topics};

use super::signal::{not_sent, Signal};
use super::upgrade::Upgrade;
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};
use crate::drive::services::channel::{Channel, Service, Terms};
use crate::drive::services::delivery::deliver;
use crate::hal::Platform;

/// Asked once more where the server refuses (behaviour.md section 4).
const TERMS: Terms = Terms { qos: QoS::AtLeastOnce, limit_ms: 2_000, asks: 2 };

/// An MQTT client, and the subscription to the device's update topic.
pub(super) struct MqttSignal {
    client: Arc<Client>,
    channel: Channel<Subscription>,
    subscription: Arc<Subscription>,
}

struct Subscription {
    upgrade: Arc<Upgrade>,
    report_topic: String,
}

impl MqttSignal {
    /// Subscribes. Drives the client while it waits for the SUBACK.
    pub(super) fn open(client: Arc<Client>, topics: Topics, upgrade: Arc<Upgrade>) -> Result<Self, String> {
        let subscription = Arc::new(Subscription { upgrade, report_topic: topics.report });
        let channel = Channel::open(&client, &topics.update, subscription.clone(), TERMS)
            .map_err(|why| format!("{} not subscribed: {why}", topics.update))?;
        Ok(MqttSignal { client, channel, subscription })
    }
}

impl Signal for MqttSignal {
    fn platform(&self) -> &Arc<dyn Platform> {
        self.client.platform()
    }

    fn report(&self, report: &Report) -> Result<u16, Error> {
        self.subscription.publish(&self.client, report)
    }

    fn close(&self) {
        self.channel.close();
    }

    fn note_fetch(&self) {
        self.client.note_fetch();
    }

    fn set_transfer_running(&self, is_running: bool) {
        self.client.set_transfer_running(is_running);
    }
}

impl Subscription {
    fn publish(&self, client: &Client, report: &Report) -> Result<u16, Error> {
        deliver(client, &self.report_topic, report.delivery, &report.payload)
            .inspect_err(|error| not_sent(report, error))
    }
}

impl Service for Subscription {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        // Level and text as users' scripts look for them (log_lines.md).
        log::debug!(target: "ota_message", "topic={topic}");
        if let Some(report) = self.upgrade.receive(payload) {
            let _ = self.publish(client, &report);
        }
    }

    fn granted(&self) {
        log::debug!(target: "ota_channel", "OTA topic subscribe success");
    }

    fn link_restored(&self, client: &Arc<Client>, session_present: bool) {
        let report = self.upgrade.session.lock().link_restored(session_present);
        if let Some(report) = report {
            log::info!(target: "ota_channel", "the server has forgotten this device: its version is reported again");
            let _ = self.publish(client, &report);
        }
    }

    fn client_destroyed(&self) {
        log::info!(target: "ota_channel", "mqtt client has been destroyed");
    }

    fn tells_program(&self) -> bool {
        true
    }
}
