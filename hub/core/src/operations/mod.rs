//! What a person can do at the hub: firmware, devices, orders. The API and the command line are thin covers of this.
//!
//! Any thread may call; no call waits for the network or for a device. Every change is told to those who `watch`.

mod devices;
mod figures;
mod gateway;
mod logs;
mod messaging;
mod orders;
mod registration;
mod resource;
mod shadow;
mod upload;
mod users;

use tokio::sync::broadcast;

use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::ports::store::Outcome;

pub use figures::Standing;
pub use resource::Untaken;
pub use upload::{copy, tidy, Upload};

impl Hub {
    /// Every firmware, newest first.
    pub fn firmware_list(&self) -> Outcome<Vec<Firmware>> {
        self.store.firmware_list()
    }

    /// Begins to take a firmware in; what is wrong with its name is told before the first byte. `size` where it is known.
    pub fn upload(&self, what: AddFirmware, size: Option<u64>) -> Outcome<Upload> {
        Upload::begin(self, what, size)
    }

    /// Removes a firmware that no unfinished upgrade needs.
    pub fn remove_firmware(&self, id: i64) -> Outcome<()> {
        let stored = self.store.remove_firmware(id, now_ms())?;
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
        let mut devices = self.store.devices()?;
        for device in &mut devices {
            device.online = self.is_online(&device.client_id);
        }
        Ok(devices)
    }

    /// Every order, newest first: also the history.
    pub fn upgrade_list(&self) -> Outcome<Vec<Upgrade>> {
        self.store.upgrades()
    }

    /// An order with its jobs.
    pub fn upgrade_jobs(&self, id: i64) -> Outcome<(Upgrade, Vec<Job>)> {
        self.store.upgrade_jobs(id)
    }

    /// The jobs a device ever had, newest first.
    pub fn device_jobs(&self, client_id: &str) -> Outcome<Vec<Job>> {
        self.store.device_jobs(client_id)
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
