//! What the server sends: packets, and messages with the exchange that their QoS asks for (MQTT 3.1.1 section 4.3).

use super::super::frame::Frame;
use super::super::keep_alive::KeepAlive;
use super::super::packet::{self, Answer, Incoming};
use super::super::Malformed;
use super::{Awaited, Event, LinkFault, LinkState, Message, Session, Skipped, MAX_UNSENT};
use crate::time::Millis;

/// How long a packet that is skipped is watched before it is judged.
const WINDOW_MS: u64 = 10_000;
/// What has to come in within that time: 1 kB/s.
const WINDOW_BYTES: usize = 10_000;
/// What is in the transport's buffer counts too. A caller that did not drive the client for a while gets the time to read
/// it.
const GRACE_MS: u64 = 1000;

/// Watches how fast a skipped packet comes in. What was read as its length may be something else: then the packet swallows
/// all that follows.
#[derive(Debug)]
pub(super) struct Slow {
    deadline: Millis,
    bytes: usize,
    warned: bool,
}

impl Slow {
    fn start(now: Millis) -> Self {
        Slow { deadline: now + WINDOW_MS, bytes: 0, warned: false }
    }

    pub(super) fn deadline(&self) -> Millis {
        self.deadline
    }
}

impl<H: Clone> Session<H> {
    /// Bytes came from the server.
    ///
    /// # Errors
    /// The link can't go on; what came before is in the events.
    pub fn received(&mut self, now: Millis, mut data: &[u8]) -> Result<(), LinkFault> {
        let count = data.len();
        while let Some(frame) = self.framer.push(&mut data)? {
            match frame {
                Frame::Packet { first, body } => self.packet(now, first, body)?,
                Frame::Skipped { .. } if self.link != LinkState::Up => {
                    return Err(LinkFault::Malformed(Malformed("long packet before CONNACK")));
                }
                Frame::Skipped { first, len, id, no_memory } => {
                    let what = if no_memory { Skipped::NoMemory(len) } else { Skipped::TooLong(len) };
                    self.skip((first >> 1) & 3, id.unwrap_or(0), what);
                }
            }
            if self.output.len() > MAX_UNSENT {
                return Err(LinkFault::Unread);
            }
        }
        if self.framer.is_skipping() {
            let slow = self.slow.get_or_insert_with(|| Slow::start(now));
            slow.bytes = slow.bytes.saturating_add(count);
        } else {
            self.slow = None;
        }
        if self.starved {
            return Err(LinkFault::NoMemory);
        }
        Ok(())
    }

    pub(super) fn check_speed(&mut self, now: Millis) -> Result<(), LinkFault> {
        let Some(slow) = self.slow.as_mut().filter(|slow| now >= slow.deadline) else {
            return Ok(());
        };
        if slow.bytes >= WINDOW_BYTES {
            *slow = Slow::start(now);
        } else if slow.warned {
            return Err(LinkFault::TooSlow);
        } else {
            slow.warned = true;
            slow.deadline = now + GRACE_MS;
        }
        Ok(())
    }

    /// A message was handed on: acknowledges it, unless it came over an earlier connection, where the server may have
    /// given its packet id to another message by now.
    pub fn delivered(&mut self, message: &Message) {
        let this = (message.qos, message.id);
        if let Some(index) = self.undelivered.iter().position(|known| *known == this) {
            self.undelivered.swap_remove(index);
            self.acknowledge(message.qos, message.id);
        }
    }

    fn acknowledge(&mut self, qos: u8, id: u16) {
        match qos {
            1 => self.write(|out| packet::write_answer(out, Answer::Puback, id)),
            2 => self.write(|out| packet::write_answer(out, Answer::Pubrec, id)),
            _ => {}
        }
    }

    fn packet(&mut self, now: Millis, first: u8, body: Vec<u8>) -> Result<(), LinkFault> {
        if let LinkState::Connecting(_) = self.link {
            return self.connack(now, first, &body);
        }
        match packet::read(first, body)? {
            Incoming::Publish(message) => self.message(message),
            Incoming::BadTopic { qos, id, len } => self.skip(qos, id, Skipped::BadTopic(len)),
            Incoming::Puback(id) => {
                let before = self.kept.len();
                self.kept.retain(|kept| kept.id != id);
                let is_awaited = self.settle(now, id, |awaited| awaited == Awaited::Puback).is_some();
                self.acknowledged |= is_awaited || self.kept.len() < before;
                if is_awaited {
                    self.events.push_back(Event::Published(id));
                }
            }
            // The session that the server kept may be one of an earlier firmware, which published with QoS 2. The server
            // asks until it is told that all is well.
            Incoming::Pubrec(id) => self.write(|out| packet::write_answer(out, Answer::Pubrel, id)),
            Incoming::Pubcomp(_) => {}
            Incoming::Pubrel(id) => {
                self.unreleased.release(id);
                self.write(|out| packet::write_answer(out, Answer::Pubcomp, id));
            }
            Incoming::Suback { id, granted } => {
                let awaited = self.settle(now, id, |awaited| matches!(awaited, Awaited::Suback(_)));
                if let Some(Awaited::Suback(key)) = awaited {
                    self.suback(now, key, id, granted);
                    self.acknowledged |= self.subscriptions.iter().all(|known| known.ready);
                }
            }
            Incoming::Unsuback(id) => {
                let awaited = self.settle(now, id, |awaited| matches!(awaited, Awaited::Unsuback { .. }));
                if awaited == Some(Awaited::Unsuback { tells_program: true }) {
                    self.events.push_back(Event::Unsubscribed(id));
                }
            }
            Incoming::Pingresp => self.keep_alive.acknowledged(now),
        }
        Ok(())
    }

    fn connack(&mut self, now: Millis, first: u8, body: &[u8]) -> Result<(), LinkFault> {
        let (0x20, &[flags @ (0 | 1), code]) = (first, body) else {
            return Err(LinkFault::Malformed(Malformed("CONNACK expected")));
        };
        if code != 0 {
            return Err(LinkFault::Refused(code));
        }
        self.link = LinkState::Up;
        self.up_since = now;
        self.keep_alive = KeepAlive::start(now, self.config.keep_alive_s);
        // A session that was to begin anew has begun anew, whatever the server says.
        let session_present = flags == 1 && !self.config.clean_session;
        if !session_present {
            self.seen.clear();
            self.unreleased.clear();
        }
        self.subscribe_again(now);
        self.send_kept_again(now);
        self.events.push_back(if self.was_up { Event::Reconnected { session_present } } else { Event::Connected });
        self.was_up = true;
        Ok(())
    }

    fn message(&mut self, message: Message) {
        let is_repeat = match message.qos {
            0 => false,
            1 => self.seen.is_repeat(&message),
            _ => self.unreleased.is_repeat(message.id),
        };
        if is_repeat {
            // Acknowledged once: after the handler, where that is still to come.
            if !self.undelivered.contains(&(message.qos, message.id)) {
                self.acknowledge(message.qos, message.id);
            }
            return;
        }
        if message.qos != 0 {
            self.undelivered.push((message.qos, message.id));
        }
        self.events.push_back(Event::Message(message));
    }

    /// A message that is not taken. Acknowledged, else the server would send it again after each reconnect.
    fn skip(&mut self, qos: u8, id: u16, what: Skipped) {
        if id != 0 {
            self.acknowledge(qos, id);
        }
        self.events.push_back(Event::Skipped(what));
    }

    /// Ends the wait for an acknowledgement. An unknown one is ignored: it may be late.
    fn settle(&mut self, now: Millis, id: u16, is_meant: impl Fn(Awaited) -> bool) -> Option<Awaited> {
        self.keep_alive.acknowledged(now);
        let index = self.pending.iter().position(|pending| pending.id == id && is_meant(pending.awaited))?;
        Some(self.pending.swap_remove(index).awaited)
    }
}
