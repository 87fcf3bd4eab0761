//! What the hub knows and what can be asked of it, as the API, the command line and the console say it.
//!
//! Times are UTC in milliseconds. Names of fields and values are part of the API.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Fatal;

mod gateway;
mod page;
mod product;
mod resource;
mod roll_out;
mod shadow;
mod ssh;
mod tag;
mod user;

pub use gateway::{BindDevice, Gateway, GatewayList, SearchDevices, SubDevice, SubDeviceList};
pub(crate) use page::paged;
pub use page::{DeviceFilter, FirmwareFilter, JobFilter, Page, Paged, SeenFilter, UpgradeFilter, PAGE};
pub use product::{Product, ProductList, ProductSecret, SetRegistration};
pub use resource::{Direction, Resource, ResourceList, SendResource};
pub use roll_out::{Hours, RollOut, RollOutPlan, Stopped, TimeOfDay};
pub use shadow::{Desire, Shadow};
pub use ssh::{OpenSsh, SshState, SshStatus, SshTunnel};
pub use tag::{ChangeTags, RunningVersion, RunningVersionList, SetTags, Tag, TagList, TagsChanged};
pub use user::{AddUser, AuditEntry, AuditLog, Caller, ChangeUser, NewUser, Role, User, UserList};

/// A firmware that devices of a product can be upgraded to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Firmware {
    pub id: i64,
    pub product_id: String,
    /// Unique for the product; 1 to 32 printable characters.
    pub version: String,
    /// What people call it; may be empty.
    pub name: String,
    /// Bytes, 1 to 2^32 - 1.
    pub size: u64,
    /// 32 lower-case hex digits.
    pub md5: String,
    pub created_at: u64,
    /// `null` for one that is not signed.
    pub signature: Option<Signature>,
}

/// What a signed firmware says of its signature. Devices check it, the hub does not: it knows no keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signature {
    /// Who signed it: 16 lower-case hex digits.
    pub key_id: String,
    pub signed_at: u64,
}

/// How a device proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// By its secret: as a pre-shared key over TLS, or in a password over plain TCP.
    Secret,
    /// By a client certificate of the hub's CA.
    Certificate,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Product id and device name without a separator.
    pub client_id: String,
    pub product_id: String,
    pub device_name: String,
    pub proof: Proof,
    /// `null` where another broker keeps the connections.
    pub online: Option<bool>,
    /// The running version it reported last.
    pub version: Option<String>,
    /// When it last reported anything.
    pub reported_at: Option<u64>,
    /// When it last said anything, came or went, as far as hubs have noticed.
    #[serde(default)]
    pub seen_at: Option<u64>,
    /// Words that people have put on it, in order.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Its latest upgrade.
    pub job: Option<Job>,
}

/// A device with what is shown of it only once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewDevice {
    pub device: Device,
    /// Base64, as it stands in `device_info.json`. Not shown again.
    pub secret: Option<String>,
    /// Where to connect and what to prove it with. Not shown again.
    pub certificate: Option<Certificate>,
}

/// A client certificate in PEM.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    pub certificate: String,
    pub private_key: String,
}

/// Which devices an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every device of the product; also those that report one of the versions later, while the order stands.
    All,
    /// Those chosen, of the versions given.
    Chosen,
    /// Those of an uploaded list of names, whatever they run.
    Listed,
    /// Those that have a tag; also those that have it and report one of the versions later, while the order stands.
    Tagged,
}

impl Scope {
    /// An order of this scope stands until it is cancelled: it also takes devices that come later.
    pub fn stands(self) -> bool {
        matches!(self, Scope::All | Scope::Tagged)
    }
}

/// An order to upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upgrade {
    pub id: i64,
    pub firmware: Firmware,
    pub scope: Scope,
    /// With scope `tagged`.
    #[serde(default)]
    pub tag: Option<String>,
    /// Only devices that run one of these; empty: any other version than the firmware's.
    pub from_versions: Vec<String>,
    pub created_at: u64,
    pub cancelled_at: Option<u64>,
    pub counts: Counts,
    /// Not there for one that reaches its devices all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_out: Option<RollOut>,
}

/// How many jobs of an order are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    pub waiting: u64,
    /// Sent, downloading or burning.
    pub running: u64,
    pub done: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// Where the upgrade of one device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The device has not been told yet.
    Waiting,
    /// The update command is on its way.
    Sent,
    Downloading,
    Burning,
    Done,
    Failed,
    /// Called off before it began, or replaced by a later order for the same device.
    Cancelled,
}

impl State {
    /// The device's upgrade has not ended.
    pub fn is_open(self) -> bool {
        matches!(self, State::Waiting | State::Sent | State::Downloading | State::Burning)
    }
}

/// The upgrade of one device, a part of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    pub id: i64,
    pub upgrade_id: i64,
    pub client_id: String,
    /// What the device ran when it was ordered.
    pub from_version: Option<String>,
    /// What it is upgraded to.
    pub version: String,
    pub state: State,
    /// Of the download.
    pub percent: Option<u8>,
    /// The device's code of a failure (wire contract, section 3: -1 timed out, -2 no such file, -3 signature expired,
    /// -4 wrong MD5, -5 upgrade failed).
    pub result_code: Option<i64>,
    pub result_msg: Option<String>,
    pub created_at: u64,
    pub updated_at: u64,
    /// The device must not be told yet: its stage or its turn has not come, or the order has stopped. Not there where that is
    /// not so.
    #[serde(default, skip_serializing_if = "is_not")]
    pub held: bool,
}

fn is_not(flag: &bool) -> bool {
    !flag
}

/// A firmware to be added; the file itself is the request's body.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AddFirmware {
    #[param(min_length = 1, max_length = 10, pattern = r"^[A-Za-z0-9_:-][A-Za-z0-9_.:-]*$")]
    pub product_id: String,
    /// Printable characters.
    #[param(min_length = 1, max_length = 32, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub version: String,
    #[serde(default)]
    #[param(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub name: String,
    /// The MD5 the file must have, in hex.
    #[param(pattern = "^[0-9A-Fa-f]{32}$")]
    pub md5: Option<String>,
}

/// A device to be added.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddDevice {
    #[schema(min_length = 1, max_length = 10, pattern = r"^[A-Za-z0-9_:-][A-Za-z0-9_.:-]*$")]
    pub product_id: String,
    #[schema(min_length = 1, max_length = 48, pattern = r"^[A-Za-z0-9_:-][A-Za-z0-9_.:-]*$")]
    pub device_name: String,
    pub proof: Proof,
    /// Base64 of 1 to 48 bytes, for a device that has one already; made anew where it is missing.
    #[schema(
        min_length = 4,
        max_length = 64,
        pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
    )]
    pub secret: Option<String>,
}

/// An order to be given.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderUpgrade {
    pub firmware_id: i64,
    pub scope: Scope,
    #[serde(default)]
    pub from_versions: Vec<String>,
    /// With scope `chosen`: client ids.
    #[serde(default)]
    pub devices: Vec<String>,
    /// With scope `listed`: a text with one device name a line; an empty line and one that begins with `#` say nothing,
    /// and of comma-separated columns the first counts.
    #[serde(default)]
    pub list: String,
    /// With scope `tagged`.
    pub tag: Option<String>,
    /// Where it is not to reach all devices at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_out: Option<RollOutPlan>,
}

/// Whom an order would reach now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reach {
    pub devices: u64,
    /// How many of them are there; `null` where they are more than a thousand, or another broker keeps the connections.
    pub online: Option<u64>,
    /// How many of them have an unfinished upgrade, which the order would replace.
    pub replaced: u64,
    /// How many of those that it names are not reached, for what they run.
    pub left_out: u64,
    /// How many names are of no device of the product; the order would be refused.
    pub unknown: u64,
    /// Some of these names.
    pub unknown_names: Vec<String>,
}

/// What changed; the data of a server-sent event, whose name is `type`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    Firmware {
        firmware: Firmware,
    },
    FirmwareRemoved {
        id: i64,
    },
    Device {
        device: Device,
    },
    DeviceRemoved {
        client_id: String,
    },
    Upgrade {
        upgrade: Upgrade,
    },
    Job {
        job: Job,
    },
    Shadow {
        shadow: Shadow,
    },
    /// One without devices is none any more.
    Gateway {
        gateway: Gateway,
    },
    /// Changes were missed, or another hub made them: ask for everything again.
    Reset,
}

/// What a client needs to know of the hub itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct About {
    pub version: String,
    /// The existing broker whose devices are served; `null` where the hub is the broker.
    pub broker: Option<String>,
    /// Bytes a firmware may have.
    pub max_upload: u64,
    /// Products of which there are devices or firmware.
    pub products: Vec<String>,
    pub addresses: Addresses,
    /// The CA that devices trust.
    pub ca_pem: String,
    /// Who asks.
    pub caller: Caller,
}

/// Where the hub listens for devices; `null` where it does not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Addresses {
    /// MQTT over TLS with a pre-shared key, `host:port`.
    pub mqtt_psk: Option<String>,
    /// MQTT over TCP with a password, `host:port`.
    pub mqtt: Option<String>,
    /// MQTT over TLS with a client certificate, `host:port`.
    pub mqtt_cert: Option<String>,
    /// CoAP over UDP, `host:port`.
    pub coap: Option<String>,
    /// CoAP over DTLS with a pre-shared key, `host:port`.
    pub coap_psk: Option<String>,
    /// CoAP over DTLS with a client certificate, `host:port`.
    pub coap_cert: Option<String>,
    /// Firmware, a URL.
    pub http: Option<String>,
    /// Firmware, a URL.
    pub https: Option<String>,
}

/// Firmware.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FirmwareList {
    /// Newest first.
    pub firmware: Vec<Firmware>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Devices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceList {
    /// In order of client id.
    pub devices: Vec<Device>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Upgrades of a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Orders.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UpgradeList {
    /// Newest first.
    pub upgrades: Vec<Upgrade>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An order with its jobs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UpgradeJobs {
    pub upgrade: Upgrade,
    /// In order of client id.
    pub jobs: Vec<Job>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Proof that somebody may use the console.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// What the hub was started with.
    pub token: String,
}

/// Why something was not done. Carries what a person needs to know to do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// Where a program may want to know which problem it is.
    pub code: Option<ProblemCode>,
    /// What the detail names, by what it is.
    pub values: ProblemValues,
    /// One or more sentences that name what was wrong.
    pub detail: String,
}

/// What a problem's text names.
pub type ProblemValues = BTreeMap<String, String>;

/// Which problem it is: for programs, and for pages that say it in another language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// `client_id`, `product` and `name` of the device that has the client id
    ClientIdTaken,
    ConfigBad,
    /// `product`
    ConfigOff,
    /// `product`
    ConfigUnknown,
    /// `client_id`
    DeviceDeaf,
    /// `client_id`, and the `gateway` that has it
    DeviceBound,
    /// `max` characters
    DeviceNameBad,
    /// `client_id` and `gateway`
    DeviceNotBound,
    /// `client_id`
    DeviceUnknown,
    /// `client_id`
    GatewayDeaf,
    /// `max` bytes
    FileTooLarge,
    /// `product` and `version` of the firmware that has the file name
    FileNameTaken,
    FileNameTooLong,
    FileEmpty,
    FileNotWhole,
    /// `product` and `version`
    FirmwareExists,
    /// `product`, `version`, and the `upgrade`'s number
    FirmwareNeeded,
    FirmwareServerOff,
    /// `id`
    FirmwareUnknown,
    HeaderBad,
    /// `id`
    LastStageBegun,
    /// `max`
    LogLevelBad,
    /// `md5` of the file
    Md5Differs,
    /// `max` bytes
    MessageTooLarge,
    /// `max` characters
    NameBad,
    /// `client_id`, the request's `id`, and `timeout_ms`
    NoAnswer,
    NoSpace,
    /// `max` characters
    ProductIdBad,
    /// `product`
    ProductUnknown,
    /// `role` that is needed
    RoleLacking,
    /// `id`
    RollOutMissing,
    /// `id`
    RrpcUnknown,
    /// `max` bytes, decoded
    SecretBad,
    /// `version` that it has now
    ShadowChanged,
    /// `max` bytes, and `levels`
    ShadowTooLarge,
    /// `product` and `version` that it was signed for
    SignedForOther,
    /// `size` that it was signed with
    SignedSizeDiffers,
    /// `max` characters
    TagBad,
    /// `client_id`, and how many it may have at most: `max`
    TagsTooMany,
    /// `id`
    UpgradeCancelled,
    /// `id`
    UpgradeNotStopped,
    /// `id`
    UpgradeOver,
    /// `id`
    UpgradeStopped,
    /// `id`
    UpgradeUnknown,
    /// `name`
    UserExists,
    /// `max` characters
    UserNameBad,
    /// `name`
    UserUnknown,
    /// `max` characters
    VersionBad,
}

/// Kinds of problems; the API has a status for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// 400
    Invalid,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    Unknown,
    /// 409
    Conflict,
    /// 413
    TooLarge,
    /// 507
    NoSpace,
    /// 500
    Internal,
    /// 504
    TimedOut,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Problem { kind, code: None, values: ProblemValues::new(), detail: detail.into() }
    }

    /// What was asked for makes no sense.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Problem::new(ProblemKind::Invalid, detail)
    }

    /// What was asked for is not there.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Problem::new(ProblemKind::Unknown, detail)
    }

    /// What was asked for does not go with what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Problem::new(ProblemKind::Conflict, detail)
    }

    /// The same with its code, and what goes with that.
    pub fn coded(mut self, code: ProblemCode, values: &[(&str, &dyn Display)]) -> Self {
        self.code = Some(code);
        self.values = values.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
        self
    }
}

impl From<Fatal> for Problem {
    fn from(fatal: Fatal) -> Self {
        Problem::new(ProblemKind::Internal, fatal.to_string())
    }
}
