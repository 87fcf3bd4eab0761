//! The OTA service on somebody else's broker, alone or shared with other hubs that have the same data folder.
//!
//! Where the broker can, it shares: each report goes to one hub of a group. Not every broker can for topics that begin
//! with `$`, mosquitto for one; then every hub gets every report and deals with those of the devices that are its own
//! (`place::owner`). Which it is, a message to ourselves tells (`shares`).
//!
//! A report is acknowledged once it has been dealt with and what answers it has been written, and the hub's session
//! outlives its connection. So the broker keeps what a hub that dies has not dealt with, for the hub's next start or for
//! another hub, which takes the session over (`watch`).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, Subscribe, SubscribeFilter, SubscribeReasonCode, Unsubscribe};
use rumqttc::mqttbytes::QoS;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, sleep_until, timeout, timeout_at, Instant, MissedTickBehavior};

use hub_core::error::{Context, Fatal, Result};
use hub_core::messaging;
use hub_core::ota;
use hub_core::ports::{Downlink, LinkFigures, Uplink};
use hub_core::random;

mod address;
mod link;
mod place;
#[cfg(test)]
mod tests;

use address::Address;
pub use address::BrokerOptions;
use link::{Link, KEEP_ALIVE};
use place::{owner, Place, Places, Survey};

/// Messages that may wait for the broker.
const QUEUE: usize = 10_000;
/// Messages that may be on their way at a time.
const WINDOW: usize = 100;
/// The pause before the first attempt to reach a broker that went away; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the broker may take to grant the subscriptions at start. One to which many devices come at once is in no hurry.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(60);
/// How long it may say nothing to a shared subscription, before it counts as one that knows none.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// How long acknowledged commands are gathered before the hub is told of them.
const GATHER: Duration = Duration::from_millis(100);
/// How often to look for hubs that came or ended.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);
/// After so long every hub has noticed that another one has ended.
const NOTICED: Duration = Duration::from_secs(2);
/// A session that has been silent for so long, and has no subscription any more, is empty.
const DRAINED: Duration = Duration::from_secs(2);
/// How long a shared message may take after the broker has acknowledged it.
const SHARE_LIMIT: Duration = Duration::from_millis(500);
/// Stands for a product in the topic of messages to ourselves.
const NO_PRODUCT: &str = "hub";

/// The way to the devices.
#[derive(Clone)]
pub struct Client {
    queue: mpsc::Sender<Message>,
    connected: Arc<AtomicBool>,
    /// The numbers of the hubs that serve, a bit each, where a data folder tells.
    members: Option<Arc<AtomicU64>>,
}

/// A message to a device, and the job whose command it is.
struct Message {
    publish: Publish,
    job: Option<i64>,
}

impl Client {
    /// Puts a message into the queue. It is kept until the broker has acknowledged it. False where the queue is full.
    fn publish(&self, publish: Publish, job: Option<i64>) -> bool {
        self.queue.try_send(Message { publish, job }).is_ok()
    }
}

impl Downlink for Client {
    fn send(&self, message: Publish) -> bool {
        self.publish(message, None)
    }

    fn send_command(&self, message: Publish, job: i64) -> bool {
        self.publish(message, Some(job))
    }

    /// The broker does that.
    fn pass_on(&self, _message: &Publish) {}

    fn is_shared(&self) -> bool {
        true
    }

    fn is_online(&self, _client_id: &str) -> Option<bool> {
        None
    }

    fn figures(&self) -> LinkFigures {
        LinkFigures {
            online: None,
            queued: (self.queue.max_capacity() - self.queue.capacity()) as u64,
            hubs: self.members.as_ref().map(|members| members.load(Ordering::Relaxed).count_ones().into()),
            connected: self.connected.load(Ordering::Relaxed),
        }
    }

    /// Only the broker knows.
    fn listens(&self, _client_id: &str, _topic: &str) -> bool {
        true
    }

    fn cut(&self, _client_id: &str) -> std::result::Result<(), String> {
        Err("the connections are another broker's: drop works with the own one only".to_owned())
    }

    fn forget(&self, _client_id: &str) {}

    /// As far as that broker has rights, they are its own.
    fn revoke(&self, _client_id: &str, _is_over: &dyn Fn(&str) -> bool) {}
}

/// What goes to the broker, in this order.
enum Outgoing {
    Message(Message),
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
    /// The numbers of the hubs that serve, a bit each.
    members: Arc<AtomicU64>,
    /// What came before the subscriptions were granted.
    early: Vec<Packet>,
    link: Link,
    queue: mpsc::Receiver<Message>,
    connected: Arc<AtomicBool>,
    outgoing: VecDeque<Outgoing>,
    in_flight: VecDeque<Message>,
    /// Jobs whose commands the broker has acknowledged, until the hub is told of them together at this time.
    taken: Vec<i64>,
    tell_at: Instant,
    last_id: u16,
    ping_at: Instant,
    pinged: bool,
}

/// Connects to the broker that the options name, if they name one, and waits until it has granted the subscriptions.
/// `data` is the data folder, where it is one that outlives the hub.
pub async fn connect(args: &BrokerOptions, data: Option<&Path>) -> Result<Option<(Client, Service)>> {
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
            let name = hex::encode(random::bytes(place::NAME_BYTES)?);
            (name.clone(), format!("hub-{name}"))
        }
    };
    let what = || format!("cannot use the broker {}", address.url);
    let group = match &args.broker_group {
        None if place.is_none() => None,
        None => Some(format!("hub-{own_name}")),
        Some(_) => address::group(args)?,
    };
    let group = match group {
        Some(group) if shares(&address, &format!("{client_id}-probe")).await.map_err(Fatal::new).context(what)? => {
            Some(group)
        }
        Some(_) if args.broker_group.is_some() => return Err(Fatal::new(
            "it delivers nothing to shared subscriptions to topics that begin with $ (mosquitto is like that), or the \
                 hub's user lacks the permission; without --broker-group, hubs share by themselves",
        ))
        .context(what),
        _ => None,
    };
    let filters = filters(group.as_deref());
    let (sender, queue) = mpsc::channel(QUEUE);
    let members = Arc::new(AtomicU64::new(place.as_ref().map_or(0, |(_, place)| 1 << place.number)));
    let connected = Arc::new(AtomicBool::new(true));
    let client = Client { queue: sender, connected, members: place.is_some().then(|| members.clone()) };
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
        members,
        place,
        resumed,
        early: Vec::new(),
        link,
        queue,
        connected: client.connected.clone(),
        outgoing: VecDeque::new(),
        in_flight: VecDeque::new(),
        taken: Vec::new(),
        tell_at: Instant::now(),
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
        place.note(true, service.filters.clone()).context(|| "cannot write into the data folder".to_owned())?;
    }
    Ok(Some((client, service)))
}

/// What to subscribe to.
fn filters(group: Option<&str>) -> Vec<String> {
    let filter = |filter: &&str| match group {
        Some(group) => format!("$share/{group}/{filter}"),
        None => (*filter).to_owned(),
    };
    ota::FILTERS.iter().chain(&messaging::FILTERS).map(filter).collect()
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
            if !self.in_flight.iter().any(|message| message.publish.pkid == self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Serves for ever; a broker that goes away is connected to again.
    pub async fn serve(mut self, uplink: Arc<dyn Uplink>) {
        if let Some((places, place)) = &self.place {
            let members = self.members.clone();
            tokio::spawn(watch(uplink.clone(), self.address.clone(), places.clone(), place.number, members));
        }
        if self.resumed {
            uplink.warn("takes up the session of an earlier run at the broker");
        }
        for packet in std::mem::take(&mut self.early) {
            // Nothing but a refused subscription is an error here, and there is none of those.
            let _ = self.take(&*uplink, packet);
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let outcome = self.talk(&*uplink, &mut pause).await;
            self.tell_taken(&*uplink);
            let Err(error) = outcome else {
                return;
            };
            self.connected.store(false, Ordering::Relaxed);
            uplink.warn(&format!("lost the broker: {error}"));
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
                        uplink.warn(&format!("cannot use the broker {}: {error}", self.address.url));
                        said = error;
                    }
                    Err(_) => {}
                }
            }
            for mut message in self.in_flight.drain(..).rev() {
                message.publish.dup = self.link.session_present;
                self.outgoing.push_front(Outgoing::Message(message));
            }
            self.pinged = false;
            self.ping_at = Instant::now() + KEEP_ALIVE;
            self.subscribe();
            self.connected.store(true, Ordering::Relaxed);
            uplink.warn("connected to the broker again");
        }
    }

    /// Carries packets until the connection breaks; `Ok` once nobody can give messages any more.
    async fn talk(&mut self, uplink: &dyn Uplink, pause: &mut Duration) -> std::result::Result<(), String> {
        loop {
            self.pump();
            self.link.flush().await?;
            tokio::select! {
                packet = self.link.read() => {
                    self.take(uplink, packet?)?;
                    *pause = FIRST_PAUSE;
                }
                message = self.queue.recv(), if self.outgoing.is_empty() => match message {
                    Some(message) => self.outgoing.push_back(Outgoing::Message(message)),
                    None => return Ok(()),
                },
                () = sleep_until(self.tell_at), if !self.taken.is_empty() => self.tell_taken(uplink),
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
                Outgoing::Message(message) if message.publish.qos == QoS::AtMostOnce => {
                    self.link.queue(&Packet::Publish(message.publish));
                }
                Outgoing::Message(message) if self.in_flight.len() >= WINDOW => {
                    self.outgoing.push_front(Outgoing::Message(message));
                    return;
                }
                Outgoing::Message(mut message) => {
                    if message.publish.pkid == 0 {
                        message.publish.pkid = self.next_id();
                    }
                    self.link.queue(&Packet::Publish(message.publish.clone()));
                    self.in_flight.push_back(message);
                }
            }
        }
    }

    /// Tells the hub which commands the broker has.
    fn tell_taken(&mut self, uplink: &dyn Uplink) {
        if !self.taken.is_empty() {
            uplink.broker_has(&self.taken);
            self.taken.clear();
        }
    }

    /// Deals with a message unless it is another hub's. False: it must not be acknowledged.
    fn deal_with(&self, uplink: &dyn Uplink, message: &Publish) -> bool {
        let ours = |client_id: &String| match &self.place {
            Some((_, place)) if !is_shared(&self.filters) => {
                owner(client_id, self.members.load(Ordering::Relaxed)) == Some(place.number)
            }
            _ => true,
        };
        sender(message).filter(ours).is_none_or(|client_id| uplink.device_message(&client_id, message))
    }

    fn take(&mut self, uplink: &dyn Uplink, packet: Packet) -> std::result::Result<(), String> {
        match packet {
            Packet::Publish(message) => {
                let kept = self.deal_with(uplink, &message);
                while let Ok(answer) = self.queue.try_recv() {
                    self.outgoing.push_back(Outgoing::Message(answer));
                }
                if kept && message.qos == QoS::AtLeastOnce {
                    self.outgoing.push_back(Outgoing::Ack(PubAck::new(message.pkid)));
                }
            }
            Packet::PubAck(ack) => {
                if let Some(at) = self.in_flight.iter().position(|message| message.publish.pkid == ack.pkid) {
                    let job = self.in_flight.remove(at).and_then(|message| message.job);
                    if self.taken.is_empty() {
                        self.tell_at = Instant::now() + GATHER;
                    }
                    self.taken.extend(job);
                    if self.taken.len() >= WINDOW {
                        self.tell_taken(uplink);
                    }
                }
            }
            Packet::SubAck(answer) => self.granted(&answer.return_codes)?,
            Packet::PingResp => self.pinged = false,
            _ => {}
        }
        Ok(())
    }
}

/// The device a message is of, where a hub has anything to do with it.
fn sender(message: &Publish) -> Option<String> {
    let client_id = ota::sender(&message.topic).or_else(|| messaging::sender(&message.topic));
    client_id.filter(|_| message.topic.split('/').nth(2) != Some(NO_PRODUCT))
}

/// Keeps an eye on the other hubs.
async fn watch(uplink: Arc<dyn Uplink>, address: Arc<Address>, places: Places, own: u32, members: Arc<AtomicU64>) {
    let mut ticks = interval(WATCH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        ticks.tick().await;
        match places.survey(own) {
            Ok(Survey { members: found, orphan }) => {
                said.clear();
                members.store(found, Ordering::Relaxed);
                if let Some(place) = orphan {
                    tokio::spawn(adopt(uplink.clone(), address.clone(), places.clone(), place, found));
                }
            }
            Err(error) if error.to_string() != said => {
                said = error.to_string();
                uplink.warn(&format!("cannot see the other hubs: {said}"));
            }
            Err(_) => {}
        }
    }
}

/// Deals with what a hub that has ended has not dealt with, and ends its session.
async fn adopt(uplink: Arc<dyn Uplink>, address: Arc<Address>, places: Places, mut place: Place, members: u64) {
    uplink.warn(&format!("hub {} has ended: its devices go to the others", place.number));
    match drain(&*uplink, &address, &places.client_id(&place), &mut place, members).await {
        Ok(count) => uplink.warn(&format!("hub {} left {count} messages", place.number)),
        Err(error) => {
            uplink.warn(&format!("cannot take over from hub {}: {error}", place.number));
            // Held on to meanwhile, or the next look would try again at once.
            sleep(LONGEST_PAUSE).await;
        }
    }
}

/// Takes what a session holds and ends it; returns the number of messages. `others` are those that served beside it.
async fn drain(
    uplink: &dyn Uplink,
    address: &Address,
    client_id: &str,
    place: &mut Place,
    others: u64,
) -> std::result::Result<usize, String> {
    place.note(false, place.filters.clone()).map_err(|error| error.to_string())?;
    let shared = is_shared(&place.filters);
    let mut link = Link::open(address, client_id, false).await?;
    let mut count = 0;
    let mut end = Instant::now() + NOTICED;
    let mut subscribed = true;
    loop {
        link.flush().await?;
        match timeout_at(end, link.read()).await {
            Ok(packet) => {
                if let Packet::Publish(message) = packet? {
                    let theirs = |client_id: &String| {
                        shared || owner(client_id, others | 1 << place.number) == Some(place.number)
                    };
                    let mut kept = true;
                    if let Some(client_id) = sender(&message).filter(theirs) {
                        kept = uplink.device_message(&client_id, &message);
                        count += 1;
                    }
                    if kept && message.qos == QoS::AtLeastOnce {
                        link.queue(&Packet::PubAck(PubAck::new(message.pkid)));
                    }
                    if !subscribed {
                        end = Instant::now() + DRAINED;
                    }
                }
            }
            Err(_) if subscribed => {
                subscribed = false;
                end = Instant::now() + DRAINED;
                link.queue(&Packet::Unsubscribe(Unsubscribe { pkid: 1, topics: place.filters.clone() }));
            }
            Err(_) => break,
        }
    }
    link.queue(&Packet::Disconnect);
    link.flush().await?;
    forget(address, client_id).await?;
    place.clear().map_err(|error| error.to_string())?;
    Ok(count)
}

/// Whether the broker serves shared subscriptions to topics like ours.
async fn shares(address: &Address, client_id: &str) -> std::result::Result<bool, String> {
    let mut link = Link::open(address, client_id, true).await?;
    let topic = format!("$ota/report/{NO_PRODUCT}/{client_id}");
    let mut packet = Subscribe::new(format!("$share/{client_id}/{topic}"), QoS::AtLeastOnce);
    packet.pkid = 1;
    link.queue(&Packet::Subscribe(packet));
    link.flush().await?;
    let mut end = Instant::now() + PROBE_LIMIT;
    loop {
        match timeout_at(end, link.read()).await {
            Err(_) => return Ok(false),
            // Some brokers take offence at the subscription, or at the message.
            Ok(Err(_)) => return Ok(false),
            Ok(Ok(Packet::SubAck(answer))) if answer.return_codes.contains(&SubscribeReasonCode::Failure) => {
                return Ok(false);
            }
            Ok(Ok(Packet::SubAck(_))) => {
                let mut message = Publish::new(&topic, QoS::AtLeastOnce, Vec::new());
                message.pkid = 2;
                link.queue(&Packet::Publish(message));
                link.flush().await?;
            }
            Ok(Ok(Packet::PubAck(_))) => end = Instant::now() + SHARE_LIMIT,
            Ok(Ok(Packet::Publish(_))) => {
                link.queue(&Packet::Disconnect);
                link.flush().await?;
                return Ok(true);
            }
            Ok(Ok(_)) => {}
        }
    }
}

fn is_shared(filters: &[String]) -> bool {
    filters.iter().all(|filter| filter.starts_with("$share/"))
}

/// Ends a session at the broker.
async fn forget(address: &Address, client_id: &str) -> std::result::Result<(), String> {
    let mut link = Link::open(address, client_id, true).await?;
    link.queue(&Packet::Disconnect);
    link.flush().await
}
