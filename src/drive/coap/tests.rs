use std::collections::VecDeque;

use iot_engine::coap::packet::{Kind, Packet};
use iot_engine::time::Millis;

use super::*;
use crate::drive::testing::{web_server, Clock};
use crate::hal::{ConnectError, Connected, Security};

type Respond = Box<dyn FnMut(&Packet<'_>) -> Vec<Vec<u8>> + Send>;

/// A cloud whose network takes no time. Waiting moves its clock.
#[derive(Clone)]
pub(crate) struct Cloud(Arc<std::sync::Mutex<World>>);

pub(crate) struct World {
    clock: Clock,
    random: u64,
    coming: VecDeque<Result<Vec<u8>, TransportError>>,
    sent: Vec<(u64, Vec<u8>)>,
    pub(crate) write_fails: Option<TransportError>,
    returns_at_once: bool,
    sleeps: u32,
    respond: Respond,
    web: Option<Arc<dyn Platform>>,
}

/// A datagram that answers `packet`.
pub(crate) fn answer(packet: &Packet<'_>, kind: u8, code: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let marker: &[u8] = if payload.is_empty() { b"" } else { b"\xff" };
    [&[kind | packet.token.len() as u8, code, high, low], packet.token, marker, payload].concat()
}

/// An acknowledgement with content.
pub(crate) fn acknowledge(packet: &Packet<'_>, payload: &[u8]) -> Vec<u8> {
    answer(packet, 0x60, 0x45, packet.id, payload)
}

impl Cloud {
    /// A cloud that gives every device a token; what comes then is up to `respond`.
    pub(crate) fn new(mut respond: impl FnMut(&Packet<'_>) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Self::untrusting(move |packet| match packet.payload.starts_with(b"21010406;") {
            true => vec![acknowledge(packet, b"TOKEN")],
            false => respond(packet),
        })
    }

    fn untrusting(respond: impl FnMut(&Packet<'_>) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Cloud(Arc::new(std::sync::Mutex::new(World {
            clock: Clock::at(1000),
            random: 0,
            coming: VecDeque::new(),
            sent: Vec::new(),
            write_fails: None,
            returns_at_once: false,
            sleeps: 0,
            respond: Box::new(respond),
            web: None,
        })))
    }

    /// The same beside a web server, whose clock it has then.
    pub(crate) fn beside(self, web: &Arc<web_server::World>) -> Self {
        self.world().clock = web.clock.clone();
        self.world().web = Some(web.platform());
        self
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(crate) fn connect(&self, listener: Option<Box<dyn Listener>>) -> Result<Arc<Client>, Error> {
        let identity = Identity::new("PRODUCTIDX", "device").unwrap();
        let settings = Settings { command_timeout_ms: 600, max_repeats: 2 };
        let setup = Setup::new(identity, settings, Security::None, listener, Box::new(())).unwrap();
        Client::over(Arc::new(self.clone()), Arc::new(self.clone()), setup)
    }

    fn client(&self) -> (Arc<Client>, Heard) {
        let heard = Heard::default();
        (self.connect(Some(Box::new(heard.clone()))).unwrap(), heard)
    }

    pub(crate) fn come(&self, datagram: Vec<u8>) {
        self.world().coming.push_back(Ok(datagram));
    }

    /// What the device has sent since the last call, acknowledgements included.
    pub(crate) fn take_sent(&self) -> Vec<Vec<u8>> {
        self.world().sent.drain(..).map(|(_, datagram)| datagram).collect()
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.world().clock.pass(ms);
    }
}

impl Datagrams for Cloud {
    fn receive(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        assert!(timeout_ms > 0, "a platform may take 0 for ever");
        let mut world = self.world();
        match world.coming.pop_front() {
            Some(Ok(datagram)) => {
                buf[..datagram.len()].copy_from_slice(&datagram);
                Ok(datagram.len())
            }
            Some(Err(error)) => Err(error),
            None => {
                if !world.returns_at_once {
                    world.clock.pass(u64::from(timeout_ms));
                }
                Ok(0)
            }
        }
    }

    fn send(&self, datagram: &[u8]) -> Result<(), TransportError> {
        let mut world = self.world();
        if let Some(error) = world.write_fails {
            return Err(error);
        }
        let at = world.clock.ms();
        world.sent.push((at, datagram.to_vec()));
        let packet = Packet::parse(datagram).unwrap();
        if packet.kind == Kind::Confirmable {
            let answers = (world.respond)(&packet);
            world.coming.extend(answers.into_iter().map(Ok));
        }
        Ok(())
    }
}

impl Platform for Cloud {
    fn now(&self) -> Millis {
        self.world().clock.now()
    }

    fn sleep(&self, ms: u32) {
        let mut world = self.world();
        world.sleeps += 1;
        world.clock.pass(u64::from(ms));
    }

    fn connect(&self, endpoint: &Endpoint) -> Connected {
        let web = self.world().web.clone();
        web.map_or(Err(ConnectError::unexplained(-1)), |web| web.connect(endpoint))
    }

    fn random(&self) -> u64 {
        self.world().random
    }
}

/// What a listener has heard: ids and events.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<std::sync::Mutex<Vec<(u16, Event)>>>);

impl Heard {
    pub(crate) fn take(&self) -> Vec<(u16, Event)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Listener for Heard {
    fn ended(&self, _client: &Arc<Client>, answer: &Answer) {
        self.0.lock().unwrap().push((answer.id, answer.event()));
    }
}

#[test]
fn case_03_each_failure_of_construct_says_why_and_comes_in_time() {
    for (code, text) in [
        (0x81, "the cloud gave no token: the answer is 4.01"),
        (0x83, "the cloud gave no token: the answer is 4.03"),
        (0xa0, "the cloud gave no token: the answer is 5.00"),
        (0x44, "the cloud gave no token: the answer is 2.04"),
        (0x45, "the cloud gave no token: the answer is 2.05"),
        (0x00, "the cloud gave no token: it was acknowledged, but no answer came in time"),
    ] {
        let cloud = Cloud::untrusting(move |packet| vec![answer(packet, 0x60, code, packet.id, b"")]);
        assert_eq!(cloud.connect(None).err().unwrap().to_string(), text);
    }
    let silent = Cloud::untrusting(|_| Vec::new());
    let error = silent.connect(None).err().unwrap();
    assert_eq!(error.to_string(), "the cloud gave no token: no acknowledgement came in time");
    let times: Vec<u64> = silent.world().sent.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [1000, 1600, 2200]);
    assert_eq!(silent.now(), Millis(2800));
    let unplugged = Cloud::new(|_| Vec::new());
    unplugged.world().write_fails = Some(TransportError::Failed(-607));
    assert_eq!(unplugged.connect(None).err(), Some(Error::Transport(TransportError::Failed(-607))));
    let closed = Cloud::untrusting(|_| Vec::new());
    closed.world().coming.push_back(Err(TransportError::Failed(-606)));
    assert_eq!(closed.connect(None).err(), Some(Error::Transport(TransportError::Failed(-606))));
}

#[test]
fn case_16_yield_with_nothing_waiting_takes_its_time_and_0_takes_none() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, heard) = cloud.client();
    let begin = cloud.now();
    assert_eq!(client.yield_for(2000), Ok(()));
    assert_eq!(cloud.now().since(begin), 2000);
    assert_eq!(client.yield_for(0), Ok(()));
    assert!(cloud.now().since(begin) <= 2001);
    assert!(heard.take().is_empty());
}

#[test]
fn case_17_a_long_yield_wakes_up_for_repeats() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, heard) = cloud.client();
    cloud.take_sent();
    let begin = cloud.now().0;
    let id = client.send("t", b"x", false, None).unwrap();
    assert_eq!(client.yield_for(5000), Ok(()));
    let times: Vec<u64> = cloud.world().sent.iter().map(|(at, _)| at - begin).collect();
    assert_eq!(times, [0, 600, 1200]);
    assert_eq!(heard.take(), [(id, Event::NotAcknowledged)]);
    assert_eq!(cloud.now().0 - begin, 5000);
}

#[test]
fn case_18_answers_that_are_there_are_handled_in_one_call() {
    let cloud = Cloud::new(|packet| vec![acknowledge(packet, b"")]);
    let (client, heard) = cloud.client();
    let ids: Vec<u16> = (0..3).map(|_| client.send("t", b"x", false, None).unwrap()).collect();
    let begin = cloud.now();
    assert_eq!(client.yield_for(1000), Ok(()));
    assert!(cloud.now().since(begin) <= 1, "it returns once nothing more is there");
    assert_eq!(heard.take(), ids.iter().map(|id| (*id, Event::Acknowledged)).collect::<Vec<_>>());
}

#[test]
fn an_answer_that_waits_in_the_socket_comes_before_its_time_out() {
    let cloud = Cloud::new(|packet| vec![acknowledge(packet, b"")]);
    let (client, heard) = cloud.client();
    let id = client.send("t", b"x", false, None).unwrap();
    cloud.pass(100_000);
    assert_eq!(client.yield_for(0), Ok(()));
    assert_eq!(heard.take(), [(id, Event::Acknowledged)]);
}

#[test]
fn case_13_an_answer_of_its_own_is_acknowledged() {
    let cloud = Cloud::new(|packet| {
        let separate = answer(packet, 0x40, 0x45, 7, b"yes");
        vec![answer(packet, 0x60, 0x43, packet.id, b""), separate.clone(), separate]
    });
    let (client, heard) = cloud.client();
    let id = client.send("t", b"x", true, None).unwrap();
    cloud.take_sent();
    assert_eq!(client.yield_for(1000), Ok(()));
    assert_eq!(heard.take(), [(id, Event::Content)]);
    assert_eq!(cloud.take_sent(), [[0x60, 0, 0, 7], [0x60, 0, 0, 7]]);
}

/// Sends another message when one has ended.
struct Again(std::sync::Mutex<Vec<u16>>);

impl Listener for Again {
    fn ended(&self, client: &Arc<Client>, answer: &Answer) {
        let mut ended = self.0.lock().unwrap();
        ended.push(answer.id);
        if ended.len() < 3 {
            client.send("t", b"again", false, None).unwrap();
        }
    }
}

#[test]
fn case_21_a_callback_may_send() {
    let cloud = Cloud::new(|packet| vec![acknowledge(packet, b"")]);
    let client = cloud.connect(Some(Box::new(Again(std::sync::Mutex::default())))).unwrap();
    let own = Arc::new(Again(std::sync::Mutex::default()));
    let first = client.send("t", b"x", true, Some(own.clone())).unwrap();
    for _ in 0..4 {
        assert_eq!(client.yield_for(100), Ok(()));
    }
    assert_eq!(*own.0.lock().unwrap(), [first], "a receiver is told of its own message only");
    assert_eq!(client.session.lock().waiting(), 0);
}

#[test]
fn case_22_every_message_of_another_thread_ends_once() {
    let cloud = Cloud::new(|packet| vec![acknowledge(packet, b"")]);
    let (client, heard) = cloud.client();
    let mut ids = std::thread::scope(|scope| {
        let sender = scope.spawn(|| (0..1000).map(|_| client.send("t", b"x", false, None)).collect::<Vec<_>>());
        let mut yields = 0;
        while !sender.is_finished() || client.session.lock().waiting() > 0 {
            assert_eq!(client.yield_for(10), Ok(()));
            yields += 1;
            assert!(yields < 100_000);
        }
        sender.join().unwrap().into_iter().collect::<Result<Vec<u16>, Error>>().unwrap()
    });
    let mut ended: Vec<u16> = heard.take().into_iter().map(|(id, _)| id).collect();
    ids.sort_unstable();
    ended.sort_unstable();
    assert_eq!(ids, ended);
}

#[test]
fn case_23_clients_begin_with_ids_of_their_own() {
    let (one, other) = (Cloud::new(|_| Vec::new()), Cloud::new(|_| Vec::new()));
    other.world().random = u64::MAX / 3;
    let _clients = (one.client(), other.client());
    let (one, other) = (one.take_sent().concat(), other.take_sent().concat());
    assert_ne!(one[2..8], other[2..8], "id and token");
    assert_ne!(one[54..], other[54..], "connection id");
}

#[test]
fn case_24_a_message_that_is_not_sent_is_not_kept() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, heard) = cloud.client();
    cloud.world().write_fails = Some(TransportError::Failed(-706));
    for _ in 0..2 {
        assert_eq!(client.send("t", b"x", false, None), Err(Error::Transport(TransportError::Failed(-706))));
    }
    cloud.world().write_fails = None;
    assert_eq!(client.yield_for(5000), Ok(()));
    assert!(heard.take().is_empty());
    cloud.world().coming.push_back(Err(TransportError::Failed(-606)));
    assert_eq!(client.yield_for(5000), Err(Error::Transport(TransportError::Failed(-606))));
    assert_eq!(client.yield_for(5000), Ok(()), "it is read again the next time");
}

#[test]
fn what_is_due_is_done_when_the_read_fails() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, heard) = cloud.client();
    client.send("t", b"x", false, None).unwrap();
    cloud.take_sent();
    for _ in 0..3 {
        cloud.pass(600);
        cloud.world().coming.push_back(Err(TransportError::Failed(-606)));
        assert!(client.yield_for(1).is_err());
    }
    assert_eq!(cloud.take_sent().len(), 2);
    assert_eq!(heard.take().len(), 1);
}

#[test]
fn case_25_a_connection_that_the_peer_closed_stays_closed() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, _) = cloud.client();
    let closed = Error::Transport(TransportError::Closed(-160));
    cloud.world().coming.push_back(Err(TransportError::Closed(-160)));
    for _ in 0..2 {
        assert_eq!(client.yield_for(100), Err(closed.clone()));
        assert_eq!(client.send("t", b"x", false, None), Err(closed.clone()));
    }
    client.destroy();
}

#[test]
fn case_27_nobody_is_told_of_what_waits_when_the_client_is_destroyed() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, heard) = cloud.client();
    let own = Arc::new(heard.clone());
    client.send("t", b"x", true, Some(own.clone())).unwrap();
    client.destroy();
    assert_eq!(Arc::strong_count(&own), 1, "nothing is kept");
    assert_eq!(client.send("t", b"x", false, None), Err(Error::NotConnected));
    assert_eq!(client.yield_for(10), Err(Error::NotConnected));
    assert!(heard.take().is_empty());
}

#[test]
fn case_29_a_platform_that_never_waits_is_not_asked_without_pause() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, _) = cloud.client();
    cloud.world().returns_at_once = true;
    let begin = cloud.now();
    assert_eq!(client.yield_for(1000), Ok(()));
    assert!(cloud.now().since(begin) >= 1000 && cloud.world().sleeps >= 100);
}

#[test]
fn case_15_what_is_dropped_is_no_error() {
    let cloud = Cloud::new(|_| Vec::new());
    let (client, heard) = cloud.client();
    cloud.come(b"garbage".to_vec());
    cloud.come(vec![0x60, 0x45, 0, 1]);
    assert_eq!(client.yield_for(100), Ok(()));
    assert!(heard.take().is_empty());
}

mod loopback {
    //! The same over the platform's own sockets.

    use std::net::UdpSocket;

    use super::*;
    use crate::hal::platform::HalPlatform;

    fn client(server: &UdpSocket) -> Result<Arc<Client>, Error> {
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: server.local_addr().unwrap().port(),
            security: Security::None,
            handshake_timeout_ms: 0,
        };
        let settings = Settings { command_timeout_ms: 5000, max_repeats: 5 };
        let identity = Identity::new("PRODUCTIDX", "device").unwrap();
        let setup = Setup { identity, endpoint, settings, listener: None, attachment: Box::new(()) };
        Client::connect(Arc::new(HalPlatform::new()), setup)
    }

    #[test]
    fn case_20_an_answer_of_4000_bytes_comes_whole() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let heard = Arc::new(Heard::default());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 2048];
                for payload in [vec![7; 10], vec![0; 4000]] {
                    let (count, peer) = server.recv_from(&mut buffer).unwrap();
                    let packet = Packet::parse(&buffer[..count]).unwrap();
                    server.send_to(&acknowledge(&packet, &payload), peer).unwrap();
                }
            });
            let client = client(&server).unwrap();
            struct Whole(Arc<Heard>);
            impl Listener for Whole {
                fn ended(&self, client: &Arc<Client>, answer: &Answer) {
                    assert_eq!(answer.content(), Some(&[0; 4000][..]));
                    self.0.ended(client, answer);
                }
            }
            let id = client.send("t", b"x", true, Some(Arc::new(Whole(heard.clone())))).unwrap();
            let heard = loop {
                assert_eq!(client.yield_for(5000), Ok(()));
                let heard = heard.take();
                if !heard.is_empty() {
                    break heard;
                }
            };
            assert_eq!(heard, [(id, Event::Acknowledged)]);
        });
    }

    #[test]
    fn case_07_a_closed_port_fails_at_once() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap();
        // Connected to a peer of its own, it takes no datagram of the client.
        server.connect(port).unwrap();
        assert!(matches!(client(&server), Err(Error::Transport(TransportError::Failed(-606 | -607)))));
    }
}
