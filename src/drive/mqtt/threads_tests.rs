//! One client, used by many threads at once while its connection comes and goes. ThreadSanitizer watches these
//! (`./test.sh sanitize`); without it they show that nothing hangs, leaks or is refused that should work.
//!
//! The server is at the other end of a socket pair: a simulation behind a lock would put the threads in an order that they
//! do not have on a device. So is whoever waits for news: ThreadSanitizer can't see into the standard library's channels.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::Mutex as StdMutex;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use iot_abi::error::{QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_ERR_TCP_READ_FAIL, QCLOUD_ERR_TCP_WRITE_FAIL};
use iot_engine::time::Millis;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};

use super::*;
use crate::hal::{Security, TransportError};

/// Milliseconds of the client for each of the machine: its back-off is measured in seconds.
const HASTE: u64 = 20;
/// Packets the server takes on one connection before it hangs up.
const PACKETS: usize = 60;
/// Times the connection is to come back before the client is destroyed.
const RECONNECTS: usize = 4;
/// Calls each thread makes after that.
const LAST_CALLS: usize = 20;
/// Reached only when something hangs.
const LIMIT: Duration = Duration::from_secs(100);

/// A machine whose clock is fast and whose network is a socket pair for each connection.
struct Machine {
    start: Instant,
    servers: StdMutex<Vec<JoinHandle<()>>>,
}

impl Machine {
    fn new() -> Self {
        Machine { start: Instant::now(), servers: StdMutex::default() }
    }

    fn join_servers(&self) {
        let servers = std::mem::take(&mut *self.servers.lock().unwrap());
        for server in servers {
            server.join().unwrap();
        }
    }
}

/// At least 1 ms: a socket takes no 0 for a time limit.
fn hasten(ms: u32) -> Duration {
    Duration::from_micros((u64::from(ms) * 1000 / HASTE).max(1000))
}

impl Platform for Machine {
    fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap() * HASTE)
    }

    fn sleep(&self, ms: u32) {
        thread::sleep(hasten(ms));
    }

    fn connect(&self, _: &Endpoint) -> Result<Arc<dyn Transport>, TransportError> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.servers.lock().unwrap().push(thread::spawn(move || serve(theirs)));
        Ok(Arc::new(Socket(ours)))
    }
}

struct Socket(UnixStream);

impl Transport for Socket {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        self.0.set_read_timeout(Some(hasten(timeout_ms))).unwrap();
        match (&self.0).read(buf) {
            Ok(0) => Err(TransportError::Closed(QCLOUD_ERR_TCP_PEER_SHUTDOWN)),
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(_) => Err(TransportError::Failed(QCLOUD_ERR_TCP_READ_FAIL)),
        }
    }

    fn write(&self, data: &[u8], _: u32) -> Result<usize, TransportError> {
        (&self.0).write(data).map_err(|_| TransportError::Failed(QCLOUD_ERR_TCP_WRITE_FAIL))
    }
}

/// A server that grants everything, sends each message on `echo` back, and hangs up after some packets.
fn serve(mut stream: UnixStream) {
    let (mut bytes, mut packets, mut chunk) = (BytesMut::new(), 0, [0; 1024]);
    while packets < PACKETS {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
            _ => return,
        }
        let mut answers = BytesMut::new();
        while let Ok(packet) = Packet::read(&mut bytes, usize::MAX) {
            packets += 1;
            for answer in answers_to(&packet) {
                answer.write(&mut answers, usize::MAX).unwrap();
            }
        }
        if stream.write_all(&answers).is_err() {
            return;
        }
    }
}

fn answers_to(packet: &Packet) -> Vec<Packet> {
    match packet {
        Packet::Connect(_) => vec![Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))],
        Packet::Subscribe(subscribe) => {
            let granted = SubscribeReasonCode::Success(rumqttc::QoS::AtLeastOnce);
            vec![Packet::SubAck(SubAck::new(subscribe.pkid, vec![granted]))]
        }
        Packet::Unsubscribe(unsubscribe) => vec![Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))],
        Packet::Publish(publish) => {
            let mut answers = Vec::new();
            if publish.topic == "echo" {
                answers.push(Packet::Publish(Publish::new("echo", rumqttc::QoS::AtMostOnce, publish.payload.clone())));
            }
            if publish.pkid != 0 {
                answers.push(Packet::PubAck(PubAck::new(publish.pkid)));
            }
            answers
        }
        _ => Vec::new(),
    }
}

/// What happened, as a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
enum News {
    Lost,
    Back,
    Subscribed,
    Unsubscribed,
    Published,
    Echo,
    Destroyed,
    ThreadEnded,
}

impl News {
    const ALL: [News; 8] = [
        News::Lost,
        News::Back,
        News::Subscribed,
        News::Unsubscribed,
        News::Published,
        News::Echo,
        News::Destroyed,
        News::ThreadEnded,
    ];
}

/// Tells of each thing that happens.
#[derive(Clone)]
struct Teller(Arc<UnixStream>);

impl Teller {
    fn tell(&self, news: News) {
        assert_eq!((&*self.0).write(&[news as u8]).unwrap(), 1);
    }
}

impl Listener for Teller {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        match notice {
            Notice::Disconnected => self.tell(News::Lost),
            Notice::Reconnected => self.tell(News::Back),
            Notice::Subscribed(_) => self.tell(News::Subscribed),
            Notice::Unsubscribed(_) => self.tell(News::Unsubscribed),
            Notice::Published(_) => self.tell(News::Published),
            _ => {}
        }
    }
}

impl Subscriber for Teller {
    fn message(&self, client: &Arc<Client>, _: &str, payload: &[u8]) {
        self.tell(News::Echo);
        if payload == b"answer" {
            // Refused while the connection is down, or too much is on its way.
            let _ = client.publish("reply", QoS::AtLeastOnce, b"here");
        }
    }

    fn event(&self, _: &Arc<Client>, event: SubscriptionEvent) {
        if event == SubscriptionEvent::ClientDestroyed {
            self.tell(News::Destroyed);
        }
    }
}

fn client(machine: &Arc<Machine>, teller: &Teller) -> Arc<Client> {
    let identity = Identity::new("PRODUCTIDX", "device").unwrap();
    let endpoint =
        Endpoint { host: "localhost".to_owned(), port: 1, security: Security::None, handshake_timeout_ms: 5000 };
    let config = Config {
        client_id: identity.client_id(),
        keep_alive_s: 240,
        clean_session: true,
        command_timeout_ms: 20_000,
        auto_connect: true,
    };
    let setup = Setup {
        endpoint,
        proof: Proof::Password(vec![1; 16]),
        config,
        listener: Some(Box::new(teller.clone())),
        attachment: Box::new(()),
        identity,
    };
    Client::offline(machine.clone(), setup)
}

/// One call, or a few that belong together; the number says how many came before.
type Task = fn(&Arc<Client>, &Teller, usize);

const TASKS: [Task; 7] = [publish, publish, subscribe, hold, drive, drive, run_loop];

fn publish(client: &Arc<Client>, _: &Teller, number: usize) {
    let payload: &[u8] = if number % 5 == 0 { b"answer" } else { b"x" };
    // What is refused is refused for a reason that other tests are about: here it must only not go wrong.
    let _ = match number % 4 {
        0 => client.publish("echo", QoS::AtMostOnce, payload),
        1 => client.publish_kept("kept", payload),
        2 => client.publish_in_passing("echo", payload),
        _ => client.publish("echo", QoS::AtLeastOnce, payload),
    };
    client.yield_for(40);
}

fn subscribe(client: &Arc<Client>, teller: &Teller, number: usize) {
    let filter = ["a/#", "b/+", "c"][number % 3];
    let _ = client.subscribe(filter, QoS::AtLeastOnce, Arc::new(teller.clone()));
    client.yield_for(40);
    let _ = client.is_subscribed(filter);
    let _ = client.unsubscribe(filter);
}

/// The subscription that stays.
fn hold(client: &Arc<Client>, teller: &Teller, _: usize) {
    if !client.is_subscribed("echo") {
        let _ = client.subscribe("echo", QoS::AtMostOnce, Arc::new(teller.clone()));
    }
    client.yield_for(400);
}

fn drive(client: &Arc<Client>, _: &Teller, number: usize) {
    client.set_download_running(true);
    client.yield_for(20);
    client.set_download_running(false);
    client.yield_for(60);
    let _ = (client.is_connected(), client.loop_status(), number);
}

fn run_loop(client: &Arc<Client>, _: &Teller, number: usize) {
    client.start_loop().unwrap();
    client.yield_for(200);
    if number % 2 == 0 {
        client.set_loop_status(false);
    }
    client.stop_loop();
    client.yield_for(100);
}

/// Takes the news.
struct Told(UnixStream);

impl Told {
    /// Waits until each has been told so many times.
    fn wait_for(&mut self, wanted: &[(News, usize)]) {
        let mut missing: HashMap<_, _> = wanted.iter().copied().collect();
        while !missing.is_empty() {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap_or_else(|error| panic!("{missing:?} does not happen: {error}"));
            let news = News::ALL[usize::from(byte[0])];
            if let Some(count) = missing.get_mut(&news) {
                *count -= 1;
                if *count == 0 {
                    missing.remove(&news);
                }
            }
        }
    }
}

fn news() -> (Teller, Told) {
    let (teller, told) = UnixStream::pair().unwrap();
    told.set_read_timeout(Some(LIMIT)).unwrap();
    (Teller(Arc::new(teller)), Told(told))
}

#[test]
fn many_threads_use_one_client_until_it_is_destroyed_under_them() {
    let (teller, mut told) = news();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &teller);
    client.connect().unwrap();

    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = TASKS
        .iter()
        .map(|task| {
            let (client, teller, over) = (client.clone(), teller.clone(), over.clone());
            thread::spawn(move || {
                let mut number = 0;
                while !over.load(Ordering::Relaxed) {
                    task(&client, &teller, number);
                    number += 1;
                }
                for more in 0..LAST_CALLS {
                    task(&client, &teller, number + more);
                }
                teller.tell(News::ThreadEnded);
            })
        })
        .collect();

    told.wait_for(&[
        (News::Back, RECONNECTS),
        (News::Lost, RECONNECTS),
        (News::Subscribed, 5),
        (News::Unsubscribed, 5),
    ]);
    told.wait_for(&[(News::Published, 5), (News::Echo, 5)]);
    client.destroy();
    told.wait_for(&[(News::Destroyed, 1)]);
    over.store(true, Ordering::Relaxed);
    told.wait_for(&[(News::ThreadEnded, TASKS.len())]);
    for thread in threads {
        thread.join().unwrap();
    }
    client.stop_loop();
    assert!(!client.is_connected());
    assert_eq!(client.publish("echo", QoS::AtMostOnce, b"x"), Err(QCLOUD_ERR_MQTT_NO_CONN));
    assert_eq!(Arc::strong_count(&client), 1, "somebody still holds the client");
    drop(client);
    machine.join_servers();
}

/// What a program does that reconnects by making a client anew each time.
#[test]
fn clients_come_and_go_with_their_loop_threads() {
    let (teller, mut told) = news();
    let machine = Arc::new(Machine::new());
    for _ in 0..10 {
        let client = client(&machine, &teller);
        client.connect().unwrap();
        client.start_loop().unwrap();
        client.publish("kept", QoS::AtLeastOnce, b"x").unwrap();
        told.wait_for(&[(News::Published, 1)]);
        client.destroy();
        assert!(!client.loop_status().0);
        assert_eq!(Arc::strong_count(&client), 1, "the loop thread still holds the client");
    }
    machine.join_servers();
}
