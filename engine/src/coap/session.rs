//! The messages that wait for their answer, and what a datagram and time do to them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::answer::{Answer, Ending};
use super::packet::{self, Code, Kind, Packet, Request};
use crate::identity::{Identity, APP_ID};
use crate::time::Millis;

/// Longest topic in bytes.
pub const MAX_TOPIC: usize = 128;
/// How many messages may wait for their answer.
pub const MAX_WAITING: usize = 1024;

/// How long further answers to a message are taken that has asked for them.
const FOLLOW_MS: u64 = 60_000;
/// How many of them.
const MAX_FOLLOWING: usize = 16;

/// How long answers are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Time between two sends of a message, and for its answer.
    pub command_timeout_ms: u32,
    /// How often a message is sent again.
    pub max_repeats: u8,
}

/// Why a message is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The topic has more than [`MAX_TOPIC`] bytes.
    TopicTooLong,
    /// The packet would have more than [`packet::MAX_SEND`] bytes.
    PacketTooLong,
    /// [`MAX_WAITING`] messages wait already.
    TooManyWaiting,
}

/// How far the device has come in saying who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Not begun, or not over.
    Pending,
    /// The cloud gave out a token.
    Accepted,
    /// It did not.
    Failed(Ending),
}

/// What a datagram did.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<T> {
    /// To be sent back.
    pub reply: Option<[u8; 4]>,
    /// A message whose answer this is.
    pub answered: Option<(T, Answer)>,
    /// What is wrong with the datagram.
    pub malformed: Option<&'static str>,
}

/// What time has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Due<T> {
    /// To be sent again.
    Repeat(Bytes),
    /// A message that has waited long enough.
    Ended(T, Answer),
}

/// Whom an answer is for.
enum Owner<T> {
    Authentication,
    Program(T),
}

struct Waiting<T> {
    id: u16,
    token: [u8; 4],
    packet: Bytes,
    repeats_left: u8,
    is_acknowledged: bool,
    is_followed: bool,
    due: Millis,
    owner: Owner<T>,
}

/// A message that has its answer, and takes further ones.
struct Followed<T> {
    id: u16,
    token: [u8; 4],
    until: Millis,
    owner: T,
    /// The cloud's ids of the answers that were handed on: it repeats them until they are acknowledged.
    seen: Vec<u16>,
}

/// One client's conversation with the cloud. `T` is what the caller keeps with a message.
pub struct Session<T> {
    terms: Terms,
    next_id: u16,
    next_token: u32,
    authentication: Authentication,
    auth_token: Vec<u8>,
    /// Oldest first.
    waiting: VecDeque<Waiting<T>>,
    followed: Option<Followed<T>>,
}

impl<T: Clone> Session<T> {
    /// A conversation that has not begun. Ids and tokens begin where `random` says.
    #[must_use]
    pub fn new(terms: Terms, random: u64) -> Self {
        Session {
            terms,
            next_id: random as u16,
            next_token: (random >> 16) as u32,
            authentication: Authentication::Pending,
            auth_token: Vec::new(),
            waiting: VecDeque::new(),
            followed: None,
        }
    }

    /// The first message: who the device is. It waits for its answer from now on. Returns the datagram.
    ///
    /// # Errors
    /// No identity is refused; the type leaves it open.
    pub fn authenticate(&mut self, now: Millis, identity: &Identity, conn_id: &str) -> Result<Bytes, Refusal> {
        let path = format!("{}/{}/txauth9w0BAQsFA", identity.product_id(), identity.device_name());
        let payload = format!("{APP_ID};{conn_id}\0\0");
        let message = Message { path: &path, auth_token: None, needs_answer: false, payload: payload.as_bytes() };
        let (_, packet) = self.enqueue(now, &message, Owner::Authentication)?;
        Ok(packet)
    }

    /// How far authentication has come.
    #[must_use]
    pub fn authentication(&self) -> &Authentication {
        &self.authentication
    }

    /// A message, which waits for its answer from now on. Returns its id and the datagram, to be sent by the caller.
    ///
    /// # Errors
    /// Why it is not sent; nothing waits then.
    pub fn send(
        &mut self,
        now: Millis,
        topic: &str,
        payload: &[u8],
        needs_answer: bool,
        owner: T,
    ) -> Result<(u16, Bytes), Refusal> {
        if topic.len() > MAX_TOPIC {
            return Err(Refusal::TopicTooLong);
        }
        // Taken out for a moment, because the message borrows it.
        let auth_token = std::mem::take(&mut self.auth_token);
        let message = Message { path: topic, auth_token: Some(&auth_token), needs_answer, payload };
        let sent = self.enqueue(now, &message, Owner::Program(owner));
        self.auth_token = auth_token;
        sent
    }

    /// As [`send`](Self::send), with an answer wanted: further answers are handed on as well, for a minute or until the next
    /// message of this kind.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_followed(
        &mut self,
        now: Millis,
        topic: &str,
        payload: &[u8],
        owner: T,
    ) -> Result<(u16, Bytes), Refusal> {
        let sent = self.send(now, topic, payload, true, owner)?;
        self.followed = None;
        for message in &mut self.waiting {
            message.is_followed = message.id == sent.0;
        }
        Ok(sent)
    }

    /// How many bytes of payload fit into a message to `topic`.
    #[must_use]
    pub fn room(&self, topic: &str) -> usize {
        let auth_token = Some(&*self.auth_token);
        let request = Request { id: 0, token: [0; 4], path: topic, auth_token, needs_answer: false, payload: b"x" };
        request.encode().map_or(0, |packet| packet::MAX_SEND - packet.len() + 1)
    }

    fn enqueue(&mut self, now: Millis, message: &Message<'_>, owner: Owner<T>) -> Result<(u16, Bytes), Refusal> {
        if self.waiting.len() >= MAX_WAITING {
            return Err(Refusal::TooManyWaiting);
        }
        let id = self.free_id();
        let token = self.next_token.to_le_bytes();
        let Message { path, auth_token, needs_answer, payload } = *message;
        let request = Request { id, token, path, auth_token, needs_answer, payload };
        let packet = Bytes::from(request.encode().ok_or(Refusal::PacketTooLong)?);
        self.next_id = id.wrapping_add(1);
        self.next_token = self.next_token.wrapping_add(1);
        self.waiting.push_back(Waiting {
            id,
            token,
            packet: packet.clone(),
            repeats_left: self.terms.max_repeats,
            is_acknowledged: false,
            is_followed: false,
            due: now + u64::from(self.terms.command_timeout_ms),
            owner,
        });
        Ok((id, packet))
    }

    /// The next id that is not 0 and that no waiting message has.
    fn free_id(&self) -> u16 {
        let mut id = self.next_id;
        while id == 0 || self.waiting.iter().any(|message| message.id == id) {
            id = id.wrapping_add(1);
        }
        id
    }

    /// Forgets a message that could not be sent. Returns its owner where it still waits: nobody else is told of its end then.
    pub fn forget(&mut self, id: u16) -> Option<T> {
        let index = self.waiting.iter().position(|message| message.id == id)?;
        match self.waiting.remove(index)?.owner {
            Owner::Program(owner) => Some(owner),
            Owner::Authentication => None,
        }
    }

    /// How many messages wait for their answer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When [`due`](Self::due) has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        self.waiting.iter().map(|message| message.due).min()
    }

    /// The next thing that is due, the oldest message first; to be asked until there is none.
    pub fn due(&mut self, now: Millis) -> Option<Due<T>> {
        loop {
            let index = self.waiting.iter().position(|message| message.due <= now)?;
            let message = self.waiting.get_mut(index)?;
            if !message.is_acknowledged && message.repeats_left > 0 {
                message.repeats_left -= 1;
                message.due = now + u64::from(self.terms.command_timeout_ms);
                return Some(Due::Repeat(message.packet.clone()));
            }
            let ending = if message.is_acknowledged { Ending::NotAnswered } else { Ending::NotAcknowledged };
            if let Some((owner, answer)) = self.end(now, index, ending, &[]) {
                return Some(Due::Ended(owner, answer));
            }
        }
    }

    /// Handles a datagram.
    pub fn received(&mut self, now: Millis, datagram: &[u8]) -> Received<T> {
        let mut received = Received { reply: None, answered: None, malformed: None };
        let packet = match Packet::parse(datagram) {
            Ok(packet) => packet,
            Err(why) => {
                received.malformed = Some(why);
                return received;
            }
        };
        match packet.kind {
            Kind::Acknowledgement => {
                let by_id = |message: &Waiting<T>| {
                    message.id == packet.id && (packet.token.is_empty() || packet.token == message.token)
                };
                if let Some(index) = self.waiting.iter().position(by_id) {
                    received.answered = self.acknowledged(now, index, &packet);
                }
            }
            Kind::Reset if packet.code == Code::EMPTY => {
                if let Some(index) = self.waiting.iter().position(|message| message.id == packet.id) {
                    received.answered = self.end(now, index, Ending::Reset, &[]);
                }
            }
            Kind::Confirmable | Kind::NonConfirmable => {
                if packet.kind == Kind::Confirmable {
                    received.reply = Some(packet::empty(!packet.is_response(), packet.id));
                }
                if packet.is_response() {
                    received.answered = self.responded(now, &packet);
                }
            }
            Kind::Reset => {}
        }
        received
    }

    fn acknowledged(&mut self, now: Millis, index: usize, packet: &Packet<'_>) -> Option<(T, Answer)> {
        if packet.code == Code::EMPTY || packet.code == Code::VALID {
            self.note_acknowledgement(now, index);
            return None;
        }
        let ending = Ending::Response { code: packet.code, is_separate: false };
        packet.is_response().then(|| self.end(now, index, ending, packet.payload)).flatten()
    }

    /// The cloud has the message and will answer later.
    fn note_acknowledgement(&mut self, now: Millis, index: usize) {
        let timeout = u64::from(self.terms.command_timeout_ms);
        // A copy of the acknowledgement grants no more time.
        if let Some(message) = self.waiting.get_mut(index).filter(|message| !message.is_acknowledged) {
            message.is_acknowledged = true;
            message.due = now + timeout;
        }
    }

    /// An answer in a message of its own.
    fn responded(&mut self, now: Millis, packet: &Packet<'_>) -> Option<(T, Answer)> {
        let Some(index) = self.waiting.iter().position(|message| packet.token == message.token) else {
            return self.followed(now, packet);
        };
        if packet.code == Code::VALID {
            self.note_acknowledgement(now, index);
            return None;
        }
        let ending = Ending::Response { code: packet.code, is_separate: true };
        let answered = self.end(now, index, ending, packet.payload);
        if let Some(followed) = self.followed.as_mut().filter(|followed| packet.token == followed.token) {
            followed.seen.push(packet.id);
        }
        answered
    }

    /// A further answer to a message that takes them.
    fn followed(&mut self, now: Millis, packet: &Packet<'_>) -> Option<(T, Answer)> {
        let followed =
            self.followed.as_mut().filter(|followed| packet.token == followed.token && now < followed.until)?;
        let is_wanted = packet.code == Code::CONTENT && followed.seen.len() < MAX_FOLLOWING;
        if !is_wanted || followed.seen.contains(&packet.id) {
            return None;
        }
        followed.seen.push(packet.id);
        let ending = Ending::Response { code: packet.code, is_separate: true };
        Some((followed.owner.clone(), Answer { id: followed.id, ending, payload: packet.payload.to_vec() }))
    }

    /// Ends a message. Returns what its owner is to be told.
    fn end(&mut self, now: Millis, index: usize, ending: Ending, payload: &[u8]) -> Option<(T, Answer)> {
        let Waiting { id, token, is_followed, owner, .. } = self.waiting.remove(index)?;
        let is_content = matches!(ending, Ending::Response { code: Code::CONTENT, .. });
        match owner {
            Owner::Authentication => {
                self.authentication = if is_content && !payload.is_empty() {
                    self.auth_token = payload.to_vec();
                    Authentication::Accepted
                } else {
                    Authentication::Failed(ending)
                };
                None
            }
            Owner::Program(owner) => {
                if is_followed && is_content {
                    let until = now + FOLLOW_MS;
                    self.followed = Some(Followed { id, token, until, owner: owner.clone(), seen: Vec::new() });
                }
                Some((owner, Answer { id, ending, payload: payload.to_vec() }))
            }
        }
    }
}

/// What a request says.
struct Message<'a> {
    path: &'a str,
    auth_token: Option<&'a [u8]>,
    needs_answer: bool,
    payload: &'a [u8],
}

#[cfg(test)]
mod tests;
