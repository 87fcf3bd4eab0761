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

#[derive(Debug)]
struct Get {
    ticket: Ticket,
    /// The connection that the question went out on.
    link: u32,
    state: State,
}

/// Those of one client, the longest wait first.
#[derive(Debug, Default)]
pub struct Gets {
    next: u64,
    known: Vec<Get>,
}

impl Gets {
    /// One asks, on the connection with this number. The request must go out after this: a reply may come at once.
    pub fn begin(&mut self, link: u32) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.known.push(Get { ticket, link, state: State::Waiting });
        ticket
    }

    /// A reply came over this connection: whom it is for. It is to be handed on, and then [`answered`](Self::answered).
    pub fn claim(&mut self, link: u32) -> Option<Ticket> {
        let get = self.known.iter_mut().find(|get| get.state == State::Waiting && get.link == link)?;
        get.state = State::Claimed;
        Some(get.ticket)
    }

    /// The program has the reply for this one, if it still waits.
    pub fn answered(&mut self, ticket: Ticket) {
        if let Some(get) = self.known.iter_mut().find(|get| get.ticket == ticket) {
            get.state = State::Answered;
        }
    }

    /// Whether this one has its reply.
    #[must_use]
    pub fn is_answered(&self, ticket: Ticket) -> bool {
        self.known.iter().any(|get| get.ticket == ticket && get.state == State::Answered)
    }

    /// This one waits no longer.
    pub fn end(&mut self, ticket: Ticket) {
        self.known.retain(|get| get.ticket != ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_is_for_the_longest_wait_that_has_none() {
        let mut gets = Gets::default();
        assert_eq!(gets.claim(7), None);
        let (first, second) = (gets.begin(7), gets.begin(7));
        assert_eq!(gets.claim(7), Some(first));
        assert!(!gets.is_answered(first), "the program has not seen it yet");
        assert_eq!(gets.claim(7), Some(second));
        assert_eq!(gets.claim(7), None);
        gets.answered(second);
        assert!(gets.is_answered(second) && !gets.is_answered(first));
        gets.answered(first);
        assert!(gets.is_answered(first));
    }

    #[test]
    fn one_that_was_given_up_gets_nothing() {
        let mut gets = Gets::default();
        let (first, second) = (gets.begin(7), gets.begin(7));
        assert_eq!(gets.claim(7), Some(first));
        gets.end(first);
        gets.answered(first);
        assert!(!gets.is_answered(first));
        assert_eq!(gets.claim(7), Some(second));
        gets.end(second);
        assert_eq!(gets.claim(7), None);
        assert_ne!(gets.begin(7), first);
    }

    #[test]
    fn a_reply_is_for_nobody_who_asked_over_another_connection() {
        let mut gets = Gets::default();
        let (_, second) = (gets.begin(1), gets.begin(2));
        assert_eq!(gets.claim(2), Some(second));
        assert_eq!(gets.claim(2), None);
    }
}
