//! Any bytes from a tunnel's server, in any cuts. Input: a byte that decides the cuts, and the stream. However it is cut, the
//! tunnel says the same, ends alike, and holds no more than its sessions may.
#![no_main]

use iot_engine::services::ssh::{Ended, Moment, Tunnel, MAX_SESSIONS};
use iot_engine::time::Millis;
use iot_fuzz::Cuts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [seed, stream @ ..] = data else { return };
    assert_eq!(run(stream, 0), run(stream, *seed));
});

/// What the tunnel has said, what waits for each SSH server, and whether it has ended.
type Outcome = (Vec<u8>, Vec<Vec<u8>>, Result<(), Ended>);

fn run(mut stream: &[u8], seed: u8) -> Outcome {
    let moment = Moment { now: Millis(1), seconds: 2 };
    let mut tunnel = Tunnel::new(moment, "ws-token-0".to_owned(), "{}".to_owned());
    let mut cuts = Cuts::new(seed);
    let (mut said, mut result) = (Vec::new(), Ok(()));
    while !stream.is_empty() && result.is_ok() {
        let (now, later) = stream.split_at(cuts.next(stream.len()));
        stream = later;
        result = tunnel.received(moment, now);
        assert!(tunnel.sessions().len() <= MAX_SESSIONS);
    }
    while !tunnel.outgoing().is_empty() {
        said.extend_from_slice(tunnel.outgoing());
        tunnel.sent(tunnel.outgoing().len());
    }
    let waiting = tunnel.sessions().into_iter().map(|session| tunnel.to_local(session).to_vec()).collect();
    (said, waiting, result)
}
