//! One MQTT connection, whatever it runs over.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PingResp, PubAck, Publish, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck,
};
use rumqttc::mqttbytes::{Error as CodecError, QoS};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep_until, timeout, timeout_at, Instant};

use super::{Attachment, Side};
use crate::auth::{self, Identity};
use crate::topic;
use hub_core::events::{Event, Listener};
use hub_core::hub::now_ms;
use hub_fault::mqtt::{self, Ending, MqttEffect};
use hub_fault::stream::Handle;
use hub_fault::Stray;

/// Largest packet taken from a device, in bytes.
const MAX_PACKET: usize = 256 * 1024;
/// How long a device may take from its connection to its CONNECT.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a device may leave its socket's buffer full.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Stands in for "never" where keep-alive is off.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// DISCONNECT, as it should be.
    Clean,
    /// Anything else, in words.
    Broken(String),
    /// As a fault rule wants it.
    Fault(Ending),
}

fn broken<T>(reason: impl Into<String>) -> Result<T, End> {
    Err(End::Broken(reason.into()))
}

/// Packets over a byte stream. `read` may be dropped at any await without losing a byte.
struct Wire<S> {
    stream: S,
    input: BytesMut,
    output: BytesMut,
    /// Bytes that came since they were last counted.
    received: usize,
    /// What a fault rule makes of what goes out.
    outlet: Outlet,
}

/// How much of an answer goes out.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Outlet {
    #[default]
    Whole,
    /// Half, then nothing more.
    Half,
    Closed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn read(&mut self) -> Result<Packet, End> {
        loop {
            if let Some(packet) = parse(&mut self.input)? {
                return Ok(packet);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), End> {
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) => broken("the device closed the connection without DISCONNECT"),
            Ok(count) => {
                self.received = self.received.saturating_add(count);
                Ok(())
            }
            Err(error) => broken(format!("read: {error}")),
        }
    }

    fn queue(&mut self, packet: &Packet) {
        // Every packet sent is one we made, or one that came in through the same codec's limits.
        let _ = packet.write(&mut self.output, usize::MAX);
    }

    /// Refuses a connection with this code, which may be one that there is not.
    async fn turn_away(&mut self, code: u8) {
        self.queue_bytes(&[0x20, 2, 0, code]);
        let _ = self.flush().await;
        let _ = self.stream.shutdown().await;
    }

    fn queue_bytes(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        match self.outlet {
            Outlet::Whole => {}
            Outlet::Half => self.output.truncate(self.output.len() / 2),
            Outlet::Closed => self.output.clear(),
        }
        let write = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        let result = timeout(WRITE_LIMIT, write).await;
        self.output.clear();
        match result {
            Ok(Ok(())) if self.outlet == Outlet::Half => Err(End::Fault(Ending::Silent)),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => broken(format!("write: {error}")),
            Err(_) => broken("the device does not read"),
        }
    }
}

/// Takes one packet off the front, `None` where it is not all there yet.
fn parse(input: &mut BytesMut) -> Result<Option<Packet>, End> {
    if let Some(&first) = input.first() {
        // The codec leaves the reserved flag bits unchecked (MQTT 3.1.1, section 2.2.2).
        let flags = match first >> 4 {
            3 => first & 0x0f,
            6 | 8 | 10 => 2,
            _ => 0,
        };
        if first & 0x0f != flags {
            return broken(format!("malformed packet: reserved flags in first byte {first:#04x}"));
        }
    }
    match Packet::read(input, MAX_PACKET) {
        Ok(packet) => Ok(Some(packet)),
        Err(CodecError::InsufficientBytes(_)) => Ok(None),
        Err(error) => broken(format!("malformed packet: {error}")),
    }
}

/// The protocol level a CONNECT asks for, where as much has arrived.
fn protocol_level(input: &[u8]) -> Option<u8> {
    let after_type = input.strip_prefix(&[0x10])?;
    let length = after_type.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    after_type.get(length..)?.strip_prefix(b"\0\x04MQTT")?.first().copied()
}

async fn read_connect<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>) -> Result<Connect, End> {
    loop {
        // Other levels have other fields: the codec must not try to read them.
        if protocol_level(&wire.input).is_some_and(|level| level != 4) {
            let code = ConnectReturnCode::RefusedProtocolVersion;
            wire.queue(&Packet::ConnAck(ConnAck::new(code, false)));
            wire.flush().await?;
            return broken("not MQTT 3.1.1");
        }
        match parse(&mut wire.input)? {
            Some(Packet::Connect(connect)) => return Ok(connect),
            Some(_) => return broken("the first packet is not CONNECT"),
            None => wire.fill().await?,
        }
    }
}

/// Serves one connection until it ends. `identity` is what TLS proved.
pub async fn serve<S>(side: &Side, stream: S, handle: Handle, listener: Listener, identity: Option<Identity>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Side { hub, broker, faults, limiter } = side;
    let (input, output) = (BytesMut::new(), BytesMut::new());
    let mut wire = Wire { stream, input, output, received: 0, outlet: Outlet::default() };
    let refused = |client_id: Option<String>, reason: String| {
        hub.emit(&Event::Refused { client_id, listener, reason });
    };
    let connect = match timeout(CONNECT_LIMIT, read_connect(&mut wire)).await {
        Ok(Ok(connect)) => connect,
        Ok(Err(End::Broken(reason))) => return refused(identity.map(|identity| identity.name), reason),
        Ok(Err(End::Clean | End::Fault(_))) => return,
        Err(_) => return refused(identity.map(|identity| identity.name), "no CONNECT in time".to_owned()),
    };
    let known = hub.device(&connect.client_id);
    let verdict = auth::check(listener, identity.as_ref(), &connect, known.as_ref(), now_ms() / 1000);
    if let Err(refusal) = verdict {
        wire.turn_away(refusal.code as u8).await;
        return refused(Some(connect.client_id), format!("{} (CONNACK {})", refusal.reason, refusal.code as u8));
    }
    let client_id = connect.client_id.clone();
    if let Err(count) = limiter.connect(&client_id, Instant::now()) {
        let code = ConnectReturnCode::ServiceUnavailable as u8;
        wire.turn_away(code).await;
        return refused(Some(client_id), format!("more than {count} times a minute (CONNACK {code})"));
    }
    let effects = faults.mqtt(&mqtt::incoming(&Packet::Connect(connect.clone())));
    if let Some(code) = effects.iter().find_map(connack) {
        wire.turn_away(code).await;
        return refused(Some(client_id), format!("by a fault rule (CONNACK {code})"));
    }
    let mut attachment = broker.attach(&client_id, connect.clean_session);
    if attachment.took_over {
        let reason = "the same device connected again".to_owned();
        hub.emit(&Event::Disconnected { client_id: client_id.clone(), clean: false, reason });
    }
    hub.emit(&Event::Connected {
        client_id: client_id.clone(),
        listener,
        username: connect.login.as_ref().map(|login| login.username.clone()),
        keep_alive: connect.keep_alive,
        clean_session: connect.clean_session,
    });
    hub.presence(&client_id);
    let accepted = Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, attachment.session_present));
    let limit = match connect.keep_alive {
        0 => NO_LIMIT,
        seconds => Duration::from_millis(u64::from(seconds) * 1500),
    };
    let mut device = Connection { side, wire, client_id, attachment: &mut attachment, late: Vec::new() };
    let end = match device.begin(&accepted, effects).await {
        Ok(()) => device.run(limit).await,
        Err(end) => end,
    };
    let client_id = device.client_id;
    if let End::Fault(Ending::Silent) = end {
        device.attachment.cut.notified().await;
    }
    match end {
        End::Fault(Ending::Reset) => handle.reset(),
        End::Fault(_) => handle.cut(),
        _ => drop(timeout(Duration::from_secs(1), device.wire.stream.shutdown()).await),
    }
    drop((device.wire, handle));
    let (clean, reason) = match end {
        End::Clean => (true, "DISCONNECT".to_owned()),
        End::Broken(reason) => (false, reason),
        End::Fault(ending) => (false, format!("{ending:?}, by a fault rule")),
    };
    if !clean {
        if let Some(will) = connect.last_will {
            hub.device_message(&client_id, &will_message(will));
        }
    }
    // The connection that took the session over has already said so.
    if broker.detach(&client_id, attachment.id) {
        hub.presence(&client_id);
        hub.emit(&Event::Disconnected { client_id, clean, reason });
    }
}

fn connack(effect: &MqttEffect) -> Option<u8> {
    match effect {
        MqttEffect::Connack(code) => Some(*code),
        _ => None,
    }
}

fn will_message(will: LastWill) -> Publish {
    Publish::from_bytes(will.topic, will.qos, will.message)
}

struct Connection<'a, S> {
    side: &'a Side,
    wire: Wire<S>,
    client_id: String,
    attachment: &'a mut Attachment,
    /// What a fault rule holds back, and until when.
    late: Vec<(Instant, Packet)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Lets a device in.
    async fn begin(&mut self, accepted: &Packet, effects: Vec<MqttEffect>) -> Result<(), End> {
        let strays = self.prepare(effects).await?;
        self.wire.queue(accepted);
        self.wire.flush().await?;
        self.stray(strays).await
    }

    async fn run(&mut self, limit: Duration) -> End {
        let cut = self.attachment.cut.clone();
        let mut deadline = Instant::now() + limit;
        let mut pace = self.side.limiter.pace(Instant::now());
        // Set while nothing is read, because too much has come.
        let mut resume = None;
        loop {
            let due = self.late.iter().map(|(at, _)| *at).min();
            let step = tokio::select! {
                packet = timeout_at(deadline, self.wire.read()), if resume.is_none() => match packet {
                    Ok(Ok(packet)) => {
                        let now = Instant::now();
                        deadline = now + limit;
                        resume = pace.spend(std::mem::take(&mut self.wire.received), now);
                        if let Some(text) = resume.and_then(|_| pace.word()) {
                            self.side.hub.emit(&Event::Warning { client_id: Some(self.client_id.clone()), text });
                        }
                        self.incoming(packet).await
                    }
                    Ok(Err(end)) => Err(end),
                    Err(_) => broken("keep-alive ran out"),
                },
                Some(message) = self.attachment.receiver.recv() => self.outgoing(message).await,
                () = sleep_until(due.unwrap_or(deadline)), if due.is_some() => self.send_late().await,
                () = sleep_until(resume.unwrap_or(deadline)), if resume.is_some() => {
                    resume = None;
                    deadline = Instant::now() + limit;
                    Ok(())
                }
                () = cut.notified() => broken("cut by the hub"),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn incoming(&mut self, packet: Packet) -> Result<(), End> {
        let effects = self.side.faults.mqtt(&mqtt::incoming(&packet));
        if effects.is_empty() {
            return self.handle(packet).await;
        }
        let refuses = effects.contains(&MqttEffect::RefuseSubscription);
        let late = effects.iter().find_map(|effect| match effect {
            MqttEffect::Late(delay) => Some(Instant::now() + *delay),
            _ => None,
        });
        let strays = self.prepare(effects).await?;
        match packet {
            Packet::Subscribe(subscribe) if refuses => {
                let codes = vec![SubscribeReasonCode::Failure; subscribe.filters.len()];
                self.wire.queue(&Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
                self.wire.flush().await?;
            }
            packet => {
                if let (Packet::Subscribe(subscribe), Some(at)) = (&packet, late) {
                    let granted = self.grant(subscribe.clone());
                    self.late.push((at, granted));
                } else {
                    self.handle(packet).await?;
                }
            }
        }
        self.stray(strays).await
    }

    /// Plays what comes before an answer, and says what is to follow it.
    async fn prepare(&mut self, effects: Vec<MqttEffect>) -> Result<Vec<Stray>, End> {
        let mut strays = Vec::new();
        for effect in effects {
            match effect {
                MqttEffect::End(ending) => {
                    if let Ending::Away(duration) = ending {
                        self.side.faults.mqtt_interruption.begin(duration);
                        self.side.broker.cut_all();
                    }
                    return Err(End::Fault(ending));
                }
                MqttEffect::NoAnswer => self.wire.outlet = Outlet::Closed,
                MqttEffect::Half => self.wire.outlet = Outlet::Half,
                MqttEffect::Send(stray) => strays.push(stray),
                MqttEffect::Command(command) => {
                    self.side.hub.send_spoilt(&self.client_id, &|good| command.payload(good))
                }
                MqttEffect::Connection(_)
                | MqttEffect::Connack(_)
                | MqttEffect::RefuseSubscription
                | MqttEffect::Message(_)
                | MqttEffect::Late(_)
                | MqttEffect::First(_)
                | MqttEffect::Lose
                | MqttEffect::Twice
                | MqttEffect::Upgrade(_)
                | MqttEffect::Frame(_) => {}
            }
        }
        Ok(strays)
    }

    /// Ends what `prepare` began.
    async fn stray(&mut self, strays: Vec<Stray>) -> Result<(), End> {
        self.wire.outlet = Outlet::Whole;
        for stray in strays {
            match stray {
                Stray::Bytes(bytes) => self.wire.queue_bytes(&bytes),
                Stray::LongMessage(length) => {
                    if let Some(topic) = self.side.hub.update_topic(&self.client_id) {
                        self.wire.queue(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, vec![b'x'; length])));
                    }
                }
            }
        }
        self.wire.flush().await
    }

    /// Sends a message, and those that wait behind it.
    async fn outgoing(&mut self, first: Publish) -> Result<(), End> {
        let mut next = Some(first);
        while let Some(mut message) = next {
            let effects = self.side.faults.mqtt(&mqtt::outgoing(&message));
            let (mut copies, mut late) = (1, None);
            for effect in effects {
                match effect {
                    MqttEffect::Lose => copies = 0,
                    MqttEffect::Twice => copies = 2,
                    MqttEffect::Message(odd) => odd.spoil(&mut message),
                    MqttEffect::First(odd) => {
                        let mut first = Publish { qos: QoS::AtMostOnce, pkid: 0, ..message.clone() };
                        odd.spoil(&mut first);
                        self.wire.queue(&Packet::Publish(first));
                    }
                    MqttEffect::Late(delay) => late = Some(Instant::now() + delay),
                    MqttEffect::Command(command) => {
                        message.payload = command.payload(&String::from_utf8_lossy(&message.payload)).into();
                    }
                    other => drop(self.prepare(vec![other]).await?),
                }
            }
            for _ in 0..copies {
                match late {
                    Some(at) => self.late.push((at, Packet::Publish(message.clone()))),
                    None => self.wire.queue(&Packet::Publish(message.clone())),
                }
            }
            if self.wire.outlet != Outlet::Whole {
                self.wire.flush().await?;
            }
            next = self.attachment.receiver.try_recv().ok();
        }
        self.wire.flush().await
    }

    /// Sends what has been held back long enough.
    async fn send_late(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        let due: Vec<(Instant, Packet)> = due;
        for (_, packet) in due {
            self.wire.queue(&packet);
        }
        self.wire.flush().await
    }

    async fn handle(&mut self, packet: Packet) -> Result<(), End> {
        match packet {
            Packet::Publish(message) => return self.publish(message).await,
            Packet::PubAck(ack) => self.side.broker.acknowledge(&self.client_id, ack.pkid),
            Packet::Subscribe(subscribe) => return self.subscribe(subscribe).await,
            Packet::Unsubscribe(unsubscribe) => {
                for filter in unsubscribe.topics {
                    self.side.broker.unsubscribe(&self.client_id, &filter);
                    self.side.hub.emit(&Event::Unsubscribed { client_id: self.client_id.clone(), filter });
                }
                self.wire.queue(&Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
            }
            Packet::PingReq => {
                self.side.hub.seen(&self.client_id);
                let _ = PingResp.write(&mut self.wire.output);
            }
            Packet::Disconnect => return Err(End::Clean),
            other => return broken(format!("a packet a device must not send: {other:?}")),
        }
        self.wire.flush().await
    }

    async fn publish(&mut self, message: Publish) -> Result<(), End> {
        if !topic::is_name(&message.topic) {
            return broken(format!("published to the topic {:?}", message.topic));
        }
        if message.qos == QoS::ExactlyOnce {
            return broken("published with QoS 2, which the platform does not have");
        }
        let Some(received) = self.side.hub.receive(&self.client_id, &message) else {
            // Not acknowledged: the device must go on saying it.
            return Ok(());
        };
        // Nothing is acknowledged that a hub that is killed now would not remember.
        if message.qos == QoS::AtLeastOnce {
            self.wire.queue(&Packet::PubAck(PubAck::new(message.pkid)));
            self.wire.flush().await?;
        }
        self.side.hub.report(received);
        Ok(())
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), End> {
        let granted = self.grant(subscribe);
        self.wire.queue(&granted);
        self.wire.flush().await
    }

    /// Takes subscriptions in; the answer.
    fn grant(&self, subscribe: Subscribe) -> Packet {
        let mut codes = Vec::new();
        for wanted in subscribe.filters {
            if !topic::is_filter(&wanted.path) || !self.side.hub.may_subscribe(&self.client_id, &wanted.path) {
                codes.push(SubscribeReasonCode::Failure);
                continue;
            }
            let qos = if wanted.qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            codes.push(SubscribeReasonCode::Success(qos));
            self.side.broker.subscribe(&self.client_id, &wanted.path, qos);
            let client_id = self.client_id.clone();
            self.side.hub.emit(&Event::Subscribed { client_id, filter: wanted.path, qos: qos as u8 });
        }
        Packet::SubAck(SubAck::new(subscribe.pkid, codes))
    }
}

/// An I/O error as a reason for refusing a device, without the debris of the TLS layers.
pub fn handshake_failure(error: &io::Error) -> String {
    format!("TLS handshake: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<Option<Packet>, End> {
        parse(&mut BytesMut::from(bytes))
    }

    #[test]
    fn malformed_packets_are_errors() {
        for bytes in [
            &b"\xc1\x00"[..],
            b"\x80\x05\x00\x01\x00\x01a",
            b"\x82\x05\x00\x01\x00\x09a",
            b"\xa2\x01\x00",
            b"\xa2\x02\x00\x01\x00",
            b"\x30\xff\xff\xff\xff\x01",
            b"\x36\x05\x00\x01a\x00\x01",
            b"\x32\x05\x00\x01a\x00\x00",
            b"\x30\x04\x00\x02\xff\xfe",
            b"\x10\x02\x00\x04",
            b"\x00\x00",
            b"\xf0\x00",
            b"\x82\x00",
        ] {
            let outcome = parsed(bytes);
            let partial_is_fine = bytes.first() == Some(&0xa2) && matches!(outcome, Ok(Some(_)));
            assert!(outcome.is_err() || partial_is_fine, "{bytes:x?} gives {outcome:?}");
        }
        assert!(matches!(parsed(b"\xc0"), Ok(None)));
        assert!(matches!(parsed(b"\xc0\x00"), Ok(Some(Packet::PingReq))));
    }

    /// A step of a linear congruential generator: the same noise on every run.
    fn noise(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 40).unwrap_or_default()
    }

    #[test]
    fn damaged_packets_never_panic() {
        let mut connect = Connect::new("P1dev1");
        connect.set_login("name", "password");
        connect.last_will = Some(LastWill::new("a/b", "gone", QoS::AtLeastOnce, false));
        let mut publish = Publish::new("$ota/report/P1/dev1", QoS::AtLeastOnce, "payload");
        publish.pkid = 1;
        let packets = [
            Packet::Connect(connect),
            Packet::Publish(publish),
            Packet::Subscribe(Subscribe::new("a/+", QoS::AtLeastOnce)),
            Packet::Unsubscribe(rumqttc::mqttbytes::v4::Unsubscribe::new("a/+")),
            Packet::PubAck(PubAck::new(1)),
            Packet::Disconnect,
        ];
        let (mut state, mut survivors) = (1, 0);
        for round in 0..60_000 {
            let mut bytes = BytesMut::new();
            packets[round % packets.len()].write(&mut bytes, usize::MAX).expect("packet");
            for _ in 0..1 + noise(&mut state) % 3 {
                let at = noise(&mut state) % bytes.len();
                bytes[at] = noise(&mut state).to_le_bytes()[0];
            }
            bytes.truncate(1 + noise(&mut state) % (bytes.len() + 8));
            let _ = protocol_level(&bytes);
            survivors += usize::from(matches!(parse(&mut bytes), Ok(Some(_))));
        }
        assert!(survivors > 1000, "the damage is such that hardly a packet is still one: {survivors}");
    }

    #[test]
    fn protocol_levels() {
        assert_eq!(protocol_level(b"\x10\x0c\x00\x04MQTT\x05"), Some(5));
        assert_eq!(protocol_level(b"\x10\x8c\x01\x00\x04MQTT\x04\x02"), Some(4));
        for short in [&b""[..], b"\x10", b"\x10\x0c\x00\x04MQTT", b"\x20\x0c\x00\x04MQTT\x05", b"\x10\x80\x80\x80\x80"]
        {
            assert_eq!(protocol_level(short), None);
        }
    }
}
