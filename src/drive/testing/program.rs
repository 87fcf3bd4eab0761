//! A program with one client, which writes down what it hears.

use std::sync::{Arc, Mutex};

use rumqttc::mqttbytes::v4::{Packet, SubAck, SubscribeReasonCode};

use super::mqtt_server::setup;
use super::web_server::Answer;
use super::{Grant, Machine};
use crate::drive::mqtt::{Client, Listener, Notice};

/// Who got it, and what.
pub(crate) type Entry = (String, Vec<u8>);

/// An entry of a diary.
pub(crate) fn said(who: &str, what: &[u8]) -> Entry {
    (who.to_owned(), what.to_vec())
}

/// What came, in order: to handlers with their names, and to the program's global handler.
#[derive(Default, Clone)]
pub(crate) struct Diary(Arc<Mutex<Vec<Entry>>>);

impl Diary {
    pub(crate) fn write(&self, who: &str, what: &[u8]) {
        self.0.lock().unwrap().push(said(who, what));
    }

    pub(crate) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Listener for Diary {
    fn notice(&self, _: &Arc<Client>, notice: Notice<'_>) {
        match notice {
            Notice::Message(message) => self.write("global", &message.payload),
            Notice::Subscribed(_) => self.write("event", b"granted"),
            Notice::SubscribeRefused(_) => self.write("event", b"refused"),
            Notice::SubscribeTimedOut(_) => self.write("event", b"timed out"),
            _ => {}
        }
    }
}

/// The program.
pub(crate) struct Program {
    pub(crate) machine: Arc<Machine>,
    pub(crate) client: Arc<Client>,
    pub(crate) diary: Diary,
}

impl Program {
    pub(crate) fn new() -> Self {
        Program::with_auto_connect(true)
    }

    pub(crate) fn with_auto_connect(auto_connect: bool) -> Self {
        let machine = Machine::new(|_, _| Answer::new(""));
        let diary = Diary::default();
        let mut setup = setup(diary.clone(), Box::new(()));
        setup.config.auto_connect = auto_connect;
        let client = Client::offline(machine.clone(), setup);
        client.connect().unwrap();
        Program { machine, client, diary }
    }

    /// What the cloud does with the next SUBSCRIBEs.
    pub(crate) fn grants(&self, grants: &[Grant]) {
        self.machine.mqtt.world().grants(grants);
    }

    /// Packet id, filter and QoS of each SUBSCRIBE since the last call.
    pub(crate) fn take_subscribes(&self) -> Vec<(u16, String, u8)> {
        let mut taken = Vec::new();
        self.machine.mqtt.world().received.retain(|packet| match packet {
            Packet::Subscribe(subscribe) => {
                let filter = &subscribe.filters[0];
                taken.push((subscribe.pkid, filter.path.clone(), filter.qos as u8));
                false
            }
            _ => true,
        });
        taken
    }

    /// A SUBACK that the cloud has held back.
    pub(crate) fn send_suback(&self, id: u16) {
        let granted = SubscribeReasonCode::Success(rumqttc::QoS::AtMostOnce);
        self.machine.mqtt.world().send(&Packet::SubAck(SubAck::new(id, vec![granted])));
        let _ = self.client.yield_for(10);
    }

    pub(crate) fn send(&self, topic: &str, payload: &[u8]) {
        self.machine.send(&self.client, topic, payload);
    }

    /// The link is cut at the next packet that is `at`, before anything is answered.
    pub(crate) fn cut_at(&self, at: fn(&Packet) -> bool) {
        let simulation = self.machine.mqtt.clone();
        self.machine.mqtt.world().on_packet = Some(Arc::new(move |packet| {
            if at(packet) {
                let mut world = simulation.world();
                world.closed = true;
                world.on_packet = None;
            }
        }));
    }

    pub(crate) fn cut(&self) {
        self.machine.mqtt.world().closed = true;
        while self.client.is_connected() {
            let _ = self.client.yield_for(10);
        }
    }

    pub(crate) fn reconnect(&self) {
        while !self.client.is_connected() {
            let _ = self.client.yield_for(100);
        }
        let _ = self.client.yield_for(10);
    }
}
