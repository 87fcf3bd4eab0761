//! A machine that reaches a simulated MQTT server and a simulated web server, which share a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use iot_engine::time::Millis;
use rumqttc::mqttbytes::v4::Packet;

use super::mqtt_server::{setup, Simulation, MQTT_PORT};
use super::web_server::{Answer, Traits, World};
use crate::drive::mqtt::{Client, Listener, Notice};
use crate::hal::{Attempt, Connected, Endpoint, Platform};

/// A machine with one MQTT server and one web server in reach.
pub(crate) struct Machine {
    pub(crate) mqtt: Simulation,
    pub(crate) http: Arc<World>,
    web: Arc<dyn Platform>,
    /// What it gives for a random number.
    pub(crate) random: AtomicU64,
}

impl Machine {
    /// A machine whose web server answers its requests with `responder`.
    pub(crate) fn new(responder: impl FnMut(usize, &str) -> Answer + Send + 'static) -> Arc<Self> {
        let http = World::new(Traits::default(), responder);
        let mqtt = Simulation::default();
        mqtt.world().clock = http.clock.clone();
        Arc::new(Machine { mqtt, web: http.platform(), http, random: AtomicU64::new(0) })
    }

    /// A client that has connected.
    pub(crate) fn client(self: &Arc<Self>) -> Arc<Client> {
        self.client_with(Quiet)
    }

    /// A client that has connected and whose owner is `listener`.
    pub(crate) fn client_with(self: &Arc<Self>, listener: impl Listener + 'static) -> Arc<Client> {
        let client = Client::offline(self.clone(), setup(listener, Box::new(())));
        client.connect().unwrap();
        client
    }

    /// Takes what the device has published on `topic` since the last call: QoS and payload.
    pub(crate) fn take_published(&self, topic: &str) -> Vec<(u8, String)> {
        let mut taken = Vec::new();
        self.mqtt.world().received.retain(|packet| match packet {
            Packet::Publish(publish) if publish.topic == topic => {
                taken.push((publish.qos as u8, String::from_utf8(publish.payload.to_vec()).unwrap()));
                false
            }
            _ => true,
        });
        taken
    }

    /// Sends the device a message, and lets it take it.
    pub(crate) fn send(&self, client: &Arc<Client>, topic: &str, payload: &[u8]) {
        self.mqtt.world().publish(0, topic, payload);
        let _ = client.yield_for(1);
    }

    pub(crate) fn ms(&self) -> u64 {
        self.http.ms()
    }
}

/// A program that listens to nothing.
struct Quiet;

impl Listener for Quiet {
    fn notice(&self, _: &Arc<Client>, _: Notice<'_>) {}
}

impl Machine {
    fn platform_for(&self, endpoint: &Endpoint) -> &dyn Platform {
        if endpoint.port == MQTT_PORT {
            &self.mqtt
        } else {
            &*self.web
        }
    }
}

impl Platform for Machine {
    fn now(&self) -> Millis {
        self.mqtt.now()
    }

    fn sleep(&self, ms: u32) {
        self.mqtt.sleep(ms);
    }

    fn connect(&self, endpoint: &Endpoint) -> Connected {
        self.platform_for(endpoint).connect(endpoint)
    }

    fn begin_connect(&self, endpoint: &Endpoint) -> Box<dyn Attempt> {
        self.platform_for(endpoint).begin_connect(endpoint)
    }

    fn random(&self) -> u64 {
        self.random.load(Ordering::Relaxed)
    }
}
