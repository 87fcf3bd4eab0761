use super::super::session::MAX_SESSIONS;
use super::*;

/// A tunnel, and the cloud at its other end.
struct Desk {
    tunnel: Tunnel,
    moment: Moment,
    decoder: Decoder,
}

impl Desk {
    fn new() -> Self {
        let moment = Moment { now: Millis(1000), seconds: 1_600_000_000 };
        let tunnel = Tunnel::new(moment, "ws-token-7".to_owned(), "who".to_owned());
        Desk { tunnel, moment, decoder: Decoder::default() }
    }

    /// One whose device has signed in, and whose first ping was answered.
    fn up() -> Self {
        let mut desk = Desk::new();
        assert_eq!(desk.said(), ["8 ws-token-7 who"]);
        desk.say(kind::VERIFIED, "ws-token-7", "{\"code\":0}").unwrap();
        desk.tunnel.tick(desk.moment).unwrap();
        assert_eq!(desk.said(), ["4 wsping-3e8 "]);
        desk.say(kind::PONG, "wsping-3e8", "").unwrap();
        assert!(desk.tunnel.is_up());
        desk
    }

    fn say(&mut self, kind: i64, token: &str, payload: &str) -> Result<(), Ended> {
        self.tunnel.received(self.moment, &encode(0, kind, 0, token, payload.as_bytes()))
    }

    /// What the device has said since the last time, as kind, token and payload.
    fn said(&mut self) -> Vec<String> {
        let mut frames = Vec::new();
        let mut payload = Vec::new();
        while !self.tunnel.outgoing().is_empty() {
            let wire = self.tunnel.outgoing().to_vec();
            let some = wire.len().min(100);
            let mut bytes = &wire[..some];
            while let Some(piece) = self.decoder.next(&mut bytes).unwrap() {
                payload.extend_from_slice(piece.payload);
                if piece.is_last {
                    let text = String::from_utf8(std::mem::take(&mut payload)).unwrap();
                    frames.push(format!("{} {} {text}", piece.head.kind, piece.head.token));
                }
            }
            self.tunnel.sent(some);
        }
        frames
    }

    /// Lets time pass. Returns what the device says then.
    fn after(&mut self, ms: u64) -> Result<Vec<String>, Ended> {
        self.moment.now = self.moment.now + ms;
        self.tunnel.tick(self.moment)?;
        Ok(self.said())
    }

    /// The session of that token, which has got something.
    fn session(&mut self, token: &str) -> SessionId {
        self.say(kind::OPEN, token, "").unwrap();
        self.say(kind::DATA, token, "hi").unwrap();
        *self.tunnel.sessions().last().unwrap()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn frames_are_numbered_from_0() {
    let mut desk = Desk::new();
    let first = desk.tunnel.outgoing().to_vec();
    assert!(first.starts_with(b"{\"requestId\":\"ws-00000000\",\"msgType\":8,"), "{first:?}");
    desk.said();
    desk.moment.now = desk.moment.now + 5000;
    desk.tunnel.tick(desk.moment).unwrap();
    assert!(desk.tunnel.outgoing().starts_with(b"{\"requestId\":\"ws-00000001\",\"msgType\":8,"));
}

#[test]
fn who_the_device_is_goes_out_until_it_is_answered() {
    let mut desk = Desk::new();
    for _ in 0..10 {
        assert_eq!(desk.said(), ["8 ws-token-7 who"]);
        assert_eq!(desk.after(4999).unwrap(), NOTHING);
        desk.moment.now = desk.moment.now + 1;
        desk.tunnel.tick(desk.moment).unwrap();
    }
    // Any answer but a refusal is a yes.
    desk.say(kind::VERIFIED, "", "what?").unwrap();
    assert!(desk.tunnel.is_up());
    let ping = desk.after(0).unwrap();
    assert!(ping.contains(&"4 wsping-c738 ".to_owned()), "{ping:?}");
    assert_eq!(desk.after(4999).unwrap(), NOTHING);
}

#[test]
fn a_minute_without_an_answer_to_who_the_device_is_ends_the_tunnel() {
    let mut desk = Desk::new();
    for _ in 0..12 {
        assert_eq!(desk.said(), ["8 ws-token-7 who"]);
        assert_eq!(desk.after(4999).unwrap(), NOTHING);
        desk.moment.now = desk.moment.now + 1;
        let _ = desk.tunnel.tick(desk.moment);
    }
    assert_eq!(desk.said(), NOTHING);
    assert_eq!(desk.after(0), Err(Ended::Unanswered));
    assert_eq!(Ended::Unanswered.to_string(), "the cloud has not answered who the device is, 12 times");
    // A cloud that takes nothing is not written to without end.
    let mut desk = Desk::new();
    while desk.tunnel.tick(desk.moment).is_ok() {
        desk.moment.now = desk.moment.now + 5000;
    }
    assert_eq!((desk.moment.now, desk.said().len()), (Millis(61_000), 12));
}

#[test]
fn a_refusal_ends_the_tunnel() {
    for (payload, code) in [("{\"code\":-3}", -3), ("{\"message\":\"no\",\"code\":\"7\"}", 7)] {
        let mut desk = Desk::new();
        assert_eq!(desk.say(kind::VERIFIED, "t", payload), Err(Ended::Refused(code)));
        // Later, too.
        assert_eq!(Desk::up().say(kind::VERIFIED, "t", payload), Err(Ended::Refused(code)));
    }
    assert_eq!(Ended::Refused(-3).to_string(), "the cloud refused the device's signature (-3)");
    let long = Desk::new().say(kind::VERIFIED, "t", &" ".repeat(MAX_ANSWER + 1)).unwrap_err();
    assert_eq!(long.to_string(), "malformed frame: an answer's payload is too long");
    // Again, in the same tunnel: nothing is left of the first one.
    let mut desk = Desk::up();
    for _ in 0..3 {
        desk.say(kind::VERIFIED, "t", &" ".repeat(MAX_ANSWER)).unwrap();
    }
}

#[test]
fn four_pings_without_a_pong_end_the_tunnel() {
    let mut desk = Desk::up();
    assert_eq!(desk.after(29_999).unwrap(), NOTHING);
    assert_eq!(desk.after(1).unwrap(), ["4 wsping-7918 "]);
    for _ in 0..3 {
        assert_eq!(desk.after(4_999).unwrap(), NOTHING);
        assert_eq!(desk.after(1).unwrap().len(), 1);
    }
    assert_eq!(desk.after(5_000), Err(Ended::Silent));
    assert_eq!(Ended::Silent.to_string(), "4 pings had no answer");
}

#[test]
fn a_pong_makes_up_for_lost_pings() {
    let mut desk = Desk::up();
    for _ in 0..5 {
        assert_eq!(desk.after(30_000).unwrap().len(), 1);
        for _ in 0..3 {
            assert_eq!(desk.after(5_000).unwrap().len(), 1);
        }
        desk.say(kind::PONG, "whose it is does not matter", "").unwrap();
    }
}

#[test]
fn a_session_begins_with_its_first_data() {
    let mut desk = Desk::up();
    desk.say(kind::OPEN, "a", "").unwrap();
    assert_eq!(desk.said(), [format!("1 a {SUCCESS}")]);
    assert_eq!(desk.tunnel.sessions(), []);
    desk.say(kind::DATA, "a", "SSH-2.0").unwrap();
    let [session] = desk.tunnel.sessions()[..] else { panic!() };
    assert_eq!(desk.tunnel.to_local(session), b"SSH-2.0");
    desk.tunnel.written(desk.moment.now, session, 3);
    desk.say(kind::DATA, "a", "-x").unwrap();
    assert_eq!(desk.tunnel.to_local(session), b"-2.0-x");
    desk.tunnel.written(desk.moment.now, session, 100);
    assert_eq!(desk.tunnel.to_local(session), b"");
    desk.tunnel.from_local(desk.moment, session, b"answer");
    assert_eq!(desk.said(), ["6 a answer"]);
}

#[test]
fn nothing_is_opened_for_whoever_has_not_verified_the_device() {
    let mut desk = Desk::new();
    desk.said();
    desk.say(kind::OPEN, "a", "").unwrap();
    assert_eq!(desk.said(), [format!("1 a {FAIL}")]);
    desk.say(kind::DATA, "a", "x").unwrap();
    assert_eq!(desk.tunnel.sessions(), []);
}

#[test]
fn at_most_five_sessions_live_at_a_time() {
    let mut desk = Desk::up();
    let sessions: Vec<_> = (0..MAX_SESSIONS).map(|number| desk.session(&number.to_string())).collect();
    desk.said();
    desk.say(kind::OPEN, "sixth", "").unwrap();
    assert_eq!(desk.said(), [format!("1 sixth {FAIL}")]);
    // The same token again is another session in the place of the first.
    let again = desk.session("3");
    assert_eq!(desk.said(), [format!("1 3 {SUCCESS}")]);
    assert!(!sessions.contains(&again));
    assert!(!desk.tunnel.sessions().contains(&sessions[3]));
    desk.tunnel.local_lost(desk.moment, again);
    assert_eq!(desk.said(), [format!("1 3 {FAIL}")]);
    desk.say(kind::OPEN, "sixth", "").unwrap();
    assert_eq!(desk.said(), [format!("1 sixth {SUCCESS}")]);
}

#[test]
fn what_has_come_is_written_before_a_session_closes() {
    let mut desk = Desk::up();
    let session = desk.session("a");
    desk.said();
    desk.say(kind::CLOSE, "a", "").unwrap();
    assert_eq!(desk.said(), [format!("3 a {SUCCESS}")]);
    assert_eq!(desk.tunnel.to_local(session), b"hi");
    // What either side says after that is nobody's.
    desk.say(kind::DATA, "a", "late").unwrap();
    desk.tunnel.from_local(desk.moment, session, b"late");
    assert_eq!(desk.tunnel.to_local(session), b"hi");
    desk.tunnel.written(desk.moment.now, session, 2);
    assert_eq!(desk.tunnel.sessions(), []);
    assert_eq!(desk.said(), NOTHING);
    // One that nobody knows is closed already.
    desk.say(kind::CLOSE, "a", "").unwrap();
    assert_eq!(desk.said(), [format!("3 a {SUCCESS}")]);
}

#[test]
fn a_server_that_goes_while_its_session_closes_is_not_told() {
    let mut desk = Desk::up();
    let session = desk.session("a");
    desk.say(kind::CLOSE, "a", "").unwrap();
    desk.said();
    desk.tunnel.local_lost(desk.moment, session);
    assert_eq!(desk.tunnel.sessions(), []);
    assert_eq!(desk.said(), NOTHING);
}

#[test]
fn unknown_sessions_and_frames_do_no_harm() {
    let mut desk = Desk::up();
    desk.say(kind::DATA, "stranger", "x").unwrap();
    desk.say(77, "a", "from the future").unwrap();
    desk.say(kind::PONG, "", "with a payload").unwrap();
    let session = desk.session("a");
    desk.tunnel.local_lost(desk.moment, session);
    desk.said();
    desk.tunnel.local_lost(desk.moment, session);
    desk.tunnel.written(desk.moment.now, session, 1);
    desk.tunnel.from_local(desk.moment, session, b"x");
    assert_eq!(desk.tunnel.to_local(session), b"");
    assert_eq!(desk.said(), NOTHING);
    assert_eq!(desk.tunnel.received(desk.moment, b"x\r\n"), Err(Malformed("its line is not JSON").into()));
}

#[test]
fn a_server_that_takes_nothing_stops_the_reading_and_is_given_up() {
    let mut desk = Desk::up();
    let session = desk.session("slow");
    let other = desk.session("other");
    desk.tunnel.written(desk.moment.now, other, 2);
    desk.said();
    let mut count = 0;
    while desk.tunnel.wants_input() {
        desk.say(kind::DATA, "slow", &"x".repeat(1000)).unwrap();
        count += 1;
    }
    assert_eq!(count, 17);
    // Each byte that goes makes time for the rest.
    assert_eq!(desk.after(29_999).unwrap(), NOTHING);
    desk.tunnel.written(desk.moment.now, session, 1);
    // No ping is lost meanwhile, since no pong would be read.
    assert_eq!(desk.after(29_999).unwrap(), NOTHING);
    assert!(!desk.tunnel.wants_input());
    // The other session, whose server has taken all, stays.
    let said = desk.after(1).unwrap();
    assert!(said.contains(&format!("1 slow {FAIL}")), "{said:?}");
    assert_eq!(desk.tunnel.sessions(), [other]);
    assert!(desk.tunnel.wants_input());
}

#[test]
fn a_cloud_that_takes_nothing_stops_what_it_would_have_to_take() {
    let mut desk = Desk::up();
    let session = desk.session("a");
    desk.said();
    let mut count = 0;
    while desk.tunnel.has_room() {
        desk.tunnel.from_local(desk.moment, session, &[b'x'; 1000]);
        count += 1;
    }
    assert_eq!(count, 30);
    // Data of the other way does not wait for that, or both sides might wait for each other.
    for _ in 0..100 {
        assert!(desk.tunnel.wants_input());
        desk.say(kind::DATA, "a", &"x".repeat(1000)).unwrap();
        desk.tunnel.written(desk.moment.now, session, 2000);
    }
    desk.said();
    assert!(desk.tunnel.wants_input() && desk.tunnel.has_room());
    // Questions whose answers nobody takes are not read for ever.
    let mut count = 0;
    while desk.tunnel.wants_input() {
        desk.say(kind::CLOSE, "a", "").unwrap();
        count += 1;
    }
    assert!(count < 600, "{count}");
}

#[test]
fn a_ping_goes_before_data_but_not_into_a_frame() {
    let mut desk = Desk::up();
    let session = desk.session("a");
    desk.tunnel.written(desk.moment.now, session, 2);
    desk.said();
    desk.tunnel.from_local(desk.moment, session, b"first");
    desk.tunnel.from_local(desk.moment, session, b"second");
    let said = desk.after(30_000).unwrap();
    let kinds: Vec<_> = said.iter().map(|frame| &frame[..1]).collect();
    assert_eq!(kinds, ["6", "4", "6"]);
}
