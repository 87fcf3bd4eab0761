//! The rules for the broker.

use std::time::Duration;

use rumqttc::mqttbytes::v4::{Packet, Publish};
use rumqttc::mqttbytes::QoS;

use super::command::{self, OddCommand};
use super::connection::{self, OnConnection};
use super::message::{self, OddMessage};
use super::packet::{self, Stray};
use super::rule::{choose, Rule, Written};
use super::websocket::{self, OddFrame, OddUpgrade};
use hub_core::messaging::{Address, Service};

/// What a rule may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttEvent {
    /// A connection was accepted.
    Connection,
    /// A device sent a packet, whatever it is.
    Packet,
    /// A device sent CONNECT.
    Connect,
    /// A device sent SUBSCRIBE.
    Subscribe,
    /// A device sent UNSUBSCRIBE.
    Unsubscribe,
    /// A device sent PUBLISH.
    Publish,
    /// A device sent PUBACK.
    Puback,
    /// A device sent PINGREQ.
    Pingreq,
    /// A device sent DISCONNECT.
    Disconnect,
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
    /// A message goes out to a device.
    Message,
    /// An update command goes out to a device.
    Order,
    /// A broadcast goes out to a device.
    Broadcast,
    /// A request goes out to a device (RRPC).
    Request,
    /// A device answers a request.
    Answer,
    /// A device asks for its remote configuration, or its log level.
    Ask,
    /// A remote configuration goes out to a device, asked for or not.
    Config,
    /// A log level goes out to a device, asked for or not.
    Level,
    /// The shadow service says something to a device.
    Shadow,
    /// The gateway service says something to a gateway.
    Gateway,
    /// A device asks for WebSocket.
    Upgrade,
    /// A WebSocket frame with data goes out to a device.
    Frame,
}

const EVENTS: &[(&str, MqttEvent)] = &[
    ("connection", MqttEvent::Connection),
    ("packet", MqttEvent::Packet),
    ("connect", MqttEvent::Connect),
    ("subscribe", MqttEvent::Subscribe),
    ("unsubscribe", MqttEvent::Unsubscribe),
    ("publish", MqttEvent::Publish),
    ("puback", MqttEvent::Puback),
    ("pingreq", MqttEvent::Pingreq),
    ("disconnect", MqttEvent::Disconnect),
    ("version", MqttEvent::Version),
    ("downloading", MqttEvent::Downloading),
    ("burning", MqttEvent::Burning),
    ("done", MqttEvent::Done),
    ("fail", MqttEvent::Fail),
    ("message", MqttEvent::Message),
    ("order", MqttEvent::Order),
    ("broadcast", MqttEvent::Broadcast),
    ("request", MqttEvent::Request),
    ("answer", MqttEvent::Answer),
    ("ask", MqttEvent::Ask),
    ("config", MqttEvent::Config),
    ("level", MqttEvent::Level),
    ("shadow", MqttEvent::Shadow),
    ("gateway", MqttEvent::Gateway),
];

/// A rule for the broker.
pub type MqttRule = Rule<MqttEvent, MqttEffect>;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MqttEffect {
    /// Before the first packet.
    Connection(OnConnection),
    /// The connection ends before the packet is looked at.
    End(Ending),
    /// The packet's answer does not go out.
    NoAnswer,
    /// Half of the answer goes out, then nothing more: with a message to a device, half of that.
    Half,
    /// The CONNACK has this code.
    Connack(u8),
    /// The SUBACK refuses.
    RefuseSubscription,
    /// These bytes follow the answer.
    Send(Stray),
    /// This update command goes out; instead of the one that is due, where it waits for that.
    Command(OddCommand),
    /// The message is another one.
    Message(OddMessage),
    /// The message, or the answer to SUBSCRIBE, goes out so much later; others overtake it.
    Late(Duration),
    /// Another message goes out before the good one.
    First(OddMessage),
    /// The message does not go out.
    Lose,
    /// The message goes out twice, under the same packet id.
    Twice,
    /// Another answer to the request for WebSocket.
    Upgrade(OddUpgrade),
    /// Another WebSocket frame.
    Frame(OddFrame),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is closed.
    Cut,
    /// It is reset.
    Reset,
    /// It stays, but nothing is read from it or sent any more.
    Silent,
    /// With every other one, and nobody listens for so long.
    Away(Duration),
}

/// Examples of every effect with what they do.
pub const GUIDE: &[(&str, &str)] = &[
    ("mqtt:cut@publish#2", "the connection is closed when the second PUBLISH arrives, which gets lost"),
    ("mqtt:reset@publish#2", "the same with a TCP reset"),
    ("mqtt:silent@downloading#1", "half-open: nothing is read from then on, nothing answered, nothing closed"),
    ("mqtt:away=20@downloading#1", "every connection is closed and nobody listens for 20 s"),
    ("mqtt:no-answer@done#1", "no PUBACK for the first report of `done` (or CONNACK, SUBACK, PINGRESP)"),
    ("mqtt:half@subscribe#1", "half of the SUBACK, then silence"),
    ("mqtt:connack=3#1", "this code in the CONNACK"),
    ("mqtt:refuse-subscription#1", "the SUBACK says no"),
    ("mqtt:send=type-0@version#1", "a malformed packet after the answer; kinds below"),
    ("mqtt:command=repeat@downloading#1", "the update command once more, or a bad one; kinds below"),
    ("mqtt:message=half@config#1", "another message instead of the good one; kinds below"),
    ("mqtt:late=3@request#1", "the message goes out 3 s later, behind what comes meanwhile"),
    ("mqtt:message=other-token@shadow#1", "an answer of the shadow service that answers nothing that was asked"),
    ("mqtt:message=result:806@gateway#2", "another result of what a gateway has asked for"),
    ("mqtt:late=1@subscribe#1", "the SUBACK comes 1 s later, behind what comes meanwhile"),
    ("mqtt:first=push@config#1", "a configuration that nobody asked for comes before the one that was asked for"),
    ("mqtt:lose@order#1", "the update command gets lost"),
    ("mqtt:twice@order#1", "the update command goes out twice under the same packet id"),
    ("mqtt:websocket=wrong-accept#1", "another answer to the request for WebSocket; kinds below"),
    ("mqtt:frame=masked#3", "another WebSocket frame instead of the third one with data; kinds below"),
];

/// Understands a rule for the broker.
pub fn parse(text: &str, rule: &Written<'_>) -> Result<MqttRule, String> {
    let event = rule.event.map(|name| choose("event", name, EVENTS)).transpose()?;
    if event.is_none_or(|event| event == MqttEvent::Connection) {
        if let Some(effect) = connection::parse(rule)? {
            return Ok(Rule::new(text, MqttEvent::Connection, MqttEffect::Connection(effect), rule.occasions));
        }
    }
    rule.without_option()?;
    let plain = |effect: MqttEffect| rule.plain().map(|()| effect);
    let effect = match rule.effect {
        "cut" => plain(MqttEffect::End(Ending::Cut))?,
        "reset" => plain(MqttEffect::End(Ending::Reset))?,
        "silent" => plain(MqttEffect::End(Ending::Silent))?,
        "away" => MqttEffect::End(Ending::Away(rule.seconds()?)),
        "no-answer" => plain(MqttEffect::NoAnswer)?,
        "half" => plain(MqttEffect::Half)?,
        "connack" => {
            let code = rule.number("CODE")?;
            let code = u8::try_from(code).map_err(|_| format!("connack={code}: expected 1 to 255"))?;
            MqttEffect::Connack(code)
        }
        "refuse-subscription" => plain(MqttEffect::RefuseSubscription)?,
        "send" => MqttEffect::Send(packet::parse(rule.required("KIND")?)?),
        "command" => MqttEffect::Command(command::parse(rule.required("KIND")?)?),
        "message" => MqttEffect::Message(message::parse(rule.required("KIND")?)?),
        "late" => MqttEffect::Late(rule.seconds()?),
        "first" => MqttEffect::First(message::parse(rule.required("KIND")?)?),
        "lose" => plain(MqttEffect::Lose)?,
        "twice" => plain(MqttEffect::Twice)?,
        "websocket" => MqttEffect::Upgrade(websocket::upgrade(rule.required("KIND")?)?),
        "frame" => MqttEffect::Frame(websocket::frame(rule.required("KIND")?)?),
        other => return Err(super::unknown_effect(other, &[GUIDE, connection::GUIDE])),
    };
    let event = match (&effect, event) {
        (MqttEffect::Connack(_), _) => MqttEvent::Connect,
        (MqttEffect::RefuseSubscription, _) => MqttEvent::Subscribe,
        (MqttEffect::Upgrade(_), None) => MqttEvent::Upgrade,
        (MqttEffect::Frame(_), None) => MqttEvent::Frame,
        (_, Some(event)) => event,
        (MqttEffect::Command(_) | MqttEffect::Lose | MqttEffect::Twice, None) => MqttEvent::Order,
        (MqttEffect::Message(_) | MqttEffect::First(_) | MqttEffect::Late(_), None) => MqttEvent::Message,
        (_, None) => MqttEvent::Packet,
    };
    let outgoing = matches!(
        event,
        MqttEvent::Message
            | MqttEvent::Order
            | MqttEvent::Broadcast
            | MqttEvent::Request
            | MqttEvent::Config
            | MqttEvent::Level
            | MqttEvent::Shadow
            | MqttEvent::Gateway
    );
    let fits = match &effect {
        MqttEffect::Late(_) => outgoing || event == MqttEvent::Subscribe,
        MqttEffect::Lose | MqttEffect::Twice | MqttEffect::Message(_) | MqttEffect::First(_) => outgoing,
        MqttEffect::NoAnswer | MqttEffect::Send(_) => !outgoing,
        MqttEffect::Upgrade(_) | MqttEffect::Frame(_) => false,
        _ => true,
    };
    match rule.event {
        Some(name) if !fits || event == MqttEvent::Connection => {
            Err(format!("{} does not happen @{name}", rule.effect))
        }
        _ => Ok(Rule::new(text, event, effect, rule.occasions)),
    }
}

/// What a packet from a device counts as.
pub fn incoming(packet: &Packet) -> Vec<MqttEvent> {
    let mut events = vec![MqttEvent::Packet];
    events.extend(match packet {
        Packet::Connect(_) => Some(MqttEvent::Connect),
        Packet::Subscribe(_) => Some(MqttEvent::Subscribe),
        Packet::Unsubscribe(_) => Some(MqttEvent::Unsubscribe),
        Packet::Publish(_) => Some(MqttEvent::Publish),
        Packet::PubAck(_) => Some(MqttEvent::Puback),
        Packet::PingReq => Some(MqttEvent::Pingreq),
        Packet::Disconnect => Some(MqttEvent::Disconnect),
        _ => None,
    });
    if let Packet::Publish(message) = packet {
        events.extend(reported(message));
        events.extend(Address::of(&message.topic).map(|address| match address.service {
            Service::Rrpc(_) => MqttEvent::Answer,
            Service::Config | Service::Log | Service::Resource => MqttEvent::Ask,
        }));
    }
    events
}

fn reported(message: &Publish) -> Option<MqttEvent> {
    let report: serde_json::Value = serde_json::from_slice(&message.payload).ok()?;
    if report["type"] == "report_version" {
        return Some(MqttEvent::Version);
    }
    // Of an upgrade, or of a resource.
    let state = report["report"]["progress"]["state"].as_str().or_else(|| report["progress"]["state"].as_str());
    match state? {
        "downloading" => Some(MqttEvent::Downloading),
        "burning" => Some(MqttEvent::Burning),
        "done" => Some(MqttEvent::Done),
        "fail" => Some(MqttEvent::Fail),
        _ => None,
    }
}

/// What a message to a device counts as.
pub fn outgoing(message: &Publish) -> Vec<MqttEvent> {
    let mut events = vec![MqttEvent::Message];
    if is_order(message) {
        events.push(MqttEvent::Order);
    }
    let prefixes = [
        ("$broadcast/", MqttEvent::Broadcast),
        ("$rrpc/", MqttEvent::Request),
        ("$config/", MqttEvent::Config),
        ("$log/", MqttEvent::Level),
        ("$shadow/", MqttEvent::Shadow),
        ("$template/", MqttEvent::Shadow),
        ("$gateway/", MqttEvent::Gateway),
    ];
    events.extend(prefixes.iter().filter(|(prefix, _)| message.topic.starts_with(prefix)).map(|(_, event)| event));
    events
}

fn is_order(message: &Publish) -> bool {
    let payload = serde_json::from_slice::<serde_json::Value>(&message.payload);
    message.qos != QoS::AtMostOnce && payload.is_ok_and(|command| command["type"] == "update_firmware")
}
