//! What the device reports, byte for byte as back ends compare it (wire.md section 3).

use std::borrow::Cow;

use super::error::FailureCode;
use crate::helpers::json::quoted;

/// Longest text of a failure report in characters. Reports must fit into one MQTT packet of 2048 bytes; for CoAP, whose packets
/// are smaller, there is [`Report::within`].
const MAX_TEXT_CHARS: usize = 200;

/// How a report is to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// QoS 0: the next one replaces it.
    AtMostOnce,
    /// QoS 1. It is sent now, or the call that asked for it fails.
    AtLeastOnce,
    /// QoS 1. It is kept until it is acknowledged, however often the link is lost: the cloud must learn of this result.
    Kept,
}

/// A message for the report topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How to publish it.
    pub delivery: Delivery,
    /// JSON text.
    pub payload: String,
    /// Where `payload` tells of a failure: what it says.
    cause: Option<Cause>,
}

/// A failure as it is told to the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cause {
    version: String,
    code: FailureCode,
    text: String,
}

impl Cause {
    /// The report, with the first `chars` characters of the text.
    fn payload(&self, chars: usize) -> String {
        let text = quoted(&self.text.chars().take(chars).collect::<String>());
        let version = quoted(&self.version);
        let code = self.code.code();
        format!(
            r#"{{"type": "report_progress", "report": {{"progress": {{"state":"fail", "result_code":"{code}", "result_msg":{text}}}, "version": {version}}}}}"#
        )
    }
}

impl Report {
    fn of(delivery: Delivery, payload: String) -> Self {
        Report { delivery, payload, cause: None }
    }

    /// The version that runs.
    #[must_use]
    pub fn version(version: &str) -> Self {
        let version = quoted(version);
        let payload = format!(r#"{{"type": "report_version", "report":{{"version":{version}}}}}"#);
        Self::of(Delivery::AtLeastOnce, payload)
    }

    /// `percent` of the firmware for `version` are there. 0 also says that the download begins.
    #[must_use]
    pub fn downloading(version: &str, percent: u8) -> Self {
        let version = quoted(version);
        let payload = format!(
            r#"{{"type": "report_progress", "report": {{"progress": {{"state":"downloading", "percent":"{percent}", "result_code":"0", "result_msg":""}}, "version": {version}}}}}"#
        );
        Self::of(Delivery::AtMostOnce, payload)
    }

    /// The firmware is being written.
    #[must_use]
    pub fn upgrade_begin(version: &str) -> Self {
        Self::upgrade("burning", version)
    }

    /// The upgrade is done.
    #[must_use]
    pub fn upgrade_done(version: &str) -> Self {
        Self::upgrade("done", version)
    }

    fn upgrade(state: &str, version: &str) -> Self {
        let version = quoted(version);
        let payload = format!(
            r#"{{"type": "report_progress", "report":{{"progress":{{"state":"{state}", "result_code":"0", "result_msg":""}}, "version":{version}}}}}"#
        );
        Self::of(Delivery::Kept, payload)
    }

    /// The upgrade failed. `text` says what happened; a time-out always says `time_out`, as the C SDK does.
    #[must_use]
    pub fn failure(version: &str, code: FailureCode, text: &str) -> Self {
        let text = match code {
            FailureCode::Timeout => "time_out",
            _ => text,
        };
        let cause = Cause { version: version.to_owned(), code, text: text.chars().take(MAX_TEXT_CHARS).collect() };
        Report { delivery: Delivery::Kept, payload: cause.payload(MAX_TEXT_CHARS), cause: Some(cause) }
    }

    /// The report in at most `room` bytes: of a failure as much as fits is told, any other has one form. `None` where it does not
    /// fit.
    #[must_use]
    pub fn within(&self, room: usize) -> Option<Cow<'_, str>> {
        if self.payload.len() <= room {
            return Some(Cow::Borrowed(&self.payload));
        }
        let cause = self.cause.as_ref()?;
        (0..cause.text.chars().count())
            .rev()
            .map(|chars| cause.payload(chars))
            .find(|payload| payload.len() <= room)
            .map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_wire_contract() {
        let cases = [
            (
                Report::version("1.0.0"),
                Delivery::AtLeastOnce,
                r#"{"type": "report_version", "report":{"version":"1.0.0"}}"#,
            ),
            (
                Report::downloading("1.3.0", 0),
                Delivery::AtMostOnce,
                r#"{"type": "report_progress", "report": {"progress": {"state":"downloading", "percent":"0", "result_code":"0", "result_msg":""}, "version": "1.3.0"}}"#,
            ),
            (
                Report::downloading("1.3.0", 31),
                Delivery::AtMostOnce,
                r#"{"type": "report_progress", "report": {"progress": {"state":"downloading", "percent":"31", "result_code":"0", "result_msg":""}, "version": "1.3.0"}}"#,
            ),
            (
                Report::upgrade_begin("1.3.0"),
                Delivery::Kept,
                r#"{"type": "report_progress", "report":{"progress":{"state":"burning", "result_code":"0", "result_msg":""}, "version":"1.3.0"}}"#,
            ),
            (
                Report::upgrade_done("1.3.0"),
                Delivery::Kept,
                r#"{"type": "report_progress", "report":{"progress":{"state":"done", "result_code":"0", "result_msg":""}, "version":"1.3.0"}}"#,
            ),
            (
                Report::failure("1.3.0", FailureCode::NotExist, "gone"),
                Delivery::Kept,
                r#"{"type": "report_progress", "report": {"progress": {"state":"fail", "result_code":"-2", "result_msg":"gone"}, "version": "1.3.0"}}"#,
            ),
        ];
        for (report, delivery, payload) in cases {
            assert_eq!((report.delivery, report.payload.as_str()), (delivery, payload));
        }
    }

    #[test]
    fn only_a_time_out_says_time_out() {
        let timeout = Report::failure("1", FailureCode::Timeout, "silent for 30 s");
        assert!(timeout.payload.contains(r#""result_code":"-1", "result_msg":"time_out""#), "{}", timeout.payload);
        for code in [FailureCode::NotExist, FailureCode::Auth, FailureCode::Md5Mismatch, FailureCode::Upgrade] {
            assert!(!Report::failure("1", code, "why").payload.contains("time_out"));
        }
    }

    #[test]
    fn texts_stay_json_whatever_they_hold() {
        let report = Report::failure("1\"2", FailureCode::Upgrade, "a \"b\" \\ \n\u{1} ü");
        assert!(report.payload.contains(r#""result_msg":"a \"b\" \\ \n\u0001 ü""#), "{}", report.payload);
        let parsed: serde_json::Value = serde_json::from_str(&report.payload).unwrap();
        assert_eq!(parsed["report"]["version"], "1\"2");
    }

    #[test]
    fn a_failure_is_told_in_as_many_words_as_fit() {
        let report = Report::failure("1", FailureCode::Upgrade, "\"ä\"");
        let whole = report.payload.len();
        // Each step takes a character away: two bytes for an escaped quote, two for the letter.
        for (room, text) in [(whole, r#"\"ä\""#), (whole - 1, r#"\"ä"#), (whole - 3, r#"\""#), (whole - 6, "")] {
            let expected = report.payload.replace(r#"\"ä\""#, text);
            assert_eq!(report.within(room).as_deref(), Some(&*expected), "{room}");
        }
        assert_eq!(report.within(whole - 7), None);
        let version = Report::version("1");
        assert_eq!(version.within(version.payload.len()).as_deref(), Some(&*version.payload));
        assert_eq!(version.within(version.payload.len() - 1), None);
    }

    #[test]
    fn a_failure_text_fits_into_one_packet() {
        let report = Report::failure(&"v".repeat(32), FailureCode::Upgrade, &"\u{1}".repeat(5000));
        assert!(report.payload.len() < 1500, "{}", report.payload.len());
    }
}
