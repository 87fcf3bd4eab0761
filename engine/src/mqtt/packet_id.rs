//! Packet ids: which comes next, and which incoming ones were seen already.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::packet::Message;

/// Numbers packets from a given start, by one, from 65535 to 1.
#[derive(Debug)]
pub struct PacketIds {
    last: u16,
}

impl PacketIds {
    /// Ids that start behind `random`.
    pub fn start(random: u16) -> Self {
        PacketIds { last: random }
    }

    /// The next id for which `in_use` is false.
    pub fn next(&mut self, in_use: impl Fn(u16) -> bool) -> u16 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            // At most some dozens are in use at a time, so this ends.
            if !in_use(self.last) {
                return self.last;
            }
        }
    }
}

/// The last incoming QoS 1 messages, to tell a repeat.
///
/// A server may use an id again as soon as it is acknowledged (MQTT 3.1.1 section 4.3.2). Some
/// take the lowest free id for each message. So a repeat is a message that says so itself (DUP) and equals the last one
/// with its id.
#[derive(Debug)]
pub struct SeenIds {
    seen: VecDeque<(u16, u64)>,
}

impl Default for SeenIds {
    fn default() -> Self {
        // All the room it will ever need, so that a client's memory does not grow while it runs.
        SeenIds { seen: VecDeque::with_capacity(Self::KEPT) }
    }
}

impl SeenIds {
    const KEPT: usize = 10;

    /// Whether `message` is one of the last ones again; remembers it if not.
    pub fn is_repeat(&mut self, message: &Message) -> bool {
        let mut hasher = DefaultHasher::new();
        (&message.topic, &message.payload).hash(&mut hasher);
        let this = (message.id, hasher.finish());
        if message.dup && self.seen.contains(&this) {
            return true;
        }
        self.seen.retain(|(id, _)| *id != message.id);
        if self.seen.len() == Self::KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back(this);
        false
    }

    /// Forgets all: the server's numbering starts anew.
    pub fn clear(&mut self) {
        self.seen.clear();
    }
}

/// Incoming QoS 2 messages that the server has not released yet (MQTT 3.1.1 section 4.3.3).
#[derive(Debug, Default)]
pub struct Unreleased {
    ids: VecDeque<u16>,
}

impl Unreleased {
    /// More than servers have on their way at a time. Where one has, the oldest is forgotten, and delivered twice if it
    /// comes again.
    const KEPT: usize = 100;

    /// Whether `id` came before and was not released; remembers it if not.
    pub fn is_repeat(&mut self, id: u16) -> bool {
        if self.ids.contains(&id) {
            return true;
        }
        if self.ids.len() == Self::KEPT {
            self.ids.pop_front();
        }
        self.ids.push_back(id);
        false
    }

    /// The server will not send the message with this id again.
    pub fn release(&mut self, id: u16) {
        self.ids.retain(|known| *known != id);
    }

    /// Forgets all: the server has forgotten them.
    pub fn clear(&mut self) {
        self.ids.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_wrap_to_one_and_skip_those_in_use() {
        let mut ids = PacketIds::start(65533);
        assert_eq!(ids.next(|_| false), 65534);
        assert_eq!(ids.next(|_| false), 65535);
        assert_eq!(ids.next(|id| id < 3), 3);
        assert_eq!(PacketIds::start(0).next(|_| false), 1);
        assert_eq!(PacketIds::start(65535).next(|_| false), 1);
    }

    fn message(id: u16, payload: &'static [u8], dup: bool) -> Message {
        Message { qos: 1, retain: false, dup, id, topic: "t".to_owned(), payload: payload.into() }
    }

    #[test]
    fn a_repeat_is_told_among_the_last_ten() {
        let again = |id| message(id, b"x", true);
        let mut seen = SeenIds::default();
        assert!((1..=10).all(|id| !seen.is_repeat(&message(id, b"x", false))));
        assert!(seen.is_repeat(&again(1)));
        assert!(!seen.is_repeat(&again(11)));
        assert!(!seen.is_repeat(&again(1)), "the eleventh pushed the first out");
        seen.clear();
        assert!(!seen.is_repeat(&again(11)));
    }

    #[test]
    fn an_id_that_is_used_again_is_no_repeat() {
        let mut seen = SeenIds::default();
        assert!(!seen.is_repeat(&message(1, b"on", false)));
        assert!(!seen.is_repeat(&message(1, b"on", false)), "the same twice, without DUP");
        assert!(!seen.is_repeat(&message(1, b"off", true)), "sent again, but never seen");
        assert!(seen.is_repeat(&message(1, b"off", true)));
        assert!(!seen.is_repeat(&message(1, b"on", true)), "the last with an id counts");
    }

    #[test]
    fn what_is_not_released_is_a_repeat() {
        let mut unreleased = Unreleased::default();
        assert!((1..=100).all(|id| !unreleased.is_repeat(id)));
        assert!(unreleased.is_repeat(1));
        unreleased.release(2);
        assert!(!unreleased.is_repeat(2));
        assert!(!unreleased.is_repeat(101), "pushes the oldest out");
        assert!(!unreleased.is_repeat(1));
        unreleased.clear();
        assert!(!unreleased.is_repeat(5));
    }
}
