//! A web server, a network and a clock in memory, for the tests of this ring.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use iot_engine::time::Millis;

use super::Clock;
use crate::hal::{Attempt, ConnectError, Connected, Endpoint, Platform, Security, Transport, TransportError};

/// What the server does with one request.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    silent: bool,
    /// Bytes per millisecond; `None`: all at once.
    pace: Option<u64>,
}

impl Answer {
    /// Sends `bytes`, then closes.
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Answer { bytes: bytes.into(), silent: false, pace: None }
    }

    /// Keeps the connection open afterwards.
    pub(crate) fn then_silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Sends `bytes_per_ms`.
    pub(crate) fn paced(mut self, bytes_per_ms: u64) -> Self {
        self.pace = Some(bytes_per_ms);
        self
    }

    /// Stops after `count` bytes.
    pub(crate) fn cut_at(mut self, count: usize) -> Self {
        self.bytes.truncate(count);
        self
    }

    /// `file` from the byte that `request` asks for.
    pub(crate) fn range(file: &[u8], request: &str) -> Self {
        let begin = range_begin(request);
        let (last, total, length) = (file.len() - 1, file.len(), file.len() - begin);
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {begin}-{last}/{total}\r\nContent-Length: {length}\r\n\r\n"
        );
        Answer::new([head.as_bytes(), &file[begin..]].concat())
    }
}

/// First byte that `request` asks for.
pub(crate) fn range_begin(request: &str) -> usize {
    let (_, range) = request.split_once("Range: bytes=").expect("no range");
    range.split_once('-').unwrap().0.parse().unwrap()
}

type Responder = Box<dyn FnMut(usize, &str) -> Answer + Send>;
type ReadHook = Box<dyn Fn() + Send + Sync>;

/// How the platform behaves.
#[derive(Default)]
pub(crate) struct Traits {
    /// A read waits until its buffer is full (hal.md).
    pub filling: bool,
    /// A read that finds nothing returns at once.
    pub hasty: bool,
}

/// The world outside.
pub(crate) struct World {
    pub clock: Clock,
    traits: Traits,
    responder: Mutex<Responder>,
    /// Called at the beginning of each read.
    pub on_read: Mutex<Option<ReadHook>>,
    /// Whole requests so far.
    pub requests: Mutex<Vec<String>>,
    /// `host:port tls` of each connection attempt.
    pub attempts: Mutex<Vec<String>>,
    /// Whether connection attempts fail.
    pub refuse: AtomicBool,
    /// Whether time does not mend that.
    pub lasting: AtomicBool,
    /// How long a connection attempt takes, in milliseconds.
    pub connect_ms: AtomicU64,
    /// Whether writes find no room.
    pub clogged: AtomicBool,
    /// After so many bytes of a request it is answered so, and no more of it is taken.
    pub breaks_in: Mutex<Option<(usize, Answer)>>,
    /// Open connections.
    pub open: AtomicUsize,
    /// Reads so far.
    pub reads: AtomicUsize,
    /// Bytes that were read so far.
    pub taken: AtomicUsize,
}

impl World {
    pub(crate) fn new(traits: Traits, responder: impl FnMut(usize, &str) -> Answer + Send + 'static) -> Arc<Self> {
        Arc::new(World {
            // Away from 0, where mistakes would saturate unseen.
            clock: Clock::at(1_000_000),
            traits,
            responder: Mutex::new(Box::new(responder)),
            on_read: Mutex::new(None),
            requests: Mutex::default(),
            attempts: Mutex::default(),
            refuse: AtomicBool::new(false),
            lasting: AtomicBool::new(false),
            connect_ms: AtomicU64::new(0),
            clogged: AtomicBool::new(false),
            breaks_in: Mutex::default(),
            open: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        })
    }

    /// The world as what the library sees of it.
    pub(crate) fn platform(self: &Arc<Self>) -> Arc<dyn Platform> {
        Arc::new(View(self.clone()))
    }

    pub(crate) fn ms(&self) -> u64 {
        self.clock.ms()
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.clock.pass(ms);
    }
}

struct View(Arc<World>);

impl Platform for View {
    fn now(&self) -> Millis {
        Millis(self.0.ms())
    }

    fn sleep(&self, ms: u32) {
        self.0.pass(ms.into());
    }

    fn connect(&self, endpoint: &Endpoint) -> Connected {
        let world = &self.0;
        let tls = !matches!(endpoint.security, Security::None);
        let mut attempts = world.attempts.lock().unwrap();
        attempts.push(format!("{}:{}{}", endpoint.host, endpoint.port, if tls { " tls" } else { "" }));
        if world.refuse.load(Ordering::Relaxed) {
            let is_lasting = world.lasting.load(Ordering::Relaxed);
            return Err(ConnectError { is_lasting, ..ConnectError::unexplained(-603) });
        }
        world.open.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Connection { world: world.clone(), state: Mutex::default() }))
    }

    fn begin_connect(&self, endpoint: &Endpoint) -> Box<dyn Attempt> {
        let done_at = self.0.ms().saturating_add(self.0.connect_ms.load(Ordering::Relaxed));
        Box::new(Connecting { view: View(self.0.clone()), endpoint: endpoint.clone(), done_at })
    }
}

struct Connecting {
    view: View,
    endpoint: Endpoint,
    done_at: u64,
}

impl Attempt for Connecting {
    fn outcome(&mut self, wait_ms: u64) -> Option<Connected> {
        let left = self.done_at.saturating_sub(self.view.0.ms());
        self.view.0.pass(left.min(wait_ms));
        (left <= wait_ms).then(|| self.view.connect(&self.endpoint))
    }
}

#[derive(Default)]
struct State {
    request: Vec<u8>,
    answer: Option<Answer>,
    began: u64,
    position: usize,
    is_broken_in: bool,
}

/// Whether head and body are in.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: "));
    length.map_or(0, |length| length.parse().expect("a number")) <= body.len()
}

struct Connection {
    world: Arc<World>,
    state: Mutex<State>,
}

impl State {
    fn available(&self, now: u64) -> usize {
        let Some(answer) = &self.answer else { return 0 };
        let arrived = match answer.pace {
            Some(pace) => usize::try_from((now - self.began) * pace).unwrap().min(answer.bytes.len()),
            None => answer.bytes.len(),
        };
        arrived - self.position
    }

    fn is_over(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.silent && answer.bytes.len() == self.position)
    }
}

impl Transport for Connection {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        if let Some(hook) = &*self.world.on_read.lock().unwrap() {
            hook();
        }
        self.world.reads.fetch_add(1, Ordering::Relaxed);
        assert!(!buf.is_empty() && timeout_ms > 0);
        let mut state = self.state.lock().unwrap();
        let deadline = self.world.ms() + u64::from(timeout_ms);
        let mut count = 0;
        loop {
            let more = state.available(self.world.ms()).min(buf.len() - count);
            let from = state.position;
            buf[count..count + more]
                .copy_from_slice(&state.answer.as_ref().map_or(&[][..], |answer| &answer.bytes)[from..from + more]);
            state.position += more;
            self.world.taken.fetch_add(more, Ordering::Relaxed);
            count += more;
            let enough = if self.world.traits.filling { count == buf.len() } else { count > 0 };
            if enough || (state.is_over() && count > 0) {
                return Ok(count);
            }
            if state.is_over() {
                return Err(TransportError::Closed(-608));
            }
            if self.world.ms() >= deadline || self.world.traits.hasty {
                return Ok(count);
            }
            self.world.pass(1);
        }
    }

    fn write(&self, data: &[u8], timeout_ms: u32) -> Result<usize, TransportError> {
        assert!(timeout_ms > 0);
        if self.world.clogged.load(Ordering::Relaxed) {
            self.world.pass(timeout_ms.into());
            return Ok(0);
        }
        let mut state = self.state.lock().unwrap();
        if state.is_broken_in {
            return Err(TransportError::Closed(-607));
        }
        let count = data.len().min(50);
        state.request.extend(&data[..count]);
        if let Some((_, answer)) = self.world.breaks_in.lock().unwrap().take_if(|(at, _)| state.request.len() > *at) {
            state.answer = Some(answer);
            state.is_broken_in = true;
            return Ok(count);
        }
        if is_whole(&state.request) {
            let request = String::from_utf8(state.request.clone()).unwrap();
            let mut requests = self.world.requests.lock().unwrap();
            let answer = (self.world.responder.lock().unwrap())(requests.len(), &request);
            requests.push(request);
            state.answer = Some(answer);
            state.began = self.world.ms();
        }
        Ok(count)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.world.open.fetch_sub(1, Ordering::Relaxed);
    }
}
