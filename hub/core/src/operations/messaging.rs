//! Broadcast, RRPC and remote configuration: what a person can do, and what devices say to it.

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use tokio::sync::Notify;

use super::devices::check_product;
use crate::events::{Event, RrpcOutcome};
use crate::hub::{now_ms, Hub};
use crate::messaging::model::*;
use crate::messaging::rrpc::{read_id, Answer, MAX_TIME_LIMIT_MS, TIME_LIMIT_MS};
use crate::messaging::{self, config, Address, Service};
use crate::model::{Page, Problem, ProblemCode, ProblemKind, PAGE};
use crate::ports::messaging::NewRrpc;
use crate::ports::store::Outcome;
use crate::ports::Received;
use crate::problems;

impl Hub {
    /// Sends a message to every connected device of a product.
    pub fn broadcast(&self, what: Broadcast) -> Outcome<Broadcasted> {
        let Broadcast { product_id, payload, qos } = what;
        check_product(&product_id)?;
        let qos = match qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => return Err(Problem::invalid("`qos` is 0 or 1.")),
        };
        let payload = payload.bytes()?;
        let (devices, sent) =
            self.tell_product(&product_id, qos, &payload, messaging::broadcast_topic, &mut |_| Ok(()))?;
        if devices == 0 {
            return Err(problems::no_product(&product_id));
        }
        self.events.emit(&Event::Broadcast { product_id: product_id.clone(), bytes: payload.len(), sent });
        Ok(Broadcasted { product_id, devices, sent })
    }

    /// Sends a message to the connected devices of a product, many at a time; `note` hears whom. Returns how many devices the
    /// product has, and how many of them are told.
    fn tell_product(
        &self,
        product_id: &str,
        qos: QoS,
        payload: &[u8],
        topic: impl Fn(&str, &str) -> String,
        note: &mut dyn FnMut(Vec<String>) -> Outcome<()>,
    ) -> Outcome<(u64, u64)> {
        let (mut count, mut sent, mut after) = (0, 0, String::new());
        loop {
            let devices = self.store.product_devices(product_id, &after, PAGE)?;
            let Some((last, _)) = devices.last() else {
                return Ok((count, sent));
            };
            after.clone_from(last);
            count += devices.len() as u64;
            let told = devices.into_iter().filter(|(client_id, name)| {
                let message = || Publish::new(topic(product_id, name), qos, payload);
                self.is_online(client_id) != Some(false) && self.downlink.send(message())
            });
            let told: Vec<String> = told.map(|(client_id, _)| client_id).collect();
            sent += told.len() as u64;
            note(told)?;
        }
    }

    /// Sends a request to a device. Its id says in [`Hub::rrpc`] what became of it; [`Hub::answers`] rings meanwhile.
    pub fn ask_device(&self, client_id: &str, what: AskDevice) -> Outcome<Rrpc> {
        let AskDevice { payload, timeout_ms } = what;
        let timeout_ms = timeout_ms.unwrap_or(TIME_LIMIT_MS);
        if !(1..=MAX_TIME_LIMIT_MS).contains(&timeout_ms) {
            return Err(Problem::invalid(format!("`timeout_ms` is 1 to {MAX_TIME_LIMIT_MS}.")));
        }
        let payload = payload.bytes()?;
        let device = self.store.find_device(client_id)?.ok_or_else(|| problems::no_device(client_id))?;
        let topic = |id| messaging::rrpc_topic(&device.product_id, &device.device_name, id);
        let refuse = || Err(problems::does_not_listen(client_id));
        if self.is_online(client_id) == Some(false) || !self.downlink.listens(client_id, &topic(1)) {
            return refuse();
        }
        let request = NewRrpc { client_id, request: &payload, timeout_ms };
        let id = self.store.add_rrpc(&request, now_ms())?;
        // Before the device can say anything about it.
        self.tell_of_rrpc(client_id, &id.to_string(), RrpcOutcome::Asked);
        if !self.downlink.send(Publish::new(topic(id), QoS::AtMostOnce, payload)) {
            return refuse();
        }
        self.rrpc(id)
    }

    /// A request as it stands.
    pub fn rrpc(&self, id: i64) -> Outcome<Rrpc> {
        self.store.rrpc(id, now_ms())?.ok_or_else(|| problems::no_rrpc(id))
    }

    /// A request whose time has run out.
    pub fn rrpc_timed_out(&self, rrpc: &Rrpc) -> Problem {
        self.tell_of_rrpc(&rrpc.client_id, &rrpc.id.to_string(), RrpcOutcome::TimedOut);
        let Rrpc { id, client_id, timeout_ms, .. } = rrpc;
        Problem::new(
            ProblemKind::TimedOut,
            format!("{client_id} has not answered request {id} within {timeout_ms} ms."),
        )
        .coded(ProblemCode::NoAnswer, &[("client_id", client_id), ("id", id), ("timeout_ms", timeout_ms)])
    }

    /// Requests to a device, newest first.
    pub fn rrpc_list(&self, client_id: &str) -> Outcome<Vec<Rrpc>> {
        self.store.find_device(client_id)?.ok_or_else(|| problems::no_device(client_id))?;
        self.store.rrpcs(client_id, now_ms())
    }

    /// Rings whenever a device has answered a request.
    pub fn answers(&self) -> &Notify {
        &self.answers
    }

    /// Every product's configuration.
    pub fn remote_configs(&self) -> Outcome<Vec<RemoteConfig>> {
        let configs = self.store.remote_configs()?;
        Ok(configs.into_iter().map(|(product_id, stored)| show(&product_id, stored)).collect())
    }

    /// A product's configuration, and what its devices know of it.
    pub fn remote_config(&self, product_id: &str, page: &Page) -> Outcome<RemoteConfigDevices> {
        let stored = self.known_config(product_id)?;
        let mut devices = self.store.remote_config_devices(product_id, &page.and_one()?)?;
        let next = page.cut(&mut devices, |device| device.client_id.clone());
        Ok(RemoteConfigDevices { config: show(product_id, stored), devices, next })
    }

    /// Publishes a configuration: devices that are there are told, the others when they ask.
    pub fn publish_config(&self, product_id: &str, what: &PublishConfig) -> Outcome<PushedConfig> {
        check_product(product_id)?;
        let payload = config::check(&what.payload)?;
        let stored = self.store.set_remote_config(product_id, Some(payload), now_ms())?;
        self.tell_of_config(product_id, &stored);
        if what.quiet || !stored.enabled {
            let devices = self.store.device_count(product_id)?;
            return Ok(PushedConfig { config: show(product_id, stored), devices, sent: 0 });
        }
        self.push(product_id, stored)
    }

    /// Tells the devices of a product what their configuration is.
    pub fn push_config(&self, product_id: &str) -> Outcome<PushedConfig> {
        let stored = self.known_config(product_id)?;
        if !stored.enabled {
            return Err(Problem::conflict(format!("The configuration of product {product_id} is switched off."))
                .coded(ProblemCode::ConfigOff, &[("product", &product_id)]));
        }
        self.push(product_id, stored)
    }

    fn push(&self, product_id: &str, stored: config::Stored) -> Outcome<PushedConfig> {
        let payload = stored.payload.as_deref().ok_or_else(|| problems::no_config(product_id))?;
        let text = config::push_text(payload);
        let version = Some(stored.version);
        let mut note = |told: Vec<String>| {
            let note =
                |client_id| ConfigDevice { client_id, version, result: config::GOOD, pushed: true, at: now_ms() };
            let notes: Vec<ConfigDevice> = told.into_iter().map(note).collect();
            self.store.note_remote_config(product_id, &notes)?;
            for ConfigDevice { client_id, version, result, pushed, .. } in notes {
                self.events.emit(&Event::ConfigSent { client_id, version, result, pushed });
            }
            Ok(())
        };
        // There may be a configuration before there are devices.
        let (devices, sent) =
            self.tell_product(product_id, QoS::AtMostOnce, text.as_bytes(), messaging::config_topic, &mut note)?;
        Ok(PushedConfig { config: show(product_id, stored), devices, sent })
    }

    /// Lets devices have a product's configuration, or not.
    pub fn switch_config(&self, product_id: &str, enabled: bool) -> Outcome<RemoteConfig> {
        check_product(product_id)?;
        let stored = self.store.switch_remote_config(product_id, enabled, now_ms())?;
        self.tell_of_config(product_id, &stored);
        Ok(show(product_id, stored))
    }

    /// Removes a product's configuration.
    pub fn remove_config(&self, product_id: &str) -> Outcome<()> {
        let stored = self.known_config(product_id)?;
        stored.payload.ok_or_else(|| problems::no_config(product_id))?;
        let stored = self.store.set_remote_config(product_id, None, now_ms())?;
        self.tell_of_config(product_id, &stored);
        Ok(())
    }

    fn known_config(&self, product_id: &str) -> Outcome<config::Stored> {
        self.store.remote_config(product_id)?.ok_or_else(|| problems::no_config(product_id))
    }

    /// Takes what a device said to these services. `None`: it could not be kept.
    pub(crate) fn receive_message(&self, from: &str, address: &Address<'_>, message: &Publish) -> Option<Received> {
        let client_id = address.client_id();
        let outcome = match self.store.find_device(&client_id) {
            Ok(Some(device)) if device.product_id == address.product_id && from == client_id => match address.service {
                Service::Rrpc(id) => self.take_answer(&client_id, id, &message.payload),
                Service::Config => self.take_question(address, &message.payload),
                Service::Log => self.take_level_question(address, &message.payload),
                Service::Resource => self.take_resource(address, &message.payload),
            },
            Ok(_) => {
                self.warn_of(from, format!("a message on {}, which is not its own", message.topic));
                Ok(())
            }
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(()) => Some(Received::default()),
            Err(problem) => {
                self.warn_of(from, format!("a message could not be kept: {}", problem.detail));
                None
            }
        }
    }

    fn take_answer(&self, client_id: &str, id: &str, answer: &[u8]) -> Outcome<()> {
        let known = match read_id(id) {
            Some(id) => self.store.answer_rrpc(client_id, id, answer, now_ms())?,
            None => None,
        };
        let outcome = match known {
            Some(Answer::InTime) => RrpcOutcome::Answered,
            Some(Answer::Late) => RrpcOutcome::Late,
            Some(Answer::Again) => RrpcOutcome::Again,
            None => RrpcOutcome::NeverAsked,
        };
        self.tell_of_rrpc(client_id, id, outcome);
        self.answers.notify_waiters();
        Ok(())
    }

    fn take_question(&self, address: &Address<'_>, question: &[u8]) -> Outcome<()> {
        let client_id = address.client_id();
        if let Err(text) = config::read(question) {
            self.warn_of(&client_id, text);
            return Ok(());
        }
        let stored = self.store.remote_config(address.product_id)?;
        let (result, payload) = config::reply(stored.as_ref());
        let version = stored.as_ref().filter(|_| result == config::GOOD).map(|stored| stored.version);
        let topic = messaging::config_topic(address.product_id, address.device_name);
        self.downlink.send(Publish::new(topic, QoS::AtMostOnce, config::reply_text(result, payload)));
        let told = ConfigDevice { client_id: client_id.clone(), version, result, pushed: false, at: now_ms() };
        self.store.note_remote_config(address.product_id, &[told])?;
        self.events.emit(&Event::ConfigSent { client_id, version, result, pushed: false });
        Ok(())
    }

    fn tell_of_rrpc(&self, client_id: &str, id: &str, outcome: RrpcOutcome) {
        self.events.emit(&Event::Rrpc { client_id: client_id.to_owned(), id: id.to_owned(), outcome });
    }

    fn tell_of_config(&self, product_id: &str, stored: &config::Stored) {
        self.events.emit(&Event::Config {
            product_id: product_id.to_owned(),
            version: stored.version,
            enabled: stored.enabled,
            bytes: stored.payload.as_ref().map(String::len),
        });
    }
}

fn show(product_id: &str, stored: config::Stored) -> RemoteConfig {
    let config::Stored { version, payload, enabled, changed_at } = stored;
    RemoteConfig { product_id: product_id.to_owned(), version, payload, enabled, changed_at }
}
