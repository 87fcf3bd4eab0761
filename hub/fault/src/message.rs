//! Messages that no cloud should send, made from the good one.

use rumqttc::mqttbytes::v4::Publish;
use serde_json::{json, Value};

use super::noise::noise;
use super::rule::choose;

/// A kind of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OddMessage {
    /// The good one, changed.
    Changed(MessageFlaw),
    /// With this text.
    Text(String),
    /// On the good one's topic, but for the last level, which is this.
    Id(String),
    /// With this result, or each device that it names with this one.
    Result(Value),
}

/// What is changed in the good message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFlaw {
    /// No bytes.
    Empty,
    /// 500 random bytes.
    Noise,
    /// The first half.
    Half,
    /// As many bytes as devices take, or too many.
    Long(usize),
    /// Bytes that end a C string.
    Zeros,
    /// 200 levels deep.
    Nested,
    /// The JSON key is missing.
    Without(&'static str),
    /// The JSON key has this value.
    With(&'static str, Odd),
    /// The topic is another device's.
    Elsewhere,
    /// What its service says when nobody has asked.
    Push,
    /// The devices behind a gateway that it names have this key so.
    Devices(&'static str, &'static str),
}

/// A value that a key of the good message does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    Null,
    Number(i64),
    Text(&'static str),
    Array,
}

/// Every kind.
pub const KINDS: &[(&str, MessageFlaw)] = &[
    ("empty", MessageFlaw::Empty),
    ("noise", MessageFlaw::Noise),
    ("half", MessageFlaw::Half),
    ("16-kb", MessageFlaw::Long(16_000)),
    ("17-kb", MessageFlaw::Long(17_408)),
    ("zeros", MessageFlaw::Zeros),
    ("nested", MessageFlaw::Nested),
    ("elsewhere", MessageFlaw::Elsewhere),
    ("push", MessageFlaw::Push),
    ("other-device", MessageFlaw::Devices("device_name", "other")),
    ("no-token", MessageFlaw::Without("clientToken")),
    ("other-token", MessageFlaw::With("clientToken", Odd::Text("other-0"))),
    ("no-type", MessageFlaw::Without("type")),
    ("other-type", MessageFlaw::With("type", Odd::Text("other"))),
    ("no-payload", MessageFlaw::Without("payload")),
    ("payload-text", MessageFlaw::With("payload", Odd::Text("{\"a\":1}"))),
    ("payload-array", MessageFlaw::With("payload", Odd::Array)),
    ("payload-null", MessageFlaw::With("payload", Odd::Null)),
    ("no-result", MessageFlaw::Without("result")),
    ("result-null", MessageFlaw::With("result", Odd::Null)),
    ("result-odd", MessageFlaw::With("result", Odd::Text("many"))),
    ("result-off", MessageFlaw::With("result", Odd::Number(1001))),
    ("result-bad", MessageFlaw::With("result", Odd::Number(1003))),
];

/// Understands a kind.
pub fn parse(text: &str) -> Result<OddMessage, String> {
    if let Some(payload) = text.strip_prefix("text:") {
        return Ok(OddMessage::Text(payload.to_owned()));
    }
    if let Some(id) = text.strip_prefix("id:") {
        return if id.contains(['/', '+', '#', '\0']) {
            Err(format!("message={text}: an id is one level of a topic"))
        } else {
            Ok(OddMessage::Id(id.to_owned()))
        };
    }
    if let Some(result) = text.strip_prefix("result:") {
        let value = serde_json::from_str(result);
        return value.map(OddMessage::Result).map_err(|error| format!("message={text}: expected JSON: {error}"));
    }
    let found = choose("message", text, KINDS).map(OddMessage::Changed);
    found.map_err(|error| format!("{error}, text:PAYLOAD, id:TEXT, result:JSON"))
}

impl OddMessage {
    /// Changes the good message.
    pub fn spoil(&self, message: &mut Publish) {
        let change = match self {
            OddMessage::Text(text) => {
                message.payload = text.clone().into();
                return;
            }
            OddMessage::Id(id) => {
                let before = message.topic.rsplit_once('/').map_or("", |(before, _)| before);
                message.topic = format!("{before}/{id}");
                return;
            }
            OddMessage::Result(result) => {
                message.payload = changed(&message.payload, |keys| {
                    if let Some(there) = keys.get_mut("result") {
                        *there = result.clone();
                    }
                    devices(keys, "result", result);
                })
                .into();
                return;
            }
            OddMessage::Changed(change) => *change,
        };
        let good = &message.payload;
        message.payload = match change {
            MessageFlaw::Empty => Vec::new(),
            MessageFlaw::Noise => noise(500),
            MessageFlaw::Half => good.get(..good.len() / 2).unwrap_or_default().to_vec(),
            MessageFlaw::Long(length) => long(good, length),
            MessageFlaw::Zeros => b"a\0b\0\0".to_vec(),
            MessageFlaw::Nested => format!("{}1{}", "{\"type\":".repeat(200), "}".repeat(200)).into_bytes(),
            MessageFlaw::Elsewhere => {
                message.topic.push_str("-other");
                return;
            }
            MessageFlaw::Push => {
                let kind = match message.topic.split('/').next() {
                    Some("$shadow" | "$template") => "delta",
                    Some("$gateway") => "change",
                    _ => "push",
                };
                changed(good, |keys| {
                    keys.retain(|key, _| !["clientToken", "result"].contains(&key.as_str()));
                    keys.insert("type".to_owned(), json!(kind));
                })
            }
            MessageFlaw::Devices(key, text) => changed(good, |keys| devices(keys, key, &json!(text))),
            MessageFlaw::Without(key) => changed(good, |keys| drop(keys.remove(key))),
            MessageFlaw::With(key, odd) => {
                let value = match odd {
                    Odd::Null => Value::Null,
                    Odd::Number(number) => json!(number),
                    Odd::Text(text) => json!(text),
                    Odd::Array => json!([1, 2]),
                };
                changed(good, |keys| drop(keys.insert(key.to_owned(), value)))
            }
        }
        .into();
    }
}

/// The good one with its keys changed; a message that is no JSON object becomes one.
fn changed(good: &[u8], change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Vec<u8> {
    let mut keys = serde_json::from_slice(good).unwrap_or_default();
    change(&mut keys);
    Value::Object(keys).to_string().into_bytes()
}

/// Changes a key of each device behind a gateway that a message names.
fn devices(message: &mut serde_json::Map<String, Value>, key: &str, value: &Value) {
    let named = message.get_mut("payload").and_then(|payload| payload.get_mut("devices"));
    for device in named.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(there) = device.get_mut(key) {
            *there = value.clone();
        }
    }
}

/// So many bytes: blanks before the last one, so that JSON stays JSON.
fn long(good: &[u8], length: usize) -> Vec<u8> {
    let (last, before) = good.split_last().unwrap_or((&b' ', b""));
    let mut bytes = before.to_vec();
    bytes.resize(length.saturating_sub(1), b' ');
    bytes.push(*last);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::mqttbytes::QoS;

    const GOOD: &str = r#"{"type":"reply","result":0,"payload":{"a":1}}"#;

    fn spoilt(kind: &str) -> Publish {
        let mut message = Publish::new("$rrpc/rxd/P1/dev1/5", QoS::AtMostOnce, GOOD);
        parse(kind).expect(kind).spoil(&mut message);
        message
    }

    #[test]
    fn every_kind_differs_from_the_good_one() {
        let good = Publish::new("$rrpc/rxd/P1/dev1/5", QoS::AtMostOnce, GOOD);
        // What it does not have is in the test below.
        let others = ["no-token", "other-device"];
        for (name, _) in KINDS.iter().filter(|(name, _)| !others.contains(name)) {
            assert_ne!(spoilt(name), good, "{name}");
        }
        assert_eq!(spoilt("text:{}").payload, "{}");
        assert_eq!(spoilt("id:7").topic, "$rrpc/rxd/P1/dev1/7");
        assert_eq!(spoilt("id:").topic, "$rrpc/rxd/P1/dev1/");
        assert!(parse("id:a/b").is_err());
        assert!(parse("odd").is_err_and(|error| error.contains("no-result") && error.contains("text:")));
    }

    #[test]
    fn answers_of_shadow_and_gateway() {
        let spoil = |kind: &str, good: &str| {
            let mut message = Publish::new("t", QoS::AtMostOnce, good);
            parse(kind).expect(kind).spoil(&mut message);
            String::from_utf8(message.payload.to_vec()).expect("text")
        };
        let shadow = r#"{"clientToken":"P-0","result":0,"type":"get"}"#;
        assert_eq!(spoil("no-token", shadow), r#"{"result":0,"type":"get"}"#);
        assert_eq!(spoil("other-token", shadow), r#"{"clientToken":"other-0","result":0,"type":"get"}"#);
        assert_eq!(spoil("result:\"0\"", shadow), r#"{"clientToken":"P-0","result":"0","type":"get"}"#);
        let gateway = r#"{"payload":{"devices":[{"device_name":"d","result":0}]},"type":"online"}"#;
        let other = r#"{"payload":{"devices":[{"device_name":"other","result":0}]},"type":"online"}"#;
        assert_eq!(spoil("other-device", gateway), other);
        assert_eq!(spoil("result:806", gateway), gateway.replace(":0}", ":806}"));
        assert!(parse("result:x").is_err_and(|error| error.contains("JSON")));
    }

    #[test]
    fn what_a_service_says_unasked() {
        let pushed = |topic: &str, good: &str| {
            let mut message = Publish::new(topic, QoS::AtMostOnce, good);
            parse("push").expect("a kind").spoil(&mut message);
            String::from_utf8(message.payload.to_vec()).expect("text")
        };
        let delta = r#"{"payload":{"state":{}},"type":"delta"}"#;
        let shadow = r#"{"clientToken":"P-0","payload":{"state":{}},"result":0,"type":"get"}"#;
        assert_eq!(pushed("$shadow/operation/result/P/d", shadow), delta);
        assert_eq!(pushed("$config/operation/result/P/d", GOOD), r#"{"payload":{"a":1},"type":"push"}"#);
        assert_eq!(pushed("$gateway/operation/result/P/d", r#"{"type":"online"}"#), r#"{"type":"change"}"#);
    }

    #[test]
    fn what_is_long_says_the_same() {
        let long = spoilt("17-kb").payload;
        assert_eq!(long.len(), 17_408);
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
        assert_eq!(read(&long), read(GOOD.as_bytes()));
        assert_eq!(read(&spoilt("result-off").payload)["result"], 1001);
        assert_eq!(read(&spoilt("no-result").payload)["result"], Value::Null);
    }
}
