//! One question and its answer, for a call that asks the cloud once and waits.

use super::exchange::{Exchange, Settled};
use crate::time::Millis;

/// An answer and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered<A> {
    /// What the cloud said.
    pub answer: A,
    /// From sending the question to receiving the answer, in milliseconds.
    pub round_trip_ms: u64,
}

/// A question. The first answer that comes after it was sent counts.
#[derive(Debug)]
pub struct Question<A> {
    /// With the moment the question was sent.
    exchange: Exchange<(), Millis>,
    answered: Option<Answered<A>>,
}

impl<A> Default for Question<A> {
    fn default() -> Self {
        Question { exchange: Exchange::with_room(1), answered: None }
    }
}

impl<A> Question<A> {
    /// The question is sent now. Sent again before the answer came, the first time still counts.
    pub fn ask(&mut self, now: Millis) {
        // Refused is only what waits already. Whoever waits has a limit of his own.
        let _ = self.exchange.begin(now, (), u64::MAX, now);
    }

    /// An answer came. One that nobody has asked for, or not any more, is dropped.
    pub fn receive(&mut self, now: Millis, answer: A) {
        if let Settled::Answered(asked) = self.exchange.settle(&()) {
            self.answered = Some(Answered { answer, round_trip_ms: now.since(asked) });
        }
    }

    /// The answer, once it is in. It can be taken once.
    pub fn take_answer(&mut self) -> Option<Answered<A>> {
        self.answered.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_trip_is_from_the_question_to_the_first_answer() {
        let mut question = Question::default();
        question.receive(Millis(90), "before the question");
        question.ask(Millis(100));
        question.ask(Millis(120));
        assert_eq!(question.take_answer(), None);
        question.receive(Millis(153), "first");
        question.receive(Millis(160), "second");
        assert_eq!(question.take_answer(), Some(Answered { answer: "first", round_trip_ms: 53 }));
        assert_eq!(question.take_answer(), None);
    }
}
