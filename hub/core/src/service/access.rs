//! Rights, with what the store knows of devices and gateways.

use crate::hub::Hub;
use crate::messaging;
use crate::model::Problem;
use crate::rights::{self, Right};

impl Hub {
    /// Whether a device has this right.
    pub(super) fn may(&self, client_id: &str, right: &Right<'_>) -> Result<bool, Problem> {
        let is_own = |product: &str, name: &str| client_id.strip_prefix(product) == Some(name);
        match *right {
            Right::All => Ok(true),
            Right::Nobody => Ok(false),
            Right::Alone(product, name) => Ok(is_own(product, name)),
            Right::Device(product, name) | Right::Data(product, name) if is_own(product, name) => Ok(true),
            Right::Device(product, name) | Right::Data(product, name) => {
                let other = format!("{product}{name}");
                let known = self.store.find_device(&other)?;
                if known.is_some_and(|device| device.product_id == product) {
                    return Ok(self.store.gateway_of(&other)?.is_some_and(|gateway| gateway == client_id));
                }
                Ok(matches!(right, Right::Data(..)))
            }
        }
    }

    /// Whether a device may subscribe to this filter.
    pub fn may_subscribe(&self, client_id: &str, filter: &str) -> bool {
        let may = self.may(client_id, &rights::to_hear(filter)).unwrap_or_else(|problem| {
            self.warn_of(client_id, format!("a subscription could not be judged: {}", problem.detail));
            false
        });
        let device = self.device(client_id);
        may && device.is_some_and(|device| messaging::may_subscribe(filter, &device.product_id, &device.device_name))
    }

    /// A device is no longer bound to this gateway, which hears nothing more of it.
    pub(crate) fn part(&self, gateway: &str, client_id: &str) {
        self.behind().remove(client_id);
        self.downlink.revoke(gateway, &|filter| match rights::to_hear(filter) {
            Right::Device(product, name) | Right::Data(product, name) => {
                client_id.strip_prefix(product) == Some(name) && client_id != gateway
            }
            _ => false,
        });
    }
}
