//! Asks the cloud one question and waits for the answer: all that a service with one call has to do on a client.

use std::sync::Arc;

use iot_engine::services::question::{Answered, Question};

use super::channel::{drive_until, Channel, Service, Terms};
use crate::drive::error::Error;
use crate::drive::mqtt::{Client, QoS};
use crate::hal::sync::Mutex;

/// What to ask, and where. Both topics are used with QoS 0.
pub(crate) struct Inquiry<'a> {
    /// Which service asks, for the log.
    pub service: &'static str,
    /// Where the answer comes.
    pub answers: &'a str,
    /// Where the question goes.
    pub questions: &'a str,
    /// The question.
    pub text: &'a str,
    /// How long to wait for the subscription, and how long for the answer, in milliseconds.
    pub each_ms: u64,
    /// How long to wait for both together.
    pub both_ms: u64,
}

/// The question that waits, and how an answer to it is read.
struct Waiting<A, P> {
    service: &'static str,
    question: Mutex<Question<A>>,
    parse: P,
}

impl<A, P> Service for Waiting<A, P>
where
    A: Send + 'static,
    P: Fn(&[u8]) -> Option<A> + Send + Sync + 'static,
{
    fn message(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        // Driving may go on for a while after the answer has come: its time is taken here.
        let now = client.platform().now();
        match (self.parse)(payload) {
            Some(answer) => self.question.lock().receive(now, answer),
            None => log::warn!(target: self.service, "a message of {} bytes on {topic} is no answer", payload.len()),
        }
    }
}

/// Asks, and drives the client while it waits. `parse` reads the answer; what it gives `None` for is no answer to this
/// question. The subscription is taken back afterwards.
///
/// # Errors
/// Why the client can't subscribe, publish or go on; [`Error::NoAnswer`] when no answer came in time.
pub(crate) fn ask<A: Send + 'static>(
    client: &Arc<Client>,
    inquiry: &Inquiry<'_>,
    parse: impl Fn(&[u8]) -> Option<A> + Send + Sync + 'static,
) -> Result<Answered<A>, Error> {
    let now = || client.platform().now();
    let deadline = now() + inquiry.both_ms;
    let Inquiry { service, each_ms, .. } = *inquiry;
    let waiting = Arc::new(Waiting { service, question: Mutex::new(Question::default()), parse });
    let terms = Terms { qos: QoS::AtMostOnce, limit_ms: each_ms.min(inquiry.both_ms), asks: 1 };
    let _channel = Channel::open(client, inquiry.answers, waiting.clone(), terms)?;
    let asked = now();
    waiting.question.lock().ask(asked);
    client.publish(inquiry.questions, QoS::AtMostOnce, inquiry.text.as_bytes())?;
    Ok(drive_until(client, deadline.min(asked + each_ms), || waiting.question.lock().take_answer())?)
}

#[cfg(test)]
mod tests;
