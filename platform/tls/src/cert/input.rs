//! TLS records from the socket, until rustls has used them.

use std::io::{self, Read};

/// The longest record: its head, what it may carry, and what encryption may add to that (RFC 5246, 6.2.3).
pub const MAX_RECORD: usize = 5 + 16 * 1024 + 2048;

/// The longest handshake message that is taken. It may come in many records.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Received bytes in order. There is room for one record. It grows only for a handshake message of several records, such
/// as a long chain of certificates: rustls takes these records all at once.
pub struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub fn new() -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0 }
    }

    /// What is there. rustls decrypts in place.
    pub fn filled(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// The first `count` bytes were used.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Takes what `source` has, with one read. Returns the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// Those of `source`; `InvalidData` where so much is kept that no end of it is to be expected; `OutOfMemory`.
    pub fn fill(&mut self, mut source: impl Read) -> io::Result<usize> {
        self.make_room()?;
        loop {
            match source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    let count = result?;
                    self.end += count;
                    return Ok(count);
                }
            }
        }
    }

    fn make_room(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end >= MAX_MESSAGE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.grow((self.end * 2).clamp(MAX_RECORD, MAX_MESSAGE))?;
        } else if self.end < MAX_RECORD && self.buffer.len() > MAX_RECORD {
            self.shrink();
        }
        Ok(())
    }

    /// Back to the usual size, where there is memory for that.
    fn shrink(&mut self) {
        let mut usual = Vec::new();
        if usual.try_reserve_exact(MAX_RECORD).is_ok() {
            usual.extend_from_slice(&self.buffer[..MAX_RECORD]);
            self.buffer = usual;
        }
    }

    fn grow(&mut self, size: usize) -> io::Result<()> {
        self.buffer
            .try_reserve_exact(size - self.buffer.len())
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.buffer.resize(size, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came_however_they_are_used() {
        let sent: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        for step in [1, 1000, MAX_RECORD] {
            let (mut source, mut input, mut got) = (sent.as_slice(), Input::new(), Vec::new());
            while got.len() < sent.len() {
                input.fill(&mut source).unwrap();
                // All but a part of the next record.
                while input.filled().len() > step {
                    got.extend_from_slice(&input.filled()[..step]);
                    input.consume(step);
                }
                if source.is_empty() {
                    got.extend_from_slice(input.filled());
                    input.consume(step);
                }
            }
            assert!(got == sent, "{step}");
        }
    }

    #[test]
    fn it_grows_for_a_long_message_only_and_not_without_end() {
        let mut input = Input::new();
        assert_eq!(input.fill(io::repeat(7)).unwrap(), MAX_RECORD);
        let mut all = MAX_RECORD;
        let error = loop {
            match input.fill(io::repeat(7)) {
                Ok(count) => all += count,
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), all), (io::ErrorKind::InvalidData, MAX_MESSAGE));
        assert_eq!(input.filled().len(), MAX_MESSAGE);
        input.consume(MAX_MESSAGE - 10);
        assert_eq!(input.fill(io::repeat(8)).unwrap(), MAX_RECORD - 10, "back to its size");
        assert_eq!(input.filled()[..11], [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8]);
        assert!(input.buffer.capacity() < 2 * MAX_RECORD);
    }

    #[test]
    fn an_interrupted_read_is_tried_again_and_other_errors_are_told() {
        struct Source(Vec<io::Result<usize>>);
        impl Read for Source {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.pop().unwrap()
            }
        }
        let mut source =
            Source(vec![Err(io::ErrorKind::WouldBlock.into()), Ok(3), Err(io::ErrorKind::Interrupted.into())]);
        let mut input = Input::new();
        assert_eq!(input.fill(&mut source).unwrap(), 3);
        assert_eq!(input.fill(&mut source).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(input.filled().len(), 3);
    }
}
