//! Which lines the cloud wants, asked over each client (log_upload.md section 5).

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU8, Ordering};
use std::sync::Arc;

use iot_engine::services::log_upload::{level, topics, Urgency};

use super::Uploader;
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, Driven, QoS, Subscriber, SubscriptionEvent};
use crate::drive::services::channel::drive_until;

const FUNCTION: &str = "log_level";
/// How often the server is asked for the subscription, and how long for each time.
const ASKS: u32 = 3;
const ASK_MS: u64 = 100;
/// How long the answer is waited for.
const ANSWER_MS: u64 = 2_000;

/// How an uploader is found, if there is one.
pub(super) type Find = fn() -> Option<Arc<Uploader>>;

/// What became of the subscription.
const UNKNOWN: u8 = 0;
const GRANTED: u8 = 1;
const FAILED: u8 = 2;

/// Hears of the level on one client.
struct Listening {
    find: Find,
    outcome: AtomicU8,
    has_answer: AtomicBool,
}

impl Listening {
    fn new(find: Find) -> Arc<Self> {
        Arc::new(Listening { find, outcome: AtomicU8::new(UNKNOWN), has_answer: AtomicBool::new(false) })
    }
}

impl Subscriber for Listening {
    fn message(&self, _: &Arc<Client>, topic: &str, payload: &[u8]) {
        match level::parse(payload) {
            Some(wanted) => {
                if let Some(uploader) = (self.find)() {
                    uploader.want(wanted);
                }
                self.has_answer.store(true, Ordering::Relaxed);
            }
            None => log::error!(target: FUNCTION, "a message of {} bytes on {topic} names no log level", payload.len()),
        }
    }

    fn event(&self, _: &Arc<Client>, event: SubscriptionEvent) {
        let outcome = if event == SubscriptionEvent::Granted { GRANTED } else { FAILED };
        self.outcome.store(outcome, Ordering::Relaxed);
    }

    fn link_restored(&self, client: &Arc<Client>, _: bool) {
        if (self.find)().is_some() {
            ask(client);
        }
    }
}

/// A client without the subscription: it is made as soon as the link comes back and there is an uploader.
struct Later {
    find: Find,
    is_done: AtomicBool,
}

impl Subscriber for Later {
    fn message(&self, _: &Arc<Client>, _: &str, _: &[u8]) {}
    fn event(&self, _: &Arc<Client>, _: SubscriptionEvent) {}

    fn link_restored(&self, client: &Arc<Client>, _: bool) {
        let Some(uploader) = (self.find)() else { return };
        if self.is_done.swap(true, Ordering::Relaxed) {
            return;
        }
        uploader.know(client);
        let listening = Listening::new(self.find);
        match client.subscribe_for_service(&topics(client.identity()).result, QoS::AtMostOnce, listening) {
            Ok(_) => ask(client),
            Err(error) => {
                self.is_done.store(false, Ordering::Relaxed);
                log::error!(target: FUNCTION, "no subscription to the log level: {error}");
            }
        }
    }
}

/// Asks over a client that has just connected, and uploads what waits. Takes 2.3 s at most where nobody answers.
pub(super) fn join(client: &Arc<Client>, find: Find) {
    client.set_attendant(attend);
    let is_asked = find().is_some_and(|uploader| {
        uploader.know(client);
        begin(client, find)
    });
    if !is_asked {
        let later = Later { find, is_done: AtomicBool::new(false) };
        client.attach_service(Arc::new(later));
    }
    if let Some(uploader) = find() {
        uploader.upload(Urgency::Pressing);
    }
}

/// Whether the subscription stands.
fn begin(client: &Arc<Client>, find: Find) -> bool {
    let topic = topics(client.identity()).result;
    let now = || client.platform().now();
    for _ in 0..ASKS {
        let listening = Listening::new(find);
        let subscription = match client.subscribe_for_service(&topic, QoS::AtMostOnce, listening.clone()) {
            Ok(subscription) => subscription,
            Err(error) => {
                log::error!(target: FUNCTION, "no subscription to the log level: {error}");
                return false;
            }
        };
        let outcome = || Some(listening.outcome.load(Ordering::Relaxed)).filter(|outcome| *outcome != UNKNOWN);
        if drive_until(client, now() + ASK_MS, outcome) == Ok(GRANTED) {
            ask(client);
            let has_answer = || listening.has_answer.load(Ordering::Relaxed).then_some(());
            if drive_until(client, now() + ANSWER_MS, has_answer).is_err() {
                log::warn!(target: FUNCTION, "the cloud has not said which lines it wants");
            }
            return true;
        }
        client.unsubscribe_for_service(subscription, false);
    }
    log::error!(target: FUNCTION, "no subscription to the log level after {ASKS} attempts");
    false
}

fn ask(client: &Arc<Client>) {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let question = level::request(client.identity().product_id(), number);
    if let Err(error) = client.publish_without_waiting(&topics(client.identity()).operation, question.as_bytes()) {
        log::error!(target: FUNCTION, "the cloud could not be asked for the log level: {error}");
    }
}

/// What a client has done is over: time to upload, where something went wrong the more so.
fn attend(driven: &Result<Driven, Error>) {
    if let Some(uploader) = super::current() {
        uploader.upload(if *driven == Ok(Driven::Done) { Urgency::WhenDue } else { Urgency::Pressing });
    }
}
