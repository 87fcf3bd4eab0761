//! What a device says, byte for byte (wire.md section 3).

use e2e::{reports, Answer, Build, Desk, Report, Server};

const SIZE: usize = 200_000;

fn payloads(desk: &Desk) -> Vec<(u64, String)> {
    reports(&desk.hub, &desk.device).into_iter().map(|report| (report.qos, report.payload)).collect()
}

fn downloading(percent: u32) -> String {
    format!(
        r#"{{"type": "report_progress", "report": {{"progress": {{"state":"downloading", "percent":"{percent}", "result_code":"0", "result_msg":""}}, "version": "2.0.0"}}}}"#
    )
}

const VERSION: &str = r#"{"type": "report_version", "report":{"version":"1.0.0"}}"#;
const BURNING: &str = r#"{"type": "report_progress", "report":{"progress":{"state":"burning", "result_code":"0", "result_msg":""}, "version":"2.0.0"}}"#;
const DONE: &str = r#"{"type": "report_progress", "report":{"progress":{"state":"done", "result_code":"0", "result_msg":""}, "version":"2.0.0"}}"#;

#[test]
fn a_good_run() {
    let desk = Desk::new(Build::Key, SIZE);
    desk.expect_upgrade(&mut desk.sample().start());
    let said = payloads(&desk);
    let topics = desk.hub.events_of("message");
    assert!(topics.iter().all(|event| event["topic"] == desk.device.report_topic()), "{topics:?}");

    assert_eq!(said.first(), Some(&(1, VERSION.to_owned())));
    assert_eq!(said[said.len() - 2..], [(1, BURNING.to_owned()), (1, DONE.to_owned())]);
    let progress = &said[1..said.len() - 2];
    let percents: Vec<u32> = reports(&desk.hub, &desk.device).iter().filter_map(|report| report.percent).collect();
    assert_eq!(progress.len(), percents.len());
    for (message, percent) in progress.iter().zip(&percents) {
        assert_eq!(message, &(0, downloading(*percent)));
    }
    assert_eq!((percents.first(), percents.last()), (Some(&0), Some(&100)));
    assert!(percents.windows(2).all(|pair| pair[0] <= pair[1]), "{percents:?}");
}

/// Runs the sample against a server that gives one answer, and returns the only failure it reports.
fn failure(answer: impl Fn(&[u8], &e2e::Request) -> Answer + Send + Sync + 'static) -> Report {
    let server = Server::http(move |request| answer(&[7; SIZE], request));
    let url = server.url("/firmware");
    let desk = Desk::with_url(Build::Key, SIZE, |_| url);
    let finished = desk.finish(&mut desk.sample().start());
    assert_eq!(finished.code(), 1);
    let mut failed = reports(&desk.hub, &desk.device);
    failed.retain(|report| report.state.as_deref() == Some("fail"));
    assert_eq!(failed.len(), 1, "one failure is reported once: {failed:?}");
    failed.remove(0)
}

fn assert_failure(report: &Report, code: i32, word: &str) {
    let text = report.text.clone().unwrap_or_default();
    let wanted = format!(
        r#"{{"type": "report_progress", "report": {{"progress": {{"state":"fail", "result_code":"{code}", "result_msg":"{text}"}}, "version": "2.0.0"}}}}"#
    );
    assert_eq!((report.qos, &report.payload), (1, &wanted));
    assert!(text.to_lowercase().contains(word), "{text:?} does not say {word:?}");
}

#[test]
fn the_file_does_not_exist() {
    assert_failure(&failure(|_, _| Answer::status(404)), -2, "404");
}

#[test]
fn the_signature_has_expired() {
    assert_failure(&failure(|_, _| Answer::status(403)), -3, "403");
}

#[test]
fn the_md5_does_not_match() {
    assert_failure(&failure(Answer::file), -4, "md5");
}

#[test]
fn the_download_fails() {
    assert_failure(&failure(|_, _| Answer::status(400)), -5, "400");
}
