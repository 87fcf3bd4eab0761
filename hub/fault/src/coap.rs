//! The rules for the CoAP servers.

use std::time::Duration;

use super::command::{self, OddCommand};
use super::noise::noise;
use super::rule::{choose, Rule, Written};

/// What a rule may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoapEvent {
    /// A datagram arrived or is to be sent, whatever is in it.
    Datagram,
    /// A device begins a DTLS handshake.
    Handshake,
    /// A request arrived, a repeated one, too.
    Request,
    /// A device wants a token.
    Auth,
    /// A device sent something else, other than a report.
    Message,
    /// A device reported its version.
    Version,
    /// A device reported `downloading`.
    Downloading,
    /// A device reported `burning`.
    Burning,
    /// A device reported `done`.
    Done,
    /// A device reported `fail`.
    Fail,
    /// An acknowledgement goes out to a device.
    Ack,
    /// A response of its own goes out to a device, a repeated one, too.
    Response,
}

const EVENTS: &[(&str, CoapEvent)] = &[
    ("datagram", CoapEvent::Datagram),
    ("handshake", CoapEvent::Handshake),
    ("request", CoapEvent::Request),
    ("auth", CoapEvent::Auth),
    ("message", CoapEvent::Message),
    ("version", CoapEvent::Version),
    ("downloading", CoapEvent::Downloading),
    ("burning", CoapEvent::Burning),
    ("done", CoapEvent::Done),
    ("fail", CoapEvent::Fail),
    ("ack", CoapEvent::Ack),
    ("response", CoapEvent::Response),
];

/// A rule for the CoAP servers.
pub type CoapRule = Rule<CoapEvent, CoapEffect>;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoapEffect {
    /// So many datagrams of a hundred get lost, in either direction.
    Loss(u8),
    /// The handshake goes without the exchange of a cookie.
    NoCookie,
    /// The request is not looked at.
    Silent,
    /// The request is answered by a reset.
    Reset,
    /// The request is answered by this code, and not looked at.
    Code(u8),
    /// Every token is forgotten before the request is looked at.
    Forget,
    /// The DTLS session is closed, with or without a word.
    End(Ending),
    /// The answer has a payload, or is a token, of so many bytes.
    Payload(usize),
    /// This update command instead of the good one.
    Command(OddCommand),
    /// How acknowledgement and response come.
    Shape(Shape),
    /// This comes before the answer.
    Send(Stray),
    /// What the answer, or the datagram, suffers.
    Spoil(Spoil),
}

/// How a DTLS session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With close_notify.
    Close,
    /// The server has forgotten it.
    Gone,
}

/// How acknowledgement and response come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 2.05 in the acknowledgement.
    Together,
    /// 2.03, then a confirmable response.
    Apart,
    /// 2.03, then a response that is not confirmable.
    NonConfirmable,
    /// The empty acknowledgement of the RFC, then a confirmable response.
    EmptyAck,
    /// A confirmable response without an acknowledgement.
    Alone,
}

/// What happens to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// It gets lost.
    Lose,
    /// It goes out twice.
    Twice,
    /// It goes out so much later.
    Late(Duration),
    /// It goes out after the next one.
    Swap,
    /// Half of it goes out.
    Half,
    /// Its token is another one.
    OtherToken,
    /// It has no token.
    NoToken,
}

/// A datagram that no cloud should send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    /// These bytes.
    Bytes(&'static [u8]),
    /// So many random ones.
    Random(usize),
    /// Given in the rule.
    Own(Vec<u8>),
}

/// Every kind of stray datagram.
pub const KINDS: &[(&str, Stray)] = &[
    ("nothing", Stray::Bytes(b"")),
    ("short", Stray::Bytes(b"\x60\x45\x01")),
    ("version-0", Stray::Bytes(b"\x20\x45\x12\x34")),
    ("version-2", Stray::Bytes(b"\xa0\x45\x12\x34")),
    ("token-9", Stray::Bytes(b"\x69\x45\x12\x34123456789")),
    ("token-cut", Stray::Bytes(b"\x64\x45\x12\x34\x01")),
    ("class-1", Stray::Bytes(b"\x60\x21\x12\x34")),
    ("class-3", Stray::Bytes(b"\x60\x61\x12\x34")),
    ("class-6", Stray::Bytes(b"\x60\xc1\x12\x34")),
    ("class-7", Stray::Bytes(b"\x60\xe1\x12\x34")),
    ("option-cut", Stray::Bytes(b"\x60\x45\x12\x34\xb4ab")),
    ("option-15", Stray::Bytes(b"\x60\x45\x12\x34\xf1\x00\x00")),
    ("option-length-15", Stray::Bytes(b"\x60\x45\x12\x34\x1f\x00\x00")),
    ("marker", Stray::Bytes(b"\x60\x45\x12\x34\xff")),
    ("request", Stray::Bytes(b"\x44\x02\x12\x34abcd\xb1x\xff{}")),
    ("ping", Stray::Bytes(b"\x40\x00\x12\x35")),
    ("response", Stray::Bytes(b"\x44\x45\x12\x36zzzz\xff{}")),
    ("ack", Stray::Bytes(b"\x64\x45\x12\x37zzzz\xff{}")),
    ("random", Stray::Random(40)),
    ("random-4000", Stray::Random(4000)),
];

impl Stray {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(digits) = text.strip_prefix("hex:") {
            return hex::decode(digits).map(Stray::Own).map_err(|_| format!("send={text}: expected hex digits"));
        }
        let table: Vec<(&str, &Stray)> = KINDS.iter().map(|(name, stray)| (*name, stray)).collect();
        choose("kind of datagram", text, &table).cloned().map_err(|error| format!("{error}, hex:DIGITS"))
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Stray::Bytes(bytes) => bytes.to_vec(),
            Stray::Random(count) => noise(*count),
            Stray::Own(bytes) => bytes.clone(),
        }
    }
}

/// Examples of every effect with what they do.
pub const GUIDE: &[(&str, &str)] = &[
    ("coap:silent@request#1-2", "the first two requests are not looked at, as if lost"),
    ("coap:no-answer@version#1", "the report is taken, its answer gets lost (until it is repeated)"),
    ("coap:lose@response#1", "the response gets lost, or the acknowledgement (@ack)"),
    ("coap:loss=30", "30 of 100 datagrams get lost, in either direction"),
    ("coap:late=0.7@message#1", "the answer goes out 0.7 s later"),
    ("coap:twice@auth", "the answer goes out twice"),
    (
        "coap:swap@version#1",
        "the answer goes out after the next datagram; with a response apart, before the acknowledgement",
    ),
    ("coap:half@message#1", "half of the answer"),
    ("coap:other-token@message#1", "the answer has another message token, or none (no-token)"),
    ("coap:no-token@message#1", "the answer has no message token"),
    ("coap:code=4.03@message#1", "the request gets this code and is not looked at"),
    ("coap:reset@message#1", "the request gets a reset"),
    ("coap:forget@message#1", "every token is forgotten: 4.01"),
    ("coap:payload=1200@version#1", "a payload of so many bytes; at @auth a token of so many"),
    (
        "coap:answer=apart@auth",
        "2.03, then the response; also non, empty-ack, alone, together (2.05 in the acknowledgement)",
    ),
    ("coap:command=no-md5@version", "another update command; kinds as for mqtt:"),
    ("coap:send=option-cut@message#1", "this datagram before the answer; kinds below"),
    ("coap:close@message#2", "DTLS: close_notify, and the session is over"),
    ("coap:gone@message#2", "DTLS: the session is forgotten without a word"),
    ("coap:no-cookie", "DTLS: no HelloVerifyRequest"),
];

const SHAPES: &[(&str, Shape)] = &[
    ("together", Shape::Together),
    ("apart", Shape::Apart),
    ("non", Shape::NonConfirmable),
    ("empty-ack", Shape::EmptyAck),
    ("alone", Shape::Alone),
];

/// The longest payload that is made.
const MAX_PAYLOAD: u64 = 60_000;

/// Understands a rule for the CoAP servers.
pub fn parse(text: &str, rule: &Written<'_>) -> Result<CoapRule, String> {
    rule.without_option()?;
    let event = rule.event.map(|name| choose("event", name, EVENTS)).transpose()?;
    let plain = |effect: CoapEffect| rule.plain().map(|()| effect);
    let spoil = |spoil: Spoil| plain(CoapEffect::Spoil(spoil));
    let effect = match rule.effect {
        "loss" => match rule.number("PERCENT")? {
            percent @ 1..=100 => CoapEffect::Loss(u8::try_from(percent).unwrap_or(100)),
            percent => return Err(format!("loss={percent}: expected 1 to 100")),
        },
        "no-cookie" => plain(CoapEffect::NoCookie)?,
        "silent" => plain(CoapEffect::Silent)?,
        "no-answer" | "lose" => spoil(Spoil::Lose)?,
        "late" => CoapEffect::Spoil(Spoil::Late(rule.fraction()?)),
        "twice" => spoil(Spoil::Twice)?,
        "swap" => spoil(Spoil::Swap)?,
        "half" => spoil(Spoil::Half)?,
        "other-token" => spoil(Spoil::OtherToken)?,
        "no-token" => spoil(Spoil::NoToken)?,
        "code" => CoapEffect::Code(code(rule.required("CODE")?)?),
        "reset" => plain(CoapEffect::Reset)?,
        "forget" => plain(CoapEffect::Forget)?,
        "payload" => match rule.number("BYTES")? {
            bytes @ 0..=MAX_PAYLOAD => CoapEffect::Payload(usize::try_from(bytes).unwrap_or_default()),
            bytes => return Err(format!("payload={bytes}: expected up to {MAX_PAYLOAD}")),
        },
        "answer" => CoapEffect::Shape(choose("form of an answer", rule.required("FORM")?, SHAPES)?),
        "command" => CoapEffect::Command(command::parse(rule.required("KIND")?)?),
        "send" => CoapEffect::Send(Stray::parse(rule.required("KIND")?)?),
        "close" => plain(CoapEffect::End(Ending::Close))?,
        "gone" => plain(CoapEffect::End(Ending::Gone))?,
        other => return Err(super::unknown_effect(other, &[GUIDE])),
    };
    let usual = match effect {
        CoapEffect::Loss(_) => CoapEvent::Datagram,
        CoapEffect::NoCookie => CoapEvent::Handshake,
        CoapEffect::Command(_) => CoapEvent::Version,
        _ if rule.effect == "lose" => CoapEvent::Response,
        _ => CoapEvent::Request,
    };
    let event = event.unwrap_or(usual);
    let outgoing = matches!(event, CoapEvent::Ack | CoapEvent::Response);
    let fits = match effect {
        CoapEffect::Silent if event == CoapEvent::Handshake => true,
        CoapEffect::Loss(_) | CoapEffect::NoCookie | CoapEffect::Command(_) => event == usual,
        CoapEffect::Spoil(_) if rule.effect == "lose" => outgoing,
        CoapEffect::Spoil(_) if rule.effect != "no-answer" && outgoing => true,
        _ => !outgoing && !matches!(event, CoapEvent::Datagram | CoapEvent::Handshake),
    };
    if !fits {
        return Err(format!("{} does not go with @{}", rule.effect, rule.event.unwrap_or_default()));
    }
    Ok(Rule::new(text, event, effect, rule.occasions))
}

/// A code such as `4.03`.
fn code(text: &str) -> Result<u8, String> {
    let parts = text.split_once('.').filter(|(_, detail)| detail.len() == 2);
    let number = |text: &str| text.parse::<u8>().ok();
    match parts.map(|(class, detail)| (number(class), number(detail))) {
        Some((Some(class @ 2..=5), Some(detail @ 0..=31))) => Ok(class << 5 | detail),
        _ => Err(format!("code={text}: expected a code such as 4.03")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        assert_eq!((code("2.05"), code("4.03"), code("5.00")), (Ok(0x45), Ok(0x83), Ok(0xa0)));
        for bad in ["", "4", "4.3", "403", "1.00", "6.01", "4.32", "4.xx"] {
            assert!(code(bad).is_err_and(|error| error.contains("4.03")), "{bad}");
        }
    }

    #[test]
    fn stray_datagrams() {
        assert_eq!(Stray::parse("hex:0aff").map(|stray| stray.bytes()), Ok(vec![10, 255]));
        assert!(Stray::parse("hex:0").is_err() && Stray::parse("odd").is_err_and(|error| error.contains("marker")));
        for (name, stray) in KINDS {
            assert_eq!(Stray::parse(name).as_ref(), Ok(stray));
            assert_eq!(stray.bytes().is_empty(), *name == "nothing");
        }
    }
}
