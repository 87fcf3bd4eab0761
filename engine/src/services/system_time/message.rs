//! The question and the answer (behaviour.md section 7).

use crate::helpers::json;

/// The question.
pub const REQUEST: &str = r#"{"type": "get", "resource": ["time"]}"#;

/// The cloud's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// UTC seconds.
    pub seconds: u64,
    /// When the question reached the server, in UTC milliseconds.
    pub received_ms: u64,
    /// When the answer left the server, in UTC milliseconds.
    pub sent_ms: u64,
}

/// Reads the cloud's answer. `None` for any other message.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<Answer> {
    let keys = ["type", "time", "ntptime1", "ntptime2"];
    let [kind, time, received, sent] = json::values(json::message(payload), keys).ok()?;
    let moment = |value: Option<json::Value<'_>>| u64::try_from(value?.whole()?).ok();
    let seconds = moment(time)?;
    let whole = seconds.checked_mul(1_000)?;
    kind?.text()?.is(b"get").then(|| Answer {
        seconds,
        received_ms: moment(received).unwrap_or(whole),
        sent_ms: moment(sent).unwrap_or(whole),
    })
}

/// UTC milliseconds at the moment the answer arrived, `round_trip_ms` after the question was sent. The ways there and
/// back are taken to be equally long.
#[must_use]
pub fn now_ms(answer: &Answer, round_trip_ms: u64) -> u64 {
    let twice = u128::from(answer.received_ms) + u128::from(answer.sent_ms) + u128::from(round_trip_ms);
    u64::try_from(twice / 2).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answer_is_read() {
        let answer = parse(br#"{"type":"get","time":1604458421,"ntptime1":1604458421734,"ntptime2":1604458421736}"#);
        let expected = Answer { seconds: 1_604_458_421, received_ms: 1_604_458_421_734, sent_ms: 1_604_458_421_736 };
        assert_eq!(answer, Some(expected));
    }

    #[test]
    fn server_times_are_optional() {
        let expected = Answer { seconds: 5, received_ms: 5_000, sent_ms: 5_000 };
        assert_eq!(parse(br#"{"time":5,"type":"get"}"#), Some(expected));
        assert_eq!(parse(br#"{"time":5,"type":"get","ntptime1":null}"#), Some(expected));
    }

    #[test]
    fn other_messages_are_no_answer() {
        for payload in [
            "",
            "{}",
            "null",
            r#"{"type":"get"}"#,
            r#"{"time":5}"#,
            r#"{"type":"set","time":5}"#,
            r#"{"type":"get","time":-5}"#,
            r#"{"type":"get","time":"x"}"#,
            r#"{"type":"get","time":1.5}"#,
            r#"{"type":5,"time":5}"#,
            r#"["get",5]"#,
            r#"{"type":"get","time":18446744073709551615}"#,
            r#"{"type":"get","time":5"#,
        ] {
            assert_eq!(parse(payload.as_bytes()), None, "{payload}");
        }
    }

    #[test]
    fn half_the_round_trip_is_added() {
        let answer = Answer { seconds: 1, received_ms: 1_000, sent_ms: 1_010 };
        assert_eq!(now_ms(&answer, 90), 1_050);
        let last = Answer { seconds: 0, received_ms: u64::MAX, sent_ms: u64::MAX };
        assert_eq!(now_ms(&last, u64::MAX), u64::MAX);
    }
}
