//! A service's subscription among the program's ten (messaging.md). The program takes it away with `IOT_MQTT_Unsubscribe`,
//! so it is no [`channel`](super::channel), which the program can't see.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use iot_engine::time::Millis;

use super::channel::{drive_until, Ended};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS, Subscriber, SubscriptionEvent};
use crate::hal::sync::Mutex;

/// Takes the bytes of a service's messages, as [`Receiver`] does.
#[cfg(any(feature = "broadcast", feature = "rrpc"))]
pub type Handler = Box<dyn Fn(&Arc<Client>, &[u8]) + Send + Sync>;

/// Takes a subscription's messages, with no lock held, on the thread that pumps. It must not hold the client, which
/// holds it.
pub(crate) trait Receiver: Send + Sync + 'static {
    /// A message came.
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]);
}

/// Why a service has no subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSubscribed {
    /// The request could not be sent.
    NotSent(Error),
    /// The server refused it.
    Refused,
    /// No answer within the client's command time-out: an answer that comes later counts no more.
    GivenUp,
    /// No answer within the time of the call. One that comes later still makes the subscription.
    TimedOut,
    /// The link was lost meanwhile.
    LinkLost(Error),
}

impl fmt::Display for NotSubscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotSubscribed::NotSent(error) => write!(f, "the request could not be sent: {error}"),
            NotSubscribed::Refused => f.write_str("the server refused it"),
            NotSubscribed::GivenUp => f.write_str("no answer within the command time-out"),
            NotSubscribed::TimedOut => f.write_str("no answer in time"),
            NotSubscribed::LinkLost(error) => write!(f, "the link was lost: {error}"),
        }
    }
}

/// How often the server has answered, in which way.
#[derive(Debug, Clone, Copy, Default)]
struct Answers {
    granted: u32,
    refused: u32,
    missing: u32,
}

impl Answers {
    /// What came after `before`.
    fn since(self, before: Answers) -> Option<Result<(), NotSubscribed>> {
        if self.granted != before.granted {
            Some(Ok(()))
        } else if self.refused != before.refused {
            Some(Err(NotSubscribed::Refused))
        } else if self.missing != before.missing {
            Some(Err(NotSubscribed::GivenUp))
        } else {
            None
        }
    }
}

struct State<R> {
    /// Gets the messages.
    receiver: Option<Arc<R>>,
    /// Gets them as soon as the server has granted the subscription that was asked for with it.
    coming: Option<Arc<R>>,
    /// The last SUBACK granted it. Stays so while the link is down: the client asks again by itself.
    subscribed: bool,
    answers: Answers,
    /// The subscription has ended: what the receiver uses may be gone.
    over: bool,
}

/// What a subscription shares with the calls about it.
pub(crate) struct Inbox<R>(Mutex<State<R>>);

impl<R: Receiver> Inbox<R> {
    fn new() -> Arc<Self> {
        let answers = Answers::default();
        let state = State { receiver: None, coming: None, subscribed: false, answers, over: false };
        Arc::new(Inbox(Mutex::new(state)))
    }

    /// That of the client's subscription to `filter`.
    fn find(client: &Client, filter: &str) -> Option<Arc<Self>> {
        client.find_marked(filter)
    }

    /// Puts `receiver` in the place of the one before. False where there is no subscription.
    #[cfg(any(feature = "broadcast", feature = "rrpc"))]
    fn replace(&self, receiver: &Arc<R>) -> bool {
        let mut state = self.0.lock();
        if state.subscribed {
            state.receiver = Some(receiver.clone());
            state.coming = None;
        }
        state.subscribed
    }

    /// `receiver` gets no message: the program may free what it uses.
    fn forget(&self, receiver: &Arc<R>) {
        let mut state = self.0.lock();
        let is_it = |known: &mut Arc<R>| Arc::ptr_eq(known, receiver);
        state.coming.take_if(is_it);
        if state.receiver.take_if(is_it).is_some() {
            state.subscribed = false;
        }
    }
}

/// What the client holds of an inbox.
struct Inlet<R>(Arc<Inbox<R>>);

impl<R: Receiver> Subscriber for Inlet<R> {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        let receiver = {
            let state = self.0 .0.lock();
            state.receiver.as_ref().or(state.coming.as_ref()).filter(|_| !state.over).cloned()
        };
        match receiver {
            Some(receiver) => receiver.message(client, topic, payload),
            None => log::info!(target: "mqtt_message", "nobody takes the message on {topic} any more"),
        }
    }

    fn event(&self, _client: &Arc<Client>, event: SubscriptionEvent) {
        let mut state = self.0 .0.lock();
        match event {
            SubscriptionEvent::Granted => {
                if let Some(coming) = state.coming.take() {
                    state.receiver = Some(coming);
                }
                state.subscribed = state.receiver.is_some();
                state.answers.granted += 1;
            }
            SubscriptionEvent::Refused => {
                state.subscribed = false;
                state.answers.refused += 1;
            }
            SubscriptionEvent::TimedOut => {
                state.subscribed = false;
                state.answers.missing += 1;
            }
            SubscriptionEvent::Removed | SubscriptionEvent::ClientDestroyed => {
                state.subscribed = false;
                state.over = true;
            }
        }
    }

    /// A second call while the first one's SUBACK is on its way means the same subscription.
    fn handlers(&self) -> Option<(usize, usize)> {
        let address = Arc::as_ptr(&self.0) as usize;
        Some((address, address))
    }

    fn mark(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(self.0.clone())
    }
}

/// Whether the server has granted the service's subscription to `filter`, or will be asked again by the client itself.
#[cfg(feature = "remote-config-mqtt")]
pub(crate) fn is_subscribed<R: Receiver>(client: &Client, filter: &str) -> bool {
    Inbox::<R>::find(client, filter).is_some_and(|inbox| inbox.0.lock().subscribed)
}

/// Subscribes to `filter` and drives the client until the server has answered, up to `limit_ms`. Then `receiver` gets the
/// messages. Returns the packet id.
///
/// # Errors
/// Why there is no subscription. Except after [`NotSubscribed::TimedOut`], `receiver` gets no message.
pub(crate) fn subscribe<R: Receiver>(
    client: &Arc<Client>,
    filter: &str,
    qos: QoS,
    receiver: Arc<R>,
    limit_ms: u64,
) -> Result<u16, NotSubscribed> {
    let inbox = Inbox::find(client, filter).unwrap_or_else(Inbox::new);
    let before = {
        let mut state = inbox.0.lock();
        state.coming = Some(receiver.clone());
        state.answers
    };
    let result = ask(client, filter, qos, &inbox, before, limit_ms);
    if !matches!(result, Ok(_) | Err(NotSubscribed::TimedOut)) {
        inbox.forget(&receiver);
    }
    result
}

fn ask<R: Receiver>(
    client: &Arc<Client>,
    filter: &str,
    qos: QoS,
    inbox: &Arc<Inbox<R>>,
    before: Answers,
    limit_ms: u64,
) -> Result<u16, NotSubscribed> {
    let reconnects = client.reconnects();
    let deadline = client.platform().now() + limit_ms;
    let id = client.subscribe(filter, qos, Arc::new(Inlet(inbox.clone()))).map_err(NotSubscribed::NotSent)?;
    let answer = drive_over_one_link(client, reconnects, deadline, || inbox.0.lock().answers.since(before));
    let result = match answer {
        Ok(answer) => answer.map(|()| id),
        Err(Ended::NoLink(error)) => Err(NotSubscribed::LinkLost(error)),
        Err(Ended::Refused | Ended::TimedOut | Ended::Destroyed) => Err(NotSubscribed::TimedOut),
    };
    if let Err(NotSubscribed::LinkLost(_)) = result {
        client.withdraw(id);
    }
    result
}

/// As [`drive_until`], for what comes over the link there was at so many `reconnects` or not at all.
///
/// # Errors
/// As there; `NoLink` as soon as that link is lost, too.
pub(crate) fn drive_over_one_link<T>(
    client: &Arc<Client>,
    reconnects: u32,
    deadline: Millis,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, Ended> {
    let lost = || client.link_lost(reconnects).map(|error| Err(Ended::NoLink(error)));
    drive_until(client, deadline, || look().map(Ok).or_else(lost))?
}

/// As [`subscribe`], but where there is a subscription nothing is sent: `receiver` takes the place of the one before.
///
/// # Errors
/// As [`subscribe`].
#[cfg(any(feature = "broadcast", feature = "rrpc"))]
pub(crate) fn subscribe_once<R: Receiver>(
    client: &Arc<Client>,
    filter: &str,
    qos: QoS,
    receiver: Arc<R>,
    limit_ms: u64,
) -> Result<(), NotSubscribed> {
    if Inbox::find(client, filter).is_some_and(|inbox| inbox.replace(&receiver)) {
        return Ok(());
    }
    subscribe(client, filter, qos, receiver, limit_ms).map(drop)
}

#[cfg(test)]
mod tests;
