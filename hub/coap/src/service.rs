//! What the cloud does with datagrams (coap.md section 8), without I/O and without a clock: datagrams and the time come in,
//! datagrams go out.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hub_core::events::{Event, Listener};
use hub_fault::coap::{CoapEffect, CoapEvent, Ending, Shape};

use crate::message::{self, code, Incoming, Kind, Post, Request};
use crate::outbox::Outbox;
use crate::tokens::{Owner, Tokens};

/// What stands behind product id and device name where a device wants a token.
const AUTH_LEVEL: &str = "txauth9w0BAQsFA";
/// What the payload of such a request begins with.
const AUTH_PREFIX: &[u8] = b"21010406;";

/// How long a repeated request is known as one (RFC 7252 section 4.8.2).
const EXCHANGE_LIFETIME: Duration = Duration::from_secs(247);
/// How many requests are remembered, of all devices together; the oldest are forgotten first.
const MAX_EXCHANGES: usize = 16_384;
/// When a response is repeated for the first time; each time after that takes twice as long.
const FIRST_REPEAT: Duration = Duration::from_secs(1);
/// How often a response goes out in all.
const SENDS: u32 = 5;
/// How many responses may wait for their acknowledgement. When there are more, answers come in the acknowledgement.
const MAX_WAITING: usize = 1024;

/// What the service needs of the hub.
pub trait Cloud {
    /// Whether there is such a device.
    fn knows(&self, owner: &Owner) -> bool;
    /// A token that nobody can guess; `None` where the system has no random numbers.
    fn token(&self) -> Option<Vec<u8>>;
    /// A device has sent a message. `Some`: it is kept, and this is what the device is answered. `None`: it could not be
    /// kept, so the device must say it again.
    fn deliver(&mut self, client_id: &str, topic: &str, payload: &[u8]) -> Option<Vec<u8>>;
    /// Something has happened.
    fn emit(&self, event: &Event);
    /// What is to go wrong.
    fn faults(&self, happened: &[CoapEvent]) -> Vec<CoapEffect>;
}

/// A request that was answered.
struct Exchange {
    /// Of the whole datagram: another request may have the same id.
    digest: u64,
    /// The acknowledgement; for a request that wants none, its response.
    answer: Vec<u8>,
    kind: CoapEvent,
}

/// A response that is repeated until it is acknowledged.
struct Waiting {
    response: Vec<u8>,
    sent: u32,
    next: Instant,
}

/// A request as it came.
struct Arrival {
    now: Instant,
    peer: SocketAddr,
    /// Of the whole datagram.
    digest: u64,
    request: Request,
}

/// What a request gets.
struct Answer {
    code: u8,
    payload: Vec<u8>,
    apart: bool,
}

impl Answer {
    fn refusal(code: u8) -> Self {
        Answer { code, payload: Vec::new(), apart: false }
    }
}

/// One CoAP server.
pub struct Service {
    listener: Listener,
    tokens: Tokens,
    exchanges: HashMap<(SocketAddr, u16), Exchange>,
    /// Oldest first.
    order: VecDeque<(Instant, (SocketAddr, u16))>,
    waiting: BTreeMap<(SocketAddr, u16), Waiting>,
    last_id: u16,
    digest: RandomState,
    outbox: Outbox,
    /// DTLS sessions that a fault rule ends.
    ended: Vec<(SocketAddr, Ending)>,
}

impl Service {
    /// One that knows nobody. Its messages' ids follow this one.
    pub fn new(listener: Listener, last_id: u16) -> Self {
        Service {
            listener,
            tokens: Tokens::default(),
            exchanges: HashMap::new(),
            order: VecDeque::new(),
            waiting: BTreeMap::new(),
            last_id,
            digest: RandomState::new(),
            outbox: Outbox::default(),
            ended: Vec::new(),
        }
    }

    /// When [`Service::tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.next).chain(self.outbox.deadline()).min()
    }

    /// The next datagram to send now.
    pub fn next_output(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.outbox.next()
    }

    /// The next DTLS session to end, after what was to be sent.
    pub fn next_end(&mut self) -> Option<(SocketAddr, Ending)> {
        self.ended.pop()
    }

    /// Does what the time has come for.
    pub fn tick(&mut self, now: Instant, cloud: &dyn Cloud) {
        self.outbox.tick(now);
        while self.order.front().is_some_and(|(since, _)| now.duration_since(*since) >= EXCHANGE_LIFETIME) {
            self.forget_oldest();
        }
        let due: Vec<_> = self.waiting.iter().filter(|(_, waiting)| waiting.next <= now).map(|(key, _)| *key).collect();
        for key in due {
            let Some(waiting) = self.waiting.get_mut(&key) else { continue };
            if waiting.sent >= SENDS {
                self.waiting.remove(&key);
                continue;
            }
            waiting.next = now + FIRST_REPEAT * 2_u32.pow(waiting.sent);
            waiting.sent += 1;
            let response = waiting.response.clone();
            self.send(now, key.0, response, CoapEvent::Response, &[], cloud);
        }
    }

    /// Takes a datagram in. `proven` is the client id that DTLS has proved; `None` where nothing proves one.
    pub fn receive(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        proven: Option<&str>,
        datagram: &[u8],
        cloud: &mut dyn Cloud,
    ) {
        self.tick(now, cloud);
        match message::read(datagram) {
            Err(text) => cloud.emit(&Event::Warning {
                client_id: proven.map(str::to_owned),
                text: format!("a malformed CoAP message from {peer}: {text}"),
            }),
            Ok(Incoming::Request(request)) => {
                let digest = self.digest.hash_one(datagram);
                self.request(&Arrival { now, peer, digest, request }, proven, cloud);
            }
            Ok(Incoming::Acknowledged(id) | Incoming::Reset(id)) => drop(self.waiting.remove(&(peer, id))),
            Ok(Incoming::Senseless(id)) => {
                let reset = message::write(Kind::Reset, 0, id, &[], &[]);
                self.send(now, peer, reset, CoapEvent::Ack, &[], cloud);
            }
            Ok(Incoming::Nothing) => {}
        }
    }

    fn request(&mut self, arrival: &Arrival, proven: Option<&str>, cloud: &mut dyn Cloud) {
        let Arrival { now, peer, digest, ref request } = *arrival;
        let known = self.exchanges.get(&(peer, request.id)).filter(|known| known.digest == digest);
        let known = known.map(|known| (known.answer.clone(), known.kind));
        let mut happened = vec![CoapEvent::Request];
        if known.is_none() {
            happened.extend(kinds(request));
        }
        let effects = cloud.faults(&happened);
        for effect in &effects {
            match effect {
                CoapEffect::Forget => self.tokens.clear(),
                CoapEffect::End(ending) => self.ended.push((peer, *ending)),
                _ => {}
            }
        }
        if effects.iter().any(|effect| matches!(effect, CoapEffect::Silent | CoapEffect::End(Ending::Gone))) {
            return;
        }
        if effects.contains(&CoapEffect::Reset) {
            let reset = message::write(Kind::Reset, 0, request.id, &[], &[]);
            return self.send(now, peer, reset, CoapEvent::Ack, &effects, cloud);
        }
        if let Some((answer, kind)) = known {
            return self.send(now, peer, answer, kind, &effects, cloud);
        }
        let ordered = effects.iter().find_map(|effect| match effect {
            CoapEffect::Code(code) => Some(Answer::refusal(*code)),
            _ => None,
        });
        let answer = match (ordered, &request.content) {
            (Some(answer), _) => Some(answer),
            (None, Err(code)) => Some(Answer::refusal(*code)),
            (None, Ok(post)) => self.post(proven, post, &effects, cloud),
        };
        // One that gets none is not remembered: it is to come again.
        if let Some(answer) = answer {
            self.answer(arrival, answer, &effects, cloud);
        }
    }

    /// Sends an answer in the form it has, and remembers it.
    fn answer(&mut self, arrival: &Arrival, mut answer: Answer, effects: &[CoapEffect], cloud: &dyn Cloud) {
        let Arrival { now, peer, digest, ref request } = *arrival;
        let mut shape = if answer.apart { Shape::Apart } else { Shape::Together };
        for effect in effects {
            match effect {
                CoapEffect::Shape(ordered) => shape = *ordered,
                CoapEffect::Payload(count) if answer.payload.len() != *count => answer.payload = filler(*count),
                CoapEffect::Command(odd) if is_command(&answer.payload) => {
                    answer.payload = odd.payload(&String::from_utf8_lossy(&answer.payload)).into_bytes();
                }
                CoapEffect::Send(stray) => self.outbox.send(peer, stray.bytes()),
                _ => {}
            }
        }
        let (token, id) = (request.token.as_slice(), request.id);
        if !request.confirmable {
            shape = Shape::NonConfirmable;
        } else if self.waiting.len() >= MAX_WAITING {
            shape = Shape::Together;
        }
        let acknowledgement = match shape {
            Shape::Alone => None,
            _ if !request.confirmable => None,
            Shape::Together => Some(message::write(Kind::Acknowledgement, answer.code, id, token, &answer.payload)),
            Shape::EmptyAck => Some(message::write(Kind::Acknowledgement, 0, id, &[], &[])),
            Shape::Apart | Shape::NonConfirmable => {
                Some(message::write(Kind::Acknowledgement, code::VALID, id, token, &[]))
            }
        };
        let response = match shape {
            Shape::Together => None,
            Shape::NonConfirmable => Some(Kind::NonConfirmable),
            Shape::Apart | Shape::EmptyAck | Shape::Alone => Some(Kind::Confirmable),
        };
        let response = response.map(|kind| {
            let id = self.next_id(peer);
            let bytes = message::write(kind, answer.code, id, token, &answer.payload);
            if kind == Kind::Confirmable {
                let waiting = Waiting { response: bytes.clone(), sent: 1, next: now + FIRST_REPEAT };
                self.waiting.insert((peer, id), waiting);
            }
            bytes
        });
        let repeated = match (&acknowledgement, &response) {
            (Some(acknowledgement), _) => (acknowledgement.clone(), CoapEvent::Ack),
            (None, response) => (response.clone().unwrap_or_default(), CoapEvent::Response),
        };
        self.remember(now, (peer, id), Exchange { digest, answer: repeated.0, kind: repeated.1 });
        // What a rule does to the answer, it does to what holds the content; the order is that of both.
        match (acknowledgement, response) {
            (Some(acknowledgement), Some(response)) => {
                let (order, rest): (Vec<_>, Vec<_>) = effects.iter().cloned().partition(is_swap);
                self.send(now, peer, acknowledgement, CoapEvent::Ack, &order, cloud);
                self.send(now, peer, response, CoapEvent::Response, &rest, cloud);
            }
            (Some(acknowledgement), None) => self.send(now, peer, acknowledgement, CoapEvent::Ack, effects, cloud),
            (None, Some(response)) => self.send(now, peer, response, CoapEvent::Response, effects, cloud),
            (None, None) => {}
        }
    }

    /// What a POST gets; `None` where it gets nothing.
    fn post(
        &mut self,
        proven: Option<&str>,
        post: &Post,
        effects: &[CoapEffect],
        cloud: &mut dyn Cloud,
    ) -> Option<Answer> {
        let listener = self.listener;
        if let Some(owner) = wants_token(&post.path) {
            let client_id = owner.client_id();
            let refuse = |code: u8, reason: &str, cloud: &dyn Cloud| {
                cloud.emit(&Event::Refused { client_id: Some(client_id.clone()), listener, reason: reason.to_owned() });
                Some(Answer::refusal(code))
            };
            if !post.payload.starts_with(AUTH_PREFIX) {
                return refuse(code::BAD_REQUEST, "the payload does not begin with 21010406;", cloud);
            }
            if proven.is_some_and(|proven| proven != client_id) {
                return refuse(code::UNAUTHORIZED, "the path is not of the identity that DTLS proved", cloud);
            }
            if !cloud.knows(&owner) {
                return refuse(code::UNAUTHORIZED, "unknown device", cloud);
            }
            let ordered = effects.iter().find_map(|effect| match effect {
                CoapEffect::Payload(count) => Some(filler(*count)),
                _ => None,
            });
            let Some(token) = ordered.or_else(|| cloud.token()) else {
                return refuse(0xa0, "the system has no random numbers", cloud);
            };
            self.tokens.give(owner, token.clone());
            cloud.emit(&Event::Admitted { client_id, listener });
            return Some(Answer { code: code::CONTENT, payload: token, apart: post.wants_response });
        }
        let owner = post.proof.as_ref().and_then(|token| self.tokens.owner(token)).cloned();
        let refuse = |code: u8, client_id: Option<String>, reason: &str, cloud: &dyn Cloud| {
            cloud.emit(&Event::Refused { client_id, listener, reason: format!("{reason}, for {}", post.path) });
            Some(Answer::refusal(code))
        };
        let Some(owner) = owner else {
            return refuse(code::UNAUTHORIZED, None, "no token that was given out", cloud);
        };
        let client_id = owner.client_id();
        if proven.is_some_and(|proven| proven != client_id) {
            return refuse(code::UNAUTHORIZED, Some(client_id), "a token of another device than DTLS proved", cloud);
        }
        if !cloud.knows(&owner) {
            self.tokens.end(&owner);
            return refuse(code::UNAUTHORIZED, Some(client_id), "the device is gone", cloud);
        }
        if !owner.may_post(&post.path) {
            return refuse(code::FORBIDDEN, Some(client_id), "not the device's own topic", cloud);
        }
        let payload = cloud.deliver(&client_id, &post.path, &post.payload)?;
        Some(Answer { code: code::CONTENT, payload, apart: post.wants_response })
    }

    fn remember(&mut self, now: Instant, key: (SocketAddr, u16), exchange: Exchange) {
        if self.exchanges.insert(key, exchange).is_some() {
            self.order.retain(|(_, known)| *known != key);
        }
        self.order.push_back((now, key));
        if self.order.len() > MAX_EXCHANGES {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.exchanges.remove(&key);
        }
    }

    /// An id that no response to this peer waits with.
    fn next_id(&mut self, peer: SocketAddr) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.waiting.contains_key(&(peer, self.last_id)) {
                return self.last_id;
            }
        }
    }

    /// Puts a datagram out, with what its request's and its own fault rules do to it.
    fn send(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        datagram: Vec<u8>,
        kind: CoapEvent,
        effects: &[CoapEffect],
        cloud: &dyn Cloud,
    ) {
        let own = cloud.faults(&[kind]);
        let spoils = effects.iter().chain(&own).filter_map(|effect| match effect {
            CoapEffect::Spoil(spoil) => Some(*spoil),
            _ => None,
        });
        self.outbox.send_spoilt(now, peer, datagram, spoils);
    }
}

fn is_swap(effect: &CoapEffect) -> bool {
    *effect == CoapEffect::Spoil(hub_fault::coap::Spoil::Swap)
}

fn is_command(payload: &[u8]) -> bool {
    // Made by the hub, which writes the type so.
    String::from_utf8_lossy(payload).contains(r#""type":"update_firmware""#)
}

/// A payload of so many bytes.
fn filler(count: usize) -> Vec<u8> {
    (b'a'..=b'z').chain(b'0'..=b'9').cycle().take(count).collect()
}

/// The device that wants a token, where the path says that one does.
fn wants_token(path: &str) -> Option<Owner> {
    let mut levels = path.split('/');
    match (levels.next(), levels.next(), levels.next(), levels.next()) {
        (Some(product_id), Some(device_name), Some(AUTH_LEVEL), None)
            if !product_id.is_empty() && !device_name.is_empty() =>
        {
            Some(Owner { product_id: product_id.to_owned(), device_name: device_name.to_owned() })
        }
        _ => None,
    }
}

/// What fault rules call a request.
fn kinds(request: &Request) -> Option<CoapEvent> {
    let post = request.content.as_ref().ok()?;
    if wants_token(&post.path).is_some() {
        return Some(CoapEvent::Auth);
    }
    if !post.path.starts_with("$ota/report/") {
        return Some(CoapEvent::Message);
    }
    Some(match hub_core::ota::message::read_report(&post.payload) {
        Ok(hub_core::ota::message::Said::Version(_)) => CoapEvent::Version,
        Ok(hub_core::ota::message::Said::Progress(progress)) => match progress.state.as_str() {
            "downloading" => CoapEvent::Downloading,
            "burning" => CoapEvent::Burning,
            "done" => CoapEvent::Done,
            "fail" => CoapEvent::Fail,
            _ => CoapEvent::Message,
        },
        _ => CoapEvent::Message,
    })
}

#[cfg(test)]
mod tests;
