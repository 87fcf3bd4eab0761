//! What the hub tells the world. The names are those of its JSON lines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// Which listener a device came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listener {
    /// TLS with a pre-shared key.
    Psk,
    /// Plain TCP with a password.
    Tcp,
    /// TLS with a client certificate.
    Cert,
    /// CoAP over plain UDP.
    Coap,
    /// CoAP over DTLS with a pre-shared key.
    CoapPsk,
    /// CoAP over DTLS with a client certificate.
    CoapCert,
}

/// Where a client certificate is.
#[derive(Clone, Debug, Serialize)]
pub struct CertPaths {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What a test or a user needs to reach the hub; also the content of the ready file.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    pub mqtt_psk: Option<String>,
    pub mqtt: Option<String>,
    pub mqtt_cert: Option<String>,
    pub coap: Option<String>,
    pub coap_psk: Option<String>,
    pub coap_cert: Option<String>,
    pub http: Option<String>,
    pub https: Option<String>,
    /// A URL.
    pub console: Option<String>,
    pub ca_file: PathBuf,
    pub firmware_url: Option<String>,
    pub version: Option<String>,
    pub md5: Option<String>,
    pub file_size: Option<u64>,
    pub client_certs: BTreeMap<String, CertPaths>,
    /// The device of `--once`.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub once: Option<OnceReady>,
}

/// What the device of `hub run --once` needs to know.
#[derive(Clone, Debug, Serialize)]
pub struct OnceReady {
    /// How it comes in.
    pub auth: &'static str,
    /// The listener for that.
    pub endpoint: String,
    /// The same for a device that speaks CoAP.
    pub coap_endpoint: Option<String>,
    /// Where it runs.
    pub folder: PathBuf,
    pub from_version: Option<String>,
    /// These only where there is one device.
    pub client_id: Option<String>,
    pub product_id: Option<String>,
    pub device_name: Option<String>,
    pub device_info: Option<PathBuf>,
}

/// One row of the answer to the command `devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRow {
    pub client_id: String,
    /// `None` where an existing broker keeps the connections.
    pub online: Option<bool>,
    pub version: Option<String>,
    pub state: Option<String>,
    pub percent: Option<u8>,
}

/// What became of a request to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RrpcOutcome {
    /// It is on its way.
    Asked,
    Answered,
    /// Nobody waits any more.
    TimedOut,
    /// The first answer, when nobody waited any more.
    Late,
    /// One more answer.
    Again,
    /// An answer to nothing.
    NeverAsked,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Ready(Box<Ready>),
    Connected {
        client_id: String,
        listener: Listener,
        username: Option<String>,
        keep_alive: u16,
        clean_session: bool,
    },
    /// A device was given a token, by which CoAP knows it from then on.
    Admitted {
        client_id: String,
        listener: Listener,
    },
    Refused {
        client_id: Option<String>,
        listener: Listener,
        reason: String,
    },
    Disconnected {
        client_id: String,
        clean: bool,
        reason: String,
    },
    Subscribed {
        client_id: String,
        filter: String,
        qos: u8,
    },
    Unsubscribed {
        client_id: String,
        filter: String,
    },
    Message {
        client_id: String,
        topic: String,
        qos: u8,
        payload: String,
    },
    /// A device told its running version.
    Version {
        client_id: String,
        version: String,
    },
    /// An update command is on its way to a device.
    Ordered {
        client_id: String,
        version: String,
    },
    /// A device reported on an upgrade.
    Upgrade {
        client_id: String,
        version: String,
        state: String,
        percent: Option<u8>,
        result_code: Option<i64>,
        result_msg: Option<String>,
    },
    /// A device asked for its shadow (`get`), changed it (`update`), or asked for something that makes no sense (`refuse`);
    /// or a person changed what is desired of it (`desire`).
    Shadow {
        client_id: String,
        action: &'static str,
        /// As the device is told; 0: done.
        result: i64,
        version: u64,
    },
    /// A message went out to devices of a product.
    Broadcast {
        product_id: String,
        bytes: usize,
        sent: u64,
    },
    /// A request to a device, or its answer.
    Rrpc {
        client_id: String,
        /// As it stands in the topic.
        id: String,
        outcome: RrpcOutcome,
    },
    /// A product's configuration was changed.
    Config {
        product_id: String,
        version: i64,
        enabled: bool,
        /// `None` where it was removed.
        bytes: Option<usize>,
    },
    /// A device was told of its configuration.
    ConfigSent {
        client_id: String,
        version: Option<i64>,
        result: u16,
        pushed: bool,
    },
    /// A resource of a device has come to be, or the device has reported on it.
    Resource {
        client_id: String,
        id: i64,
        direction: &'static str,
        name: String,
        state: String,
        percent: Option<u8>,
        result_code: Option<i64>,
    },
    /// A gateway asked for something (`online`, `offline`, `bind`, `unbind`), or a person did; or it has answered
    /// `search_devices`, `change` or `unbind_all`.
    Gateway {
        client_id: String,
        action: &'static str,
        /// The device that it is about.
        device: Option<String>,
        /// As the gateway is told; 0: done.
        result: i64,
    },
    /// A device has uploaded log lines.
    Log {
        client_id: String,
        lines: Vec<String>,
    },
    /// A device was told what to upload.
    LogLevel {
        client_id: String,
        level: u8,
        /// By the device; else a person has set it.
        asked: bool,
    },
    /// A device's SSH tunnel: `asked for`, `up`, `down`, `no longer wanted`; `told up` and `told down` are the device's words.
    Ssh {
        client_id: String,
        state: &'static str,
    },
    /// A device was given what it proves itself with.
    Registered {
        client_id: String,
    },
    Http {
        method: String,
        target: String,
        range: Option<String>,
        if_range: Option<String>,
        accept_encoding: Option<String>,
        status: u16,
        bytes: u64,
        complete: bool,
        /// Why access was refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// A fault rule was due.
    Fault {
        rule: String,
    },
    Devices {
        devices: Vec<DeviceRow>,
        /// There are more, after this client id.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// A device, a broker or a person did something that makes no sense.
    Warning {
        client_id: Option<String>,
        text: String,
    },
    /// Answers a command.
    Note {
        text: String,
    },
}
