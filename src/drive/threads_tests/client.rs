//! One client under many threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;

use crate::drive::error::Error;
use iot_engine::mqtt::Refusal;

use super::{client, events, Event, Machine, Reporter};
use crate::drive::mqtt::{Client, QoS, Subscriber, SubscriptionEvent};

/// Times the connection is to come back before the client is destroyed.
const RECONNECTS: usize = 4;
/// Calls each thread makes after that.
const LAST_CALLS: usize = 20;

impl Subscriber for Reporter {
    fn message(&self, client: &Arc<Client>, _: &str, payload: &[u8]) {
        self.report(Event::Echo);
        if payload == b"answer" {
            // It fails while the link is down, or while too many messages wait for their acknowledgement.
            let _ = client.publish("reply", QoS::AtLeastOnce, b"here");
        }
    }

    fn event(&self, _: &Arc<Client>, event: SubscriptionEvent) {
        if event == SubscriptionEvent::ClientDestroyed {
            self.report(Event::Destroyed);
        }
    }
}

/// One call, or a few that belong together. The number counts the calls before.
type Task = fn(&Arc<Client>, &Reporter, usize);

const TASKS: [Task; 7] = [publish, publish, subscribe, hold, drive, drive, run_loop];

fn publish(client: &Arc<Client>, _: &Reporter, number: usize) {
    let payload: &[u8] = if number % 5 == 0 { b"answer" } else { b"x" };
    // Each of these may fail here. Other tests check when they may.
    let _ = match number % 4 {
        0 => client.publish("echo", QoS::AtMostOnce, payload),
        1 => client.publish_kept("kept", payload),
        2 => client.publish_without_waiting("echo", payload),
        _ => client.publish("echo", QoS::AtLeastOnce, payload),
    };
    let _ = client.yield_for(40);
}

fn subscribe(client: &Arc<Client>, reporter: &Reporter, number: usize) {
    let filter = ["a/#", "b/+", "c"][number % 3];
    let _ = client.subscribe(filter, QoS::AtLeastOnce, Arc::new(reporter.clone()));
    let _ = client.yield_for(40);
    let _ = client.is_subscribed(filter);
    let _ = client.unsubscribe(filter);
}

/// The subscription that stays.
fn hold(client: &Arc<Client>, reporter: &Reporter, _: usize) {
    if !client.is_subscribed("echo") {
        let _ = client.subscribe("echo", QoS::AtMostOnce, Arc::new(reporter.clone()));
    }
    let _ = client.yield_for(400);
}

fn drive(client: &Arc<Client>, _: &Reporter, number: usize) {
    client.set_transfer_running(true);
    let _ = client.yield_for(20);
    client.set_transfer_running(false);
    let _ = client.yield_for(60);
    let _ = (client.is_connected(), client.loop_status(), number);
}

fn run_loop(client: &Arc<Client>, _: &Reporter, number: usize) {
    client.start_loop().unwrap();
    let _ = client.yield_for(200);
    if number % 2 == 0 {
        client.set_loop_status(false);
    }
    client.stop_loop();
    let _ = client.yield_for(100);
}

#[test]
fn many_threads_use_one_client_until_it_is_destroyed_under_them() {
    let (reporter, mut reports) = events();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &reporter);
    client.connect().unwrap();

    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = TASKS
        .iter()
        .map(|task| {
            let (client, reporter, over) = (client.clone(), reporter.clone(), over.clone());
            thread::spawn(move || {
                let mut number = 0;
                while !over.load(Ordering::Relaxed) {
                    task(&client, &reporter, number);
                    number += 1;
                }
                for more in 0..LAST_CALLS {
                    task(&client, &reporter, number + more);
                }
                reporter.report(Event::ThreadEnded);
            })
        })
        .collect();

    reports.wait_for(&[
        (Event::Back, RECONNECTS),
        (Event::Lost, RECONNECTS),
        (Event::Subscribed, 5),
        (Event::Unsubscribed, 5),
    ]);
    reports.wait_for(&[(Event::Published, 5), (Event::Echo, 5)]);
    client.destroy();
    reports.wait_for(&[(Event::Destroyed, 1)]);
    over.store(true, Ordering::Relaxed);
    reports.wait_for(&[(Event::ThreadEnded, TASKS.len())]);
    for thread in threads {
        thread.join().unwrap();
    }
    client.stop_loop();
    assert!(!client.is_connected());
    assert_eq!(client.publish("echo", QoS::AtMostOnce, b"x"), Err(Error::Request(Refusal::NotConnected)));
    assert_eq!(Arc::strong_count(&client), 1, "somebody still holds the client");
    drop(client);
    machine.join_servers();
}

/// Some programs reconnect by making a new client each time.
#[test]
fn clients_come_and_go_with_their_loop_threads() {
    let (reporter, mut reports) = events();
    let machine = Arc::new(Machine::new());
    for _ in 0..10 {
        let client = client(&machine, &reporter);
        client.connect().unwrap();
        client.start_loop().unwrap();
        client.publish("kept", QoS::AtLeastOnce, b"x").unwrap();
        reports.wait_for(&[(Event::Published, 1)]);
        client.destroy();
        assert!(!client.loop_status().0);
        assert_eq!(Arc::strong_count(&client), 1, "the loop thread still holds the client");
    }
    machine.join_servers();
}

/// Starts the loop anew from inside it.
struct Restarter(Reporter);

impl Subscriber for Restarter {
    fn message(&self, client: &Arc<Client>, _: &str, _: &[u8]) {
        client.stop_loop();
        client.start_loop().unwrap();
        self.0.report(Event::Echo);
    }

    fn event(&self, _: &Arc<Client>, _: SubscriptionEvent) {}
}

#[test]
fn a_loop_that_is_on_its_way_out_can_be_started_again() {
    let (reporter, mut reports) = events();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &reporter);
    client.connect().unwrap();
    client.start_loop().unwrap();
    client.subscribe("echo", QoS::AtMostOnce, Arc::new(Restarter(reporter.clone()))).unwrap();
    reports.wait_for(&[(Event::Subscribed, 1)]);
    client.publish("echo", QoS::AtMostOnce, b"x").unwrap();
    reports.wait_for(&[(Event::Echo, 1)]);
    client.publish("kept", QoS::AtLeastOnce, b"x").unwrap();
    reports.wait_for(&[(Event::Published, 1)]);

    let (starting, done) = (client.clone(), reporter.clone());
    let starter = thread::spawn(move || {
        for _ in 0..3 {
            starting.set_loop_status(false);
            starting.start_loop().unwrap();
        }
        drop(starting);
        done.report(Event::ThreadEnded);
    });
    reports.wait_for(&[(Event::ThreadEnded, 1)]);
    starter.join().unwrap();
    assert!(client.loop_status().0);
    client.publish("kept", QoS::AtLeastOnce, b"x").unwrap();
    reports.wait_for(&[(Event::Published, 1)]);

    client.destroy();
    assert_eq!(Arc::strong_count(&client), 1, "a loop thread still holds the client");
    drop(client);
    machine.join_servers();
}
