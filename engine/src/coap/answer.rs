//! How a message ended, and what the program is told of it (coap.md section 5).

use std::fmt;

use super::packet::Code;

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The cloud answered.
    Response {
        /// With this code.
        code: Code,
        /// In a message of its own, not in the acknowledgement.
        is_separate: bool,
    },
    /// The other side can make no use of the message.
    Reset,
    /// No acknowledgement, after all repeats.
    NotAcknowledged,
    /// Acknowledged, and then no answer.
    NotAnswered,
}

/// What the program knows an ending by (`CoAPEventType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The cloud has the message.
    Acknowledged,
    /// The cloud answered with content.
    Content,
    /// The token is not valid, or no longer.
    Unauthorized,
    /// Not allowed.
    Forbidden,
    /// The cloud failed, or did not like the message.
    ServerError,
    /// No acknowledgement in time.
    NotAcknowledged,
    /// Acknowledged, but no answer in time.
    NotAnswered,
}

/// The end of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The id that the message was sent with.
    pub id: u16,
    /// How it ended.
    pub ending: Ending,
    /// What came with it.
    pub payload: Vec<u8>,
}

impl Answer {
    /// What the client's event handler is told.
    #[must_use]
    pub fn event(&self) -> Event {
        match self.ending {
            Ending::Response { code: Code::CONTENT, is_separate: true } => Event::Content,
            Ending::Response { code, .. } => match (code.class(), code.detail()) {
                (2, 1 | 2 | 4 | 5) => Event::Acknowledged,
                (4, 1) => Event::Unauthorized,
                (4, 3) => Event::Forbidden,
                _ => Event::ServerError,
            },
            Ending::Reset => Event::ServerError,
            Ending::NotAcknowledged => Event::NotAcknowledged,
            Ending::NotAnswered => Event::NotAnswered,
        }
    }

    /// What the message's own callback finds out: whose fault it is.
    #[must_use]
    pub fn verdict(&self) -> Event {
        match self.ending {
            Ending::Response { code, .. } => match (code.class(), code.detail()) {
                (2, _) => Event::Content,
                (4, 1) => Event::Unauthorized,
                (4, _) => Event::Forbidden,
                _ => Event::ServerError,
            },
            _ => self.event(),
        }
    }

    /// The payload of an answer with content; `None` for any other.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        matches!(self.ending, Ending::Response { code: Code::CONTENT, .. }).then_some(&self.payload)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Response { code, .. } => write!(f, "the answer is {code}"),
            Ending::Reset => write!(f, "it was reset"),
            Ending::NotAcknowledged => write!(f, "no acknowledgement came in time"),
            Ending::NotAnswered => write!(f, "it was acknowledged, but no answer came in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_says_what_happened() {
        let response = Ending::Response { code: Code::new(4, 3), is_separate: false };
        for (ending, text) in [
            (response, "the answer is 4.03"),
            (Ending::Reset, "it was reset"),
            (Ending::NotAcknowledged, "no acknowledgement came in time"),
            (Ending::NotAnswered, "it was acknowledged, but no answer came in time"),
        ] {
            assert_eq!(ending.to_string(), text);
        }
    }
}
