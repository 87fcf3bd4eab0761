//! The pump on a simulated platform: virtual time, a scripted server.

use std::collections::VecDeque;
use std::sync::Mutex as StdMutex;

use bytes::BytesMut;
use iot_abi::error::{
    QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT, QCLOUD_ERR_SSL_CONNECT, QCLOUD_ERR_TCP_PEER_SHUTDOWN,
    QCLOUD_RET_MQTT_MANUALLY_DISCONNECTED, QCLOUD_RET_MQTT_RECONNECTED,
};
use iot_engine::time::Millis;
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode};

use super::*;
use crate::hal::{Security, TransportError};

#[derive(Default)]
struct World {
    now: u64,
    /// What a read that finds nothing costs even when asked for 0 ms.
    read_cost: u64,
    refuse: Option<ConnectReturnCode>,
    unreachable: bool,
    closed: bool,
    /// Bytes on their way to the client.
    inbox: VecDeque<u8>,
    /// Packets from the client.
    received: Vec<Packet>,
    stream: BytesMut,
}

impl World {
    fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        self.inbox.extend(bytes);
    }

    /// A server that grants everything.
    fn serve(&mut self, data: &[u8]) {
        self.stream.extend_from_slice(data);
        while let Ok(packet) = Packet::read(&mut self.stream, usize::MAX) {
            match &packet {
                Packet::Connect(_) => {
                    let code = self.refuse.unwrap_or(ConnectReturnCode::Success);
                    self.send(&Packet::ConnAck(ConnAck::new(code, false)));
                }
                Packet::Subscribe(subscribe) => {
                    let granted = SubscribeReasonCode::Success(rumqttc::QoS::AtLeastOnce);
                    self.send(&Packet::SubAck(SubAck::new(subscribe.pkid, vec![granted])));
                }
                Packet::Publish(publish) if publish.pkid != 0 => {
                    self.send(&Packet::PubAck(PubAck::new(publish.pkid)));
                }
                _ => {}
            }
            self.received.push(packet);
        }
    }

    fn publish(&mut self, id: u16, topic: &str, payload: &[u8]) {
        let qos = if id == 0 { rumqttc::QoS::AtMostOnce } else { rumqttc::QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, payload);
        publish.pkid = id;
        self.send(&Packet::Publish(publish));
    }
}

#[derive(Clone, Default)]
struct Simulation(Arc<StdMutex<World>>);

impl Simulation {
    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn now(&self) -> u64 {
        self.world().now
    }
}

impl Platform for Simulation {
    fn now(&self) -> Millis {
        Millis(self.world().now)
    }

    fn sleep(&self, ms: u32) {
        self.world().now += u64::from(ms);
    }

    fn connect(&self, _: &Endpoint) -> Result<Arc<dyn Transport>, TransportError> {
        let mut world = self.world();
        if world.unreachable {
            return Err(TransportError::Connect(QCLOUD_ERR_SSL_CONNECT));
        }
        world.closed = false;
        world.inbox.clear();
        world.stream.clear();
        Ok(Arc::new(self.clone()))
    }

    fn random(&self) -> u64 {
        0
    }
}

impl Transport for Simulation {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let mut world = self.world();
        if world.inbox.is_empty() {
            if world.closed {
                return Err(TransportError::Closed(QCLOUD_ERR_TCP_PEER_SHUTDOWN));
            }
            world.now += u64::from(timeout_ms).max(world.read_cost);
            return Ok(0);
        }
        let count = buf.len().min(world.inbox.len());
        for (to, from) in buf.iter_mut().zip(world.inbox.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn write(&self, data: &[u8], _: u32) -> Result<usize, TransportError> {
        let mut world = self.world();
        if world.closed {
            return Err(TransportError::Failed(-606));
        }
        world.serve(data);
        Ok(data.len())
    }
}

#[derive(Default, Clone)]
struct Diary(Arc<StdMutex<Vec<String>>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Listener for Diary {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        self.write(match notice {
            Notice::Message(message) => format!("message on {}", message.topic),
            other => format!("{other:?}"),
        });
    }
}

impl Subscriber for Diary {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        self.write(format!("{topic}: {}", String::from_utf8_lossy(payload)));
        if payload == b"answer me" {
            // A callback may publish, and may wait for the acknowledgement in a nested Yield.
            client.publish("reply", QoS::AtLeastOnce, b"here").unwrap();
            client.yield_for(10);
            self.write("answered".to_owned());
        }
    }

    fn event(&self, _: &Arc<Client>, event: SubscriptionEvent) {
        self.write(format!("subscription {event:?}"));
    }
}

fn client(simulation: &Simulation, diary: &Diary) -> Arc<Client> {
    let identity = Identity::new("PRODUCTIDX", "device").unwrap();
    let setup = Setup {
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
        listener: Some(Box::new(diary.clone())),
        attachment: Box::new(()),
        identity,
    };
    Client::offline(Arc::new(simulation.clone()), setup)
}

fn connected() -> (Simulation, Diary, Arc<Client>) {
    let (simulation, diary) = (Simulation::default(), Diary::default());
    let client = client(&simulation, &diary);
    client.connect().unwrap();
    (simulation, diary, client)
}

#[test]
fn connecting_tells_why_it_failed() {
    let (simulation, diary) = (Simulation::default(), Diary::default());
    simulation.world().unreachable = true;
    assert_eq!(client(&simulation, &diary).connect(), Err(QCLOUD_ERR_SSL_CONNECT));
    simulation.world().unreachable = false;
    simulation.world().refuse = Some(ConnectReturnCode::NotAuthorized);
    assert_eq!(client(&simulation, &diary).connect(), Err(-117));
    simulation.world().refuse = None;
    assert!(client(&simulation, &diary).connect().is_ok());
}

#[test]
fn an_idle_yield_waits_out_its_time_and_no_more() {
    let (simulation, _, client) = connected();
    let begin = simulation.now();
    assert_eq!(client.yield_for(1234), 0);
    assert_eq!(simulation.now() - begin, 1234);
}

#[test]
fn while_a_download_runs_yield_handles_what_is_there_and_returns() {
    let (simulation, diary, client) = connected();
    client.set_download_running(true);
    simulation.world().publish(0, "t", b"x");
    simulation.world().publish(0, "u", b"y");
    let begin = simulation.now();
    assert_eq!(client.yield_for(100), 0);
    assert_eq!(diary.take(), ["message on t", "message on u"]);
    assert_eq!(simulation.now(), begin);
    client.set_download_running(false);
    client.yield_for(100);
    assert_eq!(simulation.now() - begin, 100);
}

#[test]
fn on_a_platform_with_dear_reads_a_download_loses_under_a_tenth_of_its_time() {
    let (simulation, _, client) = connected();
    simulation.world().read_cost = 100;
    client.set_download_running(true);
    let mut yielding = 0;
    for _ in 0..2000 {
        let begin = simulation.now();
        client.yield_for(100);
        yielding += simulation.now() - begin;
        // One block of the download.
        simulation.world().now += 5;
    }
    assert!(yielding > 0, "it must look at all");
    assert!(yielding * 10 < simulation.now(), "{yielding} of {}", simulation.now());
}

#[test]
fn a_callback_may_publish_and_yield_and_the_acknowledgement_comes_after_it() {
    let (simulation, diary, client) = connected();
    client.subscribe("t", QoS::AtLeastOnce, Arc::new(diary.clone())).unwrap();
    client.yield_for(10);
    diary.take();
    simulation.world().received.clear();
    simulation.world().publish(9, "t", b"answer me");
    client.yield_for(10);
    let lines = diary.take();
    assert!(
        matches!(&lines[..], [first, second, third]
        if first == "t: answer me" && second.starts_with("Published(") && third == "answered"),
        "{lines:?}"
    );
    let received = std::mem::take(&mut simulation.world().received);
    assert!(
        matches!(&received[..], [Packet::Publish(reply), Packet::PubAck(ack)]
        if reply.topic == "reply" && ack.pkid == 9),
        "{received:?}"
    );
}

#[test]
fn a_lost_link_comes_back_with_its_subscriptions() {
    let (simulation, diary, client) = connected();
    client.subscribe("t", QoS::AtLeastOnce, Arc::new(diary.clone())).unwrap();
    client.yield_for(10);
    diary.take();
    simulation.world().closed = true;
    simulation.world().unreachable = true;
    assert_eq!(client.yield_for(500), QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT);
    assert_eq!(diary.take(), ["Disconnected"]);
    assert_eq!(client.publish("t", QoS::AtMostOnce, b""), Err(QCLOUD_ERR_MQTT_NO_CONN));
    let begin = simulation.now();
    assert_eq!(client.yield_for(1000), QCLOUD_ERR_MQTT_ATTEMPTING_RECONNECT);
    assert_eq!(simulation.now() - begin, 1000, "it waits, it does not spin");
    simulation.world().unreachable = false;
    assert_eq!(client.yield_for(5000), QCLOUD_RET_MQTT_RECONNECTED);
    let lines = diary.take();
    assert_eq!(lines[0], "Reconnected");
    assert!(client.is_subscribed("t"), "{lines:?}");
}

#[test]
fn a_destroyed_client_answers_every_call() {
    let (simulation, diary, client) = connected();
    client.subscribe("t", QoS::AtLeastOnce, Arc::new(diary.clone())).unwrap();
    client.yield_for(10);
    diary.take();
    client.destroy();
    assert_eq!(diary.take(), ["subscription ClientDestroyed"]);
    assert_eq!(simulation.world().received.last(), Some(&Packet::Disconnect));
    assert_eq!(client.yield_for(10), QCLOUD_RET_MQTT_MANUALLY_DISCONNECTED);
    assert_eq!(client.publish("t", QoS::AtMostOnce, b""), Err(QCLOUD_ERR_MQTT_NO_CONN));
    assert_eq!(client.unsubscribe("t"), Err(QCLOUD_ERR_MQTT_UNSUB_FAIL));
}
