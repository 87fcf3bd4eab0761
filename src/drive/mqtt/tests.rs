//! The pump on a simulated platform: virtual time, a scripted server.

use std::sync::{Mutex as StdMutex, Weak};

use iot_engine::mqtt::{LinkFault, Refusal};
use iot_engine::time::Millis;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet};

use super::*;
use crate::drive::testing::mqtt_server::{setup, Simulation, NO_TLS};
use crate::hal::{Attempt, ConnectError};

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
            let _ = client.yield_for(10);
            self.write("answered".to_owned());
        }
    }

    fn event(&self, _: &Arc<Client>, event: SubscriptionEvent) {
        self.write(format!("subscription {event:?}"));
    }
}

fn client(simulation: &Simulation, diary: &Diary) -> Arc<Client> {
    Client::offline(Arc::new(simulation.clone()), setup(diary.clone(), Box::new(())))
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
    assert_eq!(client(&simulation, &diary).connect(), Err(Error::Unreachable(ConnectError::unexplained(NO_TLS))));
    simulation.world().unreachable = false;
    simulation.world().refuse = Some(ConnectReturnCode::NotAuthorized);
    assert_eq!(client(&simulation, &diary).connect(), Err(Error::Link(LinkFault::Refused(5))));
    simulation.world().refuse = None;
    assert!(client(&simulation, &diary).connect().is_ok());
}

#[test]
fn an_idle_yield_waits_out_its_time_and_no_more() {
    let (simulation, _, client) = connected();
    let begin = simulation.ms();
    assert_eq!(client.yield_for(1234), Ok(Driven::Done));
    assert_eq!(simulation.ms() - begin, 1234);
}

#[test]
fn while_a_download_runs_yield_handles_what_is_there_and_returns() {
    let (simulation, diary, client) = connected();
    client.set_transfer_running(true);
    simulation.world().publish(0, "t", b"x");
    simulation.world().publish(0, "u", b"y");
    let begin = simulation.ms();
    assert_eq!(client.yield_for(100), Ok(Driven::Done));
    assert_eq!(diary.take(), ["message on t", "message on u"]);
    assert_eq!(simulation.ms(), begin);
    client.set_transfer_running(false);
    let _ = client.yield_for(100);
    assert_eq!(simulation.ms() - begin, 100);
}

#[test]
fn on_a_platform_with_dear_reads_a_download_loses_under_a_tenth_of_its_time() {
    let (simulation, _, client) = connected();
    simulation.world().read_cost = 100;
    client.set_transfer_running(true);
    let mut yielding = 0;
    for _ in 0..2000 {
        let begin = simulation.ms();
        let _ = client.yield_for(100);
        yielding += simulation.ms() - begin;
        // One block of the download.
        simulation.world().clock.pass(5);
    }
    assert!(yielding > 0, "it must look at all");
    assert!(yielding * 10 < simulation.ms(), "{yielding} of {}", simulation.ms());
}

#[test]
fn a_callback_may_publish_and_yield_and_the_acknowledgement_comes_after_it() {
    let (simulation, diary, client) = connected();
    client.subscribe("t", QoS::AtLeastOnce, Arc::new(diary.clone())).unwrap();
    let _ = client.yield_for(10);
    diary.take();
    simulation.world().received.clear();
    simulation.world().publish(9, "t", b"answer me");
    let _ = client.yield_for(10);
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
    let _ = client.yield_for(10);
    diary.take();
    simulation.world().closed = true;
    simulation.world().unreachable = true;
    assert_eq!(client.yield_for(500), Err(Error::Reconnecting));
    assert_eq!(diary.take(), ["Disconnected"]);
    assert_eq!(client.publish("t", QoS::AtMostOnce, b""), Err(Error::Request(Refusal::NotConnected)));
    let begin = simulation.ms();
    assert_eq!(client.yield_for(1000), Err(Error::Reconnecting));
    assert_eq!(simulation.ms() - begin, 1000, "it waits, it does not spin");
    simulation.world().unreachable = false;
    assert_eq!(client.yield_for(5000), Ok(Driven::Reconnected));
    let lines = diary.take();
    assert_eq!(lines[0], "Reconnected");
    assert!(client.is_subscribed("t"), "{lines:?}");
}

#[test]
fn a_destroyed_client_answers_every_call() {
    let (simulation, diary, client) = connected();
    client.subscribe("t", QoS::AtLeastOnce, Arc::new(diary.clone())).unwrap();
    let _ = client.yield_for(10);
    diary.take();
    client.destroy();
    assert_eq!(diary.take(), ["subscription ClientDestroyed"]);
    assert_eq!(simulation.world().received.last(), Some(&Packet::Disconnect));
    assert_eq!(client.yield_for(10), Ok(Driven::Closed));
    assert_eq!(client.publish("t", QoS::AtMostOnce, b""), Err(Error::Request(Refusal::NotConnected)));
    assert_eq!(client.unsubscribe("t"), Err(Error::Request(Refusal::UnknownTopic)));
}

const REPORT: &str = "$ota/report/PRODUCTIDX/device";

/// The payloads and duplicate flags of what was published on the report topic.
fn reports(simulation: &Simulation) -> Vec<(String, bool)> {
    let world = simulation.world();
    let publishes = world.received.iter().filter_map(|packet| match packet {
        Packet::Publish(publish) if publish.topic == REPORT => {
            Some((String::from_utf8(publish.payload.to_vec()).unwrap(), publish.dup))
        }
        _ => None,
    });
    publishes.collect()
}

#[test]
fn a_result_reported_while_the_server_is_away_reaches_it() {
    let (simulation, diary, client) = connected();
    simulation.world().mute = true;
    client.publish_kept(REPORT, b"burning").unwrap();
    simulation.world().closed = true;
    simulation.world().unreachable = true;
    assert_eq!(client.yield_for(1000), Err(Error::Reconnecting));
    let id = client.publish_kept(REPORT, b"done").unwrap();
    assert_eq!(client.publish(REPORT, QoS::AtLeastOnce, b"other"), Err(Error::Request(Refusal::NotConnected)));
    simulation.world().received.clear();
    diary.take();
    simulation.world().mute = false;
    simulation.world().unreachable = false;
    assert_eq!(client.yield_for(20_000), Ok(Driven::Reconnected));
    assert_eq!(reports(&simulation), [("burning".to_owned(), true), ("done".to_owned(), false)]);
    assert!(diary.take().contains(&format!("Published({id})")));
}

#[test]
fn whatever_is_stalled_a_yield_returns_in_time() {
    for downloading in [false, true] {
        let (simulation, _diary, client) = connected();
        client.set_transfer_running(downloading);
        let limit = if downloading { 10 } else { 200 };
        simulation.world().connect_ms = u64::MAX;
        simulation.world().closed = true;
        let mut waited = 0;
        while waited < 150_000 {
            let before = simulation.ms();
            let _ = client.yield_for(200);
            waited += simulation.ms() - before;
            assert!(simulation.ms() - before <= limit, "connect, {downloading}: {}", simulation.ms() - before);
            if downloading {
                simulation.world().clock.pass(100);
                waited += 100;
            }
        }
        // The attempt that never ended was given up for others.
        simulation.world().connect_ms = 3000;
        let mut back = false;
        for _ in 0..10_000 {
            back |= client.yield_for(200) == Ok(Driven::Reconnected);
            simulation.world().clock.pass(10);
        }
        assert!(back, "{downloading}");

        simulation.world().room = Some(0);
        client.publish_kept(REPORT, b"done").unwrap();
        for _ in 0..10 {
            let before = simulation.ms();
            let _ = client.publish_without_waiting(REPORT, b"50 %");
            assert!(simulation.ms() - before <= 10, "publish, {downloading}");
            let before = simulation.ms();
            assert_eq!(client.yield_for(200), Ok(Driven::Done), "the link is not given up yet");
            assert!(simulation.ms() - before <= limit + 10, "write, {downloading}: {}", simulation.ms() - before);
        }
    }
}

#[test]
fn what_a_server_did_not_take_at_once_goes_out_later_in_order_and_whole() {
    let (simulation, _diary, client) = connected();
    simulation.world().received.clear();
    simulation.world().room = Some(25);
    for percent in 0..3 {
        client.publish_without_waiting(REPORT, format!("{percent} %").as_bytes()).unwrap();
    }
    let _ = client.yield_for(20);
    assert!(reports(&simulation).is_empty());
    simulation.world().room = None;
    let _ = client.yield_for(20);
    let texts: Vec<String> = reports(&simulation).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["0 %", "1 %", "2 %"]);
}

#[test]
fn a_server_that_takes_nothing_for_the_command_time_out_is_given_up_and_misses_no_result() {
    let (simulation, _diary, client) = connected();
    simulation.world().received.clear();
    // Enough for half a packet: its rest must not be sent over the next connection.
    simulation.world().room = Some(20);
    client.publish_kept(REPORT, b"done").unwrap();
    let began = simulation.ms();
    while client.is_connected() {
        let _ = client.yield_for(100);
    }
    let waited = simulation.ms() - began;
    assert!((5000..=5300).contains(&waited), "{waited}");
    simulation.world().room = None;
    assert_eq!(client.yield_for(20_000), Ok(Driven::Reconnected));
    assert_eq!(reports(&simulation), [("done".to_owned(), true)]);
}

#[test]
fn a_connection_that_comes_after_destroy_is_closed_unused() {
    let (simulation, _diary, client) = connected();
    simulation.world().connect_ms = 500;
    simulation.world().closed = true;
    let _ = client.yield_for(1300);
    simulation.world().received.clear();
    client.destroy();
    assert_eq!(client.yield_for(5000), Ok(Driven::Closed));
    assert!(simulation.world().received.is_empty());
}

#[test]
fn a_platform_that_does_not_wait_makes_nobody_spin() {
    let (simulation, _diary, client) = connected();
    simulation.world().impatient = true;
    let before = simulation.world().in_vain;
    assert_eq!(client.yield_for(1000), Ok(Driven::Done));
    let reads = simulation.world().in_vain - before;
    assert!(reads <= 1100, "{reads} reads in a second");

    simulation.world().room = Some(0);
    assert!(client.publish("t", QoS::AtMostOnce, b"x").is_err());
    let writes = simulation.world().in_vain - before - reads;
    assert!(writes <= 5100, "{writes} writes in 5 seconds");
}

#[test]
fn a_request_that_failed_is_not_heard_of_later() {
    let (simulation, diary, client) = connected();
    // The server hangs up before the client has noticed.
    simulation.world().closed = true;
    assert!(client.subscribe("t", QoS::AtLeastOnce, Arc::new(diary.clone())).is_err());
    assert_eq!(client.yield_for(20_000), Ok(Driven::Reconnected));
    assert!(!client.is_subscribed("t"));
    simulation.world().closed = true;
    assert!(client.publish("t", QoS::AtLeastOnce, b"x").is_err());
    assert_eq!(client.yield_for(20_000), Ok(Driven::Reconnected));
    assert_eq!(diary.take(), ["Disconnected", "Reconnected", "Disconnected", "Reconnected"]);
}

#[test]
fn a_yield_returns_in_time_while_another_thread_waits_to_write() {
    let (simulation, _diary, client) = connected();
    // As a publish holds it while the server takes nothing.
    let writing = client.outgoing.lock();
    let (tell, told) = std::sync::mpsc::channel();
    let yielding = std::thread::spawn({
        let client = client.clone();
        move || tell.send(client.yield_for(200)).unwrap()
    });
    // The limit is reached only where the yield hangs.
    assert_eq!(told.recv_timeout(std::time::Duration::from_secs(100)), Ok(Ok(Driven::Done)));
    assert_eq!(simulation.ms(), 200);
    drop(writing);
    yielding.join().unwrap();
}

#[test]
fn a_server_that_reads_slower_than_it_asks_does_not_fill_the_memory() {
    let (simulation, _diary, client) = connected();
    client.set_transfer_running(true);
    while client.is_connected() {
        for _ in 0..10 {
            simulation.world().publish(7, "t", b"");
        }
        simulation.world().room = Some(1);
        simulation.world().in_vain = 0;
        let _ = client.yield_for(100);
    }
    // Not because of pings, which this server leaves without an answer.
    assert_eq!(*client.last_fault.lock(), Some(Error::Link(LinkFault::Unread)));
}

/// A service that keeps its requests to itself, or does not.
struct Service {
    diary: Diary,
    tells_program: bool,
}

impl Subscriber for Service {
    fn message(&self, _: &Arc<Client>, topic: &str, _: &[u8]) {
        self.diary.write(format!("service: {topic}"));
    }

    fn event(&self, _: &Arc<Client>, event: SubscriptionEvent) {
        self.diary.write(format!("service {event:?}"));
    }

    fn link_restored(&self, _: &Arc<Client>, session_present: bool) {
        self.diary.write(format!("service restored {session_present}"));
    }

    fn tells_program(&self) -> bool {
        self.tells_program
    }
}

#[test]
fn the_program_hears_of_a_services_requests_first_or_not_at_all() {
    for tells_program in [true, false] {
        let (_simulation, diary, client) = connected();
        let service = |filter: &str| {
            let service = Arc::new(Service { diary: diary.clone(), tells_program });
            client.subscribe_for_service(filter, QoS::AtLeastOnce, service).unwrap()
        };
        let subscription = service("s");
        assert!(!client.is_ready(subscription));
        let _ = client.yield_for(10);
        assert!(client.is_ready(subscription));
        service("refused");
        let _ = client.yield_for(10);
        client.unsubscribe_for_service(subscription, tells_program);
        let _ = client.yield_for(10);
        let lines = diary.take();
        let told: Vec<&str> = lines.iter().map(|line| line.split('(').next().unwrap()).collect();
        let services = ["service Granted", "service Refused"];
        let all = ["Subscribed", "service Granted", "SubscribeRefused", "service Refused", "Unsubscribed"];
        assert_eq!(told, if tells_program { &all[..] } else { &services[..] });
    }
}

#[test]
fn a_service_is_told_when_the_link_is_restored() {
    let (simulation, diary, client) = connected();
    let service = Arc::new(Service { diary: diary.clone(), tells_program: false });
    client.subscribe_for_service("s", QoS::AtLeastOnce, service).unwrap();
    let _ = client.yield_for(10);
    diary.take();
    simulation.world().closed = true;
    assert_eq!(client.yield_for(5000), Ok(Driven::Reconnected));
    simulation.world().publish(0, "s", b"x");
    let _ = client.yield_for(10);
    let lines = ["Disconnected", "Reconnected", "service restored false", "service Granted", "service: s"];
    assert_eq!(diary.take(), lines);
    client.destroy();
    assert_eq!(diary.take(), ["service ClientDestroyed"]);
}

#[test]
fn a_server_that_closes_after_each_connack_is_asked_with_growing_waits() {
    let (simulation, diary, client) = connected();
    simulation.world().received.clear();
    let begin = simulation.ms();
    let mut attempts = 0;
    while simulation.ms() - begin < 40_000 {
        simulation.world().closed = client.is_connected();
        let _ = client.yield_for(50);
    }
    attempts += simulation.world().received.iter().filter(|packet| matches!(packet, Packet::Connect(_))).count();
    // Waits of 1, 2, 4, 8 and 16 s.
    assert_eq!(attempts, 5, "{:?}", diary.take());
}

#[cfg(feature = "multithread")]
#[test]
fn with_the_loop_thread_only_the_thread_that_fetches_is_not_held() {
    let (simulation, _diary, client) = connected();
    // As if the loop thread were running: pumping is its business.
    client.set_loop_status(true);
    let elapsed = |ms: u32| {
        let before = simulation.ms();
        assert_eq!(client.yield_for(ms), Ok(Driven::Done));
        simulation.ms() - before
    };
    assert_eq!(elapsed(300), 300);
    client.set_transfer_running(true);
    assert_eq!(elapsed(300), 300, "another thread fetches");
    client.note_fetch();
    assert_eq!(elapsed(300), 0);
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| elapsed(300)).join().unwrap());
    assert_eq!(elsewhere, 300);
    client.set_transfer_running(false);
    assert_eq!(elapsed(300), 300, "the download is over");
    client.set_loop_status(false);
}

#[test]
fn a_qos_2_message_takes_the_whole_exchange_and_reaches_its_subscriber_once() {
    use rumqttc::mqttbytes::v4::{PubComp, PubRec, PubRel, Publish};
    let (simulation, diary, client) = connected();
    client.subscribe("t", QoS::AtLeastOnce, Arc::new(diary.clone())).unwrap();
    client.yield_for(10).unwrap();
    diary.take();
    simulation.world().received.clear();
    let mut publish = Publish::new("t", rumqttc::QoS::ExactlyOnce, "hello");
    publish.pkid = 77;
    simulation.world().send(&Packet::Publish(publish.clone()));
    client.yield_for(10).unwrap();
    publish.dup = true;
    simulation.world().send(&Packet::Publish(publish));
    simulation.world().send(&Packet::PubRel(PubRel::new(77)));
    client.yield_for(10).unwrap();
    assert_eq!(diary.take(), ["t: hello"]);
    let rec = Packet::PubRec(PubRec::new(77));
    assert_eq!(simulation.world().received, [rec.clone(), rec, Packet::PubComp(PubComp::new(77))]);
    assert!(client.is_connected());
}

#[test]
fn a_message_that_nobody_takes_keeps_the_link() {
    let simulation = Simulation::default();
    let mut setup = setup(Diary::default(), Box::new(()));
    setup.listener = None;
    let client = Client::offline(Arc::new(simulation.clone()), setup);
    client.connect().unwrap();
    simulation.world().publish(9, "t", b"x");
    client.yield_for(10).unwrap();
    let acknowledged = matches!(simulation.world().received.last(), Some(Packet::PubAck(ack)) if ack.pkid == 9);
    assert!(acknowledged && client.is_connected());
}

/// A machine whose log handler drives the client while it connects again.
struct Nosy {
    simulation: Simulation,
    client: StdMutex<Weak<Client>>,
}

impl Platform for Nosy {
    fn now(&self) -> Millis {
        self.simulation.now()
    }

    fn sleep(&self, ms: u32) {
        self.simulation.sleep(ms);
    }

    fn connect(&self, endpoint: &Endpoint) -> Result<Arc<dyn Transport>, ConnectError> {
        self.simulation.connect(endpoint)
    }

    fn begin_connect(&self, endpoint: &Endpoint) -> Box<dyn Attempt> {
        // Once: each call would begin an attempt of its own.
        let client = std::mem::take(&mut *self.client.lock().unwrap()).upgrade();
        let attempt = self.simulation.begin_connect(endpoint);
        if let Some(client) = client {
            let _ = client.yield_for(100);
        }
        attempt
    }

    fn random(&self) -> u64 {
        0
    }
}

#[test]
fn a_log_handler_may_drive_the_client_that_is_connecting_again() {
    let diary = Diary::default();
    let machine = Arc::new(Nosy { simulation: Simulation::default(), client: StdMutex::default() });
    let client = Client::offline(machine.clone(), setup(diary.clone(), Box::new(())));
    client.connect().unwrap();
    *machine.client.lock().unwrap() = Arc::downgrade(&client);
    machine.simulation.world().closed = true;
    machine.simulation.world().received.clear();
    let _ = client.yield_for(10_000);
    assert!(client.is_connected());
    assert_eq!(diary.take(), ["Disconnected", "Reconnected"]);
    let connects = machine.simulation.world().received.iter().filter(|sent| matches!(sent, Packet::Connect(_))).count();
    assert_eq!(connects, 1, "of two connections one is closed unused");
}
