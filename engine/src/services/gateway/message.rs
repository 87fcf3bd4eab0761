//! What a gateway asks and what the cloud answers (gateway.md section 1).

use std::borrow::Cow;

use crate::helpers::json::{self, quoted, Items, Kind, Value};
use crate::identity::Identity;

/// What a gateway asks the cloud to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A sub-device is online.
    Online,
    /// A sub-device is offline.
    Offline,
    /// A sub-device belongs to this gateway from now on.
    Bind,
    /// A sub-device belongs to it no more.
    Unbind,
    /// The sub-devices that belong to it are to be listed.
    List,
}

impl Operation {
    const ALL: [Operation; 5] =
        [Operation::Online, Operation::Offline, Operation::Bind, Operation::Unbind, Operation::List];

    /// The `type` of its messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::Online => "online",
            Operation::Offline => "offline",
            Operation::Bind => "bind",
            Operation::Unbind => "unbind",
            Operation::List => "describe_sub_devices",
        }
    }
}

/// What proves that a sub-device may be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// See [`super::signature::sign`].
    pub signature: String,
    /// From 0 to 2^31 - 1.
    pub random: u32,
    /// UTC seconds.
    pub timestamp: u64,
    /// `psk` or `certificate`.
    pub auth_type: &'static str,
}

const NOT_JSON: &str = "it is not a JSON object";

/// The request to list the bound sub-devices.
pub const LIST: &str = r#"{"type":"describe_sub_devices"}"#;

/// The request for one sub-device; `proof` goes with [`Operation::Bind`].
#[must_use]
pub fn request(operation: Operation, device: &Identity, proof: Option<&Proof>) -> String {
    let proof = proof.map_or_else(String::new, |proof| {
        format!(
            r#","signature":"{}","random":{},"timestamp":{},"signmethod":"hmacsha1","authtype":"{}""#,
            proof.signature, proof.random, proof.timestamp, proof.auth_type
        )
    });
    format!(
        r#"{{"type":"{}","payload":{{"devices":[{{"product_id":{},"device_name":{}{proof}}}]}}}}"#,
        operation.name(),
        quoted(device.product_id()),
        quoted(device.device_name()),
    )
}

/// A sub-device that is bound to the gateway, as the cloud names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its product.
    pub product_id: String,
    /// Its name.
    pub device_name: String,
}

/// The cloud's answer, its devices still unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// What it answers.
    pub operation: Operation,
    devices: Value<'a>,
}

/// What an answer says of one sub-device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its product.
    pub product_id: Cow<'a, str>,
    /// Its name.
    pub device_name: Cow<'a, str>,
    /// 0 or why not; `None` where that is missing or no integer of 32 bits.
    pub result: Option<i32>,
}

/// Reads what came on the result topic.
///
/// # Errors
/// Why it is no answer.
pub fn parse(payload: &[u8]) -> Result<Answer<'_>, &'static str> {
    let [kind, payload] = json::values(json::message(payload), ["type", "payload"]).map_err(|_| NOT_JSON)?;
    let kind = kind.and_then(|kind| kind.text()).ok_or("no type")?;
    let operation = Operation::ALL.into_iter().find(|operation| kind.is(operation.name().as_bytes()));
    let operation = operation.ok_or("its type is no answer to a request")?;
    let payload = payload.filter(|payload| payload.kind() == Kind::Object).ok_or("no payload")?;
    let [devices] = json::values(payload.source(), ["devices"]).map_err(|_| NOT_JSON)?;
    Ok(Answer { operation, devices: devices.ok_or("no devices")? })
}

impl<'a> Answer<'a> {
    /// What it says of each sub-device that it names. One without names is left out.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        let (single, mut items) = match self.devices.kind() {
            Kind::Object if self.operation != Operation::List => (Some(self.devices), None),
            Kind::Array => (None, Items::open(self.devices.source()).ok()),
            _ => (None, None),
        };
        let rest = std::iter::from_fn(move || items.as_mut()?.next_item().ok().flatten());
        single.into_iter().chain(rest).filter_map(entry)
    }
}

/// What an answer says of one sub-device; `None` without names.
pub(super) fn entry(value: Value<'_>) -> Option<Entry<'_>> {
    if value.kind() != Kind::Object {
        return None;
    }
    let [product_id, device_name, result] =
        json::values(value.source(), ["product_id", "device_name", "result"]).ok()?;
    Some(Entry {
        product_id: name(product_id)?,
        device_name: name(device_name)?,
        result: result.and_then(|value| i32::try_from(value.whole()?).ok()),
    })
}

fn name(value: Option<Value<'_>>) -> Option<Cow<'_, str>> {
    value?.text()?.to_str().ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Identity {
        Identity::new("SP", "SD").unwrap()
    }

    fn results(payload: &str) -> Vec<(String, String, Option<i32>)> {
        let answer = parse(payload.as_bytes()).unwrap();
        let entries = answer.entries();
        entries.map(|entry| (entry.product_id.into(), entry.device_name.into(), entry.result)).collect()
    }

    fn entry_of(device_name: &str, result: Option<i32>) -> (String, String, Option<i32>) {
        ("SP".to_owned(), device_name.to_owned(), result)
    }

    /// Cases 4, 11 and 12 of gateway.md.
    #[test]
    fn requests_are_the_contracts_bytes() {
        assert_eq!(
            request(Operation::Online, &device(), None),
            r#"{"type":"online","payload":{"devices":[{"product_id":"SP","device_name":"SD"}]}}"#
        );
        assert_eq!(
            request(Operation::Unbind, &Identity::new("SP", "a\"b").unwrap(), None),
            r#"{"type":"unbind","payload":{"devices":[{"product_id":"SP","device_name":"a\"b"}]}}"#
        );
        let proof = Proof { signature: "S=".to_owned(), random: 7, timestamp: 8, auth_type: "psk" };
        assert_eq!(
            request(Operation::Bind, &device(), Some(&proof)),
            concat!(
                r#"{"type":"bind","payload":{"devices":[{"product_id":"SP","device_name":"SD","signature":"S=","#,
                r#""random":7,"timestamp":8,"signmethod":"hmacsha1","authtype":"psk"}]}}"#
            )
        );
    }

    #[test]
    fn case_9_an_answer_is_read_however_it_is_written() {
        let pretty = "\r\n{ \"payload\" :\n {\"devices\": [\n{\"result\": \"-1\", \"x\": [\"}]\"], \"device_name\":\"S\\u0044\",\n\
                      \"product_id\":\"SP\"} ] }, \"type\":\"offline\" }";
        assert_eq!(results(pretty), [entry_of("SD", Some(-1))]);
        let object = r#"{"type":"online","payload":{"devices":{"product_id":"SP","device_name":"SD","result":806}}}"#;
        assert_eq!(results(object), [entry_of("SD", Some(806))]);
        let third = concat!(
            r#"{"type":"bind","payload":{"devices":[{"product_id":"SP","device_name":"a","result":0},"#,
            r#"{"device_name":"b"},{"product_id":"SP","device_name":"SD","result":"809"},{},7]}}"#
        );
        assert_eq!(results(third), [entry_of("a", Some(0)), entry_of("SD", Some(809))]);
    }

    #[test]
    fn a_result_is_an_integer_of_32_bits() {
        for (text, result) in [
            ("0", Some(0)),
            ("\"-5\"", Some(-5)),
            ("1.9", None),
            ("true", None),
            ("null", None),
            ("2147483648", None),
            ("-2147483648", Some(i32::MIN)),
            ("99999999999999999999999", None),
        ] {
            let payload = format!(
                r#"{{"type":"online","payload":{{"devices":[{{"product_id":"SP","device_name":"SD","result":{text}}}]}}}}"#
            );
            assert_eq!(results(&payload), [entry_of("SD", result)], "{text}");
        }
    }

    #[test]
    fn case_13_the_list_may_be_empty_in_every_way() {
        for devices in ["[]", "null", "\"x\"", r#"{"product_id":"SP","device_name":"SD"}"#] {
            let payload = format!(r#"{{"type":"describe_sub_devices","payload":{{"devices":{devices}}}}}"#);
            assert_eq!(results(&payload), [], "{devices}");
        }
    }

    #[test]
    fn case_10_other_messages_are_no_answer() {
        for payload in [
            "",
            "[]",
            "{}",
            r#"{"type":"online"}"#,
            r#"{"type":"online","payload":{}}"#,
            r#"{"type":"online","payload":[]}"#,
            r#"{"type":"online_x","payload":{"devices":[]}}"#,
            r#"{"type":"search_devices","payload":{"status":1}}"#,
            r#"{"type":"unbind_all"}"#,
            r#"{"payload":{"devices":[]}}"#,
            r#"{"type":"online","payload":{"devices":[}}"#,
        ] {
            assert!(parse(payload.as_bytes()).is_err(), "{payload}");
        }
    }
}
