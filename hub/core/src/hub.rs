//! What all parts share: the store, the events, and the way to the devices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use tokio::sync::{broadcast, mpsc, Notify};
use tokio::time::Instant;

use crate::devices;
use crate::events::{DeviceRow, Event};
use crate::handed_out::HandedOut;
use crate::metrics::Meter;
use crate::model::{Change, Page, Problem, ProblemKind, Scope, PAGE};
use crate::ota::{self, Outgoing};
use crate::ports::store::{NewOrder, Outcome, Store, Stored};
use crate::ports::{Certificates, Downlink, Events, Verdict};
use crate::rate::{Excess, Quota, Rate, Rates, MINUTE};
use crate::seen::Seen;
use crate::site::{is_version, Access, Served, Site};

/// Changes kept for a watcher that reads slowly.
const CHANGES: usize = 4096;

/// What a hub is made of.
pub struct Parts {
    /// Told of everything that happens.
    pub events: Arc<dyn Events>,
    /// Keeps what must outlive a connection.
    pub store: Arc<dyn Store>,
    /// Where devices are sent for firmware.
    pub site: Site,
    /// Where devices' certificates come from.
    pub certificates: Arc<dyn Certificates>,
    /// The way to the devices.
    pub downlink: Arc<dyn Downlink>,
    /// Told how the run has ended.
    pub verdicts: mpsc::UnboundedSender<Verdict>,
    /// The version that the command line offers.
    pub offer: Option<String>,
    /// The devices that must be done for a verdict.
    pub awaited: BTreeSet<String>,
    /// How much a device may upload.
    pub uploads: Quota<String>,
}

/// The hub. Any thread may call it; no call waits for the network but for an object store's.
pub struct Hub {
    pub(crate) events: Meter,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) site: Site,
    pub(crate) certificates: Arc<dyn Certificates>,
    pub(crate) downlink: Arc<dyn Downlink>,
    pub(crate) verdicts: mpsc::UnboundedSender<Verdict>,
    pub(crate) offer: Option<String>,
    pub(crate) awaited: BTreeSet<String>,
    pub(crate) uploads: Quota<String>,
    /// The devices whose uploads a person has been told of.
    pub(crate) told: Rates<String>,
    /// The awaited devices that are done.
    pub(crate) done: Mutex<BTreeSet<String>>,
    pub(crate) changes: broadcast::Sender<Change>,
    /// The other processes' changes as far as they were noticed.
    pub(crate) seen: AtomicI64,
    /// Where the next sweep goes on.
    pub(crate) swept: Mutex<(u64, i64)>,
    /// The same for the held jobs of each order.
    pub(crate) rolled: Mutex<BTreeMap<i64, (u64, i64)>>,
    /// Held from looking how things are until watchers are told: what they hear last is the latest.
    pub(crate) notifying: Mutex<()>,
    /// Held from looking whether a job is unfinished until its command has gone out: a device hears the commands of
    /// several orders in the orders' sequence.
    pub(crate) sending: Mutex<()>,
    /// Commands that somebody else's broker has not acknowledged yet.
    pub(crate) handed_out: HandedOut,
    /// Rings when a device has answered a request.
    pub(crate) answers: Notify,
    /// When devices were seen.
    pub(crate) last_seen: Seen,
    /// Devices that a gateway has said are there, with the gateway: as long as its connection lasts.
    pub(crate) behind: Mutex<BTreeMap<String, String>>,
}

/// Why a file is not served.
pub enum Refused {
    /// Its URL is not, or no longer, good; and why.
    Forbidden(&'static str),
    /// Something is wrong with the hub.
    Broken(Problem),
}

/// UTC in milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Hub {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts { events, store, site, certificates, downlink, verdicts, offer, awaited, uploads } = parts;
        let changes = broadcast::Sender::new(CHANGES);
        // What others did before is nothing to tell of.
        let seen = AtomicI64::new(store.foreign_changes().unwrap_or_default());
        Hub {
            events: Meter::new(events),
            store,
            site,
            certificates,
            downlink,
            verdicts,
            offer,
            awaited,
            uploads,
            told: Rates::new(Rate { count: 1, period: MINUTE }),
            done: Mutex::default(),
            changes,
            seen,
            swept: Mutex::default(),
            rolled: Mutex::default(),
            notifying: Mutex::default(),
            sending: Mutex::default(),
            handed_out: HandedOut::default(),
            answers: Notify::new(),
            last_seen: Seen::default(),
            behind: Mutex::default(),
        }
    }

    /// Sends a message; false where it certainly reaches nobody.
    pub(crate) fn send(&self, message: Outgoing) -> bool {
        self.send_message(message, None)
    }

    /// The same for the command of a job.
    pub(crate) fn send_message(&self, message: Outgoing, job: Option<i64>) -> bool {
        let qos = if message.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let message = Publish::new(message.topic, qos, message.payload);
        let sent = match job {
            Some(job) => self.downlink.send_command(message, job),
            None => self.downlink.send(message),
        };
        if !sent && self.downlink.is_shared() {
            self.warn("the broker does not keep up: a message was dropped");
        }
        sent
    }

    /// Whether a device is there; `None` where another broker keeps the connections.
    pub(crate) fn is_online(&self, client_id: &str) -> Option<bool> {
        match self.downlink.is_online(client_id) {
            Some(false) => Some(self.behind().contains_key(client_id)),
            there => there,
        }
    }

    /// What a request's target opens; `None`: nothing there.
    pub fn open(&self, target: &str) -> Result<Option<Served>, Refused> {
        let found = match self.site.access(target, now_ms() / 1000) {
            Access::File(name) => match crate::resource::id_of(name) {
                Some(id) => return self.serve_resource(id).map_err(Refused::Broken),
                None => self.store.firmware_of_file(name),
            },
            Access::Plain(version) => match self.offer.as_deref().filter(|offer| is_version(version, offer)) {
                Some(offer) => self.store.firmware_in_place(offer),
                None => Ok(None),
            },
            Access::Forbidden(reason) => return Err(Refused::Forbidden(reason)),
            Access::Unknown => Ok(None),
        };
        let found = found.map_err(Refused::Broken)?;
        let Some(stored) = found else {
            return Ok(None);
        };
        let path = self.site.folder.of(&stored);
        // Such as a file of the command line that has been built anew since.
        let broken = |what: String| {
            let text = format!("cannot serve the firmware {}: {what}", path.display());
            Err(Refused::Broken(Problem::new(ProblemKind::Internal, text)))
        };
        match fs::metadata(&path) {
            Err(error) => broken(error.to_string()),
            Ok(there) if there.len() != stored.firmware.size => {
                broken(format!("it has {} bytes, and had {} when it was added", there.len(), stored.firmware.size))
            }
            Ok(_) => Ok(Some(Served::new(path, &stored))),
        }
    }

    /// A device uploads something. Where it does so too often, when it may again.
    pub(crate) fn may_upload(&self, client_id: &str) -> Result<(), Duration> {
        let now = Instant::now();
        self.uploads.spend(client_id.to_owned(), now).map_err(|Excess { count, wait }| {
            if self.told.spend(client_id.to_owned(), now).is_ok() {
                self.warn_of(client_id, format!("uploads more than {count} times a minute: it is refused"));
            }
            wait
        })
    }

    /// Something a person should know.
    pub fn warn(&self, text: &str) {
        self.events.emit(&Event::Warning { client_id: None, text: text.to_owned() });
    }

    /// Answers a person.
    pub fn note(&self, text: impl Into<String>) {
        self.events.emit(&Event::Note { text: text.into() });
    }

    /// The device with this client id. A database that does not answer knows none.
    pub fn device(&self, client_id: &str) -> Option<devices::Device> {
        let found = self.store.find_device(client_id);
        found.unwrap_or_else(|problem| {
            self.warn(&problem.detail);
            None
        })
    }

    /// Upgrades every device, whatever it runs.
    ///
    /// # Errors
    /// What was in the way, for a person.
    pub fn upgrade_all(&self) -> Result<(), String> {
        let products = self.store.device_products().map_err(|problem| problem.detail)?;
        products.iter().try_for_each(|product_id| self.upgrade(product_id, None))
    }

    /// Upgrades one device, whatever it runs.
    ///
    /// # Errors
    /// What was in the way, for a person.
    pub fn upgrade_one(&self, client_id: &str) -> Result<(), String> {
        match self.store.device(client_id) {
            Ok(Some(device)) => self.upgrade(&device.product_id, Some(&[device.client_id])),
            Ok(None) => Err(format!("unknown device {client_id}")),
            Err(problem) => Err(problem.detail),
        }
    }

    /// Upgrades a product's devices, or those that are named, whatever they run.
    fn upgrade(&self, product_id: &str, named: Option<&[String]>) -> Result<(), String> {
        let found = self.firmware_for(product_id);
        let stored = found.map_err(|problem| problem.detail)?.ok_or_else(|| {
            format!("there is no firmware for product {product_id}: start the hub with --firmware and --version")
        })?;
        let order = NewOrder { named, whatever_they_run: true, ..NewOrder::new(stored.firmware.id, Scope::Chosen) };
        let upgrade = self.place(&stored, &order).map_err(|problem| problem.detail)?;
        if upgrade.counts.waiting > 0 {
            self.note(format!("told when they come, because they are not there: {}", upgrade.counts.waiting));
        }
        Ok(())
    }

    /// What a product is upgraded to where nobody says to what.
    fn firmware_for(&self, product_id: &str) -> Outcome<Option<Stored>> {
        match &self.offer {
            Some(version) => self.store.firmware_of_version(product_id, version),
            None => self.store.newest_firmware(product_id),
        }
    }

    /// Sends a device what `spoil` makes of the payload of its update command.
    pub fn send_spoilt(&self, client_id: &str, spoil: &dyn Fn(&str) -> String) {
        let good = self.device(client_id).and_then(|device| {
            let stored = self.firmware_for(&device.product_id).ok()??;
            self.update_command(&device, &stored)
        });
        match good {
            Some(good) => {
                self.send(Outgoing { payload: spoil(&good.payload), ..good });
            }
            None => self.warn("a fault rule wants an update command, but there is no firmware"),
        }
    }

    /// The topic a device gets its commands on.
    pub fn update_topic(&self, client_id: &str) -> Option<String> {
        let device = self.device(client_id)?;
        Some(ota::update_topic(&device.product_id, &device.device_name))
    }

    /// Publishes a payload on a device's update topic, whatever it is.
    ///
    /// # Errors
    /// What was in the way, for a person.
    pub fn send_raw(&self, client_id: &str, payload: String) -> Result<(), String> {
        let topic = self.update_topic(client_id).ok_or_else(|| format!("unknown device {client_id}"))?;
        if self.send(Outgoing { topic: topic.clone(), payload, acknowledged: true }) {
            self.note(format!("sent on {topic}"));
            Ok(())
        } else {
            Err(format!("nobody has subscribed to {topic}"))
        }
    }

    /// Cuts a device's connection.
    ///
    /// # Errors
    /// Why it can't, for a person.
    pub fn cut(&self, client_id: &str) -> Result<(), String> {
        self.downlink.cut(client_id)
    }

    /// Tells of a page of the devices, those after this client id.
    ///
    /// # Errors
    /// What is wrong with the store.
    pub fn list(&self, after: &str) -> Result<(), String> {
        let mut told = self.store.told(after, PAGE + 1).map_err(|problem| problem.detail)?;
        let next = Page::first().cut(&mut told, |(client_id, ..)| client_id.clone());
        let devices = told
            .into_iter()
            .map(|(client_id, version, state, percent)| DeviceRow {
                online: self.is_online(&client_id),
                client_id,
                version,
                state,
                percent,
            })
            .collect();
        self.events.emit(&Event::Devices { devices, next });
        Ok(())
    }
}
