//! TLS: the firmware server's, and the broker's.

use e2e::Build;

use crate::row::Expect::{Fails, FailsUnheard, Right};
use crate::row::Row;

const FLAWS: [(&str, &str); 5] = [
    ("expired", "expired"),
    ("not-yet", "not yet valid"),
    ("wrong-host", "is for other hosts"),
    ("untrusted", "is not signed by the trusted CA"),
    ("self-signed", "certificate"),
];

/// The rows.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (flaw, word) in FLAWS {
        let (name, rule) = (format!("https with a certificate: {flaw}"), format!("http:cert={flaw}"));
        rows.push(Row::new(&name, &[&rule], Fails(-5)).https().says(&["err|", word]));
    }
    let https = |name: &str, faults: &[&str], expect| Row::new(name, faults, expect).https();
    rows.extend([
        https("https with TLS 1.1", &["http:old-tls"], Fails(-5)),
        // The first connection is StartDownload's, which leaves to FetchYield what time may mend.
        https("https, the handshake is cut", &["http:cut-handshake#1"], Right),
        https("https, the handshake stalls", &["http:stall-handshake#1"], Right),
        https("https, silent instead of a handshake", &["http:silent#1"], Right),
        https("https, the connection is reset at once", &["http:refuse#1"], Right),
        https("https, the connection is closed at once", &["http:hang-up#1"], Right),
        https("https, the next handshake is cut", &["http:cut=60000#1", "http:cut-handshake#2"], Right).requests(2),
        https("https, the next handshake stalls", &["http:cut=60000#1", "http:stall-handshake#2"], Right).requests(2),
        https("https, the next connection is silent", &["http:cut=60000#1", "http:silent#2"], Right).requests(2),
        https("https, the next connection is reset at once", &["http:cut=60000#1", "http:refuse#2"], Right).requests(2),
        https("https, nobody listens for 3 s after a cut", &["http:cut=60000#1", "http:away=3#2"], Right).requests(2),
        https("https, cut in the middle", &["http:cut=60000#1"], Right).requests(2),
        https("https, cut before the first byte", &["http:cut=0#1"], Right).requests(2),
        https("https, no length and cut in the middle", &["http:no-length", "http:cut=60000#1"], Right).requests(2),
        https("https, reset in the middle", &["http:reset=60000#1"], Right).requests(2),
        https("https, cut in the head", &["http:cut-head=30#1"], Right).requests(2),
        https("https, stalled for 5 s", &["http:stall=60000,for=5#1"], Right).requests(1),
        https("https, no length, ended by closing", &["http:no-length"], Right).requests(1),
        https("https, the certificate expires in the middle", &["http:cut=60000#1", "http:cert=expired#2-"], Fails(-5))
            .long(),
        https(
            "https, the next certificate is another CA's, once",
            &["http:cut=60000#1", "http:cert=untrusted#2"],
            Right,
        ),
        https("https, TLS 1.1 at the next connection, once", &["http:cut=60000#1", "http:old-tls#2"], Right),
        https("https, garbage instead of HTTP", &["http:garbage"], Fails(-5)).long(),
        https("https, status 403", &["http:status=403"], Fails(-3)).requests(1),
    ]);
    for (flaw, word) in FLAWS {
        let (name, rule) = (format!("the broker's certificate: {flaw}"), format!("mqtt:cert={flaw}#1"));
        rows.push(Row::new(&name, &[&rule], FailsUnheard).build(Build::Cert).says(&["err|", word]));
    }
    for (build, name) in [(Build::Cert, "CERT"), (Build::Key, "KEY")] {
        for rule in ["old-tls", "cut-handshake", "stall-handshake"] {
            let name = format!("the broker in {name} mode: {rule}");
            rows.push(Row::new(&name, &[&format!("mqtt:{rule}#1")], FailsUnheard).build(build));
        }
    }
    rows
}
