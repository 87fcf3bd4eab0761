//! Subscriptions. They outlive connections: one that the server has granted is asked for again after each reconnect, until
//! it is taken away.

use super::super::{memory, packet};
use super::{Awaited, Event, LinkState, QoS, Refusal, Session};
use crate::time::Millis;
use crate::topic::{is_filter, matches, MAX_TOPIC_LEN};

/// Most subscriptions of the program. Those that the library's own services make do not count.
pub const MAX_SUBSCRIPTIONS: usize = 10;
/// A subscription that was granted before and is refused now is asked for again after this time.
const ASK_AGAIN_MS: u64 = 60_000;

/// Whose subscription it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Program,
    /// A service of the library.
    Service,
}

#[derive(Debug)]
pub(super) struct Subscription<H> {
    pub(super) key: u64,
    pub(super) owner: Owner,
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
    /// Who gets a message on `topic`: every service that subscribed to it, and the first subscription of the program that
    /// matches and has a message handler, as `takes_messages` knows. With nobody in it, it is for the global handler.
    #[must_use]
    pub fn recipients(&self, topic: &str, takes_messages: impl Fn(&H) -> bool) -> Vec<H> {
        let matching = |owner| {
            self.subscriptions.iter().filter(move |known| known.owner == owner && matches(topic, &known.filter))
        };
        let programs = matching(Owner::Program).find(|known| takes_messages(&known.handler));
        matching(Owner::Service).chain(programs).map(|known| known.handler.clone()).collect()
    }

    /// Subscribes for the program. `same` tells whether an existing subscription to the same filter is meant: its handler is replaced
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
        self.check_filter(filter)?;
        let mut programs = self.subscriptions.iter_mut().filter(|known| known.owner == Owner::Program);
        let known = programs.find(|known| known.filter == filter && same(&known.handler, &handler));
        let key = if let Some(known) = known {
            known.replaced =
                Some((std::mem::replace(&mut known.handler, handler), std::mem::replace(&mut known.qos, qos)));
            known.key
        } else {
            let programs = self.subscriptions.iter().filter(|known| known.owner == Owner::Program);
            if programs.count() >= MAX_SUBSCRIPTIONS {
                return Err(Refusal::TooManySubscriptions);
            }
            self.add(Owner::Program, filter, qos, handler)
        };
        Ok(self.send_subscribe(now, key, filter))
    }

    /// Subscribes for a service of the library. It does not count among the program's subscriptions, and several may have
    /// the same filter. Returns the packet id and the key of the subscription.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn subscribe_for_service(
        &mut self,
        now: Millis,
        filter: &str,
        qos: QoS,
        handler: H,
    ) -> Result<(u16, u64), Refusal> {
        self.check_filter(filter)?;
        let key = self.add(Owner::Service, filter, qos, handler);
        Ok((self.send_subscribe(now, key, filter), key))
    }

    fn check_filter(&mut self, filter: &str) -> Result<(), Refusal> {
        if filter.len() > MAX_TOPIC_LEN {
            return Err(Refusal::TopicTooLong);
        }
        if !is_filter(filter) {
            return Err(Refusal::BadTopic);
        }
        if self.link != LinkState::Up {
            return Err(Refusal::NotConnected);
        }
        // Room for the packet, so that what follows can't fail half-way.
        Ok(memory::reserve(&mut self.output, filter.len() + 16)?)
    }

    fn add(&mut self, owner: Owner, filter: &str, qos: QoS, handler: H) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.subscriptions.push(Subscription {
            key,
            owner,
            filter: filter.to_owned(),
            qos,
            handler,
            ready: false,
            established: false,
            ask_again: None,
            replaced: None,
        });
        key
    }

    /// Takes back the request with this packet id, which could not be sent. It brings no event, and a subscription is what
    /// it was before.
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

    /// Takes away every subscription of the program to `filter`. Returns the packet id. What was taken away is then in
    /// [`take_removed`](Self::take_removed), also after an error.
    ///
    /// # Errors
    /// Nothing was sent.
    pub fn unsubscribe(&mut self, now: Millis, filter: &str) -> Result<u16, Refusal> {
        if filter.len() > MAX_TOPIC_LEN {
            return Err(Refusal::TopicTooLong);
        }
        let is_meant = |known: &Subscription<H>| known.owner == Owner::Program && known.filter == filter;
        let mut found = false;
        while let Some(index) = self.subscriptions.iter().position(is_meant) {
            let handler = self.remove(index);
            self.removed.push(handler);
            found = true;
        }
        if !found {
            return Err(Refusal::UnknownTopic);
        }
        // Without a link the subscription is gone all the same: it is not made again.
        if self.link != LinkState::Up {
            return Err(Refusal::NotConnected);
        }
        if self.subscriptions.iter().any(|known| known.filter == filter) {
            // A service needs the filter, so the server keeps it. The program hears of an UNSUBACK all the same.
            let id = self.next_id();
            self.events.push_back(Event::Unsubscribed(id));
            return Ok(id);
        }
        Ok(self.send_unsubscribe(now, filter, true))
    }

    /// Takes away a service's subscription. The server is told where nobody else has the same filter; with
    /// `tells_program` the program hears of its answer. Returns the packet id, if there is one.
    pub fn unsubscribe_for_service(&mut self, now: Millis, key: u64, tells_program: bool) -> Option<u16> {
        let index = self.subscriptions.iter().position(|known| known.key == key)?;
        let filter = self.subscriptions[index].filter.clone();
        self.remove(index);
        let is_last = !self.subscriptions.iter().any(|known| known.filter == filter);
        (is_last && self.link == LinkState::Up).then(|| self.send_unsubscribe(now, &filter, tells_program))
    }

    fn remove(&mut self, index: usize) -> H {
        let Subscription { key, handler, .. } = self.subscriptions.remove(index);
        self.pending.retain(|pending| pending.awaited != Awaited::Suback(key));
        handler
    }

    fn send_unsubscribe(&mut self, now: Millis, filter: &str, tells_program: bool) -> u16 {
        let id = self.next_id();
        self.await_ack(now, id, Awaited::Unsuback { tells_program });
        self.write(|out| packet::write_unsubscribe(out, id, filter));
        id
    }

    /// The handlers that [`unsubscribe`](Self::unsubscribe) took away. They must be told before its caller returns: after
    /// that, the program may free what they use.
    #[must_use]
    pub fn take_removed(&mut self) -> Vec<H> {
        std::mem::take(&mut self.removed)
    }

    /// Whether a SUBACK for `filter` is in.
    #[must_use]
    pub fn is_subscribed(&self, filter: &str) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.filter == filter && subscription.ready)
    }

    /// What `look` finds first in the program's subscriptions to `filter`.
    #[must_use]
    pub fn find_subscription<T>(&self, filter: &str, look: impl Fn(&H) -> Option<T>) -> Option<T> {
        let is_meant = |known: &&Subscription<H>| known.owner == Owner::Program && known.filter == filter;
        self.subscriptions.iter().filter(is_meant).find_map(|known| look(&known.handler))
    }

    /// Whether a SUBACK for the subscription with this key is in.
    #[must_use]
    pub fn is_ready(&self, key: u64) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.key == key && subscription.ready)
    }

    /// Has a service be one of [`services`](Self::services) until the end, with a subscription or without.
    pub fn attach(&mut self, handler: H) {
        self.attached.push(handler);
    }

    /// The services that have a subscription, and those that are attached.
    #[must_use]
    pub fn services(&self) -> Vec<H> {
        let services = self.subscriptions.iter().filter(|known| known.owner == Owner::Service);
        services.map(|known| &known.handler).chain(&self.attached).cloned().collect()
    }

    pub(super) fn subscribe_again(&mut self, now: Millis) {
        self.pending.retain(|pending| !matches!(pending.awaited, Awaited::Suback(_)));
        self.send_subscribes(now, |_| true);
    }

    /// A new subscription that is refused is dropped. One that was granted before is asked for again later: the server may
    /// refuse for a passing reason, and without it the device gets no commands.
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

    /// A new subscription without a SUBACK is dropped. One that was granted before is asked for again: without it the
    /// device gets no commands after a reconnect.
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
        let again: Vec<_> = wanted.map(|known| (known.key, known.filter.clone())).collect();
        for (key, filter) in again {
            let id = self.send_subscribe(now, key, &filter);
            self.repeated.push((id, filter));
        }
    }

    /// Packet ids and filters of SUBSCRIBEs that the session has sent by itself, for the log.
    #[must_use]
    pub fn take_repeated(&mut self) -> Vec<(u16, String)> {
        std::mem::take(&mut self.repeated)
    }

    /// Asks for the highest QoS that anybody wants for `filter`: to the server it is one subscription, and the last
    /// SUBSCRIBE decides (MQTT 3.1.1 section 3.8.4).
    fn send_subscribe(&mut self, now: Millis, key: u64, filter: &str) -> u16 {
        let wanted = self.subscriptions.iter().filter(|known| known.filter == filter).map(|known| known.qos);
        let qos = wanted.max().unwrap_or(QoS::AtMostOnce);
        for known in self.subscriptions.iter_mut().filter(|known| known.key == key) {
            known.ask_again = None;
        }
        let id = self.next_id();
        self.await_ack(now, id, Awaited::Suback(key));
        self.write(|out| packet::write_subscribe(out, id, filter, qos));
        id
    }
}
