//! What is sent to the cloud and what it says (shadow.md sections 1, 4 and 5).

use std::borrow::Cow;

use crate::helpers::json::{self, Kind, Value};

/// What an update has more than the program's document, behind its first byte.
const UPDATE_TYPE: &[u8] = br#""type":"update", "#;

/// A token of ours.
#[must_use]
pub fn token(product_id: &str, number: u32) -> String {
    format!("{product_id}-{number}")
}

/// The request for the whole document.
#[must_use]
pub fn get(token: &str) -> String {
    format!(r#"{{"type":"get", "clientToken":"{token}"}}"#)
}

/// Makes an update of the program's document, which is the first `length` bytes of `buffer`, and puts a NUL behind it.
/// Returns how long it is then; `None`, and nothing changes, where there is no room.
pub fn make_update(buffer: &mut [u8], length: usize) -> Option<usize> {
    let whole = update_length(buffer, length)?;
    let behind = 1 + UPDATE_TYPE.len();
    buffer.copy_within(1..length, behind);
    buffer[1..behind].copy_from_slice(UPDATE_TYPE);
    buffer[whole] = 0;
    Some(whole)
}

/// What [`make_update`] would return.
#[must_use]
pub fn update_length(buffer: &[u8], length: usize) -> Option<usize> {
    let whole = length.checked_add(UPDATE_TYPE.len())?;
    (length > 0 && whole < buffer.len()).then_some(whole)
}

/// The token that the program's document holds. `None` where it holds none, or is no object.
#[must_use]
pub fn token_of(document: &[u8]) -> Option<Cow<'_, [u8]>> {
    // The type goes behind the first byte, which must be the bracket.
    if document.first() != Some(&b'{') {
        return None;
    }
    let [token] = json::values(document, ["clientToken"]).ok()?;
    token.and_then(as_token)
}

/// Numbers and strings of the same digits are the same token.
fn as_token(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    let token = match value.kind() {
        Kind::Number => Cow::Borrowed(value.source()),
        Kind::Text => value.text()?.decoded().ok()?,
        _ => return None,
    };
    (!token.is_empty()).then_some(token)
}

/// What came on the result topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// The cloud wants another state: the state object.
    Delta(&'a [u8]),
    /// The answer to the requests with this token.
    Reply {
        /// The requests' token.
        token: Cow<'a, [u8]>,
        /// Whether the cloud did it.
        is_accepted: bool,
        /// The state that the cloud wants, where a get's answer holds one.
        delta: Option<&'a [u8]>,
    },
}

const NOT_JSON: &str = "it is not a JSON object";

/// Reads the text of a message.
///
/// # Errors
/// Why it is ignored.
pub fn parse(text: &[u8]) -> Result<Message<'_>, &'static str> {
    let keys = ["type", "clientToken", "result", "payload"];
    let [kind, token, result, payload] = json::values(text, keys).map_err(|_| NOT_JSON)?;
    let kind = kind.and_then(|kind| kind.text()).filter(|kind| !kind.is(b"")).ok_or("no type")?;
    if kind.is(b"delta") {
        return payload.and_then(|payload| object(payload, "state")).map(Message::Delta).ok_or("a delta without state");
    }
    let token = token.and_then(as_token).ok_or("no clientToken")?;
    let is_accepted = result.and_then(|result| result.whole()) == Some(0);
    let delta = payload.filter(|_| kind.is(b"get")).and_then(|payload| {
        let [state] = json::values(payload.source(), ["state"]).ok()?;
        object(state?, "delta")
    });
    Ok(Message::Reply { token, is_accepted, delta })
}

/// The object that `outer` holds under `key`.
fn object<'a>(outer: Value<'a>, key: &str) -> Option<&'a [u8]> {
    if outer.kind() != Kind::Object {
        return None;
    }
    let [inner] = json::values(outer.source(), [key]).ok()?;
    inner.filter(|inner| inner.kind() == Kind::Object).map(|inner| inner.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply<'a>(token: &'a str, is_accepted: bool, delta: Option<&'a str>) -> Result<Message<'a>, &'static str> {
        Ok(Message::Reply { token: token.as_bytes().into(), is_accepted, delta: delta.map(str::as_bytes) })
    }

    /// shadow.md section 12, case 8.
    #[test]
    fn a_token_is_a_string_or_a_number_of_any_length() {
        assert_eq!(token_of(br#"{"clientToken":"a\u0062"}"#).as_deref(), Some(&b"ab"[..]));
        assert_eq!(token_of(br#"{"x":{},"clientToken":12}"#).as_deref(), Some(&b"12"[..]));
        for length in [1, 89, 90, 91, 500] {
            let token = "t".repeat(length);
            let document = format!(r#"{{"clientToken":"{token}"}}"#);
            assert_eq!(token_of(document.as_bytes()).as_deref(), Some(token.as_bytes()));
        }
        for document in [
            "",
            "{}",
            "x",
            "[1]",
            r#"{"clientToken":""}"#,
            r#"{"clientToken":null}"#,
            r#"{"clientToken":{}}"#,
            r#" {"clientToken":"a"}"#,
            r#"{"clientToken":"a""#,
            r#"[{"clientToken":"a"}]"#,
        ] {
            assert_eq!(token_of(document.as_bytes()), None, "{document}");
        }
    }

    #[test]
    fn get_has_the_bytes_of_the_contract() {
        assert_eq!(get(&token("PID", 3)), r#"{"type":"get", "clientToken":"PID-3"}"#);
        assert_eq!(token("PID", u32::MAX), "PID-4294967295");
    }

    /// Case 5: 17 bytes and the NUL are what is used.
    #[test]
    fn an_update_is_the_document_with_its_type_where_there_is_room() {
        let document = br#"{"clientToken":"a"}"#;
        for extra in 0..40 {
            let mut buffer = document.to_vec();
            buffer.resize(document.len() + extra, b'#');
            let before = buffer.clone();
            let made = make_update(&mut buffer, document.len());
            if extra < 18 {
                assert_eq!((made, &buffer), (None, &before), "{extra}");
                continue;
            }
            let length = made.unwrap();
            assert_eq!(&buffer[..length], br#"{"type":"update", "clientToken":"a"}"#);
            assert!(buffer[length] == 0 && buffer[length + 1..].iter().all(|byte| *byte == b'#'));
        }
        assert_eq!(make_update(&mut [0; 40], 0), None);
        assert_eq!(update_length(&[0; 40], usize::MAX), None);
    }

    /// Case 10.
    #[test]
    fn only_the_whole_number_0_accepts() {
        for (result, is_accepted) in [
            (r#","result":0"#, true),
            (r#","result":"0""#, true),
            (r#","result":1"#, false),
            (r#","result":-1"#, false),
            (r#","result":5005"#, false),
            (r#","result":65536"#, false),
            (r#","result":18446744073709551616"#, false),
            (r#","result":0.9"#, false),
            (r#","result":"x""#, false),
            (r#","result":null"#, false),
            (r#","result":false"#, false),
            ("", false),
        ] {
            let text = format!(r#"{{"type":"update","clientToken":"t"{result}}}"#);
            assert_eq!(parse(text.as_bytes()), reply("t", is_accepted, None), "{result}");
        }
    }

    /// The messages of section 5.
    #[test]
    fn real_messages_are_read() {
        let get = br#"{"clientToken":"S3EUVBRJLB-0","payload":{"state":{"reported":{"updateCount":5}},"timestamp":1568696289949,"version":5},"result":0,"timestamp":1568696341,"type":"get"}"#;
        assert_eq!(parse(get), reply("S3EUVBRJLB-0", true, None));
        let wanted = br#"{"clientToken":"8480","payload":{"state":{"delta":{"alarmvalue":"50"},"desired":{"alarmvalue":"50"},"reported":{"temperature":32}},"timestamp":1678783950012,"version":14},"result":0,"timestamp":1678783991,"type":"get"}"#;
        assert_eq!(parse(wanted), reply("8480", true, Some(r#"{"alarmvalue":"50"}"#)));
        let pushed = br#"{"type":"delta","timestamp":1514967076,"payload":{"state":{"temperature":25},"metadata":{"temperature":{"timestamp":1514967076}},"version":3,"timestamp":1514967076}}"#;
        assert_eq!(parse(pushed), Ok(Message::Delta(br#"{"temperature":25}"#)));
    }

    /// Case 17.
    #[test]
    fn only_a_get_brings_a_delta_along() {
        let text = |kind: &str, result: u8| {
            format!(
                r#"{{"type":"{kind}","clientToken":"t","result":{result},"payload":{{"state":{{"delta":{{"a":1}}}}}}}}"#
            )
        };
        assert_eq!(parse(text("get", 0).as_bytes()), reply("t", true, Some(r#"{"a":1}"#)));
        assert_eq!(parse(text("get", 1).as_bytes()), reply("t", false, Some(r#"{"a":1}"#)));
        assert_eq!(parse(text("update", 0).as_bytes()), reply("t", true, None));
        assert_eq!(parse(text("update", 1).as_bytes()), reply("t", false, None));
        let odd = br#"{"type":"get","clientToken":"t","result":0,"payload":{"state":[1]}}"#;
        assert_eq!(parse(odd), reply("t", true, None));
    }

    /// Case 13.
    #[test]
    fn what_is_no_message_says_why() {
        for (text, why) in [
            ("", NOT_JSON),
            ("x", NOT_JSON),
            ("[1]", NOT_JSON),
            (r#"{"type":"get","clientToken":"t""#, NOT_JSON),
            (r#"{"clientToken":"t","result":0}"#, "no type"),
            (r#"{"type":"","clientToken":"t","result":0}"#, "no type"),
            (r#"{"type":1,"clientToken":"t","result":0}"#, "no type"),
            (r#"{"type":"update","result":0}"#, "no clientToken"),
            (r#"{"type":"update","clientToken":"","result":0}"#, "no clientToken"),
            (r#"{"type":"delta"}"#, "a delta without state"),
            (r#"{"type":"delta","payload":[]}"#, "a delta without state"),
            (r#"{"type":"delta","payload":{"state":1}}"#, "a delta without state"),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(why), "{text}");
        }
    }
}
