//! The log of an upgrade tells what the platform's manual shows (log_lines.md).

use e2e::{Build, Desk};

const SIZE: usize = 50_000;

/// Each line at its level, in the order of the manual's run; `*` stands for any text.
const STORY: &[&str] = &[
    "INF SDK_Ver: *, Product_ID: E2EPRODUCT, Device_Name: dev1",
    "DBG Setting up the SSL/TLS structure...",
    "DBG Performing the SSL/TLS handshake...",
    "DBG Connecting to /*/*...",
    "INF connected with /*/*...",
    "INF mqtt connect with id: * success",
    "DBG topicName=$ota/update/E2EPRODUCT/dev1|packet_id=*",
    "DBG OTA topic subscribe success",
    r#"DBG publish topic seq=*|topicName=$ota/report/E2EPRODUCT/dev1|payload={"type": "report_version", *}"#,
    "DBG topic=$ota/update/E2EPRODUCT/dev1",
    r#"INF len=*, topic_msg={*"report_version_rsp"*}"#,
    "INF Report version success!",
    "DBG topic=$ota/update/E2EPRODUCT/dev1",
    r#"INF len=*, topic_msg={*"update_firmware"*}"#,
    "DBG to download FW from offset: 0, size: 50000",
    "DBG head_content:*",
    "DBG Setting up the SSL/TLS structure...",
    "DBG Performing the SSL/TLS handshake...",
    "DBG Connecting to /*/*...",
    "INF connected with /*/*...",
    "DBG http client connect success",
    r#"DBG publish packetID=*|topicName=$ota/report/E2EPRODUCT/dev1|payload={*"percent":"0"*}"#,
    r#"DBG publish packetID=*|topicName=$ota/report/E2EPRODUCT/dev1|payload={*"percent":"*"*}"#,
    r#"DBG publish packetID=*|topicName=$ota/report/E2EPRODUCT/dev1|payload={*"percent":"100"*}"#,
    "INF FW MD5 check: origin=*, now=*",
    r#"DBG publish topic seq=*|topicName=$ota/report/E2EPRODUCT/dev1|payload={*"done"*}"#,
    "INF mqtt disconnect!",
    "INF mqtt client has been destroyed",
    "INF mqtt release!",
];

/// Level and text of a line of the log.
fn level_and_text(line: &str) -> Option<String> {
    let (level, rest) = line.split_once('|')?;
    let (_, text) = rest.splitn(3, '|').nth(2)?.split_once("): ")?;
    Some(format!("{level} {text}"))
}

/// Whether `text` is what `pattern` says, from end to end.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[test]
fn patterns() {
    assert!(matches("a*c", "abc") && matches("a*", "a") && matches("abc", "abc") && matches("a*b*c", "a1b2c"));
    assert!(!matches("abc", "abcd") && !matches("a*c", "abcd") && !matches("*b*c", "c b"));
}

#[test]
fn the_manuals_story() {
    let desk = Desk::with_args(Build::Key, SIZE, |_| {
        ["--upgrade-on-report", "--scheme", "https", "--fault", "http:slow=20000"].map(str::to_owned).to_vec()
    });
    let finished = desk.expect_upgrade(&mut desk.sample().start());
    let lines: Vec<String> = finished.lines.iter().filter_map(|line| level_and_text(line)).collect();
    let mut at = 0;
    for (number, pattern) in STORY.iter().enumerate() {
        match lines[at..].iter().position(|line| matches(pattern, line)) {
            Some(offset) => at += offset + 1,
            None => panic!("line {} of the story is not there or not in its place: {pattern}", number + 1),
        }
    }
}
