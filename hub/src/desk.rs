//! What a person can do at the hub: firmware, devices, orders. The API and the command line are thin covers of this.
//!
//! Any thread may call; no call waits for the network or for a device. Every change is told to those who `watch`.

use tokio::sync::broadcast;

use crate::hub::Hub;
use crate::model::*;

type Outcome<T> = Result<T, Problem>;

fn not_yet<T>() -> Outcome<T> {
    Err(Problem::new(ProblemKind::Internal, "not built yet"))
}

/// A firmware file on its way in. Dropped before [`Upload::finish`], nothing of it stays.
pub struct Upload {}

impl Upload {
    /// Adds the file's next bytes. Fails where the file is too large or the disk is full.
    pub fn write(&mut self, _part: &[u8]) -> Outcome<()> {
        not_yet()
    }

    /// The file is whole: it is on offer from now on.
    pub fn finish(self) -> Outcome<Firmware> {
        not_yet()
    }
}

impl Hub {
    /// Every firmware, newest first.
    pub fn firmware_list(&self) -> Outcome<Vec<Firmware>> {
        not_yet()
    }

    /// Begins to take a firmware in; what is wrong with its name is told before the first byte. `size` where it is known.
    pub fn upload(&self, _what: AddFirmware, _size: Option<u64>) -> Outcome<Upload> {
        not_yet()
    }

    /// Removes a firmware that no unfinished upgrade needs.
    pub fn remove_firmware(&self, _id: i64) -> Outcome<()> {
        not_yet()
    }

    /// Every device in order of client id.
    pub fn device_list(&self) -> Outcome<Vec<Device>> {
        not_yet()
    }

    /// Adds a device; what it returns holds the secret or certificate for the only time.
    pub fn add_device(&self, _what: AddDevice) -> Outcome<NewDevice> {
        not_yet()
    }

    /// A new secret or certificate for a device; the one before ends at once.
    pub fn renew_device(&self, _client_id: &str) -> Outcome<NewDevice> {
        not_yet()
    }

    /// Removes a device and cuts its connection.
    pub fn remove_device(&self, _client_id: &str) -> Outcome<()> {
        not_yet()
    }

    /// Every order, newest first: also the history.
    pub fn upgrade_list(&self) -> Outcome<Vec<Upgrade>> {
        not_yet()
    }

    /// An order with its jobs.
    pub fn upgrade_jobs(&self, _id: i64) -> Outcome<(Upgrade, Vec<Job>)> {
        not_yet()
    }

    /// Gives an order. Devices that are there are told at once, the others when they come.
    pub fn order_upgrade(&self, _what: OrderUpgrade) -> Outcome<Upgrade> {
        not_yet()
    }

    /// Calls off what has not begun: jobs that wait end, jobs that run go on.
    pub fn cancel_upgrade(&self, _id: i64) -> Outcome<Upgrade> {
        not_yet()
    }

    /// The jobs a device ever had, newest first.
    pub fn device_jobs(&self, _client_id: &str) -> Outcome<Vec<Job>> {
        not_yet()
    }

    /// Every change from now on.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        broadcast::channel(1).1
    }
}
