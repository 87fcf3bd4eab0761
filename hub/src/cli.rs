//! The command line.
// The texts of --help are not Markdown.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hub_core::guard::{self, Guard};
use hub_core::headway::SLOWEST;
use hub_core::rate::Quota;
use hub_http::api::Proxies;
use hub_mqtt::broker::limit::Limits;
use hub_mqtt::remote::BrokerOptions;
use hyper::header::HeaderName;

use crate::backup::{BackupArgs, RestoreArgs};
use crate::cert::CertArgs;
use crate::client;
use crate::console_tls::ConsoleTls;
use crate::once::args::OnceArgs;

/// The cloud on your desk: an MQTT broker, an OTA service and a firmware server for tests and demos.
#[derive(Parser)]
#[command(name = "hub", version)]
pub struct Cli {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Subcommand)]
pub enum Action {
    /// Run the hub until it is told to stop.
    Run(Box<RunArgs>),
    /// Make (or find) a client certificate for mutual TLS and print where it is.
    Cert(CertArgs),
    /// Save what a hub keeps, while it runs or not: devices, orders, keys and firmware.
    Backup(BackupArgs),
    /// Make a data folder of a backup.
    Restore(RestoreArgs),
    /// List the rules that --fault takes.
    Faults,
    /// Add, list and remove firmware of a running hub.
    Firmware(client::args::Firmware),
    /// Add, list and remove devices of a running hub.
    Devices(client::args::Devices),
    /// Order upgrades at a running hub, list and cancel them.
    Upgrade(client::args::Upgrade),
    /// Let devices register that know their product's secret, or no longer.
    Registration(client::args::Registration),
    /// Show the shadow of a device, change what is desired of it.
    Shadow(client::args::Shadow),
    /// Show which devices are behind which gateway, bind and unbind them.
    Gateways(client::args::Gateways),
    /// Open a way to a device's SSH server, by a port of this machine; or close it.
    Ssh(client::args::Ssh),
    /// Send a device a file, list and save those that it has uploaded.
    Resources(client::args::Resources),
    /// Add, list and remove those who use a hub's console.
    User(client::args::User),
    /// Show who has changed what at a hub.
    Audit(client::args::Audit),
    /// Watch upgrades until they end: exit with 0 when all are done, with 1 when one is not.
    Watch(client::args::Watch),
    /// Send a message to the connected devices of a product.
    Broadcast(client::messages::args::Broadcast),
    /// Send a request to a device and show its answer: exit with 1 when none comes in time.
    Rrpc(client::messages::args::Rrpc),
    /// Publish, list, switch off and remove products' remote configurations.
    Config(client::messages::args::Config),
    /// Show the log lines that a device has uploaded, or set which it is to upload.
    Log(client::messages::args::Log),
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Not at all.
    Off,
    /// On this address, `host:port`; port 0 means any free one.
    At(String),
}

impl FromStr for Listen {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "off" { Listen::Off } else { Listen::At(text.to_owned()) })
    }
}

/// Which of the own servers a device is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scheme {
    Http,
    Https,
}

/// Options for an existing broker.
#[derive(Args)]
#[command(next_help_heading = "An existing broker")]
pub struct BrokerArgs {
    /// Serve the devices of an existing broker (mqtt://HOST[:PORT], over TLS mqtts://HOST[:PORT]) instead of listening for MQTT
    #[arg(long, value_name = "URL", conflicts_with_all = ["mqtt_psk", "mqtt", "mqtt_cert"])]
    pub broker: Option<String>,
    /// CAs the broker's certificate may be signed by, PEM (default: the system's)
    #[arg(long, value_name = "FILE", requires = "broker")]
    pub broker_ca: Option<PathBuf>,
    /// The hub's client certificate for the broker, PEM
    #[arg(long, value_name = "FILE", requires_all = ["broker", "broker_key"])]
    pub broker_cert: Option<PathBuf>,
    /// The key of --broker-cert, PEM
    #[arg(long, value_name = "FILE", requires = "broker_cert")]
    pub broker_key: Option<PathBuf>,
    /// The hub's user name at the broker; its password is in --broker-password-file or the variable HUB_BROKER_PASSWORD
    #[arg(long, value_name = "NAME", requires = "broker")]
    pub broker_user: Option<String>,
    /// A file that holds the password of --broker-user and nothing else
    #[arg(long, value_name = "FILE", requires = "broker_user")]
    pub broker_password_file: Option<PathBuf>,
    /// Share by $share/NAME/... (default: where the broker can, by a name of the data folder's own); off: never by the broker
    #[arg(long, value_name = "NAME", requires = "broker")]
    pub broker_group: Option<String>,
}

impl BrokerArgs {
    /// The same without the command line.
    pub fn options(&self) -> BrokerOptions {
        BrokerOptions {
            broker: self.broker.clone(),
            broker_ca: self.broker_ca.clone(),
            broker_cert: self.broker_cert.clone(),
            broker_key: self.broker_key.clone(),
            broker_user: self.broker_user.clone(),
            broker_password_file: self.broker_password_file.clone(),
            broker_group: self.broker_group.clone(),
        }
    }
}

/// What one device may cost, at the hub's own broker and with its uploads; and one address, at the firmware and CoAP servers.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Messages a second that are read of a device; what is more is read later (default: no limit)
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "broker")]
    pub device_messages: Option<u32>,
    /// The same for bytes
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "broker")]
    pub device_bytes: Option<u32>,
    /// How often a device may connect in a minute; else it is refused with CONNACK 3 (default: no limit)
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "broker")]
    pub device_connects: Option<u32>,
    /// Requests a minute of one address that the firmware servers answer, what is more gets 429; and datagrams that the CoAP
    /// servers take (default: no limit)
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub address_requests: Option<u32>,
    /// Connections that one address may have to the firmware servers at a time (default: no limit)
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub address_connections: Option<u32>,
    /// Log uploads and files a minute that are taken of a device; what is more gets 429 (default: no limit)
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub device_uploads: Option<u32>,
    /// Bytes a second that whoever fetches something from the firmware servers must take, at least; else the connection ends.
    /// 0: no limit
    #[arg(long, value_name = "COUNT", default_value_t = SLOWEST)]
    pub slowest_reader: u32,
}

impl LimitArgs {
    /// What keeps to those of an address.
    pub fn guard(&self) -> Arc<Guard> {
        Arc::new(Guard::new(guard::Limits {
            connections: self.address_connections,
            requests: self.address_requests,
            slowest: Some(self.slowest_reader).filter(|rate| *rate > 0),
        }))
    }

    /// What keeps to that of a device's uploads.
    pub fn uploads(&self) -> Quota<String> {
        Quota::new(self.device_uploads)
    }

    /// The same without the command line.
    pub fn limits(&self) -> Limits {
        Limits { messages: self.device_messages, bytes: self.device_bytes, connects: self.device_connects }
    }
}

/// In which form the hub says what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines and bars for people
    Text,
    /// One JSON object per line, with its time in milliseconds since 1970: `at`
    Json,
}

#[derive(Args)]
pub struct RunArgs {
    /// Devices: {"devices":[{"productId":"...","deviceName":"...","deviceSecret":"<base64>"}]};
    /// they join those that the data folder already knows
    #[arg(long, value_name = "FILE")]
    pub devices: Option<PathBuf>,
    /// The firmware to offer
    #[arg(long, value_name = "FILE", requires = "version", group = "image")]
    pub firmware: Option<PathBuf>,
    /// The firmware's version, 1 to 32 characters
    #[arg(long, value_name = "VERSION", requires = "image")]
    pub version: Option<String>,
    /// Order the upgrade whenever a device reports another version
    #[arg(long, requires = "firmware")]
    pub upgrade_on_report: bool,
    /// The data folder: devices, firmware, orders, certificates (default: a temporary one)
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Keep what is kept in PostgreSQL, postgres://USER@HOST/DATABASE, instead of the data folder: for hubs on several machines.
    /// The password from HUB_DATABASE_PASSWORD, or in the URL
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Write addresses and paths to this file as JSON once everything listens
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// One JSON object per line on standard output instead of text
    #[arg(long)]
    pub json: bool,
    /// How to say what happens on standard output
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", conflicts_with = "json")]
    pub log_format: LogFormat,
    /// MQTT over TLS with a pre-shared key
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub mqtt_psk: Listen,
    /// MQTT over TCP with a password; each of the three takes MQTT over WebSocket, too
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub mqtt: Listen,
    /// MQTT over TLS with a client certificate
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub mqtt_cert: Listen,
    /// CoAP over UDP: whoever names a device is taken for it
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub coap: Listen,
    /// CoAP over DTLS 1.2 with a pre-shared key
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub coap_psk: Listen,
    /// CoAP over DTLS 1.2 with a client certificate
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub coap_cert: Listen,
    /// Firmware over HTTP
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub http: Listen,
    /// Firmware over HTTPS
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub https: Listen,
    /// The console and its API; beyond this machine only with a token
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:0")]
    pub console: Listen,
    /// The token that the console asks for, at least 16 characters; else from HUB_CONSOLE_TOKEN
    #[arg(long, value_name = "FILE")]
    pub console_token_file: Option<PathBuf>,
    /// The console over TLS: auto, with a certificate of the hub's CA; or with this one and its key, in PEM, read again
    /// when the files change
    #[arg(long, value_name = "CERT,KEY|auto")]
    pub console_tls: Option<ConsoleTls>,
    /// Ask for a token on this machine, too: a user's (hub user add), or the one in hub.json, which the commands with --state use
    #[arg(long)]
    pub console_users: bool,
    /// Believe the proxy at this address when it says in a header which user asks; may be given more than once
    #[arg(long = "console-proxy", value_name = "IP")]
    pub console_proxies: Vec<IpAddr>,
    /// The header that such a proxy puts a user's name into, in place of any that a client has sent
    #[arg(long, value_name = "NAME", default_value = "X-Forwarded-User", requires = "console_proxies",
        value_parser = Proxies::header)]
    pub console_proxy_header: HeaderName,
    /// How many bytes a firmware may have
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20,
        value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub max_upload: u64,
    /// Host name in URLs and in the server's certificate
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub host: String,
    /// Which own server's URL a device is sent
    #[arg(long, value_enum, default_value = "https")]
    pub scheme: Scheme,
    /// Where devices find the own server: what stands before the hub, such as a proxy on port 443. Its path is passed on
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Send this URL instead of the own server's
    #[arg(long, value_name = "URL", requires = "firmware")]
    pub firmware_url: Option<String>,
    /// Send URLs below this one, of a web server that serves the data folder's `firmware/`, instead of the own server's
    #[arg(long, value_name = "URL", requires = "state")]
    pub firmware_base_url: Option<String>,
    /// Keep uploaded firmware in an object store, s3://BUCKET/PREFIX, where devices fetch it, instead of the data folder.
    /// AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say where and with what
    #[arg(long, value_name = "URL", requires = "state", conflicts_with = "firmware_base_url")]
    pub firmware_store: Option<String>,
    /// How many seconds a signed firmware URL opens
    #[arg(long, value_name = "SECONDS", default_value_t = 86400)]
    pub url_lifetime: u64,
    /// Exit with 0 once every device has reported "done", with 1 once one has reported "fail"
    #[arg(long, requires = "firmware")]
    pub exit_when_done: bool,
    /// Misbehave: PLACE:EFFECT[=VALUE][@EVENT][#OCCASIONS], see `hub faults`; may be given more than once
    #[arg(long = "fault", value_name = "RULE")]
    pub faults: Vec<String>,
    #[command(flatten)]
    pub broker: BrokerArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub once: OnceArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_broker_excludes_only_listeners_given_by_hand() {
        let base = ["hub", "run", "--devices", "d.json", "--broker", "mqtt://localhost:1883"];
        assert!(Cli::try_parse_from(base).is_ok());
        assert!(Cli::try_parse_from(base.iter().chain(&["--mqtt", "127.0.0.1:0"])).is_err());
    }
}
