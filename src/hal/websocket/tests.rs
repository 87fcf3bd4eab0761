//! Against servers in memory, whose clock is the test's.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use iot_engine::websocket::handshake;

use super::*;
use crate::hal::interface::Made;
use crate::hal::Endpoint;

/// A server in memory, and the platform of the machine beside it.
#[derive(Default)]
struct World {
    ms: AtomicU64,
    random: AtomicU64,
    /// What comes, each part as one segment.
    to_device: std::sync::Mutex<VecDeque<Vec<u8>>>,
    /// What the device has written.
    from_device: std::sync::Mutex<Vec<u8>>,
    /// Most bytes that one write takes.
    window: AtomicU64,
    is_closed: std::sync::atomic::AtomicBool,
}

impl World {
    fn new() -> Arc<World> {
        let world = World::default();
        world.window.store(u64::MAX, Ordering::Relaxed);
        Arc::new(world)
    }

    fn send(&self, bytes: &[u8]) {
        self.to_device.lock().unwrap().push_back(bytes.to_vec());
    }

    fn written(&self) -> Vec<u8> {
        std::mem::take(&mut self.from_device.lock().unwrap())
    }

    fn ms(&self) -> u64 {
        self.ms.load(Ordering::Relaxed)
    }

    fn pass(&self, ms: u32) {
        self.ms.fetch_add(u64::from(ms), Ordering::Relaxed);
    }
}

struct There(Arc<World>);

impl Platform for There {
    fn now(&self) -> Millis {
        Millis(self.0.ms())
    }

    fn sleep(&self, ms: u32) {
        self.0.pass(ms);
    }

    fn connect(&self, _: &Endpoint) -> Connected {
        Ok(Arc::new(There(Arc::clone(&self.0))))
    }

    fn random(&self) -> u64 {
        self.0.random.fetch_add(0x0123_4567_89ab_cdef, Ordering::Relaxed)
    }
}

impl Transport for There {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let mut coming = self.0.to_device.lock().unwrap();
        let Some(segment) = coming.front_mut() else {
            if self.0.is_closed.load(Ordering::Relaxed) {
                return Err(TransportError::Closed(-608));
            }
            self.0.pass(timeout_ms);
            return Ok(0);
        };
        let count = segment.len().min(buf.len());
        buf[..count].copy_from_slice(&segment[..count]);
        segment.drain(..count);
        if segment.is_empty() {
            coming.pop_front();
        }
        Ok(count)
    }

    fn read_or_wake(&self, buf: &mut [u8], timeout_ms: u32) -> Option<Result<usize, TransportError>> {
        Some(self.read(buf, timeout_ms))
    }

    fn write(&self, data: &[u8], timeout_ms: u32) -> Result<usize, TransportError> {
        let window = usize::try_from(self.0.window.load(Ordering::Relaxed)).unwrap();
        let count = data.len().min(window);
        if count == 0 {
            self.0.pass(timeout_ms);
        }
        self.0.from_device.lock().unwrap().extend_from_slice(&data[..count]);
        Ok(count)
    }
}

fn upgrade(world: &Arc<World>) -> Upgrade {
    let target = Target { host: "h".to_owned(), port: 80, path: "/".to_owned(), protocol: "mqtt".to_owned() };
    let connected: Connected = Ok(Arc::new(There(Arc::clone(world))));
    Upgrade::new(Arc::new(There(Arc::clone(world))), target, Carries::Mqtt, Box::new(Made(Some(connected))))
}

/// What comes of the attempt once the server has sent `answer`, which is made of the key.
fn answered(world: &Arc<World>, answer: impl FnOnce(&str) -> Vec<u8>) -> Connected {
    let mut upgrade = upgrade(world);
    assert!(upgrade.outcome(100).is_none());
    let request = String::from_utf8(world.written()).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    world.send(&answer(key));
    let outcome = upgrade.outcome(100).unwrap();
    assert!(upgrade.outcome(100).is_none(), "it is told once");
    outcome
}

fn right(key: &str) -> Vec<u8> {
    format!("HTTP/1.1 101 x\r\nsec-websocket-accept: {}\r\n\r\n", handshake::accept(key)).into_bytes()
}

fn upgraded(world: &Arc<World>) -> Arc<dyn Transport> {
    answered(world, right).ok().unwrap()
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

/// First bytes and payloads of what the device has written: short frames only.
fn frames(mut wire: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = wire {
        let (len, rest) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            len => (usize::from(len), rest),
        };
        let (mask, rest) = rest.split_at(4);
        frames.push((*first, rest[..len].iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect()));
        wire = &rest[len..];
    }
    frames
}

/// All that is there to read, and how it ended.
fn all(stream: &Arc<dyn Transport>) -> (Vec<u8>, Option<TransportError>) {
    let mut data = Vec::new();
    loop {
        let mut buf = [0; 5];
        match stream.read(&mut buf, 10) {
            Ok(0) => return (data, None),
            Ok(count) => data.extend_from_slice(&buf[..count]),
            Err(error) => return (data, Some(error)),
        }
    }
}

#[test]
fn each_packet_goes_into_a_frame_of_its_own_and_disconnect_is_followed_by_close() {
    let publish = |len: usize| [&[0x30, 0x80 | (len % 128) as u8, (len / 128) as u8][..], &vec![7; len]].concat();
    let packets = [vec![0xc0, 0], publish(10_000), publish(130), vec![0xe0, 0]];
    for window in [u64::MAX, 1, 3, 1000] {
        let world = World::new();
        let stream = upgraded(&world);
        world.window.store(window, Ordering::Relaxed);
        let data = packets.concat();
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            rest = &rest[stream.write(rest, 1000).unwrap()..];
        }
        // What is left of the CLOSE goes out with the next look.
        stream.read(&mut [0], 0).unwrap();
        let sent = frames(&world.written());
        let expected: Vec<_> = packets.iter().map(|packet| (0x82, packet.clone())).collect();
        assert_eq!(sent[..4], expected[..], "{window}");
        assert_eq!(sent[4..], [(0x88, vec![0x03, 0xe8])], "{window}");
        assert!(matches!(stream.write(b"\xc0\0", 10), Err(TransportError::Closed(_))));
    }
}

#[test]
fn a_server_that_takes_nothing_takes_nothing() {
    let world = World::new();
    let stream = upgraded(&world);
    world.window.store(0, Ordering::Relaxed);
    let before = world.ms();
    assert_eq!(stream.write(b"\xc0\0", 70), Ok(0));
    assert_eq!(world.ms() - before, 70);
}

#[test]
fn data_comes_whatever_carries_it_and_right_behind_the_answer() {
    let world = World::new();
    let begun = |key: &str| [right(key), frame(0x82, b"at once"), vec![0x82]].concat();
    let stream = answered(&world, begun).ok().unwrap();
    for part in [&b"\x04 and"[..], &frame(0x01, b" in"), &frame(0x89, b"?"), &frame(0x80, b" parts")] {
        world.send(part);
    }
    world.send(&[frame(0x82, b", two"), frame(0x81, b" in one")].concat());
    assert_eq!(all(&stream), (b"at once and in parts, two in one".to_vec(), None));
    assert_eq!(frames(&world.written()), [(0x8a, b"?".to_vec())]);
}

#[test]
fn a_ping_is_answered_between_two_packets() {
    let world = World::new();
    let stream = upgraded(&world);
    world.window.store(7, Ordering::Relaxed);
    assert_eq!(stream.write(b"\x30\x04\0\x01tx", 10), Ok(1));
    world.send(&frame(0x89, b"are you there"));
    assert_eq!(all(&stream), (Vec::new(), None));
    world.window.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(stream.write(b"\x04\0\x01tx\xc0\0", 10), Ok(5));
    assert_eq!(stream.write(b"\xc0\0", 10), Ok(2));
    let expected = [(0x82, b"\x30\x04\0\x01tx".to_vec()), (0x8a, b"are you there".to_vec()), (0x82, vec![0xc0, 0])];
    assert_eq!(frames(&world.written()), expected);
}

#[test]
fn a_close_comes_after_the_data_and_is_answered_with_its_code() {
    for (reason, answer) in [(&b""[..], &b""[..]), (b"\x03\xf4see you", b"\x03\xf4")] {
        let world = World::new();
        let stream = upgraded(&world);
        world.send(&[frame(0x82, b"last"), frame(0x88, reason), frame(0x82, b"too late")].concat());
        let (data, error) = all(&stream);
        assert_eq!((&data[..], error), (&b"last"[..], Some(TransportError::Closed(QCLOUD_ERR_TCP_PEER_SHUTDOWN))));
        assert_eq!(frames(&world.written()), [(0x88, answer.to_vec())]);
        assert!(stream.write(b"\xc0\0", 10).is_err());
    }
}

#[test]
fn a_malformed_frame_ends_it_after_the_data_and_the_server_learns_of_it() {
    let world = World::new();
    let stream = upgraded(&world);
    world.send(&[frame(0x82, b"last"), vec![0x83, 0]].concat());
    let (data, error) = all(&stream);
    assert_eq!((&data[..], error), (&b"last"[..], Some(TransportError::Failed(QCLOUD_ERR_TCP_READ_FAIL))));
    assert_eq!(frames(&world.written()), [(0x88, vec![0x03, 0xea])]);
}

#[test]
fn frames_without_data_do_not_hold_a_reader() {
    let world = World::new();
    let stream = upgraded(&world);
    world.send(&frame(0x82, b"").repeat(1000));
    assert_eq!(stream.read(&mut [0; 5], 60_000), Ok(0));
    assert_eq!(world.to_device.lock().unwrap().len(), 1, "it has not read on");
}

#[test]
fn a_rest_is_a_read_and_short_while_an_answer_waits() {
    let world = World::new();
    let stream = upgraded(&world);
    let mut buf = [0; 5];
    world.send(&frame(0x82, b"abc"));
    assert_eq!(stream.read_or_wake(&mut buf, 100_000), Some(Ok(3)));
    let before = world.ms();
    assert_eq!(stream.read_or_wake(&mut buf, 100_000), Some(Ok(0)));
    assert_eq!(world.ms() - before, 100_000);
    world.window.store(0, Ordering::Relaxed);
    world.send(&frame(0x89, b"?"));
    assert_eq!(stream.read_or_wake(&mut buf, 100), Some(Ok(0)));
    let before = world.ms();
    assert_eq!(stream.read_or_wake(&mut buf, 100_000), Some(Ok(0)));
    assert!(world.ms() - before < 1000);
    world.window.store(u64::MAX, Ordering::Relaxed);
    stream.wake();
    assert_eq!(stream.read_or_wake(&mut buf, 100), Some(Ok(0)));
    assert_eq!(frames(&world.written()), [(0x8a, b"?".to_vec())]);
}

#[test]
fn a_server_that_refuses_is_named() {
    for (answer, why) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "it answered 403, not 101"),
        (
            "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "the Sec-WebSocket-Accept of its answer is missing or wrong",
        ),
    ] {
        let error = answered(&World::new(), |_| answer.as_bytes().to_vec()).err().unwrap();
        assert_eq!((error.code, error.cause), (-1, format!("the server refuses WebSocket: {why}")));
    }
}

#[test]
fn a_server_that_does_not_answer_has_ten_seconds() {
    let world = World::new();
    let mut upgrade = upgrade(&world);
    let error = loop {
        if let Some(outcome) = upgrade.outcome(300) {
            break outcome.err().unwrap();
        }
    };
    assert_eq!(error.cause, "the server refuses WebSocket: it gave no answer in 10 s");
    assert_eq!(world.ms(), 10_000);
}

#[test]
fn an_end_instead_of_an_answer_is_told() {
    let world = World::new();
    world.is_closed.store(true, Ordering::Relaxed);
    let error = upgrade(&world).outcome(100).unwrap().err().unwrap();
    let end = "connection closed by the peer (-608)";
    assert_eq!(error.cause, format!("the connection ended before the answer to the WebSocket request: {end}"));
    assert_eq!(error.code, -608);
}

#[test]
fn an_attempt_that_fails_before_is_told_as_it_is() {
    let world = World::new();
    let refused = ConnectError::unexplained(-703);
    let mut upgrade = upgrade(&world);
    upgrade.stage = Stage::Connecting(Box::new(Made(Some(Err(refused.clone())))));
    assert_eq!(upgrade.outcome(100).unwrap().err(), Some(refused));
    assert!(upgrade.outcome(100).is_none());
}
