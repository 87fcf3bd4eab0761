//! A byte queue that holds no memory while it is empty.

use std::collections::TryReserveError;

/// A byte queue.
#[derive(Default)]
pub struct Queue {
    bytes: Vec<u8>,
    start: usize,
}

impl Queue {
    /// What is there.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub fn is_empty(&self) -> bool {
        self.filled().is_empty()
    }

    /// # Errors
    /// There is no memory; nothing was changed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        self.bytes.try_reserve_exact(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Room for `len` more bytes behind what is there. Ends with [`Queue::shorten`].
    ///
    /// # Errors
    /// As those of [`Queue::push`].
    pub fn room(&mut self, len: usize) -> Result<&mut [u8], TryReserveError> {
        let end = self.bytes.len();
        self.bytes.try_reserve_exact(len)?;
        self.bytes.resize(end + len, 0);
        Ok(&mut self.bytes[end..])
    }

    /// The last `count` bytes of the room were not needed.
    pub fn shorten(&mut self, count: usize) {
        self.bytes.truncate(self.bytes.len().saturating_sub(count).max(self.start));
    }

    /// The first `count` bytes were used.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Moves as many bytes to `out` as fit. Returns how many.
    pub fn take(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.filled().len());
        out[..count].copy_from_slice(&self.filled()[..count]);
        self.consume(count);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came_and_leave_no_memory() {
        let mut queue = Queue::default();
        queue.push(b"abc").unwrap();
        let room = queue.room(5).unwrap();
        room[..2].copy_from_slice(b"de");
        queue.shorten(3);
        queue.consume(1);
        queue.push(b"f").unwrap();
        let mut out = [0; 4];
        assert_eq!((queue.take(&mut out), &out), (4, b"bcde"));
        assert_eq!(queue.filled(), b"f");
        assert_eq!((queue.take(&mut out), out[0]), (1, b'f'));
        assert!(queue.is_empty());
        assert_eq!(queue.bytes.capacity(), 0);
        assert_eq!(queue.take(&mut out), 0);
    }

    #[test]
    fn room_that_was_not_needed_at_all_leaves_nothing() {
        let mut queue = Queue::default();
        queue.room(10).unwrap();
        queue.shorten(10);
        assert!(queue.is_empty());
    }
}
