//! What the device sends: messages for this connection, and messages that are kept until they are acknowledged.

use super::super::packet::Publish;
use super::super::{memory, NoMemory};
use super::{Awaited, LinkState, QoS, Refusal, Session};
use crate::time::Millis;
use crate::topic::{is_topic, MAX_TOPIC_LEN};

/// Longest packet that is sent, the C SDK's transmit buffer.
pub const MAX_SEND: usize = 2048;
/// Most publishes that wait for an acknowledgement.
pub const MAX_PENDING_PUBLISHES: usize = 20;
/// Most bytes that wait until the server takes them: more than all publishes that may wait.
pub const MAX_UNSENT: usize = 64 * 1024;
/// No message is kept where so many requests of all kinds wait for an answer. Programs come nowhere near it.
pub const MAX_PENDING: usize = 100;
/// Most messages that are kept until they are acknowledged. The next one displaces the oldest.
pub const MAX_KEPT: usize = 10;

/// A message that is sent over as many connections as it takes until it is acknowledged.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) id: u16,
    topic: String,
    payload: Vec<u8>,
    sent: bool,
}

impl Kept {
    fn new(id: u16, topic: &str, payload: &[u8]) -> Result<Self, NoMemory> {
        Ok(Kept { id, topic: topic.to_owned(), payload: memory::copy(payload)?, sent: false })
    }

    fn packet(&self, dup: bool) -> Publish<'_> {
        Publish { topic: &self.topic, payload: &self.payload, id: self.id, retain: false, dup }
    }
}

impl<H: Clone> Session<H> {
    /// Sends a message. Returns its packet id, 0 for QoS 0.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn publish(
        &mut self,
        now: Millis,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        retain: bool,
    ) -> Result<u16, Refusal> {
        check(topic, payload, qos)?;
        if self.link != LinkState::Up {
            return Err(Refusal::NotConnected);
        }
        if self.output.len() >= MAX_UNSENT {
            return Err(Refusal::TooManyPublishes);
        }
        let waiting = self.pending.iter().filter(|pending| pending.awaited == Awaited::Puback).count();
        if qos == QoS::AtLeastOnce && waiting >= MAX_PENDING_PUBLISHES {
            return Err(Refusal::TooManyPublishes);
        }
        let id = if qos == QoS::AtMostOnce { 0 } else { self.next_id() };
        Publish { topic, payload, id, retain, dup: false }.write(&mut self.output)?;
        if id != 0 {
            self.await_ack(now, id, Awaited::Puback);
        }
        Ok(id)
    }

    /// Sends a message with QoS 1 and keeps it until it is acknowledged: it is sent again after each reconnect, with the
    /// same packet id (MQTT 3.1.1 section 4.4), and may be handed over while the link is down and will be made again.
    /// A time-out of its acknowledgement is an event, as for any other message. Returns the packet id.
    ///
    /// # Errors
    /// It is not kept: `NotConnected` where the link will not come back by itself, `TooManyPublishes` where
    /// `MAX_PENDING` requests wait already.
    pub fn publish_kept(&mut self, now: Millis, topic: &str, payload: &[u8]) -> Result<u16, Refusal> {
        check(topic, payload, QoS::AtLeastOnce)?;
        if matches!(self.link, LinkState::Down | LinkState::Closed) {
            return Err(Refusal::NotConnected);
        }
        // A server can make the device report something as often as it likes, and acknowledge nothing. What is displaced
        // uses its packet id until its time-out, and without a limit none would be left.
        if self.pending.len() >= MAX_PENDING {
            return Err(Refusal::TooManyPublishes);
        }
        let id = self.next_id();
        let mut kept = Kept::new(id, topic, payload)?;
        if self.link == LinkState::Up {
            kept.packet(false).write(&mut self.output)?;
            kept.sent = true;
        }
        if self.kept.len() >= MAX_KEPT {
            self.kept.remove(0);
        }
        self.await_ack(now, id, Awaited::Puback);
        self.kept.push(kept);
        Ok(id)
    }

    /// How many messages are kept because nobody has acknowledged them.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Whether the message with this packet id is kept because nobody has acknowledged it.
    #[must_use]
    pub fn is_kept(&self, id: u16) -> bool {
        self.kept.iter().any(|kept| kept.id == id)
    }

    pub(super) fn send_kept_again(&mut self, now: Millis) {
        for mut kept in std::mem::take(&mut self.kept) {
            let dup = std::mem::replace(&mut kept.sent, true);
            self.pending.retain(|pending| pending.id != kept.id);
            self.await_ack(now, kept.id, Awaited::Puback);
            self.write(|out| kept.packet(dup).write(out));
            self.kept.push(kept);
        }
    }
}

/// Whether a message may be sent.
fn check(topic: &str, payload: &[u8], qos: QoS) -> Result<(), Refusal> {
    if topic.len() > MAX_TOPIC_LEN {
        return Err(Refusal::TopicTooLong);
    }
    if !is_topic(topic) {
        return Err(Refusal::BadTopic);
    }
    if Publish::size(topic, payload, qos) > MAX_SEND {
        return Err(Refusal::PacketTooLong);
    }
    Ok(())
}
