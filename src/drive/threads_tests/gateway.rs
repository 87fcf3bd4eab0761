//! A gateway whose devices many threads put online and offline, with and without the loop thread (gateway.md section 8).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;

use iot_engine::identity::Identity;
use iot_engine::services::gateway::Operation;

use super::{client, events, Event, Machine, Reporter, Reports};
use crate::drive::mqtt::{Client, QoS, Subscriber, SubscriptionEvent};
use crate::drive::services::gateway::{Gateway, Unanswered};

struct Site {
    machine: Arc<Machine>,
    client: Arc<Client>,
    gateway: Arc<Gateway>,
    reporter: Reporter,
    reports: Reports,
}

impl Site {
    fn new(is_looping: bool) -> Site {
        let (reporter, reports) = events();
        let machine = Arc::new(Machine::new());
        let client = client(&machine, &reporter);
        client.connect().unwrap();
        if is_looping {
            client.start_loop().unwrap();
        }
        let gateway = Arc::new(Gateway::new(client.clone()).unwrap());
        Site { machine, client, gateway, reporter, reports }
    }

    fn end(self) {
        self.gateway.close();
        self.client.destroy();
        drop(self.gateway);
        assert_eq!(Arc::strong_count(&self.client), 1, "somebody still holds the client");
        drop(self.client);
        self.machine.join_servers();
    }
}

/// What the cloud says in the end. The server hangs up again and again: a request that finds no link, or whose answer was lost with
/// it, is made again.
fn ask(gateway: &Gateway, operation: Operation, name: &str) -> Result<i32, Unanswered> {
    let device = Identity::new("SP", name).unwrap();
    loop {
        match gateway.ask(gateway.client().identity(), operation, &device, None) {
            Err(Unanswered::NotSent(_) | Unanswered::NoAnswer(_)) => {
                let _ = gateway.client().yield_for(100);
            }
            result => return result,
        }
    }
}

fn list(gateway: &Gateway) -> Vec<String> {
    loop {
        match gateway.bound(gateway.client().identity()) {
            Ok(bound) => return bound.into_iter().map(|bound| bound.device_name).collect(),
            Err(Unanswered::NotSent(_) | Unanswered::NoAnswer(_)) => {
                let _ = gateway.client().yield_for(100);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn eight_threads(is_looping: bool) {
    const ROUNDS: usize = 6;
    let site = Site::new(is_looping);
    let threads = ["d1", "d2", "d3", "refused", "d4", "d5", "d6", "d7"].map(|name| {
        let gateway = site.gateway.clone();
        thread::spawn(move || {
            for _ in 0..ROUNDS {
                let refused = name == "refused";
                assert_eq!(ask(&gateway, Operation::Online, name), Ok(if refused { -1 } else { 0 }), "{name}");
                let offline = ask(&gateway, Operation::Offline, name);
                assert_eq!(offline, if refused { Err(Unanswered::NotOnline) } else { Ok(0) }, "{name}");
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    site.end();
}

#[test]
fn case_19_eight_threads_and_only_the_refused_device_fails_on_the_loop_thread() {
    eight_threads(true);
}

#[test]
fn case_19_eight_threads_and_only_the_refused_device_fails_where_they_drive() {
    eight_threads(false);
}

#[test]
fn case_20_the_same_device_twice_and_the_list_at_once() {
    for is_looping in [true, false] {
        let site = Site::new(is_looping);
        let online = || {
            let gateway = site.gateway.clone();
            thread::spawn(move || ask(&gateway, Operation::Online, "d"))
        };
        let threads = [online(), online()];
        assert_eq!(list(&site.gateway), ["d"]);
        let results = threads.map(|thread| thread.join().unwrap());
        assert!(results.contains(&Ok(0)), "{results:?}");
        // The second one is told so, or was sent after a reconnect, when nobody knows what the cloud thinks.
        assert!(results.iter().all(|result| matches!(result, Ok(0) | Err(Unanswered::AlreadyOnline))), "{results:?}");
        site.end();
    }
}

/// Asks from inside its callbacks.
struct Inside {
    gateway: OnceLock<Weak<Gateway>>,
    is_echoed: AtomicBool,
    reporter: Reporter,
}

impl Inside {
    fn ask(&self, name: &str) {
        let gateway = self.gateway.get().and_then(Weak::upgrade).unwrap();
        assert_eq!(ask(&gateway, Operation::Online, name), Ok(0));
        assert_eq!(list(&gateway), ["d"]);
        assert_eq!(ask(&gateway, Operation::Offline, name), Ok(0));
    }
}

impl Subscriber for Inside {
    fn message(&self, _: &Arc<Client>, _: &str, _: &[u8]) {
        self.ask("from-a-message");
        self.is_echoed.store(true, Ordering::Relaxed);
        self.reporter.report(Event::Echo);
    }

    fn event(&self, _: &Arc<Client>, event: SubscriptionEvent) {
        if event == SubscriptionEvent::Granted {
            self.ask("from-an-event");
            self.reporter.report(Event::Answered);
        }
    }
}

fn from_inside_callbacks(is_looping: bool) {
    let mut site = Site::new(is_looping);
    let (gateway, is_echoed) = (OnceLock::new(), AtomicBool::new(false));
    let inside = Arc::new(Inside { gateway, is_echoed, reporter: site.reporter.clone() });
    inside.gateway.set(Arc::downgrade(&site.gateway)).unwrap();
    site.client.subscribe("echo", QoS::AtMostOnce, inside.clone()).unwrap();
    while !site.client.is_subscribed("echo") {
        let _ = site.client.yield_for(20);
    }
    site.client.publish("echo", QoS::AtLeastOnce, b"x").unwrap();
    // Nobody else drives, and a message may be lost with its link.
    while !is_looping && !inside.is_echoed.load(Ordering::Relaxed) {
        let _ = site.client.yield_for(2_000);
        let _ = site.client.publish("echo", QoS::AtLeastOnce, b"x");
    }
    site.reports.wait_for(&[(Event::Answered, 1), (Event::Echo, 1)]);
    site.end();
}

#[test]
fn case_21_callbacks_put_devices_online_on_the_loop_thread() {
    from_inside_callbacks(true);
}

#[test]
fn case_21_callbacks_put_devices_online_where_the_program_drives() {
    from_inside_callbacks(false);
}

#[test]
fn case_22_the_end_comes_with_the_loop_thread_running_devices_online_and_a_subscription_on_its_way() {
    for _ in 0..5 {
        let site = Site::new(true);
        assert_eq!(ask(&site.gateway, Operation::Online, "d1"), Ok(0));
        let asking = {
            let gateway = site.gateway.clone();
            // Whatever it comes to: it ends.
            thread::spawn(move || {
                let device = Identity::new("SP", "d2").unwrap();
                let _ = gateway.ask(gateway.client().identity(), Operation::Online, &device, None);
            })
        };
        let inside = Arc::new(Silent);
        let _ = site.client.subscribe("echo", QoS::AtMostOnce, inside);
        site.gateway.close();
        site.client.destroy();
        asking.join().unwrap();
        site.end();
    }
}

struct Silent;

impl Subscriber for Silent {
    fn message(&self, _: &Arc<Client>, _: &str, _: &[u8]) {}
    fn event(&self, _: &Arc<Client>, _: SubscriptionEvent) {}
}
