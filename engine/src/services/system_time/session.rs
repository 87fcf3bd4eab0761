//! One question for the time and its answer.

use super::message::{self, Answer};
use super::ANSWER_TIMEOUT_MS;
use crate::services::exchange::{Exchange, Settled};
use crate::time::Millis;

/// An answer and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchanged {
    /// What the cloud said.
    pub answer: Answer,
    /// From sending the question to receiving the answer, in milliseconds.
    pub round_trip_ms: u64,
}

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The answer.
    Answer,
    /// An answer, but nobody has asked, or not any more.
    Unasked,
    /// Something else.
    NoAnswer,
}

/// A question for the time. Its answers carry nothing that says which question they are for: the first one counts.
#[derive(Debug)]
pub struct Session {
    /// With the moment the question was sent.
    exchange: Exchange<(), Millis>,
    answer: Option<Exchanged>,
}

impl Default for Session {
    fn default() -> Self {
        Session { exchange: Exchange::with_room(1), answer: None }
    }
}

impl Session {
    /// The question, which is sent now. Asked again before the answer came, the first question still counts.
    pub fn ask(&mut self, now: Millis) -> &'static str {
        // Refused is only what waits already.
        let _ = self.exchange.begin(now, (), ANSWER_TIMEOUT_MS, now);
        message::REQUEST
    }

    /// A message came on the result topic.
    pub fn receive(&mut self, now: Millis, payload: &[u8]) -> Received {
        let Some(answer) = message::parse(payload) else {
            return Received::NoAnswer;
        };
        let Settled::Answered(asked) = self.exchange.settle(&()) else {
            return Received::Unasked;
        };
        self.answer = Some(Exchanged { answer, round_trip_ms: now.since(asked) });
        Received::Answer
    }

    /// The answer, once it is in.
    #[must_use]
    pub fn answer(&self) -> Option<Exchanged> {
        self.answer
    }

    /// When the time for an answer is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        self.exchange.deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = br#"{"type":"get","time":5}"#;

    #[test]
    fn the_round_trip_is_from_the_question_to_the_first_answer() {
        let mut session = Session::default();
        assert_eq!(session.receive(Millis(90), ANSWER), Received::Unasked);
        assert_eq!(session.ask(Millis(100)), r#"{"type": "get", "resource": ["time"]}"#);
        session.ask(Millis(120));
        assert_eq!(session.receive(Millis(140), b"{}"), Received::NoAnswer);
        assert_eq!((session.answer(), session.deadline()), (None, Some(Millis(2_100))));
        assert_eq!(session.receive(Millis(153), ANSWER), Received::Answer);
        assert_eq!(session.receive(Millis(160), br#"{"type":"get","time":6}"#), Received::Unasked);
        let answer = Answer { seconds: 5, received_ms: 5_000, sent_ms: 5_000 };
        assert_eq!(session.answer(), Some(Exchanged { answer, round_trip_ms: 53 }));
    }
}
