//! Gateways, from the side of people.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use crate::devices::Device;
use crate::events::Event;
use crate::gateway::{message, result};
use crate::hub::Hub;
use crate::model::{Gateway, GatewayList, Page, Problem, SearchDevices, SubDeviceList};
use crate::ota::Outgoing;
use crate::ports::store::{Outcome, Touched};
use crate::problems;

impl Hub {
    /// Devices that others are bound to, with these: a page counts the latter.
    pub fn gateway_list(&self, page: &Page) -> Outcome<GatewayList> {
        let after = page.after.as_deref().unwrap_or_default();
        let after = after.split_once('/').unwrap_or((after, ""));
        let mut gateways = self.store.gateways(after, &page.search, page.and_one()?.limit)?;
        let bound: u64 = gateways.iter().map(|gateway| gateway.devices.len() as u64).sum();
        let mut next = None;
        if bound > page.limit {
            if let Some(last) = gateways.last_mut() {
                last.devices.pop();
            }
            gateways.retain(|gateway| !gateway.devices.is_empty());
            let last = gateways.last().and_then(|gateway| Some((gateway, gateway.devices.last()?)));
            next = last.map(|(gateway, device)| format!("{}/{}", gateway.client_id, device.client_id));
        }
        gateways.iter_mut().for_each(|gateway| self.fill_in(gateway));
        Ok(GatewayList { gateways, next })
    }

    /// Devices behind a gateway.
    pub fn gateway_devices(&self, gateway: &str, page: &Page) -> Outcome<SubDeviceList> {
        let mut devices = self.store.gateway_devices(gateway, &page.and_one()?)?;
        let next = page.cut(&mut devices, |device| device.client_id.clone());
        for device in &mut devices {
            device.online = self.is_online(&device.client_id);
        }
        Ok(SubDeviceList { devices, next })
    }

    /// Binds a device to a gateway without its signature, and tells the gateway.
    pub fn bind_device(&self, gateway: &str, client_id: &str) -> Outcome<Gateway> {
        let (at, device) = (self.known_device(gateway)?, self.known_device(client_id)?);
        if gateway == client_id {
            return Err(Problem::invalid("A device cannot be bound to itself."));
        }
        if let Some(there) = self.store.bind(gateway, client_id)? {
            return Err(problems::device_bound(client_id, &there));
        }
        self.send_to_gateway(&at, message::change(true, &[names(device)]));
        self.tell_of_gateway(gateway, "bind", Some(client_id), result::DONE);
        self.gateway(gateway)
    }

    /// Takes a device from a gateway, and tells it.
    pub fn unbind_device(&self, gateway: &str, client_id: &str) -> Outcome<Gateway> {
        let (at, device) = (self.known_device(gateway)?, self.known_device(client_id)?);
        if !self.store.unbind(gateway, client_id)? {
            return Err(problems::device_not_bound(client_id, gateway));
        }
        self.part(gateway, client_id);
        self.send_to_gateway(&at, message::change(false, &[names(device)]));
        self.tell_of_gateway(gateway, "unbind", Some(client_id), result::DONE);
        self.gateway(gateway)
    }

    /// Takes every device from a gateway, and tells it.
    pub fn unbind_all(&self, gateway: &str) -> Outcome<Gateway> {
        let at = self.known_device(gateway)?;
        let before = self.store.unbind_all(gateway)?;
        for device in &before.devices {
            self.part(gateway, &device.client_id);
        }
        self.send_to_gateway(&at, message::unbind_all());
        self.events.emit(&Event::Gateway {
            client_id: gateway.to_owned(),
            action: "unbind_all",
            device: None,
            result: result::DONE,
        });
        let mut touched = Touched::default();
        touched.devices.extend(before.devices.into_iter().map(|device| device.client_id));
        touched.gateways.insert(gateway.to_owned());
        self.notify(&touched);
        self.gateway(gateway)
    }

    /// Tells a gateway to look for devices, or to stop.
    pub fn search_devices(&self, gateway: &str, what: &SearchDevices) -> Outcome<()> {
        let at = self.known_device(gateway)?;
        if self.send_to_gateway(&at, message::search(what.on)) {
            Ok(())
        } else {
            Err(problems::gateway_deaf(gateway))
        }
    }

    /// Which device can be reached through which gateway.
    pub(crate) fn behind(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send_to_gateway(&self, gateway: &Device, payload: String) -> bool {
        let topic = format!("$gateway/operation/result/{}/{}", gateway.product_id, gateway.device_name);
        self.send(Outgoing { topic, payload, acknowledged: true })
    }

    /// Says what has happened to a device behind a gateway.
    pub(crate) fn tell_of_gateway(&self, gateway: &str, action: &'static str, device: Option<&str>, result: i64) {
        let (client_id, device) = (gateway.to_owned(), device.map(str::to_owned));
        self.events.emit(&Event::Gateway { client_id, action, device: device.clone(), result });
        if result == result::DONE {
            let mut touched = Touched::default();
            touched.devices.extend(device);
            touched.gateways.insert(gateway.to_owned());
            self.notify(&touched);
        }
    }

    /// Says who of a gateway and its devices is there.
    pub(crate) fn fill_in(&self, gateway: &mut Gateway) {
        gateway.online = self.is_online(&gateway.client_id);
        for device in &mut gateway.devices {
            device.online = self.is_online(&device.client_id);
        }
    }

    fn gateway(&self, client_id: &str) -> Outcome<Gateway> {
        let mut gateway = self.store.gateway(client_id)?;
        self.fill_in(&mut gateway);
        Ok(gateway)
    }

    /// A device that there is.
    pub fn known_device(&self, client_id: &str) -> Outcome<Device> {
        self.store.find_device(client_id)?.ok_or_else(|| problems::no_device(client_id))
    }
}

fn names(device: Device) -> (String, String) {
    (device.product_id, device.device_name)
}
