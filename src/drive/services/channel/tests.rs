use std::sync::Mutex;

use iot_engine::services::exchange::Exchange;

use super::*;
use crate::drive::testing::web_server::Answer;
use crate::drive::testing::{Grant, Machine};

const TERMS: Terms = Terms { qos: QoS::AtLeastOnce, limit_ms: 2_000, asks: 2 };

/// A service that writes down what it hears.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Service for Diary {
    fn message(&self, _: &Arc<Client>, topic: &str, payload: &[u8]) {
        self.write(format!("{topic}: {}", String::from_utf8_lossy(payload)));
    }

    fn granted(&self) {
        self.write("granted".to_owned());
    }

    fn link_restored(&self, _: &Arc<Client>, session_present: bool) {
        self.write(format!("restored {session_present}"));
    }
}

fn machine() -> Arc<Machine> {
    Machine::new(|_, _| Answer::new(""))
}

/// What opening a channel ends in where the server does this with its SUBSCRIBEs, and how long it took.
fn open(grants: &[Grant], terms: Terms) -> (Result<(), Ended>, u64) {
    let machine = machine();
    let client = machine.client();
    machine.mqtt.world().grants(grants);
    let began = machine.ms();
    let opened = Channel::open(&client, "t", Arc::new(Diary::default()), terms).map(drop);
    (opened, machine.ms() - began)
}

#[test]
fn it_ends_in_exactly_one_of_its_outcomes() {
    use Grant::{Granted, Refused, Silent};
    let once = Terms { asks: 1, ..TERMS };
    for (grants, terms, outcome, limit) in [
        (&[Granted][..], TERMS, Ok(()), 0..30),
        (&[Refused, Granted], TERMS, Ok(()), 0..60),
        (&[Refused, Refused], TERMS, Err(Ended::Refused), 0..60),
        (&[Refused, Granted], once, Err(Ended::Refused), 0..30),
        (&[Silent], TERMS, Err(Ended::TimedOut), 2_000..2_030),
        (&[Refused, Silent], TERMS, Err(Ended::TimedOut), 2_000..2_060),
    ] {
        let (ended, waited) = open(grants, terms);
        assert_eq!(ended, outcome, "{grants:?}");
        assert!(limit.contains(&waited), "{grants:?}: {waited}");
    }
}

#[test]
fn without_a_link_nothing_is_waited_for() {
    let machine = machine();
    let client = machine.client();
    client.destroy();
    let opened = Channel::open(&client, "t", Arc::new(Diary::default()), TERMS);
    assert!(matches!(opened, Err(Ended::NoLink(_))));
}

/// A service that destroys the client when a message comes.
struct Destroyer;

impl Service for Destroyer {
    fn message(&self, client: &Arc<Client>, _: &str, _: &[u8]) {
        client.destroy();
    }
}

#[test]
fn a_client_that_is_destroyed_meanwhile_ends_the_wait() {
    let machine = machine();
    let client = machine.client();
    let destroyer = Channel::open(&client, "end", Arc::new(Destroyer), TERMS).unwrap();
    machine.mqtt.world().grants(&[Grant::Silent]);
    machine.mqtt.world().publish(0, "end", b"");
    let began = machine.ms();
    let opened = Channel::open(&client, "t", Arc::new(Diary::default()), TERMS).map(drop);
    assert_eq!(opened, Err(Ended::Destroyed));
    assert!(machine.ms() - began <= 30);
    drop(destroyer);
}

#[test]
fn each_end_is_told_in_its_own_words() {
    for (ended, text, error) in [
        (Ended::Refused, "the server refused it", Error::NoAnswer),
        (Ended::TimedOut, "no answer in time", Error::NoAnswer),
        (Ended::NoLink(Error::NotConnected), "not connected", Error::NotConnected),
        (Ended::Destroyed, "the MQTT client was destroyed", Error::NotConnected),
    ] {
        assert_eq!((ended.to_string().as_str(), Error::from(ended)), (text, error));
    }
}

#[test]
fn it_hears_messages_and_the_link_until_it_is_closed() {
    let machine = machine();
    let client = machine.client();
    let diary = Arc::new(Diary::default());
    let channel = Channel::open(&client, "t", diary.clone(), TERMS).unwrap();
    machine.send(&client, "t", b"1");
    assert_eq!(diary.take(), ["granted", "t: 1"]);
    machine.mqtt.world().closed = true;
    let _ = client.yield_for(5_000);
    assert_eq!(diary.take(), ["restored false", "granted"]);
    channel.close();
    channel.close();
    machine.send(&client, "t", b"2");
    assert_eq!(diary.take(), [""; 0]);
    drop(channel);
    assert_eq!(Arc::strong_count(&diary), 1, "the client still holds it");
}

/// A service whose requests outlive the calls that make them: it waits for an answer until a deadline.
struct Waiting(Diary, Mutex<Exchange<String, ()>>);

impl Waiting {
    fn ask(&self, client: &Arc<Client>, key: &str, timeout_ms: u64) {
        let mut exchange = self.1.lock().unwrap();
        exchange.begin(client.platform().now(), key.to_owned(), timeout_ms, ()).unwrap();
        client.wake_at(exchange.deadline().unwrap());
    }
}

impl Service for Waiting {
    fn message(&self, client: &Arc<Client>, _: &str, payload: &[u8]) {
        let key = std::str::from_utf8(payload).unwrap();
        let settled = self.1.lock().unwrap().settle(key);
        self.0.write(format!("{key} {settled:?} {}", client.platform().now().0));
    }

    fn expire(&self, client: &Arc<Client>, now: Millis) {
        let mut exchange = self.1.lock().unwrap();
        while let Some((key, ())) = exchange.tick(now) {
            self.0.write(format!("{key} late {}", now.0));
        }
        if let Some(deadline) = exchange.deadline() {
            client.wake_at(deadline);
        }
    }
}

#[test]
fn requests_end_at_their_deadlines_while_the_client_is_driven() {
    let machine = machine();
    let client = machine.client();
    let waiting = Arc::new(Waiting(Diary::default(), Mutex::new(Exchange::with_room(9))));
    let channel = Channel::open(&client, "t", waiting.clone(), TERMS).unwrap();
    let began = machine.ms();
    waiting.ask(&client, "a", 700);
    waiting.ask(&client, "b", 300);
    waiting.ask(&client, "c", 5_000);
    let _ = client.yield_for(1_000);
    assert_eq!(waiting.0.take(), [format!("b late {}", began + 300), format!("a late {}", began + 700)]);
    assert_eq!(machine.ms() - began, 1_000);
    // An answer that has arrived in time counts, however late the program drives the client.
    machine.mqtt.world().publish(0, "t", b"c");
    machine.mqtt.world().clock.pass(9_000);
    let _ = client.yield_for(10);
    assert_eq!(waiting.0.take(), [format!("c Answered(()) {}", began + 10_000)]);
    // Without a link, and beside a download, too.
    waiting.ask(&client, "d", 100);
    machine.mqtt.world().unreachable = true;
    machine.mqtt.world().closed = true;
    let _ = client.yield_for(200);
    assert_eq!(waiting.0.take(), [format!("d late {}", began + 10_110)]);
    machine.mqtt.world().unreachable = false;
    let _ = client.yield_for(9_000);
    assert!(client.is_connected());
    client.set_transfer_running(true);
    waiting.ask(&client, "e", 0);
    let _ = client.yield_for(1);
    assert_eq!(waiting.0.take().len(), 1);
    client.set_transfer_running(false);
    waiting.ask(&client, "f", 0);
    channel.close();
    let _ = client.yield_for(10);
    assert_eq!(waiting.0.take(), [""; 0]);
}

#[test]
fn the_loop_ends_where_something_is_found_or_the_time_is_over() {
    let machine = machine();
    let client = machine.client();
    let began = machine.ms();
    let deadline = client.platform().now() + 50;
    let after = |ms| (machine.ms() - began >= ms).then_some(ms);
    assert_eq!(drive_until(&client, deadline, || after(0)), Ok(0));
    assert_eq!(machine.ms(), began);
    assert_eq!(drive_until(&client, deadline, || after(30)), Ok(30));
    assert_eq!(drive_until(&client, deadline, || after(51)), Err(Ended::TimedOut));
    assert_eq!(machine.ms() - began, 50);
    // While a download runs, driving returns at once.
    client.set_transfer_running(true);
    assert_eq!(drive_until(&client, deadline + 50, || after(90)), Ok(90));
    client.set_transfer_running(false);
    client.destroy();
    assert_eq!(drive_until(&client, deadline + 9_000, || after(9_000)), Err(Ended::NoLink(Error::NotConnected)));
}
