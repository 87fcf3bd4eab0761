//! What a device told the cloud about its upgrade.

use serde::Deserialize;
use serde_json::Value;

use crate::{Device, Hub};

/// One message on the report topic.
#[derive(Clone, Debug)]
pub struct Report {
    /// 0 or 1.
    pub qos: u64,
    /// Byte for byte.
    pub payload: String,
    /// `None` for a report of the running version.
    pub state: Option<String>,
    /// Of the firmware that runs or is fetched.
    pub version: String,
    /// 0 to 100.
    pub percent: Option<u32>,
    /// `result_code`.
    pub code: Option<i32>,
    /// `result_msg`.
    pub text: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    report: Body,
}

#[derive(Deserialize)]
struct Body {
    version: String,
    progress: Option<Progress>,
}

#[derive(Deserialize)]
struct Progress {
    state: String,
    percent: Option<String>,
    result_code: String,
    result_msg: String,
}

/// Everything a device has said on its report topic so far, as the hub got it. A message that is not JSON of the
/// agreed form fails the test.
#[track_caller]
pub fn reports(hub: &Hub, device: &Device) -> Vec<Report> {
    let topic = device.report_topic();
    let messages = hub.events_of("message").into_iter().filter(|event| event["topic"] == topic.as_str());
    messages.map(|event| report(&event)).collect()
}

#[track_caller]
fn report(event: &Value) -> Report {
    let payload = event["payload"].as_str().unwrap_or_default().to_owned();
    Report::read(event["qos"].as_u64().unwrap_or(u64::MAX), payload)
}

impl Report {
    /// Reads a message. One that is not JSON of the agreed form fails the test.
    #[track_caller]
    pub(crate) fn read(qos: u64, payload: String) -> Report {
        let message: Message = serde_json::from_str(&payload)
            .unwrap_or_else(|error| panic!("a report that can't be read: {error}: {payload}"));
        let progress = message.report.progress;
        Report {
            qos,
            state: progress.as_ref().map(|progress| progress.state.clone()),
            version: message.report.version,
            percent: progress.as_ref().and_then(|progress| progress.percent.as_ref()?.parse().ok()),
            code: progress.as_ref().and_then(|progress| progress.result_code.parse().ok()),
            text: progress.map(|progress| progress.result_msg),
            payload,
        }
    }
}

/// The codes of the failures a device reported, in order.
#[track_caller]
pub fn failures(hub: &Hub, device: &Device) -> Vec<i32> {
    let failed = reports(hub, device).into_iter().filter(|report| report.state.as_deref() == Some("fail"));
    failed.map(|report| report.code.expect("a failure has a code")).collect()
}

/// How the upgrades a device tried ended, in order: `done` or `fail`.
#[track_caller]
pub fn ends(hub: &Hub, device: &Device) -> Vec<String> {
    let states = reports(hub, device).into_iter().filter_map(|report| report.state);
    states.filter(|state| state == "done" || state == "fail").collect()
}

/// Fails the test unless the reports are those of one upgrade without trouble: the version, progress that never falls
/// from 0 to 100, burning, done.
#[track_caller]
pub fn assert_good_run(reports: &[Report]) {
    let states: Vec<&str> = reports.iter().map(|report| report.state.as_deref().unwrap_or("version")).collect();
    let percents: Vec<u32> = reports.iter().filter_map(|report| report.percent).collect();
    let mut wanted = vec!["version"];
    wanted.resize(1 + percents.len(), "downloading");
    wanted.extend(["burning", "done"]);
    assert_eq!(states, wanted);
    assert_eq!((percents.first(), percents.last()), (Some(&0), Some(&100)), "{percents:?}");
    assert!(percents.windows(2).all(|pair| pair[0] <= pair[1]), "{percents:?}");
    assert!(reports.iter().all(|report| report.code.is_none_or(|code| code == 0)), "{reports:?}");
}
