//! A device's shadow over its MQTT client (shadow.md).
//!
//! Callbacks of the program run on the thread that pumps, with no lock held. The locks are short and never held over I/O.

use std::fmt;
use std::sync::{Arc, OnceLock};

use iot_engine::helpers::json;
use iot_engine::mqtt::Refusal;
use iot_engine::services::shadow::message;
use iot_engine::services::shadow::session::Serial;
use iot_engine::services::shadow::{topics, Kind, Properties, Received, Session};
use iot_engine::services::topics::Topics;
use iot_engine::time::Millis;

use super::channel::{drive_until, Channel, Ended, Service};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS, Subscriber, SubscriptionEvent};
use crate::hal::sync::Mutex;

const FUNCTION: &str = "shadow_message";

/// The client ends the wait for a SUBACK after its command time-out. So much later even a client without a link has.
const GRACE_MS: u64 = 100;

/// How a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// The cloud did it.
    Accepted,
    /// The cloud did not do it.
    Rejected,
    /// No reply came in time.
    TimedOut,
}

/// Who is told how a request has ended, once, and gets the reply; no text for a time-out.
pub type OnEnd = Box<dyn FnOnce(Ack, &[u8]) + Send>;

/// A property that the program watches.
pub trait Property: Send + Sync {
    /// Takes the value that the state object wants for the property. False where it wants none. Called under a lock, so
    /// that the property is not unregistered meanwhile: it must not call the program.
    fn take(&self, state: &[u8]) -> bool;

    /// Tells the program, which may call everything.
    fn changed(&self, state: &[u8]);
}

/// Why a request did not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// There is no link.
    NotConnected,
    /// The document is no JSON object, or has no token.
    NoToken,
    /// The buffer has no room for what an update needs besides the document.
    NoRoom,
    /// As many requests wait as may.
    TooMany,
    /// It could not be published.
    Failed(Error),
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsent::NotConnected => f.write_str("not connected"),
            Unsent::NoToken => f.write_str("the document is no JSON object with a clientToken"),
            Unsent::NoRoom => f.write_str("the buffer has no room for the type of the request"),
            Unsent::TooMany => f.write_str("too many requests wait for their replies"),
            Unsent::Failed(error) => write!(f, "the request could not be sent: {error}"),
        }
    }
}

/// The subscription to the result topic.
enum Subscription {
    /// To be asked for with the next request.
    Missing,
    /// A thread is about to ask for it.
    Asking,
    /// Asked for. What became of it, the channel knows.
    Asked(Channel<State>),
    /// The program has taken it away, or the shadow has ended.
    Left,
}

/// The part of a shadow that the cloud's messages reach.
struct State {
    topics: Topics,
    session: Mutex<Session<OnEnd>>,
    properties: Mutex<Properties<Arc<dyn Property>>>,
    subscription: Mutex<Subscription>,
}

impl State {
    /// Asks for the subscription where that was not done, or failed.
    fn subscribe(self: &Arc<Self>, client: &Arc<Client>) {
        let failed = {
            let mut subscription = self.subscription.lock();
            let is_wanted = match &*subscription {
                Subscription::Missing => true,
                Subscription::Asked(channel) => matches!(channel.outcome(), Some(Err(_))),
                Subscription::Asking | Subscription::Left => false,
            };
            if !is_wanted {
                return;
            }
            std::mem::replace(&mut *subscription, Subscription::Asking)
        };
        drop(failed);
        let begun = Channel::begin(client, &self.topics.result, self.clone(), QoS::AtMostOnce);
        if let Err(error) = &begun {
            log::error!(target: FUNCTION, "no subscription to {}: {error}", self.topics.result);
        }
        let next = begun.map_or(Subscription::Missing, Subscription::Asked);
        let mut subscription = self.subscription.lock();
        // Who has left meanwhile wants none.
        let over = match *subscription {
            Subscription::Asking => std::mem::replace(&mut *subscription, next),
            _ => next,
        };
        drop(subscription);
        drop(over);
    }

    fn outcome(&self) -> Option<Result<(), Ended>> {
        match &*self.subscription.lock() {
            Subscription::Asked(channel) => channel.outcome().cloned(),
            Subscription::Missing => Some(Err(Ended::NoLink(Error::NotConnected))),
            Subscription::Left => Some(Err(Ended::Destroyed)),
            Subscription::Asking => None,
        }
    }

    fn leave(&self) -> Subscription {
        std::mem::replace(&mut *self.subscription.lock(), Subscription::Left)
    }

    /// The cloud wants another state: the properties hear of it one after the other, the newest first.
    fn changed(&self, state: &[u8]) {
        let mut mark = self.properties.lock().newest();
        loop {
            let next = {
                let properties = self.properties.lock();
                std::iter::from_fn(|| {
                    let (earlier, property) = properties.before(mark)?;
                    mark = earlier;
                    Some(property)
                })
                .find(|property| property.take(state))
                .cloned()
            };
            let Some(property) = next else {
                return;
            };
            property.changed(state);
        }
    }

    fn expire(&self, client: &Client, now: Millis) {
        loop {
            let late = self.session.lock().tick(now);
            let Some(on_end) = late else {
                break;
            };
            on_end(Ack::TimedOut, b"");
        }
        let next = self.session.lock().deadline();
        if let Some(next) = next {
            client.wake_at(next);
        }
    }
}

impl Service for State {
    fn message(&self, _client: &Arc<Client>, topic: &str, payload: &[u8]) {
        let text = json::message(payload);
        let received = self.session.lock().receive(text);
        let Received { delta, ended, is_accepted, is_reply } = match received {
            Ok(received) => received,
            Err(why) => {
                log::error!(target: FUNCTION, "message of {} bytes ignored: {why}", payload.len());
                return;
            }
        };
        if is_reply && ended.is_empty() {
            log::info!(target: FUNCTION, "nobody waits for the reply of {} bytes on {topic}", payload.len());
        }
        if let Some(delta) = delta {
            self.changed(delta);
        }
        let ack = if is_accepted { Ack::Accepted } else { Ack::Rejected };
        for on_end in ended {
            on_end(ack, text);
        }
    }

    fn tells_program(&self) -> bool {
        true
    }
}

/// Tells a shadow of time and links while it has no subscription, too.
struct Attached(Arc<State>);

impl Subscriber for Attached {
    fn message(&self, _client: &Arc<Client>, _topic: &str, _payload: &[u8]) {}

    fn event(&self, _client: &Arc<Client>, _event: SubscriptionEvent) {}

    fn link_restored(&self, client: &Arc<Client>, _session_present: bool) {
        // A subscription that waits for its SUBACK, or had one, the client asks for again by itself.
        self.0.subscribe(client);
    }

    fn expire(&self, client: &Arc<Client>, now: Millis) {
        self.0.expire(client, now);
    }
}

/// A shadow. May be used from several threads.
pub struct Shadow {
    client: Arc<Client>,
    state: Arc<State>,
}

impl Shadow {
    /// The shadow of the client's device. It hears of nothing before [`subscribe`](Self::subscribe).
    #[must_use]
    pub fn new(client: Arc<Client>, kind: Kind) -> Self {
        let state = Arc::new(State {
            topics: topics(client.identity(), kind),
            session: Mutex::new(Session::default()),
            properties: Mutex::new(Properties::default()),
            subscription: Mutex::new(Subscription::Missing),
        });
        client.attach_service(Arc::new(Attached(state.clone())));
        Shadow { client, state }
    }

    /// Subscribes to the result topic. Drives the client while it waits for the SUBACK, up to its command time-out.
    ///
    /// # Errors
    /// Why there is no subscription yet. It is asked for again with the next request, or after a reconnect.
    pub fn subscribe(&self) -> Result<(), Ended> {
        let deadline = self.client.platform().now() + self.client.patience_ms() + GRACE_MS;
        self.state.subscribe(&self.client);
        drive_until(&self.client, deadline, || self.state.outcome())?
    }

    /// The shadow's MQTT client.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The topic of replies and pushes.
    pub fn result_topic(&self) -> &str {
        &self.state.topics.result
    }

    /// Ends the subscription and every wait. No callback is called for a request that waits.
    pub fn close(&self) {
        drop(self.state.leave());
        let waiting = self.state.session.lock().end();
        drop(waiting);
        self.state.properties.lock().clear();
    }

    /// As [`Client::unsubscribe`]; the program may take away what the shadow itself has subscribed to, too.
    ///
    /// # Errors
    /// As [`Client::unsubscribe`].
    pub fn unsubscribe(&self, filter: &str) -> Result<u16, Error> {
        let ours = if filter == self.state.topics.result { self.state.leave() } else { Subscription::Left };
        let Subscription::Asked(channel) = ours else {
            return self.client.unsubscribe(filter);
        };
        // The program may have one to the same topic; then it is the last and has the server told.
        let told = channel.close();
        match (self.client.unsubscribe(filter), told) {
            (Err(Error::Request(Refusal::UnknownTopic)), Some(id)) => Ok(id),
            (Err(Error::Request(Refusal::UnknownTopic)), None) if !self.client.is_connected() => {
                Err(Error::NotConnected)
            }
            (result, _) => result,
        }
    }

    /// The number of the next token.
    pub fn take_token(&self) -> u32 {
        self.state.session.lock().take_token()
    }

    /// Asks for the whole document. `on_end` hears of the reply within `timeout_ms`.
    ///
    /// # Errors
    /// Nothing was sent; nobody is told.
    pub fn get(&self, timeout_ms: u32, on_end: OnEnd) -> Result<Serial, Unsent> {
        self.check_link()?;
        let token = message::token(self.client.identity().product_id(), self.take_token());
        let serial = self.begin(token.as_bytes(), timeout_ms, on_end)?;
        self.publish(serial, message::get(&token).as_bytes())
    }

    /// Sends the document of `length` bytes in `buffer` as an update, for which it is edited in place: it has then its type,
    /// and a NUL behind it. `on_end` hears of the reply within `timeout_ms`.
    ///
    /// # Errors
    /// Nothing was sent; nobody is told. The document stays as it is, unless it could not be published.
    pub fn update(&self, buffer: &mut [u8], length: usize, timeout_ms: u32, on_end: OnEnd) -> Result<Serial, Unsent> {
        self.check_link()?;
        let token = buffer.get(..length).and_then(message::token_of).ok_or(Unsent::NoToken)?;
        message::update_length(buffer, length).ok_or(Unsent::NoRoom)?;
        let serial = self.begin(&token, timeout_ms, on_end)?;
        let length = message::make_update(buffer, length).unwrap_or_default();
        self.publish(serial, &buffer[..length])
    }

    /// As [`get`](Self::get), and drives the client until the request has ended. It ends early, as timed out, where no reply
    /// can come any more.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_and_wait(&self, timeout_ms: u32) -> Result<Ack, Unsent> {
        self.wait(timeout_ms, |on_end| self.get(timeout_ms, on_end))
    }

    /// As [`update`](Self::update), and drives the client as [`get_and_wait`](Self::get_and_wait) does.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn update_and_wait(&self, buffer: &mut [u8], length: usize, timeout_ms: u32) -> Result<Ack, Unsent> {
        self.wait(timeout_ms, |on_end| self.update(buffer, length, timeout_ms, on_end))
    }

    fn wait(&self, timeout_ms: u32, begin: impl FnOnce(OnEnd) -> Result<Serial, Unsent>) -> Result<Ack, Unsent> {
        let slot = Arc::new(OnceLock::new());
        let filled = slot.clone();
        let deadline = self.client.platform().now() + u64::from(timeout_ms);
        let serial = begin(Box::new(move |ack, _| {
            // It is told once.
            let _ = filled.set(ack);
        }))?;
        let ended = drive_until(&self.client, deadline, || slot.get().copied());
        Ok(ended.unwrap_or_else(|_| {
            let waiting = self.state.session.lock().give_up(serial);
            drop(waiting);
            slot.get().copied().unwrap_or(Ack::TimedOut)
        }))
    }

    fn check_link(&self) -> Result<(), Unsent> {
        if self.client.is_connected() {
            Ok(())
        } else {
            Err(Unsent::NotConnected)
        }
    }

    fn begin(&self, token: &[u8], timeout_ms: u32, on_end: OnEnd) -> Result<Serial, Unsent> {
        let now = self.client.platform().now();
        let begun = self.state.session.lock().begin(now, token, timeout_ms, on_end);
        let serial = begun.ok_or(Unsent::TooMany)?;
        self.client.wake_at(now + u64::from(timeout_ms));
        Ok(serial)
    }

    fn publish(&self, serial: Serial, text: &[u8]) -> Result<Serial, Unsent> {
        // The subscription goes out first, so that the reply finds it.
        self.state.subscribe(&self.client);
        let Err(error) = self.client.publish_without_waiting(&self.state.topics.operation, text) else {
            return Ok(serial);
        };
        let waiting = self.state.session.lock().give_up(serial);
        if waiting.is_some() {
            return Err(Unsent::Failed(error));
        }
        // It has ended already, and somebody was told.
        Ok(serial)
    }

    /// Has `property`, which `id` names, told of what the cloud wants. One that is registered gets another hearer.
    ///
    /// # Errors
    /// There is no link, or no memory.
    pub fn register(&self, id: usize, property: Arc<dyn Property>) -> Result<(), Error> {
        if !self.client.is_connected() {
            return Err(Error::NotConnected);
        }
        if self.state.properties.lock().register(id, property) {
            Ok(())
        } else {
            Err(Error::Request(Refusal::NoMemory))
        }
    }

    /// Takes the property away. False where it was not registered.
    ///
    /// # Errors
    /// There is no link.
    pub fn unregister(&self, id: usize) -> Result<bool, Error> {
        if !self.client.is_connected() {
            return Err(Error::NotConnected);
        }
        Ok(self.state.properties.lock().unregister(id))
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        // The subscription holds the client, which holds it.
        self.close();
    }
}

#[cfg(test)]
mod tests;
