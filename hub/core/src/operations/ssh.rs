//! SSH tunnels, from the side of people, and whose they are.

use crate::events::Event;
use crate::hub::Hub;
use crate::model::Problem;
use crate::ports::store::Outcome;
use crate::ssh::{switch, SignIn};

impl Hub {
    /// Has a device make a tunnel, or end it.
    pub fn switch_ssh(&self, client_id: &str, on: bool) -> Outcome<()> {
        let device = self.known_device(client_id)?;
        let message = switch(&device.product_id, &device.device_name, on);
        let is_there = self.is_online(client_id) != Some(false) && self.downlink.listens(client_id, &message.topic);
        if !is_there || !self.send(message) {
            return Err(Problem::conflict(format!(
                "{client_id} is not connected, or its program has not called IOT_Ssh_enable."
            )));
        }
        self.tell_of_ssh(client_id, if on { "asked for" } else { "no longer wanted" });
        Ok(())
    }

    /// The device that signs in so.
    ///
    /// # Errors
    /// Why it is not let in; people are told.
    pub fn ssh_device(&self, payload: &[u8]) -> Result<String, String> {
        let sign_in = SignIn::read(payload)?;
        let client_id = format!("{}{}", sign_in.product_id, sign_in.device_name);
        let device = self.device(&client_id).filter(|device| device.product_id == sign_in.product_id);
        let device = device.ok_or_else(|| format!("there is no device {client_id:?}"))?;
        let by_certificate = |text: &[u8], signature: &[u8]| self.certificates.is_signed(&client_id, text, signature);
        sign_in.check(device.key.as_deref(), by_certificate)?;
        Ok(client_id)
    }

    /// Tells people of a device's tunnel.
    pub fn tell_of_ssh(&self, client_id: &str, state: &'static str) {
        self.events.emit(&Event::Ssh { client_id: client_id.to_owned(), state });
    }
}
