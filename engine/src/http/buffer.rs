//! Received bytes that have not been used yet.

/// Size of the buffer while a body is read.
pub const READ_AHEAD: usize = 16 * 1024;

/// A byte queue over one allocation.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// What is there.
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Drops what is in it.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// What is there, to be changed in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Room for `len` more bytes behind what is there; none where there is no memory for it.
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        if self.is_empty() {
            self.clear();
            // A head may have been long; a body needs no more than the read-ahead.
            if self.bytes.len() > READ_AHEAD {
                self.bytes.truncate(READ_AHEAD);
                self.bytes.shrink_to_fit();
            }
        } else if self.start > 0 && self.end + len > self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let wanted = self.end.saturating_add(len);
        if self.bytes.len() < wanted {
            if self.bytes.try_reserve(wanted - self.bytes.len()).is_err() {
                return &mut [];
            }
            self.bytes.resize(wanted, 0);
        }
        self.bytes.get_mut(self.end..wanted).unwrap_or_default()
    }

    /// `count` bytes were put into the room.
    pub fn commit(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// `count` bytes were used.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came() {
        let mut buffer = Buffer::default();
        let mut expected: Vec<u8> = Vec::new();
        let mut seen: Vec<u8> = Vec::new();
        for round in 0..500_usize {
            let data: Vec<u8> = (0..round % 37).map(|i| (round + i) as u8).collect();
            expected.extend(&data);
            let room = buffer.room(data.len() + 5);
            room[..data.len()].copy_from_slice(&data);
            buffer.commit(data.len());
            let take = buffer.len().min(round % 41);
            seen.extend(&buffer.filled()[..take]);
            buffer.consume(take);
        }
        seen.extend(buffer.filled());
        assert_eq!(seen, expected);
        assert!(buffer.bytes.len() < 4096, "{}", buffer.bytes.len());
    }

    #[test]
    fn room_that_no_memory_holds_is_none() {
        let mut buffer = Buffer::default();
        buffer.room(3).copy_from_slice(b"abc");
        buffer.commit(3);
        assert!(buffer.room(usize::MAX / 2).is_empty());
        assert!(buffer.room(usize::MAX).is_empty());
        assert_eq!(buffer.filled(), b"abc");
    }

    #[test]
    fn it_shrinks_after_a_long_head() {
        let mut buffer = Buffer::default();
        buffer.room(64 * 1024);
        buffer.commit(64 * 1024);
        buffer.consume(64 * 1024);
        assert_eq!(buffer.room(100).len(), 100);
        assert_eq!(buffer.bytes.len(), READ_AHEAD);
    }
}
