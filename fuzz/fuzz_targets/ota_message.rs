//! Any payload on the update topic, and on the system-time topic. What the session believes must stand in the JSON as
//! serde_json reads it.
#![no_main]

use iot_engine::helpers::json;
use iot_engine::services::ota::{OtaError, Received, Report, Session, State};
use iot_engine::services::system_time::message as system_time;
use iot_engine::time::Millis;
use iot_fuzz::has_a_key_twice;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// What fits into a PUBLISH of 2048 bytes with the longest topic.
const MAX_REPORT: usize = 2048 - 5 - 2 - 128 - 2;

fuzz_target!(|payload: &[u8]| {
    // The library takes more than serde_json does, and of two members with one key the first: compared is what both read.
    let text = String::from_utf8_lossy(json::message(payload));
    let json: Option<Value> = serde_json::from_str(&text).ok().filter(|_| !has_a_key_twice(&text));
    let says = |kind: &str| json.as_ref().is_none_or(|json| json["type"] == kind);
    let mut session = Session::default();
    match session.receive(payload) {
        Received::Update { version, file_size, location } => {
            assert!((1..=32).contains(&version.len()));
            assert!(!location.contains(['?', '#']), "{location}");
            assert_eq!(session.state(), State::Fetching);
            again_is_ignored(&mut session, payload);
            let md5sum = session.command().expect("a command").md5sum.clone();
            if let Some(json) = &json {
                assert_eq!(json["type"], "update_firmware");
                assert_eq!(json["version"], version.as_str());
                assert_eq!(json["md5sum"].as_str().map(str::trim), Some(md5sum.as_str()));
                let size = &json["file_size"];
                let size = size.as_f64().or(size.as_str().and_then(|digits| digits.trim().parse().ok()));
                assert_eq!(size, Some(f64::from(file_size)));
            }
            fetch(session, file_size, &md5sum);
        }
        Received::BadUpdate(reason, report) => {
            assert!(says("update_firmware"));
            assert!(!reason.is_empty());
            assert_unchanged(&session);
            check(&report);
        }
        Received::VersionAccepted => {
            assert!(says("report_version_rsp"));
            assert_unchanged(&session);
        }
        Received::VersionRefused(code, _) => {
            assert!(says("report_version_rsp"));
            assert_ne!(code, 0);
            assert_eq!((session.state(), session.last_error()), (State::Inited, OtaError::ReportVersion));
        }
        Received::Ignored(_) => {
            assert!(!says("report_version_rsp") && !says("update_firmware") || json.is_none());
            assert_unchanged(&session);
        }
        Received::Malformed(why) => {
            assert!(!why.is_empty());
            assert_unchanged(&session);
        }
    }

    if let Some(answer) = system_time::parse(payload) {
        assert!(says("get"));
        let told = json.as_ref().and_then(|json| json["time"].as_u64());
        assert!(told.is_none_or(|seconds| seconds.min(i64::MAX as u64) == answer.seconds));
        let _ = system_time::now_ms(&answer, answer.seconds);
    }
});

fn assert_unchanged(session: &Session) {
    assert_eq!((session.state(), session.last_error()), (State::Inited, OtaError::None));
}

fn again_is_ignored(session: &mut Session, payload: &[u8]) {
    let before = (session.state(), session.last_error());
    assert!(matches!(session.receive(payload), Received::Ignored(_)));
    assert_eq!((session.state(), session.last_error()), before);
}

/// A report is JSON and fits into a packet, whatever the command said.
fn check(report: &Report) {
    assert!(report.payload.len() <= MAX_REPORT, "{}", report.payload.len());
    let json: Value = serde_json::from_str(&report.payload).expect("a report is JSON");
    assert!(json["report"].is_object());
}

/// A download in thirds, whose file is then checked and reported.
fn fetch(mut session: Session, file_size: u32, md5sum: &str) {
    let offset = file_size / 3;
    let plan = session.plan_download(offset, u32::MAX).expect("a plan");
    assert_eq!((plan.offset, plan.end, plan.file_size), (offset, file_size, file_size));
    session.download_started(&plan);
    for second in 0..4 {
        session.fetched(file_size / 3 + 1, Millis(second * 1000)).iter().for_each(check);
        assert!(session.fetched_size().expect("a command") <= file_size);
    }
    assert_eq!(session.state(), State::Fetched);
    assert_eq!(session.check_firmware(&md5sum.to_lowercase()).expect("fetched"), (true, None));
    let (matches, report) = session.check_firmware("not it").expect("fetched");
    assert!(!matches);
    check(&report.expect("a report"));
    check(&session.upgrade_begin(None).expect("a report"));
    check(&session.upgrade_failed(None).expect("a report"));
    assert_eq!(session.state(), State::Inited);
}
