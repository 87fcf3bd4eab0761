//! Which lines the cloud wants (log_upload.md section 5).

use crate::helpers::json;
use crate::helpers::logline::Level;
use crate::identity::Identity;
use crate::services::topics::Topics;

/// What the cloud wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Errors, and only when something goes wrong.
    OnlyOnError,
    /// Lines up to this level, always.
    UpTo(Level),
}

/// The two topics of `device`, used with QoS 0.
#[must_use]
pub fn topics(device: &Identity) -> Topics {
    Topics::of("$log", device)
}

/// The question for the level. `number` counts the questions of the process.
#[must_use]
pub fn request(product_id: &str, number: u32) -> String {
    let token = json::quoted(&format!("{product_id}-{number}"));
    format!(r#"{{"type": "get_log_level", "clientToken": {token}}}"#)
}

/// Reads a message on the result topic. Only the level counts; `None` for any other.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<Wanted> {
    let [level] = json::values(json::message(payload), ["log_level"]).ok()?;
    match level?.whole()? {
        0 => Some(Wanted::OnlyOnError),
        number => Level::from_number(number).map(Wanted::UpTo),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_and_topics_are_the_contracts() {
        let topics = topics(&Identity::new("PID", "dev").unwrap());
        assert_eq!(topics.operation, "$log/operation/PID/dev");
        assert_eq!(topics.result, "$log/operation/result/PID/dev");
        assert_eq!(request("PID", 7), r#"{"type": "get_log_level", "clientToken": "PID-7"}"#);
    }

    #[test]
    fn only_the_level_counts_wherever_it_stands() {
        let long = format!(r#"{{"clientToken":"{}","log_level":2}}"#, "x".repeat(200));
        for (payload, wanted) in [
            (
                r#"{"type":"get_log_level","clientToken":"P-1","log_level":4,"result":0,"timestamp":1619599073}"#,
                Some(Wanted::UpTo(Level::Debug)),
            ),
            (r#"{"log_level":0,"result":-1,"type":"x"}"#, Some(Wanted::OnlyOnError)),
            (r#"{"log_level":"3"}"#, Some(Wanted::UpTo(Level::Info))),
            (&long, Some(Wanted::UpTo(Level::Warn))),
            (r#"{"log_level":1}"#, Some(Wanted::UpTo(Level::Error))),
            (r#"{"log_level":-1}"#, None),
            (r#"{"log_level":7}"#, None),
            (r#"{"log_level":4294967297}"#, None),
            (r#"{"log_level":null}"#, None),
            (r#"{"log_level":"high"}"#, None),
            (r#"{"type":"get_log_level"}"#, None),
            ("[1]", None),
            ("", None),
        ] {
            assert_eq!(parse(payload.as_bytes()), wanted, "{payload}");
        }
    }
}
