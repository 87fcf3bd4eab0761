//! What every service stands on: a subscription of the library's own, and the one loop that drives the client until
//! something holds or the time is over.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use iot_engine::time::Millis;

use crate::drive::error::Error;
use crate::drive::mqtt::{Client, Driven, QoS, ServiceSubscription, Subscriber, SubscriptionEvent};

/// How long to wait at most before looking again: where another thread reads, nobody says that something has come.
const STEP_MS: u64 = 20;

/// Why what was waited for does not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The server refused the subscription.
    Refused,
    /// The time is over.
    TimedOut,
    /// The link is down and will not come back by itself, or the request could not be sent.
    NoLink(Error),
    /// The client was destroyed.
    Destroyed,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Refused => f.write_str("the server refused it"),
            Ended::TimedOut => f.write_str("no answer in time"),
            Ended::NoLink(error) => write!(f, "{error}"),
            Ended::Destroyed => f.write_str("the MQTT client was destroyed"),
        }
    }
}

impl From<Ended> for Error {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Refused | Ended::TimedOut => Error::NoAnswer,
            Ended::NoLink(error) => error,
            Ended::Destroyed => Error::NotConnected,
        }
    }
}

/// What a service does with its channel's news. Called with no lock held, on the thread that pumps. It must not hold the
/// client, which holds it.
pub(crate) trait Service: Send + Sync + 'static {
    /// A message came.
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]);

    /// The server granted the subscription, at first or after a reconnect.
    fn granted(&self) {}

    /// The link is up again. Without `session_present`, what the server sent meanwhile is lost.
    fn link_restored(&self, _client: &Arc<Client>, _session_present: bool) {}

    /// A moment that was given to [`Client::wake_at`], perhaps by another service, has passed: requests that have waited
    /// too long end now. A service with requests left gives the client its next deadline again.
    fn expire(&self, _client: &Arc<Client>, _now: Millis) {}

    /// The client is about to be destroyed, and may be used until this returns.
    #[cfg(feature = "ssh")]
    fn client_ends(&self, _client: &Arc<Client>) {}

    /// The client is being destroyed, and the channel with it.
    fn client_destroyed(&self) {}

    /// Whether the program's global handler hears of the channel's SUBACK and UNSUBACK, as the C SDK's program does of
    /// those of OTA.
    fn tells_program(&self) -> bool {
        false
    }
}

/// How a channel is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Quality of service of the subscription.
    pub qos: QoS,
    /// How long to wait for each SUBACK.
    pub limit_ms: u64,
    /// How often to ask where the server refuses.
    pub asks: u32,
}

/// A subscription that a service has made for itself. It ends when it is closed or dropped, unless it is to stay.
pub(crate) struct Channel<S: Service> {
    client: Arc<Client>,
    subscription: ServiceSubscription,
    inlet: Arc<Inlet<S>>,
    #[cfg(feature = "ssh")]
    stays: bool,
}

/// What the client holds of a channel.
struct Inlet<S> {
    service: Arc<S>,
    /// What became of the subscription. Set once.
    outcome: OnceLock<Result<(), Ended>>,
    /// Messages that arrive later are not for the service.
    closed: AtomicBool,
}

impl<S: Service> Channel<S> {
    /// Subscribes to `filter` and drives the client until the server has granted it. What comes on it goes to `service`.
    ///
    /// # Errors
    /// Nothing is left of the subscription.
    pub(crate) fn open(client: &Arc<Client>, filter: &str, service: Arc<S>, terms: Terms) -> Result<Self, Ended> {
        let mut asked = 1;
        loop {
            match Self::ask(client, filter, service.clone(), terms) {
                Err(Ended::Refused) if asked < terms.asks => asked += 1,
                result => return result,
            }
        }
    }

    fn ask(client: &Arc<Client>, filter: &str, service: Arc<S>, terms: Terms) -> Result<Self, Ended> {
        let channel = Self::begin(client, filter, service, terms.qos).map_err(Ended::NoLink)?;
        let deadline = client.platform().now() + terms.limit_ms;
        drive_until(client, deadline, || channel.outcome().cloned())??;
        Ok(channel)
    }

    /// Subscribes to `filter` and does not wait for the server: [`outcome`](Self::outcome) tells of its answer.
    ///
    /// # Errors
    /// Nothing was sent.
    pub(crate) fn begin(client: &Arc<Client>, filter: &str, service: Arc<S>, qos: QoS) -> Result<Self, Error> {
        let inlet = Arc::new(Inlet { service, outcome: OnceLock::new(), closed: AtomicBool::new(false) });
        let subscription = client.subscribe_for_service(filter, qos, inlet.clone())?;
        Ok(Channel {
            client: client.clone(),
            subscription,
            inlet,
            #[cfg(feature = "ssh")]
            stays: false,
        })
    }

    /// What became of the subscription first; `None` while the server has not answered.
    pub(crate) fn outcome(&self) -> Option<&Result<(), Ended>> {
        self.inlet.outcome.get()
    }

    /// Leaves the subscription to the client, for as long as that lives.
    #[cfg(feature = "ssh")]
    pub(crate) fn stay(mut self) {
        self.stays = true;
    }

    /// Ends the subscription; the service hears nothing more. Returns the packet id, if the server was told.
    pub(crate) fn close(&self) -> Option<u16> {
        if self.inlet.closed.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.client.unsubscribe_for_service(self.subscription, self.inlet.service.tells_program())
    }
}

impl<S: Service> Drop for Channel<S> {
    fn drop(&mut self) {
        #[cfg(feature = "ssh")]
        if self.stays {
            return;
        }
        self.close();
    }
}

impl<S: Service> Subscriber for Inlet<S> {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        if !self.closed.load(Ordering::Acquire) {
            self.service.message(client, topic, payload);
        }
    }

    fn event(&self, _client: &Arc<Client>, event: SubscriptionEvent) {
        if event == SubscriptionEvent::ClientDestroyed && !self.closed.load(Ordering::Acquire) {
            self.service.client_destroyed();
        }
        let outcome = match event {
            SubscriptionEvent::Granted => {
                self.service.granted();
                Ok(())
            }
            SubscriptionEvent::Refused => Err(Ended::Refused),
            SubscriptionEvent::TimedOut => Err(Ended::TimedOut),
            SubscriptionEvent::Removed | SubscriptionEvent::ClientDestroyed => Err(Ended::Destroyed),
        };
        // The first outcome counts. A subscription that the server refuses later is asked for again by the client.
        let _ = self.outcome.set(outcome);
    }

    fn link_restored(&self, client: &Arc<Client>, session_present: bool) {
        if !self.closed.load(Ordering::Acquire) {
            self.service.link_restored(client, session_present);
        }
    }

    fn expire(&self, client: &Arc<Client>, now: Millis) {
        if !self.closed.load(Ordering::Acquire) {
            self.service.expire(client, now);
        }
    }

    #[cfg(feature = "ssh")]
    fn client_ends(&self, client: &Arc<Client>) {
        if !self.closed.load(Ordering::Acquire) {
            self.service.client_ends(client);
        }
    }

    fn tells_program(&self) -> bool {
        self.service.tells_program()
    }
}

/// Drives the client until `look` finds something, at most until `deadline`.
///
/// # Errors
/// `TimedOut`, or `NoLink` as soon as the client will not connect by itself any more.
pub(crate) fn drive_until<T>(
    client: &Arc<Client>,
    deadline: Millis,
    look: impl FnMut() -> Option<T>,
) -> Result<T, Ended> {
    let platform = client.platform();
    let search = RefCell::new((look, None));
    let is_found = || {
        let (look, found) = &mut *search.borrow_mut();
        if found.is_none() {
            *found = look();
        }
        found.is_some()
    };
    let find = || {
        let (look, found) = &mut *search.borrow_mut();
        found.take().or_else(look)
    };
    // Most answers come soon.
    let mut step = 1;
    loop {
        if let Some(found) = find() {
            return Ok(found);
        }
        let before = platform.now();
        let left = before.until(deadline).min(step);
        if left == 0 || platform.is_leaving() {
            return Err(Ended::TimedOut);
        }
        step = (step * 2).min(STEP_MS);
        let driven = client.drive_for(u32::try_from(left).unwrap_or(u32::MAX), &is_found);
        if matches!(driven, Err(Error::NotConnected) | Ok(Driven::Closed)) {
            // What came before the end still counts.
            return find().ok_or(Ended::NoLink(Error::NotConnected));
        }
        // While a download runs, or while the link is down, driving may return at once.
        if platform.now() <= before {
            platform.sleep(1);
        }
    }
}

#[cfg(test)]
mod tests;
