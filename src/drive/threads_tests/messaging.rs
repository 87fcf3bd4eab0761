//! Requests of the cloud and configurations, with and without the loop thread (messaging.md).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use super::{client, events, Event, Machine, Reporter};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS, Subscriber, SubscriptionEvent};
use crate::drive::services::remote_config::{self, Destination, NoReply};
use crate::drive::services::rrpc;

/// Long enough in real time for a busy machine.
const LIMIT_MS: u64 = 200_000;
/// Questions of each thread.
const QUESTIONS: usize = 4;

/// Reports each configuration. The first one makes it ask once more, from inside the handler.
struct Counter(Reporter, AtomicUsize);

impl Destination for Counter {
    fn room(&self) -> usize {
        64
    }

    fn take(&self, client: &Arc<Client>, result: i32, text: &[u8]) {
        assert_eq!((result, text), (0, &br#"{"a":1}"#[..]));
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            assert_eq!(remote_config::get::<Counter>(client, LIMIT_MS), Ok(()));
        }
        self.0.report(Event::Configured);
    }
}

/// Hears what the cloud was answered.
struct Answers(Reporter);

impl Subscriber for Answers {
    fn message(&self, _: &Arc<Client>, _: &str, payload: &[u8]) {
        assert_eq!(payload, b"469 ok");
        self.0.report(Event::Answered);
    }

    fn event(&self, _: &Arc<Client>, _: SubscriptionEvent) {}
}

fn drive_until(client: &Arc<Client>, is_there: impl Fn() -> bool) {
    while !is_there() {
        let _ = client.yield_for(20);
    }
}

fn ask_and_answer(is_looping: bool) {
    let (reporter, mut reports) = events();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &reporter);
    client.connect().unwrap();
    if is_looping {
        client.start_loop().unwrap();
    }
    remote_config::subscribe(&client, Counter(reporter.clone(), AtomicUsize::new(0)), LIMIT_MS).unwrap();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || {
                for _ in 0..QUESTIONS {
                    assert_eq!(remote_config::get::<Counter>(&client, LIMIT_MS), Ok(()));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    reports.wait_for(&[(Event::Configured, 2 * QUESTIONS + 1)]);

    // An answer from inside the handler, and a question whose reply has to be read there.
    let handler = move |client: &Arc<Client>, payload: &[u8]| {
        assert_eq!(payload, b"closed");
        assert_eq!(remote_config::get::<Counter>(client, LIMIT_MS), Ok(()));
        assert_eq!(rrpc::answer(client, b"ok"), Ok(()));
    };
    rrpc::subscribe(&client, Box::new(handler)).unwrap();
    client.subscribe("answered", QoS::AtMostOnce, Arc::new(Answers(reporter.clone()))).unwrap();
    drive_until(&client, || client.is_subscribed("answered"));
    client.publish("ask", QoS::AtLeastOnce, b"469").unwrap();
    if is_looping {
        reports.wait_for(&[(Event::Answered, 1)]);
    } else {
        let (driver, over) = (client.clone(), Arc::new(AtomicBool::new(false)));
        let ended = over.clone();
        let thread = thread::spawn(move || drive_until(&driver, || ended.load(Ordering::Relaxed)));
        reports.wait_for(&[(Event::Answered, 1)]);
        over.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }
    client.destroy();
    assert_eq!(Arc::strong_count(&client), 1, "somebody still holds the client");
    drop(client);
    machine.join_servers();
}

#[test]
fn case_14_and_27_handlers_ask_and_answer_on_the_loop_thread() {
    ask_and_answer(true);
}

#[test]
fn case_14_and_27_handlers_ask_and_answer_where_the_program_drives() {
    ask_and_answer(false);
}

/// Asks until the link has come back some times. Every reply that ends a wait has been at the destination before.
fn ask_while_links_are_cut(is_looping: bool) {
    const RECONNECTS: u32 = 3;
    let (reporter, _reports) = events();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &reporter);
    client.connect().unwrap();
    if is_looping {
        client.start_loop().unwrap();
    }
    let seen = Arc::new(AtomicUsize::new(0));
    remote_config::subscribe(&client, Seen(seen.clone()), LIMIT_MS).unwrap();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || {
                let mut replies = 0;
                while client.reconnects() < RECONNECTS {
                    match remote_config::get::<Seen>(&client, LIMIT_MS) {
                        Ok(()) => replies += 1,
                        Err(NoReply::NotSent(_) | NoReply::LinkLost(Error::Reconnecting)) => {
                            let _ = client.yield_for(100);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
                replies
            })
        })
        .collect();
    let replies: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let seen = seen.load(Ordering::Relaxed);
    assert!(replies > 0 && replies <= seen, "{replies} of {seen}");
    client.destroy();
    drop(client);
    machine.join_servers();
}

/// Counts.
struct Seen(Arc<AtomicUsize>);

impl Destination for Seen {
    fn room(&self) -> usize {
        64
    }

    fn take(&self, _: &Arc<Client>, _: i32, _: &[u8]) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn case_25_a_cut_link_never_counts_as_a_reply_on_the_loop_thread() {
    ask_while_links_are_cut(true);
}

#[test]
fn case_25_a_cut_link_never_counts_as_a_reply_where_the_program_drives() {
    ask_while_links_are_cut(false);
}
