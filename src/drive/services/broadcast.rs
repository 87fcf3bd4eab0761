//! Messages to all devices of a product (messaging.md section 1).

use std::sync::Arc;

use iot_engine::services::broadcast::{topic, SUBACK_TIMEOUT_MS};

use super::inbox::{self, Handler, NotSubscribed, Receiver};
use crate::drive::mqtt::{Client, QoS};

struct Broadcasts(Handler);

impl Receiver for Broadcasts {
    fn message(&self, client: &Arc<Client>, _topic: &str, payload: &[u8]) {
        (self.0)(client, payload);
    }
}

/// Has `handler` called with what the cloud broadcasts. Drives the client until the server has granted the subscription,
/// up to 1.5 s. Where it has already, nothing is sent and the handler replaces the one before.
///
/// # Errors
/// Why there is no subscription. An answer that comes after the time still makes it.
pub fn subscribe(client: &Arc<Client>, handler: Handler) -> Result<(), NotSubscribed> {
    let receiver = Arc::new(Broadcasts(handler));
    inbox::subscribe_once(client, &topic(client.identity()), QoS::AtLeastOnce, receiver, SUBACK_TIMEOUT_MS)
}

#[cfg(test)]
mod tests;
