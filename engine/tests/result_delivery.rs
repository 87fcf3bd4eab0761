//! Results over links that fail at random: each reaches the server, whatever happens on the way.

use bytes::BytesMut;
use iot_engine::mqtt::session::MAX_KEPT;
use iot_engine::mqtt::{Config, Event, Link, Login, QoS, Refusal, Session};
use iot_engine::time::Millis;
use proptest::collection::vec;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4::{Packet, PubAck, SubAck, SubscribeReasonCode};

const UPDATE: &str = "$ota/update/P/d";
const REPORT: &str = "$ota/report/P/d";
const TIMEOUT_MS: u32 = 5000;

#[derive(Debug, Clone)]
enum Act {
    /// The application reports a result.
    Report,
    /// The application publishes something that is not kept.
    Chatter,
    /// What waits to be sent reaches the server, which answers as it sees fit.
    Exchange {
        acknowledges: bool,
    },
    /// What waits to be sent is lost with the link.
    Lose,
    /// The link is lost and the next attempt does not come through.
    Refuse,
    Pass(u16),
    /// An acknowledgement of something never sent.
    Stray(u16),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => Just(Act::Report),
        2 => Just(Act::Chatter),
        6 => any::<bool>().prop_map(|acknowledges| Act::Exchange { acknowledges }),
        3 => Just(Act::Lose),
        1 => Just(Act::Refuse),
        3 => any::<u16>().prop_map(Act::Pass),
        1 => (1..=u16::MAX).prop_map(Act::Stray),
    ]
}

struct Desk {
    session: Session<()>,
    now: Millis,
    /// Results the server has, in order of first arrival.
    arrived: Vec<u32>,
    /// Results it has acknowledged.
    acknowledged: Vec<u32>,
    told: Vec<Event<()>>,
}

impl Desk {
    fn new(first_id: u16) -> Self {
        let config = Config {
            client_id: "Pd".to_owned(),
            keep_alive_s: 240,
            clean_session: true,
            command_timeout_ms: TIMEOUT_MS,
            auto_connect: true,
        };
        let session = Session::new(config, first_id);
        Desk { session, now: Millis(1_000_000), arrived: Vec::new(), acknowledged: Vec::new(), told: Vec::new() }
    }

    /// Connects where an attempt is due, and time passes until one is.
    fn connect(&mut self, comes_through: bool) {
        let due = match self.session.link() {
            Link::Waiting(due) => due,
            Link::GaveUp => {
                self.session.go_on(self.now, 0);
                return;
            }
            Link::Down => self.now,
            _ => return,
        };
        self.now = self.now.max(due);
        if comes_through {
            self.session.open(self.now, Login { user_name: "u".to_owned(), password: String::new() });
            let _ = self.session.take_output();
            self.session.received(self.now, &[0x20, 2, 0, 0]).unwrap();
        } else {
            self.session.lost(self.now, 0);
        }
    }

    fn exchange(&mut self, acknowledges: bool) -> Result<(), TestCaseError> {
        let mut stream = BytesMut::from(&self.session.take_output()[..]);
        while !stream.is_empty() {
            let packet = Packet::read(&mut stream, usize::MAX).unwrap();
            let answer = match packet {
                Packet::Publish(publish) => {
                    let text = std::str::from_utf8(&publish.payload).unwrap();
                    let number = text.parse().ok();
                    if let Some(number) = number {
                        prop_assert!(!self.acknowledged.contains(&number), "sent again after its acknowledgement");
                        if !self.arrived.contains(&number) {
                            self.arrived.push(number);
                        }
                    }
                    if !acknowledges {
                        continue;
                    }
                    self.acknowledged.extend(number);
                    Packet::PubAck(PubAck::new(publish.pkid))
                }
                Packet::Subscribe(subscribe) => {
                    let granted = SubscribeReasonCode::Success(rumqttc::mqttbytes::QoS::AtLeastOnce);
                    Packet::SubAck(SubAck::new(subscribe.pkid, vec![granted]))
                }
                _ => continue,
            };
            let mut bytes = BytesMut::new();
            answer.write(&mut bytes, usize::MAX).unwrap();
            self.session.received(self.now, &bytes).unwrap();
        }
        Ok(())
    }

    fn settle(&mut self) {
        if self.session.tick(self.now).is_err() {
            self.session.lost(self.now, 0);
        }
        self.told.extend(std::iter::from_fn(|| self.session.next_event()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn every_result_reaches_the_server_in_order(acts in vec(act(), 0..60), first_id in any::<u16>()) {
        let mut desk = Desk::new(first_id);
        desk.connect(true);
        desk.session.subscribe(desk.now, UPDATE, QoS::AtLeastOnce, (), |(), ()| true).unwrap();
        desk.exchange(true)?;
        let mut reported = Vec::new();
        let mut ids = Vec::new();
        for act in acts {
            match act {
                Act::Report => {
                    // As many as are kept: the next one displaces the oldest.
                    if desk.session.kept() < MAX_KEPT {
                        let number = reported.len() as u32;
                        let id = desk.session.publish_kept(desk.now, REPORT, number.to_string().as_bytes()).unwrap();
                        prop_assert!(id > 0);
                        reported.push(number);
                        ids.push(id);
                    }
                }
                Act::Chatter => {
                    let sent = desk.session.publish(desk.now, REPORT, b"chatter", QoS::AtLeastOnce, false);
                    match sent {
                        Ok(id) => prop_assert!(id > 0),
                        Err(Refusal::NotConnected) => prop_assert!(desk.session.link() != Link::Up),
                        Err(refusal) => prop_assert_eq!(refusal, Refusal::TooManyPublishes),
                    }
                }
                Act::Exchange { acknowledges } => {
                    desk.connect(true);
                    desk.exchange(acknowledges)?;
                }
                Act::Lose => desk.session.lost(desk.now, 0),
                Act::Refuse => {
                    desk.session.lost(desk.now, 0);
                    desk.connect(false);
                }
                Act::Pass(ms) => desk.now = desk.now + u64::from(ms),
                Act::Stray(id) => {
                    if desk.session.link() == Link::Up && !ids.contains(&id) {
                        let [high, low] = id.to_be_bytes();
                        desk.session.received(desk.now, &[0x40, 2, high, low]).unwrap();
                    }
                }
            }
            desk.settle();
        }
        // The weather clears up.
        desk.session.lost(desk.now, 0);
        while desk.session.link() != Link::Up {
            desk.connect(true);
        }
        desk.exchange(true)?;
        desk.settle();
        prop_assert_eq!(desk.session.kept(), 0);
        prop_assert_eq!(&desk.arrived, &reported);
        prop_assert!(desk.session.is_subscribed(UPDATE));
        // And whoever waited for one was told how it ended.
        for id in ids {
            let ends = [Event::Published(id), Event::PublishTimedOut(id)];
            let heard = desk.told.iter().any(|event| ends.contains(event));
            prop_assert!(heard, "nothing was heard of {id}");
        }
    }
}
