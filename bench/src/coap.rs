//! An upgrade of 10 MB that is announced over CoAP: the datagrams it takes, and the sample's memory.

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;

use e2e::{Build, Desk, Sample};

use crate::figures::{in_turns, Figure, Row, Unit};
use crate::{memory, Plan};

const BYTES: usize = 10_000_000;
const ROUNDS: usize = 5;

/// Datagrams and bytes of one direction.
#[derive(Clone, Default)]
struct Traffic(Arc<[AtomicU64; 2]>);

impl Traffic {
    fn figures(&self) -> [Figure; 2] {
        let value = |index: usize| self.0[index].load(Ordering::Relaxed) as f64;
        [Figure::once(Unit::Datagrams, value(0)), Figure::once(Unit::Bytes, value(1))]
    }

    /// Hands on what comes at one socket by the other, and counts it.
    fn carry(self, from: UdpSocket, to: UdpSocket) {
        thread::spawn(move || -> io::Result<()> {
            let mut buffer = [0; 65_536];
            loop {
                let (count, peer) = from.recv_from(&mut buffer)?;
                if from.peer_addr().is_err() {
                    from.connect(peer)?;
                }
                to.send(&buffer[..count])?;
                self.0[0].fetch_add(1, Ordering::Relaxed);
                self.0[1].fetch_add(count as u64, Ordering::Relaxed);
            }
        });
    }
}

pub fn run(plan: &Plan) -> Vec<Row> {
    let case = "upgrade announced over CoAP (DTLS with a pre-shared key), firmware over HTTPS";
    let words = ["--upgrade-on-report", "--scheme", "https"].map(str::to_owned);
    let desk = Desk::with_args(Build::Coap, plan.bytes(BYTES), |_| words.into());
    let server = desk.hub.ready("coap_psk");
    let (out, back) = relayed(&desk, &server).expect("datagrams of loopback");
    println!("   {} out, {} back", out.figures()[0], back.figures()[0]);
    let heap = memory::heap(sample(&desk, &server));
    let mut resident = || memory::resident(sample(&desk, &server));
    let figures = in_turns(plan.rounds(ROUNDS), Unit::Kilobytes, &mut [("resident", &mut resident)]);
    let [resident] = figures.as_slice() else { unreachable!("one figure") };
    vec![
        Row::new(&format!("{case}: datagrams of the device"), out.figures()[0].clone())
            .beside("their bytes", &out.figures()[1])
            .beside("of the hub", &back.figures()[0])
            .beside("their bytes", &back.figures()[1]),
        Row::new("the same: the sample's peak heap (massif)", heap),
        Row::new("the same: the sample's peak resident memory", resident.clone()),
    ]
}

fn sample(desk: &Desk, server: &str) -> Sample {
    Sample::new(Build::Coap, "ota_coap_sample", &desk.home)
        .trusts(&desk.ca_file)
        .environment("QCLOUD_IOT_COAP_ENDPOINT", server)
}

/// One upgrade with its datagrams counted: those of the device, and those of the hub.
fn relayed(desk: &Desk, server: &str) -> io::Result<(Traffic, Traffic)> {
    let (front, behind) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    behind.connect(server)?;
    let address = front.local_addr()?.to_string();
    let (out, back) = (Traffic::default(), Traffic::default());
    out.clone().carry(front.try_clone()?, behind.try_clone()?);
    back.clone().carry(behind, front);
    let finished = sample(desk, &address).start().finish();
    assert_eq!(finished.code(), 0, "exit code");
    desk.assert_upgraded();
    Ok((out, back))
}
