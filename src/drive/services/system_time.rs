//! Asks the cloud for the time over an MQTT client (behaviour.md section 7).

use std::sync::Arc;

use iot_engine::services::question::Answered;
use iot_engine::services::system_time::message::{parse, REQUEST};
use iot_engine::services::system_time::{topics, Answer, ANSWER_TIMEOUT_MS};

use super::question::{self, Inquiry};
use crate::drive::error::Error;
use crate::drive::mqtt::Client;

/// Asks the cloud for the time. Drives the client while it waits, up to 2 s for the subscription and 2 s for the answer.
/// The subscription is taken back afterwards.
///
/// # Errors
/// Why the client can't subscribe, publish or go on; [`Error::NoAnswer`] when no answer came in time.
pub fn ask(client: &Arc<Client>) -> Result<Answered<Answer>, Error> {
    let topics = topics(client.identity());
    let inquiry = Inquiry {
        service: "system_time",
        answers: &topics.result,
        questions: &topics.operation,
        text: REQUEST,
        each_ms: ANSWER_TIMEOUT_MS,
        both_ms: 2 * ANSWER_TIMEOUT_MS,
    };
    question::ask(client, &inquiry, parse)
}

#[cfg(test)]
mod tests;
