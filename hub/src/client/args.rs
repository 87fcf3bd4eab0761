//! What the commands take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hub_core::model::Hours;

/// Which hub is asked, and how the answer looks.
#[derive(Args)]
pub struct Target {
    /// The data folder of a hub on this machine (hub run --state)
    #[arg(long, value_name = "DIR", global = true, conflicts_with = "hub")]
    pub state: Option<PathBuf>,
    /// The console's address, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL", global = true)]
    pub hub: Option<String>,
    /// With --hub: a file that holds the console's token; else from HUB_CONSOLE_TOKEN
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
    /// The CAs that may have signed the console's certificate, PEM (default: with --state the hub's own, else the public ones)
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// Write JSON, as the API has it
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Args)]
pub struct Firmware {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: Option<FirmwareAction>,
}

#[derive(Subcommand)]
pub enum FirmwareAction {
    /// Upload a firmware.
    Add {
        /// The firmware
        file: PathBuf,
        /// The product it is for
        #[arg(long, value_name = "ID")]
        product: String,
        /// 1 to 32 characters, not in use for this product yet
        #[arg(long)]
        version: String,
        /// What people call it
        #[arg(long, default_value = "")]
        name: String,
    },
    /// List every firmware (also without a subcommand).
    List,
    /// Make a pair of keys for signed firmware. No hub is asked.
    Keygen(Keygen),
    /// Sign an image for devices that take signed firmware only. No hub is asked.
    Sign(Sign),
    /// Say who signed a firmware and what it is: exit with 1 when it is not as it was signed. No hub is asked.
    Verify(Verify),
    /// Remove a firmware that no unfinished upgrade needs.
    Remove {
        /// Its id, or PRODUCT:VERSION
        #[arg(value_name = "FIRMWARE")]
        firmware: String,
    },
}

#[derive(Args)]
pub struct Keygen {
    /// The secret key's file, which only its owner may read; the public key goes to this name with .pub behind it
    pub file: PathBuf,
    /// Make new keys in the place of those that are there
    #[arg(long)]
    pub force: bool,
}

#[derive(Args)]
pub struct Sign {
    /// What the device is to run
    pub image: PathBuf,
    /// The product it is for
    #[arg(long, value_name = "ID")]
    pub product: String,
    /// Its version, 1 to 32 printable ASCII characters without blanks
    #[arg(long)]
    pub version: String,
    /// The secret key's file, made by hub firmware keygen
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The signed firmware: a header of 256 bytes, then the image
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// When it was signed, in seconds since 1970 (default: now)
    #[arg(long, value_name = "SECONDS")]
    pub time: Option<u64>,
}

#[derive(Args)]
pub struct Verify {
    /// The signed firmware
    pub file: PathBuf,
    /// A public key that is trusted: 64 hex digits, or a file that holds them; may be given more than once
    #[arg(long, value_name = "KEY|FILE")]
    pub public_key: Vec<String>,
}

#[derive(Args)]
pub struct Devices {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: Option<DevicesAction>,
}

/// Which devices are meant; nothing: all.
#[derive(Args, Default)]
pub struct DevicesFound {
    /// Only those of this product
    #[arg(long, value_name = "ID")]
    pub product: Option<String>,
    /// Only those with this tag
    #[arg(long)]
    pub tag: Option<String>,
    /// Only those that run this version; an empty text: that have never reported one
    #[arg(long)]
    pub version: Option<String>,
    /// Only those whose client id or device name begins so
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub search: String,
}

/// How a device proves who it is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Proof {
    /// By a secret, over TLS with a pre-shared key or in a password
    Secret,
    /// By a client certificate of the hub's CA
    Certificate,
}

#[derive(Subcommand)]
pub enum DevicesAction {
    /// List every device (also without a subcommand), or those that the options say.
    List {
        #[command(flatten)]
        found: DevicesFound,
        /// Only those seen in the last so many minutes
        #[arg(long, value_name = "MINUTES")]
        seen: Option<u32>,
    },
    /// Give devices tags, and take tags from them: from those named, or else from all that the options find.
    Tag {
        /// Product ids and device names without a separator
        client_id: Vec<String>,
        /// Tags that they get: 1 to 32 letters or digits, or _-.:=
        #[arg(long, value_name = "TAG", num_args = 1.., required_unless_present = "remove")]
        add: Vec<String>,
        /// Tags that they lose
        #[arg(long, value_name = "TAG", num_args = 1..)]
        remove: Vec<String>,
        #[command(flatten)]
        found: DevicesFound,
    },
    /// List the tags of a product's devices, and how many have each.
    Tags {
        /// The product
        product: String,
    },
    /// Add a device and show its secret, or certificate, for the only time.
    Add {
        /// Its product
        #[arg(long, value_name = "ID")]
        product: String,
        /// Its name
        #[arg(long)]
        name: String,
        /// How it proves who it is
        #[arg(long, value_enum, default_value = "secret")]
        proof: Proof,
        /// A file that holds the secret of a device that has one already, base64 (default: the hub makes one)
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        output: DeviceOutput,
    },
    /// Give a device a new secret or certificate; the one before ends at once.
    Renew {
        /// Product id and device name without a separator
        client_id: String,
        #[command(flatten)]
        output: DeviceOutput,
    },
    /// Remove a device and cut its connection.
    Remove {
        /// Product id and device name without a separator
        client_id: String,
    },
}

#[derive(Args)]
pub struct DeviceOutput {
    /// Write a device_info.json for the device's program instead of showing the secret; certificate and key
    /// go into the folder certs beside it
    #[arg(long, value_name = "FILE")]
    pub device_info: Option<PathBuf>,
}

#[derive(Args)]
#[command(subcommand_negates_reqs = true)]
pub struct Upgrade {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub order: Order,
    #[command(subcommand)]
    pub action: Option<UpgradeAction>,
}

/// What `hub upgrade` takes where no subcommand follows.
#[derive(Args)]
pub struct Order {
    /// The firmware: its id, or PRODUCT:VERSION
    #[arg(long, required = true)]
    pub firmware: Option<String>,
    #[command(flatten)]
    pub devices: Chosen,
    /// Only devices that run one of these versions
    #[arg(long, value_name = "VERSION", num_args = 1.., conflicts_with = "list")]
    pub from: Vec<String>,
    #[command(flatten)]
    pub roll_out: RollOut,
    /// Watch the upgrade until it ends, or stops
    #[arg(long)]
    pub watch: bool,
}

/// How an order gets out that is not to reach all its devices at once.
#[derive(Args)]
#[command(next_help_heading = "Roll-out")]
pub struct RollOut {
    /// The order goes out in stages: so many of each hundred devices after each, the last one 100, such as 1,10,100
    #[arg(long, value_name = "PERCENT,...", value_delimiter = ',')]
    pub stages: Vec<u8>,
    /// The next stage begins when so many of each hundred devices of those so far are done or have failed (default: 90)
    #[arg(long, value_name = "PERCENT")]
    pub advance_at: Option<u8>,
    /// The next stage begins with hub upgrade next, not by itself
    #[arg(long, conflicts_with = "advance_at")]
    pub by_hand: bool,
    /// Stop where so many of each hundred devices that are done or have failed have failed: of 10 at least, or when a stage ends
    #[arg(long, value_name = "PERCENT")]
    pub stop_at_failures: Option<u8>,
    /// Begin at this time, such as 2026-12-01T02:00 (here) or 2026-12-01T02:00:00Z
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub not_before: Option<u64>,
    /// Tell so many devices in any minute at most
    #[arg(long, value_name = "DEVICES")]
    pub per_minute: Option<u32>,
    /// Tell devices at these hours of each day only, UTC, such as 02:00-05:00 or 22:00-04:00
    #[arg(long, value_name = "FROM-TO", value_parser = hours)]
    pub hours: Option<Hours>,
}

fn hours(text: &str) -> Result<Hours, String> {
    let (from, to) = text.split_once('-').ok_or("these are no hours, such as 02:00-05:00")?;
    Ok(Hours { from: from.parse()?, to: to.parse()? })
}

/// A time in UTC milliseconds, of a text in this machine's zone or with one.
fn when(text: &str) -> Result<u64, String> {
    let zoned = chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    let here = forms.iter().find_map(|form| chrono::NaiveDateTime::parse_from_str(text, form).ok());
    // An hour that comes twice is the first one.
    let here = here.and_then(|time| time.and_local_timezone(chrono::Local).earliest()).map(|time| time.to_utc());
    let time = zoned.or(here).ok_or("this is no time, such as 2026-12-01T02:00")?;
    u64::try_from(time.timestamp_millis()).map_err(|_| "this was before 1970".to_owned())
}

/// Which devices an order is for.
#[derive(Args)]
#[group(id = "devices", required = true, multiple = false)]
pub struct Chosen {
    /// Every device of the product, also those that come later, until the order is cancelled
    #[arg(long)]
    pub all: bool,
    /// These devices: product id and device name without a separator
    #[arg(long, value_name = "CLIENT_ID", num_args = 1..)]
    pub device: Vec<String>,
    /// The devices of a text file with one device name a line
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// The product's devices with this tag, also those that get it later, until the order is cancelled
    #[arg(long)]
    pub tag: Option<String>,
}

#[derive(Subcommand)]
pub enum UpgradeAction {
    /// List every order.
    List,
    /// Show an order with its devices.
    Show {
        /// The order
        id: i64,
    },
    /// Begin the next stage of an order.
    Next {
        /// The order
        id: i64,
    },
    /// Stop an order: nobody else is told until it is resumed, and what runs goes on.
    Stop {
        /// The order
        id: i64,
    },
    /// Let an order go on that has stopped; where it had stopped by itself, as if nothing had failed so far.
    Resume {
        /// The order
        id: i64,
    },
    /// Call off what has not begun.
    Cancel {
        /// The order
        id: i64,
    },
}

#[derive(Args)]
pub struct Ssh {
    #[command(flatten)]
    pub target: Target,
    /// Product id and device name without a separator
    pub client_id: String,
    /// The port on 127.0.0.1 of the hub's machine; 0: any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Close the way, and end what goes through it
    #[arg(long, conflicts_with = "port")]
    pub close: bool,
}

#[derive(Args)]
pub struct Gateways {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: Option<GatewaysAction>,
}

#[derive(Subcommand)]
pub enum GatewaysAction {
    /// List every gateway with the devices behind it (also without a subcommand).
    List,
    /// Bind a device to a gateway, and tell the gateway.
    Bind {
        /// The gateway's client id
        gateway: String,
        /// The device's client id
        device: String,
    },
    /// Take a device, or every device, from a gateway, and tell it.
    Unbind {
        /// The gateway's client id
        gateway: String,
        /// The device's client id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        device: Option<String>,
        /// Every device
        #[arg(long)]
        all: bool,
    },
    /// Tell a gateway to look for devices.
    Search {
        /// The gateway's client id
        gateway: String,
        /// Tell it to stop
        #[arg(long)]
        stop: bool,
    },
}

#[derive(Args)]
pub struct Resources {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: ResourcesAction,
}

#[derive(Subcommand)]
pub enum ResourcesAction {
    /// List the files that went to a device or came from it, and what it reported.
    List {
        /// Product id and device name without a separator
        client_id: String,
    },
    /// Send a device a file: it is told now, or when it asks.
    Send {
        /// Product id and device name without a separator
        client_id: String,
        /// The file
        file: PathBuf,
        /// What the device hears it is called, 1 to 64 characters (default: the file's name)
        #[arg(long)]
        name: Option<String>,
    },
    /// Save a file that a device has uploaded.
    Save {
        /// The resource's id
        id: i64,
        /// Where to
        file: PathBuf,
    },
}

#[derive(Args)]
pub struct Registration {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: Option<RegistrationAction>,
}

#[derive(Subcommand)]
pub enum RegistrationAction {
    /// List every product with a secret (also without a subcommand).
    List,
    /// Let the devices of a product register, and show the product's secret.
    On {
        /// The product
        product: String,
        /// A file that holds the secret of a product that has one already (default: the hub makes one, once)
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Let the devices of a product not register any more; its secret stays.
    Off {
        /// The product
        product: String,
    },
}

#[derive(Args)]
pub struct Shadow {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: ShadowAction,
}

#[derive(Subcommand)]
pub enum ShadowAction {
    /// Show what a device reports, what is desired of it, and what differs.
    Show {
        /// Product id and device name without a separator
        client_id: String,
    },
    /// Change what is desired of a device; it is told what it is not yet.
    Desire {
        /// Product id and device name without a separator
        client_id: String,
        /// A JSON object, such as '{"light":"on"}'; a null takes a field away
        #[arg(value_name = "JSON")]
        fields: String,
        /// Only if the shadow has this version
        #[arg(long, value_name = "NUMBER")]
        version: Option<u64>,
    },
    /// Take away all that is desired of a device.
    Clear {
        /// Product id and device name without a separator
        client_id: String,
        /// Only if the shadow has this version
        #[arg(long, value_name = "NUMBER")]
        version: Option<u64>,
    },
}

#[derive(Args)]
pub struct Watch {
    #[command(flatten)]
    pub target: Target,
    /// The order to watch (default: all that are not finished, or else the next ones)
    pub upgrade: Option<i64>,
}

#[derive(Args)]
pub struct User {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: Option<UserAction>,
}

/// What a user may do; each role may also do what those before it may.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Look at everything but secrets
    View,
    /// Also upload firmware, order upgrades, send messages, change shadows and configurations
    Order,
    /// Also add and remove devices, gateways' bindings and users
    Administer,
}

#[derive(Subcommand)]
pub enum UserAction {
    /// Add a user. Prints the token, which is shown only once.
    Add {
        /// 1 to 128 printable ASCII characters without blanks, as a proxy of --console-proxy says it where there is one
        name: String,
        /// What the user may do
        #[arg(long, value_enum)]
        role: Role,
        /// Make no token: the user comes in by a proxy only
        #[arg(long)]
        no_token: bool,
    },
    /// Give a user another role: it counts from the next request on.
    Change {
        /// The user's name
        name: String,
        /// What the user may do
        #[arg(long, value_enum)]
        role: Role,
    },
    /// List every user (also without a subcommand).
    List,
    /// Remove a user: the token opens nothing from then on.
    Remove {
        /// The user's name
        name: String,
    },
}

#[derive(Args)]
pub struct Audit {
    #[command(flatten)]
    pub target: Target,
    /// At most so many entries, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: u32,
    /// Only those before the entry with this id
    #[arg(long, value_name = "ID")]
    pub before: Option<i64>,
    /// Only what this user has done
    #[arg(long)]
    pub name: Option<String>,
}
