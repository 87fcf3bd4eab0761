//! DTLS peers (coap.md section 1), by address: datagrams and the time come in, messages and datagrams go out.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_fault::coap::Ending;
use iot_mbedtls::dtls::{is_client_hello, First, Server, Session};
use iot_mbedtls::{Error, Peer as Certificate, Trust};
use zeroize::Zeroizing;

/// How many peers there may be. When there are more, the one that has been silent for longest is forgotten.
const MAX_PEERS: usize = 512;
/// A peer that has been silent for so long is forgotten.
const IDLE: Duration = Duration::from_secs(600);

/// One peer.
struct Peer {
    session: Session,
    /// Of a client that may have begun anew at the same address; it takes the place of the other when it is open.
    next: Option<Session>,
    heard: Instant,
    /// What proved who it is, once it has.
    proof: Option<Zeroizing<Vec<u8>>>,
}

/// Who may come in.
pub trait Guests: Send + Sync {
    /// The client id in what a peer shows, the identity of a key or a certificate (DER), known or not.
    fn client_id(&self, shown: &[u8]) -> Option<String>;

    /// What proves the device that shows this at present; `None`: it does not get in. It is another one once a secret or a
    /// certificate was renewed.
    fn proof(&self, shown: &[u8]) -> Option<Zeroizing<Vec<u8>>>;
}

/// What is wrong with a client's certificate, whoever has it.
const FLAWS: u32 = Certificate::NOT_TRUSTED | Certificate::EXPIRED | Certificate::FUTURE;

/// A connection that came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who the client said it was, where it came that far.
    pub claimed: Option<String>,
    /// Why.
    pub reason: String,
}

/// Every peer of one socket.
pub struct Peers {
    guests: Arc<dyn Guests>,
    server: Server,
    without_cookies: Server,
    start: Instant,
    peers: HashMap<SocketAddr, Peer>,
    out: VecDeque<(SocketAddr, Vec<u8>)>,
    failures: VecDeque<Failure>,
}

impl Peers {
    /// None yet; they prove themselves by their key.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn with_keys(guests: Arc<dyn Guests>, now: Instant) -> Result<Self, Error> {
        let server = || {
            let guests = guests.clone();
            Server::with_keys(move |identity: &[u8]| guests.proof(identity))
        };
        Ok(Self::new(server()?, server()?, guests.clone(), now))
    }

    /// None yet; they prove themselves by a certificate.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn with_certificates(trust: &Arc<Trust>, guests: Arc<dyn Guests>, now: Instant) -> Result<Self, Error> {
        let server = || {
            let guests = guests.clone();
            let judge = move |peer: &Certificate<'_>| {
                (peer.flaws | peer.chain_flaws) & FLAWS == 0 && guests.proof(peer.der).is_some()
            };
            Server::with_certificates(trust.clone(), judge)
        };
        Ok(Self::new(server()?, server()?, guests.clone(), now))
    }

    fn new(server: Server, other: Server, guests: Arc<dyn Guests>, now: Instant) -> Self {
        let (peers, out, failures) = (HashMap::new(), VecDeque::new(), VecDeque::new());
        Peers { guests, server, without_cookies: other.without_cookies(), start: now, peers, out, failures }
    }

    /// When [`Peers::tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let sessions = self.peers.values().flat_map(|peer| [Some(&peer.session), peer.next.as_ref()]).flatten();
        let repeats = sessions.filter_map(|session| Some(self.start + session.deadline()?));
        repeats.chain(self.peers.values().map(|peer| peer.heard + IDLE)).min()
    }

    /// The next datagram to send.
    pub fn next_datagram(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.out.pop_front()
    }

    /// The next connection that came to nothing.
    pub fn next_failure(&mut self) -> Option<Failure> {
        self.failures.pop_front()
    }

    /// Whether a datagram from there begins a handshake.
    pub fn is_begin(&self, address: SocketAddr, datagram: &[u8]) -> bool {
        let under_way = self.peers.get(&address).is_some_and(|peer| peer.next.is_some() || !peer.session.is_open());
        is_client_hello(datagram) && !under_way
    }

    /// Looks at a datagram that begins a handshake.
    pub fn begin(&mut self, now: Instant, address: SocketAddr, datagram: &[u8], asks_for_cookie: bool) {
        let server = if asks_for_cookie { &self.server } else { &self.without_cookies };
        match server.accept(address.to_string().as_bytes(), datagram, now.duration_since(self.start)) {
            Ok(First::Cookie(answer)) => self.out.push_back((address, answer)),
            Ok(First::Refused(error, answer)) => {
                self.out.extend(answer.into_iter().map(|datagram| (address, datagram)));
                self.failures.push_back(Failure { claimed: None, reason: format!("DTLS handshake: {error}") });
            }
            Ok(First::Session(mut session)) => {
                drain(&mut self.out, address, &mut session);
                match self.peers.get_mut(&address) {
                    Some(peer) => peer.next = Some(session),
                    None => {
                        self.make_room();
                        self.peers.insert(address, Peer { session, next: None, heard: now, proof: None });
                    }
                }
            }
            Ok(First::Nothing) => {}
            Err(error) => self.failures.push_back(Failure { claimed: None, reason: format!("DTLS: {error}") }),
        }
    }

    /// Takes any other datagram. Returns the messages in it.
    pub fn receive(&mut self, now: Instant, address: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        let Some(peer) = self.peers.get_mut(&address) else {
            return Vec::new();
        };
        peer.heard = now;
        let since = now.duration_since(self.start);
        if let Some(mut next) = peer.next.take() {
            // What is no part of it changes nothing.
            let outcome = next.receive(datagram, since);
            drain(&mut self.out, address, &mut next);
            match outcome {
                Ok(()) if next.is_open() => (peer.session, peer.proof) = (next, None),
                Ok(()) => peer.next = Some(next),
                Err(_) => {}
            }
        }
        let outcome = peer.session.receive(datagram, since);
        let proof = peer.session.proved().and_then(|shown| self.guests.proof(&shown));
        match &peer.proof {
            None => peer.proof = proof,
            // Who came in by a secret that was renewed since, or is no device any more, is out.
            Some(before) if proof.as_ref() != Some(before) => {
                self.end(address, Ending::Close);
                return Vec::new();
            }
            Some(_) => {}
        }
        let messages = std::iter::from_fn(|| peer.session.next_message()).collect();
        self.settle(address, outcome);
        messages
    }

    /// The client id that a peer has proved.
    pub fn proved(&self, address: SocketAddr) -> Option<String> {
        self.guests.client_id(&self.peers.get(&address)?.session.proved()?)
    }

    /// Sends a message to a peer, if it is still there.
    pub fn write(&mut self, address: SocketAddr, message: &[u8]) {
        if let Some(peer) = self.peers.get_mut(&address) {
            // One that has gone meanwhile, or a message that is too long, gets nothing.
            let _ = peer.session.write(message);
            drain(&mut self.out, address, &mut peer.session);
        }
    }

    /// Ends a peer's session.
    pub fn end(&mut self, address: SocketAddr, ending: Ending) {
        if let Some(mut peer) = self.peers.remove(&address) {
            if ending == Ending::Close {
                peer.session.close();
                drain(&mut self.out, address, &mut peer.session);
            }
        }
    }

    /// Does what the time has come for: repeats what may have got lost, forgets who is silent.
    pub fn tick(&mut self, now: Instant) {
        let since = now.duration_since(self.start);
        let is_due = |session: &Session| session.deadline().is_some_and(|deadline| deadline <= since);
        let mut due = Vec::new();
        for (address, peer) in &mut self.peers {
            if now.duration_since(peer.heard) >= IDLE || is_due(&peer.session) {
                due.push(*address);
            }
            if let Some(mut next) = peer.next.take_if(|next| is_due(next)) {
                let outcome = next.proceed(since);
                drain(&mut self.out, *address, &mut next);
                peer.next = outcome.is_ok().then_some(next);
            }
        }
        for address in due {
            let Some(peer) = self.peers.get_mut(&address) else { continue };
            if now.duration_since(peer.heard) >= IDLE {
                self.end(address, Ending::Close);
            } else {
                let outcome = peer.session.proceed(since);
                self.settle(address, outcome);
            }
        }
    }

    /// Sends what a session has to send, and forgets it where it has ended.
    fn settle(&mut self, address: SocketAddr, outcome: Result<(), Error>) {
        let Some(peer) = self.peers.get_mut(&address) else { return };
        if let Err(error) = outcome {
            let claimed = peer.session.claimed().and_then(|shown| self.guests.client_id(&shown));
            let reason = format!("DTLS: {error}");
            self.failures.push_back(Failure { claimed, reason });
        }
        if peer.session.is_closed() {
            peer.session.close();
        }
        drain(&mut self.out, address, &mut peer.session);
        if outcome.is_err() || peer.session.is_closed() {
            match peer.next.take() {
                Some(next) => (peer.session, peer.proof) = (next, None),
                None => drop(self.peers.remove(&address)),
            }
        }
    }

    fn make_room(&mut self) {
        if self.peers.len() < MAX_PEERS {
            return;
        }
        let oldest = self.peers.iter().min_by_key(|(_, peer)| peer.heard).map(|(address, _)| *address);
        oldest.map(|address| self.peers.remove(&address));
    }
}

fn drain(out: &mut VecDeque<(SocketAddr, Vec<u8>)>, address: SocketAddr, session: &mut Session) {
    while let Some(datagram) = session.next_datagram() {
        out.push_back((address, datagram));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iot_mbedtls::SUITES;

    const KEY: &[u8] = b"1234567890abcdef";

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// The device P1dev1 with this key.
    #[derive(Default)]
    struct One(std::sync::Mutex<Option<Vec<u8>>>);

    impl Guests for One {
        fn client_id(&self, shown: &[u8]) -> Option<String> {
            Some(String::from_utf8_lossy(shown).into_owned())
        }

        fn proof(&self, shown: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
            let key = self.0.lock().expect("a key").clone().unwrap_or_else(|| KEY.to_vec());
            (shown == b"P1dev1").then(|| Zeroizing::new(key))
        }
    }

    struct Net {
        peers: Peers,
        now: Instant,
        start: Instant,
    }

    impl Net {
        fn new() -> Self {
            let now = Instant::now();
            Net { peers: Peers::with_keys(Arc::new(One::default()), now).expect("random numbers"), now, start: now }
        }

        fn since(&self) -> Duration {
            self.now.duration_since(self.start)
        }

        fn client(&self, identity: &str, key: &[u8]) -> Session {
            let mut client = Session::client(key, identity, Some("localhost"), &SUITES).expect("a client");
            client.proceed(self.since()).expect("a beginning");
            client
        }

        /// Brings datagrams to and fro until there are none. Returns what the server was told.
        fn run(&mut self, port: u16, client: &mut Session, cookies: bool) -> Vec<Vec<u8>> {
            let mut messages = Vec::new();
            loop {
                let sent: Vec<_> = std::iter::from_fn(|| client.next_datagram()).collect();
                for datagram in &sent {
                    if self.peers.is_begin(address(port), datagram) {
                        self.peers.begin(self.now, address(port), datagram, cookies);
                    } else {
                        messages.extend(self.peers.receive(self.now, address(port), datagram));
                    }
                }
                let got: Vec<_> = std::iter::from_fn(|| self.peers.next_datagram()).collect();
                for (to, datagram) in &got {
                    assert_eq!(*to, address(port));
                    // Some clients are to fail.
                    let _ = client.receive(datagram, self.since());
                }
                if sent.is_empty() && got.is_empty() {
                    return messages;
                }
            }
        }

        fn open(&mut self, port: u16) -> Session {
            let mut client = self.client("P1dev1", KEY);
            assert!(self.run(port, &mut client, true).is_empty() && client.is_open());
            client
        }
    }

    #[test]
    fn messages_go_both_ways_and_each_peer_is_its_own() {
        let mut net = Net::new();
        let (mut one, mut two) = (net.open(1), net.open(2));
        one.write(b"hello").expect("an open session");
        assert_eq!(net.run(1, &mut one, true), [b"hello"]);
        assert_eq!(net.peers.proved(address(1)).as_deref(), Some("P1dev1"));
        net.peers.write(address(2), b"answer");
        net.run(2, &mut two, true);
        assert_eq!((two.next_message().as_deref(), one.next_message()), (Some(&b"answer"[..]), None));
        net.peers.write(address(3), b"nobody is there");
        assert_eq!(net.peers.next_datagram(), None);
        one.close();
        net.run(1, &mut one, true);
        assert_eq!((net.peers.peers.len(), net.peers.proved(address(1))), (1, None));
        assert_eq!(net.peers.next_failure(), None);
    }

    #[test]
    fn strangers_and_wrong_keys_come_to_nothing() {
        for (identity, key) in [("P1dev9", KEY), ("P1dev1", &b"another key"[..])] {
            let mut net = Net::new();
            let mut client = net.client(identity, key);
            net.run(1, &mut client, true);
            assert!(!client.is_open(), "{identity}");
            assert_eq!(net.peers.next_failure().and_then(|failure| failure.claimed).as_deref(), Some(identity));
            assert_eq!(net.peers.proved(address(1)), None);
            assert!(net.peers.peers.is_empty());
        }
    }

    #[test]
    fn nothing_is_kept_before_the_cookie_and_no_cookie_is_asked_for_where_none_is_wanted() {
        let mut net = Net::new();
        let hello = net.client("P1dev1", KEY).next_datagram().expect("a hello");
        net.peers.begin(net.now, address(1), &hello, true);
        assert_eq!((net.peers.peers.len(), net.peers.deadline()), (0, None));
        assert!(net.peers.next_datagram().is_some_and(|(_, datagram)| datagram.get(13) == Some(&3)));
        net.peers.begin(net.now, address(1), &hello, false);
        assert_eq!(net.peers.peers.len(), 1);
        assert!(net.peers.next_datagram().is_some_and(|(_, datagram)| datagram.get(13) == Some(&2)));
        let mut client = net.client("P1dev1", KEY);
        net.run(2, &mut client, false);
        assert!(client.is_open());
    }

    #[test]
    fn a_client_may_begin_anew_at_the_same_address() {
        let mut net = Net::new();
        let mut before = net.open(1);
        // As long as the other one has not shown its cookie, this one stays.
        let mut after = net.client("P1dev1", KEY);
        let hello = after.next_datagram().expect("a hello");
        net.peers.begin(net.now, address(1), &hello, true);
        let cookie = net.peers.next_datagram().expect("a cookie").1;
        before.write(b"still here").expect("an open session");
        assert_eq!(net.run(1, &mut before, true), [b"still here"]);
        after.receive(&cookie, net.since()).expect("a cookie");
        assert!(net.run(1, &mut after, true).is_empty() && after.is_open());
        after.write(b"anew").expect("an open session");
        assert_eq!(net.run(1, &mut after, true), [b"anew"]);
        assert_eq!(net.peers.peers.len(), 1);
    }

    #[test]
    fn a_secret_that_was_renewed_ends_the_session() {
        let mut net = Net::new();
        let one = Arc::new(One::default());
        net.peers = Peers::with_keys(one.clone(), net.now).expect("random numbers");
        let mut client = net.open(1);
        *one.0.lock().expect("a key") = Some(b"another key".to_vec());
        client.write(b"hello").expect("an open session");
        assert_eq!(net.run(1, &mut client, true), [b""; 0]);
        assert!(client.is_closed());
    }

    #[test]
    fn sessions_end_by_rule_and_by_silence() {
        let mut net = Net::new();
        let (mut one, mut two, mut three) = (net.open(1), net.open(2), net.open(3));
        net.peers.end(address(1), Ending::Close);
        net.run(1, &mut one, true);
        net.peers.end(address(2), Ending::Gone);
        net.run(2, &mut two, true);
        assert!(one.is_closed() && two.is_open());
        assert_eq!(net.peers.deadline(), Some(net.now + IDLE));
        net.now += IDLE;
        net.peers.tick(net.now);
        net.run(3, &mut three, true);
        assert!(three.is_closed() && net.peers.peers.is_empty());
    }

    #[test]
    fn a_handshake_that_gets_no_answer_is_repeated_and_given_up() {
        let mut net = Net::new();
        let mut client = net.client("P1dev1", KEY);
        let hello = client.next_datagram().expect("a hello");
        net.peers.begin(net.now, address(1), &hello, false);
        let mut flights = 0;
        while let Some(deadline) = net.peers.deadline().filter(|_| !net.peers.peers.is_empty()) {
            flights += u32::from(net.peers.next_datagram().is_some());
            while net.peers.next_datagram().is_some() {}
            net.now = deadline;
            net.peers.tick(net.now);
        }
        assert!(flights > 1, "{flights}");
        assert_eq!(net.peers.next_failure().and_then(|failure| failure.claimed), None);
    }

    #[test]
    fn peers_are_bounded() {
        let mut net = Net::new();
        for port in 1..=u16::try_from(MAX_PEERS).expect("a port") + 1 {
            net.now += Duration::from_millis(1);
            let hello = net.client("P1dev1", KEY).next_datagram().expect("a hello");
            net.peers.begin(net.now, address(port), &hello, false);
        }
        assert!(net.peers.peers.len() == MAX_PEERS && !net.peers.peers.contains_key(&address(1)));
    }
}
