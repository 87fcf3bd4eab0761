//! MQTT 3.1.1 packets: those that a server sends, read, and those that a device sends, written.
//!
//! Memory is asked for in a way that may fail: a server decides how long a packet is, and a firmware's `HAL_Malloc` may
//! say no.

use bytes::Bytes;

use super::{memory, Broken, Malformed, NoMemory};

/// Quality of service of what a device sends and asks for. This side never uses QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QoS {
    /// At most once.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
}

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 0, 1 or 2.
    pub qos: u8,
    /// The server kept it for new subscribers.
    pub retain: bool,
    /// The server sends it again.
    pub dup: bool,
    /// Packet id, 0 for QoS 0.
    pub id: u16,
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Bytes,
}

/// A packet from a server, after the CONNACK.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Publish(Message),
    /// A PUBLISH whose topic can't be one.
    BadTopic {
        qos: u8,
        id: u16,
        len: usize,
    },
    Puback(u16),
    Pubrec(u16),
    Pubrel(u16),
    Pubcomp(u16),
    Suback {
        id: u16,
        granted: bool,
    },
    Unsuback(u16),
    Pingresp,
}

/// Reads a packet: the first byte of its fixed header, and its body.
///
/// Reserved flags and surplus bytes of acknowledgements are not looked at: nothing follows from them.
pub(super) fn read(first: u8, body: Vec<u8>) -> Result<Incoming, Broken> {
    let id = || match body[..] {
        [high, low, ..] => Ok(u16::from_be_bytes([high, low])),
        _ => Err(Malformed("an acknowledgement without a packet id")),
    };
    Ok(match first >> 4 {
        3 => return publish(first, body),
        4 => Incoming::Puback(id()?),
        5 => Incoming::Pubrec(id()?),
        6 => Incoming::Pubrel(id()?),
        7 => Incoming::Pubcomp(id()?),
        9 => {
            let code = *body.get(2).ok_or(Malformed("SUBACK without a return code"))?;
            // 0x80 refuses. So does what MQTT 3.1.1 does not define: it grants nothing.
            Incoming::Suback { id: id()?, granted: code <= 2 }
        }
        11 => Incoming::Unsuback(id()?),
        13 => Incoming::Pingresp,
        _ => return Err(Malformed("a server never sends this packet type").into()),
    })
}

fn publish(first: u8, body: Vec<u8>) -> Result<Incoming, Broken> {
    const SHORT: Malformed = Malformed("PUBLISH shorter than its topic");
    let qos = (first >> 1) & 3;
    if qos == 3 {
        return Err(Malformed("PUBLISH with QoS 3").into());
    }
    let [high, low, rest @ ..] = &body[..] else {
        return Err(SHORT.into());
    };
    let topic = rest.get(..usize::from(u16::from_be_bytes([*high, *low]))).ok_or(SHORT)?;
    let (id, at) = if qos == 0 {
        (0, 2 + topic.len())
    } else {
        let [high, low, ..] = rest[topic.len()..] else {
            return Err(SHORT.into());
        };
        (u16::from_be_bytes([high, low]), 4 + topic.len())
    };
    if qos != 0 && id == 0 {
        return Err(Malformed("PUBLISH with packet id 0").into());
    }
    // The standard lets a receiver hang up at such a topic (MQTT 3.1.1 section 1.5.3). The server would send it again
    // after each reconnect, and nothing else would ever reach the device.
    let Some(topic) = String::from_utf8(memory::copy(topic)?).ok().filter(|topic| crate::topic::is_topic(topic)) else {
        return Ok(Incoming::BadTopic { qos, id, len: body.len() });
    };
    let payload = Bytes::from(body).split_off(at);
    Ok(Incoming::Publish(Message { qos, retain: first & 1 != 0, dup: first & 8 != 0, id, topic, payload }))
}

/// What a device says about itself in CONNECT.
pub(super) struct Connect<'a> {
    pub(super) client_id: &'a str,
    pub(super) keep_alive_s: u16,
    pub(super) clean_session: bool,
    /// Not sent where it is empty.
    pub(super) user_name: &'a str,
    /// Not sent where it is empty.
    pub(super) password: &'a str,
}

impl Connect<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), NoMemory> {
        let mut flags = u8::from(self.clean_session) << 1;
        let [id_len, user_len, password_len] =
            [self.client_id, self.user_name, self.password].map(|text| length(text.len()));
        let mut parts: Vec<&[u8]> = vec![&id_len, self.client_id.as_bytes()];
        if !self.user_name.is_empty() {
            flags |= 0x80;
            parts.extend([&user_len[..], self.user_name.as_bytes()]);
        }
        if !self.password.is_empty() {
            flags |= 0x40;
            parts.extend([&password_len[..], self.password.as_bytes()]);
        }
        let [high, low] = self.keep_alive_s.to_be_bytes();
        let head = [0, 4, b'M', b'Q', b'T', b'T', 4, flags, high, low];
        parts.insert(0, &head);
        write(out, 0x10, &parts)
    }
}

/// A message to be sent; `id` 0 means QoS 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Publish<'a> {
    pub(super) topic: &'a str,
    pub(super) payload: &'a [u8],
    pub(super) id: u16,
    pub(super) retain: bool,
    pub(super) dup: bool,
}

impl Publish<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), NoMemory> {
        let qos = u8::from(self.id != 0);
        let first = 0x30 | u8::from(self.dup) << 3 | qos << 1 | u8::from(self.retain);
        let id = self.id.to_be_bytes();
        let id: &[u8] = if self.id == 0 { &[] } else { &id };
        write(out, first, &[&length(self.topic.len()), self.topic.as_bytes(), id, self.payload])
    }

    /// How long the packet is that [`write`](Self::write) writes, in bytes.
    pub(super) fn size(topic: &str, payload: &[u8], qos: QoS) -> usize {
        let id = if qos == QoS::AtMostOnce { 0 } else { 2 };
        let body = 2 + topic.len() + id + payload.len();
        1 + remaining_length(body).1 + body
    }
}

pub(super) fn write_subscribe(out: &mut Vec<u8>, id: u16, filter: &str, qos: QoS) -> Result<(), NoMemory> {
    let qos = u8::from(qos == QoS::AtLeastOnce);
    write(out, 0x82, &[&id.to_be_bytes(), &length(filter.len()), filter.as_bytes(), &[qos]])
}

pub(super) fn write_unsubscribe(out: &mut Vec<u8>, id: u16, filter: &str) -> Result<(), NoMemory> {
    write(out, 0xa2, &[&id.to_be_bytes(), &length(filter.len()), filter.as_bytes()])
}

/// An answer that is nothing but a packet id.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Puback = 0x40,
    Pubrec = 0x50,
    Pubrel = 0x62,
    Pubcomp = 0x70,
}

pub(super) fn write_answer(out: &mut Vec<u8>, answer: Answer, id: u16) -> Result<(), NoMemory> {
    write(out, answer as u8, &[&id.to_be_bytes()])
}

pub(super) fn write_pingreq(out: &mut Vec<u8>) -> Result<(), NoMemory> {
    write(out, 0xc0, &[])
}

pub(super) fn write_disconnect(out: &mut Vec<u8>) -> Result<(), NoMemory> {
    write(out, 0xe0, &[])
}

/// The length before a text. No text here comes near the limit: topics, ids and passwords are checked.
fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

/// The remaining length of the fixed header, and how many bytes of it count.
fn remaining_length(mut len: usize) -> ([u8; 4], usize) {
    let mut bytes = [0; 4];
    let mut count = 0;
    // What is sent is far below the limit of four bytes.
    while let Some(byte) = bytes.get_mut(count) {
        *byte = (len & 0x7f) as u8;
        count += 1;
        len >>= 7;
        if len == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, count)
}

/// Appends a packet to `out`, whole or not at all.
fn write(out: &mut Vec<u8>, first: u8, parts: &[&[u8]]) -> Result<(), NoMemory> {
    let len = parts.iter().map(|part| part.len()).sum();
    let (header, count) = remaining_length(len);
    memory::reserve(out, 1 + count + len)?;
    out.push(first);
    out.extend_from_slice(&header[..count]);
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
