//! What each service adds to a stripped program that uses it.

use e2e::Build;

use crate::figures::{Figure, Row, Unit};
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
    SERVICES.iter().map(|(build, name, words)| row(*build, name, words)).collect()
}

fn row(build: Build, name: &str, words: &str) -> Row {
    let bytes = |program: &str| stripped(&build.program(&format!("service_{program}"))) * 1e3;
    let (with, without) = (bytes(name), bytes("none"));
    Row::new(
        &format!("what {words} adds to a stripped program that uses it"),
        Figure::once(Unit::Bytes, (with - without).round()),
    )
    .beside("the same program without a service", &Figure::once(Unit::Bytes, without.round()))
}
