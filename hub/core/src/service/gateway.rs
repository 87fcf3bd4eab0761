//! The gateway service at work.

use base64::prelude::{Engine, BASE64_STANDARD};
use rumqttc::mqttbytes::v4::Publish;

use crate::devices::Device;
use crate::gateway::message::{self, Action, Entry, Said};
use crate::gateway::{check, result, Secret};
use crate::hub::{now_ms, Hub};
use crate::model::Problem;
use crate::ports::store::Touched;
use crate::ports::Received;

impl Hub {
    /// Does what a gateway asks for. `sender` is whose connection it came by, `gateway` whom the topic names.
    pub(super) fn ask_gateway(&self, sender: &str, gateway: &Device, message: &Publish) -> Result<Received, Problem> {
        let client_id = format!("{}{}", gateway.product_id, gateway.device_name);
        let refuse = |text: String| {
            self.warn_of(sender, text);
            Ok(Received::default())
        };
        if sender != client_id {
            return refuse(format!("a gateway request in the name of {client_id}"));
        }
        match message::read(&message.payload) {
            Err(text) => return refuse(text),
            Ok(Said::Answer(kind)) => self.tell_of_gateway(&client_id, kind, None, result::DONE),
            Ok(Said::Describe) => {
                let bound = self.store.gateway(&client_id)?.devices.into_iter();
                let devices: Vec<_> = bound.map(|device| (device.product_id, device.device_name)).collect();
                self.send_to_gateway(gateway, message::described(&devices));
            }
            Ok(Said::Ask(action, entries)) => {
                let mut results = Vec::new();
                for entry in entries {
                    let result = self.act(&client_id, action, &entry)?;
                    results.push((entry, result));
                }
                self.send_to_gateway(gateway, message::answer(action, &results));
                for (entry, result) in results {
                    self.tell_of_gateway(&client_id, action.name(), Some(&entry.client_id()), result);
                }
            }
        }
        Ok(Received::default())
    }

    fn act(&self, gateway: &str, action: Action, entry: &Entry) -> Result<i64, Problem> {
        let client_id = entry.client_id();
        let known = self.store.find_device(&client_id)?;
        let known = known.filter(|device| device.product_id == entry.product_id);
        let bound = self.store.gateway_of(&client_id)?.is_some_and(|there| there == gateway);
        match (action, known) {
            (Action::Bind, None) => Ok(result::NO_DEVICE),
            (Action::Bind, Some(device)) => self.bind_signed(gateway, &client_id, &device, entry),
            (_, Some(_)) if bound => self.act_on_bound(gateway, action, client_id),
            _ => Ok(result::NOT_BOUND),
        }
    }

    fn act_on_bound(&self, gateway: &str, action: Action, client_id: String) -> Result<i64, Problem> {
        match action {
            Action::Online if self.downlink.is_online(&client_id) == Some(true) => return Ok(result::NOT_ALLOWED),
            // Where another broker keeps the connections, nobody would say when this one is gone.
            Action::Online if self.downlink.is_shared() => {}
            Action::Online => drop(self.behind().insert(client_id, gateway.to_owned())),
            Action::Offline | Action::Bind => drop(self.behind().remove(&client_id)),
            Action::Unbind => {
                if !self.store.unbind(gateway, &client_id)? {
                    return Ok(result::NOT_BOUND);
                }
                self.part(gateway, &client_id);
            }
        }
        Ok(result::DONE)
    }

    fn bind_signed(&self, gateway: &str, client_id: &str, device: &Device, entry: &Entry) -> Result<i64, Problem> {
        let Some(proof) = &entry.proof else {
            return Ok(result::BAD_REQUEST);
        };
        if client_id == gateway {
            return Ok(result::NOT_BINDABLE);
        }
        let secret = match &device.key {
            Some(key) => Secret::Text(BASE64_STANDARD.encode(key)),
            None => match self.certificates.client_certificate(client_id) {
                Some(file) => Secret::Certificate(file),
                None => {
                    self.warn_of(client_id, "it cannot be bound: the hub does not have its certificate".to_owned());
                    return Ok(result::BAD_SIGNATURE);
                }
            },
        };
        match check(proof, client_id, &secret, now_ms() / 1000) {
            result::DONE => Ok(match self.store.bind(gateway, client_id)? {
                None => result::DONE,
                Some(there) if there == gateway => result::BOUND_ALREADY,
                Some(_) => result::BOUND_ELSEWHERE,
            }),
            refusal => Ok(refusal),
        }
    }

    /// A gateway's connection has begun or ended: its devices are gone until it says otherwise.
    pub(super) fn lose_devices_behind(&self, gateway: &str, touched: &mut Touched) {
        self.behind().retain(|device, at| {
            let stays = at != gateway;
            if !stays {
                touched.devices.insert(device.clone());
                touched.gateways.insert(gateway.to_owned());
            }
            stays
        });
    }

    /// Whether a message on this topic can reach the device now, by its own connection or its gateway's.
    pub(super) fn hears(&self, client_id: &str, topic: &str) -> bool {
        if self.downlink.listens(client_id, topic) {
            return true;
        }
        let gateway = self.behind().get(client_id).cloned();
        gateway.is_some_and(|gateway| self.downlink.listens(&gateway, topic))
    }
}
