//! What a gateway says, and what it is told.

use serde::Serialize;
use serde_json::Value;

/// Devices that a gateway may name at once.
const MAX_DEVICES: usize = 200;

/// A request, or an answer to what the cloud has asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Something is to happen to these devices.
    Ask(Action, Vec<Entry>),
    /// Which devices are bound?
    Describe,
    /// The answer to a message of this type.
    Answer(&'static str),
}

/// What may happen to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It can be reached through the gateway.
    Online,
    /// No longer.
    Offline,
    /// It is the gateway's from now on.
    Bind,
    /// No longer.
    Unbind,
}

impl Action {
    /// The type of request and answer.
    pub fn name(self) -> &'static str {
        match self {
            Action::Online => "online",
            Action::Offline => "offline",
            Action::Bind => "bind",
            Action::Unbind => "unbind",
        }
    }
}

/// A device that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its product.
    pub product_id: String,
    /// Its name within that.
    pub device_name: String,
    /// That it agrees; only where it is to be bound, and only if all of it is there.
    pub proof: Option<Proof>,
}

impl Entry {
    /// The device's client id.
    pub fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.device_name)
    }
}

/// A device's agreement to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Base64.
    pub signature: String,
    /// A number that the gateway made up.
    pub random: u64,
    /// When, UTC in seconds.
    pub timestamp: u64,
    /// How it is signed.
    pub method: String,
    /// With what it is signed.
    pub kind: String,
}

/// Reads a message. The error is what is wrong with it, in words.
pub fn read(payload: &[u8]) -> Result<Said, String> {
    let message: Value =
        serde_json::from_slice(payload).map_err(|error| format!("a gateway request that cannot be read: {error}"))?;
    let action = match message["type"].as_str() {
        Some("online") => Action::Online,
        Some("offline") => Action::Offline,
        Some("bind") => Action::Bind,
        Some("unbind") => Action::Unbind,
        Some("describe_sub_devices") => return Ok(Said::Describe),
        Some("search_devices") => return Ok(Said::Answer("search_devices")),
        Some("change") => return Ok(Said::Answer("change")),
        Some("unbind_all") => return Ok(Said::Answer("unbind_all")),
        _ => return Err("a gateway request of no known type".to_owned()),
    };
    let devices = &message["payload"]["devices"];
    let entries = match devices {
        Value::Array(list) if list.len() > MAX_DEVICES => {
            return Err(format!("a gateway request for {} devices: at most {MAX_DEVICES}", list.len()))
        }
        Value::Array(list) => list.iter().map(entry).collect(),
        one => entry(one).map(|entry| vec![entry]),
    };
    match entries {
        Some(entries) if !entries.is_empty() => Ok(Said::Ask(action, entries)),
        _ => Err(format!("a request {:?} that does not name its devices", action.name())),
    }
}

fn entry(value: &Value) -> Option<Entry> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let number = |key: &str| match &value[key] {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_u64(),
    };
    let proof = || {
        Some(Proof {
            signature: text("signature")?,
            random: number("random")?,
            timestamp: number("timestamp")?,
            method: text("signmethod")?,
            kind: text("authtype")?,
        })
    };
    Some(Entry { product_id: text("product_id")?, device_name: text("device_name")?, proof: proof() })
}

#[derive(Serialize)]
struct Message<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: T,
}

#[derive(Serialize)]
struct Devices<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u8>,
    devices: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    product_id: &'a str,
    device_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<i64>,
}

fn to_json(value: &impl Serialize) -> String {
    // There is nothing in these that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

fn named<'a>(devices: &'a [(String, String)]) -> Vec<Named<'a>> {
    let name = |(product_id, device_name): &'a (String, String)| Named { product_id, device_name, result: None };
    devices.iter().map(name).collect()
}

/// The answer to a request, with a result for each device.
pub fn answer(action: Action, results: &[(Entry, i64)]) -> String {
    let devices = results
        .iter()
        .map(|(entry, result)| Named {
            product_id: &entry.product_id,
            device_name: &entry.device_name,
            result: Some(*result),
        })
        .collect();
    to_json(&Message { kind: action.name(), payload: Devices { status: None, devices } })
}

/// The answer to [`Said::Describe`]: product ids and names of the devices that are bound.
pub fn described(devices: &[(String, String)]) -> String {
    to_json(&Message { kind: "describe_sub_devices", payload: Devices { status: None, devices: named(devices) } })
}

/// Tells a gateway that somebody has bound these devices to it, or taken them away.
pub fn change(bound: bool, devices: &[(String, String)]) -> String {
    let payload = Devices { status: Some(bound.into()), devices: named(devices) };
    to_json(&Message { kind: "change", payload })
}

/// Tells a gateway to begin or to end its search for devices.
pub fn search(on: bool) -> String {
    #[derive(Serialize)]
    struct Status {
        status: u8,
    }
    to_json(&Message { kind: "search_devices", payload: Status { status: on.into() } })
}

/// Tells a gateway that no device is bound to it any more.
pub fn unbind_all() -> String {
    r#"{"type":"unbind_all"}"#.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_as_the_sdk_writes_them() {
        let device = || Entry { product_id: "SP".to_owned(), device_name: "SD".to_owned(), proof: None };
        let one = r#"{"product_id":"SP","device_name":"SD"}"#;
        for (text, action) in [
            (format!(r#"{{"type":"online","payload":{{"devices":[{one}]}}}}"#), Action::Online),
            (format!(r#"{{"type":"offline","payload":{{"devices":[{one}]}}}}"#), Action::Offline),
            (format!(r#"{{"type":"unbind","payload":{{"devices":{one}}}}}"#), Action::Unbind),
        ] {
            assert_eq!(read(text.as_bytes()), Ok(Said::Ask(action, vec![device()])), "{text}");
        }
        let bind = br#"{"type":"bind","payload":{"devices":[{"product_id":"SP","device_name":"SD","signature":"S","random":7,"timestamp":"8","signmethod":"hmacsha1","authtype":"psk"}]}}"#;
        let proof = Proof {
            signature: "S".to_owned(),
            random: 7,
            timestamp: 8,
            method: "hmacsha1".to_owned(),
            kind: "psk".to_owned(),
        };
        let agreed = Entry { proof: Some(proof), ..device() };
        assert_eq!(read(bind), Ok(Said::Ask(Action::Bind, vec![agreed])));
        assert_eq!(read(br#"{"type":"describe_sub_devices"}"#), Ok(Said::Describe));
        for answer in [
            r#"{"type":"change", "payload":{"status":0, "devices":[{"product_id":"SP","device_name":"SD","result":0}]}}"#,
            r#"{"type":"change","result":0}"#,
        ] {
            assert_eq!(read(answer.as_bytes()), Ok(Said::Answer("change")), "{answer}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        let many = format!(r#"{{"type":"online","payload":{{"devices":[{}1]}}}}"#, "1,".repeat(MAX_DEVICES));
        for (payload, part) in [
            ("{", "cannot be read"),
            ("[]", "no known type"),
            (r#"{"type":"explode"}"#, "no known type"),
            (r#"{"type":"online"}"#, "does not name"),
            (r#"{"type":"online","payload":{"devices":[]}}"#, "does not name"),
            (r#"{"type":"online","payload":{"devices":[{"product_id":"SP"}]}}"#, "does not name"),
            (many.as_str(), "at most 200"),
        ] {
            assert!(read(payload.as_bytes()).is_err_and(|text| text.contains(part)), "{payload}");
        }
    }

    #[test]
    fn messages_byte_for_byte() {
        let entry = Entry { product_id: "SP".to_owned(), device_name: "SD".to_owned(), proof: None };
        assert_eq!(
            answer(Action::Bind, &[(entry.clone(), 809), (entry, 0)]),
            r#"{"type":"bind","payload":{"devices":[{"product_id":"SP","device_name":"SD","result":809},{"product_id":"SP","device_name":"SD","result":0}]}}"#
        );
        let device = [("SP".to_owned(), "SD".to_owned())];
        assert_eq!(
            described(&device),
            r#"{"type":"describe_sub_devices","payload":{"devices":[{"product_id":"SP","device_name":"SD"}]}}"#
        );
        assert_eq!(described(&[]), r#"{"type":"describe_sub_devices","payload":{"devices":[]}}"#);
        assert_eq!(
            change(false, &device),
            r#"{"type":"change","payload":{"status":0,"devices":[{"product_id":"SP","device_name":"SD"}]}}"#
        );
        assert_eq!(search(true), r#"{"type":"search_devices","payload":{"status":1}}"#);
        assert_eq!(unbind_all(), r#"{"type":"unbind_all"}"#);
    }
}
