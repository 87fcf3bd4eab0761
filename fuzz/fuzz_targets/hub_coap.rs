//! Any datagram to the hub's CoAP server. What its codec takes, the device's takes, too, and as the same message; what a
//! request brings stands in its datagram; and what the hub answers to it reads as it was written.
#![no_main]

use iot_engine::coap::packet::{Kind as DeviceKind, Packet};
use libfuzzer_sys::fuzz_target;

// The file itself: the whole crate would bring mbedTLS and an async runtime along.
#[path = "../../hub/coap/src/message.rs"]
#[allow(dead_code)]
mod message;

use message::{read, write, Incoming, Kind, Request, MAX_DATAGRAM};

fuzz_target!(|data: &[u8]| {
    let Ok(incoming) = read(data) else { return };
    assert!(data.len() <= MAX_DATAGRAM);
    let packet = Packet::parse(data).expect("both codecs agree on what is malformed");
    match incoming {
        Incoming::Acknowledged(id) => assert_eq!((packet.kind, packet.id), (DeviceKind::Acknowledgement, id)),
        Incoming::Reset(id) => assert_eq!((packet.kind, packet.id), (DeviceKind::Reset, id)),
        Incoming::Senseless(id) => assert_eq!((packet.kind, packet.id), (DeviceKind::Confirmable, id)),
        Incoming::Nothing => assert_eq!(packet.kind, DeviceKind::NonConfirmable),
        Incoming::Request(request) => check(&request, &packet, data),
    }
});

fn check(request: &Request, packet: &Packet<'_>, datagram: &[u8]) {
    let is_confirmable = packet.kind == DeviceKind::Confirmable;
    assert_eq!((request.confirmable, request.id, &request.token[..]), (is_confirmable, packet.id, packet.token));
    let (code, answer) = match &request.content {
        Ok(post) => {
            assert_eq!(post.payload, packet.payload);
            assert!(!post.path.is_empty() && !post.path.contains(['+', '#', '\0']));
            let stands_there = |part: &[u8]| part.is_empty() || datagram.windows(part.len()).any(|there| there == part);
            assert!(post.proof.as_deref().is_none_or(stands_there));
            (message::code::CONTENT, &post.payload[..])
        }
        Err(code) => (*code, &[][..]),
    };
    for (kind, read_as) in [
        (Kind::Acknowledgement, DeviceKind::Acknowledgement),
        (Kind::Confirmable, DeviceKind::Confirmable),
        (Kind::NonConfirmable, DeviceKind::NonConfirmable),
    ] {
        let written = write(kind, code, request.id, &request.token, answer);
        let packet = Packet::parse(&written).expect("what is sent is well-formed");
        assert_eq!((packet.kind, packet.id, packet.token), (read_as, request.id, &request.token[..]));
        assert_eq!(packet.payload, answer);
    }
}
