//! What a device says on the resource topic, and what it is answered (resource.md section 1).

use serde::Deserialize;

use crate::model::{Direction, Resource};

/// What a device says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It asks for a download that waits.
    GetDownload,
    /// It asks for a place to upload to.
    CreateUpload {
        /// The file's name.
        name: String,
        /// Its size in bytes.
        size: u64,
        /// Its MD5, 32 hex digits.
        md5: String,
    },
    /// How a transfer goes.
    Progress {
        /// Which way.
        direction: Direction,
        /// The resource's name.
        name: String,
        /// `downloading`, `uploading`, `done` or `fail`.
        state: String,
        /// Where it is under way.
        percent: Option<u8>,
        /// 0 or what went wrong.
        result_code: i64,
        /// Empty or what went wrong.
        result_msg: String,
    },
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    md5sum: String,
    progress: Option<Report>,
}

#[derive(Deserialize)]
struct Report {
    state: String,
    percent: Option<u8>,
    result_code: i64,
    result_msg: String,
}

/// Reads a message.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(payload: &[u8]) -> Result<Said, String> {
    let message: Message =
        serde_json::from_slice(payload).map_err(|error| format!("a resource message that cannot be read: {error}"))?;
    let Message { kind, size, name, md5sum, progress } = message;
    match (kind.as_str(), progress) {
        ("get_download_task", _) => Ok(Said::GetDownload),
        ("create_upload_task", _) => Ok(Said::CreateUpload { name, size, md5: md5sum }),
        ("report_download_progress", Some(report)) => Ok(progressed(Direction::Download, name, report)),
        ("report_upload_progress", Some(report)) => Ok(progressed(Direction::Upload, name, report)),
        (kind, _) => Err(format!("a resource message of unknown type {kind:?}")),
    }
}

fn progressed(direction: Direction, name: String, report: Report) -> Said {
    let Report { state, percent, result_code, result_msg } = report;
    Said::Progress { direction, name, state, percent, result_code, result_msg }
}

/// The task of a resource, as a message of type `kind`.
pub fn task(kind: &str, resource: &Resource, url: &str) -> String {
    let name = serde_json::Value::from(resource.name.as_str());
    let url = serde_json::Value::from(url);
    let Resource { size, md5, .. } = resource;
    format!(r#"{{"type":"{kind}","size":{size},"name":{name},"md5sum":"{md5}","url":{url}}}"#)
}

/// No leave to upload.
pub fn refusal(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(r#"{{"type":"create_upload_task_rsp","result_code":-1,"result_msg":{text}}}"#)
}

/// A report was taken in.
pub fn taken(direction: Direction) -> String {
    format!(r#"{{"type":"report_{}_progress_rsp","result_code":0,"result_msg":"ok"}}"#, direction.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_devices_say() {
        assert_eq!(read(br#"{"type": "get_download_task"}"#), Ok(Said::GetDownload));
        assert_eq!(
            read(br#"{"type": "create_upload_task","size": 7,"name": "n","md5sum": "m"}"#),
            Ok(Said::CreateUpload { name: "n".to_owned(), size: 7, md5: "m".to_owned() })
        );
        let progress = br#"{"type":"report_upload_progress","name":"n","progress":{"percent":31,"state":"uploading","result_code":0,"result_msg":""}}"#;
        let Ok(Said::Progress { direction, state, percent, .. }) = read(progress) else { panic!("no progress") };
        assert_eq!((direction, state.as_str(), percent), (Direction::Upload, "uploading", Some(31)));
        let failed = br#"{"type":"report_download_progress","name":"n","progress":{"state":"fail","result_code":-4,"result_msg":"md5sum not matched"}}"#;
        let Ok(Said::Progress { direction, result_code, result_msg, .. }) = read(failed) else { panic!("no progress") };
        assert_eq!((direction, result_code, result_msg.as_str()), (Direction::Download, -4, "md5sum not matched"));
        for bad in [
            "",
            "{}",
            r#"{"type":"x"}"#,
            r#"{"type":"report_upload_progress","name":"n"}"#,
            r#"{"type":"create_upload_task","size":-5}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_devices_are_told() {
        let resource = Resource { name: "a\"b".to_owned(), size: 7, md5: "m".to_owned(), ..Resource::default() };
        assert_eq!(
            task("download", &resource, "http://h/f?s=%00"),
            r#"{"type":"download","size":7,"name":"a\"b","md5sum":"m","url":"http://h/f?s=%00"}"#
        );
        assert_eq!(
            taken(Direction::Download),
            r#"{"type":"report_download_progress_rsp","result_code":0,"result_msg":"ok"}"#
        );
        assert_eq!(refusal("no"), r#"{"type":"create_upload_task_rsp","result_code":-1,"result_msg":"no"}"#);
    }
}
