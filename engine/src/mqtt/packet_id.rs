//! Packet ids: which comes next, and which incoming ones were seen already.

use std::collections::VecDeque;

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

/// The last incoming QoS 1 ids, to tell a repeat.
#[derive(Debug)]
pub struct SeenIds {
    ids: VecDeque<u16>,
}

impl Default for SeenIds {
    fn default() -> Self {
        // All the room it will ever need, so that a client's memory does not grow while it runs.
        SeenIds { ids: VecDeque::with_capacity(Self::KEPT) }
    }
}

impl SeenIds {
    const KEPT: usize = 10;

    /// Whether `id` is among the last ones; remembers it if not.
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

    /// Forgets all: the server's numbering starts anew.
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

    #[test]
    fn a_repeat_is_told_among_the_last_ten() {
        let mut seen = SeenIds::default();
        assert!((1..=10).all(|id| !seen.is_repeat(id)));
        assert!(seen.is_repeat(1));
        assert!(!seen.is_repeat(11));
        assert!(!seen.is_repeat(1), "the eleventh pushed the first out");
        seen.clear();
        assert!(!seen.is_repeat(11));
    }
}
