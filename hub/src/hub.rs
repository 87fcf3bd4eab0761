//! What all parts share: the devices, the OTA service, the events, and the way to the devices.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use tokio::sync::mpsc;

use crate::broker::Broker;
use crate::commands::Command;
use crate::devices::Devices;
use crate::events::{DeviceRow, Event, Reporter};
use crate::fault::{self, Faults};
use crate::ota::{self, Ota, Outgoing, Reaction, Verdict};
use crate::remote;

/// The way to the devices.
pub enum Outlet {
    /// The own broker.
    Own(Arc<Broker>),
    /// A connection to somebody else's.
    Remote(remote::Client),
}

/// The hub. Any thread may call it; no call waits for the network.
pub struct Hub {
    pub devices: Devices,
    pub events: Reporter,
    /// How it misbehaves.
    pub faults: Arc<Faults>,
    ota: Mutex<Ota>,
    outlet: Outlet,
    verdicts: mpsc::UnboundedSender<Verdict>,
}

/// UTC in milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Hub {
    /// Puts the parts together. Verdicts of the OTA service go out through `verdicts`.
    pub fn new(
        devices: Devices,
        events: Reporter,
        faults: Arc<Faults>,
        ota: Ota,
        outlet: Outlet,
        verdicts: mpsc::UnboundedSender<Verdict>,
    ) -> Self {
        Hub { devices, events, faults, ota: Mutex::new(ota), outlet, verdicts }
    }

    fn ota(&self) -> MutexGuard<'_, Ota> {
        self.ota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a device published: passes it on to other devices and to the service.
    pub fn device_message(&self, client_id: &str, message: &Publish) {
        self.events.emit(&Event::Message {
            client_id: client_id.to_owned(),
            topic: message.topic.clone(),
            qos: message.qos as u8,
            payload: String::from_utf8_lossy(&message.payload).into_owned(),
        });
        if let Outlet::Own(broker) = &self.outlet {
            broker.publish(message);
        }
        let reaction = self.ota().message(&message.topic, &message.payload, now_ms());
        self.apply(reaction);
    }

    /// Says what happened, sends what is to be sent, and passes a verdict on.
    fn apply(&self, reaction: Reaction) {
        for event in &reaction.events {
            self.events.emit(event);
        }
        for message in reaction.messages {
            self.send(message);
        }
        if let Some(verdict) = reaction.verdict {
            // Nobody listens any more when the hub is already on its way out.
            let _ = self.verdicts.send(verdict);
        }
    }

    /// Sends a message; false where it certainly reaches nobody.
    fn send(&self, message: Outgoing) -> bool {
        let qos = if message.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        match &self.outlet {
            Outlet::Own(broker) => broker.publish(&Publish::new(message.topic, qos, message.payload)) > 0,
            Outlet::Remote(client) => {
                let sent = client.publish(Publish::new(message.topic, qos, message.payload));
                if !sent {
                    self.warn("the broker does not keep up: a message was dropped");
                }
                sent
            }
        }
    }

    /// Something a person should know.
    pub fn warn(&self, text: &str) {
        self.events.emit(&Event::Warning { client_id: None, text: text.to_owned() });
    }

    fn note(&self, text: impl Into<String>) {
        self.events.emit(&Event::Note { text: text.into() });
    }

    /// Carries a command out (but `Quit`, which is the caller's).
    pub fn command(&self, command: Command) {
        let outcome = match command {
            Command::Devices => {
                self.list();
                Ok(())
            }
            Command::UpgradeAll => {
                let ids: Vec<String> = self.devices.iter().map(|(id, _)| id.to_owned()).collect();
                ids.iter().try_for_each(|id| self.upgrade(id))
            }
            Command::Upgrade(client_id) => self.upgrade(&client_id),
            Command::Send(client_id, payload) => self.send_raw(&client_id, payload),
            Command::Drop(client_id) => self.cut(&client_id),
            Command::Fault(rule) => self.faults.add(&rule).map(|()| self.note(format!("fault {rule}"))),
            Command::NoFaults => {
                self.faults.clear();
                self.note("no faults");
                Ok(())
            }
            Command::Help => {
                self.note(Command::HELP);
                Ok(())
            }
            Command::Quit => Ok(()),
        };
        if let Err(text) = outcome {
            self.warn(&text);
        }
    }

    fn upgrade(&self, client_id: &str) -> Result<(), String> {
        let reaction = self.ota().upgrade(client_id)?;
        self.apply(reaction);
        Ok(())
    }

    /// Sends a device an update command of a fault rule.
    pub fn fault_command(&self, client_id: &str, command: &fault::Command) {
        let order = self.ota().order_for(client_id);
        match order {
            Some(good) => {
                self.send(Outgoing { payload: command.payload(&good.payload), ..good });
            }
            None => self.warn("a fault rule wants an update command, but there is no firmware"),
        }
    }

    /// The topic a device gets its commands on.
    pub fn update_topic(&self, client_id: &str) -> Option<String> {
        let device = self.devices.get(client_id)?;
        Some(ota::update_topic(&device.product_id, &device.device_name))
    }

    fn send_raw(&self, client_id: &str, payload: String) -> Result<(), String> {
        let device = self.devices.get(client_id).ok_or_else(|| format!("unknown device {client_id}"))?;
        let topic = ota::update_topic(&device.product_id, &device.device_name);
        if self.send(Outgoing { topic: topic.clone(), payload, acknowledged: true }) {
            self.note(format!("sent on {topic}"));
            Ok(())
        } else {
            Err(format!("nobody has subscribed to {topic}"))
        }
    }

    fn cut(&self, client_id: &str) -> Result<(), String> {
        match &self.outlet {
            Outlet::Own(broker) if broker.cut(client_id) => Ok(()),
            Outlet::Own(_) => Err(format!("{client_id} is not connected")),
            Outlet::Remote(_) => {
                Err("the connections are another broker's: drop works with the own one only".to_owned())
            }
        }
    }

    fn list(&self) {
        let rows = self.ota().progress().map(|(id, progress)| self.row(id, progress)).collect();
        self.events.emit(&Event::Devices { devices: rows });
    }

    fn row(&self, client_id: &str, progress: &ota::Progress) -> DeviceRow {
        DeviceRow {
            client_id: client_id.to_owned(),
            online: match &self.outlet {
                Outlet::Own(broker) => Some(broker.is_online(client_id)),
                Outlet::Remote(_) => None,
            },
            version: progress.version.clone(),
            state: progress.state.clone(),
            percent: progress.percent,
        }
    }
}
