//! Random schedules of loss, doubling and reordering between a CoAP client and its cloud, in virtual time.
//!
//! What must hold (coap.md section 5): every message ends exactly once and in time, whatever the network does; what the
//! cloud answered is what the program is told; and where the network does nothing, nothing times out.

use std::collections::HashMap;

use iot_engine::coap::packet::{Code, Kind, Packet};
use iot_engine::coap::{Answer, Authentication, Due, Ending, Session, Terms};
use iot_engine::identity::Identity;
use iot_engine::time::Millis;

const SCHEDULES: u64 = 10_000;
const TERMS: Terms = Terms { command_timeout_ms: 500, max_repeats: 3 };
/// All sends and the wait behind the last, and a separate answer that comes late; each step of the schedule is this long.
const STEP_MS: u64 = 50;
const LONGEST_MS: u64 = 500 * 4 + 500 + 3 * STEP_MS;
const MESSAGES: usize = 3;

/// Xorshift: the schedule is all that the number says.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Datagrams on their way, and what becomes of them.
struct Network {
    /// When, whether to the cloud, what.
    flying: Vec<(Millis, bool, Vec<u8>)>,
    loss: u64,
    doubling: u64,
    longest_delay: u64,
}

impl Network {
    fn carry(&mut self, random: &mut Random, now: Millis, to_cloud: bool, datagram: &[u8]) {
        let copies = if random.happens(self.doubling) { 2 } else { 1 };
        for _ in 0..copies {
            if !random.happens(self.loss) {
                self.flying.push((now + random.below(self.longest_delay + 1), to_cloud, datagram.to_vec()));
            }
        }
    }

    fn arrived(&mut self, now: Millis) -> Option<(bool, Vec<u8>)> {
        let index = self.flying.iter().position(|(at, _, _)| *at <= now)?;
        let (_, to_cloud, datagram) = self.flying.swap_remove(index);
        Some((to_cloud, datagram))
    }
}

/// Answers each request once, its repeats with the same datagrams.
#[derive(Default)]
struct Cloud {
    answers: HashMap<u16, Vec<Vec<u8>>>,
    next_id: u16,
}

impl Cloud {
    fn receive(&mut self, random: &mut Random, datagram: &[u8]) -> Vec<Vec<u8>> {
        let packet = Packet::parse(datagram).expect("what a device sends is well-formed");
        if packet.kind != Kind::Confirmable {
            assert_eq!((datagram.len(), packet.code), (4, Code::EMPTY), "an acknowledgement is empty");
            return Vec::new();
        }
        self.next_id = self.next_id.wrapping_add(1);
        let own_id = self.next_id.to_be_bytes();
        let make = |kind: u8, code: u8, id: [u8; 2], payload: &[u8]| {
            [&[kind | packet.token.len() as u8, code, id[0], id[1]], packet.token, payload].concat()
        };
        let id = packet.id.to_be_bytes();
        // The answer's payload is the request's id.
        let payload = [&[0xff], &id[..]].concat();
        let style = random.below(8);
        let answers = self.answers.entry(packet.id).or_insert_with(|| match style {
            0 => vec![make(0x60, 0x43, id, b""), make(0x40, 0x45, own_id, &payload)],
            1 => vec![vec![0x60, 0, id[0], id[1]], make(0x50, 0x45, own_id, &payload)],
            2 => vec![make(0x40, 0x45, own_id, &payload)],
            3 => vec![make(0x60, 0x45, [id[0] ^ 0x40, id[1]], b"\xffx"), make(0x60, 0x45, id, &payload)],
            _ => vec![make(0x60, 0x45, id, &payload)],
        });
        answers.clone()
    }
}

struct Run {
    random: Random,
    network: Network,
    cloud: Cloud,
    session: Session<usize>,
    now: Millis,
    ended: Vec<Option<Answer>>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let perfect = random.happens(10);
        let mut percent = |most| if perfect { 0 } else { random.below(most) };
        let network =
            Network { loss: percent(60), doubling: percent(50), longest_delay: percent(1500), flying: Vec::new() };
        let session = Session::new(TERMS, random.below(u64::MAX));
        Run { random, network, cloud: Cloud::default(), session, now: Millis(1), ended: vec![None; MESSAGES] }
    }

    fn send(&mut self, datagram: &[u8]) {
        self.network.carry(&mut self.random, self.now, true, datagram);
    }

    fn end(&mut self, owner: usize, answer: Answer) {
        assert!(self.ended[owner].replace(answer).is_none(), "message {owner} ended twice");
    }

    /// What has come and what is due, in an order that nobody can rely on.
    fn step(&mut self) {
        self.now = self.now + STEP_MS;
        while let Some((to_cloud, datagram)) = self.network.arrived(self.now) {
            if to_cloud {
                for answer in self.cloud.receive(&mut self.random, &datagram) {
                    self.network.carry(&mut self.random, self.now, false, &answer);
                }
                continue;
            }
            let received = self.session.received(self.now, &datagram);
            assert_eq!(received.malformed, None);
            if let Some(reply) = received.reply {
                self.send(&reply);
            }
            if let Some((owner, answer)) = received.answered {
                self.end(owner, answer);
            }
        }
        while let Some(due) = self.session.due(self.now) {
            match due {
                Due::Repeat(packet) => self.send(&packet),
                Due::Ended(owner, answer) => self.end(owner, answer),
            }
        }
        assert!(self.session.deadline().is_none_or(|deadline| deadline > self.now), "a caller would spin");
    }
}

#[test]
fn every_message_ends_exactly_once_whatever_the_network_does() {
    let identity = Identity::new("P", "d").unwrap();
    let (mut accepted, mut answered, mut lost) = (0_u32, 0_u32, 0_u32);
    for seed in 0..SCHEDULES {
        let mut run = Run::new(seed);
        let is_perfect = run.network.loss == 0 && run.network.longest_delay < 100;
        let packet = run.session.authenticate(run.now, &identity, "abcde").unwrap();
        run.send(&packet);
        let begin = run.now;
        while run.session.authentication() == &Authentication::Pending {
            run.step();
            assert!(run.now.since(begin) <= LONGEST_MS, "schedule {seed}: authentication has no end");
        }
        if run.session.authentication() != &Authentication::Accepted {
            assert!(!is_perfect, "schedule {seed}");
            continue;
        }
        accepted += 1;
        let mut ids = Vec::new();
        for owner in 0..MESSAGES {
            let (id, packet) = run.session.send(run.now, "t", b"x", true, owner).unwrap();
            run.send(&packet);
            ids.push(id);
            if run.random.happens(50) {
                run.step();
            }
        }
        let begin = run.now;
        while run.session.waiting() > 0 {
            run.step();
            assert!(run.now.since(begin) <= LONGEST_MS, "schedule {seed}: a message has no end");
        }
        for _ in 0..10 {
            run.step();
        }
        for (id, answer) in ids.iter().zip(&run.ended) {
            let answer = answer.as_ref().unwrap_or_else(|| panic!("schedule {seed}: message {id} has not ended"));
            assert_eq!(answer.id, *id, "schedule {seed}");
            match answer.ending {
                Ending::Response { code: Code::CONTENT, .. } => {
                    assert_eq!(answer.content(), Some(&id.to_be_bytes()[..]), "schedule {seed}");
                    answered += 1;
                }
                Ending::NotAcknowledged | Ending::NotAnswered => {
                    assert!(!is_perfect, "schedule {seed}: {:?}", answer.ending);
                    lost += 1;
                }
                other => panic!("schedule {seed}: {other:?}"),
            }
        }
    }
    // The schedules are worth something: most things happen in them.
    assert!(accepted > 5000 && answered > 10_000 && lost > 1000, "{accepted} {answered} {lost}");
}
