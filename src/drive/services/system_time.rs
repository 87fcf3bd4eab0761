//! Asks the cloud for the time over an MQTT client (behaviour.md section 7).

use std::sync::Arc;

use iot_engine::services::system_time::{Exchanged, Received, Session, Topics, ANSWER_TIMEOUT_MS};

use super::channel::{drive_until, Channel, Service, Terms};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};
use crate::hal::sync::Mutex;

const TERMS: Terms = Terms { qos: QoS::AtMostOnce, limit_ms: ANSWER_TIMEOUT_MS, asks: 1 };

/// One question.
struct Question(Mutex<Session>);

impl Service for Question {
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        // Driving may go on for a while after the answer has come: its time is taken here.
        let now = client.platform().now();
        if self.0.lock().receive(now, payload) == Received::NoAnswer {
            log::warn!(target: "system_time", "a message of {} bytes on {topic} is no answer", payload.len());
        }
    }
}

/// Asks the cloud for the time. Drives the client while it waits, up to 2 s for the subscription and 2 s for the answer.
/// The subscription is taken back afterwards.
///
/// # Errors
/// Why the client can't subscribe, publish or go on; [`Error::NoAnswer`] when no answer came in time.
pub fn ask(client: &Arc<Client>) -> Result<Exchanged, Error> {
    let topics = Topics::of(client.identity());
    let question = Arc::new(Question(Mutex::new(Session::default())));
    let _channel = Channel::open(client, &topics.result, question.clone(), TERMS)?;
    let now = client.platform().now();
    let (text, deadline) = {
        let mut session = question.0.lock();
        (session.ask(now), session.deadline())
    };
    client.publish(&topics.request, QoS::AtMostOnce, text.as_bytes())?;
    Ok(drive_until(client, deadline.unwrap_or(now), || question.0.lock().answer())?)
}

#[cfg(test)]
mod tests;
