//! Requests of the cloud that the device answers (messaging.md section 2).

use std::fmt;
use std::sync::Arc;

use iot_engine::services::rrpc::{answer_topic, filter, id_of, MAX_ID_LEN, SUBACK_TIMEOUT_MS};

use super::inbox::{self, Handler, NotSubscribed, Receiver};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};

const FUNCTION: &str = "rrpc_message";

/// Why an answer did not go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAnswered {
    /// No request has come.
    NoRequest,
    /// The answer could not be sent.
    NotSent(Error),
}

impl fmt::Display for NotAnswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAnswered::NoRequest => f.write_str("no request has come"),
            NotAnswered::NotSent(error) => write!(f, "the answer could not be sent: {error}"),
        }
    }
}

/// The id of the client's last request. It outlives the subscription: a request may be answered after that.
#[derive(Default)]
struct LastRequest(Option<String>);

struct Requests(Handler);

impl Receiver for Requests {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        let Some(id) = id_of(topic) else {
            log::error!(target: FUNCTION, "request dropped: the id in {topic} is not of 1 to {MAX_ID_LEN} bytes");
            return;
        };
        client.keepsake::<LastRequest>().lock().0 = Some(id.to_owned());
        (self.0)(client, payload);
    }
}

/// Has `handler` called with the requests of the cloud. Drives the client until the server has granted the subscription,
/// up to 1.5 s. Where it has already, nothing is sent and the handler replaces the one before.
///
/// # Errors
/// Why there is no subscription. An answer that comes after the time still makes it.
pub fn subscribe(client: &Arc<Client>, handler: Handler) -> Result<(), NotSubscribed> {
    let receiver = Arc::new(Requests(handler));
    inbox::subscribe_once(client, &filter(client.identity()), QoS::AtMostOnce, receiver, SUBACK_TIMEOUT_MS)
}

/// Answers the client's last request.
///
/// # Errors
/// Nothing was sent.
pub fn answer(client: &Arc<Client>, text: &[u8]) -> Result<(), NotAnswered> {
    let id = client.keepsake::<LastRequest>().lock().0.clone().ok_or(NotAnswered::NoRequest)?;
    let topic = answer_topic(client.identity(), &id);
    client.publish(&topic, QoS::AtMostOnce, text).map(drop).map_err(NotAnswered::NotSent)
}

#[cfg(test)]
mod tests;
