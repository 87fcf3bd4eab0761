//! Devices and what they prove themselves with.

use base64::prelude::{Engine, BASE64_STANDARD};
use rusqlite::Connection;

use super::{no_device, Outcome};
use crate::devices::{check_device_name, check_product_id, decode_key, MAX_DEVICE_NAME, MAX_KEY, MAX_PRODUCT_ID};
use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::service::Touched;
use crate::store::devices::{self, Credential};
use crate::store::{upgrades, Durability};

/// Bytes in a secret made here, as many as the platform's have.
const SECRET: usize = 16;

/// A credential, and what is shown of it once.
struct Made {
    credential: Credential,
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
        let added = self.store.write(Durability::Full, |db| {
            if let Some(there) = devices::find(db, &client_id)? {
                // Two devices of different products can make one client id.
                return Err(Problem::conflict(format!(
                    "There is already a device with the client id {client_id}: {} of product {}.",
                    there.device_name, there.product_id
                ))
                .coded(
                    ProblemCode::ClientIdTaken,
                    &[("client_id", &client_id), ("product", &there.product_id), ("name", &there.device_name)],
                ));
            }
            let made = self.make(&client_id, proof, secret)?;
            devices::add(db, &client_id, &product_id, &device_name, &made.credential)?;
            show(db, &client_id, made)
        })?;
        self.change(Change::Device { device: added.device.clone() });
        Ok(added)
    }

    /// A new secret or certificate for a device; the one before ends at once.
    pub fn renew_device(&self, client_id: &str) -> Outcome<NewDevice> {
        let mut renewed = self.store.write(Durability::Full, |db| {
            let device = devices::get(db, client_id)?.ok_or_else(|| no_device(client_id))?;
            let made = self.make(client_id, device.proof, None)?;
            devices::set_credential(db, client_id, &made.credential)?;
            show(db, client_id, made)
        })?;
        self.send_away(client_id);
        renewed.device.online = self.is_online(client_id);
        self.change(Change::Device { device: renewed.device.clone() });
        Ok(renewed)
    }

    /// Removes a device and cuts its connection.
    pub fn remove_device(&self, client_id: &str) -> Outcome<()> {
        let mut touched = Touched::default();
        self.store.write(Durability::Full, |db| {
            if !devices::remove(db, client_id)? {
                return Err(no_device(client_id));
            }
            if let Some(job) = upgrades::cancel_device(db, client_id, now_ms())? {
                touched.jobs.insert(job.id);
                touched.upgrades.insert(job.upgrade_id);
            }
            Ok(())
        })?;
        self.send_away(client_id);
        self.change(Change::DeviceRemoved { client_id: client_id.to_owned() });
        self.announce(&touched);
        Ok(())
    }

    fn make(&self, client_id: &str, proof: Proof, secret: Option<String>) -> Outcome<Made> {
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
                Ok(Made { credential: Credential::Key(key), secret, certificate: None })
            }
            Proof::Certificate => {
                let client = self.authority.renew_client(client_id)?;
                let certificate =
                    Some(Certificate { certificate: client.certificate, private_key: client.private_key });
                Ok(Made { credential: Credential::Certificate(client.serial), secret: None, certificate })
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

fn show(db: &Connection, client_id: &str, made: Made) -> Outcome<NewDevice> {
    let device = devices::get(db, client_id)?.ok_or_else(|| no_device(client_id))?;
    let device = Device { online: Some(false), ..device };
    Ok(NewDevice { device, secret: made.secret, certificate: made.certificate })
}
