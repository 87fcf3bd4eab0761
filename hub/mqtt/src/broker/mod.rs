//! A small MQTT 3.1.1 broker: sessions and who gets what. Its connections are in `connection`.
//!
//! Retained messages are delivered but not kept. Sessions that are not clean keep their subscriptions and their
//! unacknowledged messages for as long as the hub runs.

mod connection;
pub mod limit;
pub mod listener;
mod session;
mod websocket;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use tokio::sync::{mpsc, Notify};

use hub_core::ports::{Admission, Downlink, LinkFigures};
use hub_fault::Faults;

use limit::Limiter;
use session::MqttSession;

/// Messages that may wait for one connection before it counts as stuck and is cut.
const LINK_QUEUE: usize = 1024;

/// What the broker's connections have to do with.
#[derive(Clone)]
pub struct Side {
    /// Lets devices in, and takes in what they say.
    pub hub: Arc<dyn Admission>,
    /// The sessions.
    pub broker: Arc<Broker>,
    /// How they misbehave.
    pub faults: Arc<Faults>,
    /// What one device may cost.
    pub limiter: Arc<Limiter>,
}

/// Every session by client id. Any thread may call it; no call waits for the network.
#[derive(Default)]
pub struct Broker(Mutex<State>);

#[derive(Default)]
struct State {
    sessions: HashMap<String, MqttSession>,
    links: u64,
}

/// The broker's end of one connection.
struct Link {
    id: u64,
    sender: mpsc::Sender<Publish>,
    cut: Arc<Notify>,
}

/// The connection's end.
pub struct Attachment {
    /// Tells this connection from the ones before and after it.
    pub id: u64,
    /// Messages to send, packet ids assigned.
    pub receiver: mpsc::Receiver<Publish>,
    /// Rings when the connection must be closed at once.
    pub cut: Arc<Notify>,
    /// The broker still had a session of this client.
    pub session_present: bool,
    /// Another connection of the same client was closed for this one.
    pub took_over: bool,
}

impl Broker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins (or goes on with) a session. The old connection of the same client is cut.
    pub fn attach(&self, client_id: &str, clean: bool) -> Attachment {
        let mut state = self.state();
        state.links += 1;
        let id = state.links;
        let (sender, receiver) = mpsc::channel(LINK_QUEUE);
        let cut = Arc::new(Notify::new());
        let old = state.sessions.remove(client_id);
        let took_over = old.as_ref().is_some_and(MqttSession::cut);
        let kept = old.filter(|old| !clean && !old.clean);
        let session_present = kept.is_some();
        let mut session = kept.unwrap_or_else(|| MqttSession::new(clean));
        session.resume(Link { id, sender, cut: cut.clone() });
        state.sessions.insert(client_id.to_owned(), session);
        Attachment { id, receiver, cut, session_present, took_over }
    }

    /// Ends a connection. False where another connection has already taken the session over.
    pub fn detach(&self, client_id: &str, id: u64) -> bool {
        let mut state = self.state();
        let Some(session) = state.sessions.get_mut(client_id).filter(|session| session.is_link(id)) else {
            return false;
        };
        session.suspend();
        if session.clean {
            state.sessions.remove(client_id);
        }
        true
    }

    /// Cuts a client's connection. False where it has none.
    pub fn cut(&self, client_id: &str) -> bool {
        self.state().sessions.get(client_id).is_some_and(MqttSession::cut)
    }

    /// Cuts a client's connection, and keeps nothing of its session beyond it.
    pub fn forget(&self, client_id: &str) {
        let mut state = self.state();
        if let Some(session) = state.sessions.get_mut(client_id) {
            session.clean = true;
            if !session.cut() {
                state.sessions.remove(client_id);
            }
        }
    }

    /// Whether a client's session has a subscription for a topic.
    pub fn listens(&self, client_id: &str, topic: &str) -> bool {
        self.state().sessions.get(client_id).is_some_and(|session| session.listens(topic))
    }

    /// Cuts every connection.
    pub fn cut_all(&self) {
        for session in self.state().sessions.values() {
            session.cut();
        }
    }

    /// Whether a client is connected.
    pub fn is_online(&self, client_id: &str) -> bool {
        self.state().sessions.get(client_id).is_some_and(MqttSession::is_online)
    }

    /// Adds or replaces a subscription.
    pub fn subscribe(&self, client_id: &str, filter: &str, qos: QoS) {
        if let Some(session) = self.state().sessions.get_mut(client_id) {
            session.subscribe(filter, qos);
        }
    }

    /// Removes a subscription, if there is one.
    pub fn unsubscribe(&self, client_id: &str, filter: &str) {
        if let Some(session) = self.state().sessions.get_mut(client_id) {
            session.unsubscribe(filter);
        }
    }

    /// The client has acknowledged a message.
    pub fn acknowledge(&self, client_id: &str, packet_id: u16) {
        if let Some(session) = self.state().sessions.get_mut(client_id) {
            session.acknowledge(packet_id);
        }
    }

    /// Delivers a message to every session that has subscribed to it. Returns how many there were.
    pub fn publish(&self, message: &Publish) -> usize {
        let mut state = self.state();
        state.sessions.values_mut().map(|session| usize::from(session.publish(message))).sum()
    }
}

impl Downlink for Broker {
    fn send(&self, message: Publish) -> bool {
        self.publish(&message) > 0
    }

    fn send_command(&self, message: Publish, _job: i64) -> bool {
        self.send(message)
    }

    fn pass_on(&self, message: &Publish) {
        self.publish(message);
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn may_repeat(&self) -> bool {
        true
    }

    fn is_online(&self, client_id: &str) -> Option<bool> {
        Some(Broker::is_online(self, client_id))
    }

    fn figures(&self) -> LinkFigures {
        let state = self.state();
        let online = state.sessions.values().filter(|session| session.is_online()).count() as u64;
        let queued = state.sessions.values().map(MqttSession::queued).sum::<usize>() as u64;
        LinkFigures { online: Some(online), queued, hubs: None, connected: true }
    }

    fn listens(&self, client_id: &str, topic: &str) -> bool {
        Broker::listens(self, client_id, topic)
    }

    fn cut(&self, client_id: &str) -> Result<(), String> {
        Broker::cut(self, client_id).then_some(()).ok_or_else(|| format!("{client_id} is not connected"))
    }

    fn forget(&self, client_id: &str) {
        Broker::forget(self, client_id);
    }

    fn revoke(&self, client_id: &str, is_over: &dyn Fn(&str) -> bool) {
        if let Some(session) = self.state().sessions.get_mut(client_id) {
            session.revoke(is_over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, qos: QoS) -> Publish {
        Publish::new(topic, qos, "x")
    }

    fn received(attachment: &mut Attachment) -> Vec<(String, QoS, u16, bool)> {
        std::iter::from_fn(|| attachment.receiver.try_recv().ok()).map(|p| (p.topic, p.qos, p.pkid, p.dup)).collect()
    }

    #[test]
    fn delivers_once_at_the_lower_quality() {
        let broker = Broker::default();
        let mut one = broker.attach("one", true);
        broker.subscribe("one", "$ota/#", QoS::AtMostOnce);
        broker.subscribe("one", "$ota/update/+/d", QoS::AtLeastOnce);
        assert_eq!(broker.publish(&message("$ota/update/P/d", QoS::AtLeastOnce)), 1);
        assert_eq!(received(&mut one), [("$ota/update/P/d".to_owned(), QoS::AtLeastOnce, 1, false)]);
        broker.publish(&message("$ota/update/P/e", QoS::AtLeastOnce));
        assert_eq!(received(&mut one), [("$ota/update/P/e".to_owned(), QoS::AtMostOnce, 0, false)]);
        broker.unsubscribe("one", "$ota/#");
        assert_eq!(broker.publish(&message("$ota/update/P/e", QoS::AtLeastOnce)), 0);
    }

    #[test]
    fn a_second_connection_takes_over() {
        let broker = Broker::default();
        let first = broker.attach("one", true);
        let second = broker.attach("one", true);
        assert!(second.took_over && !first.took_over);
        assert!(!broker.detach("one", first.id));
        assert!(broker.is_online("one"));
        assert!(broker.detach("one", second.id));
        assert!(!broker.is_online("one"));
    }

    #[test]
    fn a_kept_session_gets_what_it_missed() {
        let broker = Broker::default();
        let mut first = broker.attach("one", false);
        broker.subscribe("one", "a", QoS::AtLeastOnce);
        broker.publish(&message("a", QoS::AtLeastOnce));
        broker.publish(&message("a", QoS::AtLeastOnce));
        assert_eq!(received(&mut first).len(), 2);
        broker.acknowledge("one", 1);
        broker.detach("one", first.id);
        broker.publish(&message("a", QoS::AtLeastOnce));
        broker.publish(&message("a", QoS::AtMostOnce));
        let mut second = broker.attach("one", false);
        assert!(second.session_present);
        let again: Vec<_> = received(&mut second).into_iter().map(|(_, _, id, dup)| (id, dup)).collect();
        assert_eq!(again, [(2, true), (3, false)]);
        broker.detach("one", second.id);
        assert!(!broker.attach("one", true).session_present);
    }

    #[test]
    fn a_stuck_connection_is_cut() {
        let broker = Broker::default();
        let one = broker.attach("one", true);
        broker.subscribe("one", "a", QoS::AtMostOnce);
        for _ in 0..=LINK_QUEUE {
            broker.publish(&message("a", QoS::AtMostOnce));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(one.cut.notified());
    }
}
