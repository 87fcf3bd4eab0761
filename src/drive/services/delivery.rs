//! How a service's report goes out over MQTT.

use iot_engine::services::ota::Delivery;

use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};

/// Publishes a report. Returns its id.
///
/// # Errors
/// It can't be published. One that is kept always can, as long as there is memory.
pub(super) fn deliver(client: &Client, topic: &str, delivery: Delivery, payload: &str) -> Result<u16, Error> {
    let payload = payload.as_bytes();
    match delivery {
        Delivery::AtMostOnce => client.publish_without_waiting(topic, payload),
        Delivery::AtLeastOnce => client.publish(topic, QoS::AtLeastOnce, payload),
        Delivery::Kept => client.publish_kept(topic, payload),
    }
}
