//! An MQTT server, a network and a clock in memory, for the tests of this ring and of the one around it.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::BytesMut;
use iot_engine::identity::Identity;
use iot_engine::mqtt::Config;
use iot_engine::time::Millis;
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, Publish};

use super::{Clock, Cloud, Grant};
use crate::drive::mqtt::{Listener, Proof, Setup};
use crate::hal::{Attempt, ConnectError, Connected, Endpoint, Platform, Security, Transport, TransportError};

/// What connecting to a server that can't be reached fails with.
pub(crate) const NO_TLS: i32 = -703;

/// What happens while the device rests for so many milliseconds.
type RestHook = Arc<dyn Fn(u32) + Send + Sync>;
type PacketHook = Arc<dyn Fn(&Packet) + Send + Sync>;

/// Where the server is.
pub(crate) const MQTT_PORT: u16 = 1;

/// The world outside.
pub(crate) struct World {
    pub clock: Clock,
    pub cloud: Cloud,
    /// How long what the server sends is on its way, in milliseconds.
    pub latency_ms: u64,
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
    /// Called with each packet from the client, with no lock held.
    pub on_packet: Option<PacketHook>,
    /// There is a wait that another thread can end. Called when one begins that finds no bytes, with no lock held.
    pub on_rest: Option<RestHook>,
    /// Somebody has ended a wait.
    woken: bool,
    /// Bytes that wait for the client.
    inbox: VecDeque<u8>,
    /// Bytes on their way, each with the moment of their arrival.
    on_the_way: VecDeque<(u64, BytesMut)>,
    /// Packets from the client.
    pub received: Vec<Packet>,
    stream: BytesMut,
}

impl World {
    pub(crate) fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        self.on_the_way.push_back((self.clock.ms() + self.latency_ms, bytes));
    }

    /// What it does with the next SUBSCRIBEs.
    pub(crate) fn grants(&mut self, grants: &[Grant]) {
        self.cloud.grants = grants.iter().copied().collect();
    }

    fn serve(&mut self, data: &[u8]) -> Vec<Packet> {
        self.stream.extend_from_slice(data);
        let mut packets = Vec::new();
        while let Ok(packet) = Packet::read(&mut self.stream, usize::MAX) {
            let answers = match (&packet, self.refuse) {
                _ if self.mute => Vec::new(),
                (Packet::Connect(_), Some(code)) => vec![Packet::ConnAck(ConnAck::new(code, false))],
                _ => self.cloud.answers_to(&packet),
            };
            for answer in &answers {
                self.send(answer);
            }
            packets.push(packet.clone());
            self.received.push(packet);
        }
        packets
    }

    /// What has arrived by now goes into the inbox. Returns when the next bytes arrive.
    fn arrive(&mut self) -> Option<u64> {
        while let Some((due, bytes)) = self.on_the_way.pop_front() {
            if due > self.clock.ms() {
                self.on_the_way.push_front((due, bytes));
                return Some(due);
            }
            self.inbox.extend(bytes);
        }
        None
    }

    fn wait_in_vain(&mut self, ms: u64) {
        self.in_vain += 1;
        assert!(self.in_vain < 100_000, "it spins");
        if !self.impatient {
            self.clock.pass(ms);
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
#[derive(Clone)]
pub(crate) struct Simulation(Arc<Mutex<World>>);

impl Default for Simulation {
    fn default() -> Self {
        Simulation(Arc::new(Mutex::new(World {
            clock: Clock::default(),
            cloud: Cloud::that_knows_the_time("PRODUCTIDX", "device"),
            latency_ms: 0,
            read_cost: 0,
            refuse: None,
            unreachable: false,
            connect_ms: 0,
            room: None,
            mute: false,
            closed: false,
            impatient: false,
            in_vain: 0,
            on_packet: None,
            on_rest: None,
            woken: false,
            inbox: VecDeque::new(),
            on_the_way: VecDeque::new(),
            received: Vec::new(),
            stream: BytesMut::new(),
        })))
    }
}

impl Simulation {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(crate) fn ms(&self) -> u64 {
        self.world().clock.ms()
    }

    fn reach(&self) -> Connected {
        let mut world = self.world();
        if world.unreachable {
            return Err(ConnectError::unexplained(NO_TLS));
        }
        world.closed = false;
        world.inbox.clear();
        world.on_the_way.clear();
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
            port: MQTT_PORT,
            security: Security::None,
            handshake_timeout_ms: 5000,
        },
        #[cfg(feature = "websocket-mqtt")]
        over_websocket: false,
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
        self.world().clock.now()
    }

    fn sleep(&self, ms: u32) {
        self.world().clock.pass(u64::from(ms));
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
        self.simulation.world().clock.pass(left.min(wait_ms));
        (left <= wait_ms).then(|| self.simulation.reach())
    }
}

impl Transport for Simulation {
    fn read_or_wake(&self, buf: &mut [u8], timeout_ms: u32) -> Option<Result<usize, TransportError>> {
        let hook = self.world().on_rest.clone()?;
        match self.read(buf, 0) {
            Ok(0) => {}
            result => return Some(result),
        }
        hook(timeout_ms);
        let is_woken = std::mem::take(&mut self.world().woken);
        Some(self.read(buf, if is_woken { 0 } else { timeout_ms }))
    }

    fn wake(&self) {
        self.world().woken = true;
    }

    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let mut world = self.world();
        if let Some(due) = world.arrive().filter(|_| world.inbox.is_empty()) {
            let wait = due - world.clock.ms();
            if wait <= u64::from(timeout_ms) {
                world.clock.pass(wait);
                world.arrive();
            }
        }
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
        let packets = world.serve(&data[..count]);
        let hook = world.on_packet.clone();
        drop(world);
        if let Some(hook) = hook {
            packets.iter().for_each(|packet| hook(packet));
        }
        Ok(count)
    }
}
