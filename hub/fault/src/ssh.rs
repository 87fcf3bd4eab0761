//! The rules for SSH tunnels.

use super::rule::{Rule, Written};

/// A rule for tunnels. It has one event: a device comes to make one.
pub type SshRule = Rule<(), OnTunnel>;

/// What goes wrong with a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTunnel {
    /// The connection is reset at the device's request.
    Refuse,
    /// The request is answered with this status.
    Status(u16),
    /// The device is not believed, whatever it signs with.
    Deny,
    /// Something ends what the hub says before this byte.
    Before(u64, Ending),
}

/// How what the hub says comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The connection is closed.
    Cut,
    /// It is reset.
    Reset,
    /// Nothing more is said; what the device says is read.
    Stall,
    /// Random bytes come instead.
    Garbage,
}

/// Examples of every effect with what they do.
pub const GUIDE: &[(&str, &str)] = &[
    ("ssh:refuse", "the connection is reset where the device asks for the tunnel"),
    ("ssh:status=404", "this HTTP status instead of the upgrade to WebSocket"),
    ("ssh:deny", "the device's signature is not believed"),
    ("ssh:cut=20000", "the connection is closed before this byte of what the hub says through WebSocket, from 0"),
    ("ssh:reset=20000", "it is reset there"),
    ("ssh:stall=20000", "the hub says nothing more from this byte on; what the device says is read"),
    ("ssh:garbage=20000", "random bytes from this byte on"),
];

/// Understands a rule for tunnels.
pub fn parse(text: &str, rule: &Written<'_>) -> Result<SshRule, String> {
    if let Some(name) = rule.event {
        return Err(format!("{} has no event, not @{name}: it happens when a device makes a tunnel", rule.effect));
    }
    rule.without_option()?;
    let before = |ending| rule.number("BYTE").map(|byte| OnTunnel::Before(byte, ending));
    let effect = match rule.effect {
        "refuse" => rule.plain().map(|()| OnTunnel::Refuse)?,
        "status" => OnTunnel::Status(status(rule)?),
        "deny" => rule.plain().map(|()| OnTunnel::Deny)?,
        "cut" => before(Ending::Cut)?,
        "reset" => before(Ending::Reset)?,
        "stall" => before(Ending::Stall)?,
        "garbage" => before(Ending::Garbage)?,
        other => return Err(super::unknown_effect(other, &[GUIDE])),
    };
    Ok(Rule::new(text, (), effect, rule.occasions))
}

/// A status that ends the request.
fn status(rule: &Written<'_>) -> Result<u16, String> {
    let code = rule.number("CODE")?;
    let is_final = (200..=599).contains(&code);
    is_final
        .then_some(code)
        .and_then(|code| u16::try_from(code).ok())
        .ok_or_else(|| format!("status={code}: expected 200 to 599"))
}
