//! Against the server side of another implementation, and byte for byte.

use proptest::collection::vec;
use proptest::prelude::*;
use tungstenite::protocol::frame::coding::{CloseCode, Control as TheirControl, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

use super::*;

/// A frame as a server sends it.
fn frame(opcode: OpCode, payload: &[u8], is_last: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = FrameHeader { is_final: is_last, opcode, ..FrameHeader::default() };
    Frame::from_payload(header, payload.to_vec().into()).format(&mut bytes).unwrap();
    bytes
}

fn binary(payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Data(Data::Binary), payload, true)
}

/// Everything that a receiver has after `bytes`, pushed in pieces of at most `step`, or as many as it wants.
fn received(bytes: &[u8], step: Option<usize>) -> (Receiver, Result<Vec<u8>, Malformed>) {
    let mut receiver = Receiver::default();
    let (mut rest, mut data) = (bytes, Vec::new());
    while !rest.is_empty() {
        assert!((1..=MAX_READ).contains(&receiver.wanted()));
        let (now, later) = rest.split_at(step.unwrap_or_else(|| receiver.wanted()).min(rest.len()));
        rest = later;
        if let Err(error) = receiver.push(now) {
            return (receiver, Err(error));
        }
        let mut piece = [0; 100];
        while receiver.has_data() {
            let count = receiver.take(&mut piece);
            data.extend_from_slice(&piece[..count]);
        }
    }
    (receiver, Ok(data))
}

/// What goes out for `messages` when each write takes at most `step` bytes.
fn sent(sender: &mut Sender, messages: &[&[u8]], step: usize) -> Vec<u8> {
    let (mut out, mut wire) = (Vec::new(), Vec::new());
    let mut random = 0x0102_0304_u64;
    for message in messages {
        let mut rest = *message;
        loop {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            sender.next(rest, random, &mut out);
            assert!(out.len() <= MAX_PIECE);
            let count = out.len().min(step);
            if count == 0 {
                break;
            }
            wire.extend_from_slice(&out[..count]);
            rest = &rest[sender.sent(count)..];
        }
        assert!(rest.is_empty());
    }
    wire
}

/// The frames of a client, unmasked, and their masks.
fn frames(mut wire: &[u8]) -> Vec<(u8, Vec<u8>, [u8; 4])> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = wire {
        assert_eq!(second & 0x80, 0x80, "not masked");
        let (len, rest) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            len => (usize::from(len), rest),
        };
        let mask: [u8; 4] = rest[..4].try_into().unwrap();
        let payload = rest[4..4 + len].iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
        frames.push((*first, payload, mask));
        wire = &rest[4 + len..];
    }
    frames
}

fn control(payload: &[u8]) -> Control {
    let mut control = Control::default();
    control.push(payload);
    control
}

#[test]
fn data_comes_as_one_stream_whatever_carries_it() {
    let parts: &[(OpCode, &[u8], bool)] = &[
        (OpCode::Data(Data::Binary), b"one", true),
        (OpCode::Data(Data::Text), b"two", true),
        (OpCode::Data(Data::Binary), b"", true),
        (OpCode::Data(Data::Text), b"thr", false),
        (OpCode::Control(TheirControl::Ping), b"between", true),
        (OpCode::Data(Data::Continue), b"", false),
        (OpCode::Control(TheirControl::Pong), b"nobody asked", true),
        (OpCode::Data(Data::Continue), b"ee", true),
    ];
    let wire: Vec<u8> = parts.iter().flat_map(|(opcode, payload, is_last)| frame(*opcode, payload, *is_last)).collect();
    for step in [None, Some(1), Some(2), Some(7), Some(1000)] {
        let (mut receiver, data) = received(&wire, step);
        assert_eq!(data.unwrap(), b"onetwothree", "{step:?}");
        assert_eq!(receiver.take_ping().unwrap().as_slice(), b"between");
        assert_eq!(receiver.take_ping(), None);
        assert_eq!(receiver.closed(), None);
    }
}

#[test]
fn frames_have_heads_of_three_lengths() {
    for len in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
        let payload: Vec<u8> = (0..len).map(|at: usize| (at % 251) as u8).collect();
        assert_eq!(received(&binary(&payload), None).1.unwrap(), payload, "{len}");
        // A small one makes a piece anew for each byte.
        for step in [if len < 1000 { 1 } else { 3000 }, 5000, usize::MAX] {
            let wire = sent(&mut Sender::default(), &[&payload], step);
            let frames = frames(&wire);
            if len == 0 {
                assert!(frames.is_empty());
                continue;
            }
            let [(first, unmasked, mask)] = frames.as_slice() else { panic!("{} frames", frames.len()) };
            assert_eq!((*first, unmasked), (0x82, &payload), "{len} by {step}");
            assert_ne!(*mask, [0; 4]);
        }
    }
}

#[test]
fn it_asks_for_what_is_known_to_come() {
    let mut receiver = Receiver::default();
    assert_eq!(receiver.wanted(), 2);
    receiver.push(&[0x82]).unwrap();
    assert_eq!(receiver.wanted(), 1);
    receiver.push(&[126]).unwrap();
    assert_eq!(receiver.wanted(), 2);
    receiver.push(&[0, 200]).unwrap();
    assert_eq!(receiver.wanted(), 200);
    receiver.push(&[7; 150]).unwrap();
    assert_eq!(receiver.wanted(), 50);
    receiver.push(&[7; 50]).unwrap();
    receiver.push(&[0x89, 3, 1]).unwrap();
    assert_eq!(receiver.wanted(), 2);
    receiver.push(&[2, 3, 0x82, 127]).unwrap();
    assert_eq!(receiver.wanted(), 8);
    receiver.push(&[0, 0, 0, 0, 0, 1, 0, 0]).unwrap();
    assert_eq!(receiver.wanted(), MAX_READ);
}

#[test]
fn what_is_no_frame_is_named() {
    let binary_begun = frame(OpCode::Data(Data::Binary), b"x", false);
    for (wire, why) in [
        (vec![0xC2, 0], "it uses an extension"),
        (vec![0x82, 0x81, 1, 2, 3, 4, 5], "a server's frame is masked"),
        (vec![0x83, 0], "it is of an unknown kind"),
        (vec![0x8B, 0], "it is of an unknown kind"),
        (vec![0x80, 1, 1], "it goes on with no message"),
        ([&binary_begun[..], &binary(b"y")].concat(), "a message begins within another one"),
        (vec![0x09, 0], "a control frame is in parts or too long"),
        (vec![0x89, 126, 0, 126], "a control frame is in parts or too long"),
        (vec![0x88, 1, 3], "half a reason to close"),
        (vec![0x82, 126, 0, 125], "its length is none"),
        (vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "its length is none"),
        (vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], "its length is none"),
    ] {
        for step in [None, Some(1), Some(100)] {
            let error = received(&wire, step).1.unwrap_err();
            assert_eq!(error, Malformed(why), "{wire:x?}");
        }
    }
    assert_eq!(Malformed("why").to_string(), "malformed WebSocket frame: why");
}

#[test]
fn what_came_before_a_malformed_frame_counts() {
    let mut receiver = Receiver::default();
    receiver.push(&[&binary(b"good")[..], &[0x83, 0]].concat()).unwrap_err();
    let mut out = [0; 10];
    assert_eq!(receiver.take(&mut out), 4);
    assert_eq!(&out[..4], b"good");
}

#[test]
fn nothing_counts_after_a_close() {
    for (reason, code) in [
        (None, None),
        (Some(CloseFrame { code: CloseCode::Away, reason: "".into() }), Some(1001)),
        (Some(CloseFrame { code: CloseCode::Restart, reason: "see you".into() }), Some(1012)),
    ] {
        let mut wire = binary(b"last");
        Frame::close(reason).format(&mut wire).unwrap();
        wire.extend(binary(b"too late"));
        wire.extend([0xff; 20]);
        for step in [Some(1), Some(1000)] {
            let (receiver, data) = received(&wire, step);
            assert_eq!(data.unwrap(), b"last");
            assert_eq!(receiver.closed().unwrap().code(), code);
        }
    }
}

#[test]
fn only_the_last_ping_is_kept() {
    let wire = [frame(OpCode::Control(TheirControl::Ping), b"a", true), vec![0x89, 0]].concat();
    let mut receiver = received(&wire, None).0;
    assert_eq!(receiver.take_ping(), Some(Control::default()));
    let wire = frame(OpCode::Control(TheirControl::Ping), &[9; 125], true);
    assert_eq!(received(&wire, Some(50)).0.take_ping().unwrap().as_slice(), [9; 125]);
}

#[test]
fn answers_go_out_between_messages() {
    for step in [1, 4, 1000] {
        let mut sender = Sender::default();
        let (mut out, mut wire) = (Vec::new(), Vec::new());
        let mut rest: &[u8] = b"a message";
        // The message has begun when the PING comes.
        sender.next(rest, 1, &mut out);
        wire.extend_from_slice(&out[..7]);
        rest = &rest[sender.sent(7)..];
        assert!(!sender.is_between_messages() && !sender.has_control());
        sender.pong(control(b"ping"));
        sender.close(Control::reason(status::NORMAL));
        sender.close(Control::reason(status::PROTOCOL_ERROR));
        assert!(sender.has_control());
        wire.extend(sent(&mut sender, &[rest, b""], step));
        assert!(sender.is_between_messages() && !sender.has_control());
        // After a CLOSE nothing goes out but what answers.
        assert!(sent(&mut sender, &[b""], step).is_empty());
        sender.next(b"too late", 1, &mut out);
        assert!(out.is_empty());
        let frames = frames(&wire);
        let plain: Vec<_> = frames.iter().map(|(first, payload, _)| (*first, payload.as_slice())).collect();
        assert_eq!(plain, [(0x82, &b"a message"[..]), (0x8A, b"ping"), (0x88, &[0x03, 0xE8])], "{step}");
    }
}

#[test]
fn what_is_left_of_an_answer_goes_first() {
    let mut sender = Sender::default();
    let mut out = Vec::new();
    sender.pong(control(b"x"));
    sender.next(b"message", 0, &mut out);
    assert_eq!(out, [0x8A, 0x81, 0, 0, 0, 0, b'x']);
    assert_eq!(sender.sent(3), 0);
    assert!(sender.has_control());
    sender.next(b"message", 1, &mut out);
    assert_eq!(out, [0, 0, 0, b'x']);
    assert_eq!(sender.sent(4), 0);
    sender.next(b"message", 0x0403_0201, &mut out);
    assert_eq!(out[..8], [0x82, 0x87, 1, 2, 3, 4, b'm' ^ 1, b'e' ^ 2]);
}

mod shaking_hands {
    use super::super::handshake::*;

    /// The key of RFC 6455 section 1.3, which answers `s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`.
    const RANDOM: [u64; 2] = [u64::from_be_bytes(*b"the samp"), u64::from_be_bytes(*b"le nonce")];
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn begin(host: &str) -> (Handshake, String) {
        let (host, path, protocol) = (host.to_owned(), "/".to_owned(), "mqtt".to_owned());
        let (handshake, request) = Handshake::begin(&Target { host, port: 80, path, protocol }, RANDOM);
        (handshake, String::from_utf8(request).unwrap())
    }

    fn answered(answer: &str) -> Result<Option<Vec<u8>>, Refused> {
        begin("h").0.received(answer.as_bytes())
    }

    #[test]
    fn the_request_is_the_c_sdks() {
        let host = "PRODUCTID0.ap-guangzhou.iothub.tencentdevices.com";
        let expected = format!(
            "GET / HTTP/1.1\r\nHost: {host}:80\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-Websocket-Protocol: \
             mqtt\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        assert_eq!(begin(host).1, expected);
        assert!(begin("::1").1.contains("Host: [::1]:80\r\n"));
    }

    #[test]
    fn bytes_behind_the_head_are_kept_wherever_it_was_cut() {
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nCONNECTION: upgrade\r\n{}\
             sec-websocket-protocol: mqtt\r\nSec-WebSocket-Extensions:\r\n\r\n",
            ACCEPT.replace("Sec-WebSocket-Accept", "sec-websocket-accept")
        );
        let bytes = [answer.as_bytes(), b"\x82\x01\r\n\r\n"].concat();
        assert_eq!(begin("h").0.received(&bytes), Ok(Some(b"\x82\x01\r\n\r\n".to_vec())));
        for cut in 0..answer.len() {
            let mut handshake = begin("h").0;
            assert_eq!(handshake.received(&bytes[..cut]), Ok(None), "{cut}");
            assert_eq!(handshake.received(&bytes[cut..]), Ok(Some(b"\x82\x01\r\n\r\n".to_vec())), "{cut}");
        }
    }

    #[test]
    fn only_an_answer_that_is_right_counts() {
        for (status, lines, why) in [
            ("200 OK", ACCEPT, "it answered 200, not 101"),
            ("403 Forbidden", "", "it answered 403, not 101"),
            ("101 x", "", "the Sec-WebSocket-Accept of its answer is missing or wrong"),
            (
                "101 x",
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n",
                "the Sec-WebSocket-Accept of its answer is missing or wrong",
            ),
            ("101 x", &format!("{ACCEPT}Sec-WebSocket-Protocol: chat\r\n"), "it speaks another protocol"),
            (
                "101 x",
                &format!("{ACCEPT}Sec-WebSocket-Extensions: permessage-deflate\r\n"),
                "it uses an extension that was not asked for",
            ),
        ] {
            let refused = answered(&format!("HTTP/1.1 {status}\r\n{lines}\r\n")).unwrap_err();
            assert_eq!(refused.to_string(), why);
        }
        assert_eq!(answered(&format!("HTTP/1.1 101 x\r\n{ACCEPT}\r\n")), Ok(Some(Vec::new())));
        assert_eq!(
            answered("220 mail\r\n\r\n").unwrap_err().to_string(),
            "it does not begin with HTTP/1.1 or HTTP/1.0"
        );
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let mut handshake = begin("h").0;
        let first = format!("HTTP/1.1 101 x\r\n{ACCEPT}X: ");
        assert_eq!(handshake.received(first.as_bytes()), Ok(None));
        let rest = vec![b'x'; MAX_HEAD - first.len() - 1];
        assert_eq!(handshake.received(&rest), Ok(None));
        assert_eq!(
            handshake.received(b"x").unwrap_err().to_string(),
            "the head of its answer has more than 8192 bytes"
        );
        // The same with its end in.
        let long = format!("{first}{}\r\n\r\n", "x".repeat(MAX_HEAD));
        assert_eq!(answered(&long), Err(Refused::Long));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cuts_give_the_same_stream(payloads in vec(vec(any::<u8>(), 0..300), 1..8), cuts in vec(1_usize..400, 1..8)) {
        let wire: Vec<u8> = payloads.iter().flat_map(|payload| binary(payload)).collect();
        let expected = payloads.concat();
        for step in cuts {
            prop_assert_eq!(&received(&wire, Some(step)).1.unwrap(), &expected);
        }
        prop_assert_eq!(&received(&wire, None).1.unwrap(), &expected);
    }

    #[test]
    fn any_bytes_end_alike_in_any_cuts(wire in vec(any::<u8>(), 0..200), step in 1_usize..50) {
        let ((whole, all), (cut, pieces)) = (received(&wire, Some(usize::MAX)), received(&wire, Some(step)));
        prop_assert_eq!(all.is_ok(), pieces.is_ok());
        prop_assert_eq!(all.err(), pieces.err());
        prop_assert_eq!(whole.closed(), cut.closed());
    }

    #[test]
    fn a_server_of_another_implementation_reads_what_goes_out(
        messages in vec(vec(any::<u8>(), 1..150), 1..4), step in 1_usize..200
    ) {
        let given: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let wire = sent(&mut Sender::default(), &given, step);
        let role = tungstenite::protocol::Role::Server;
        let mut server = tungstenite::WebSocket::from_raw_socket(std::io::Cursor::new(wire), role, None);
        for message in &messages {
            let read = server.read().unwrap().into_data();
            prop_assert_eq!(&read[..], message.as_slice());
        }
    }
}
