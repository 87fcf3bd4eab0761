//! A short answer, collected whole: its status and, where that is 2xx, its body up to a limit.

use super::buffer::Buffer;
use super::framing::Framing;
use super::head::{self, Head, MAX_HEAD};

/// What an answer is read for.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body without its framing. Empty where the status is no 2xx: nobody wants it then.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not HTTP; what is wrong with it.
    Malformed(String),
    /// Its body has more bytes than the limit.
    TooLong(usize),
    /// The connection ended before it was complete.
    Ended,
    /// There is no memory for it.
    NoMemory,
}

/// How much is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// How much will come is not known.
    Unknown,
    /// So many bytes, which will come.
    Bytes(usize),
}

enum State {
    Head { searched: usize },
    Body { status: u16, framing: Framing, body: Vec<u8> },
    Over(Result<Answer, Fault>),
}

/// An answer on its way in.
pub struct Reply {
    max_head: usize,
    limit: usize,
    /// Of the head that has come.
    status: Option<u16>,
    buffer: Buffer,
    state: State,
}

impl Reply {
    /// An answer of which nothing has come, with at most `limit` bytes of body.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Reply { max_head: MAX_HEAD, limit, status: None, buffer: Buffer::default(), state: State::Head { searched: 0 } }
    }

    /// The same with at most `bytes` of head.
    #[must_use]
    pub fn with_max_head(self, bytes: usize) -> Self {
        Reply { max_head: bytes.min(MAX_HEAD), ..self }
    }

    /// Whether the head has come.
    #[must_use]
    pub fn has_head(&self) -> bool {
        self.status.is_some()
    }

    /// The answer's status, from the moment its head has come.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// What is still to be read; `None` when the answer is over.
    #[must_use]
    pub fn need(&self) -> Option<Need> {
        match &self.state {
            State::Body { framing: Framing::Length(left), .. } => {
                Some(Need::Bytes(usize::try_from(*left).unwrap_or(usize::MAX)))
            }
            State::Head { .. } | State::Body { .. } => Some(Need::Unknown),
            State::Over(_) => None,
        }
    }

    /// Room for `len` bytes from the connection. It is empty where there is no memory for it, which ends the answer.
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        let room = self.buffer.room(len);
        if room.is_empty() {
            self.state = State::Over(Err(Fault::NoMemory));
        }
        room
    }

    /// `count` bytes were read into the front of [`Reply::room`].
    pub fn received(&mut self, count: usize) {
        self.buffer.commit(count);
        loop {
            let moved = match &mut self.state {
                State::Head { .. } => self.read_head(),
                State::Body { .. } => self.read_body(),
                State::Over(_) => return,
            };
            match moved {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => self.state = State::Over(Err(fault)),
            }
        }
    }

    /// The connection is gone. That ends a body whose length nobody told.
    pub fn closed(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Over(Err(Fault::Ended))) {
            State::Body { status, framing: Framing::Close, body } => State::Over(Ok(Answer { status, body })),
            State::Over(result) => State::Over(result),
            State::Head { .. } | State::Body { .. } => State::Over(Err(Fault::Ended)),
        };
    }

    /// What came of it.
    ///
    /// # Errors
    /// There is no answer, or it is not complete.
    pub fn into_answer(self) -> Result<Answer, Fault> {
        match self.state {
            State::Over(result) => result,
            State::Head { .. } | State::Body { .. } => Err(Fault::Ended),
        }
    }

    /// Whether the head is in.
    fn read_head(&mut self) -> Result<bool, Fault> {
        let State::Head { searched } = &mut self.state else { return Ok(false) };
        let Some(length) = head::end(self.buffer.filled(), *searched) else {
            *searched = self.buffer.len();
            return if *searched < self.max_head {
                Ok(false)
            } else {
                Err(Fault::Malformed(format!("its head is longer than {} kB", self.max_head / 1024)))
            };
        };
        let bytes = self.buffer.filled_mut().get_mut(..length).unwrap_or_default();
        let head = Head::parse(bytes).map_err(Fault::Malformed)?;
        let status = head.status();
        self.status = Some(status).filter(|status| *status >= 200);
        self.state = match status {
            // The answer itself is still to come.
            100..=199 => State::Head { searched: 0 },
            200..=299 => {
                let framing = Framing::of(&head).map_err(Fault::Malformed)?;
                if matches!(framing, Framing::Length(length) if length > self.limit as u64) {
                    return Err(Fault::TooLong(self.limit));
                }
                State::Body { status, framing, body: Vec::new() }
            }
            _ => State::Over(Ok(Answer { status, body: Vec::new() })),
        };
        self.buffer.consume(length);
        Ok(true)
    }

    /// Whether the body is in.
    fn read_body(&mut self) -> Result<bool, Fault> {
        let State::Body { status, framing, body } = &mut self.state else { return Ok(false) };
        let is_in = match framing {
            Framing::Length(left) => {
                let count = self.buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                append(body, self.buffer.filled().get(..count).unwrap_or_default())?;
                self.buffer.consume(count);
                *left -= count as u64;
                *left == 0
            }
            Framing::Close => {
                append(body, self.buffer.filled())?;
                self.buffer.clear();
                false
            }
            Framing::Chunked(chunked) => loop {
                let before = body.len();
                let room = self.buffer.len();
                body.try_reserve(room).map_err(|_| Fault::NoMemory)?;
                body.resize(before + room, 0);
                let read = chunked.read(self.buffer.filled(), body.get_mut(before..).unwrap_or_default());
                let (used, count) = read.map_err(|why| Fault::Malformed(format!("malformed chunk: {why}")))?;
                body.truncate(before + count);
                self.buffer.consume(used);
                if used == 0 {
                    break chunked.is_done();
                }
            },
        };
        if body.len() > self.limit {
            return Err(Fault::TooLong(self.limit));
        }
        if is_in {
            let answer = Answer { status: *status, body: std::mem::take(body) };
            self.state = State::Over(Ok(answer));
        }
        Ok(is_in)
    }
}

fn append(body: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Fault> {
    body.try_reserve(bytes.len()).map_err(|_| Fault::NoMemory)?;
    body.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100;

    /// Reads `bytes` in pieces of `piece`. What is not asked for is not read.
    fn read(bytes: &[u8], piece: usize, then_closed: bool) -> Result<Answer, Fault> {
        let mut reply = Reply::new(LIMIT);
        for part in bytes.chunks(piece) {
            if reply.need().is_none() {
                break;
            }
            reply.room(part.len()).copy_from_slice(part);
            reply.received(part.len());
        }
        if then_closed {
            reply.closed();
        }
        reply.into_answer()
    }

    fn answer(status: u16, body: &str) -> Result<Answer, Fault> {
        Ok(Answer { status, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn a_body_comes_out_whatever_its_framing_and_the_pieces() {
        let hundred = "x".repeat(LIMIT);
        for (bytes, ends_by_itself, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, "hello"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello and more", true, "hello"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, ""),
            ("HTTP/1.1 204 No Content\r\n\r\n", true, ""),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", true, "hello"),
            ("HTTP/1.1 200 OK\r\n\r\nhello", false, "hello"),
            ("HTTP/1.0 200 OK\r\n\r\n", false, ""),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", true, "x"),
            (&format!("HTTP/1.1 200 OK\r\nContent-Length: {LIMIT}\r\n\r\n{hundred}"), true, &hundred),
        ] {
            for piece in [1, 2, 7, 1000] {
                if ends_by_itself {
                    assert_eq!(read(bytes.as_bytes(), piece, false).map(|it| it.body), Ok(body.into()), "{bytes}");
                }
                assert_eq!(read(bytes.as_bytes(), piece, true).map(|it| it.body), Ok(body.into()), "{bytes}");
            }
        }
    }

    #[test]
    fn the_body_of_another_status_is_not_waited_for() {
        for status in [300, 302, 304, 401, 403, 404, 429, 500, 600] {
            let bytes = format!("HTTP/1.1 {status} X\r\nContent-Length: 1000000\r\n\r\n{{\"code\":0}}");
            assert_eq!(read(bytes.as_bytes(), 1, false), answer(status, ""));
        }
    }

    #[test]
    fn what_is_not_complete_is_no_answer() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for cut in 0..whole.len() {
            assert_eq!(read(&whole.as_bytes()[..cut], 3, true), Err(Fault::Ended), "{cut}");
            assert_eq!(read(&whole.as_bytes()[..cut], 3, false), Err(Fault::Ended), "{cut}");
        }
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
        assert_eq!(read(chunks.as_bytes(), 3, true), Err(Fault::Ended));
    }

    #[test]
    fn more_than_the_limit_is_refused() {
        let long = "x".repeat(LIMIT + 1);
        for head in [
            format!("Content-Length: {}\r\n\r\n", LIMIT + 1),
            format!("Content-Length: {}\r\n\r\n", u64::MAX),
            "\r\n".to_owned(),
            format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", LIMIT + 1),
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_owned(),
        ] {
            let bytes = format!("HTTP/1.1 200 OK\r\n{head}{long}");
            for piece in [1, 1000] {
                assert_eq!(read(bytes.as_bytes(), piece, true), Err(Fault::TooLong(LIMIT)), "{head}");
            }
        }
    }

    #[test]
    fn what_is_not_http_says_so() {
        for (bytes, words) in [
            ("SSH-2.0-x\r\n\r\n", "begin with HTTP"),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "Content-Length"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "malformed chunk"),
            (&"x".repeat(MAX_HEAD), "64 kB"),
        ] {
            let Err(Fault::Malformed(why)) = read(bytes.as_bytes(), 1000, true) else { panic!("{bytes}") };
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn what_is_needed_is_told() {
        let mut reply = Reply::new(LIMIT);
        assert_eq!(reply.need(), Some(Need::Unknown));
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
        reply.room(head.len()).copy_from_slice(head);
        reply.received(head.len());
        assert_eq!(reply.need(), Some(Need::Bytes(3)));
        reply.room(3).copy_from_slice(b"llo");
        reply.received(3);
        assert_eq!(reply.need(), None);
        // A close behind it changes nothing.
        reply.closed();
        assert_eq!(reply.into_answer(), answer(200, "hello"));
        let mut reply = Reply::new(LIMIT);
        assert!(reply.room(usize::MAX).is_empty());
        assert_eq!(reply.into_answer(), Err(Fault::NoMemory));
    }
}
