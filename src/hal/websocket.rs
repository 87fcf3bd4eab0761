//! WebSocket over a transport: the upgrade, and then a byte stream again (resource.md section 9).

use std::sync::Arc;

use iot_abi::error::{QCLOUD_ERR_TCP_PEER_SHUTDOWN, QCLOUD_ERR_TCP_READ_FAIL};
#[cfg(feature = "websocket-mqtt")]
use iot_engine::mqtt::frame;
use iot_engine::time::Millis;
use iot_engine::websocket::handshake::{Handshake, Target};
use iot_engine::websocket::{status, Control, Receiver, Sender, MAX_READ};

use super::interface::{Attempt, ConnectError, Connected, Platform, Transport, TransportError, SHORT_MS};
use super::sync::Mutex;

/// How long the answer to the request may take.
const ANSWER_MS: u64 = 10_000;
/// What `IOT_MQTT_Construct` says of a server that refuses.
const REFUSED: i32 = -1;
/// How much is asked for at once where it is not known how much will come.
const CHUNK: usize = 1024;
/// How often a server's frames without data are read on before the caller has another look at its clock.
const MAX_EMPTY: u32 = 16;
/// Longest rest while something waits to be written.
const SLICE_MS: u32 = 500;

/// What goes through a connection that was upgraded. A write is one message or the beginning of it, or goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// MQTT: each packet is a message, and the last one ends the connection.
    #[cfg(feature = "websocket-mqtt")]
    Mqtt,
    /// What is written at once is a message.
    #[cfg(feature = "ssh")]
    Messages,
}

impl Carries {
    /// The message that `data` begins with.
    fn first(self, data: &[u8]) -> &[u8] {
        match self {
            #[cfg(feature = "websocket-mqtt")]
            Carries::Mqtt => data.get(..frame::first_packet(data)).unwrap_or(data),
            #[cfg(feature = "ssh")]
            Carries::Messages => data,
        }
    }

    /// Whether nothing goes out after the message that `data` begins with.
    fn is_last(self, data: &[u8]) -> bool {
        match self {
            #[cfg(feature = "websocket-mqtt")]
            Carries::Mqtt => frame::is_disconnect(data),
            #[cfg(feature = "ssh")]
            Carries::Messages => {
                let _ = data;
                false
            }
        }
    }
}

/// An attempt to connect, and to have the server upgrade the connection.
pub struct Upgrade {
    platform: Arc<dyn Platform>,
    target: Target,
    carries: Carries,
    stage: Stage,
}

enum Stage {
    Connecting(Box<dyn Attempt>),
    Asking(Asking),
    Over,
}

struct Asking {
    transport: Arc<dyn Transport>,
    handshake: Handshake,
    /// What of the request has not been written.
    request: Vec<u8>,
    deadline: Millis,
}

impl Upgrade {
    /// Goes on from an attempt to connect to `target`.
    pub fn new(platform: Arc<dyn Platform>, target: Target, carries: Carries, connecting: Box<dyn Attempt>) -> Self {
        Upgrade { platform, target, carries, stage: Stage::Connecting(connecting) }
    }

    fn ask(&self, transport: Arc<dyn Transport>) -> Asking {
        let random = [self.platform.random(), self.platform.random()];
        let (handshake, request) = Handshake::begin(&self.target, random);
        Asking { transport, handshake, request, deadline: self.platform.now() + ANSWER_MS }
    }
}

impl Attempt for Upgrade {
    fn outcome(&mut self, wait_ms: u64) -> Option<Connected> {
        let until = self.platform.now() + wait_ms;
        if let Stage::Connecting(attempt) = &mut self.stage {
            match attempt.outcome(wait_ms)? {
                Ok(transport) => self.stage = Stage::Asking(self.ask(transport)),
                Err(error) => {
                    self.stage = Stage::Over;
                    return Some(Err(error));
                }
            }
        }
        let Stage::Asking(asking) = &mut self.stage else { return None };
        let outcome = asking.go_on(&*self.platform, until).transpose()?;
        let transport = Arc::clone(&asking.transport);
        self.stage = Stage::Over;
        Some(outcome.map(|data| {
            let stream = WebSocketStream::new(Arc::clone(&self.platform), transport, self.carries);
            stream.arrived(&data);
            Arc::new(stream) as Arc<dyn Transport>
        }))
    }
}

impl Asking {
    /// Writes the request and reads the answer until `until`. Returns what came behind the answer, once that is in.
    fn go_on(&mut self, platform: &dyn Platform, until: Millis) -> Result<Option<Vec<u8>>, ConnectError> {
        loop {
            let before = platform.now();
            let limit = u32::try_from(before.until(until.min(self.deadline)).max(1)).unwrap_or(u32::MAX);
            let count = if self.request.is_empty() {
                let mut answer = [0; CHUNK];
                let count = self.transport.read_some(&mut answer, limit).map_err(cut)?;
                let received = self.handshake.received(answer.get(..count).unwrap_or_default());
                if let Some(data) = received.map_err(|refused| no_upgrade(refused.to_string()))? {
                    return Ok(Some(data));
                }
                count
            } else {
                let count = self.transport.write(&self.request, limit).map_err(cut)?;
                self.request.drain(..count.min(self.request.len()));
                count
            };
            let now = platform.now();
            if now >= self.deadline {
                return Err(no_upgrade(format!("it gave no answer in {} s", ANSWER_MS / 1000)));
            }
            if now >= until {
                return Ok(None);
            }
            if count == 0 && now <= before {
                // A platform that does not wait must not make us spin.
                platform.sleep(1);
            }
        }
    }
}

fn no_upgrade(why: String) -> ConnectError {
    ConnectError { code: REFUSED, cause: format!("the server refuses WebSocket: {why}"), is_lasting: false }
}

fn cut(error: TransportError) -> ConnectError {
    let cause = format!("the connection ended before the answer to the WebSocket request: {error}");
    ConnectError { code: error.code(), cause, is_lasting: false }
}

/// A connection that was upgraded. Each message goes into a frame of its own.
struct WebSocketStream {
    platform: Arc<dyn Platform>,
    transport: Arc<dyn Transport>,
    carries: Carries,
    incoming: Mutex<Incoming>,
    /// Locked before `incoming`, where both are.
    outgoing: Mutex<Outgoing>,
}

#[derive(Default)]
struct Incoming {
    receiver: Receiver,
    is_broken: bool,
}

#[derive(Default)]
struct Outgoing {
    sender: Sender,
    piece: Vec<u8>,
    /// The message that goes out is the last one.
    is_last: bool,
}

impl WebSocketStream {
    fn new(platform: Arc<dyn Platform>, transport: Arc<dyn Transport>, carries: Carries) -> Self {
        let (incoming, outgoing) = (Mutex::new(Incoming::default()), Mutex::new(Outgoing::default()));
        WebSocketStream { platform, transport, carries, incoming, outgoing }
    }

    /// Takes frames.
    fn arrived(&self, bytes: &[u8]) {
        let mut incoming = self.incoming.lock();
        if let Err(malformed) = incoming.receiver.push(bytes) {
            incoming.is_broken = true;
            log::error!("{malformed}");
        }
    }

    /// Data that has come, or the end that has come after it.
    fn taken(&self, buf: &mut [u8]) -> Option<Result<usize, TransportError>> {
        let mut incoming = self.incoming.lock();
        match incoming.receiver.take(buf) {
            0 if incoming.is_broken => Some(Err(TransportError::Failed(QCLOUD_ERR_TCP_READ_FAIL))),
            0 => incoming.receiver.closed().map(|_| Err(TransportError::Closed(QCLOUD_ERR_TCP_PEER_SHUTDOWN))),
            count => Some(Ok(count)),
        }
    }

    /// Writes the answers to what has come, unless another thread writes: that one does it then. Returns whether some of
    /// them are left.
    fn answer(&self) -> bool {
        let Some(mut outgoing) = self.outgoing.try_lock() else { return false };
        self.take_answers(&mut outgoing);
        // The connection's end shows in a read.
        let _ = self.write_answers(&mut outgoing, SHORT_MS);
        outgoing.sender.has_control()
    }

    fn take_answers(&self, outgoing: &mut Outgoing) {
        let mut incoming = self.incoming.lock();
        if let Some(ping) = incoming.receiver.take_ping() {
            outgoing.sender.pong(ping);
        }
        if incoming.is_broken {
            outgoing.sender.close(Control::reason(status::PROTOCOL_ERROR));
        } else if let Some(reason) = incoming.receiver.closed() {
            outgoing.sender.close(reason.code().map_or(Control::default(), Control::reason));
        }
    }

    fn write_answers(&self, outgoing: &mut Outgoing, limit: u32) -> Result<(), TransportError> {
        let Outgoing { sender, piece, .. } = outgoing;
        while sender.is_between_messages() && sender.has_control() {
            sender.next(&[], self.platform.random(), piece);
            match self.transport.write(piece, limit)? {
                0 => return Ok(()),
                count => sender.sent(count.min(piece.len())),
            };
        }
        Ok(())
    }

    /// Reads frames by `read` until there is data for `buf`, or none has come in time.
    fn read_by(
        &self,
        buf: &mut [u8],
        timeout_ms: u32,
        read: impl Fn(&mut [u8], u32) -> Option<Result<usize, TransportError>>,
    ) -> Option<Result<usize, TransportError>> {
        let deadline = self.platform.now() + u64::from(timeout_ms);
        for _ in 0..MAX_EMPTY {
            if let Some(taken) = self.taken(buf) {
                return Some(taken);
            }
            let mut piece = [0; MAX_READ];
            let wanted = self.incoming.lock().receiver.wanted().min(piece.len());
            let left = u32::try_from(self.platform.now().until(deadline)).unwrap_or(u32::MAX);
            match read(&mut piece[..wanted], left)? {
                Ok(0) => return Some(Ok(0)),
                Ok(count) => self.arrived(piece.get(..count).unwrap_or_default()),
                Err(error) => return Some(Err(error)),
            }
            self.answer();
        }
        self.taken(buf).or(Some(Ok(0)))
    }
}

impl Transport for WebSocketStream {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        self.answer();
        self.read_by(buf, timeout_ms, |piece, left| Some(self.transport.read(piece, left))).unwrap_or(Ok(0))
    }

    fn read_or_wake(&self, buf: &mut [u8], timeout_ms: u32) -> Option<Result<usize, TransportError>> {
        let limit = if self.answer() { timeout_ms.min(SLICE_MS) } else { timeout_ms };
        self.read_by(buf, limit, |piece, left| self.transport.read_or_wake(piece, left))
    }

    fn wake(&self) {
        self.transport.wake();
    }

    fn write(&self, data: &[u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let deadline = self.platform.now() + u64::from(timeout_ms);
        let mut outgoing = self.outgoing.lock();
        loop {
            self.take_answers(&mut outgoing);
            let left = u32::try_from(self.platform.now().until(deadline)).unwrap_or(u32::MAX);
            let Outgoing { sender, piece, is_last } = &mut *outgoing;
            let message = if sender.is_between_messages() {
                *is_last = self.carries.is_last(data);
                self.carries.first(data)
            } else {
                data
            };
            sender.next(message, self.platform.random(), piece);
            if piece.is_empty() {
                return Err(TransportError::Closed(QCLOUD_ERR_TCP_PEER_SHUTDOWN));
            }
            let count = self.transport.write(piece, left.max(1))?;
            let of_message = sender.sent(count.min(piece.len()));
            if *is_last && of_message > 0 && sender.is_between_messages() {
                sender.close(Control::reason(status::NORMAL));
                self.write_answers(&mut outgoing, SHORT_MS)?;
            }
            if of_message > 0 || count == 0 {
                return Ok(of_message);
            }
        }
    }
}

#[cfg(all(test, feature = "websocket-mqtt"))]
mod tests;
