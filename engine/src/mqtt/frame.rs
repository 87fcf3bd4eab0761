//! Cuts the incoming byte stream into MQTT packets.
//!
//! The framer says how many bytes it can use, because on some platforms a read that asks for more than will come
//! waits for its whole time limit (hal.md).

use super::{memory, Broken, Malformed};

/// Longest body of a packet that is taken: 16 kB of payload (behaviour.md section 3), topic, packet id.
pub const MAX_BODY: usize = 16 * 1024 + 2 * crate::topic::MAX_TOPIC_LEN;
/// Longest body that a server may announce. More is no packet but bytes that were taken for one.
pub const MAX_ANNOUNCED: usize = 4 * 1024 * 1024;
/// A packet up to this length is never left out for want of memory: an update command may be that long. The connection is
/// lost instead, and there may be memory for what the server sends over the next one.
const NEVER_SKIPPED: usize = 4096;
const MAX_READ: usize = 2048;

/// One complete packet, or the news that one was left out.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A packet.
    Packet {
        /// The first byte of the fixed header.
        first: u8,
        /// What follows the fixed header.
        body: Vec<u8>,
    },
    /// A packet that was skipped.
    Skipped {
        /// The first byte of the fixed header.
        first: u8,
        /// Length of the body in bytes.
        len: usize,
        /// Packet id of a PUBLISH with QoS 1 or 2, so that it can be acknowledged.
        id: Option<u16>,
        /// It was short enough to be taken, but there was no memory for it.
        no_memory: bool,
    },
}

/// Length of the first packet in `data`, which begins with one: all of it where the packet is longer, or is none.
#[must_use]
pub fn first_packet(data: &[u8]) -> usize {
    let length_bytes = data.iter().skip(1).take(4);
    let (mut len, mut head) = (0, 1);
    for (at, byte) in length_bytes.enumerate() {
        len += usize::from(byte & 0x7f) << (7 * at);
        head += 1;
        if byte & 0x80 == 0 {
            return data.len().min(head + len);
        }
    }
    data.len()
}

/// Whether `data` begins with a DISCONNECT.
#[must_use]
pub fn is_disconnect(data: &[u8]) -> bool {
    data.first() == Some(&0xe0)
}

/// The stream's state between two reads.
#[derive(Debug, Default)]
pub struct Framer {
    header: Vec<u8>,
    body: Option<Body>,
}

#[derive(Debug)]
enum Body {
    Taken { len: usize, bytes: Vec<u8> },
    Skipped(Skip),
}

/// A packet that is being thrown away.
#[derive(Debug)]
struct Skip {
    len: usize,
    seen: usize,
    topic_len: [u8; 2],
    id: [u8; 2],
    no_memory: bool,
}

impl Skip {
    fn push(&mut self, data: &[u8]) {
        note(&mut self.topic_len, 0, self.seen, data);
        let id_at = self.id_at();
        note(&mut self.id, id_at, self.seen, data);
        self.seen += data.len();
    }

    fn id_at(&self) -> usize {
        2 + usize::from(u16::from_be_bytes(self.topic_len))
    }

    fn packet_id(&self, first: u8) -> Option<u16> {
        let has_id = matches!(first & 0xf6, 0x32 | 0x34) && self.len >= self.id_at() + 2;
        has_id.then(|| u16::from_be_bytes(self.id)).filter(|id| *id != 0)
    }
}

/// Copies what `data`, which begins at `seen`, has of the field that begins at `at`.
fn note(field: &mut [u8; 2], at: usize, seen: usize, data: &[u8]) {
    for (index, byte) in field.iter_mut().enumerate() {
        if let Some(value) = (at + index).checked_sub(seen).and_then(|at| data.get(at)) {
            *byte = *value;
        }
    }
}

impl Framer {
    /// How many bytes to ask for next, at least 1: what is known to come.
    #[must_use]
    pub fn wanted(&self) -> usize {
        let missing = match &self.body {
            Some(Body::Taken { len, bytes }) => len - bytes.len(),
            Some(Body::Skipped(skip)) => skip.len - skip.seen,
            // A fixed header has at least two bytes, but a peer may send them apart.
            None => 1,
        };
        missing.clamp(1, MAX_READ)
    }

    /// Whether part of a packet is here and the rest is to be expected soon.
    #[must_use]
    pub fn is_mid_packet(&self) -> bool {
        !self.header.is_empty()
    }

    /// Whether a packet is being skipped.
    #[must_use]
    pub fn is_skipping(&self) -> bool {
        matches!(self.body, Some(Body::Skipped(_)))
    }

    /// Takes bytes from the front of `data` until they complete a packet, or all of them.
    ///
    /// # Errors
    /// The remaining length is impossible, or there is no memory for a packet that must be taken. The stream is lost then.
    pub fn push(&mut self, data: &mut &[u8]) -> Result<Option<Frame>, Broken> {
        while !data.is_empty() {
            let wanted = match &mut self.body {
                None => {
                    self.header.push(data[0]);
                    *data = &data[1..];
                    self.look_at_header()?;
                    0
                }
                Some(Body::Taken { len, bytes }) => {
                    let count = (*len - bytes.len()).min(data.len());
                    bytes.extend_from_slice(&data[..count]);
                    count
                }
                Some(Body::Skipped(skip)) => {
                    let count = (skip.len - skip.seen).min(data.len());
                    skip.push(&data[..count]);
                    count
                }
            };
            *data = &data[wanted..];
            if let Some(frame) = self.complete() {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Makes room for the body where the fixed header is complete.
    fn look_at_header(&mut self) -> Result<(), Broken> {
        let length_bytes = &self.header[1..];
        let Some(last) = length_bytes.last() else {
            return Ok(());
        };
        if last & 0x80 != 0 {
            return if length_bytes.len() < 4 { Ok(()) } else { Err(Malformed("remaining length").into()) };
        }
        let len = length_bytes.iter().rev().fold(0_usize, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        if len > MAX_ANNOUNCED {
            return Err(Malformed("a length of more than 4 MB").into());
        }
        let skip = |no_memory| Body::Skipped(Skip { len, seen: 0, topic_len: [0; 2], id: [0; 2], no_memory });
        self.body = Some(if len > MAX_BODY {
            skip(false)
        } else {
            match memory::buffer(len) {
                Ok(bytes) => Body::Taken { len, bytes },
                Err(_) if len > NEVER_SKIPPED => skip(true),
                Err(none) => return Err(none.into()),
            }
        });
        Ok(())
    }

    fn complete(&mut self) -> Option<Frame> {
        let is_complete = match self.body.as_ref()? {
            Body::Taken { len, bytes } => bytes.len() == *len,
            Body::Skipped(skip) => skip.seen == skip.len,
        };
        if !is_complete {
            return None;
        }
        let first = *self.header.first()?;
        self.header.clear();
        Some(match self.body.take()? {
            Body::Taken { bytes, .. } => Frame::Packet { first, body: bytes },
            Body::Skipped(skip) => {
                Frame::Skipped { first, len: skip.len, id: skip.packet_id(first), no_memory: skip.no_memory }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::shortage::Shortage;
    use super::*;

    fn push(framer: &mut Framer, mut data: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = framer.push(&mut data).unwrap() {
            frames.push(frame);
        }
        assert!(data.is_empty());
        frames
    }

    fn pong() -> Frame {
        Frame::Packet { first: 0xd0, body: Vec::new() }
    }

    #[test]
    fn any_split_gives_the_same_packets() {
        let stream: &[u8] = &[0x40, 2, 0, 7, 0xd0, 0, 0x30, 5, 0, 1, b'a', b'x', b'y'];
        let whole = push(&mut Framer::default(), stream);
        let puback = Frame::Packet { first: 0x40, body: vec![0, 7] };
        let publish = Frame::Packet { first: 0x30, body: vec![0, 1, b'a', b'x', b'y'] };
        assert_eq!(whole, [puback, pong(), publish]);
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
        for (first, expected) in [(0x30, None), (0x32, Some(0x0203)), (0x3d, Some(0x0203)), (0x40, None)] {
            let mut stream = vec![first, 0xa0, 0x9c, 0x01, 0, 1, b't', 2, 3];
            stream.resize(4 + len, 0);
            stream.extend([0xd0, 0]);
            let mut framer = Framer::default();
            push(&mut framer, &stream[..19_000]);
            assert_eq!((framer.wanted(), framer.is_mid_packet(), framer.is_skipping()), (1004, true, true));
            for chunk in [1, 1000] {
                let mut framer = Framer::default();
                let frames: Vec<Frame> = stream.chunks(chunk).flat_map(|chunk| push(&mut framer, chunk)).collect();
                let skipped = Frame::Skipped { first, len, id: expected, no_memory: false };
                assert_eq!(frames, [skipped, pong()]);
                assert!(!framer.is_skipping());
            }
        }
    }

    #[test]
    fn the_packet_id_is_found_behind_the_longest_topic() {
        let topic_len = usize::from(u16::MAX);
        let mut stream = vec![0x34, 0x83, 0x80, 0x04, 0xff, 0xff];
        stream.resize(6 + topic_len, b't');
        // The last byte of the packet id is the last of the packet.
        stream.extend([1, 2]);
        assert_eq!(stream.len(), 4 + 0x1_0003);
        let skipped = |id| Frame::Skipped { first: 0x34, len: 0x1_0003, id, no_memory: false };
        assert_eq!(push(&mut Framer::default(), &stream), [skipped(Some(0x0102))]);
        // A topic that is longer than the packet leaves no room for an id.
        stream[1] = 0x82;
        stream.pop();
        let frames = push(&mut Framer::default(), &stream);
        assert!(matches!(frames[..], [Frame::Skipped { id: None, .. }]), "{frames:?}");
    }

    #[test]
    fn the_longest_packet_is_taken_whole() {
        for (len, taken) in [(2 + 128 + 2 + 16 * 1024, true), (MAX_BODY, true), (MAX_BODY + 1, false)] {
            let mut stream = vec![0x30, (len & 0x7f) as u8 | 0x80, (len >> 7 & 0x7f) as u8 | 0x80, (len >> 14) as u8];
            stream.resize(4 + len, b'x');
            let frames = push(&mut Framer::default(), &stream);
            assert_eq!(matches!(&frames[..], [Frame::Packet { body, .. }] if body.len() == len), taken, "{len}");
        }
    }

    #[test]
    fn what_there_is_no_memory_for_is_skipped_or_ends_the_link() {
        let _shortage = Shortage::above(1000);
        let skipped = Frame::Skipped { first: 0x32, len: 5000, id: Some(7), no_memory: true };
        let mut long = vec![0x32, 0x88, 0x27, 0, 1, b't', 0, 7];
        long.resize(3 + 5000, b'x');
        assert_eq!(push(&mut Framer::default(), &long), [skipped]);
        // As long as an update command may be.
        assert_eq!(Framer::default().push(&mut &[0x32, 0x80, 0x20][..]), Err(Broken::NoMemory));
        assert_eq!(push(&mut Framer::default(), &[0xd0, 0]), [pong()]);
    }

    #[test]
    fn impossible_lengths_are_malformed() {
        let malformed = |mut data: &[u8]| Framer::default().push(&mut data);
        let fifth = Err(Malformed("remaining length").into());
        assert_eq!(malformed(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]), fifth);
        assert_eq!(malformed(&[0x30, 0xff, 0xff, 0xff, 0x7f]), Err(Malformed("a length of more than 4 MB").into()));
        assert_eq!(malformed(&[0x30, 0x81, 0x80, 0x80, 0x02]), Err(Malformed("a length of more than 4 MB").into()));
        assert_eq!(malformed(&[0x30, 0x80, 0x80, 0x80, 0x02]), Ok(None), "4 MB are waited for");
    }

    #[test]
    fn the_first_packet_ends_where_its_length_says() {
        for len in [0, 127, 128, 16_383, 16_384, 300_000] {
            let mut packet = vec![0x30];
            let mut rest = len;
            while rest > 127 {
                packet.push(0x80 | (rest % 128) as u8);
                rest /= 128;
            }
            packet.push(rest as u8);
            packet.resize(packet.len() + len, 7);
            let whole = packet.len();
            assert_eq!(first_packet(&packet), whole);
            assert_eq!(first_packet(&packet[..whole - 1]), whole - 1);
            packet.extend([0xc0, 0]);
            assert_eq!(first_packet(&packet), whole);
        }
        for data in [&b""[..], b"\x30", b"\x30\x80", b"\x30\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(first_packet(data), data.len());
        }
        assert!(is_disconnect(b"\xe0\0") && !is_disconnect(b"\xd0\0") && !is_disconnect(b""));
    }
}
