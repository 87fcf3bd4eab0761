//! What can be asked of these services, as the API, the command line and the console say it.

use std::time::Duration;

use base64::prelude::{Engine, BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MAX_PAYLOAD;
use crate::model::{paged, Problem, ProblemCode, ProblemKind};

/// Bytes of a message: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// For bytes that are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl Payload {
    /// As text where the bytes are one.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Payload { text: Some(text.to_owned()), base64: None },
            Err(_) => Payload { text: None, base64: Some(BASE64_STANDARD.encode(bytes)) },
        }
    }

    /// The bytes, where devices take as many.
    pub fn bytes(self) -> Result<Vec<u8>, Problem> {
        let bytes = match (self.text, self.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => BASE64_STANDARD
                .decode(base64)
                .map_err(|error| Problem::invalid(format!("`base64` of the payload: {error}.")))?,
            _ => return Err(Problem::invalid("The payload needs `text` or `base64`, one of the two.")),
        };
        if bytes.len() > MAX_PAYLOAD {
            return Err(Problem::new(
                ProblemKind::TooLarge,
                format!("The message has {} bytes; devices take {MAX_PAYLOAD}.", bytes.len()),
            )
            .coded(ProblemCode::MessageTooLarge, &[("max", &MAX_PAYLOAD)]));
        }
        Ok(bytes)
    }
}

/// A message to every connected device of a product.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Broadcast {
    pub product_id: String,
    pub payload: Payload,
    /// 0: at most once; 1: at least once.
    #[serde(default)]
    #[schema(maximum = 1)]
    pub qos: u8,
}

/// What became of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Broadcasted {
    pub product_id: String,
    /// Devices of the product.
    pub devices: u64,
    /// Those it went out to: connected, and subscribed to broadcasts. On an existing broker, which alone knows, all.
    pub sent: u64,
}

/// A request to a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskDevice {
    pub payload: Payload,
    /// How long it may take; 4000 where it is missing.
    #[schema(minimum = 1, maximum = 30000)]
    pub timeout_ms: Option<u64>,
}

/// How a request to a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RrpcState {
    Waiting,
    Answered,
    TimedOut,
    /// Answered when nobody waited any more.
    Late,
}

/// A request to a device with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rrpc {
    /// The process id in the topics.
    pub id: i64,
    pub client_id: String,
    pub state: RrpcState,
    pub request: Payload,
    /// The first.
    pub answer: Option<Payload>,
    /// How many answers there were; a device may answer twice.
    pub answers: u64,
    pub asked_at: u64,
    pub answered_at: Option<u64>,
    pub timeout_ms: u64,
}

impl Rrpc {
    /// How long an answer is waited for from now on.
    pub fn time_left(&self, now: u64) -> Duration {
        Duration::from_millis(self.asked_at.saturating_add(self.timeout_ms).saturating_sub(now))
    }
}

/// Requests to a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RrpcList {
    /// Newest first; the hub keeps the last 1000 of all devices.
    pub requests: Vec<Rrpc>,
}

/// The remote configuration of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemoteConfig {
    pub product_id: String,
    /// Counts what was published, from 1.
    pub version: i64,
    /// A JSON object as it was given; `null` where it was removed.
    pub payload: Option<String>,
    /// Where it is false, devices that ask are told 1001.
    pub enabled: bool,
    pub changed_at: u64,
}

/// Every remote configuration.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RemoteConfigList {
    /// In order of product.
    pub configs: Vec<RemoteConfig>,
}

/// What a device was told last of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigDevice {
    pub client_id: String,
    /// Of the configuration; `null` where there was none to tell.
    pub version: Option<i64>,
    /// 0, or 1001 switched off, 1002 none stored, 1003 not valid.
    pub result: u16,
    /// The hub told it; else the device had asked.
    pub pushed: bool,
    pub at: u64,
}

/// A remote configuration with the devices that were told of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RemoteConfigDevices {
    pub config: RemoteConfig,
    /// In order of client id.
    pub devices: Vec<ConfigDevice>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

paged!(RemoteConfigDevices: devices);

/// A configuration to be published.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishConfig {
    /// A JSON object; devices get it as it stands here.
    pub payload: String,
    /// Devices hear of it when they ask only.
    #[serde(default)]
    pub quiet: bool,
}

/// Whether devices may have a product's configuration.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchConfig {
    pub enabled: bool,
}

/// A configuration that went out to devices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PushedConfig {
    pub config: RemoteConfig,
    /// Devices of the product.
    pub devices: u64,
    /// Those it went out to: connected, and subscribed. On an existing broker, which alone knows, all.
    pub sent: u64,
}

/// A line that a device has uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Counts up; lines of other devices have numbers between.
    pub id: i64,
    /// Seconds by the device's clock when it was sent; `null` where the device did not know.
    pub sent_at: Option<u64>,
    pub received_at: u64,
    pub text: String,
}

/// What a device has uploaded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceLog {
    /// What it is told to upload.
    pub level: u8,
    /// Oldest first; the hub keeps the last 5000.
    pub lines: Vec<LogLine>,
}

/// Which lines are asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReadLog {
    /// Those that follow the line with this id, instead of the newest.
    pub after: Option<i64>,
    /// So many at most; 200 where it is missing.
    pub limit: Option<u64>,
}

/// What a device is to upload.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLogLevel {
    /// 0: errors, and those only while something goes wrong; 1: errors; 2: warnings; 3: information; 4: everything.
    #[schema(maximum = 4)]
    pub level: u8,
}

/// A device's level.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogLevel {
    pub client_id: String,
    pub level: u8,
    /// The device was told. One that is not there asks when it comes.
    pub sent: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads() {
        for bytes in [&b"closed"[..], b"", b"a\0b", b"\xff\x00\xfe"] {
            assert_eq!(Payload::of(bytes).bytes().as_deref(), Ok(bytes));
        }
        assert_eq!(Payload::of(b"\xff").text, None);
        let both = Payload { text: Some(String::new()), base64: Some(String::new()) };
        let odd = Payload { text: None, base64: Some("=".to_owned()) };
        for bad in [Payload::default(), both, odd] {
            assert_eq!(bad.bytes().map_err(|problem| problem.kind), Err(ProblemKind::Invalid));
        }
        let of_size = |size| Payload { text: Some("x".repeat(size)), base64: None }.bytes();
        assert!(of_size(MAX_PAYLOAD).is_ok());
        assert_eq!(of_size(MAX_PAYLOAD + 1).map_err(|problem| problem.kind), Err(ProblemKind::TooLarge));
    }
}
