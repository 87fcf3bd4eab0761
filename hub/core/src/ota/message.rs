//! What devices say.

use serde::Deserialize;

/// A message of a device to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It runs this version.
    Version(String),
    /// Its upgrade stands so.
    Progress(Progress),
    /// It asks for the time.
    WhatTime,
    /// Its SSH tunnel is up, or not.
    Tunnel(bool),
}

/// Where a device says its upgrade stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it upgrades to.
    pub version: String,
    /// A word of the contract, or any other.
    pub state: String,
    /// How much of the firmware it has.
    pub percent: Option<u8>,
    /// Why it failed, as a number of the device's.
    pub result_code: Option<i64>,
    /// The same in words.
    pub result_msg: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    report: Report,
}

#[derive(Deserialize)]
struct Report {
    version: String,
    progress: Option<ReportProgress>,
}

#[derive(Deserialize)]
struct ReportProgress {
    state: String,
    percent: Option<Number>,
    result_code: Option<Number>,
    result_msg: Option<String>,
}

/// Devices send numbers as text, some as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Text(String),
}

impl Number {
    fn value(&self) -> Option<i64> {
        match self {
            Number::Integer(value) => Some(*value),
            Number::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Deserialize)]
struct SystemRequest {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    resource: Vec<String>,
    switch: Option<Number>,
}

/// Reads a request for the time, or how an SSH tunnel is. The error is what is wrong with it, in words.
pub fn read_system(payload: &[u8]) -> Result<Said, String> {
    let request: SystemRequest =
        serde_json::from_slice(payload).map_err(|error| format!("a system request that cannot be read: {error}"))?;
    if request.kind == "get" && request.resource.iter().any(|resource| resource == "time") {
        return Ok(Said::WhatTime);
    }
    match request.switch.as_ref().and_then(Number::value).filter(|_| request.kind == "ssh") {
        Some(switch) => Ok(Said::Tunnel(switch != 0)),
        None => Err("a system request for something other than the time".to_owned()),
    }
}

/// Reads a report. The error is what is wrong with it, in words.
pub fn read_report(payload: &[u8]) -> Result<Said, String> {
    let Message { kind, report } =
        serde_json::from_slice(payload).map_err(|error| format!("a report that cannot be read: {error}"))?;
    match (kind.as_str(), report.progress) {
        ("report_version", None) => Ok(Said::Version(report.version)),
        ("report_progress", Some(progress)) => {
            let percent = progress.percent.as_ref().and_then(Number::value);
            Ok(Said::Progress(Progress {
                version: report.version,
                state: progress.state,
                percent: percent.and_then(|percent| u8::try_from(percent).ok()).filter(|percent| *percent <= 100),
                result_code: progress.result_code.as_ref().and_then(Number::value),
                result_msg: progress.result_msg,
            }))
        }
        (kind, _) => Err(format!("a report of unknown type {kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_reports() {
        let version = br#"{"type": "report_version", "report":{"version":"1.0"}}"#;
        assert_eq!(read_report(version), Ok(Said::Version("1.0".to_owned())));
        let text = br#"{"type": "report_progress", "report": {"progress": {"state":"downloading", "percent":"31", "result_code":"-4", "result_msg":"m"}, "version": "2.0"}}"#;
        let expected = Progress {
            version: "2.0".to_owned(),
            state: "downloading".to_owned(),
            percent: Some(31),
            result_code: Some(-4),
            result_msg: Some("m".to_owned()),
        };
        assert_eq!(read_report(text), Ok(Said::Progress(expected)));
        let odd = br#"{"type": "report_progress", "report": {"progress": {"state":"burning", "percent":101}, "version": ""}}"#;
        assert!(matches!(read_report(odd), Ok(Said::Progress(Progress { percent: None, .. }))));
        assert_eq!(read_system(br#"{"type": "get", "resource": ["time"]}"#), Ok(Said::WhatTime));
        assert_eq!(read_system(br#"{"type": "ssh", "switch": 1}"#), Ok(Said::Tunnel(true)));
        assert_eq!(read_system(br#"{"type": "ssh", "switch": 0}"#), Ok(Said::Tunnel(false)));
    }

    #[test]
    fn nonsense_is_named() {
        for (payload, part) in [
            (&b"{"[..], "cannot be read"),
            (b"\xff", "cannot be read"),
            (br#"{"type":"report_version"}"#, "report"),
            (br#"{"type":"other","report":{"version":"1"}}"#, "unknown type \"other\""),
            (br#"{"type":"report_progress","report":{"version":"1"}}"#, "unknown type"),
        ] {
            assert!(read_report(payload).is_err_and(|text| text.contains(part)));
        }
        for payload in [r#"{"type": "get", "resource": []}"#, r#"{"type": "ssh"}"#, r#"{"type": "get", "switch": 1}"#] {
            assert!(read_system(payload.as_bytes()).is_err(), "{payload}");
        }
    }
}
