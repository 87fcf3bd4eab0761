//! A connection to rustls as a server, over a wire in memory. Each test decides how the bytes are cut.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use iot_platform_posix::net::Interest;
use rustls::version::TLS12;
use rustls::{Error, ServerConnection, SupportedProtocolVersion};

#[cfg(not(feature = "tls-mbedtls"))]
use crate::cert;
#[cfg(feature = "tls-mbedtls")]
use crate::mbed::cert;
use crate::stack::{Failure, Stack, Step};
use crate::tests::{server_config, Ca, VERSIONS};

/// The longest record: its head, what it may carry, and what encryption may add to that (RFC 5246, 6.2.3).
const MAX_RECORD: usize = 5 + 16 * 1024 + 2048;

/// The client's socket.
#[derive(Default)]
struct Wire(Mutex<Ends>);

#[derive(Default)]
struct Ends {
    to_client: VecDeque<u8>,
    ended: bool,
    from_client: Vec<u8>,
    /// How often it took bytes.
    writes: usize,
    /// How many bytes it takes before it is full.
    room: Option<usize>,
    /// How many bytes it gives at once.
    piece: Option<usize>,
}

impl Read for &Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        assert!(!out.is_empty());
        let mut ends = self.0.lock().unwrap();
        if ends.to_client.is_empty() && !ends.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = out.len().min(ends.piece.unwrap_or(usize::MAX));
        ends.to_client.read(&mut out[..count])
    }
}

impl Write for &Wire {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut ends = self.0.lock().unwrap();
        let count = data.len().min(ends.room.unwrap_or(usize::MAX));
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        ends.from_client.extend(&data[..count]);
        ends.writes += 1;
        ends.room = ends.room.map(|room| room - count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both ends of a connection.
struct Pair {
    client: Box<dyn Stack>,
    wire: Arc<Wire>,
    server: ServerConnection,
}

impl Pair {
    /// Nothing said yet. The certificate also has `extra_names`.
    fn new(version: &'static SupportedProtocolVersion, extra_names: usize) -> Self {
        let ca = Ca::new();
        let names: Vec<String> = (0..extra_names).map(|i| format!("name{i:05}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).chain(["localhost"]).collect();
        let config = server_config(ca.issue(&names, false), None, &[version]);
        let mut server = ServerConnection::new(config).unwrap();
        // It can send any amount at once.
        server.set_buffer_limit(None);
        let wire = Arc::new(Wire::default());
        let config = cert::configure(ca.pem().as_bytes(), None).unwrap();
        let client = Box::new(cert::connect(config, Arc::clone(&wire), "localhost").unwrap());
        Self { client, wire, server }
    }

    /// After the handshake.
    fn connected(version: &'static SupportedProtocolVersion) -> Self {
        let mut pair = Self::new(version, 0);
        pair.shake_hands(usize::MAX).unwrap();
        pair
    }

    /// The server's bytes come `step` at a time.
    fn shake_hands(&mut self, step: usize) -> Result<(), Failure> {
        let mut coming = VecDeque::new();
        loop {
            if matches!(self.client.handshake()?, Step::Ready(())) {
                self.serve().unwrap();
                // Such as session tickets.
                coming.extend(self.sent());
                self.wire.0.lock().unwrap().to_client.extend(coming);
                return Ok(());
            }
            if coming.is_empty() {
                self.serve().unwrap();
                coming.extend(self.sent());
                assert!(!coming.is_empty(), "both sides wait");
            }
            let now = step.min(coming.len());
            self.wire.0.lock().unwrap().to_client.extend(coming.drain(..now));
        }
    }

    /// The server takes what the client sent. Returns the plain text of it.
    fn serve(&mut self) -> Result<Vec<u8>, Error> {
        let bytes = std::mem::take(&mut self.wire.0.lock().unwrap().from_client);
        let mut rest = bytes.as_slice();
        let mut plain = Vec::new();
        while !rest.is_empty() {
            self.server.read_tls(&mut rest).unwrap();
            self.server.process_new_packets()?;
            let _ = self.server.reader().read_to_end(&mut plain);
        }
        Ok(plain)
    }

    /// What the server has to send.
    fn sent(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// The server's bytes for `data`, in records of its usual size.
    fn encrypted(&mut self, data: &[u8]) -> Vec<u8> {
        self.server.writer().write_all(data).unwrap();
        self.sent()
    }

    fn deliver(&self, bytes: &[u8]) {
        self.wire.0.lock().unwrap().to_client.extend(bytes);
    }

    fn end(&self) {
        self.wire.0.lock().unwrap().ended = true;
    }

    fn make_room(&self, room: Option<usize>) {
        self.wire.0.lock().unwrap().room = room;
    }

    /// All that the client gets with buffers of `len` bytes until it waits, and how it ended if it did.
    fn read_all(&mut self, len: usize) -> (Vec<u8>, Option<Failure>) {
        let (mut got, mut out) = (Vec::new(), vec![0; len]);
        loop {
            match self.client.read(&mut out) {
                Ok(Step::Ready(count)) => {
                    assert_ne!(count, 0);
                    got.extend_from_slice(&out[..count]);
                }
                Ok(Step::Wait(_)) => return (got, None),
                Err(failure) => return (got, Some(failure)),
            }
        }
    }

    fn assert_closed(&mut self, expected: &[u8], len: usize) {
        let (got, end) = self.read_all(len);
        assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
        assert!(matches!(end, Some(Failure::Closed)), "{end:?}");
    }

    /// The client can send and the server understands.
    fn assert_writes(&mut self, data: &[u8]) {
        assert_eq!(self.client.write(data).unwrap(), data.len());
        assert!(self.client.flush().unwrap());
        assert_eq!(self.serve().unwrap(), data);
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn text(end: Option<Failure>) -> String {
    match end {
        Some(Failure::Error(cause) | Failure::Certificate(cause)) => cause.text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_may_be_cut_at_any_byte() {
    let data = pattern(40_000);
    for &version in VERSIONS {
        for step in [1, 2, 4, 5, 6, 1000, 16_405, 16_406, MAX_RECORD] {
            let mut pair = Pair::new(version, 0);
            pair.shake_hands(step).unwrap();
            let mut bytes = pair.encrypted(b"short");
            bytes.extend(pair.encrypted(&data));
            pair.server.send_close_notify();
            bytes.extend(pair.sent());
            let mut got = Vec::new();
            for piece in bytes.chunks(step) {
                pair.deliver(piece);
                got.extend(pair.read_all(9000).0);
            }
            assert!(got == [b"short", data.as_slice()].concat(), "{version:?}, {step}");
            pair.assert_closed(b"", 10);
        }
    }
}

#[test]
fn many_records_at_once_lose_nothing_whatever_the_buffer() {
    for &version in VERSIONS {
        for len in [1, 7, 5000, 16_383, 16_384, 16_385, 65_536] {
            let mut pair = Pair::connected(version);
            let (mut expected, mut bytes) = (Vec::new(), Vec::new());
            for size in [1, 16_384, 2, 100, 5000, 0, 30_000, 1, 1, 16_384] {
                expected.extend(pattern(size));
                bytes.extend(pair.encrypted(&pattern(size)));
            }
            pair.server.send_close_notify();
            bytes.extend(pair.sent());
            pair.deliver(&bytes);
            pair.assert_closed(&expected, len);
        }
    }
}

#[test]
fn data_that_comes_with_the_end_of_the_handshake_is_kept() {
    for &version in VERSIONS {
        let mut pair = Pair::new(version, 0);
        pair.server.writer().write_all(b"at once").unwrap();
        pair.shake_hands(usize::MAX).unwrap();
        assert_eq!(pair.read_all(3).0, b"at once");
    }
}

#[test]
fn what_comes_after_the_goodbye_is_ignored() {
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        let mut bytes = pair.encrypted(b"last");
        pair.server.send_close_notify();
        bytes.extend(pair.sent());
        bytes.extend(b"\x17\x03\x03\x00\x05junk!junk");
        pair.deliver(&bytes);
        pair.assert_closed(b"last", 100);
        pair.assert_writes(b"it may still listen");
        pair.assert_closed(b"", 100);
    }
}

#[test]
fn an_end_without_a_goodbye_is_an_end_after_all_that_came() {
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        let bytes = pair.encrypted(&pattern(20_000));
        pair.deliver(&bytes[..bytes.len() - 1]);
        pair.end();
        pair.assert_closed(&pattern(16_384), 1000);
    }
}

#[test]
fn our_goodbye_reaches_the_server() {
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        pair.client.close();
        let bytes = std::mem::take(&mut pair.wire.0.lock().unwrap().from_client);
        pair.server.read_tls(&mut bytes.as_slice()).unwrap();
        assert!(pair.server.process_new_packets().unwrap().peer_has_closed(), "{version:?}");
        // Twice is once.
        pair.client.close();
        assert!(pair.wire.0.lock().unwrap().from_client.is_empty());
    }
}

#[test]
fn a_socket_that_takes_a_few_bytes_at_a_time_gets_each_once() {
    let data = pattern(16_000);
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        for room in [0, 1, 1000] {
            pair.make_room(Some(room));
            assert_eq!(pair.client.write(&data).unwrap(), data.len());
            let mut rounds = 0;
            while !pair.client.flush().unwrap() {
                pair.make_room(Some(1000));
                rounds += 1;
            }
            assert!(rounds > 10, "{rounds}");
            assert!(pair.serve().unwrap() == data);
        }
        pair.make_room(Some(0));
        pair.client.write(b"12345").unwrap();
        let bytes = pair.encrypted(b"x");
        pair.deliver(&bytes);
        let mut out = [0; 10];
        assert!(matches!(pair.client.read(&mut out), Ok(Step::Ready(1))));
        assert!(matches!(pair.client.read(&mut out), Ok(Step::Wait(Interest::Both))), "something is unsent");
        pair.make_room(None);
        assert!(matches!(pair.client.read(&mut out), Ok(Step::Wait(Interest::Readable))), "a read sends it");
        assert_eq!(pair.serve().unwrap(), b"12345");
    }
}

#[test]
fn what_is_said_between_two_answers_goes_out_at_once() {
    for &version in VERSIONS {
        let pair = Pair::connected(version);
        // What it offers, and what follows the server's choice.
        assert_eq!(pair.wire.0.lock().unwrap().writes, 2, "{version:?}");
    }
}

#[test]
fn a_handshake_goes_on_where_the_socket_takes_a_few_bytes_at_a_time() {
    for &version in VERSIONS {
        let mut pair = Pair::new(version, 0);
        let mut stalls = 0;
        loop {
            pair.make_room(Some(50));
            match pair.client.handshake().unwrap() {
                Step::Ready(()) => break,
                Step::Wait(Interest::Readable) => {
                    pair.serve().unwrap();
                    let bytes = pair.sent();
                    pair.deliver(&bytes);
                }
                Step::Wait(_) => stalls += 1,
            }
        }
        assert!(stalls > 2, "{stalls}");
        pair.make_room(None);
        pair.assert_writes(b"after that");
    }
}

#[test]
fn a_write_loses_nothing_that_has_been_received() {
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        let bytes = [pair.encrypted(&pattern(9000)), pair.encrypted(b"second"), pair.encrypted(b"third")].concat();
        pair.deliver(&bytes);
        let mut out = [0; 1000];
        assert!(matches!(pair.client.read(&mut out), Ok(Step::Ready(1000))));
        pair.assert_writes(b"in between");
        pair.assert_writes(&pattern(16_000));
        let (rest, end) = pair.read_all(5000);
        assert!(end.is_none());
        assert!(rest == [&pattern(9000)[1000..], b"second", b"third"].concat());
    }
}

#[test]
fn session_tickets_are_no_data() {
    let mut pair = Pair::connected(VERSIONS.last().unwrap());
    // Our mbedTLS does not ask for any, the system's may.
    let has_some = !pair.wire.0.lock().unwrap().to_client.is_empty();
    assert!(has_some == cfg!(not(feature = "tls-mbedtls")) || cfg!(feature = "tls-system"));
    assert!(matches!(pair.read_all(100), (got, None) if got.is_empty()));
    assert!(pair.wire.0.lock().unwrap().to_client.is_empty());
}

#[test]
fn a_server_that_never_stops_does_not_keep_a_read_from_returning() {
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        pair.read_all(10);
        // No data until the last byte of the record is there.
        let bytes = pair.encrypted(&pattern(10_000));
        pair.deliver(&bytes);
        pair.wire.0.lock().unwrap().piece = Some(100);
        let mut out = [0; 10_000];
        assert!(matches!(pair.client.read(&mut out), Ok(Step::Wait(_))));
        let mut waits = 0;
        let count = loop {
            match pair.client.read(&mut out).unwrap() {
                Step::Ready(count) => break count,
                Step::Wait(_) => waits += 1,
            }
            assert!(waits < bytes.len());
        };
        assert!(out[..count] == pattern(10_000));
    }
}

#[cfg(not(feature = "tls-mbedtls"))] // which has no such thing
#[test]
fn keys_may_be_renewed_at_any_time() {
    let mut pair = Pair::connected(&rustls::version::TLS13);
    pair.read_all(10);
    for round in 0..3 {
        let (mut got, mut bytes) = (Vec::new(), pair.encrypted(b"before"));
        pair.server.refresh_traffic_keys().unwrap();
        bytes.extend(pair.encrypted(b", after"));
        for piece in bytes.chunks(if round == 0 { 1 } else { 1000 }) {
            pair.deliver(piece);
            let (now, end) = pair.read_all(4);
            assert!(end.is_none(), "{end:?}");
            got.extend(now);
        }
        assert_eq!(got, b"before, after");
        // The server asked the client to do the same.
        pair.assert_writes(b"with the next keys");
    }
}

#[test]
fn a_damaged_record_ends_it_after_what_came_before_and_the_server_learns_why() {
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        let good = pair.encrypted(b"good");
        let mut bad = pair.encrypted(b"bad");
        *bad.last_mut().unwrap() ^= 1;
        pair.deliver(&[good, bad, b"\x17\x03\x03\x00\x01x".to_vec()].concat());
        let (got, end) = pair.read_all(100);
        assert_eq!((got.as_slice(), text(end).as_str()), (b"good".as_slice(), "received data can't be decrypted"));
        // Whoever asks again hears the same.
        assert_eq!(text(pair.read_all(100).1), "received data can't be decrypted");
        assert_eq!(text(pair.client.write(b"x").err()), "received data can't be decrypted");
        pair.client.close();
        assert_eq!(pair.serve().unwrap_err(), Error::AlertReceived(rustls::AlertDescription::BadRecordMac));
    }
}

#[test]
fn bytes_that_are_no_tls_end_it_and_the_server_learns_why() {
    let mut pair = Pair::new(VERSIONS.last().unwrap(), 0);
    assert!(matches!(pair.client.handshake(), Ok(Step::Wait(_))));
    pair.wire.0.lock().unwrap().from_client.clear();
    pair.deliver(b"220 mail.example ESMTP\r\n");
    assert!(text(pair.client.handshake().err()).contains("does not speak TLS"));
    // One alert: fatal, and what is wrong.
    assert_eq!(pair.wire.0.lock().unwrap().from_client, [21, 3, 3, 0, 2, 2, 50]);
}

#[test]
fn a_fatal_alert_is_told_after_what_came_before() {
    for &version in VERSIONS {
        let mut pair = Pair::connected(version);
        let mut bytes = pair.encrypted(b"good");
        pair.server.read_tls(&mut b"\x17\x03\x03\x00\x1fsomething that is not encrypted".as_slice()).unwrap();
        pair.server.process_new_packets().unwrap_err();
        bytes.extend(pair.sent());
        pair.deliver(&bytes);
        let (got, end) = pair.read_all(2);
        assert_eq!(got, b"good");
        assert_eq!(text(end), "the server gave up (alert 20)");
        assert_eq!(text(pair.read_all(2).1), "the server gave up (alert 20)");
    }
}

#[cfg(not(feature = "tls-mbedtls"))]
#[test]
fn a_certificate_longer_than_a_record_is_taken() {
    for &version in VERSIONS {
        for step in [100, usize::MAX] {
            let mut pair = Pair::new(version, 1700);
            pair.shake_hands(step).unwrap();
            let bytes = pair.encrypted(&pattern(30_000));
            pair.deliver(&bytes);
            assert!(pair.read_all(5000).0 == pattern(30_000));
        }
    }
}

#[test]
fn a_handshake_message_without_end_is_refused() {
    let mut pair = Pair::new(&TLS12, 0);
    // A ServerHello of 65,520 bytes in records of 100: with their heads it is more than what is kept.
    pair.deliver(&[22, 3, 3, 0, 4, 2, 0, 0xFF, 0xF0]);
    let record = [[22, 3, 3, 0, 100].as_slice(), &[7; 100]].concat();
    for _ in 0..650 {
        pair.deliver(&record);
    }
    // It may take a part at a time.
    let error = (0..100).find_map(|_| pair.client.handshake().err());
    let text = text(error);
    let limit = if cfg!(feature = "tls-mbedtls") { 16_384 } else { 65_536 };
    assert_eq!(text, format!("the server sent a handshake message of more than {limit} bytes"));
}

#[cfg(feature = "tls-mbedtls")]
#[test]
fn a_certificate_longer_than_a_record_is_refused() {
    for &version in VERSIONS {
        let error = Pair::new(version, 1700).shake_hands(100).err();
        assert_eq!(text(error), "the server sent a handshake message of more than 16384 bytes");
    }
}
