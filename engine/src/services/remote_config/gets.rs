//! Who waits for a configuration. A reply does not say whose it is: it is for whoever has waited longest.

/// Names one that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Its reply is being handed to the program.
    Claimed,
    Answered,
}

/// Those of one client, the longest wait first.
#[derive(Debug, Default)]
pub struct Gets {
    next: u64,
    known: Vec<(Ticket, State)>,
}

impl Gets {
    /// One asks. The request must go out after this: a reply may come at once.
    pub fn begin(&mut self) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.known.push((ticket, State::Waiting));
        ticket
    }

    /// A reply came: whom it is for. It is to be handed on, and then [`answered`](Self::answered).
    pub fn claim(&mut self) -> Option<Ticket> {
        let (ticket, state) = self.known.iter_mut().find(|(_, state)| *state == State::Waiting)?;
        *state = State::Claimed;
        Some(*ticket)
    }

    /// The program has the reply for this one, if it still waits.
    pub fn answered(&mut self, ticket: Ticket) {
        if let Some((_, state)) = self.known.iter_mut().find(|(known, _)| *known == ticket) {
            *state = State::Answered;
        }
    }

    /// Whether this one has its reply.
    #[must_use]
    pub fn is_answered(&self, ticket: Ticket) -> bool {
        self.known.contains(&(ticket, State::Answered))
    }

    /// This one waits no longer.
    pub fn end(&mut self, ticket: Ticket) {
        self.known.retain(|(known, _)| *known != ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_is_for_the_longest_wait_that_has_none() {
        let mut gets = Gets::default();
        assert_eq!(gets.claim(), None);
        let (first, second) = (gets.begin(), gets.begin());
        assert_eq!(gets.claim(), Some(first));
        assert!(!gets.is_answered(first), "the program has not seen it yet");
        assert_eq!(gets.claim(), Some(second));
        assert_eq!(gets.claim(), None);
        gets.answered(second);
        assert!(gets.is_answered(second) && !gets.is_answered(first));
        gets.answered(first);
        assert!(gets.is_answered(first));
    }

    #[test]
    fn one_that_was_given_up_gets_nothing() {
        let mut gets = Gets::default();
        let (first, second) = (gets.begin(), gets.begin());
        assert_eq!(gets.claim(), Some(first));
        gets.end(first);
        gets.answered(first);
        assert!(!gets.is_answered(first));
        assert_eq!(gets.claim(), Some(second));
        gets.end(second);
        assert_eq!(gets.claim(), None);
        assert_ne!(gets.begin(), first);
    }
}
