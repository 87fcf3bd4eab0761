//! Devices and what they prove themselves with.

use base64::prelude::{Engine, BASE64_STANDARD};

use crate::devices::{check_device_name, check_product_id, decode_key, MAX_DEVICE_NAME, MAX_KEY, MAX_PRODUCT_ID};
use crate::gateway::message::change;
use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::ports::store::{Credential, Outcome};
use crate::registration::Refusal;

/// Bytes in a secret made here, as many as the platform's have.
const SECRET: usize = 16;

/// What is shown of a credential once.
#[derive(Default)]
struct Made {
    secret: Option<String>,
    certificate: Option<Certificate>,
}

impl Hub {
    /// Adds a device; what it returns holds the secret or certificate for the only time.
    pub fn add_device(&self, what: AddDevice) -> Outcome<NewDevice> {
        let AddDevice { product_id, device_name, proof, secret } = what;
        check_product(&product_id)?;
        check_device_name(&device_name).map_err(|what| {
            Problem::invalid(format!("The device name {what}."))
                .coded(ProblemCode::DeviceNameBad, &[("max", &MAX_DEVICE_NAME)])
        })?;
        if proof == Proof::Certificate && secret.is_some() {
            return Err(Problem::invalid("A device with a certificate has no secret."));
        }
        let client_id = format!("{product_id}{device_name}");
        let mut made = None;
        let device = self.store.add_device(&client_id, &product_id, &device_name, &mut || {
            let (credential, shown) = self.make(&client_id, proof, secret.clone())?;
            made = Some(shown);
            Ok(credential)
        })?;
        let added = show(device, made);
        self.change(Change::Device { device: added.device.clone() });
        Ok(added)
    }

    /// A new secret or certificate for a device; the one before ends at once.
    pub fn renew_device(&self, client_id: &str) -> Outcome<NewDevice> {
        let mut made = None;
        let device = self.store.renew_device(client_id, &mut |proof| {
            let (credential, shown) = self.make(client_id, proof, None)?;
            made = Some(shown);
            Ok(credential)
        })?;
        let mut renewed = show(device, made);
        self.send_away(client_id);
        self.complete(&mut renewed.device);
        self.change(Change::Device { device: renewed.device.clone() });
        Ok(renewed)
    }

    /// Knows a device by a certificate of its own; what it had before ends at once.
    pub(super) fn adopt_certificate(&self, client_id: &str, pem: &str) -> Result<(), Refusal> {
        let renewed = self.store.renew_device(client_id, &mut |proof| match proof {
            Proof::Certificate => {
                let adopted = self.certificates.adopt_client(client_id, pem).map(Credential::Certificate);
                adopted.map_err(|error| Problem::invalid(format!("its own certificate is of no use: {error}")))
            }
            Proof::Secret => Err(Problem::conflict("a device with a secret has no certificate")),
        });
        let device = renewed.map_err(|problem| {
            self.warn_of(client_id, problem.detail);
            Refusal::Certificate
        })?;
        self.send_away(client_id);
        self.change(Change::Device { device: Device { online: Some(false), ..device } });
        Ok(())
    }

    /// Removes a device and cuts its connection.
    pub fn remove_device(&self, client_id: &str) -> Outcome<()> {
        let gateway = self.store.gateway_of(client_id)?;
        let removed = self.store.find_device(client_id)?;
        let mut touched = self.store.remove_device(client_id, now_ms())?;
        self.send_away(client_id);
        if let (Some(gateway), Some(removed)) = (gateway, removed) {
            self.part(&gateway, client_id);
            if let Some(at) = self.store.find_device(&gateway)? {
                self.send_to_gateway(&at, change(false, &[(removed.product_id, removed.device_name)]));
            }
            touched.gateways.insert(gateway);
        }
        self.change(Change::DeviceRemoved { client_id: client_id.to_owned() });
        self.notify(&touched);
        Ok(())
    }

    fn make(&self, client_id: &str, proof: Proof, secret: Option<String>) -> Outcome<(Credential, Made)> {
        match proof {
            Proof::Secret => {
                let key = match secret.as_deref() {
                    Some(secret) => decode_key(secret).map_err(|what| {
                        Problem::invalid(format!("The secret {what}."))
                            .coded(ProblemCode::SecretBad, &[("max", &MAX_KEY)])
                    })?,
                    None => crate::random::bytes(SECRET)?,
                };
                let secret = Some(BASE64_STANDARD.encode(&key));
                Ok((Credential::Key(key), Made { secret, certificate: None }))
            }
            Proof::Certificate => {
                let client = self.certificates.renew_client(client_id)?;
                let certificate =
                    Some(Certificate { certificate: client.certificate, private_key: client.private_key });
                Ok((Credential::Certificate(client.serial), Made { secret: None, certificate }))
            }
        }
    }
}

/// Whether a product can have this id.
pub(super) fn check_product(product_id: &str) -> Outcome<()> {
    check_product_id(product_id).map_err(|what| {
        Problem::invalid(format!("The product id {what}."))
            .coded(ProblemCode::ProductIdBad, &[("max", &MAX_PRODUCT_ID)])
    })
}

fn show(device: Device, made: Option<Made>) -> NewDevice {
    let device = Device { online: Some(false), ..device };
    let Made { secret, certificate } = made.unwrap_or_default();
    NewDevice { device, secret, certificate }
}
