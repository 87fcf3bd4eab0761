//! Configuration that the cloud keeps for a product (messaging.md section 3).

use std::fmt;
use std::sync::Arc;

use iot_engine::services::remote_config::message::{parse, REQUEST};
use iot_engine::services::remote_config::{topics, Gets};

use super::channel::Ended;
use super::inbox::{self, NotSubscribed, Receiver};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};

const FUNCTION: &str = "config_message";

/// Where the program wants its configurations. Called with no lock held, on the thread that pumps.
pub trait Destination: Send + Sync + 'static {
    /// The room for a text and its NUL, in bytes.
    fn room(&self) -> usize;

    /// A configuration came, which fits. `result` is the cloud's.
    fn take(&self, client: &Arc<Client>, result: i32, text: &[u8]);
}

/// Why no configuration came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReply {
    /// There is no subscription.
    NotSubscribed,
    /// The question could not be sent.
    NotSent(Error),
    /// No reply came in time.
    TimedOut,
    /// The link was lost meanwhile.
    LinkLost(Error),
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoReply::NotSubscribed => f.write_str("there is no subscription: call IOT_Subscribe_Config first"),
            NoReply::NotSent(error) => write!(f, "the question could not be sent: {error}"),
            NoReply::TimedOut => f.write_str("no reply in time"),
            NoReply::LinkLost(error) => write!(f, "the link was lost: {error}"),
        }
    }
}

struct Configurations<D>(D);

impl<D: Destination> Receiver for Configurations<D> {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        let configuration = match parse(payload) {
            Ok(configuration) => configuration,
            Err(why) => {
                log::error!(target: FUNCTION, "message of {} bytes on {topic} ignored: {why}", payload.len());
                return;
            }
        };
        let (len, room) = (configuration.text.len(), self.0.room());
        if len >= room {
            log::error!(target: FUNCTION, "a configuration of {len} bytes and a NUL has no room in {room} bytes: dropped");
            return;
        }
        let gets = client.keepsake::<Gets>();
        let claimed = if configuration.is_reply { gets.lock().claim(client.reconnects()) } else { None };
        self.0.take(client, configuration.result, configuration.text);
        // The call returns when the program has seen it.
        if let Some(ticket) = claimed {
            gets.lock().answered(ticket);
        }
    }
}

/// Has configurations go to `destination`, which replaces the one before. Drives the client until the server has answered,
/// up to `limit_ms`. Returns the packet id.
///
/// # Errors
/// Why there is no subscription. Except where the time is over, `destination` is not used any more.
pub fn subscribe<D: Destination>(client: &Arc<Client>, destination: D, limit_ms: u64) -> Result<u16, NotSubscribed> {
    let topic = topics(client.identity()).result;
    inbox::subscribe(client, &topic, QoS::AtMostOnce, Arc::new(Configurations(destination)), limit_ms)
}

/// Asks for the configuration and drives the client until the destination, of the type that [`subscribe`] was called with,
/// has the reply, up to `limit_ms`.
///
/// # Errors
/// Why there is no reply. One that comes later goes to the destination all the same.
pub fn get<D: Destination>(client: &Arc<Client>, limit_ms: u64) -> Result<(), NoReply> {
    let topics = topics(client.identity());
    if !inbox::is_subscribed::<Configurations<D>>(client, &topics.result) {
        return Err(NoReply::NotSubscribed);
    }
    let gets = client.keepsake::<Gets>();
    let reconnects = client.reconnects();
    let ticket = gets.lock().begin(reconnects);
    let result = client.publish(&topics.operation, QoS::AtMostOnce, REQUEST.as_bytes()).map_err(NoReply::NotSent);
    let result = result.and_then(|_| {
        let deadline = client.platform().now() + limit_ms;
        let answered = || gets.lock().is_answered(ticket).then_some(());
        inbox::drive_over_one_link(client, reconnects, deadline, answered).map_err(|ended| match ended {
            Ended::NoLink(error) => NoReply::LinkLost(error),
            Ended::Refused | Ended::TimedOut | Ended::Destroyed => NoReply::TimedOut,
        })
    });
    gets.lock().end(ticket);
    result
}

#[cfg(test)]
mod tests;
