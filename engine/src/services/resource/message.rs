//! What the device asks and reports, byte for byte (resource.md section 1).

use super::error::ResultCode;
use crate::helpers::json::quoted;
use crate::services::ota::Delivery;

/// Asks for a download that waits.
pub const GET_DOWNLOAD_TASK: &str = r#"{"type": "get_download_task"}"#;

/// Asks for a place to upload to.
#[must_use]
pub fn create_upload_task(name: &str, size: u32, md5sum: &str) -> String {
    let (name, md5sum) = (quoted(name), quoted(md5sum));
    format!(r#"{{"type": "create_upload_task","size": {size},"name": {name},"md5sum": {md5sum}}}"#)
}

/// Which way a resource goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the cloud to the device.
    Download,
    /// From the device to the cloud.
    Upload,
}

impl Direction {
    /// As the types of messages call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Direction::Download => "download",
            Direction::Upload => "upload",
        }
    }
}

/// A message that tells how a transfer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How to publish it.
    pub delivery: Delivery,
    /// JSON text.
    pub payload: String,
}

impl Report {
    /// So many percent are transferred.
    #[must_use]
    pub fn progress(direction: Direction, name: &str, percent: u8) -> Self {
        let state = format!(r#""percent":{percent},"state":"{}ing""#, direction.word());
        Self::of(Delivery::AtMostOnce, direction, name, &state, 0, "")
    }

    /// The transfer is done.
    #[must_use]
    pub fn done(direction: Direction, name: &str) -> Self {
        Self::of(Delivery::AtLeastOnce, direction, name, r#""state":"done""#, 0, "")
    }

    /// The program says that the transfer failed.
    #[must_use]
    pub fn failed(direction: Direction, name: &str, code: ResultCode) -> Self {
        Self::of(Delivery::AtLeastOnce, direction, name, r#""state":"fail""#, code.code(), code.text())
    }

    /// The library itself says so: it is kept until the cloud has it.
    #[must_use]
    pub fn failed_by_itself(direction: Direction, name: &str, code: ResultCode) -> Self {
        Report { delivery: Delivery::Kept, ..Self::failed(direction, name, code) }
    }

    fn of(delivery: Delivery, direction: Direction, name: &str, state: &str, code: i32, text: &str) -> Self {
        let (word, name) = (direction.word(), quoted(name));
        let payload = format!(
            r#"{{"type":"report_{word}_progress","name":{name},"progress":{{{state},"result_code":{code},"result_msg":"{text}"}}}}"#
        );
        Report { delivery, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_the_contracts_byte_for_byte() {
        assert_eq!(GET_DOWNLOAD_TASK, "{\"type\": \"get_download_task\"}");
        assert_eq!(
            create_upload_task("N", 7, "M"),
            r#"{"type": "create_upload_task","size": 7,"name": "N","md5sum": "M"}"#
        );
        for (direction, word) in [(Direction::Download, "download"), (Direction::Upload, "upload")] {
            let rows = [
                (
                    Report::progress(direction, "N", 31),
                    Delivery::AtMostOnce,
                    format!(r#"{{"percent":31,"state":"{word}ing","result_code":0,"result_msg":""}}"#),
                ),
                (
                    Report::done(direction, "N"),
                    Delivery::AtLeastOnce,
                    r#"{"state":"done","result_code":0,"result_msg":""}"#.to_owned(),
                ),
                (
                    Report::failed(direction, "N", ResultCode::Timeout),
                    Delivery::AtLeastOnce,
                    r#"{"state":"fail","result_code":-1,"result_msg":"time_out"}"#.to_owned(),
                ),
                (
                    Report::failed_by_itself(direction, "N", ResultCode::Md5Mismatch),
                    Delivery::Kept,
                    r#"{"state":"fail","result_code":-4,"result_msg":"md5sum not matched"}"#.to_owned(),
                ),
            ];
            for (report, delivery, progress) in rows {
                let payload = format!(r#"{{"type":"report_{word}_progress","name":"N","progress":{progress}}}"#);
                assert_eq!(report, Report { delivery, payload });
            }
        }
    }

    /// Case 7: a name with a quote.
    #[test]
    fn a_name_is_escaped_as_json_wants_it() {
        assert!(create_upload_task("a\"b", 1, "M").contains(r#""name": "a\"b","#));
        assert!(Report::done(Direction::Upload, "a\\b").payload.contains(r#""name":"a\\b","#));
    }
}
