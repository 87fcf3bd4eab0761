//! What each service adds to a stripped program that uses it.

use e2e::Build;

use crate::figures::{Figure, Goal, Row, Unit};
use crate::size::stripped;

/// The programs `service_*` and what they use.
const SERVICES: [(Build, &str, &str); 10] = [
    (Build::Key, "shadow", "the shadow"),
    (Build::Key, "gateway", "the gateway"),
    (Build::Key, "upgrades", "the gateway with upgrades of its devices"),
    (Build::Key, "broadcast", "broadcast"),
    (Build::Key, "rrpc", "RRPC"),
    (Build::Key, "configuration", "remote configuration"),
    (Build::Key, "registration", "dynamic registration"),
    (Build::LogUpload, "log", "log upload"),
    (Build::Coap, "coap", "the CoAP client, over DTLS,"),
    (Build::Coap, "coap_upgrades", "the CoAP client with upgrades over it"),
];

pub fn run() -> Vec<Row> {
    let mut rows: Vec<Row> = SERVICES.iter().map(|(build, name, words)| row(*build, name, words)).collect();
    rows.push(slots());
    rows
}

/// Both download: only what comes on top is of interest.
fn slots() -> Row {
    let (with, without) = (bytes(Build::LogUpload, "slots"), bytes(Build::LogUpload, "ota"));
    let added = (with - without).round();
    Row::new(
        "what signed upgrades into the other slot add to a stripped program that upgrades by `IOT_OTA_*`",
        Figure::once(Unit::Bytes, added),
    )
    .beside("that program", &Figure::once(Unit::Bytes, without.round()))
    .goal(Goal::at_most(60_000.0, added, "bytes"))
}

fn bytes(build: Build, program: &str) -> f64 {
    stripped(&build.program(&format!("service_{program}"))) * 1e3
}

fn row(build: Build, name: &str, words: &str) -> Row {
    let (with, without) = (bytes(build, name), bytes(build, "none"));
    Row::new(
        &format!("what {words} adds to a stripped program that uses it"),
        Figure::once(Unit::Bytes, (with - without).round()),
    )
    .beside("the same program without a service", &Figure::once(Unit::Bytes, without.round()))
}
