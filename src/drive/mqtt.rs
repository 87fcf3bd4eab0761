//! The MQTT client: pumps bytes between a [`Transport`](crate::hal::Transport) and the engine's MQTT session.

use std::sync::Arc;

use crate::hal::Platform;

/// Quality of service. QoS 2 is refused at the C surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QoS {
    /// At most once.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
}

/// What happened to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionEvent {
    /// SUBACK with a granted QoS.
    Granted,
    /// SUBACK with 0x80.
    Refused,
    /// No SUBACK within the command time-out.
    TimedOut,
    /// `IOT_MQTT_Unsubscribe` took it away.
    Removed,
    /// The client is being destroyed.
    ClientDestroyed,
}

/// Receives what a subscription brings, when the subscriber is Rust code of this library.
/// Called on the thread that pumps, with no lock held: it may call the client.
pub trait Subscriber: Send + Sync {
    /// A message came in.
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]);
    /// The subscription's state changed.
    fn event(&self, client: &Arc<Client>, event: SubscriptionEvent);
}

/// One MQTT connection, kept up as the caller's thread drives it.
pub struct Client {
    _platform: Arc<dyn Platform>,
}

impl Client {
    /// Publishes. Returns the packet id (0 for QoS 0).
    ///
    /// # Errors
    /// The `QCLOUD_ERR_*` code of behaviour.md section 3.
    pub fn publish(&self, _topic: &str, _qos: QoS, _payload: &[u8]) -> Result<u16, i32> {
        Err(-1001)
    }

    /// Subscribes for a Rust subscriber. Returns the packet id.
    ///
    /// # Errors
    /// The `QCLOUD_ERR_*` code of behaviour.md section 3.
    pub fn subscribe(&self, _filter: &str, _qos: QoS, _subscriber: Arc<dyn Subscriber>) -> Result<u16, i32> {
        Err(-1001)
    }

    /// Removes a subscription and tells the server.
    ///
    /// # Errors
    /// The `QCLOUD_ERR_*` code of behaviour.md section 3.
    pub fn unsubscribe(&self, _filter: &str) -> Result<u16, i32> {
        Err(-1001)
    }

    /// Whether the SUBACK for `filter` is in.
    pub fn is_subscribed(&self, _filter: &str) -> bool {
        false
    }

    /// Whether the connection is up.
    pub fn is_connected(&self) -> bool {
        false
    }

    /// Drives the connection for at most `ms` milliseconds; the codes of `IOT_MQTT_Yield`.
    pub fn yield_for(self: &Arc<Self>, _ms: u32) -> i32 {
        0
    }

    /// Tells the client that an OTA download begins or ends: in between, `yield_for` handles what is readable now
    /// and returns (behaviour.md section 3).
    pub fn set_download_running(&self, _running: bool) {}

    /// The platform this client runs on.
    pub fn platform(&self) -> &Arc<dyn Platform> {
        &self._platform
    }
}
