//! The OTA service on somebody else's broker, alone or shared with other hubs.
//!
//! A report is acknowledged once it has been dealt with and what answers it has been written, and the hub's session
//! outlives its connection. So the broker keeps what a hub that dies has not dealt with, for the hub's next start or for
//! another hub with the same data folder, which takes the session over ([`adopt`]).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, Subscribe, SubscribeFilter, SubscribeReasonCode, Unsubscribe};
use rumqttc::mqttbytes::QoS;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, sleep_until, timeout, Instant, MissedTickBehavior};

use crate::error::{Context, Fatal, Result};
use crate::hub::Hub;
use crate::ota;

mod address;
mod link;
mod place;

use address::Address;
pub use address::BrokerArgs;
use link::{Link, KEEP_ALIVE};
use place::{Place, Places};

/// Messages that may wait for the broker.
const QUEUE: usize = 10_000;
/// Messages that may be on their way at a time.
const WINDOW: usize = 100;
/// The pause before the first attempt to reach a broker that went away; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the broker may take to grant the subscriptions at start.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(10);
/// How often to look for the session of a hub that ended.
const ADOPT_INTERVAL: Duration = Duration::from_millis(500);
/// A session that has been silent for so long, and has no subscription any more, is empty.
const DRAINED: Duration = Duration::from_secs(3);

/// The way to the devices.
#[derive(Clone)]
pub struct Client(mpsc::Sender<Publish>);

impl Client {
    /// Puts a message into the queue. It is kept until the broker has acknowledged it. False where the queue is full.
    pub fn publish(&self, message: Publish) -> bool {
        self.0.try_send(message).is_ok()
    }
}

/// What goes to the broker, in this order.
enum Outgoing {
    Message(Publish),
    /// Of a message that has been dealt with, behind what answers it.
    Ack(PubAck),
}

/// The hub's connection to the broker.
pub struct Service {
    address: Arc<Address>,
    client_id: String,
    filters: Vec<String>,
    /// Where there is a data folder that others may share: the session outlives the connection.
    place: Option<(Places, Place)>,
    /// An earlier run left a session behind.
    resumed: bool,
    /// What came before the subscriptions were granted.
    early: Vec<Packet>,
    link: Link,
    queue: mpsc::Receiver<Publish>,
    outgoing: VecDeque<Outgoing>,
    in_flight: VecDeque<Publish>,
    last_id: u16,
    ping_at: Instant,
    pinged: bool,
}

/// Connects to the broker that the options name, if they name one, and waits until it has granted the subscriptions.
/// `data` is the data folder, where it is one that outlives the hub.
pub async fn connect(args: &BrokerArgs, data: Option<&Path>) -> Result<Option<(Client, Service)>> {
    let Some(address) = Address::of(args)? else {
        return Ok(None);
    };
    let place = match data {
        None => None,
        Some(data) => {
            let places = Places::open(data)?;
            let place = places.take()?;
            Some((places, place))
        }
    };
    let (own_name, client_id) = match &place {
        Some((places, place)) => (places.name.clone(), places.client_id(place)),
        None => {
            let name = place::random_name()?;
            (name.clone(), format!("hub-{name}"))
        }
    };
    let filters = filters(address::group(args, &format!("hub-{own_name}"))?.as_deref());
    let (client, queue) = mpsc::channel(QUEUE);
    let what = || format!("cannot use the broker {}", address.url);
    let resumed = match &place {
        Some((_, place)) if place.filters == filters => true,
        Some((_, place)) if !place.filters.is_empty() => {
            // It subscribes to what is no longer wanted.
            forget(&address, &client_id).await.map_err(Fatal::new).context(what)?;
            false
        }
        _ => false,
    };
    let link = Link::open(&address, &client_id, place.is_none()).await.map_err(Fatal::new).context(what)?;
    let mut service = Service {
        address: Arc::new(address),
        client_id,
        filters,
        place,
        resumed,
        early: Vec::new(),
        link,
        queue,
        outgoing: VecDeque::new(),
        in_flight: VecDeque::new(),
        last_id: 0,
        ping_at: Instant::now() + KEEP_ALIVE,
        pinged: false,
    };
    let what = format!("cannot use the broker {}", service.address.url);
    timeout(SUBSCRIBE_LIMIT, service.probe())
        .await
        .unwrap_or_else(|_| Err("no answer to the subscription in time".to_owned()))
        .map_err(Fatal::new)
        .context(|| what)?;
    if let Some((_, place)) = &mut service.place {
        place.note(&service.filters).context(|| "cannot write into the data folder".to_owned())?;
    }
    Ok(Some((Client(client), service)))
}

/// What to subscribe to.
fn filters(group: Option<&str>) -> Vec<String> {
    let filter = |filter: &&str| match group {
        Some(group) => format!("$share/{group}/{filter}"),
        None => (*filter).to_owned(),
    };
    ota::FILTERS.iter().map(filter).collect()
}

impl Service {
    /// Asks for the subscriptions and waits for them.
    async fn probe(&mut self) -> std::result::Result<(), String> {
        self.subscribe();
        self.link.flush().await?;
        loop {
            match self.link.read().await? {
                Packet::SubAck(answer) => return self.granted(&answer.return_codes),
                packet => self.early.push(packet),
            }
        }
    }

    fn subscribe(&mut self) {
        let filters = self.filters.iter().map(|path| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce));
        let mut packet = Subscribe::new_many(filters);
        packet.pkid = self.next_id();
        self.link.queue(&Packet::Subscribe(packet));
    }

    fn granted(&self, codes: &[SubscribeReasonCode]) -> std::result::Result<(), String> {
        let refused = self.filters.iter().zip(codes).find(|(_, code)| **code == SubscribeReasonCode::Failure);
        match refused {
            None => Ok(()),
            Some((filter, _)) if filter.starts_with("$share/") => Err(format!(
                "it refuses the subscription {filter}: the hub's user may lack the permission, or the broker knows no shared \
                 subscriptions (then --broker-group off, and one hub only)"
            )),
            Some((filter, _)) => Err(format!("it refuses the subscription {filter}: the hub's user may lack the permission")),
        }
    }

    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.iter().any(|message| message.pkid == self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Serves for ever; a broker that goes away is connected to again.
    pub async fn serve(mut self, hub: Arc<Hub>) {
        if let Some((places, _)) = &self.place {
            tokio::spawn(adopt(hub.clone(), self.address.clone(), places.clone()));
        }
        if self.resumed {
            hub.warn("takes up the session of an earlier run at the broker");
        }
        for packet in std::mem::take(&mut self.early) {
            // Nothing but a refused subscription is an error here, and there is none of those.
            let _ = self.take(&hub, packet);
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(error) = self.talk(&hub, &mut pause).await else {
                return;
            };
            hub.warn(&format!("lost the broker: {error}"));
            self.outgoing.retain(|item| matches!(item, Outgoing::Message(_)));
            let mut said = String::new();
            loop {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                match Link::open(&self.address, &self.client_id, self.place.is_none()).await {
                    Ok(link) => {
                        self.link = link;
                        break;
                    }
                    Err(error) if error != said => {
                        hub.warn(&format!("cannot use the broker {}: {error}", self.address.url));
                        said = error;
                    }
                    Err(_) => {}
                }
            }
            for mut message in self.in_flight.drain(..).rev() {
                message.dup = self.link.session_present;
                self.outgoing.push_front(Outgoing::Message(message));
            }
            self.pinged = false;
            self.ping_at = Instant::now() + KEEP_ALIVE;
            self.subscribe();
            hub.warn("connected to the broker again");
        }
    }

    /// Carries packets until the connection breaks; `Ok` once nobody can give messages any more.
    async fn talk(&mut self, hub: &Hub, pause: &mut Duration) -> std::result::Result<(), String> {
        loop {
            self.pump();
            self.link.flush().await?;
            tokio::select! {
                packet = self.link.read() => {
                    self.take(hub, packet?)?;
                    *pause = FIRST_PAUSE;
                }
                message = self.queue.recv(), if self.outgoing.is_empty() => match message {
                    Some(message) => self.outgoing.push_back(Outgoing::Message(message)),
                    None => return Ok(()),
                },
                () = sleep_until(self.ping_at) => {
                    if self.pinged {
                        return Err("it does not answer any more".to_owned());
                    }
                    self.pinged = true;
                    self.ping_at = Instant::now() + KEEP_ALIVE;
                    self.link.queue(&Packet::PingReq);
                }
            }
        }
    }

    /// Moves to the connection what may go now.
    fn pump(&mut self) {
        while let Ok(message) = self.queue.try_recv() {
            self.outgoing.push_back(Outgoing::Message(message));
        }
        while let Some(item) = self.outgoing.pop_front() {
            match item {
                Outgoing::Ack(ack) => self.link.queue(&Packet::PubAck(ack)),
                Outgoing::Message(message) if message.qos == QoS::AtMostOnce => {
                    self.link.queue(&Packet::Publish(message));
                }
                Outgoing::Message(message) if self.in_flight.len() >= WINDOW => {
                    self.outgoing.push_front(Outgoing::Message(message));
                    return;
                }
                Outgoing::Message(mut message) => {
                    if message.pkid == 0 {
                        message.pkid = self.next_id();
                    }
                    self.link.queue(&Packet::Publish(message.clone()));
                    self.in_flight.push_back(message);
                }
            }
        }
    }

    fn take(&mut self, hub: &Hub, packet: Packet) -> std::result::Result<(), String> {
        match packet {
            Packet::Publish(message) => {
                deal_with(hub, &message);
                while let Ok(answer) = self.queue.try_recv() {
                    self.outgoing.push_back(Outgoing::Message(answer));
                }
                if message.qos == QoS::AtLeastOnce {
                    self.outgoing.push_back(Outgoing::Ack(PubAck::new(message.pkid)));
                }
            }
            Packet::PubAck(ack) => self.in_flight.retain(|message| message.pkid != ack.pkid),
            Packet::SubAck(answer) => self.granted(&answer.return_codes)?,
            Packet::PingResp => self.pinged = false,
            _ => {}
        }
        Ok(())
    }
}

fn deal_with(hub: &Hub, message: &Publish) {
    if let Some(client_id) = ota::sender(&message.topic) {
        hub.device_message(&client_id, message);
    }
}

/// Looks after the sessions of hubs that ended: deals with what they have not dealt with, and ends them.
async fn adopt(hub: Arc<Hub>, address: Arc<Address>, places: Places) {
    let mut ticks = interval(ADOPT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        ticks.tick().await;
        let outcome = match places.orphan() {
            Ok(None) => continue,
            Ok(Some(mut place)) => drain(&hub, &address, &places.client_id(&place), &mut place).await,
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(count) => {
                said.clear();
                hub.warn(&format!("another hub has ended: {count} messages of its were left"));
            }
            // The place is free again, and there is a next time.
            Err(error) if error != said => {
                hub.warn(&format!("cannot take over from a hub that has ended: {error}"));
                said = error;
            }
            Err(_) => {}
        }
    }
}

/// Takes what a session holds and ends it; returns the number of messages.
async fn drain(hub: &Hub, address: &Address, client_id: &str, place: &mut Place) -> std::result::Result<usize, String> {
    let mut link = Link::open(address, client_id, false).await?;
    link.queue(&Packet::Unsubscribe(Unsubscribe { pkid: 1, topics: place.filters.clone() }));
    let mut count = 0;
    loop {
        link.flush().await?;
        match timeout(DRAINED, link.read()).await {
            Ok(packet) => {
                if let Packet::Publish(message) = packet? {
                    deal_with(hub, &message);
                    count += 1;
                    if message.qos == QoS::AtLeastOnce {
                        link.queue(&Packet::PubAck(PubAck::new(message.pkid)));
                    }
                }
            }
            Err(_) => break,
        }
    }
    link.queue(&Packet::Disconnect);
    link.flush().await?;
    forget(address, client_id).await?;
    place.note(&[]).map_err(|error| error.to_string())?;
    Ok(count)
}

/// Ends a session at the broker.
async fn forget(address: &Address, client_id: &str) -> std::result::Result<(), String> {
    let mut link = Link::open(address, client_id, true).await?;
    link.queue(&Packet::Disconnect);
    link.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_shared_in_a_group() {
        assert_eq!(filters(Some("g")), ["$share/g/$ota/report/+/+", "$share/g/$sys/operation/+/+"]);
        assert_eq!(filters(None), ota::FILTERS);
    }
}
