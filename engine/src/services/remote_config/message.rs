//! The question and what the cloud sends (messaging.md section 3).

use std::fmt;

use crate::helpers::json::{self, Kind};

/// The question.
pub const REQUEST: &str = r#"{"type":"get"}"#;

/// A configuration, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration<'a> {
    /// It answers a question; else the cloud has sent it on its own.
    pub is_reply: bool,
    /// The cloud's result, 0 for what it has sent on its own.
    pub result: i32,
    /// The text of the payload: of a string without its quotes and with its escapes, empty where there is none.
    pub text: &'a [u8],
}

/// Why a message is no configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoConfiguration {
    /// It is not JSON.
    Syntax(json::Error),
    /// A zero byte stands at this place, from 0.
    Zero(usize),
    /// `type` is missing, or neither `reply` nor `push`.
    Type,
    /// A reply without a result that is a whole number of 32 bits.
    Result,
}

impl fmt::Display for NoConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoConfiguration::Syntax(error) => write!(f, "{error}"),
            NoConfiguration::Zero(at) => write!(f, "the text is not JSON: a zero byte at byte {at}"),
            NoConfiguration::Type => f.write_str("its type is neither reply nor push"),
            NoConfiguration::Result => f.write_str("a reply without a result that is a number"),
        }
    }
}

/// Reads what came from the cloud.
///
/// # Errors
/// It is no configuration.
pub fn parse(payload: &[u8]) -> Result<Configuration<'_>, NoConfiguration> {
    // Publishers that are written in C send the NUL of their string, too. One inside would hide what follows it.
    let end = payload.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if let Some(at) = payload[..end].iter().position(|byte| *byte == 0) {
        return Err(NoConfiguration::Zero(at));
    }
    let [kind, result, payload] =
        json::values(json::message(payload), ["type", "result", "payload"]).map_err(NoConfiguration::Syntax)?;
    let kind = kind.and_then(|kind| kind.text());
    let is_reply = kind.is_some_and(|kind| kind.is(b"reply"));
    if !is_reply && !kind.is_some_and(|kind| kind.is(b"push")) {
        return Err(NoConfiguration::Type);
    }
    let result = if is_reply {
        let result = result.filter(|result| matches!(result.kind(), Kind::Number | Kind::Text));
        result.and_then(|result| i32::try_from(result.whole()?).ok()).ok_or(NoConfiguration::Result)?
    } else {
        0
    };
    Ok(Configuration { is_reply, result, text: payload.map_or(&[], |payload| payload.source()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(result: i32, text: &str) -> Result<Configuration<'_>, NoConfiguration> {
        Ok(Configuration { is_reply: true, result, text: text.as_bytes() })
    }

    #[test]
    fn case_15_the_documented_messages_are_read() {
        let config = r#"{"baud rate":9600,"data bits":8,"stop bit":1,"parity":"NONE","thread sleep":1000}"#;
        let message = format!(r#"{{"type":"reply","result":0,"payload":{config}}}"#);
        assert_eq!(parse(message.as_bytes()), reply(0, config));
        let message = format!(r#"{{"type":"push","payload":{config}}}"#);
        let pushed = Configuration { is_reply: false, result: 0, text: config.as_bytes() };
        assert_eq!(parse(message.as_bytes()), Ok(pushed));
    }

    #[test]
    fn case_16_results_are_numbers_or_digits() {
        for (result, expected) in [("1001", 1001), ("1002", 1002), ("1003", 1003), (r#""1003""#, 1003), ("-5", -5)] {
            let message = format!(r#"{{"type":"reply","result":{result},"payload":{{}}}}"#);
            assert_eq!(parse(message.as_bytes()), reply(expected, "{}"), "{result}");
        }
    }

    #[test]
    fn case_17_the_payload_is_its_source_text() {
        for (payload, text) in [
            (r#"{ "a" : [ 1 ] }"#, r#"{ "a" : [ 1 ] }"#),
            ("[1, 2]", "[1, 2]"),
            ("-1.5e3", "-1.5e3"),
            ("null", "null"),
            ("true", "true"),
            (r#""{\"a\":1}""#, r#"{\"a\":1}"#),
            (r#""""#, ""),
            (r#"{"a":"}","b":2}"#, r#"{"a":"}","b":2}"#),
            (r#"{"type":"push","result":7}"#, r#"{"type":"push","result":7}"#),
            ("{\n  \"a\": 1\n}", "{\n  \"a\": 1\n}"),
        ] {
            let message = format!(r#"{{"payload":{payload},"result":0,"type":"reply"}}"#);
            assert_eq!(parse(message.as_bytes()), reply(0, text), "{payload}");
        }
        assert_eq!(parse(br#"{"type":"reply","result":0}"#), reply(0, ""));
    }

    #[test]
    fn case_18_what_is_no_configuration() {
        use NoConfiguration::{Result, Type};
        for (message, why) in [
            (r#"{"type":"reply","payload":{}}"#, Result),
            (r#"{"type":"reply","result":null,"payload":{}}"#, Result),
            (r#"{"type":"reply","result":"x","payload":{}}"#, Result),
            (r#"{"type":"reply","result":true,"payload":{}}"#, Result),
            (r#"{"type":"reply","result":1.5,"payload":{}}"#, Result),
            (r#"{"type":"reply","result":2147483648,"payload":{}}"#, Result),
            (r#"{"result":0,"payload":{"type":"reply"}}"#, Type),
            (r#"{"type":"get","result":0}"#, Type),
            (r#"{"type":7,"result":0}"#, Type),
            ("{}", Type),
        ] {
            assert_eq!(parse(message.as_bytes()), Err(why), "{message}");
        }
        for message in ["", "hello", "[]", r#"{"type":"reply""#, r#"{"type":"reply","result":0,"payload":{"a":1}"#] {
            assert!(matches!(parse(message.as_bytes()), Err(NoConfiguration::Syntax(_))), "{message}");
        }
    }

    #[test]
    fn a_zero_byte_is_allowed_at_the_end_only() {
        let message = b"{\"type\":\"reply\",\"result\":0,\"payload\":1}";
        let behind = [&message[..], b"\0\0"].concat();
        assert_eq!(parse(&behind), reply(0, "1"));
        let inside = [&behind[..], b"x"].concat();
        assert_eq!(parse(&inside), Err(NoConfiguration::Zero(message.len())));
        assert!(parse(b"\0\0").is_err());
    }

    #[test]
    fn each_cause_has_words_that_show_nothing_of_the_message() {
        let causes = [
            parse(b"").unwrap_err().to_string(),
            parse(b"{\0}").unwrap_err().to_string(),
            NoConfiguration::Type.to_string(),
            NoConfiguration::Result.to_string(),
        ];
        let expected = [
            "the text is not a JSON object: it ends too early at byte 0",
            "the text is not JSON: a zero byte at byte 1",
            "its type is neither reply nor push",
            "a reply without a result that is a number",
        ];
        assert_eq!(causes, expected);
    }
}
