//! One client's session: its subscriptions and the messages it has not acknowledged.

use std::collections::BTreeMap;

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;

use super::Link;
use crate::topic;

/// Unacknowledged messages kept for a session; more are dropped.
const MAX_WAITING: usize = 1000;

pub(super) struct MqttSession {
    /// Ends with its connection.
    pub(super) clean: bool,
    subscriptions: Vec<(String, QoS)>,
    /// By order of arrival; a packet id can come round again.
    waiting: BTreeMap<u64, Waiting>,
    arrivals: u64,
    last_id: u16,
    link: Option<Link>,
}

struct Waiting {
    message: Publish,
    sent: bool,
}

impl MqttSession {
    pub(super) fn new(clean: bool) -> Self {
        MqttSession { clean, subscriptions: Vec::new(), waiting: BTreeMap::new(), arrivals: 0, last_id: 0, link: None }
    }

    pub(super) fn is_link(&self, id: u64) -> bool {
        self.link.as_ref().is_some_and(|link| link.id == id)
    }

    pub(super) fn is_online(&self) -> bool {
        self.link.is_some()
    }

    /// Messages that wait for the connection, or for the device's acknowledgement.
    pub(super) fn queued(&self) -> usize {
        let unsent = self.link.as_ref().map_or(0, |link| link.sender.max_capacity() - link.sender.capacity());
        unsent.max(self.waiting.len())
    }

    /// Has the connection closed. False where there is none.
    pub(super) fn cut(&self) -> bool {
        self.link.as_ref().inspect(|link| link.cut.notify_one()).is_some()
    }

    /// The connection is gone.
    pub(super) fn suspend(&mut self) {
        self.link = None;
    }

    /// A connection is there: what waits goes out, first of all and in order.
    pub(super) fn resume(&mut self, link: Link) {
        for waiting in self.waiting.values_mut() {
            waiting.message.dup = waiting.sent;
            waiting.sent = link.sender.try_send(waiting.message.clone()).is_ok() || waiting.sent;
        }
        self.link = Some(link);
    }

    pub(super) fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.unsubscribe(filter);
        self.subscriptions.push((filter.to_owned(), qos));
    }

    pub(super) fn unsubscribe(&mut self, filter: &str) {
        self.subscriptions.retain(|(own, _)| own != filter);
    }

    pub(super) fn revoke(&mut self, is_over: &dyn Fn(&str) -> bool) {
        self.subscriptions.retain(|(filter, _)| !is_over(filter));
    }

    pub(super) fn listens(&self, topic: &str) -> bool {
        self.subscriptions.iter().any(|(filter, _)| topic::matches(filter, topic))
    }

    pub(super) fn acknowledge(&mut self, packet_id: u16) {
        self.waiting.retain(|_, waiting| waiting.message.pkid != packet_id);
    }

    /// Delivers a message if there is a subscription for it, at the best quality of those that match.
    pub(super) fn publish(&mut self, message: &Publish) -> bool {
        let matching = self.subscriptions.iter().filter(|(filter, _)| topic::matches(filter, &message.topic));
        let Some(granted) = matching.map(|(_, qos)| *qos).reduce(|a, b| if a < b { b } else { a }) else {
            return false;
        };
        let mut own = Publish { dup: false, retain: false, pkid: 0, ..message.clone() };
        if granted < own.qos {
            own.qos = granted;
        }
        if own.qos == QoS::AtMostOnce {
            self.send(own);
            return true;
        }
        let Some(id) = self.free_id().filter(|_| self.waiting.len() < MAX_WAITING) else {
            return true;
        };
        own.pkid = id;
        let sent = self.send(own.clone());
        self.arrivals += 1;
        self.waiting.insert(self.arrivals, Waiting { message: own, sent });
        true
    }

    fn send(&self, message: Publish) -> bool {
        let Some(link) = &self.link else {
            return false;
        };
        let sent = link.sender.try_send(message).is_ok();
        if !sent {
            link.cut.notify_one();
        }
        sent
    }

    fn free_id(&mut self) -> Option<u16> {
        for _ in 0..=MAX_WAITING {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.waiting.values().all(|waiting| waiting.message.pkid != self.last_id) {
                return Some(self.last_id);
            }
        }
        None
    }
}
