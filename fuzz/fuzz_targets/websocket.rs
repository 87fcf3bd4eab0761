//! Any bytes from a WebSocket server, in any cuts. Input: a byte that decides the cuts, and the stream: the answer to the
//! request, or frames where it begins with another byte than `H`.
#![no_main]

use iot_engine::websocket::handshake::{Handshake, Refused, Target};
use iot_engine::websocket::{Control, Malformed, Receiver, MAX_READ};
use iot_fuzz::Cuts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [seed, stream @ ..] = data else { return };
    if stream.first() == Some(&b'H') {
        assert_eq!(answer(stream, 0), answer(stream, *seed));
    } else {
        assert_eq!(frames(stream, 0), frames(stream, *seed));
    }
});

fn answer(mut stream: &[u8], seed: u8) -> Result<Option<Vec<u8>>, Refused> {
    let target = Target { host: "h".to_owned(), port: 80, path: "/".to_owned(), protocol: "mqtt".to_owned() };
    // The key of RFC 6455 section 1.3.
    let random = [u64::from_be_bytes(*b"the samp"), u64::from_be_bytes(*b"le nonce")];
    let (mut handshake, _) = Handshake::begin(&target, random);
    let mut cuts = Cuts::new(seed);
    while !stream.is_empty() {
        let (now, later) = stream.split_at(cuts.next(stream.len()));
        stream = later;
        if let Some(mut behind) = handshake.received(now)? {
            behind.extend_from_slice(later);
            return Ok(Some(behind));
        }
    }
    Ok(None)
}

/// All data, whether it ended well, the last PING and the reason of a CLOSE.
type Frames = (Vec<u8>, Result<(), Malformed>, Option<Control>, Option<Control>);

fn frames(mut stream: &[u8], seed: u8) -> Frames {
    let mut receiver = Receiver::default();
    let mut cuts = Cuts::new(seed);
    let (mut data, mut result) = (Vec::new(), Ok(()));
    let mut ping = None;
    while !stream.is_empty() && result.is_ok() {
        assert!((1..=MAX_READ).contains(&receiver.wanted()));
        let (now, later) = stream.split_at(cuts.next(stream.len()));
        stream = later;
        result = receiver.push(now);
        let mut piece = [0; 64];
        while receiver.has_data() {
            let count = receiver.take(&mut piece);
            data.extend_from_slice(&piece[..count]);
        }
        ping = receiver.take_ping().or(ping);
    }
    (data, result, ping, receiver.closed().copied())
}
