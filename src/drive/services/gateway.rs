//! A gateway's calls about the devices behind it (gateway.md section 2).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use iot_engine::identity::Identity;
use iot_engine::services::gateway::message::Proof;
#[cfg(feature = "abi-3-3")]
use iot_engine::services::gateway::notice;
use iot_engine::services::gateway::{
    topics, Bound, Hindrance, Operation, Outcome, Received, Session, Ticket, ANSWER_TIMEOUT_MS,
};

use super::channel::{drive_until, Channel, Ended, Service, Terms};
use crate::drive::error::Error;
#[cfg(feature = "abi-3-3")]
use crate::drive::mqtt::Notice;
use crate::drive::mqtt::{Client, QoS};
use crate::hal::sync::Mutex;

const FUNCTION: &str = "gateway_message";

/// The client ends the wait after its command time-out, which is at most 20 s.
const TERMS: Terms = Terms { qos: QoS::AtLeastOnce, limit_ms: 30_000, asks: 1 };

/// Why a call about a sub-device brought no answer of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// The sub-device is online already.
    AlreadyOnline,
    /// The sub-device was not put online.
    NotOnline,
    /// Too many requests wait for their answers.
    TooMany,
    /// The request could not be sent.
    NotSent(Error),
    /// No answer came in time, or the link went for good.
    NoAnswer(Ended),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::AlreadyOnline => f.write_str("the device is online already"),
            Unanswered::NotOnline => f.write_str("the device was not put online"),
            Unanswered::TooMany => f.write_str("too many requests wait for their answers"),
            Unanswered::NotSent(error) => write!(f, "the request could not be sent: {error}"),
            Unanswered::NoAnswer(ended) => write!(f, "no answer of the cloud: {ended}"),
        }
    }
}

/// The part of a gateway that the cloud's messages reach.
struct Subdevices {
    session: Mutex<Session>,
    operation_topic: String,
    /// Whether the gateway stands: the program hears nothing of its subscription before.
    is_built: AtomicBool,
}

impl Subdevices {
    /// Takes in what the cloud tells unasked, answers it, and tells the program. Whether it was that; 3.2.3 knows nothing of it.
    #[cfg(feature = "abi-3-3")]
    fn noticed(&self, client: &Arc<Client>, payload: &[u8]) -> bool {
        let Some(notice) = notice::parse(payload) else {
            return false;
        };
        self.session.lock().noticed(&notice);
        if let Err(error) = client.publish_without_waiting(&self.operation_topic, notice.answer().as_bytes()) {
            log::warn!(target: FUNCTION, "the cloud was not answered: {error}");
        }
        match notice {
            notice::Notice::Search(status) => client.notify(Notice::GatewaySearch(status)),
            notice::Notice::UnbindAll => client.notify(Notice::GatewayUnbindAll),
            notice::Notice::Change(..) => {}
        }
        true
    }

    #[cfg(not(feature = "abi-3-3"))]
    #[allow(clippy::unused_self)]
    fn noticed(&self, _client: &Arc<Client>, _payload: &[u8]) -> bool {
        false
    }
}

impl Service for Subdevices {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        if self.noticed(client, payload) {
            return;
        }
        let received = self.session.lock().receive(payload);
        let len = payload.len();
        match received {
            Received::Answer => {}
            Received::Unasked => log::info!(target: FUNCTION, "nobody waits for the answer of {len} bytes on {topic}"),
            Received::BadResult => {
                log::error!(target: FUNCTION, "the result in a message of {len} bytes is no integer of 32 bits");
            }
            Received::NoAnswer(why) => log::error!(target: FUNCTION, "message of {len} bytes ignored: {why}"),
        }
    }

    fn link_restored(&self, client: &Arc<Client>, _session_present: bool) {
        let texts = self.session.lock().link_restored();
        for text in texts {
            if let Err(error) = client.publish_without_waiting(&self.operation_topic, text.as_bytes()) {
                log::warn!(target: FUNCTION, "a request was not sent again: {error}");
            }
        }
    }

    fn tells_program(&self) -> bool {
        self.is_built.load(Ordering::Relaxed)
    }
}

/// A gateway over its MQTT client. May be used from several threads.
pub struct Gateway {
    client: Arc<Client>,
    channel: Channel<Subdevices>,
    subdevices: Arc<Subdevices>,
}

impl Gateway {
    /// Subscribes to the gateway's result topic. Drives the client while it waits for the SUBACK, up to its command time-out.
    ///
    /// # Errors
    /// Why there is no subscription. The client stays as it is.
    pub fn new(client: Arc<Client>) -> Result<Self, Ended> {
        let topics = topics(client.identity());
        let subdevices = Arc::new(Subdevices {
            session: Mutex::new(Session::default()),
            operation_topic: topics.operation,
            is_built: AtomicBool::new(false),
        });
        let channel = Channel::open(&client, &topics.result, subdevices.clone(), TERMS)?;
        subdevices.is_built.store(true, Ordering::Relaxed);
        Ok(Gateway { client, channel, subdevices })
    }

    /// The gateway's MQTT client.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Ends the subscription.
    pub fn close(&self) {
        self.channel.close();
    }

    /// Has the cloud do `operation` with `device`, and drives the client until it has answered, up to 20 s. `gateway` is
    /// who asks; `proof` goes with [`Operation::Bind`]. Returns the cloud's result, 0 for success.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn ask(
        &self,
        gateway: &Identity,
        operation: Operation,
        device: &Identity,
        proof: Option<&Proof>,
    ) -> Result<i32, Unanswered> {
        let outcome =
            self.exchange(gateway, |session| session.ask(self.client.platform().now(), operation, device, proof))?;
        match outcome {
            Outcome::Result(result) => Ok(result),
            Outcome::List(_) => Err(Unanswered::NoAnswer(Ended::TimedOut)),
        }
    }

    /// The sub-devices that are bound to `gateway`, in the order of the cloud's answer.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn bound(&self, gateway: &Identity) -> Result<Vec<Bound>, Unanswered> {
        match self.exchange(gateway, |session| session.ask_for_list(self.client.platform().now()))? {
            Outcome::List(bound) => Ok(bound),
            Outcome::Result(_) => Err(Unanswered::NoAnswer(Ended::TimedOut)),
        }
    }

    fn exchange(
        &self,
        gateway: &Identity,
        mut begin: impl FnMut(&mut Session) -> Result<(Ticket, String), Hindrance>,
    ) -> Result<Outcome, Unanswered> {
        if !self.client.is_connected() {
            return Err(Unanswered::NotSent(Error::NotConnected));
        }
        let now = || self.client.platform().now();
        let session = &self.subdevices.session;
        let begun = drive_until(&self.client, now() + ANSWER_TIMEOUT_MS, || match begin(&mut session.lock()) {
            Err(Hindrance::Busy) => None,
            begun => Some(begun),
        });
        let (ticket, text) = match begun.map_err(Unanswered::NoAnswer)? {
            Ok(begun) => begun,
            Err(Hindrance::AlreadyOnline) => return Err(Unanswered::AlreadyOnline),
            Err(Hindrance::NotOnline) => return Err(Unanswered::NotOnline),
            Err(Hindrance::Busy | Hindrance::Full) => return Err(Unanswered::TooMany),
        };
        let deadline = now() + ANSWER_TIMEOUT_MS;
        let outcome = self.published(gateway, &text).and_then(|()| {
            drive_until(&self.client, deadline, || session.lock().take_outcome(ticket)).map_err(Unanswered::NoAnswer)
        });
        outcome.or_else(|why| {
            let mut session = session.lock();
            // Another thread may have taken it in while this one learned of the end of the link. What is known of the device
            // has changed by it.
            session.take_outcome(ticket).ok_or_else(|| {
                session.give_up(ticket);
                why
            })
        })
    }

    fn published(&self, gateway: &Identity, text: &str) -> Result<(), Unanswered> {
        // The topic is that of the gateway which the program names, whoever the client is (gateway.md section 2).
        let topic = topics(gateway).operation;
        self.client.publish(&topic, QoS::AtMostOnce, text.as_bytes()).map(|_| ()).map_err(Unanswered::NotSent)
    }
}

#[cfg(test)]
mod tests;
