//! What the hub needs of the world: what brings messages to devices, what takes in what they say, and a store.

use rumqttc::mqttbytes::v4::Publish;

#[cfg(test)]
pub mod conformance;
pub mod store;

/// The way to the devices: the hub's own broker, or its connection to somebody else's. No call waits for the network.
pub trait Downlink: Send + Sync {
    /// Sends a message; false where it certainly reaches nobody.
    fn send(&self, message: Publish) -> bool;

    /// Passes on what a device has published to the devices that have subscribed to it.
    fn pass_on(&self, message: &Publish);

    /// Whether other hubs may reach the same devices.
    fn is_shared(&self) -> bool;

    /// Whether a device is connected; `None` where another broker keeps the connections.
    fn is_online(&self, client_id: &str) -> Option<bool>;

    /// Whether a message on this topic can reach the device now.
    fn listens(&self, client_id: &str, topic: &str) -> bool;

    /// Cuts a device's connection.
    ///
    /// # Errors
    /// Why it can't, for a person.
    fn cut(&self, client_id: &str) -> Result<(), String>;

    /// Cuts a device's connection, and keeps nothing of its session.
    fn forget(&self, client_id: &str);
}

/// What takes in what devices say.
pub trait Uplink: Send + Sync {
    /// A device has published a message. True: it has been dealt with, so it may be acknowledged. False: what it says
    /// could not be kept (the disk may be full), so the device must go on saying it.
    fn device_message(&self, client_id: &str, message: &Publish) -> bool;

    /// Something a person should know.
    fn warn(&self, text: &str);
}
