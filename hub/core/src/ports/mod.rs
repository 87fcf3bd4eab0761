//! What the hub needs of the world, and what the world may ask of it: what brings messages to devices, what takes in what
//! they say, who is told of what happens, a store, a place for files, and a CA.

use std::collections::BTreeSet;

use rumqttc::mqttbytes::v4::Publish;

use crate::devices::Device;
use crate::error::Result;
use crate::events::Event;

pub mod agreement;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod figures;
pub mod files;
pub mod gateways;
pub mod jobs;
pub mod keys;
pub mod logs;
pub mod messaging;
pub mod products;
pub mod resources;
pub mod roll_outs;
pub mod seen;
pub mod shadows;
pub mod store;
pub mod tags;
pub mod users;

/// The way to the devices: the hub's own broker, or its connection to somebody else's. No call waits for the network.
pub trait Downlink: Send + Sync {
    /// Sends a message; false where it certainly reaches nobody.
    fn send(&self, message: Publish) -> bool;

    /// Sends the command of a job. On a way that is shared, [`Uplink::broker_has`] says when it is there.
    fn send_command(&self, message: Publish, job: i64) -> bool;

    /// Passes on what a device has published to the devices that have subscribed to it.
    fn pass_on(&self, message: &Publish);

    /// Whether other hubs may reach the same devices.
    fn is_shared(&self) -> bool;

    /// Whether a device is connected; `None` where another broker keeps the connections.
    fn is_online(&self, client_id: &str) -> Option<bool>;

    /// Whether a device that says nothing may be told again: nothing that it has said may be waiting at another broker for a
    /// hub that is behind.
    fn may_repeat(&self) -> bool;

    /// How the way is now.
    fn figures(&self) -> LinkFigures;

    /// Whether a message on this topic can reach the device now.
    fn listens(&self, client_id: &str, topic: &str) -> bool;

    /// Cuts a device's connection.
    ///
    /// # Errors
    /// Why it can't, for a person.
    fn cut(&self, client_id: &str) -> std::result::Result<(), String>;

    /// Cuts a device's connection, and keeps nothing of its session.
    fn forget(&self, client_id: &str);

    /// Ends those of a device's subscriptions that it has no right to any more, by their filters.
    fn revoke(&self, client_id: &str, is_over: &dyn Fn(&str) -> bool);
}

/// How a way to the devices is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFigures {
    /// Connected devices; `None` where another broker keeps the connections.
    pub online: Option<u64>,
    /// Messages that wait to go out.
    pub queued: u64,
    /// How many hubs serve with this database, this one counted; `None` where nobody knows.
    pub hubs: Option<u64>,
    /// False where another broker is out of reach.
    pub connected: bool,
}

/// Who is told of what happens. No call waits for long, or calls the hub.
pub trait Events: Send + Sync {
    /// Something has happened.
    fn emit(&self, event: &Event);
}

/// What takes in what devices say.
pub trait Uplink: Send + Sync {
    /// A device has published a message. True: it has been dealt with, so it may be acknowledged. False: what it says
    /// could not be kept (the disk may be full), so the device must go on saying it.
    fn device_message(&self, client_id: &str, message: &Publish) -> bool;

    /// Somebody else's broker has acknowledged the commands of these jobs.
    fn broker_has(&self, jobs: &[i64]);

    /// For which of these jobs the command is still wanted; somebody else's broker does not get the others'.
    fn still_wanted(&self, jobs: &[i64]) -> BTreeSet<i64>;

    /// Something a person should know.
    fn warn(&self, text: &str);
}

/// What a broker of the hub's own asks beyond that: it lets devices in.
pub trait Admission: Uplink + Events {
    /// The device with this client id, where there is one.
    fn device(&self, client_id: &str) -> Option<Device>;

    /// Whether a device may subscribe to this filter.
    fn may_subscribe(&self, client_id: &str, filter: &str) -> bool;

    /// A device came or went.
    fn presence(&self, client_id: &str);

    /// A device has let know that it is still there.
    fn seen(&self, client_id: &str);

    /// [`Uplink::device_message`] in two steps. A message is kept when this returns, so it may be acknowledged; then comes
    /// [`Admission::report`]. `None`: it could not be kept, so it must not be acknowledged.
    fn receive(&self, client_id: &str, message: &Publish) -> Option<Received>;

    /// [`Admission::receive`] for a device that hears answers only: what it is answered is returned. The topic must be the
    /// device's own.
    fn exchange(&self, client_id: &str, message: &Publish) -> Option<Exchanged>;

    /// Says what has been received, to people and to those who wait for the end.
    fn report(&self, received: Received);

    /// The topic a device gets its commands on.
    fn update_topic(&self, client_id: &str) -> Option<String>;

    /// Sends a device what `spoil` makes of the payload of its update command.
    fn send_spoilt(&self, client_id: &str, spoil: &dyn Fn(&str) -> String);
}

/// What is still to be said of a message after its acknowledgement. It comes after, because it may end the hub.
#[must_use]
#[derive(Default)]
pub struct Received {
    pub(crate) event: Option<Event>,
    pub(crate) verdict: Option<Verdict>,
}

/// What a device is answered, and what is still to be said after that.
#[must_use]
#[derive(Default)]
pub struct Exchanged {
    /// For [`Admission::report`].
    pub received: Received,
    /// JSON; `None` where there is nothing to say.
    pub answer: Option<String>,
}

/// How a run with `--exit-when-done` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every device is done.
    Done,
    /// One device failed.
    Failed,
}

/// The CA that devices' certificates come from.
pub trait Certificates: Send + Sync {
    /// Makes a certificate for one device in place of the one it had, if any.
    ///
    /// # Errors
    /// The disk does not take it, or the client id is none.
    fn renew_client(&self, client_id: &str) -> Result<NewClient>;

    /// Knows a device by a certificate of its own from now on, PEM whose common name is the client id. Returns its serial
    /// number, in hex.
    ///
    /// # Errors
    /// What is wrong with it, or the disk does not take it.
    fn adopt_client(&self, client_id: &str, pem: &str) -> Result<String>;

    /// The file of a device's certificate as it was handed out, or of its own, where it is known.
    fn client_certificate(&self, client_id: &str) -> Option<Vec<u8>>;

    /// Whether `signature` is one of `text` by the key of the certificate that a device has from here: RSA over SHA-256.
    fn is_signed(&self, client_id: &str, text: &[u8], signature: &[u8]) -> bool;
}

/// A client certificate just made, in PEM.
pub struct NewClient {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub private_key: String,
    /// In hex.
    pub serial: String,
}
