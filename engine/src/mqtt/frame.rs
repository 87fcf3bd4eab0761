//! Cuts the incoming byte stream into MQTT packets.
//!
//! The framer says how many bytes it can use, because on some platforms a read that asks for more than will come
//! waits for its whole time limit (hal.md).

use bytes::{Bytes, BytesMut};

use super::Malformed;

/// Longest packet that is kept: 16 kB of payload (behaviour.md section 3), topic, packet id and header.
pub const MAX_PACKET: usize = 16 * 1024 + 2 * crate::topic::MAX_TOPIC_LEN;
const MAX_READ: usize = 2048;

/// One complete packet, or the news that one was too long.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// Fixed header and body.
    Packet(Bytes),
    /// A packet longer than [`MAX_PACKET`] that was skipped.
    TooLong {
        /// Length of the body in bytes.
        len: usize,
        /// Packet id of a QoS 1 PUBLISH, so that it can be acknowledged.
        id: Option<u16>,
    },
}

/// The stream's state between two reads.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// Whole length of the packet in `buffer` once its header is complete.
    total: Option<usize>,
    skipping: Option<Skip>,
}

/// An over-long packet that is being thrown away.
#[derive(Debug)]
struct Skip {
    first_byte: u8,
    len: usize,
    left: usize,
    /// The body's beginning, as far as a topic and a packet id can reach.
    head: Vec<u8>,
}

impl Skip {
    const HEAD: usize = 2 + crate::topic::MAX_TOPIC_LEN + 2;

    fn push(&mut self, data: &[u8]) {
        self.left -= data.len();
        let room = (Self::HEAD - self.head.len()).min(data.len());
        self.head.extend_from_slice(&data[..room]);
    }

    fn packet_id(&self) -> Option<u16> {
        const PUBLISH_QOS1: u8 = 0x32;
        if self.first_byte & 0xf6 != PUBLISH_QOS1 {
            return None;
        }
        let topic_len = usize::from(u16::from_be_bytes([*self.head.first()?, *self.head.get(1)?]));
        Some(u16::from_be_bytes([*self.head.get(2 + topic_len)?, *self.head.get(3 + topic_len)?]))
    }
}

impl Framer {
    /// How many bytes to ask for next, at least 1: what is known to come.
    #[must_use]
    pub fn wanted(&self) -> usize {
        let missing = match (&self.skipping, self.total) {
            (Some(skip), _) => skip.left,
            (None, Some(total)) => total - self.buffer.len(),
            // A fixed header has at least two bytes, but a peer may send them apart.
            (None, None) => 1,
        };
        missing.clamp(1, MAX_READ)
    }

    /// Whether part of a packet is here and the rest is to be expected soon.
    #[must_use]
    pub fn is_mid_packet(&self) -> bool {
        self.skipping.is_some() || !self.buffer.is_empty()
    }

    /// Takes bytes of the stream and appends the packets they complete to `frames`.
    ///
    /// # Errors
    /// The remaining length has more than four bytes. The stream is lost then.
    pub fn push(&mut self, mut data: &[u8], frames: &mut Vec<Frame>) -> Result<(), Malformed> {
        while !data.is_empty() {
            if let Some(skip) = &mut self.skipping {
                let now = skip.left.min(data.len());
                skip.push(&data[..now]);
                data = &data[now..];
                if skip.left == 0 {
                    frames.push(Frame::TooLong { len: skip.len, id: skip.packet_id() });
                    self.skipping = None;
                }
                continue;
            }
            let Some(total) = self.total else {
                self.buffer.extend_from_slice(&data[..1]);
                data = &data[1..];
                self.header_byte()?;
                self.take_if_complete(frames);
                continue;
            };
            let now = (total - self.buffer.len()).min(data.len());
            self.buffer.extend_from_slice(&data[..now]);
            data = &data[now..];
            self.take_if_complete(frames);
        }
        Ok(())
    }

    /// Looks at the fixed header so far and sets `total` or `skipping` when it is complete.
    fn header_byte(&mut self) -> Result<(), Malformed> {
        let length_bytes = &self.buffer[1..];
        let Some(last) = length_bytes.last() else {
            return Ok(());
        };
        if last & 0x80 != 0 {
            return if length_bytes.len() < 4 { Ok(()) } else { Err(Malformed("remaining length")) };
        }
        let len = length_bytes.iter().rev().fold(0_usize, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        let total = self.buffer.len() + len;
        if total > MAX_PACKET {
            self.skipping = Some(Skip { first_byte: self.buffer[0], len, left: len, head: Vec::new() });
            self.buffer.clear();
        } else {
            self.total = Some(total);
        }
        Ok(())
    }

    fn take_if_complete(&mut self, frames: &mut Vec<Frame>) {
        if self.total == Some(self.buffer.len()) {
            self.total = None;
            frames.push(Frame::Packet(self.buffer.split().freeze()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(framer: &mut Framer, data: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        framer.push(data, &mut frames).unwrap();
        frames
    }

    #[test]
    fn any_split_gives_the_same_packets() {
        let stream: &[u8] = &[0x40, 2, 0, 7, 0xd0, 0, 0x30, 5, 0, 1, b'a', b'x', b'y'];
        let mut whole = Vec::new();
        Framer::default().push(stream, &mut whole).unwrap();
        assert_eq!(whole.len(), 3);
        for size in 1..stream.len() {
            let mut framer = Framer::default();
            let frames: Vec<Frame> = stream.chunks(size).flat_map(|chunk| push(&mut framer, chunk)).collect();
            assert_eq!(frames, whole, "chunks of {size}");
            assert!(!framer.is_mid_packet());
        }
    }

    #[test]
    fn wanted_never_asks_past_the_packet() {
        let stream: &[u8] = &[0x30, 5, 0, 1, b'a', b'x', b'y', 0xd0, 0];
        let mut framer = Framer::default();
        let mut at = 0;
        let mut asked = Vec::new();
        while at < stream.len() {
            let n = framer.wanted();
            asked.push(n);
            push(&mut framer, &stream[at..at + n]);
            at += n;
        }
        assert_eq!(asked, [1, 1, 5, 1, 1]);
    }

    #[test]
    fn a_long_packet_is_skipped_and_the_next_one_is_found() {
        let len = 20_000_usize;
        for (first_byte, expected) in [(0x30, None), (0x32, Some(0x0203))] {
            let mut stream = vec![first_byte, 0xa0, 0x9c, 0x01, 0, 1, b't', 2, 3];
            stream.resize(4 + len, 0);
            stream.extend([0xd0, 0]);
            let mut framer = Framer::default();
            push(&mut framer, &stream[..19_000]);
            assert_eq!((framer.wanted(), framer.is_mid_packet()), (1004, true));
            let mut framer = Framer::default();
            let frames: Vec<Frame> = stream.chunks(1000).flat_map(|chunk| push(&mut framer, chunk)).collect();
            let pong = Frame::Packet(Bytes::from_static(&[0xd0, 0]));
            assert_eq!(frames, [Frame::TooLong { len, id: expected }, pong]);
        }
    }

    #[test]
    fn the_longest_packet_is_kept_whole() {
        let payload = 16 * 1024;
        let body = 2 + 1 + payload;
        let mut stream = vec![0x30, (body & 0x7f) as u8 | 0x80, (body >> 7 & 0x7f) as u8 | 0x80, (body >> 14) as u8];
        stream.extend([0, 1, b't']);
        stream.extend(std::iter::repeat_n(b'x', payload));
        let mut framer = Framer::default();
        assert!(matches!(&push(&mut framer, &stream)[..], [Frame::Packet(packet)] if packet.len() == stream.len()));
    }

    #[test]
    fn a_fifth_length_byte_is_malformed() {
        let mut frames = Vec::new();
        let result = Framer::default().push(&[0x30, 0xff, 0xff, 0xff, 0xff, 1], &mut frames);
        assert_eq!(result, Err(Malformed("remaining length")));
        assert!(frames.is_empty());
    }
}
