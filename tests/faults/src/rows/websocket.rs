//! MQTT over WebSocket: answers that are no upgrade, and frames that are none. The device says what was wrong, connects again,
//! and nothing is lost.

use e2e::Build;

use super::broker::SLOW;
use crate::row::Expect::{FailsUnheard, Right};
use crate::row::Row;

/// An answer to the request for an upgrade, and what the device says of it.
const ANSWERS: &[(&str, &str)] = &[
    ("wrong-accept", "Sec-WebSocket-Accept of its answer is missing or wrong"),
    ("no-accept", "Sec-WebSocket-Accept of its answer is missing or wrong"),
    ("other-protocol", "it speaks another protocol"),
    ("extension", "it uses an extension that was not asked for"),
    ("ok", "it answered 200, not 101"),
    ("redirect", "it answered 302, not 101"),
    ("forbidden", "it answered 403, not 101"),
    ("not-found", "it answered 404, not 101"),
    ("unavailable", "it answered 503, not 101"),
    ("no-http", "the server refuses WebSocket"),
    ("endless-head", "the head of its answer has more than 8192 bytes"),
    ("half-head", "it gave no answer in 10 s"),
    ("cut-head", "the connection ended before the answer to the WebSocket request"),
];

/// A frame, and what the device says of it.
const FRAMES: &[(&str, &str)] = &[
    ("masked", "malformed WebSocket frame: a server's frame is masked"),
    ("extension", "malformed WebSocket frame: it uses an extension"),
    ("unknown", "malformed WebSocket frame: it is of an unknown kind"),
    ("no-message", "malformed WebSocket frame: it goes on with no message"),
    ("within", "malformed WebSocket frame: a message begins within another one"),
    ("long-ping", "malformed WebSocket frame: a control frame is in parts or too long"),
    ("ping-in-parts", "malformed WebSocket frame: a control frame is in parts or too long"),
    ("endless", "malformed WebSocket frame: its length is none"),
    ("padded", "malformed WebSocket frame: its length is none"),
    ("odd-close", "malformed WebSocket frame: half a reason to close"),
    // What follows such a frame is no MQTT.
    ("oversize", "MQTT link given up"),
    ("close", "MQTT link lost"),
    ("cut", "MQTT link lost"),
    ("half", "MQTT link given up"),
];

/// Frames that are odd, but frames.
const GOOD_FRAMES: &[&str] = &["text", "pieces", "pings", "empty"];

/// The rows.
pub fn rows() -> Vec<Row> {
    [first_answers(), later_answers(), frames(), with_certificates()].concat()
}

/// At the first connection there is nobody to tell.
fn first_answers() -> Vec<Row> {
    let row = |(kind, words): &(&str, &'static str)| {
        let (name, rule) = (format!("WebSocket is answered by {kind}"), format!("mqtt:websocket={kind}#1"));
        Row::new(&name, &[&rule], FailsUnheard).build(Build::WebSocket).says(&["err|", words])
    };
    ANSWERS.iter().map(row).collect()
}

/// While a download runs.
fn later_answers() -> Vec<Row> {
    let row = |(kind, words): &(&str, &'static str)| {
        let name = format!("WebSocket is answered by {kind} in mid-download");
        let rule = format!("mqtt:websocket={kind}#2");
        meanwhile(&name, &[SLOW, "mqtt:cut@downloading#1", &rule]).says(&["err|", words])
    };
    ANSWERS.iter().map(row).collect()
}

fn frames() -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, words) in FRAMES {
        let row = meanwhile(&format!("a WebSocket frame: {kind}"), &[SLOW, &format!("mqtt:frame={kind}#5")]);
        rows.push(row.says(&["err|", words]));
    }
    for kind in GOOD_FRAMES {
        let name = format!("WebSocket frames: {kind}");
        rows.push(meanwhile(&name, &[SLOW, &format!("mqtt:frame={kind}#1-6")]));
    }
    for kind in ["masked", "cut", "half"] {
        let (name, rule) = (format!("the first WebSocket frame: {kind}"), format!("mqtt:frame={kind}#1"));
        rows.push(Row::new(&name, &[&rule], FailsUnheard).build(Build::WebSocket).says(&["err|"]));
    }
    rows
}

fn with_certificates() -> Vec<Row> {
    let row = |name: &str, faults: &[&str]| {
        meanwhile(&format!("CERT: {name}"), faults).build(Build::WebSocketCert).says(&["connection is back"])
    };
    vec![
        row("WebSocket is refused in mid-download", &[SLOW, "mqtt:cut@downloading#1", "mqtt:websocket=forbidden#2"]),
        row(
            "half an answer, then silence, in mid-download",
            &[SLOW, "mqtt:cut@downloading#1", "mqtt:websocket=half-head#2"],
        ),
        row("a masked WebSocket frame in mid-download", &[SLOW, "mqtt:frame=masked#5"]),
        row("WebSocket is closed in mid-packet", &[SLOW, "mqtt:frame=close#5"]),
    ]
}

/// The download goes on as if nothing had happened.
fn meanwhile(name: &str, faults: &[&str]) -> Row {
    Row::new(name, faults, Right).build(Build::WebSocket).attempts(3).args(&["-k", "4"]).requests(1)
}
