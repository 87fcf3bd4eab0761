//! What the hub needs of a store. Each method is one whole transaction: all of it happens, or nothing.
//!
//! What a rule says about a report is worked out inside the transaction, so that two hubs on one store agree.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::agreement::Agreement;
use super::figures::Figures;
use super::gateways::Gateways;
use super::keys::Keys;
use super::products::Products;
use super::roll_outs::RollOuts;
use super::seen::SeenStore;
use super::shadows::Shadows;
use super::tags::Tags;
use crate::devices::{self, Devices};
use crate::firmware::Measured;
use crate::model::{
    AddFirmware, Change, Device, DeviceFilter, Firmware, FirmwareFilter, Job, Page, Problem, Proof, RollOutPlan, Scope,
    State, Upgrade, UpgradeFilter,
};
use crate::ota::message::Progress;
use crate::ports::logs::LogStore;
use crate::ports::messaging::MessagingStore;
use crate::ports::resources::ResourceStore;
use crate::ports::users::Users;

pub use super::jobs::{Touched, Waiting, TOLD_ONE_BY_ONE};

/// What a transaction comes to.
pub type Outcome<T> = Result<T, Problem>;

/// A firmware with where its file is.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What people are told of it.
    pub firmware: Firmware,
    /// Its name in the firmware folder and in URLs, or in an object store.
    pub file_name: String,
    /// `None`: where uploads go.
    pub path: Option<PathBuf>,
}

/// What a device has to prove who it is.
pub enum Credential {
    /// A secret, decoded.
    Key(Vec<u8>),
    /// A certificate with this serial number.
    Certificate(String),
}

/// A device as the command `devices` shows it: client id, version, state and percentage.
pub type Told = (String, Option<String>, Option<String>, Option<u8>);

/// An order to be kept.
pub struct NewOrder<'a> {
    /// What devices are upgraded to.
    pub firmware_id: i64,
    /// Which devices it is for.
    pub scope: Scope,
    /// Only devices that run one of these; empty: any.
    pub from_versions: &'a [String],
    /// Of the product's devices, only those with this tag.
    pub tag: Option<&'a str>,
    /// Of the product's devices, only those with one of these client ids.
    pub named: Option<&'a [String]>,
    /// Also devices that run the version already.
    pub whatever_they_run: bool,
    /// How it gets out, where not to all at once.
    pub plan: Option<&'a RollOutPlan>,
}

impl NewOrder<'_> {
    /// For all devices of the product that do not run the version, at once.
    pub fn new(firmware_id: i64, scope: Scope) -> Self {
        NewOrder {
            firmware_id,
            scope,
            from_versions: &[],
            tag: None,
            named: None,
            whatever_they_run: false,
            plan: None,
        }
    }
}

/// Whom an order would reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachable {
    /// How many devices.
    pub devices: u64,
    /// How many unfinished jobs of theirs would be called off.
    pub replaced: u64,
    /// Client ids of some of them.
    pub some: Vec<String>,
}

/// Which jobs a hub may take that shares the devices with others. All times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Those that wait since then or longer.
    pub waiting: u64,
    /// Those that a hub took then or earlier, and that wait still: it is dead.
    pub taken: u64,
    /// Those told then or earlier whose devices have not reported since.
    pub told: u64,
    /// And fewer than so many times.
    pub tries: u32,
}

/// Everything that outlives a connection. Any thread may call it; several hubs may share what is behind it.
pub trait Store:
    Agreement
    + Figures
    + Gateways
    + Keys
    + Products
    + RollOuts
    + SeenStore
    + Shadows
    + MessagingStore
    + LogStore
    + ResourceStore
    + Users
    + Tags
    + Send
    + Sync
{
    /// Adds the devices of a list to those that are there, with the tags that it gives them.
    fn import(&self, devices: &Devices) -> Outcome<()>;

    /// What must be known to let a device in and to reach it.
    fn find_device(&self, client_id: &str) -> Outcome<Option<devices::Device>>;

    /// One device with its latest job, but for whether it is there.
    fn device(&self, client_id: &str) -> Outcome<Option<Device>>;

    /// What must be known to reach these devices, as far as they are known, by client id.
    fn find_devices(&self, client_ids: &[&str]) -> Outcome<BTreeMap<String, devices::Device>>;

    /// Devices in order of client id with their latest jobs, but for whether they are there; only those seen `since` a time where
    /// there is one.
    fn devices(&self, filter: &DeviceFilter, since: Option<u64>, page: &Page) -> Outcome<Vec<Device>>;

    /// Client id and device name of so many devices of a product, after this client id, in order.
    fn product_devices(&self, product_id: &str, after: &str, limit: u64) -> Outcome<Vec<(String, String)>>;

    /// How many devices a product has.
    fn device_count(&self, product_id: &str) -> Outcome<u64>;

    /// Which of these client ids are of no device of the product, in order.
    fn unknown_devices(&self, product_id: &str, client_ids: &[String]) -> Outcome<Vec<String>>;

    /// Every client id, in order.
    fn client_ids(&self) -> Outcome<Vec<String>>;

    /// The products there are devices of.
    fn device_products(&self) -> Outcome<Vec<String>>;

    /// What so many devices told last, in order of client id, after this one.
    fn told(&self, after: &str, limit: u64) -> Outcome<Vec<Told>>;

    /// Adds a device with what `make` makes; `make` is not called where the client id is taken.
    fn add_device(
        &self,
        client_id: &str,
        product_id: &str,
        device_name: &str,
        make: &mut dyn FnMut() -> Outcome<Credential>,
    ) -> Outcome<Device>;

    /// Gives a device another credential of its kind.
    fn renew_device(&self, client_id: &str, make: &mut dyn FnMut(Proof) -> Outcome<Credential>) -> Outcome<Device>;

    /// Removes a device and calls its unfinished job off.
    fn remove_device(&self, client_id: &str, now: u64) -> Outcome<Touched>;

    /// Every firmware, newest first.
    fn firmware_list(&self, filter: &FirmwareFilter, page: &Page) -> Outcome<Vec<Firmware>>;

    /// The products there is firmware of.
    fn firmware_products(&self) -> Outcome<Vec<String>>;

    /// The firmware of a version.
    fn firmware_of_version(&self, product_id: &str, version: &str) -> Outcome<Option<Stored>>;

    /// The newest firmware of a product.
    fn newest_firmware(&self, product_id: &str) -> Outcome<Option<Stored>>;

    /// The firmware whose file has this name.
    fn firmware_of_file(&self, file_name: &str) -> Outcome<Option<Stored>>;

    /// A firmware of this version that lies where its owner keeps it.
    fn firmware_in_place(&self, version: &str) -> Outcome<Option<Stored>>;

    /// The firmware of an order.
    fn firmware_of_upgrade(&self, upgrade_id: i64) -> Outcome<Option<Stored>>;

    /// Whether a firmware of this version and file name could be added now; the problem says what is in the way.
    fn check_firmware(&self, what: &AddFirmware, file_name: &str) -> Outcome<()>;

    /// Adds a firmware of the firmware folder, and returns its id; the one in `firmware` does not count. `place` puts the
    /// file there, and is not called where the version or the file name is taken.
    fn add_firmware(
        &self,
        firmware: &Firmware,
        file_name: &str,
        place: &mut dyn FnMut() -> Outcome<()>,
    ) -> Outcome<i64>;

    /// Takes a firmware off offer that no unfinished upgrade needs.
    fn remove_firmware(&self, id: i64, now: u64) -> Outcome<Stored>;

    /// Offers a file where it lies to the devices of these products, and orders the upgrade of all that report another
    /// version where `on_report` says so. Returns what is on offer for each product.
    ///
    /// Given again with another file, the version is that file from now on.
    fn offer(&self, products: &[String], file: &Measured, on_report: bool, now: u64) -> Outcome<Vec<Stored>>;

    /// A firmware on offer.
    fn firmware(&self, id: i64) -> Outcome<Stored>;

    /// Orders, newest first.
    fn upgrades(&self, filter: &UpgradeFilter, page: &Page) -> Outcome<Vec<Upgrade>>;

    /// An order.
    fn upgrade(&self, id: i64) -> Outcome<Upgrade>;

    /// An order with jobs of it that are in one of these states, by client id; no states: in any.
    fn upgrade_jobs(&self, id: i64, states: &[State], page: &Page) -> Outcome<(Upgrade, Vec<Job>)>;

    /// The jobs a device had, newest first.
    fn device_jobs(&self, client_id: &str, page: &Page) -> Outcome<Vec<Job>>;

    /// The jobs with these ids, by id.
    fn jobs(&self, ids: &[i64]) -> Outcome<Vec<Job>>;

    /// Keeps an order with a waiting job for each device that it reaches; their unfinished jobs are called off. An order that
    /// reaches none is refused, unless it stands. Returns its id.
    fn add_order(&self, order: &NewOrder<'_>, now: u64) -> Outcome<(i64, Touched)>;

    /// Whom an order would reach, with the client ids of so many of them.
    fn reach(&self, order: &NewOrder<'_>, some: u64) -> Outcome<Reachable>;

    /// Takes so many jobs of an order that was just added, as [`Store::claim`] does.
    fn claim_first(&self, upgrade_id: i64, limit: u64, now: u64) -> Outcome<Vec<Job>>;

    /// Ends an order, and its jobs that have not begun.
    fn cancel_upgrade(&self, id: i64, now: u64) -> Outcome<(Upgrade, Touched)>;

    /// A device reports the version it runs. Returns the job it must be told of now, if there is one; this hub has taken it.
    fn report_version(
        &self,
        client_id: &str,
        product_id: &str,
        version: &str,
        now: u64,
    ) -> Outcome<(Option<Job>, Touched)>;

    /// A device reports where its upgrade stands.
    fn report_progress(&self, client_id: &str, report: &Progress, now: u64) -> Outcome<Touched>;

    /// The commands of these jobs have gone out. Where a device has reported, or a job was called off meanwhile, that
    /// counts more.
    fn set_sent(&self, jobs: &[i64], now: u64) -> Outcome<()>;

    /// So many jobs that wait since `before` or longer, after this one, the longest first.
    fn waiting(&self, before: u64, after: (u64, i64), limit: u64) -> Outcome<Vec<Waiting>>;

    /// Takes so many jobs that wait, and so many that were told. Other hubs do not find them for a while.
    fn claim(&self, due: &Due, now: u64, limit: u64) -> Outcome<Vec<Job>>;

    /// Keeps jobs that this hub has taken, and that wait still, from the others for another while.
    fn keep(&self, jobs: &[i64], now: u64) -> Outcome<()>;

    /// How the touched things are now, in the order watchers are told.
    fn changes(&self, touched: &Touched) -> Outcome<Vec<Change>>;

    /// Another number than before means that another process has changed something.
    fn foreign_changes(&self) -> Outcome<i64>;

    /// Does `work` while no other hub on this store changes anything.
    fn exclusively(&self, work: &mut dyn FnMut()) -> Outcome<()>;
}
