//! Any bytes from an MQTT server, in any cuts. Input: a byte of settings, a byte that decides the cuts, the stream.
//!
//! Two sessions get the same stream, one in a single piece and one as a careful reader gets it: both must come to the
//! same end.
#![no_main]

use bytes::BytesMut;
use iot_engine::mqtt::{Config, Event, LinkFault, Login, QoS, Session};
use iot_engine::time::Millis;
use iot_fuzz::Cuts;
use libfuzzer_sys::fuzz_target;
use rumqttc::mqttbytes::v4::Packet;

const NOW: Millis = Millis(1_000);
/// Most that a session asks for at once.
const MAX_READ: usize = 2048;
/// Longest body that a server may announce.
const MAX_ANNOUNCED: usize = 4 * 1024 * 1024;
/// Longest packet that a session takes.
const MAX_PACKET: usize = 16 * 1024 + 256;

fuzz_target!(|data: &[u8]| {
    let [settings, seed, stream @ ..] = data else { return };
    let greeted = settings & 1 == 0;
    let session_present = settings & 2 != 0;

    let whole = {
        let mut session = session(greeted, session_present);
        let result = session.received(NOW, stream);
        Outcome::of(&mut session, result)
    };
    let in_pieces = {
        let mut session = session(greeted, session_present);
        let mut cuts = Cuts::new(*seed);
        let mut rest = stream;
        let mut result = Ok(());
        while !rest.is_empty() && result.is_ok() {
            let wanted = session.wanted();
            assert!((1..=MAX_READ).contains(&wanted), "{wanted}");
            let (now, later) = rest.split_at(cuts.next(wanted).min(rest.len()));
            rest = later;
            result = session.received(NOW, now);
        }
        Outcome::of(&mut session, result)
    };
    assert_eq!(whole, in_pieces);

    let framing = Framing::of(stream);
    assert!(whole.events.len() <= framing.packets, "more news than packets");
    if whole.result.is_ok() {
        assert!(framing.sound);
    }
});

/// A session that has sent CONNECT and, where `greeted`, waits for three SUBACKs, two PUBACKs and an UNSUBACK.
fn session(greeted: bool, session_present: bool) -> Session<u8> {
    let config = Config {
        client_id: "PRODUCTIDXdevice".to_owned(),
        keep_alive_s: 240,
        clean_session: true,
        command_timeout_ms: 5_000,
        auto_connect: true,
    };
    let mut session = Session::new(config, 0);
    session.open(NOW, Login { user_name: "user".to_owned(), password: "password".to_owned() });
    if greeted {
        session.received(NOW, &[0x20, 2, u8::from(session_present), 0]).expect("CONNACK");
        for (handler, filter) in [(0, "a/b"), (1, "a/#"), (2, "+/c")] {
            session.subscribe(NOW, filter, QoS::AtLeastOnce, handler, |_, _| false).expect("subscribed");
        }
        for _ in 0..2 {
            session.publish(NOW, "t", b"payload", QoS::AtLeastOnce, false).expect("published");
        }
        session.unsubscribe(NOW, "+/c").expect("unsubscribed");
        while session.next_event().is_some() {}
    }
    session.take_output();
    session
}

/// What a stream led to.
#[derive(Debug, PartialEq)]
struct Outcome {
    result: Result<(), LinkFault>,
    events: Vec<Event<u8>>,
    sent: Vec<Packet>,
    mid_packet: bool,
}

impl Outcome {
    fn of(session: &mut Session<u8>, result: Result<(), LinkFault>) -> Self {
        let mut events = Vec::new();
        while let Some(event) = session.next_event() {
            if let Event::Message(message) = &event {
                assert!(message.payload.len() <= MAX_PACKET);
                assert_eq!(message.id == 0, message.qos == 0);
                session.delivered(message);
            }
            events.push(event);
        }
        let mut output = BytesMut::from(&session.take_output()[..]);
        let mut sent = Vec::new();
        while !output.is_empty() {
            let packet = Packet::read(&mut output, usize::MAX).expect("what is sent is well-formed");
            let is_answer =
                matches!(packet, Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_));
            let fits = is_answer || matches!(packet, Packet::Subscribe(_) | Packet::Publish(_));
            assert!(fits, "a stream can't make a session send {packet:?}");
            sent.push(packet);
        }
        let mid_packet = result.is_ok() && session.is_mid_packet();
        Outcome { result, events, sent, mid_packet }
    }
}

/// What a stream looks like from the outside (MQTT 3.1.1, section 2.2).
struct Framing {
    /// Packets that have begun.
    packets: usize,
    /// No remaining length has more than four bytes or is beyond 4 MB.
    sound: bool,
}

impl Framing {
    fn of(mut stream: &[u8]) -> Self {
        let mut packets = 0;
        while let [_, rest @ ..] = stream {
            packets += 1;
            let mut len = 0;
            let mut length_bytes = 0;
            loop {
                let Some(byte) = rest.get(length_bytes) else { return Framing { packets, sound: true } };
                len += usize::from(byte & 0x7f) << (7 * length_bytes);
                length_bytes += 1;
                if byte & 0x80 == 0 {
                    break;
                }
                if length_bytes == 4 {
                    return Framing { packets, sound: false };
                }
            }
            if len > MAX_ANNOUNCED {
                return Framing { packets, sound: false };
            }
            stream = rest.get(length_bytes + len..).unwrap_or_default();
        }
        Framing { packets, sound: true }
    }
}
