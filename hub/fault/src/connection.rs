//! What can go wrong before the first byte of HTTP or MQTT.

use std::time::Duration;

use super::rule::{choose, Written};

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYet,
    /// It is for another host.
    WrongHost,
    /// Another CA has signed it.
    Untrusted,
    /// It has signed itself.
    SelfSigned,
}

/// What goes wrong on a connection that has just been accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConnection {
    /// It is reset, and nobody listens for so long.
    Away(Duration),
    /// It is reset.
    Refuse,
    /// It is closed.
    HangUp,
    /// Nothing is read from it and nothing said.
    Silent,
    /// TLS with a certificate that a device must not take.
    Certificate(Flaw),
    /// TLS as before 2008: the server answers with TLS 1.1.
    OldTls,
    /// The TLS handshake stops in the middle of the server's first message.
    StallHandshake,
    /// The connection is closed there.
    CutHandshake,
}

/// Examples of every effect with what they do, for either place.
pub const GUIDE: &[(&str, &str)] = &[
    ("http:refuse", "the connection is reset at once"),
    ("http:away=3#1", "the connection is reset and nobody listens for 3 s"),
    ("http:hang-up", "the connection is closed at once"),
    ("http:silent", "the connection is accepted, then nothing"),
    ("http:cert=expired", "this flaw in the server's certificate; also not-yet, wrong-host, untrusted, self-signed"),
    ("http:old-tls", "the server answers with TLS 1.1"),
    ("http:stall-handshake", "the TLS handshake stops in the middle"),
    ("http:cut-handshake", "the TLS handshake is cut in the middle"),
];

const FLAWS: &[(&str, Flaw)] = &[
    ("expired", Flaw::Expired),
    ("not-yet", Flaw::NotYet),
    ("wrong-host", Flaw::WrongHost),
    ("untrusted", Flaw::Untrusted),
    ("self-signed", Flaw::SelfSigned),
];

/// The effect where it is one on a connection.
pub fn parse(rule: &Written<'_>) -> Result<Option<OnConnection>, String> {
    let plain = |effect: OnConnection| rule.plain().map(|()| effect);
    let effect = match rule.effect {
        "away" => rule.seconds().map(OnConnection::Away),
        "refuse" => plain(OnConnection::Refuse),
        "hang-up" => plain(OnConnection::HangUp),
        "silent" if rule.event.is_none_or(|event| event == "connection") => plain(OnConnection::Silent),
        "cert" => choose("certificate flaw", rule.required("FLAW")?, FLAWS).map(OnConnection::Certificate),
        "old-tls" => plain(OnConnection::OldTls),
        "stall-handshake" => plain(OnConnection::StallHandshake),
        "cut-handshake" => plain(OnConnection::CutHandshake),
        _ => return Ok(None),
    };
    rule.without_option()?;
    effect.map(Some)
}
