//! One upload as a state machine: the head of the PUT, the pieces of the file, the server's answer (resource.md section 5).
//!
//! The driver asks [`Upload::next`] what to do, does it, and tells what came of it.

use crate::http::reply::{Need, Reply};
use crate::http::{request, Url};
use crate::services::ota::Failure;
use crate::time::Millis;

/// Waiting in vain for this long in all, with nothing sent, counts as a cut.
const STALL_MS: u64 = 30_000;
/// How long the answer may take, once all is sent.
const ANSWER_MS: u64 = 30_000;
/// How often to look whether the server answers before it has all.
const LOOK_MS: u64 = 1000;
/// Nobody reads the body of an answer. A longer one counts as well.
const MAX_BODY: usize = 4096;

/// What the driver is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send [`Upload::head`], then call [`Upload::wrote`] or [`Upload::nothing`].
    Head,
    /// Send the piece from this byte on, at most up to the second, and tell as for `Head`.
    Piece(usize, usize),
    /// Read what is there into [`Upload::reply`], as good as without waiting, and call [`Upload::looked`].
    Look,
    /// All is sent as far as it is there: begin the next piece.
    Sent,
    /// All is sent: read the answer until then, and call [`Upload::looked`].
    Answer(Need, Millis),
    /// The server has the file.
    Done,
    /// Failed for good.
    Failed(Failure),
}

/// An upload in progress. It begins with a connection.
pub struct Upload {
    url: Url,
    head: Vec<u8>,
    head_sent: usize,
    /// Bytes of the file that have not been sent.
    left: u64,
    piece: usize,
    piece_sent: usize,
    reply: Reply,
    waited_ms: u64,
    look_at: Millis,
    is_looking: bool,
    /// Why the connection is of no more use.
    lost: Option<String>,
    answer_by: Option<Millis>,
    ending: Option<Result<(), Failure>>,
}

impl Upload {
    /// An upload of `size` bytes with this MD5 over a connection to `url`. `None`: there is no memory for its head.
    #[must_use]
    pub fn new(url: Url, md5: &[u8; 16], size: u32, now: Millis) -> Option<Self> {
        let head = request::put(&url, md5, size)?;
        Some(Upload {
            url,
            head,
            head_sent: 0,
            left: u64::from(size),
            piece: 0,
            piece_sent: 0,
            reply: Reply::new(MAX_BODY),
            waited_ms: 0,
            look_at: now + LOOK_MS,
            is_looking: false,
            lost: None,
            answer_by: None,
            ending: None,
        })
    }

    /// The next `len` bytes of the file are there. What is more than the file's size will not be sent.
    pub fn begin_piece(&mut self, len: usize) {
        self.piece = usize::try_from(self.left).map_or(len, |left| len.min(left));
        self.piece_sent = 0;
    }

    /// Whether nothing of the piece has been sent.
    #[must_use]
    pub fn is_piece_whole(&self) -> bool {
        self.piece_sent == 0
    }

    /// How much of the piece is of the file.
    #[must_use]
    pub fn piece(&self) -> usize {
        self.piece
    }

    /// The head, as far as it has not been sent.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.head.get(self.head_sent..).unwrap_or_default()
    }

    /// The answer on its way in.
    pub fn reply(&mut self) -> &mut Reply {
        &mut self.reply
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Millis) -> Step {
        if self.ending.is_none() {
            self.ending = self.ended(now);
        }
        match &self.ending {
            Some(Ok(())) => return Step::Done,
            Some(Err(failure)) => return Step::Failed(failure.clone()),
            None => {}
        }
        if self.is_looking {
            return Step::Look;
        }
        if self.head_sent < self.head.len() {
            return Step::Head;
        }
        if self.piece_sent < self.piece {
            if now >= self.look_at {
                self.look_at = now + LOOK_MS;
                self.is_looking = true;
                return Step::Look;
            }
            return Step::Piece(self.piece_sent, self.piece);
        }
        if self.left > 0 {
            return Step::Sent;
        }
        let by = *self.answer_by.get_or_insert(now + ANSWER_MS);
        Step::Answer(self.reply.need().unwrap_or(Need::Unknown), by)
    }

    fn ended(&mut self, now: Millis) -> Option<Result<(), Failure>> {
        if let Some(status) = self.reply.status() {
            return Some(self.judge(status));
        }
        let place = self.url.host_and_port();
        match &self.lost {
            // What came before the end still counts.
            Some(_) if self.is_looking => return None,
            Some(text) => return Some(Err(Failure::failed(format!("connection to {place} lost: {text}")))),
            None if self.reply.need().is_none() => {
                return Some(Err(Failure::failed(format!("the answer of {place} is not HTTP"))));
            }
            None => {}
        }
        if self.waited_ms >= STALL_MS {
            let text = format!("{place} took nothing for {} s", STALL_MS / 1000);
            return Some(Err(Failure::timeout(text)));
        }
        if self.answer_by.is_some_and(|by| now >= by) {
            let text = format!("{place} gave no answer in {} s", ANSWER_MS / 1000);
            return Some(Err(Failure::timeout(text)));
        }
        None
    }

    fn judge(&self, status: u16) -> Result<(), Failure> {
        let text = format!("the server answered {status}");
        match status {
            200..=299 if self.left == 0 => Ok(()),
            200..=299 => Err(Failure::failed(format!("{text} before it had the file"))),
            401 | 403 => Err(Failure::auth(text)),
            404 | 410 => Err(Failure::not_exist(text)),
            _ => Err(Failure::failed(text)),
        }
    }

    /// `count` bytes of the head or the piece were sent.
    pub fn wrote(&mut self, count: usize) {
        self.waited_ms = 0;
        if self.head_sent < self.head.len() {
            self.head_sent = (self.head_sent + count).min(self.head.len());
        } else {
            let count = count.min(self.piece - self.piece_sent);
            self.piece_sent += count;
            self.left -= count as u64;
        }
    }

    /// Writing for `waited_ms` sent nothing.
    pub fn nothing(&mut self, waited_ms: u64) {
        self.waited_ms = self.waited_ms.saturating_add(waited_ms);
        // A server that has answered may read no more.
        self.is_looking = true;
    }

    /// `count` bytes were read into the front of the reply's room, which took `waited_ms`.
    pub fn looked(&mut self, count: usize, waited_ms: u64) {
        self.reply.received(count);
        if self.is_looking {
            self.waited_ms = self.waited_ms.saturating_add(waited_ms);
            self.is_looking = count > 0;
        }
    }

    /// The connection takes no more; `text` says why. What the server has said before still counts.
    pub fn write_failed(&mut self, text: &str) {
        self.lost.get_or_insert_with(|| text.to_owned());
        self.is_looking = true;
    }

    /// The connection is gone; `text` says why.
    pub fn read_failed(&mut self, text: &str) {
        self.lost.get_or_insert_with(|| text.to_owned());
        self.reply.closed();
        self.is_looking = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::ota::OtaError;

    const NOW: Millis = Millis(1_000_000);

    fn upload(size: u32) -> Upload {
        Upload::new(Url::parse("http://h/f?sign=x").unwrap(), &[0; 16], size, NOW).unwrap()
    }

    /// One whose head is sent.
    fn begun(size: u32) -> Upload {
        let mut upload = upload(size);
        assert_eq!(upload.next(NOW), Step::Head);
        upload.wrote(upload.head().len());
        assert_eq!(upload.next(NOW), Step::Sent);
        upload
    }

    /// One that is all sent.
    fn sent() -> Upload {
        let mut upload = begun(5);
        upload.begin_piece(5);
        upload.wrote(5);
        upload
    }

    fn answer(upload: &mut Upload, text: &str) {
        upload.reply().room(text.len())[..text.len()].copy_from_slice(text.as_bytes());
        upload.looked(text.len(), 0);
    }

    fn failure(upload: &mut Upload, now: Millis) -> (OtaError, String) {
        match upload.next(now) {
            Step::Failed(failure) => (failure.error, failure.text),
            other => panic!("{other:?}"),
        }
    }

    /// Case 15.
    #[test]
    fn a_file_goes_out_in_pieces_and_no_byte_too_many() {
        let mut upload = begun(12);
        upload.begin_piece(5);
        assert_eq!(upload.next(NOW), Step::Piece(0, 5));
        assert!(upload.is_piece_whole());
        upload.wrote(2);
        assert!(!upload.is_piece_whole());
        assert_eq!(upload.next(NOW), Step::Piece(2, 5));
        upload.wrote(99);
        assert_eq!(upload.next(NOW), Step::Sent);
        upload.begin_piece(100);
        assert_eq!((upload.next(NOW), upload.piece()), (Step::Piece(0, 7), 7));
        upload.wrote(7);
        assert_eq!(upload.next(NOW), Step::Answer(Need::Unknown, NOW + 30_000));
        answer(&mut upload, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(upload.next(NOW), Step::Done);
        assert_eq!(upload.next(NOW + 99_999), Step::Done);
    }

    /// Case 16.
    #[test]
    fn every_answer_has_its_row() {
        for head in [
            "200 OK\r\n\r\n",
            "201 C\r\nContent-Length: 99999\r\n\r\n",
            "204 N\r\n\r\n",
            "200 O\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            let mut upload = sent();
            answer(&mut upload, "HTTP/1.1 100 Continue\r\n\r\n");
            answer(&mut upload, &format!("HTTP/1.1 {head}"));
            assert_eq!(upload.next(NOW), Step::Done, "{head}");
        }
        for (status, error) in [
            (401, OtaError::FetchAuthFail),
            (403, OtaError::FetchAuthFail),
            (404, OtaError::FetchNotExist),
            (410, OtaError::FetchNotExist),
            (302, OtaError::FetchFailed),
            (400, OtaError::FetchFailed),
            (500, OtaError::FetchFailed),
        ] {
            let mut upload = sent();
            answer(&mut upload, &format!("HTTP/1.1 {status} X\r\n\r\n"));
            assert_eq!(failure(&mut upload, NOW), (error, format!("the server answered {status}")));
        }
        let mut upload = sent();
        answer(&mut upload, "nonsense\r\n\r\n");
        assert_eq!(failure(&mut upload, NOW), (OtaError::FetchFailed, "the answer of h is not HTTP".to_owned()));
    }

    #[test]
    fn without_an_answer_it_ends_after_30_seconds() {
        let mut upload = sent();
        let by = NOW + 30_000;
        assert_eq!(upload.next(NOW), Step::Answer(Need::Unknown, by));
        // A head that trickles in gives no further time.
        answer(&mut upload, "HTTP/1.1 200");
        assert_eq!(upload.next(NOW + 29_999), Step::Answer(Need::Unknown, by));
        assert_eq!(failure(&mut upload, by), (OtaError::FetchTimeout, "h gave no answer in 30 s".to_owned()));
    }

    #[test]
    fn a_connection_that_ends_before_the_answer_has_failed() {
        for early in [true, false] {
            let mut upload = if early { begun(5) } else { sent() };
            upload.read_failed("closed");
            assert_eq!(failure(&mut upload, NOW), (OtaError::FetchFailed, "connection to h lost: closed".to_owned()));
        }
    }

    /// Case 16: 403 in mid-body.
    #[test]
    fn a_server_may_answer_before_it_has_all() {
        for (head, error, text) in [
            ("403 X", OtaError::FetchAuthFail, "the server answered 403"),
            ("200 X", OtaError::FetchFailed, "the server answered 200 before it had the file"),
        ] {
            let mut upload = begun(5);
            upload.begin_piece(5);
            upload.wrote(1);
            upload.write_failed("reset");
            assert_eq!(upload.next(NOW), Step::Look);
            answer(&mut upload, &format!("HTTP/1.1 {head}\r\n\r\n"));
            assert_eq!(failure(&mut upload, NOW), (error, text.to_owned()));
        }
        let mut upload = begun(5);
        upload.begin_piece(5);
        upload.write_failed("reset");
        assert_eq!(upload.next(NOW), Step::Look);
        upload.looked(0, 0);
        assert_eq!(failure(&mut upload, NOW), (OtaError::FetchFailed, "connection to h lost: reset".to_owned()));
    }

    #[test]
    fn an_early_answer_is_looked_for_once_a_second_and_when_nothing_moves() {
        let mut upload = begun(50);
        upload.begin_piece(5);
        assert_eq!(upload.next(NOW + 999), Step::Piece(0, 5));
        assert_eq!(upload.next(NOW + 1000), Step::Look);
        upload.looked(0, 0);
        assert_eq!(upload.next(NOW + 1000), Step::Piece(0, 5));
        upload.nothing(1);
        assert_eq!(upload.next(NOW + 1001), Step::Look);
        upload.looked(0, 0);
        assert_eq!(upload.next(NOW + 1001), Step::Piece(0, 5));
    }

    /// Case 17: a slow server is none that takes nothing.
    #[test]
    fn thirty_seconds_in_vain_are_too_long() {
        let mut upload = begun(50);
        upload.begin_piece(5);
        upload.nothing(29_999);
        upload.looked(0, 0);
        upload.wrote(1);
        upload.nothing(29_998);
        upload.looked(0, 1);
        assert_eq!(upload.next(NOW), Step::Piece(1, 5));
        upload.nothing(1);
        assert_eq!(failure(&mut upload, NOW), (OtaError::FetchTimeout, "h took nothing for 30 s".to_owned()));
    }
}
