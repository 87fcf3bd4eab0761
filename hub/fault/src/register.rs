//! The rules for the replies to devices that register.

use hub_core::registration::Twist;

use super::rule::{choose, Rule, Written};

/// A rule for registration. It has one event: a device asks.
pub type RegisterRule = Rule<(), Twist>;

/// Examples of every effect with what they do.
pub const GUIDE: &[(&str, &str)] = &[
    ("register:key=wrong", "the payload is encrypted with another key"),
    ("register:type=1", "this `encryptionType`, whatever the payload holds"),
    ("register:psk=65", "a `psk` of so many characters"),
    ("register:no-psk", "no `psk`"),
    ("register:payload=no-base64", "a payload that is no base64"),
    ("register:short=1", "the payload lacks so many bytes at its end, so that it is no whole number of blocks"),
    ("register:body=6000", "a body of so many bytes, where it is shorter by itself: the message is longer"),
    ("register:code=1234,reason=why", "this code with a reason, and the device is not registered"),
];

/// Longest `psk` and body that are made.
const MAX_PSK: u64 = 1000;
const MAX_BODY: u64 = 1_000_000;

/// Understands a rule for registration.
pub fn parse(text: &str, rule: &Written<'_>) -> Result<RegisterRule, String> {
    if let Some(name) = rule.event {
        return Err(format!("{} has no event, not @{name}: it happens when a device registers", rule.effect));
    }
    if rule.effect != "code" {
        rule.without_option()?;
    }
    let twist = match rule.effect {
        "key" => choose("key", rule.required("wrong")?, &[("wrong", ())]).map(|()| Twist::Key)?,
        "type" => Twist::Type(rule.number("NUMBER")?),
        "psk" => Twist::Psk(within(rule, "CHARACTERS", 0, MAX_PSK)?),
        "no-psk" => rule.plain().map(|()| Twist::NoPsk)?,
        "payload" => choose("payload", rule.required("no-base64")?, &[("no-base64", ())]).map(|()| Twist::NoBase64)?,
        "short" => Twist::Short(within(rule, "BYTES", 1, MAX_BODY)?),
        "body" => Twist::Body(within(rule, "BYTES", 1, MAX_BODY)?),
        "code" => {
            let reason = rule.option("reason")?.unwrap_or_default().to_owned();
            let code = within(rule, "CODE", 1, u64::from(u16::MAX))?;
            Twist::Code(u16::try_from(code).unwrap_or(u16::MAX), reason)
        }
        other => return Err(super::unknown_effect(other, &[GUIDE])),
    };
    Ok(Rule::new(text, (), twist, rule.occasions))
}

fn within(rule: &Written<'_>, what: &str, least: u64, most: u64) -> Result<usize, String> {
    let number = rule.number(what)?;
    let inside = usize::try_from(number).ok().filter(|_| (least..=most).contains(&number));
    inside.ok_or_else(|| format!("{}={number}: expected {least} to {most}", rule.effect))
}
