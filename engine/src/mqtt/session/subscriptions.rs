//! Subscriptions: they outlive connections, and what the server granted once is asked for until it is taken away.

use rumqttc::mqttbytes::v4::{Packet, Subscribe, Unsubscribe};

use super::{Awaited, Event, Link, QoS, Refusal, Session};
use crate::time::Millis;
use crate::topic::{is_filter, MAX_TOPIC_LEN};

/// Most subscriptions.
pub const MAX_SUBSCRIPTIONS: usize = 10;
/// How long to wait before a subscription is asked for again that the server granted once and refuses now.
const ASK_AGAIN_MS: u64 = 60_000;

#[derive(Debug)]
pub(super) struct Subscription<H> {
    pub(super) key: u64,
    pub(super) filter: String,
    pub(super) qos: QoS,
    pub(super) handler: H,
    /// A SUBACK came since the link is up.
    pub(super) ready: bool,
    /// A SUBACK came at some time: the subscription stays until it is taken away.
    pub(super) established: bool,
    /// When to ask for it again.
    pub(super) ask_again: Option<Millis>,
    /// What the last SUBSCRIBE for it replaced.
    replaced: Option<(H, QoS)>,
}

impl<H: Clone> Session<H> {
    /// Whether the subscription with this key still exists: its news are to be handed on only then.
    #[must_use]
    pub fn has_subscription(&self, key: u64) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.key == key)
    }

    /// Subscribes. `same` tells whether an existing subscription to the same filter is meant: its handler is replaced
    /// then. Returns the packet id.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn subscribe(
        &mut self,
        now: Millis,
        filter: &str,
        qos: QoS,
        handler: H,
        same: impl Fn(&H, &H) -> bool,
    ) -> Result<u16, Refusal> {
        if filter.len() > MAX_TOPIC_LEN {
            return Err(Refusal::TopicTooLong);
        }
        if !is_filter(filter) {
            return Err(Refusal::BadTopic);
        }
        if self.link != Link::Up {
            return Err(Refusal::NotConnected);
        }
        let known =
            self.subscriptions.iter_mut().find(|known| known.filter == filter && same(&known.handler, &handler));
        let key = if let Some(known) = known {
            known.replaced =
                Some((std::mem::replace(&mut known.handler, handler), std::mem::replace(&mut known.qos, qos)));
            known.key
        } else {
            if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
                return Err(Refusal::TooManySubscriptions);
            }
            let key = self.next_key;
            self.next_key += 1;
            let filter = filter.to_owned();
            self.subscriptions.push(Subscription {
                key,
                filter,
                qos,
                handler,
                ready: false,
                established: false,
                ask_again: None,
                replaced: None,
            });
            key
        };
        Ok(self.send_subscribe(now, key, filter, qos))
    }

    /// Takes back the request with this packet id, which could not be sent: nothing is heard of it any more, and a
    /// subscription is what it was before.
    pub fn withdraw(&mut self, id: u16) {
        let Some(index) = self.pending.iter().position(|pending| pending.id == id) else {
            return;
        };
        let Awaited::Suback(key) = self.pending.swap_remove(index).awaited else {
            return;
        };
        let Some(index) = self.subscriptions.iter().position(|known| known.key == key) else {
            return;
        };
        let known = &mut self.subscriptions[index];
        if let Some((handler, qos)) = known.replaced.take() {
            known.handler = handler;
            known.qos = qos;
        }
        if !known.established {
            self.drop_unless_asked_for(index);
        }
    }

    /// Takes away every subscription to `filter`. Returns the packet id. Whatever it returns,
    /// [`take_removed`](Self::take_removed) has what was taken away.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn unsubscribe(&mut self, now: Millis, filter: &str) -> Result<u16, Refusal> {
        if filter.len() > MAX_TOPIC_LEN {
            return Err(Refusal::TopicTooLong);
        }
        if !self.subscriptions.iter().any(|subscription| subscription.filter == filter) {
            return Err(Refusal::UnknownTopic);
        }
        let mut removed = Vec::new();
        self.subscriptions.retain(|subscription| {
            let keep = subscription.filter != filter;
            if !keep {
                removed.push((subscription.key, subscription.handler.clone()));
            }
            keep
        });
        for (key, handler) in removed {
            self.pending.retain(|pending| pending.awaited != Awaited::Suback(key));
            self.removed.push(handler);
        }
        // Without a link the subscription is gone all the same: it is not made again.
        if self.link != Link::Up {
            return Err(Refusal::NotConnected);
        }
        let id = self.next_id();
        self.await_ack(now, id, Awaited::Unsuback);
        let mut packet = Unsubscribe::new(filter);
        packet.pkid = id;
        self.write(&Packet::Unsubscribe(packet));
        Ok(id)
    }

    /// What [`unsubscribe`](Self::unsubscribe) took away. To be told before the caller of it goes on: from then on, what
    /// belongs to a subscription may be gone.
    #[must_use]
    pub fn take_removed(&mut self) -> Vec<H> {
        std::mem::take(&mut self.removed)
    }

    /// Whether a SUBACK for `filter` is in.
    #[must_use]
    pub fn is_subscribed(&self, filter: &str) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.filter == filter && subscription.ready)
    }

    pub(super) fn subscribe_again(&mut self, now: Millis) {
        self.pending.retain(|pending| !matches!(pending.awaited, Awaited::Suback(_)));
        self.send_subscribes(now, |_| true);
    }

    /// A new subscription that is refused is dropped. One that was granted before is asked for again later: the server may
    /// only be out of order, and the device would silently stay without its messages.
    pub(super) fn suback(&mut self, now: Millis, key: u64, id: u16, granted: bool) {
        let Some(index) = self.subscriptions.iter().position(|known| known.key == key) else {
            return;
        };
        if granted {
            let known = &mut self.subscriptions[index];
            known.ready = true;
            known.established = true;
            self.events.push_back(Event::Subscribed(id, known.handler.clone()));
        } else if self.subscriptions[index].established {
            let known = &mut self.subscriptions[index];
            known.ready = false;
            known.ask_again = Some(now + ASK_AGAIN_MS);
            self.events.push_back(Event::SubscribeRefused(id, known.handler.clone()));
        } else {
            self.events.push_back(Event::SubscribeRefused(id, self.subscriptions[index].handler.clone()));
            self.drop_unless_asked_for(index);
        }
    }

    /// Another SUBSCRIBE for the same subscription, which is still to be answered, keeps it.
    fn drop_unless_asked_for(&mut self, index: usize) {
        let awaited = Awaited::Suback(self.subscriptions[index].key);
        if !self.pending.iter().any(|pending| pending.awaited == awaited) {
            self.subscriptions.remove(index);
        }
    }

    /// A new subscription without a SUBACK is dropped. One that was made before is asked for again, else the device
    /// would silently stay without its messages after a reconnect.
    pub(super) fn suback_timed_out(&mut self, now: Millis, key: u64, id: u16) {
        let Some(index) = self.subscriptions.iter().position(|known| known.key == key) else {
            return;
        };
        let known = &mut self.subscriptions[index];
        self.events.push_back(Event::SubscribeTimedOut(id, known.handler.clone()));
        if known.established {
            // Not at once: a caller that asks again when it hears of this would double the requests each time.
            known.ask_again = Some(now + 1);
        } else {
            self.drop_unless_asked_for(index);
        }
    }

    pub(super) fn ask_again(&mut self, now: Millis) {
        self.send_subscribes(now, |known| known.ask_again.is_some_and(|at| now >= at));
    }

    fn send_subscribes(&mut self, now: Millis, wanted: impl Fn(&Subscription<H>) -> bool) {
        let wanted = self.subscriptions.iter().filter(|known| wanted(known));
        let again: Vec<_> = wanted.map(|known| (known.key, known.filter.clone(), known.qos)).collect();
        for (key, filter, qos) in again {
            self.send_subscribe(now, key, &filter, qos);
        }
    }

    fn send_subscribe(&mut self, now: Millis, key: u64, filter: &str, qos: QoS) -> u16 {
        for known in self.subscriptions.iter_mut().filter(|known| known.key == key) {
            known.ask_again = None;
        }
        let id = self.next_id();
        self.await_ack(now, id, Awaited::Suback(key));
        let mut packet = Subscribe::new(filter, qos.into());
        packet.pkid = id;
        self.write(&Packet::Subscribe(packet));
        id
    }
}
