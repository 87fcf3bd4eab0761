//! What a person can do at the hub: firmware, devices, orders. The API and the command line are thin covers of this.
//!
//! Any thread may call; no call waits for the network or for a device. Every change is told to those who `watch`.

mod devices;
mod offer;
mod orders;
mod upload;

use tokio::sync::broadcast;

use crate::error::Fatal;
use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::store::{self, upgrades, Durability};

pub use offer::offer;
pub use upload::{copy, tidy, Upload};

type Outcome<T> = Result<T, Problem>;

impl From<Fatal> for Problem {
    fn from(fatal: Fatal) -> Self {
        Problem::new(ProblemKind::Internal, fatal.to_string())
    }
}

fn no_firmware(id: i64) -> Problem {
    Problem::unknown(format!("There is no firmware {id}.")).coded(ProblemCode::FirmwareUnknown, &[("id", &id)])
}

fn no_device(client_id: &str) -> Problem {
    Problem::unknown(format!("There is no device {client_id:?}."))
        .coded(ProblemCode::DeviceUnknown, &[("client_id", &client_id)])
}

fn no_upgrade(id: i64) -> Problem {
    Problem::unknown(format!("There is no upgrade {id}.")).coded(ProblemCode::UpgradeUnknown, &[("id", &id)])
}

impl Hub {
    /// Every firmware, newest first.
    pub fn firmware_list(&self) -> Outcome<Vec<Firmware>> {
        Ok(self.store.read(store::firmware::list)?)
    }

    /// Begins to take a firmware in; what is wrong with its name is told before the first byte. `size` where it is known.
    pub fn upload(&self, what: AddFirmware, size: Option<u64>) -> Outcome<Upload> {
        Upload::begin(self, what, size)
    }

    /// Removes a firmware that no unfinished upgrade needs.
    pub fn remove_firmware(&self, id: i64) -> Outcome<()> {
        let stored = self.store.write(Durability::Full, |db| {
            let stored = store::firmware::get(db, id)?.ok_or_else(|| no_firmware(id))?;
            if let Some(upgrade) = upgrades::needing(db, id)? {
                let Firmware { product_id, version, .. } = &stored.firmware;
                return Err(Problem::conflict(format!(
                    "Upgrade {upgrade} still needs firmware {version} of product {product_id}: cancel it, or wait for its end."
                ))
                .coded(
                    ProblemCode::FirmwareNeeded,
                    &[("upgrade", &upgrade), ("product", product_id), ("version", version)],
                ));
            }
            store::firmware::remove(db, id, now_ms())?;
            Ok(stored)
        })?;
        if stored.path.is_none() {
            // A file that stays takes space and nothing else; the next upload of this version takes its place.
            if let Err(error) = std::fs::remove_file(self.site.file(&stored)) {
                self.warn(&format!("cannot remove {}: {error}", self.site.file(&stored).display()));
            }
        }
        self.change(Change::FirmwareRemoved { id });
        Ok(())
    }

    /// Every device in order of client id.
    pub fn device_list(&self) -> Outcome<Vec<Device>> {
        let mut devices = self.store.read(store::devices::list)?;
        for device in &mut devices {
            device.online = self.is_online(&device.client_id);
        }
        Ok(devices)
    }

    /// Every order, newest first: also the history.
    pub fn upgrade_list(&self) -> Outcome<Vec<Upgrade>> {
        Ok(self.store.read(upgrades::list)?)
    }

    /// An order with its jobs.
    pub fn upgrade_jobs(&self, id: i64) -> Outcome<(Upgrade, Vec<Job>)> {
        self.store.read(|db| {
            let upgrade = upgrades::get(db, id)?.ok_or_else(|| no_upgrade(id))?;
            Ok((upgrade, upgrades::upgrade_jobs(db, id)?))
        })
    }

    /// The jobs a device ever had, newest first.
    pub fn device_jobs(&self, client_id: &str) -> Outcome<Vec<Job>> {
        self.store.read(|db| {
            store::devices::find(db, client_id)?.ok_or_else(|| no_device(client_id))?;
            Ok(upgrades::device_jobs(db, client_id)?)
        })
    }

    /// Every change from now on.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Ends a device's connection and what the broker keeps for it.
    fn send_away(&self, client_id: &str) {
        self.downlink.forget(client_id);
    }
}

#[cfg(test)]
mod tests;
