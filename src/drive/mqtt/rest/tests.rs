//! Rests in virtual time: what happens while the device rests happens in a hook.

use std::sync::{Arc, Mutex};

use iot_engine::mqtt::QoS;
use rumqttc::mqttbytes::v4::Packet;

use super::*;
use crate::drive::error::Error;
use crate::drive::mqtt::{Driven, Listener, Notice};
use crate::drive::testing::mqtt_server::{setup, Simulation};

const KEEP_ALIVE_MS: u32 = 240_000;
const COMMAND_MS: u32 = 5000;
const ROUND_MS: u64 = 500;

struct Quiet;

impl Listener for Quiet {
    fn notice(&self, _: &Arc<Client>, _: Notice<'_>) {}
}

/// How long each rest was to be.
type Rests = Arc<Mutex<Vec<u32>>>;

/// A connected client whose platform has the wait. `during` happens in the first rest.
fn resting(during: impl FnOnce(&Arc<Client>) + Send + 'static) -> (Simulation, Arc<Client>, Rests) {
    let simulation = Simulation::default();
    let client = Client::offline(Arc::new(simulation.clone()), setup(Quiet, Box::new(())));
    client.connect().unwrap();
    let rests = Rests::default();
    let (seen, during, weak) = (Arc::clone(&rests), Mutex::new(Some(during)), Arc::downgrade(&client));
    simulation.world().on_rest = Some(Arc::new(move |ms| {
        seen.lock().unwrap().push(ms);
        let first = during.lock().unwrap().take();
        if let (Some(during), Some(client)) = (first, weak.upgrade()) {
            during(&client);
        }
    }));
    (simulation, client, rests)
}

/// A round of the loop thread.
fn round(client: &Arc<Client>) -> Result<Driven, Error> {
    client.pump_until(client.platform().now() + ROUND_MS, &|| true, &|| false)
}

#[test]
fn an_idle_loop_rests_until_the_next_ping_is_due() {
    let (simulation, client, rests) = resting(|_| {});
    round(&client).unwrap();
    assert_eq!(*rests.lock().unwrap(), [KEEP_ALIVE_MS]);
    assert_eq!(simulation.ms(), u64::from(KEEP_ALIVE_MS));
    while simulation.ms() < 3_600_000 {
        round(&client).unwrap();
    }
    let rests = rests.lock().unwrap().len();
    assert!(rests <= 3 * 3_600_000 / KEEP_ALIVE_MS as usize, "{rests} in an hour");
    assert!(client.is_connected());
}

#[test]
fn a_yield_rests_once_and_returns_in_time() {
    let (simulation, client, rests) = resting(|_| {});
    let begin = simulation.ms();
    assert_eq!(client.yield_for(70_000), Ok(Driven::Done));
    assert_eq!(simulation.ms() - begin, 70_000);
    assert_eq!(*rests.lock().unwrap(), [70_000]);
}

#[test]
fn a_message_is_taken_as_it_comes() {
    let (simulation, client, rests) = resting(|_| {});
    simulation.world().latency_ms = 1000;
    simulation.world().publish(0, "a/topic", b"on");
    round(&client).unwrap();
    assert_eq!(simulation.ms(), 1000);
    assert_eq!(rests.lock().unwrap().len(), 1);
}

#[test]
fn a_publish_of_another_thread_ends_the_rest_and_its_answer_is_waited_for() {
    let (simulation, client, rests) = resting(|client| {
        client.publish("a/topic", QoS::AtLeastOnce, b"on").unwrap();
    });
    simulation.world().mute = true;
    round(&client).unwrap();
    round(&client).unwrap();
    let next = rests.lock().unwrap()[1];
    assert!((1..=COMMAND_MS).contains(&next), "{next}");
}

#[test]
fn a_services_date_ends_the_rest() {
    let (_, client, rests) = resting(|client| client.wake_at(client.platform().now() + 700));
    round(&client).unwrap();
    round(&client).unwrap();
    let next = rests.lock().unwrap()[1];
    assert!((1..=700).contains(&next), "{next}");
}

#[cfg(feature = "multithread")]
#[test]
fn who_stops_the_loop_ends_the_rest() {
    let (simulation, client, _) = resting(|client| client.set_loop_status(false));
    let runs = std::cell::Cell::new(true);
    client.pump_until(client.platform().now() + ROUND_MS, &|| runs.replace(false), &|| false).unwrap();
    assert_eq!(simulation.ms(), ROUND_MS, "the rest of the round, and no more");
}

#[test]
fn who_destroys_the_client_ends_the_rest() {
    let (simulation, client, _) = resting(Client::destroy);
    assert_eq!(round(&client), Ok(Driven::Closed));
    assert_eq!(simulation.ms(), 0);
}

#[test]
fn a_link_that_another_thread_gives_up_ends_the_rest() {
    let (simulation, client, _) = resting(|client| {
        client.broken(Error::WriteTimedOut);
    });
    assert_eq!(round(&client), Err(Error::Reconnecting));
    assert!(simulation.ms() <= 2 * ROUND_MS);
}

#[test]
fn what_has_changed_before_the_rest_is_seen() {
    let (_, client, rests) = resting(|_| {});
    // As late as it can be for somebody who does not see the rest.
    let asked = Mutex::new(0);
    let may_rest = || {
        *asked.lock().unwrap() += 1;
        client.wake_at(client.platform().now() + 300);
        true
    };
    client.pump_until(client.platform().now() + ROUND_MS, &may_rest, &|| false).unwrap();
    assert!(*asked.lock().unwrap() > 0);
    assert_eq!(rests.lock().unwrap()[0], 300);
}

#[test]
fn nobody_rests_while_bytes_wait_to_be_written() {
    let (simulation, client, rests) = resting(|_| {});
    simulation.world().room = Some(0);
    client.publish_without_waiting("a/topic", b"on").unwrap();
    round(&client).unwrap();
    assert!(rests.lock().unwrap().is_empty());
    simulation.world().room = None;
    round(&client).unwrap();
    assert!(matches!(simulation.world().received[1], Packet::Publish(_)));
    assert!(!rests.lock().unwrap().is_empty());
}

#[test]
fn a_platform_without_the_wait_is_asked_as_ever() {
    let (simulation, client, _) = resting(|_| {});
    simulation.world().on_rest = None;
    let before = simulation.world().in_vain;
    for _ in 0..4 {
        round(&client).unwrap();
    }
    assert_eq!(simulation.world().in_vain - before, 4);
    assert_eq!(simulation.ms(), 4 * ROUND_MS);
}
