//! The MQTT client: pumps bytes between a [`Transport`] and the engine's [`Session`].
//!
//! Whoever calls [`Client::yield_for`] pumps: reads, hands on the news, reconnects. One thread pumps at a time; a
//! callback may call everything again, `yield_for` included. No lock is held while user code runs or a read waits.

mod connect;
#[cfg(feature = "ssh")]
mod key;
mod pump;
#[cfg(feature = "multithread")]
mod pump_loop;
mod rest;
mod sending;
mod settings;
mod trace;

use std::any::Any;
#[cfg(feature = "inbox")]
use std::sync::atomic::AtomicU32;
#[cfg(feature = "multithread")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
#[cfg(feature = "log-upload")]
use std::sync::OnceLock;

use iot_engine::identity::Identity;
use iot_engine::mqtt::polling::PollBudget;
use iot_engine::mqtt::{Config, LinkState, Session};
pub use iot_engine::mqtt::{Message, QoS};
use iot_engine::time::Millis;
pub use settings::Settings;

use super::error::Error;
use super::transfers::Transfers;
use crate::hal::sync::Mutex;
use crate::hal::{Endpoint, Platform, Transport};

/// What driving a client came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driven {
    /// The connection is up, or another thread drives it.
    Done,
    /// The connection was lost and is up again.
    Reconnected,
    /// The client was destroyed or disconnected on purpose.
    Closed,
}

/// What happened to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionEvent {
    /// SUBACK with a granted QoS.
    Granted,
    /// SUBACK with 0x80.
    Refused,
    /// No SUBACK within the command time-out.
    TimedOut,
    /// `IOT_MQTT_Unsubscribe` took it away.
    Removed,
    /// The client is being destroyed.
    ClientDestroyed,
}

/// Receives what a subscription brings.
/// Called with no lock held: it may call the client. On the thread that pumps, or that ends the subscription.
pub trait Subscriber: Send + Sync {
    /// A message came in.
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]);
    /// The subscription's state changed.
    fn event(&self, client: &Arc<Client>, event: SubscriptionEvent);

    /// A message came in; with all that MQTT says about it.
    fn deliver(&self, client: &Arc<Client>, message: &Message) {
        self.message(client, &message.topic, &message.payload);
    }

    /// The addresses of the C handlers behind this subscriber. Two subscriptions to one filter with the same ones are
    /// one subscription (behaviour.md section 3).
    fn handlers(&self) -> Option<(usize, usize)> {
        None
    }

    /// What a service looks for to find its own subscription among the program's.
    #[cfg(feature = "inbox")]
    fn mark(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    /// Whether messages are for it. Without, they go to another subscription or to the global handler.
    fn takes_messages(&self) -> bool {
        true
    }

    /// Told to a service: the link is up again. Its subscription was asked for again before anything that it publishes
    /// now. Without `session_present`, what the server sent meanwhile is lost.
    fn link_restored(&self, _client: &Arc<Client>, _session_present: bool) {}

    /// Told to a service: a moment that somebody gave to `Client::wake_at` has passed. Requests that have waited too
    /// long end now.
    fn expire(&self, _client: &Arc<Client>, _now: Millis) {}

    /// Told to a service: the client is about to be destroyed, and may be used until this returns.
    #[cfg(feature = "ssh")]
    fn client_ends(&self, _client: &Arc<Client>) {}

    /// Whether the program's global handler hears of the answers to this subscription's requests. The C SDK's program
    /// hears of those that OTA makes; other services keep theirs to themselves.
    fn tells_program(&self) -> bool {
        true
    }
}

/// A subscription of one of the library's own services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceSubscription(u64);

/// What the client's owner is told.
#[derive(Debug)]
pub enum Notice<'a> {
    /// The link was lost.
    Disconnected,
    /// The link is up again.
    Reconnected,
    /// SUBACK: granted.
    Subscribed(u16),
    /// SUBACK: refused.
    SubscribeRefused(u16),
    /// No SUBACK in time.
    SubscribeTimedOut(u16),
    /// UNSUBACK.
    Unsubscribed(u16),
    /// No UNSUBACK in time.
    UnsubscribeTimedOut(u16),
    /// PUBACK.
    Published(u16),
    /// No PUBACK in time.
    PublishTimedOut(u16),
    /// A message that no subscription matches.
    Message(&'a Message),
    /// A gateway is to search for devices (1), or no longer (0).
    #[cfg(all(feature = "gateway", feature = "abi-3-3"))]
    GatewaySearch(i32),
    /// No device belongs to the gateway any more.
    #[cfg(all(feature = "gateway", feature = "abi-3-3"))]
    GatewayUnbindAll,
}

/// Receives the client's notices, on the thread that pumps, with no lock held.
pub trait Listener: Send + Sync {
    /// Something happened.
    fn notice(&self, client: &Arc<Client>, notice: Notice<'_>);
}

/// How the device proves itself inside MQTT.
pub enum Proof {
    /// The transport has done it.
    Transport,
    /// A password made from this key for each attempt (KEY mode without TLS, and over WebSocket).
    Password(Vec<u8>),
    /// A signature by the private key in this file for each attempt (CERT mode over WebSocket).
    #[cfg(all(feature = "websocket-mqtt", feature = "auth-mode-cert"))]
    Signature(String),
}

/// All that a client needs to know.
pub struct Setup {
    /// Who the device is.
    pub identity: Identity,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// The server speaks MQTT over WebSocket.
    #[cfg(feature = "websocket-mqtt")]
    pub over_websocket: bool,
    /// How to log in.
    pub proof: Proof,
    /// The session's settings.
    pub config: Config,
    /// Receives the notices.
    pub listener: Option<Box<dyn Listener>>,
    /// What the C surface wants to keep for as long as the client lives.
    pub attachment: Box<dyn Any + Send + Sync>,
}

/// One MQTT connection, kept up as the caller's thread drives it.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use iot_engine::identity::Identity;
/// use iot_engine::mqtt::Config;
/// use iot_sdk::drive::mqtt::{Client, Proof, QoS, Setup};
/// use iot_sdk::hal::platform::HalPlatform;
/// use iot_sdk::hal::{Endpoint, Security};
///
/// let identity = Identity::new("PRODUCTID0", "lamp").expect("both are short enough");
/// let setup = Setup {
///     endpoint: Endpoint {
///         host: "localhost".to_owned(),
///         port: 1883,
///         security: Security::None,
///         handshake_timeout_ms: 5000,
///     },
///     # #[cfg(feature = "websocket-mqtt")]
///     over_websocket: false,
///     proof: Proof::Password(b"the device secret".to_vec()),
///     config: Config {
///         client_id: identity.client_id(),
///         keep_alive_s: 240,
///         clean_session: true,
///         command_timeout_ms: 5000,
///         auto_connect: true,
///     },
///     listener: None,
///     attachment: Box::new(()),
///     identity,
/// };
/// let client = Client::offline(Arc::new(HalPlatform::new()), setup);
/// client.connect().expect("there is a broker");
/// client.publish("lamp/state", QoS::AtLeastOnce, b"on").expect("the connection is up");
/// client.yield_for(100).expect("and stays up");
/// ```
pub struct Client {
    platform: Arc<dyn Platform>,
    setup: Setup,
    session: Mutex<Session<Arc<dyn Subscriber>>>,
    transport: Mutex<Option<Arc<dyn Transport>>>,
    outgoing: Mutex<sending::Outgoing>,
    reconnect: Mutex<Option<connect::Reconnect>>,
    pump: Arc<pump::Token>,
    wake: pump::Wake,
    rest: rest::Rest,
    transfers: Transfers,
    /// The thread that fetched last, 0 for none.
    #[cfg(feature = "multithread")]
    fetcher: AtomicU64,
    poll_budget: Mutex<PollBudget>,
    #[cfg(feature = "inbox")]
    reconnects: AtomicU32,
    #[cfg(any(feature = "remote-config-mqtt", feature = "rrpc", feature = "ssh"))]
    keepsakes: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
    last_fault: Mutex<Option<Error>>,
    #[cfg(feature = "log-upload")]
    attendant: OnceLock<Attendant>,
    #[cfg(feature = "multithread")]
    pump_loop: pump_loop::PumpLoop,
}

/// Told what driving a client came to: after each call of the program and each turn of the loop thread.
#[cfg(feature = "log-upload")]
pub type Attendant = fn(&Result<Driven, Error>);

impl Client {
    /// A client without a connection.
    #[must_use]
    pub fn offline(platform: Arc<dyn Platform>, setup: Setup) -> Arc<Client> {
        // Only the low bits count: packet ids have 16.
        let first_id = platform.random() as u16;
        Arc::new(Client {
            session: Mutex::new(Session::new(setup.config.clone(), first_id)),
            setup,
            platform,
            transport: Mutex::new(None),
            outgoing: Mutex::new(sending::Outgoing::default()),
            reconnect: Mutex::new(None),
            pump: Arc::new(pump::Token::new()),
            wake: pump::Wake::new(),
            rest: rest::Rest::new(),
            transfers: Transfers::default(),
            #[cfg(feature = "multithread")]
            fetcher: AtomicU64::new(0),
            poll_budget: Mutex::new(PollBudget::default()),
            #[cfg(feature = "inbox")]
            reconnects: AtomicU32::new(0),
            #[cfg(any(feature = "remote-config-mqtt", feature = "rrpc", feature = "ssh"))]
            keepsakes: Mutex::new(Vec::new()),
            last_fault: Mutex::new(None),
            #[cfg(feature = "log-upload")]
            attendant: OnceLock::new(),
            #[cfg(feature = "multithread")]
            pump_loop: pump_loop::PumpLoop::new(),
        })
    }

    /// Publishes. Returns the packet id (0 for QoS 0).
    ///
    /// # Errors
    /// What stands in the way (behaviour.md section 3).
    pub fn publish(&self, topic: &str, qos: QoS, payload: &[u8]) -> Result<u16, Error> {
        self.publish_retained(topic, qos, payload, false)
    }

    /// Publishes, and asks the server to keep the message for later subscribers if `retain`.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_retained(&self, topic: &str, qos: QoS, payload: &[u8], retain: bool) -> Result<u16, Error> {
        let now = self.platform.now();
        let id = self.session.lock().publish(now, topic, payload, qos, retain)?;
        trace::publish(id, topic, payload);
        self.sent(id)
    }

    /// Publishes with QoS 1 and keeps the message until it is acknowledged, over reconnects; it may be handed over while
    /// the link is down. Returns the packet id. The caller is not held: what the server does not take at once goes out
    /// as the client is driven.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); down, only where the link will not come back by itself.
    pub fn publish_kept(&self, topic: &str, payload: &[u8]) -> Result<u16, Error> {
        let now = self.platform.now();
        let id = self.session.lock().publish_kept(now, topic, payload)?;
        trace::publish(id, topic, payload);
        // Kept, whatever becomes of this link.
        let _ = self.flush_until(now);
        Ok(id)
    }

    /// Whether the message that [`publish_kept`](Self::publish_kept) gave this id waits for its acknowledgement.
    #[cfg(feature = "upgrade")]
    pub(crate) fn is_kept(&self, id: u16) -> bool {
        self.session.lock().is_kept(id)
    }

    /// Publishes with QoS 0 what is of use only now: the caller is not held, as in [`publish_kept`](Self::publish_kept).
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_without_waiting(&self, topic: &str, payload: &[u8]) -> Result<u16, Error> {
        let now = self.platform.now();
        let id = self.session.lock().publish(now, topic, payload, QoS::AtMostOnce, false)?;
        trace::publish(id, topic, payload);
        self.flush_until(now)?;
        Ok(id)
    }

    /// Subscribes. Returns the packet id.
    ///
    /// # Errors
    /// What stands in the way (behaviour.md section 3).
    pub fn subscribe(&self, filter: &str, qos: QoS, subscriber: Arc<dyn Subscriber>) -> Result<u16, Error> {
        let now = self.platform.now();
        let same =
            |a: &Arc<dyn Subscriber>, b: &Arc<dyn Subscriber>| a.handlers().is_some() && a.handlers() == b.handlers();
        let id = self.session.lock().subscribe(now, filter, qos, subscriber, same)?;
        trace::subscribe(id, filter);
        self.sent(id)
    }

    /// Removes a subscription, which hears of it before this returns, and tells the server.
    ///
    /// # Errors
    /// What stands in the way (behaviour.md section 3).
    pub fn unsubscribe(self: &Arc<Self>, filter: &str) -> Result<u16, Error> {
        let now = self.platform.now();
        let (result, removed) = {
            let mut session = self.session.lock();
            (session.unsubscribe(now, filter), session.take_removed())
        };
        for subscriber in removed {
            subscriber.event(self, SubscriptionEvent::Removed);
        }
        self.sent(result?)
    }

    /// Subscribes for a service of the library: it does not count among the program's ten, and several services may
    /// share one filter. Each hears of its own SUBACK.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_for_service(
        &self,
        filter: &str,
        qos: QoS,
        subscriber: Arc<dyn Subscriber>,
    ) -> Result<ServiceSubscription, Error> {
        let now = self.platform.now();
        let subscribed = self.session.lock().subscribe_for_service(now, filter, qos, subscriber);
        let (id, key) = subscribed?;
        trace::subscribe(id, filter);
        self.sent(id)?;
        Ok(ServiceSubscription(key))
    }

    /// Removes a service's subscription, which hears nothing more. The server is told where nobody else has the same
    /// filter, the program where the subscriber tells it. Returns the packet id, if there is one.
    pub fn unsubscribe_for_service(&self, subscription: ServiceSubscription, tells_program: bool) -> Option<u16> {
        let now = self.platform.now();
        let sent = self.session.lock().unsubscribe_for_service(now, subscription.0, tells_program);
        if let Some(id) = sent {
            // Best effort: the next connection does without it.
            let _ = self.sent(id);
        }
        sent
    }

    /// Has a service told of time and links ([`Subscriber::expire`], [`Subscriber::link_restored`]) and of the client's end,
    /// with a subscription or without.
    #[cfg(any(feature = "log-upload", feature = "shadow"))]
    pub fn attach_service(&self, service: Arc<dyn Subscriber>) {
        self.session.lock().attach(service);
    }

    /// Whether the SUBACK for a service's subscription is in.
    pub fn is_ready(&self, subscription: ServiceSubscription) -> bool {
        self.session.lock().is_ready(subscription.0)
    }

    /// Whether the SUBACK for `filter` is in.
    pub fn is_subscribed(&self, filter: &str) -> bool {
        self.session.lock().is_subscribed(filter)
    }

    /// The mark of the program's first subscription to `filter` that has a `T` for one.
    #[cfg(feature = "inbox")]
    pub(crate) fn find_marked<T: Any + Send + Sync>(&self, filter: &str) -> Option<Arc<T>> {
        let marked = |subscriber: &Arc<dyn Subscriber>| subscriber.mark()?.downcast::<T>().ok();
        self.session.lock().find_subscription(filter, marked)
    }

    /// Whether the connection is up.
    pub fn is_connected(&self) -> bool {
        self.session.lock().link() == LinkState::Up
    }

    /// What a service keeps with the client for as long as that lives: one of each kind, which begins as its default. It must
    /// not hold the client.
    #[cfg(any(feature = "remote-config-mqtt", feature = "rrpc", feature = "ssh"))]
    pub(crate) fn keepsake<T: Any + Send + Default>(&self) -> Arc<Mutex<T>> {
        let mut keepsakes = self.keepsakes.lock();
        let found = keepsakes.iter().find_map(|known| known.clone().downcast::<Mutex<T>>().ok());
        found.unwrap_or_else(|| {
            let keepsake = Arc::new(Mutex::new(T::default()));
            keepsakes.push(keepsake.clone());
            keepsake
        })
    }

    /// How often the link was made again, for [`link_lost`](Self::link_lost).
    #[cfg(feature = "inbox")]
    pub(crate) fn reconnects(&self) -> u32 {
        self.reconnects.load(Ordering::Acquire)
    }

    /// Whether the link has been lost since there were so many `reconnects`, and how it is now: about to be made again, or
    /// down for good. An answer to what was sent before does not come then.
    #[cfg(feature = "inbox")]
    pub(crate) fn link_lost(&self, reconnects: u32) -> Option<Error> {
        match self.session.lock().link() {
            LinkState::Up if self.reconnects() == reconnects => None,
            LinkState::Down | LinkState::Closed => Some(Error::NotConnected),
            _ => Some(Error::Reconnecting),
        }
    }

    /// Takes back the SUBSCRIBE with this packet id, which was lost with its link: the next connection does not repeat it.
    #[cfg(feature = "inbox")]
    pub(crate) fn withdraw(&self, id: u16) {
        self.session.lock().withdraw(id);
    }

    /// Has `attendant` told what driving this client comes to, from now on. The first one stays.
    #[cfg(feature = "log-upload")]
    pub fn set_attendant(&self, attendant: Attendant) {
        let _ = self.attendant.set(attendant);
    }

    /// Tells the attendant what a call of the program that drives this client came to. Where a loop thread drives it, that
    /// thread tells.
    #[cfg(feature = "log-upload")]
    pub fn attend(&self, driven: &Result<Driven, Error>) {
        #[cfg(feature = "multithread")]
        if self.is_left_to_loop() {
            return;
        }
        if let Some(attendant) = self.attendant.get() {
            attendant(driven);
        }
    }

    /// Tells the client that a download or an upload begins to run or ends: in between, `yield_for` handles what is readable now
    /// and returns (behaviour.md section 3). Each beginning needs one end.
    pub fn set_transfer_running(&self, is_running: bool) {
        self.transfers.set_running(is_running);
        if is_running {
            self.stir();
        }
    }

    /// Tells the client that the calling thread fetches firmware now: while a loop thread drives the client, `yield_for`
    /// holds every other thread for its time, but not this one (behaviour.md section 3).
    pub fn note_fetch(&self) {
        #[cfg(feature = "multithread")]
        self.fetcher.store(pump::this_thread(), Ordering::Relaxed);
    }

    /// The platform this client runs on.
    pub fn platform(&self) -> &Arc<dyn Platform> {
        &self.platform
    }

    /// Who the device is.
    pub fn identity(&self) -> &Identity {
        &self.setup.identity
    }

    /// What the C surface keeps with the client.
    pub fn attachment(&self) -> &(dyn Any + Send + Sync) {
        &*self.setup.attachment
    }

    /// Ends the connection and tells every subscription. The client stays usable for whoever still holds it; every
    /// call says that it is not connected.
    pub fn destroy(self: &Arc<Self>) {
        #[cfg(feature = "ssh")]
        {
            let services = self.session.lock().services();
            services.iter().for_each(|service| service.client_ends(self));
        }
        #[cfg(feature = "multithread")]
        self.stop_loop();
        let (subscribers, unheard) = {
            let mut session = self.session.lock();
            let unheard = session.kept();
            (session.close(), unheard)
        };
        if unheard > 0 {
            log::warn!(target: "IOT_MQTT_Destroy", "{unheard} results were not acknowledged by the server");
        }
        // Best effort: without its DISCONNECT the server notices the end by itself.
        let _ = self.flush();
        let attempt = self.reconnect.lock().take();
        drop(attempt);
        let closed = self.transport.lock().take();
        drop(closed);
        self.stir();
        log::info!(target: "IOT_MQTT_Destroy", "mqtt disconnect!");
        for subscriber in subscribers {
            subscriber.event(self, SubscriptionEvent::ClientDestroyed);
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "websocket-mqtt"))]
mod websocket_tests;
