//! Alerts of a server with a certificate, in words for a human who has to do something about them.

use crate::stack::Failure;

/// What the server says by the alert with this number (RFC 8446, 6).
pub fn explain(alert: u8) -> Failure {
    // The number as the log of any other TLS library has it.
    match alert {
        116 => Failure::lasting("the server asks for a client certificate"),
        42..=46 | 48 | 49 => Failure::lasting(format!("the server refused the client certificate (alert {alert})")),
        40 | 71 => Failure::lasting(format!("no cipher suite in common, says the server (alert {alert})")),
        70 => Failure::lasting(format!("no TLS version in common, says the server (alert {alert})")),
        112 => Failure::lasting(format!("the server does not know this host name (alert {alert})")),
        _ => Failure::passing(format!("the server gave up (alert {alert})")),
    }
}
