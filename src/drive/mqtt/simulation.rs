//! An MQTT server, a network and a clock in memory, for the tests of this ring and of the one around it.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::BytesMut;
use iot_engine::identity::Identity;
use iot_engine::mqtt::Config;
use iot_engine::time::Millis;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};

use super::{Listener, Proof, Setup};
use crate::hal::{Attempt, ConnectError, Connected, Endpoint, Platform, Security, Transport, TransportError};

/// What connecting to a server that can't be reached fails with.
pub(crate) const NO_TLS: i32 = -703;

/// The world outside.
#[derive(Default)]
pub(crate) struct World {
    pub now: u64,
    /// What a read that finds nothing costs even when asked for 0 ms.
    pub read_cost: u64,
    pub refuse: Option<ConnectReturnCode>,
    pub unreachable: bool,
    /// How long a connection attempt takes.
    pub connect_ms: u64,
    /// How many bytes more can be written before the server's window is full; `None`: any number.
    pub room: Option<usize>,
    /// The server answers nothing.
    pub mute: bool,
    pub closed: bool,
    /// A read or write that can do nothing returns at once, whatever its time limit.
    pub impatient: bool,
    /// How many reads and writes could do nothing.
    pub in_vain: u32,
    /// Bytes on their way to the client.
    inbox: VecDeque<u8>,
    /// Packets from the client.
    pub received: Vec<Packet>,
    stream: BytesMut,
}

impl World {
    pub(crate) fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        self.inbox.extend(bytes);
    }

    /// A server that grants all but subscriptions to what begins with "refused", and knows the time.
    fn serve(&mut self, data: &[u8]) {
        self.stream.extend_from_slice(data);
        while let Ok(packet) = Packet::read(&mut self.stream, usize::MAX) {
            match &packet {
                _ if self.mute => {}
                Packet::Connect(_) => {
                    let code = self.refuse.unwrap_or(ConnectReturnCode::Success);
                    self.send(&Packet::ConnAck(ConnAck::new(code, false)));
                }
                Packet::Subscribe(subscribe) => {
                    let code = match subscribe.filters[0].path.starts_with("refused") {
                        true => SubscribeReasonCode::Failure,
                        false => SubscribeReasonCode::Success(rumqttc::QoS::AtLeastOnce),
                    };
                    self.send(&Packet::SubAck(SubAck::new(subscribe.pkid, vec![code])));
                }
                Packet::Unsubscribe(unsubscribe) => self.send(&Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))),
                Packet::Publish(publish) if publish.topic == "$sys/operation/PRODUCTIDX/device" => {
                    self.publish(0, "$sys/operation/result/PRODUCTIDX/device", br#"{"type":"get","time":1604458421}"#);
                }
                Packet::Publish(publish) if publish.pkid != 0 => {
                    self.send(&Packet::PubAck(PubAck::new(publish.pkid)));
                }
                _ => {}
            }
            self.received.push(packet);
        }
    }

    fn wait_in_vain(&mut self, ms: u64) {
        self.in_vain += 1;
        assert!(self.in_vain < 100_000, "it spins");
        if !self.impatient {
            self.now += ms;
        }
    }

    /// Sends the client a message; id 0: QoS 0.
    pub(crate) fn publish(&mut self, id: u16, topic: &str, payload: &[u8]) {
        let qos = if id == 0 { rumqttc::QoS::AtMostOnce } else { rumqttc::QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, payload);
        publish.pkid = id;
        self.send(&Packet::Publish(publish));
    }
}

/// The world as what the library sees of it: a platform, and each connection it makes.
#[derive(Clone, Default)]
pub(crate) struct Simulation(Arc<Mutex<World>>);

impl Simulation {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(crate) fn ms(&self) -> u64 {
        self.world().now
    }

    fn reach(&self) -> Connected {
        let mut world = self.world();
        if world.unreachable {
            return Err(ConnectError::unexplained(NO_TLS));
        }
        world.closed = false;
        world.inbox.clear();
        world.stream.clear();
        Ok(Arc::new(self.clone()))
    }
}

/// All that a client of a simulated server needs to know.
pub(crate) fn setup(listener: impl Listener + 'static, attachment: Box<dyn Any + Send + Sync>) -> Setup {
    let identity = Identity::new("PRODUCTIDX", "device").unwrap();
    Setup {
        endpoint: Endpoint {
            host: "localhost".to_owned(),
            port: 1,
            security: Security::None,
            handshake_timeout_ms: 5000,
        },
        proof: Proof::Transport,
        config: Config {
            client_id: identity.client_id(),
            keep_alive_s: 240,
            clean_session: true,
            command_timeout_ms: 5000,
            auto_connect: true,
        },
        listener: Some(Box::new(listener)),
        attachment,
        identity,
    }
}

impl Platform for Simulation {
    fn now(&self) -> Millis {
        Millis(self.world().now)
    }

    fn sleep(&self, ms: u32) {
        self.world().now += u64::from(ms);
    }

    fn connect(&self, _: &Endpoint) -> Connected {
        self.reach()
    }

    fn begin_connect(&self, _: &Endpoint) -> Box<dyn Attempt> {
        let done_at = self.ms().saturating_add(self.world().connect_ms);
        Box::new(Connecting { simulation: self.clone(), done_at })
    }

    fn random(&self) -> u64 {
        0
    }
}

struct Connecting {
    simulation: Simulation,
    done_at: u64,
}

impl Attempt for Connecting {
    fn outcome(&mut self, wait_ms: u64) -> Option<Connected> {
        let left = self.done_at.saturating_sub(self.simulation.ms());
        self.simulation.world().now += left.min(wait_ms);
        (left <= wait_ms).then(|| self.simulation.reach())
    }
}

impl Transport for Simulation {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let mut world = self.world();
        if world.inbox.is_empty() {
            if world.closed {
                return Err(TransportError::Closed(-608));
            }
            let waited = u64::from(timeout_ms).max(world.read_cost);
            world.wait_in_vain(waited);
            return Ok(0);
        }
        let count = buf.len().min(world.inbox.len());
        for (to, from) in buf.iter_mut().zip(world.inbox.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn write(&self, data: &[u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let mut world = self.world();
        if world.closed {
            return Err(TransportError::Failed(-606));
        }
        let count = world.room.map_or(data.len(), |room| room.min(data.len()));
        if count == 0 {
            world.wait_in_vain(u64::from(timeout_ms));
            return Ok(0);
        }
        if let Some(room) = &mut world.room {
            *room -= count;
        }
        world.serve(&data[..count]);
        Ok(count)
    }
}
