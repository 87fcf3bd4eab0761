//! Client against server in memory, in virtual time.

use super::*;
use crate::{suite, SUITES};
use zeroize::Zeroizing;

const KEY: [u8; 24] = *b"a secret of 24 bytes....";
const PEER: &[u8] = b"198.51.100.7:40000";

fn keys(identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    (identity == b"PRODUCT1lamp").then(|| Zeroizing::new(KEY.to_vec()))
}

fn server() -> Server {
    Server::with_keys(keys).unwrap()
}

fn client() -> Session {
    Session::client(&KEY, "PRODUCT1lamp", Some("iot.example.com"), &SUITES).unwrap()
}

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// When the copies of a datagram arrive, in milliseconds after it was sent. None: it is lost. Called with its number.
type Fate<'a> = Box<dyn FnMut(usize) -> Vec<u64> + 'a>;

/// A client, a server, and what is on its way between them.
struct Net<'a> {
    now: Duration,
    client: Session,
    server: Server,
    session: Option<Session>,
    /// When, whether to the server, and what.
    on_its_way: Vec<(Duration, bool, Vec<u8>)>,
    sent: usize,
    fate: Fate<'a>,
    failed: [Option<Error>; 2],
    /// What the client sent, and when.
    seen: Vec<(Duration, Vec<u8>)>,
}

impl<'a> Net<'a> {
    fn new(client: Session, server: Server, fate: impl FnMut(usize) -> Vec<u64> + 'a) -> Self {
        Net {
            now: Duration::ZERO,
            client,
            server,
            session: None,
            on_its_way: Vec::new(),
            sent: 0,
            fate: Box::new(fate),
            failed: [None; 2],
            seen: Vec::new(),
        }
    }

    fn send(&mut self, to_server: bool, datagram: Vec<u8>) {
        for delay in (self.fate)(self.sent) {
            self.on_its_way.push((self.now + Duration::from_millis(delay), to_server, datagram.clone()));
        }
        self.sent += 1;
    }

    fn collect(&mut self) {
        while let Some(datagram) = self.client.next_datagram() {
            self.seen.push((self.now, datagram.clone()));
            self.send(true, datagram);
        }
        while let Some(datagram) = self.session.as_mut().and_then(Session::next_datagram) {
            self.send(false, datagram);
        }
    }

    fn deliver(&mut self, to_server: bool, datagram: &[u8]) {
        let now = self.now;
        let result = match (&mut self.session, to_server) {
            (_, false) => self.client.receive(datagram, now),
            (Some(session), true) => session.receive(datagram, now),
            (None, true) => match self.server.accept(PEER, datagram, now).unwrap() {
                First::Session(session) => {
                    self.session = Some(session);
                    Ok(())
                }
                First::Cookie(answer) => {
                    self.send(false, answer);
                    Ok(())
                }
                First::Refused(error, answers) => {
                    answers.into_iter().for_each(|answer| self.send(false, answer));
                    Err(error)
                }
                First::Nothing => Ok(()),
            },
        };
        if let Err(error) = result {
            self.failed[usize::from(to_server)].get_or_insert(error);
        }
    }

    /// Until nothing happens any more.
    fn run(&mut self) {
        if let Err(error) = self.client.proceed(self.now) {
            self.failed[0].get_or_insert(error);
        }
        self.collect();
        for _ in 0..1000 {
            let arrival = self.on_its_way.iter().map(|(at, ..)| *at).min();
            let deadlines = [self.client.deadline(), self.session.as_ref().and_then(Session::deadline)];
            let Some(next) = [arrival, deadlines[0], deadlines[1]].into_iter().flatten().min() else { return };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let place = self.on_its_way.iter().position(|(at, ..)| *at == next).unwrap();
                let (_, to_server, datagram) = self.on_its_way.remove(place);
                self.deliver(to_server, &datagram);
            }
            for (place, session) in [Some(&mut self.client), self.session.as_mut()].into_iter().enumerate() {
                if let Some(session) = session.filter(|session| session.deadline().is_some_and(|end| end <= next)) {
                    if let Err(error) = session.proceed(next) {
                        self.failed[place].get_or_insert(error);
                    }
                }
            }
            self.collect();
        }
        panic!("it does not end");
    }

    fn is_open(&self) -> bool {
        self.client.is_open() && self.session.as_ref().is_some_and(Session::is_open)
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }
}

fn at_once(_: usize) -> Vec<u64> {
    vec![0]
}

/// Both sides of an established connection.
fn pair() -> (Session, Session) {
    let mut net = Net::new(client(), server(), at_once);
    net.run();
    assert!(net.is_open(), "{:?}", net.failed);
    (net.client, net.session.unwrap())
}

#[test]
fn a_handshake_with_a_cookie_proves_who_the_client_is() {
    let mut net = Net::new(client(), server(), at_once);
    net.run();
    assert!(net.is_open());
    assert_eq!((net.now, net.failed), (Duration::ZERO, [None; 2]));
    assert_eq!(net.session().proved().unwrap(), b"PRODUCT1lamp");
    // ClientHello, the same with the cookie, the rest.
    assert_eq!(net.seen.len(), 3);
    assert_eq!((net.client.deadline(), net.session().deadline()), (None, None));
}

#[test]
fn without_cookies_the_first_datagram_begins_the_handshake() {
    let mut net = Net::new(client(), server().without_cookies(), at_once);
    net.run();
    assert!(net.is_open());
    assert_eq!(net.seen.len(), 2);
}

#[test]
fn a_cookie_is_good_for_the_peer_that_got_it_from_this_server_only() {
    let (server, other, now) = (server(), server(), Duration::ZERO);
    let mut client = client();
    client.proceed(now).unwrap();
    let First::Cookie(answer) = server.accept(PEER, &client.next_datagram().unwrap(), now).unwrap() else { panic!() };
    client.receive(&answer, now).unwrap();
    let hello = client.next_datagram().unwrap();
    assert!(matches!(server.accept(b"198.51.100.8:40000", &hello, now).unwrap(), First::Cookie(_)));
    assert!(matches!(other.accept(PEER, &hello, now).unwrap(), First::Cookie(_)));
    assert!(matches!(server.accept(PEER, &hello, now).unwrap(), First::Session(_)));
}

#[test]
fn a_silent_server_is_asked_at_0_2_and_6_seconds_and_given_up_at_14() {
    let mut net = Net::new(client(), server(), |_| Vec::new());
    net.run();
    let times: Vec<_> = net.seen.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [0, 2, 6]);
    assert_eq!((net.now.as_secs(), net.failed[0]), (14, Some(Error::TIMEOUT)));
    assert_eq!(net.client.proceed(net.now), Err(Error::TIMEOUT), "it stays so");
    assert_eq!(net.client.write(b"x"), Err(Error::TIMEOUT));
}

#[test]
fn a_datagram_that_comes_when_another_is_due_is_looked_at() {
    let (mut client, server) = (client(), server());
    client.proceed(Duration::ZERO).unwrap();
    let hello = client.next_datagram().unwrap();
    let First::Cookie(answer) = server.accept(PEER, &hello, Duration::ZERO).unwrap() else { panic!() };
    client.receive(&answer, client.deadline().unwrap()).unwrap();
    let sent: Vec<_> = std::iter::from_fn(|| client.next_datagram()).collect();
    assert_eq!(sent.len(), 2, "the first ClientHello again, and the second");
    assert!(sent[1].len() > sent[0].len(), "with the cookie");
}

#[test]
fn any_one_datagram_may_be_lost_doubled_or_late() {
    for place in 0..6 {
        for fate in [vec![], vec![0, 0], vec![0, 700], vec![3000]] {
            let mut net = Net::new(client(), server(), |number| if number == place { fate.clone() } else { vec![10] });
            net.run();
            assert!(net.is_open(), "datagram {place}: {fate:?}, {:?}", net.failed);
            net.client.write(b"up").unwrap();
            net.session().write(b"down").unwrap();
            net.run();
            assert_eq!(net.session().next_message().as_deref(), Some(&b"up"[..]), "datagram {place}: {fate:?}");
            assert_eq!(net.client.next_message().as_deref(), Some(&b"down"[..]), "datagram {place}: {fate:?}");
        }
    }
}

#[test]
fn on_a_bad_line_it_works_or_gives_up() {
    let mut connected = 0;
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let mut net = Net::new(client(), server(), move |_| match dice.roll(10) {
            0 | 1 => Vec::new(),
            2 => vec![dice.roll(50), dice.roll(4000)],
            _ => vec![dice.roll(50)],
        });
        net.run();
        assert!(net.failed.iter().flatten().all(|error| *error == Error::TIMEOUT), "{seed}: {:?}", net.failed);
        if net.is_open() {
            connected += 1;
            for message in [b"a", b"b", b"c"] {
                net.client.write(message).unwrap();
            }
            net.run();
            let mut came: Vec<_> = std::iter::from_fn(|| net.session().next_message()).collect();
            let count = came.len();
            came.sort();
            came.dedup();
            assert_eq!(came.len(), count, "{seed}: a copy was delivered");
        }
    }
    assert!(connected > 80, "{connected} of 100");
}

/// The fields of the ClientHello behind the random number.
fn hello() -> Vec<u8> {
    let mut client = client();
    client.proceed(Duration::ZERO).unwrap();
    let datagram = client.next_datagram().unwrap();
    assert_eq!(client.next_datagram(), None);
    assert!(is_client_hello(&datagram));
    assert_eq!(datagram[25..27], [0xfe, 0xfd], "DTLS 1.2");
    datagram[59..].to_vec()
}

#[test]
fn the_client_hello_says_what_the_contract_wants() {
    let hello = hello();
    assert_eq!(hello[..2], [0, 0], "neither session nor cookie");
    let len = usize::from(u16::from_be_bytes([hello[2], hello[3]]));
    let suites: Vec<_> = hello[4..4 + len].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    for wanted in [0x8c, 0x8d, 0xff] {
        assert!(suites.contains(&wanted), "{wanted:#x}");
    }
    let rest = &hello[4 + len..];
    assert_eq!(rest[..2], [1, 0], "no compression");
    let mut extensions = Vec::new();
    let mut left = &rest[4..];
    while let [a, b, c, d, data @ ..] = left {
        let len = usize::from(u16::from_be_bytes([*c, *d]));
        extensions.push((u16::from_be_bytes([*a, *b]), &data[..len]));
        left = &data[len..];
    }
    let of = |number| extensions.iter().find(|(found, _)| *found == number).map(|(_, data)| *data);
    assert_eq!(of(0).map(|name| &name[5..]), Some(&b"iot.example.com"[..]));
    assert_eq!(of(22), Some(&[][..]), "encrypt-then-MAC");
    assert_eq!(of(23), Some(&[][..]), "extended master secret");
}

#[test]
fn each_suite_that_the_cloud_takes_is_enough() {
    static ONE: [i32; 2] = [suite::AES_128_CBC_SHA, 0];
    static OTHER: [i32; 2] = [suite::AES_256_CBC_SHA, 0];
    for suites in [&ONE, &OTHER] {
        let mut net = Net::new(client(), server().with_suites(suites), at_once);
        net.run();
        assert!(net.is_open(), "{suites:?}");
    }
}

#[test]
fn what_will_never_work_fails_at_once() {
    static GCM: [i32; 2] = [suite::AES_128_GCM_SHA256, 0];
    static CBC: [i32; 2] = [suite::AES_128_CBC_SHA, 0];
    let other_key = Session::client(&[1; 24], "PRODUCT1lamp", None, &SUITES);
    let other_name = Session::client(&KEY, "PRODUCT1door", None, &SUITES);
    let other_suite = Session::client(&KEY, "PRODUCT1lamp", None, &CBC);
    for (client, server, alert, claimed) in [
        (other_key, server(), 20, "PRODUCT1lamp"),
        (other_name, server(), 115, "PRODUCT1door"),
        (other_suite, server().with_suites(&GCM), 40, ""),
    ] {
        let mut net = Net::new(client.unwrap(), server, at_once);
        net.run();
        assert_eq!((net.now, net.failed[0]), (Duration::ZERO, Some(Error::FATAL_ALERT)), "{alert}");
        assert_eq!(net.client.alert(), alert);
        assert!(net.failed[1].is_some());
        if let Some(session) = &net.session {
            assert_eq!(session.claimed().unwrap(), claimed.as_bytes());
            assert_eq!(session.proved(), None, "{alert}");
        }
    }
}

#[test]
fn messages_arrive_whole_one_by_one_and_once() {
    let now = Duration::from_secs(1);
    let (mut client, mut session) = pair();
    let long = vec![5; MAX_MESSAGE];
    for message in [&b"a"[..], &[7; 4096], &long] {
        client.write(message).unwrap();
        let datagram = client.next_datagram().unwrap();
        assert_eq!(client.next_datagram(), None);
        session.receive(&datagram, now).unwrap();
        session.receive(&datagram, now).unwrap();
        assert_eq!(session.next_message().as_deref(), Some(message));
        assert_eq!(session.next_message(), None, "a copy is dropped");
    }
    assert_eq!(client.write(&[5; MAX_MESSAGE + 1]), Err(Error::BAD_INPUT));
    client.write(b"one").unwrap();
    client.write(b"two").unwrap();
    // Two in one datagram, the later one first.
    let (one, two) = (client.next_datagram().unwrap(), client.next_datagram().unwrap());
    session.receive(&[two, one].concat(), now).unwrap();
    assert_eq!(session.next_message().as_deref(), Some(&b"two"[..]));
    assert_eq!(session.next_message().as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_goodbye_closes_and_what_came_before_it_stays() {
    let now = Duration::ZERO;
    let (mut client, mut session) = pair();
    session.write(b"last").unwrap();
    session.close();
    session.close();
    while let Some(datagram) = session.next_datagram() {
        client.receive(&datagram, now).unwrap();
    }
    assert!(client.is_closed() && !client.is_open());
    assert_eq!(client.next_message().as_deref(), Some(&b"last"[..]));
    assert_eq!(client.write(b"x"), Err(Error::CLOSE_NOTIFY));
    client.close();
    assert!(client.next_datagram().is_some(), "it says goodbye, too");
    client.close();
    assert_eq!(client.next_datagram(), None, "once");
    let mut early = self::client();
    early.close();
    assert_eq!(early.next_datagram(), None);
    assert_eq!(early.write(b"x"), Err(Error::WANT_READ));
}

#[test]
fn what_somebody_else_sends_changes_nothing() {
    let now = Duration::ZERO;
    let (mut client, mut session) = pair();
    let mut dice = Dice(1);
    session.write(b"hello").unwrap();
    let good = session.next_datagram().unwrap();
    for round in 0..10_000 {
        let mut datagram = match round % 3 {
            0 => good.clone(),
            1 => [&good[..], &good].concat(),
            _ => vec![0; dice.roll(80) as usize],
        };
        for _ in 0..=dice.roll(3) {
            if !datagram.is_empty() {
                let place = dice.roll(datagram.len() as u64) as usize;
                datagram[place] ^= dice.roll(255) as u8 + 1;
            }
        }
        // One of two copies may have stayed whole.
        if !datagram.windows(good.len()).any(|part| part == good) {
            client.receive(&datagram, now).unwrap();
        }
        assert_eq!(client.next_message(), None, "{datagram:?}");
    }
    client.receive(&good, now).unwrap();
    assert_eq!(client.next_message().as_deref(), Some(&b"hello"[..]));
}

#[test]
fn a_server_survives_whatever_begins_a_handshake() {
    let (server, now) = (server(), Duration::ZERO);
    let mut client = client();
    client.proceed(now).unwrap();
    let First::Cookie(answer) = server.accept(PEER, &client.next_datagram().unwrap(), now).unwrap() else { panic!() };
    client.receive(&answer, now).unwrap();
    let hello = client.next_datagram().unwrap();
    assert!(matches!(server.accept(PEER, &hello[..hello.len() - 1], now).unwrap(), First::Refused(..)));
    assert!(matches!(server.accept(PEER, b"", now).unwrap(), First::Nothing));
    assert!(matches!(server.accept(PEER, b"\x40\x02\x00\x01", now).unwrap(), First::Nothing));
    let mut dice = Dice(2);
    let mut sessions = 0;
    for _ in 0..3000 {
        let mut datagram = hello.clone();
        let place = dice.roll(datagram.len() as u64) as usize;
        datagram[place] = dice.roll(256) as u8;
        if let First::Session(mut session) = server.accept(PEER, &datagram, now).unwrap() {
            sessions += 1;
            let _ = session.receive(&datagram, now);
        }
    }
    assert!(sessions > 100, "{sessions} were near enough");
}

#[test]
fn a_server_serves_many_threads() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    fn is_sent<T: Send>(_: &T) {}
    is_shared(&server());
    is_sent(&client());
}

#[test]
fn bad_arguments_are_refused() {
    assert!(Session::client(&[], "PRODUCT1lamp", None, &SUITES).is_err());
    assert!(Session::client(&[1; crate::MAX_KEY + 1], "PRODUCT1lamp", None, &SUITES).is_err());
    assert!(Session::client(&KEY, "PRODUCT1lamp", Some("a\0b"), &SUITES).is_err());
    let _no_host = Session::client(&KEY, "PRODUCT1lamp", None, &SUITES).unwrap();
}
