//! What the gateway has asked, and what it knows of its sub-devices (gateway.md section 2).

use super::message::{self, Bound, Operation, Proof};
use super::notice::Notice;
use super::ANSWER_TIMEOUT_MS;
use crate::identity::Identity;
use crate::services::exchange::{Exchange, Refused, Settled};
use crate::time::Millis;

/// How many requests may wait at once.
const MAX_WAITING: usize = 256;

/// What an answer belongs to: the protocol has no request id.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    operation: Operation,
    /// `None` for the list.
    device: Option<Identity>,
}

/// Names one request, from its beginning to the end of the call that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// Why a request is not made, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// Another call waits for the same answer: one after the other.
    Busy,
    /// Too many requests wait, or there is no memory.
    Full,
    /// The sub-device is online already.
    AlreadyOnline,
    /// The sub-device was not put online.
    NotOnline,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The cloud's result, 0 for success.
    Result(i32),
    /// The sub-devices, in the order of the message.
    List(Vec<Bound>),
}

/// What a message on the result topic was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The answer to at least one request.
    Answer,
    /// An answer that nobody waits for.
    Unasked,
    /// An answer to a request, whose result is no integer of 32 bits.
    BadResult,
    /// Why it is no answer.
    NoAnswer(&'static str),
}

/// A request that waits for its answer.
#[derive(Debug, Clone)]
struct Request {
    ticket: Ticket,
    /// Sent again where the link was lost meanwhile; `None` for what must not be done twice.
    repeated: Option<String>,
}

/// A sub-device that was put online.
#[derive(Debug, Clone)]
struct Subdevice {
    device: Identity,
    /// The cloud may have put it offline meanwhile.
    is_stale: bool,
}

/// The requests of one gateway and its sub-devices.
#[derive(Debug, Clone)]
pub struct Session {
    requests: Exchange<Key, Request>,
    next_ticket: u64,
    outcomes: Vec<(Ticket, Outcome)>,
    online: Vec<Subdevice>,
}

impl Default for Session {
    fn default() -> Self {
        Session { requests: Exchange::with_room(MAX_WAITING), next_ticket: 0, outcomes: Vec::new(), online: Vec::new() }
    }
}

impl Session {
    /// Begins a request for `device`, whose text is to be published now. `proof` goes with [`Operation::Bind`].
    ///
    /// # Errors
    /// Why it is not made. After [`Hindrance::Busy`] it may be tried again.
    pub fn ask(
        &mut self,
        now: Millis,
        operation: Operation,
        device: &Identity,
        proof: Option<&Proof>,
    ) -> Result<(Ticket, String), Hindrance> {
        let key = Key { operation, device: Some(device.clone()) };
        // First: how that call ends may change what is known of the device.
        if self.requests.is_waiting(&key) {
            return Err(Hindrance::Busy);
        }
        let known = self.online.iter().find(|known| known.device == *device);
        match operation {
            Operation::Online if known.is_some_and(|known| !known.is_stale) => return Err(Hindrance::AlreadyOnline),
            Operation::Offline if known.is_none() => return Err(Hindrance::NotOnline),
            _ => {}
        }
        let is_repeated = matches!(operation, Operation::Online | Operation::Offline);
        self.begin(now, key, message::request(operation, device, proof), is_repeated)
    }

    /// Begins a request for the list of bound sub-devices.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn ask_for_list(&mut self, now: Millis) -> Result<(Ticket, String), Hindrance> {
        let key = Key { operation: Operation::List, device: None };
        self.begin(now, key, message::LIST.to_owned(), true)
    }

    fn begin(&mut self, now: Millis, key: Key, text: String, is_repeated: bool) -> Result<(Ticket, String), Hindrance> {
        // The outcome must find room whatever happens to memory meanwhile.
        self.outcomes.try_reserve(self.requests.waiting().count() + 1).map_err(|_| Hindrance::Full)?;
        let ticket = Ticket(self.next_ticket);
        let request = Request { ticket, repeated: is_repeated.then(|| text.clone()) };
        self.requests.begin(now, key, ANSWER_TIMEOUT_MS, request).map_err(|refused| match refused {
            Refused::Pending => Hindrance::Busy,
            Refused::Full => Hindrance::Full,
        })?;
        self.next_ticket += 1;
        Ok((ticket, text))
    }

    /// A message came on the result topic.
    pub fn receive(&mut self, payload: &[u8]) -> Received {
        let answer = match message::parse(payload) {
            Ok(answer) => answer,
            Err(why) => return Received::NoAnswer(why),
        };
        if answer.operation == Operation::List {
            let key = Key { operation: Operation::List, device: None };
            let Settled::Answered(request) = self.requests.settle(&key) else {
                return Received::Unasked;
            };
            let bound = answer.entries().map(|entry| Bound {
                product_id: entry.product_id.into_owned(),
                device_name: entry.device_name.into_owned(),
            });
            self.outcomes.push((request.ticket, Outcome::List(bound.collect())));
            return Received::Answer;
        }
        let mut received = Received::Unasked;
        for entry in answer.entries() {
            let Ok(device) = Identity::new(&entry.product_id, &entry.device_name) else {
                continue;
            };
            let key = Key { operation: answer.operation, device: Some(device) };
            let Some(result) = entry.result else {
                if received == Received::Unasked && self.requests.is_waiting(&key) {
                    received = Received::BadResult;
                }
                continue;
            };
            if let Settled::Answered(request) = self.requests.settle(&key) {
                self.note(&key, Some(result));
                self.outcomes.push((request.ticket, Outcome::Result(result)));
                received = Received::Answer;
            }
        }
        received
    }

    /// The cloud tells something of the sub-devices unasked.
    pub fn noticed(&mut self, notice: &Notice) {
        match notice {
            Notice::UnbindAll => self.online.clear(),
            Notice::Change(0, devices) => {
                self.online.iter_mut().filter(|known| devices.contains(&known.device)).for_each(|known| {
                    known.is_stale = true;
                });
            }
            Notice::Change(..) | Notice::Search(_) => {}
        }
    }

    /// How the request ended, once it has. It can be taken once.
    pub fn take_outcome(&mut self, ticket: Ticket) -> Option<Outcome> {
        let index = self.outcomes.iter().position(|(of, _)| *of == ticket)?;
        Some(self.outcomes.swap_remove(index).1)
    }

    /// Nobody waits for the request any more: its answer, which may come yet, is for nobody.
    pub fn give_up(&mut self, ticket: Ticket) {
        let key = self.requests.waiting().find(|(_, request)| request.ticket == ticket).map(|(key, _)| key.clone());
        if let Some(key) = key {
            self.requests.settle(&key);
            self.note(&key, None);
        }
        self.take_outcome(ticket);
    }

    /// The link was lost and is up again. Returns what is to be published once more. Whether the cloud still holds the
    /// sub-devices for online is not known.
    pub fn link_restored(&mut self) -> Vec<String> {
        for known in &mut self.online {
            known.is_stale = true;
        }
        self.requests.waiting().filter_map(|(_, request)| request.repeated.clone()).collect()
    }

    /// What a result, or none, says about the sub-device.
    fn note(&mut self, key: &Key, result: Option<i32>) {
        let Some(device) = &key.device else {
            return;
        };
        let index = self.online.iter().position(|known| known.device == *device);
        match (key.operation, result, index) {
            (Operation::Online, Some(0), Some(index)) => self.online[index].is_stale = false,
            (Operation::Online, Some(0), None) => {
                self.online.push(Subdevice { device: device.clone(), is_stale: false });
            }
            (Operation::Online, _, Some(index)) | (Operation::Offline, Some(0), Some(index)) => {
                self.online.swap_remove(index);
            }
            (Operation::Unbind, Some(0), Some(index)) => self.online[index].is_stale = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
