//! Clients and upgrades that many threads use at once while their connections come and go. ThreadSanitizer watches these
//! (`./test.sh sanitize`); without it they show that nothing hangs, leaks or is refused that should work.
//!
//! The servers run on threads of their own, behind socket pairs. A simulation behind a lock would order the threads, and so
//! hide races that a device has. The tests wait for events on a socket pair, too: ThreadSanitizer can't see into the standard
//! library's channels.

mod client;
#[cfg(feature = "coap")]
mod coap;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(all(feature = "remote-config-mqtt", feature = "rrpc"))]
mod messaging;
#[cfg(feature = "resource")]
mod resource;
mod server;
#[cfg(feature = "upgrade")]
mod slots;
mod upgrade;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use iot_engine::identity::Identity;
use iot_engine::mqtt::Config;
use iot_engine::time::Millis;

use crate::drive::mqtt::{Client, Listener, Notice, Proof, Setup};
use crate::hal::{Connected, Endpoint, Platform, Security, Transport, TransportError};

/// How much faster than real time the client's clock runs. Its back-off takes seconds.
const HASTE: u64 = 20;
/// Reached only when something hangs.
const LIMIT: Duration = Duration::from_secs(100);
const MQTT_PORT: u16 = 1;
const HTTP_PORT: u16 = 80;

/// A machine whose clock is fast and whose network is a socket pair for each connection.
struct Machine {
    start: Instant,
    servers: Mutex<Vec<JoinHandle<()>>>,
}

impl Machine {
    fn new() -> Self {
        Machine { start: Instant::now(), servers: Mutex::default() }
    }

    fn join_servers(&self) {
        let servers = std::mem::take(&mut *self.servers.lock().unwrap());
        for server in servers {
            server.join().unwrap();
        }
    }
}

/// The real time for `ms` of the client's clock, at least 1 ms: a socket refuses 0 as a time limit.
fn hasten(ms: u32) -> Duration {
    Duration::from_micros((u64::from(ms) * 1000 / HASTE).max(1000))
}

impl Platform for Machine {
    fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap() * HASTE)
    }

    fn sleep(&self, ms: u32) {
        thread::sleep(hasten(ms));
    }

    fn connect(&self, endpoint: &Endpoint) -> Connected {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let serve = match endpoint.port {
            MQTT_PORT => server::mqtt,
            HTTP_PORT => server::http,
            port => panic!("nobody listens on {port}"),
        };
        self.servers.lock().unwrap().push(thread::spawn(move || serve(theirs)));
        Ok(Arc::new(Socket(ours)))
    }
}

struct Socket(UnixStream);

impl Transport for Socket {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        self.0.set_read_timeout(Some(hasten(timeout_ms))).unwrap();
        match (&self.0).read(buf) {
            Ok(0) => Err(TransportError::Closed(-608)),
            Ok(count) => Ok(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(_) => Err(TransportError::Failed(-606)),
        }
    }

    fn write(&self, data: &[u8], _: u32) -> Result<usize, TransportError> {
        (&self.0).write(data).map_err(|_| TransportError::Failed(-607))
    }
}

/// What happened, as a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Event {
    Lost,
    Back,
    Subscribed,
    Unsubscribed,
    Published,
    Echo,
    Configured,
    Answered,
    Destroyed,
    Upgraded,
    Cancelled,
    ThreadEnded,
}

impl Event {
    const ALL: [Event; 12] = [
        Event::Lost,
        Event::Back,
        Event::Subscribed,
        Event::Unsubscribed,
        Event::Published,
        Event::Echo,
        Event::Configured,
        Event::Answered,
        Event::Destroyed,
        Event::Upgraded,
        Event::Cancelled,
        Event::ThreadEnded,
    ];
}

/// Reports each event.
#[derive(Clone)]
struct Reporter(Arc<UnixStream>);

impl Reporter {
    fn report(&self, event: Event) {
        assert_eq!((&*self.0).write(&[event as u8]).unwrap(), 1);
    }
}

impl Listener for Reporter {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        match notice {
            Notice::Disconnected => self.report(Event::Lost),
            Notice::Reconnected => self.report(Event::Back),
            Notice::Subscribed(_) => self.report(Event::Subscribed),
            Notice::Unsubscribed(_) => self.report(Event::Unsubscribed),
            Notice::Published(_) => self.report(Event::Published),
            _ => {}
        }
    }
}

/// Receives the events.
struct Reports(UnixStream);

impl Reports {
    /// Waits until each event has been reported this many times. A thread that has panicked reports none, while others go on.
    fn wait_for(&mut self, wanted: &[(Event, usize)]) {
        let mut missing: HashMap<_, _> = wanted.iter().copied().collect();
        let mut last = Instant::now();
        while !missing.is_empty() {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap_or_else(|error| panic!("{missing:?} does not happen: {error}"));
            let event = Event::ALL[usize::from(byte[0])];
            assert!(last.elapsed() < LIMIT, "{missing:?} does not happen");
            if let Some(count) = missing.get_mut(&event) {
                last = Instant::now();
                *count -= 1;
                if *count == 0 {
                    missing.remove(&event);
                }
            }
        }
    }
}

fn events() -> (Reporter, Reports) {
    let (reporter, reports) = UnixStream::pair().unwrap();
    reports.set_read_timeout(Some(LIMIT)).unwrap();
    (Reporter(Arc::new(reporter)), Reports(reports))
}

/// A client that has not connected yet.
fn client(machine: &Arc<Machine>, reporter: &Reporter) -> Arc<Client> {
    let identity = Identity::new("PRODUCTIDX", "device").unwrap();
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port: MQTT_PORT,
        security: Security::None,
        handshake_timeout_ms: 5000,
    };
    let config = Config {
        client_id: identity.client_id(),
        keep_alive_s: 240,
        clean_session: true,
        command_timeout_ms: 20_000,
        auto_connect: true,
    };
    let setup = Setup {
        endpoint,
        #[cfg(feature = "websocket-mqtt")]
        over_websocket: false,
        proof: Proof::Password(vec![1; 16]),
        config,
        listener: Some(Box::new(reporter.clone())),
        attachment: Box::new(()),
        identity,
    };
    Client::offline(machine.clone(), setup)
}
