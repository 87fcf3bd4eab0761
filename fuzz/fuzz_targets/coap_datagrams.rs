//! Any datagrams to a CoAP client that is saying who it is and then posts. Each stands behind its length in one byte, and
//! after it time passes. Every message ends at most once, what is sent back has four bytes, and time alone ends the rest.
#![no_main]

use iot_engine::coap::packet::{Code, Packet};
use iot_engine::coap::{Authentication, Due, Ending, Session, Terms};
use iot_engine::identity::Identity;
use iot_engine::time::Millis;
use libfuzzer_sys::fuzz_target;

const TERMS: Terms = Terms { command_timeout_ms: 500, max_repeats: 2 };
const MESSAGES: usize = 4;

fuzz_target!(|data: &[u8]| {
    let identity = Identity::new("P", "d").expect("short names");
    let mut session: Session<usize> = Session::new(TERMS, 0);
    let mut ended = [0_u32; MESSAGES];
    let mut now = Millis(1);
    session.authenticate(now, &identity, "abcde").expect("it fits");
    let mut sent = 0;
    let mut rest = data;
    while let Some((&len, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(usize::from(len).min(behind.len()));
        rest = behind;
        if session.authentication() == &Authentication::Accepted && sent < MESSAGES {
            let id = match sent {
                0 => session.send_followed(now, "$ota", b"x", sent),
                _ => session.send(now, "t", b"x", sent % 2 == 0, sent),
            };
            // A token may be too long for a packet.
            if let Ok((id, packet)) = id {
                let parsed = Packet::parse(&packet).expect("what is sent is well-formed");
                assert_eq!((parsed.id, parsed.code, parsed.payload), (id, Code::POST, &b"x"[..]));
            }
            sent += 1;
        }
        let waiting = session.waiting();
        let received = session.received(now, datagram);
        assert_eq!(received.malformed.is_some(), Packet::parse(datagram).is_err());
        if let Some(reply) = received.reply {
            assert_eq!(reply[2..], datagram[2..4]);
            assert!(matches!(reply[..2], [0x60 | 0x70, 0]));
        }
        if let Some((owner, answer)) = received.answered {
            ended[owner] += 1;
            // A further answer to the message that takes them ends nothing.
            assert!(session.waiting() < waiting || owner == 0 && ended[0] > 1);
            assert!(matches!(answer.ending, Ending::Response { .. } | Ending::Reset));
            assert!(answer.content().is_none_or(|content| datagram.ends_with(content)));
            let _ = (answer.event(), answer.verdict());
        }
        now = now + 100;
        let_pass(&mut session, now, &mut ended);
    }
    for _ in 0..5 {
        now = now + 500;
        let_pass(&mut session, now, &mut ended);
    }
    assert_eq!((session.waiting(), session.deadline()), (0, None));
    assert_ne!(session.authentication(), &Authentication::Pending);
    assert!(ended[1..].iter().all(|count| *count <= 1));
});

fn let_pass(session: &mut Session<usize>, now: Millis, ended: &mut [u32; MESSAGES]) {
    while let Some(due) = session.due(now) {
        match due {
            Due::Repeat(packet) => assert!(Packet::parse(&packet).is_ok()),
            Due::Ended(owner, answer) => {
                assert!(matches!(answer.ending, Ending::NotAcknowledged | Ending::NotAnswered));
                ended[owner] += 1;
            }
        }
    }
}
