//! Malformed packets of every type, in mid-download: MQTT may end and come back, the download goes on.

use crate::row::Expect::Right;
use crate::row::Row;

const KINDS: [&str; 34] = [
    "type-0",
    "type-15",
    "endless-length",
    "connect",
    "connack-again",
    "connack-short",
    "connack-flags",
    "publish-short",
    "publish-past-end",
    "publish-without-id",
    "publish-id-0",
    "publish-qos-3",
    "publish-without-topic",
    "publish-wildcard",
    "publish-not-utf-8",
    "puback-short",
    "puback-flags",
    "puback-unknown",
    "pubrec",
    "pubrel",
    "pubrel-flags",
    "pubcomp",
    "subscribe",
    "suback-short",
    "suback-without-codes",
    "suback-code",
    "suback-unknown",
    "unsubscribe",
    "unsuback-short",
    "pingreq",
    "pingresp-long",
    "pingresp-flags",
    "disconnect",
    "random",
];

/// The rows.
pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = KINDS
        .iter()
        .map(|kind| {
            let rule = format!("mqtt:send={kind}@downloading#1");
            // Random bytes may announce a packet that never comes: only pings find out.
            Row::new(&format!("a packet no broker should send: {kind}"), &["http:slow=40000", &rule], Right)
                .args(&["-k", "4"])
                .attempts(3)
                .requests(1)
        })
        .collect();
    for kind in ["type-0", "publish-past-end", "random"] {
        let rule = format!("mqtt:send={kind}@version#1");
        rows.push(
            Row::new(&format!("the same before the update command: {kind}"), &[&rule], Right)
                .attempts(3)
                .args(&["-k", "4"]),
        );
    }
    rows.push(
        Row::new("half a packet, then silence", &["mqtt:send=hex:30ff7f0003@version#1"], Right)
            .attempts(3)
            .args(&["-k", "4"]),
    );
    rows
}
