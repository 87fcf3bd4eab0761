//! Remote configuration: what the device asks, and what it hears (messaging contract, section 3).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::MAX_PAYLOAD;
use crate::model::{Problem, ProblemCode, ProblemKind};

/// There is a configuration.
pub const GOOD: u16 = 0;
/// Switched off for the product.
pub const SWITCHED_OFF: u16 = 1001;
/// None is stored.
pub const NONE: u16 = 1002;
/// The one that is stored is none.
pub const BAD: u16 = 1003;

#[derive(Deserialize)]
struct Question {
    #[serde(rename = "type")]
    kind: String,
}

/// Whether a device asks for its configuration. The error is what is wrong with the message, in words.
pub fn read(payload: &[u8]) -> Result<(), String> {
    let question: Question = serde_json::from_slice(payload)
        .map_err(|error| format!("a question for the configuration that cannot be read: {error}"))?;
    if question.kind == "get" {
        Ok(())
    } else {
        Err(format!("a question for the configuration of unknown type {:?}", question.kind))
    }
}

/// What the store has for a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Counts what was published, from 1.
    pub version: i64,
    /// A JSON object; `None` once it has been removed.
    pub payload: Option<String>,
    /// Devices may have it.
    pub enabled: bool,
    /// When that was last changed, UTC in milliseconds.
    pub changed_at: u64,
}

/// What a device that asks gets: a result code and an object.
pub fn reply(stored: Option<&Stored>) -> (u16, &str) {
    match stored {
        Some(Stored { enabled: false, .. }) => (SWITCHED_OFF, "{}"),
        None | Some(Stored { payload: None, .. }) => (NONE, "{}"),
        Some(Stored { payload: Some(payload), .. }) if is_object(payload) => (GOOD, payload),
        Some(_) => (BAD, "{}"),
    }
}

/// The answer to a device that asks.
pub fn reply_text(result: u16, payload: &str) -> String {
    format!(r#"{{"type":"reply","result":{result},"payload":{payload}}}"#)
}

/// What devices are told when there is another configuration.
pub fn push_text(payload: &str) -> String {
    format!(r#"{{"type":"push","payload":{payload}}}"#)
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(text).is_ok()
}

/// Whether a text can be a configuration. It goes to devices as it stands, but for blanks around it.
pub fn check(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    if text.len() > MAX_PAYLOAD {
        return Err(Problem::new(
            ProblemKind::TooLarge,
            format!("The configuration has {} bytes; devices take {MAX_PAYLOAD}.", text.len()),
        )
        .coded(ProblemCode::MessageTooLarge, &[("max", &MAX_PAYLOAD)]));
    }
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Problem::invalid(format!("The configuration must be a JSON object: {error}."))
            .coded(ProblemCode::ConfigBad, &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(payload: Option<&str>, enabled: bool) -> Stored {
        Stored { version: 3, payload: payload.map(str::to_owned), enabled, changed_at: 1 }
    }

    #[test]
    fn questions() {
        assert_eq!(read(br#"{"type":"get"}"#), Ok(()));
        for (payload, part) in [
            (&b"{"[..], "cannot be read"),
            (b"\xff", "cannot be read"),
            (b"{}", "cannot be read"),
            (br#"{"type":"set"}"#, "unknown type \"set\""),
        ] {
            assert!(read(payload).is_err_and(|text| text.contains(part)));
        }
    }

    #[test]
    fn replies_byte_for_byte() {
        let text = r#"{"baud rate":9600,"parity":"NONE"}"#;
        let good = stored(Some(text), true);
        let (result, payload) = reply(Some(&good));
        assert_eq!(
            reply_text(result, payload),
            r#"{"type":"reply","result":0,"payload":{"baud rate":9600,"parity":"NONE"}}"#
        );
        assert_eq!(push_text(text), r#"{"type":"push","payload":{"baud rate":9600,"parity":"NONE"}}"#);
        for (stored, result) in [
            (None, 1002),
            (Some(stored(None, true)), 1002),
            (Some(stored(None, false)), 1001),
            (Some(stored(Some(text), false)), 1001),
            (Some(stored(Some("[1"), true)), 1003),
        ] {
            assert_eq!(reply(stored.as_ref()), (result, "{}"), "{stored:?}");
        }
    }

    #[test]
    fn what_can_be_a_configuration() {
        assert_eq!(check(" { \"a\" : \"}\" }\n"), Ok("{ \"a\" : \"}\" }"));
        for bad in ["", "[]", "1", "{", "{} {}", r#"{"a":1,}"#] {
            assert_eq!(check(bad).err().and_then(|problem| problem.code), Some(ProblemCode::ConfigBad), "{bad}");
        }
        let of_size = |size: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(size - 8));
        assert!(check(&of_size(MAX_PAYLOAD)).is_ok());
        let long = of_size(MAX_PAYLOAD + 1);
        let too_long = check(&long).expect_err("too long");
        assert_eq!((too_long.kind, too_long.code), (ProblemKind::TooLarge, Some(ProblemCode::MessageTooLarge)));
    }
}
