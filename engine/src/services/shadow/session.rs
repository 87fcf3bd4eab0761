//! The requests that wait for their replies (shadow.md section 4).

use super::message::{self, Message};
use super::MAX_PENDING;
use crate::services::exchange::{Exchange, Settled};
use crate::time::Millis;

/// Names one request, whatever its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serial(u64);

/// A program may give two requests one token: one reply ends both.
#[derive(Debug, Clone)]
struct Key {
    token: Vec<u8>,
    serial: Serial,
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.serial == other.serial
    }
}

impl PartialEq<[u8]> for Key {
    fn eq(&self, token: &[u8]) -> bool {
        self.token == token
    }
}

impl PartialEq<Serial> for Key {
    fn eq(&self, serial: &Serial) -> bool {
        self.serial == *serial
    }
}

/// What a message means.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'a, R> {
    /// The state that the cloud wants: the properties hear of it first.
    pub delta: Option<&'a [u8]>,
    /// The requests that it ends, in the order of their beginning.
    pub ended: Vec<R>,
    /// Whether the cloud did what they asked.
    pub is_accepted: bool,
    /// Whether it is a reply, to whomever.
    pub is_reply: bool,
}

/// The requests of one shadow. `R` is what belongs to a request.
#[derive(Debug)]
pub struct Session<R> {
    exchange: Exchange<Key, R>,
    next_serial: u64,
    next_token: u32,
}

impl<R> Default for Session<R> {
    fn default() -> Self {
        Session { exchange: Exchange::with_room(MAX_PENDING), next_serial: 0, next_token: 0 }
    }
}

impl<R> Session<R> {
    /// The number of the next token that we make. It is given once, until it begins anew behind 2^32 - 1.
    pub fn take_token(&mut self) -> u32 {
        let number = self.next_token;
        self.next_token = number.wrapping_add(1);
        number
    }

    /// A request with `token` is about to be sent: its reply may come before the sending has returned. `None` where as many
    /// wait as may, or without memory.
    pub fn begin(&mut self, now: Millis, token: &[u8], timeout_ms: u32, request: R) -> Option<Serial> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(token.len()).ok()?;
        copy.extend_from_slice(token);
        let serial = Serial(self.next_serial);
        self.exchange.begin(now, Key { token: copy, serial }, u64::from(timeout_ms), request).ok()?;
        self.next_serial += 1;
        Some(serial)
    }

    /// The request was not sent: it waits no longer. `None` where it has ended already.
    pub fn give_up(&mut self, serial: Serial) -> Option<R> {
        match self.exchange.settle(&serial) {
            Settled::Answered(request) => Some(request),
            Settled::Unknown => None,
        }
    }

    /// A message came on the result topic.
    ///
    /// # Errors
    /// Why it is ignored.
    pub fn receive<'a>(&mut self, text: &'a [u8]) -> Result<Received<'a, R>, &'static str> {
        let (token, is_accepted, delta) = match message::parse(text)? {
            Message::Delta(state) => {
                return Ok(Received { delta: Some(state), ended: Vec::new(), is_accepted: false, is_reply: false });
            }
            Message::Reply { token, is_accepted, delta } => (token, is_accepted, delta),
        };
        let mut ended = Vec::new();
        while let Settled::Answered(request) = self.exchange.settle(&*token) {
            ended.push(request);
        }
        Ok(Received { delta, ended, is_accepted, is_reply: true })
    }

    /// The next request, in the order of their beginning, whose time is over by now: it waits no longer.
    pub fn tick(&mut self, now: Millis) -> Option<R> {
        self.exchange.tick(now).map(|(_, request)| request)
    }

    /// When [`tick`](Self::tick) has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        self.exchange.deadline()
    }

    /// Ends every wait: nobody hears of it.
    pub fn end(&mut self) -> Vec<R> {
        self.exchange.end().map(|(_, request)| request).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(token: &str) -> String {
        format!(r#"{{"type":"update","clientToken":"{token}","result":0}}"#)
    }

    fn ended(session: &mut Session<u8>, token: &str) -> Vec<u8> {
        session.receive(reply(token).as_bytes()).unwrap().ended
    }

    #[test]
    fn a_reply_ends_its_request_once_and_an_unknown_one_none() {
        let mut session = Session::default();
        session.begin(Millis(0), b"a", 500, 1).unwrap();
        session.begin(Millis(0), b"b", 500, 2).unwrap();
        assert!(ended(&mut session, "x").is_empty());
        assert_eq!(ended(&mut session, "b"), [2]);
        assert!(ended(&mut session, "b").is_empty());
        assert_eq!(ended(&mut session, "a"), [1]);
        assert_eq!(session.deadline(), None);
    }

    /// shadow.md section 12, case 13.
    #[test]
    fn one_reply_ends_all_requests_with_its_token() {
        let mut session = Session::default();
        for (token, request) in [(b"t", 1), (b"u", 2), (b"t", 3)] {
            session.begin(Millis(0), token, 500, request).unwrap();
        }
        assert_eq!(ended(&mut session, "t"), [1, 3]);
        assert_eq!(session.end(), [2]);
    }

    #[test]
    fn a_number_and_a_string_of_its_digits_are_one_token() {
        for reply in [r#"{"type":"get","clientToken":12}"#, r#"{"type":"get","clientToken":"12"}"#] {
            let mut session = Session::default();
            session.begin(Millis(0), b"12", 500, 1).unwrap();
            let received = session.receive(reply.as_bytes()).unwrap();
            assert_eq!((received.ended, received.is_accepted), (vec![1], false));
        }
    }

    /// Case 9.
    #[test]
    fn ten_wait_and_there_is_room_again_once_one_has_ended() {
        let mut session = Session::default();
        for request in 0..10 {
            session.begin(Millis(0), &[b'a' + request], 500, request).unwrap();
        }
        assert_eq!(session.begin(Millis(0), b"z", 500, 99), None);
        assert!(ended(&mut session, "z").is_empty());
        assert_eq!(ended(&mut session, "c"), [2]);
        assert!(session.begin(Millis(0), b"z", 500, 99).is_some());
    }

    /// Case 11.
    #[test]
    fn a_request_ends_after_its_time_to_the_millisecond() {
        for ms in [1, 500, 999, 1000, 2500, 256_000, 257_000, 300_000, u32::MAX] {
            let mut session = Session::default();
            session.begin(Millis(7), b"t", ms, 1).unwrap();
            let end = Millis(7) + u64::from(ms);
            assert_eq!((session.deadline(), session.tick(Millis(end.0 - 1))), (Some(end), None));
            assert_eq!((session.tick(end), session.tick(end)), (Some(1), None));
            assert!(ended(&mut session, "t").is_empty());
        }
    }

    #[test]
    fn what_was_not_sent_waits_no_longer_and_leaves_its_namesake() {
        let mut session = Session::default();
        session.begin(Millis(0), b"t", 500, 1).unwrap();
        let second = session.begin(Millis(0), b"t", 500, 2).unwrap();
        assert_eq!((session.give_up(second), session.give_up(second)), (Some(2), None));
        assert_eq!(ended(&mut session, "t"), [1]);
    }

    #[test]
    fn a_delta_ends_no_request() {
        let mut session = Session::default();
        session.begin(Millis(0), b"t", 500, 1).unwrap();
        let pushed = br#"{"type":"delta","clientToken":"t","payload":{"state":{"a":1}}}"#;
        let received = session.receive(pushed).unwrap();
        assert_eq!((received.delta, received.ended, received.is_reply), (Some(&br#"{"a":1}"#[..]), vec![], false));
        assert!(session.receive(b"{").is_err());
        assert_eq!(session.end(), [1]);
    }

    #[test]
    fn tokens_are_counted_from_0_and_wrap() {
        let mut session = Session::<()>::default();
        assert_eq!((session.take_token(), session.take_token()), (0, 1));
        session.next_token = u32::MAX;
        assert_eq!((session.take_token(), session.take_token()), (u32::MAX, 0));
    }
}
