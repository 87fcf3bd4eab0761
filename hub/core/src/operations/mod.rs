//! What a person can do at the hub: firmware, devices, orders. The API and the command line are thin covers of this.
//!
//! Any thread may call; no call waits for a device, and only what puts, looks for or removes a file in an object store waits
//! for the network. Every change is told to those who `watch`.

mod devices;
mod figures;
mod gateway;
mod logs;
mod messaging;
mod orders;
mod registration;
mod resource;
mod shadow;
mod ssh;
mod tags;
mod upload;
mod users;

use std::collections::BTreeSet;

use tokio::sync::broadcast;

use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::ports::store::Outcome;

pub use figures::Standing;
pub use resource::Untaken;
pub use upload::Upload;

impl Hub {
    /// Firmware, newest first.
    pub fn firmware_list(&self, filter: &FirmwareFilter, page: &Page) -> Outcome<FirmwareList> {
        let mut firmware = self.store.firmware_list(filter, &page.and_one()?)?;
        let next = page.cut(&mut firmware, |firmware| firmware.id.to_string());
        Ok(FirmwareList { firmware, next })
    }

    /// A firmware.
    pub fn firmware(&self, id: i64) -> Outcome<Firmware> {
        Ok(self.store.firmware(id)?.firmware)
    }

    /// Begins to take a firmware in; what is wrong with its name is told before the first byte. `size` where it is known.
    pub fn upload(&self, what: AddFirmware, size: Option<u64>) -> Outcome<Upload> {
        Upload::begin(self, what, size)
    }

    /// Removes a firmware that no unfinished upgrade needs.
    pub fn remove_firmware(&self, id: i64) -> Outcome<()> {
        let stored = self.store.remove_firmware(id, now_ms())?;
        if stored.path.is_none() {
            // A file that stays takes space and nothing else: in the folder the next upload of this version takes its place.
            let removed = self.site.home(&stored.file_name).and_then(|files| files.remove(&stored.file_name));
            if let Err(problem) = removed {
                self.warn(&problem.detail);
            }
        }
        self.change(Change::FirmwareRemoved { id });
        Ok(())
    }

    /// Devices in order of client id.
    pub fn device_list(&self, filter: &DeviceFilter, seen: &SeenFilter, page: &Page) -> Outcome<DeviceList> {
        let since = seen.seen.map(|minutes| now_ms().saturating_sub(u64::from(minutes) * 60_000));
        let mut devices = self.store.devices(filter, since, &page.and_one()?)?;
        let next = page.cut(&mut devices, |device| device.client_id.clone());
        for device in &mut devices {
            self.complete(device);
        }
        Ok(DeviceList { devices, next })
    }

    /// The products there are devices or firmware of, in order.
    pub fn products(&self) -> Outcome<Vec<String>> {
        let mut products: BTreeSet<String> = self.store.device_products()?.into_iter().collect();
        products.extend(self.store.firmware_products()?);
        Ok(products.into_iter().collect())
    }

    /// Orders, newest first: also the history.
    pub fn upgrade_list(&self, filter: &UpgradeFilter, page: &Page) -> Outcome<UpgradeList> {
        let mut upgrades = self.store.upgrades(filter, &page.and_one()?)?;
        let next = page.cut(&mut upgrades, |upgrade| upgrade.id.to_string());
        Ok(UpgradeList { upgrades, next })
    }

    /// An order with jobs of it, in order of client id.
    pub fn upgrade_jobs(&self, id: i64, filter: &JobFilter, page: &Page) -> Outcome<UpgradeJobs> {
        let (upgrade, mut jobs) = self.store.upgrade_jobs(id, &filter.states()?, &page.and_one()?)?;
        let next = page.cut(&mut jobs, |job| job.id.to_string());
        Ok(UpgradeJobs { upgrade, jobs, next })
    }

    /// The jobs a device had, newest first.
    pub fn device_jobs(&self, client_id: &str, page: &Page) -> Outcome<JobList> {
        let mut jobs = self.store.device_jobs(client_id, &page.and_one()?)?;
        let next = page.cut(&mut jobs, |job| job.id.to_string());
        Ok(JobList { jobs, next })
    }

    /// What only this hub knows of a device.
    pub(crate) fn complete(&self, device: &mut Device) {
        device.online = self.is_online(&device.client_id);
        device.seen_at = self.last_seen.at(&device.client_id).or(device.seen_at);
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
