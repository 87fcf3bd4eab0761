//! Messages over links that fail at random: each result reaches the server and each message of the server the device,
//! one with QoS 2 once, whatever happens on the way.

use bytes::BytesMut;
use iot_engine::mqtt::session::MAX_KEPT;
use iot_engine::mqtt::{Config, Event, LinkState, Login, QoS, Refusal, Session};
use iot_engine::time::Millis;
use proptest::collection::vec;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4::{Packet, PubAck, PubRel, Publish, SubAck, SubscribeReasonCode};

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
    /// The server accepts the next connection and closes it at once.
    CloseAfterConnack,
    /// What the server sends reaches the device, and its answers are lost with the link.
    LoseAnswers,
    /// The server has a message for the device.
    Send {
        qos_2: bool,
    },
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
        1 => Just(Act::CloseAfterConnack),
        2 => Just(Act::LoseAnswers),
        3 => any::<bool>().prop_map(|qos_2| Act::Send { qos_2 }),
        3 => any::<u16>().prop_map(Act::Pass),
        1 => (1..=u16::MAX).prop_map(Act::Stray),
    ]
}

/// A message of the server on its way to the device (MQTT 3.1.1 section 4.3).
struct Outbound {
    id: u16,
    qos_2: bool,
    number: u32,
    was_sent: bool,
    /// QoS 2: the device has taken it.
    is_received: bool,
}

struct Run {
    session: Session<()>,
    now: Millis,
    /// Results the server has, in order of first arrival.
    arrived: Vec<u32>,
    /// Results it has acknowledged.
    acknowledged: Vec<u32>,
    told: Vec<Event<()>>,
    outbound: Vec<Outbound>,
    /// What the server sent in all, with QoS 2 or 1.
    sent: Vec<bool>,
    /// Numbers of the messages that were handed on, in order.
    handed_on: Vec<u32>,
}

impl Run {
    fn new(first_id: u16) -> Self {
        let config = Config {
            client_id: "Pd".to_owned(),
            keep_alive_s: 240,
            clean_session: false,
            command_timeout_ms: TIMEOUT_MS,
            auto_connect: true,
        };
        let session = Session::new(config, first_id);
        Run {
            session,
            now: Millis(1_000_000),
            arrived: Vec::new(),
            acknowledged: Vec::new(),
            told: Vec::new(),
            outbound: Vec::new(),
            sent: Vec::new(),
            handed_on: Vec::new(),
        }
    }

    /// Connects where an attempt is due, and time passes until one is. True for a link that is up now and was not before.
    fn connect(&mut self, comes_through: bool) -> bool {
        let due = match self.session.link() {
            LinkState::Waiting(due) => due,
            LinkState::GaveUp => {
                self.session.go_on(self.now, 0);
                return false;
            }
            LinkState::Down => self.now,
            _ => return false,
        };
        self.now = self.now.max(due);
        if comes_through {
            self.session.open(self.now, Login { user_name: "u".to_owned(), password: String::new() });
            let _ = self.session.take_output();
            // The server keeps the session, and sends again what it has no acknowledgement for.
            self.session.received(self.now, &[0x20, 2, 1, 0]).unwrap();
        } else {
            self.session.lost(self.now, 0);
        }
        comes_through
    }

    /// The server gives each message the lowest free packet id.
    fn send(&mut self, qos_2: bool) {
        let id = (1..).find(|id| self.outbound.iter().all(|other| other.id != *id)).unwrap();
        let number = self.sent.len() as u32;
        self.sent.push(qos_2);
        self.outbound.push(Outbound { id, qos_2, number, was_sent: false, is_received: false });
    }

    /// What the server sends over a connection at its beginning, or when there is something to be sent.
    fn send_outbound(&mut self, over_again: bool) {
        for outbound in &mut self.outbound {
            let packet = if outbound.is_received {
                if !over_again {
                    continue;
                }
                Packet::PubRel(PubRel::new(outbound.id))
            } else {
                if outbound.was_sent && !over_again {
                    continue;
                }
                let qos = if outbound.qos_2 { rumqttc::QoS::ExactlyOnce } else { rumqttc::QoS::AtLeastOnce };
                let mut publish = Publish::new(UPDATE, qos, outbound.number.to_string());
                publish.pkid = outbound.id;
                publish.dup = std::mem::replace(&mut outbound.was_sent, true);
                Packet::Publish(publish)
            };
            receive(&mut self.session, self.now, &packet);
        }
    }

    fn exchange(&mut self, acknowledges: bool, is_new_link: bool) -> Result<(), TestCaseError> {
        if self.session.link() == LinkState::Up {
            self.send_outbound(is_new_link);
        }
        self.settle();
        loop {
            let output = self.session.take_output();
            if output.is_empty() {
                return Ok(());
            }
            self.serve(&output, acknowledges)?;
            self.settle();
        }
    }

    fn serve(&mut self, output: &[u8], acknowledges: bool) -> Result<(), TestCaseError> {
        let mut stream = BytesMut::from(output);
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
                Packet::PubAck(ack) => {
                    self.outbound.retain(|outbound| outbound.qos_2 || outbound.id != ack.pkid);
                    continue;
                }
                Packet::PubRec(ack) => {
                    for outbound in self.outbound.iter_mut().filter(|outbound| outbound.id == ack.pkid) {
                        outbound.is_received = true;
                    }
                    Packet::PubRel(PubRel::new(ack.pkid))
                }
                Packet::PubComp(ack) => {
                    self.outbound.retain(|outbound| !outbound.is_received || outbound.id != ack.pkid);
                    continue;
                }
                _ => continue,
            };
            receive(&mut self.session, self.now, &answer);
        }
        Ok(())
    }

    fn settle(&mut self) {
        if self.session.tick(self.now).is_err() {
            self.session.lost(self.now, 0);
        }
        while let Some(event) = self.session.next_event() {
            if let Event::Message(message) = &event {
                self.handed_on.push(std::str::from_utf8(&message.payload).unwrap().parse().unwrap());
                self.session.delivered(message);
            }
            self.told.push(event);
        }
    }
}

fn receive(session: &mut Session<()>, now: Millis, packet: &Packet) {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, usize::MAX).unwrap();
    session.received(now, &bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

    #[test]
    fn every_result_reaches_the_server_in_order_and_every_message_the_device(acts in vec(act(), 0..60), first_id in any::<u16>()) {
        let mut run = Run::new(first_id);
        run.connect(true);
        run.session.subscribe(run.now, UPDATE, QoS::AtLeastOnce, (), |(), ()| true).unwrap();
        run.exchange(true, true)?;
        let mut reported = Vec::new();
        let mut ids = Vec::new();
        for act in acts {
            match act {
                Act::Report => {
                    // As many as are kept: the next one displaces the oldest.
                    if run.session.kept() < MAX_KEPT {
                        let number = reported.len() as u32;
                        let id = run.session.publish_kept(run.now, REPORT, number.to_string().as_bytes()).unwrap();
                        prop_assert!(id > 0);
                        reported.push(number);
                        ids.push(id);
                    }
                }
                Act::Chatter => {
                    let sent = run.session.publish(run.now, REPORT, b"chatter", QoS::AtLeastOnce, false);
                    match sent {
                        Ok(id) => prop_assert!(id > 0),
                        Err(Refusal::NotConnected) => prop_assert!(run.session.link() != LinkState::Up),
                        Err(refusal) => prop_assert_eq!(refusal, Refusal::TooManyPublishes),
                    }
                }
                Act::Exchange { acknowledges } => {
                    let is_new = run.connect(true);
                    run.exchange(acknowledges, is_new)?;
                }
                Act::CloseAfterConnack => {
                    run.session.lost(run.now, 0);
                    run.connect(true);
                    run.session.lost(run.now, 0);
                }
                Act::LoseAnswers => {
                    let is_new = run.connect(true);
                    if run.session.link() == LinkState::Up {
                        run.send_outbound(is_new);
                    }
                    run.settle();
                    run.session.lost(run.now, 0);
                }
                Act::Send { qos_2 } => run.send(qos_2),
                Act::Lose => run.session.lost(run.now, 0),
                Act::Refuse => {
                    run.session.lost(run.now, 0);
                    run.connect(false);
                }
                Act::Pass(ms) => run.now = run.now + u64::from(ms),
                Act::Stray(id) => {
                    if run.session.link() == LinkState::Up && !ids.contains(&id) {
                        let [high, low] = id.to_be_bytes();
                        run.session.received(run.now, &[0x40, 2, high, low]).unwrap();
                    }
                }
            }
            run.settle();
        }
        // The weather clears up.
        run.session.lost(run.now, 0);
        while run.session.link() != LinkState::Up {
            run.connect(true);
        }
        run.exchange(true, true)?;
        run.settle();
        prop_assert_eq!(run.session.kept(), 0);
        prop_assert!(run.outbound.is_empty(), "a message of the server was not acknowledged");
        for (number, qos_2) in run.sent.iter().enumerate() {
            let times = run.handed_on.iter().filter(|handed_on| **handed_on == number as u32).count();
            // A repeat of one with QoS 1 is told from a new message too, as far as ten messages back.
            prop_assert!(times == 1 || (!qos_2 && times > 1), "message {} was handed on {} times", number, times);
        }
        prop_assert_eq!(&run.arrived, &reported);
        prop_assert!(run.session.is_subscribed(UPDATE));
        // And whoever waited for one was told how it ended.
        for id in ids {
            let ends = [Event::Published(id), Event::PublishTimedOut(id)];
            let heard = run.told.iter().any(|event| ends.contains(event));
            prop_assert!(heard, "nothing was heard of {id}");
        }
    }
}
