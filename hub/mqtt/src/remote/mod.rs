//! The OTA service on somebody else's broker, alone or shared with other hubs that have the same database.
//!
//! Where the broker can, it shares: each report goes to one hub of a group. Not every broker can for topics that begin
//! with `$`, mosquitto for one; then every hub gets every report and deals with those of the devices that are its own
//! (`turn`). Which it is, a message to ourselves tells (`start`).
//!
//! A report is acknowledged once it has been dealt with and what answers it has been written, and the hub's session
//! outlives its connection. So the broker keeps what a hub that dies has not dealt with, for the hub's next start or for
//! another hub, which takes the session over (`adopt`).

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, Subscribe, SubscribeFilter, SubscribeReasonCode};
use rumqttc::mqttbytes::QoS;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout, Instant};

use hub_core::error::{Context, Fatal, Result};
use hub_core::ports::agreement::Agreement;
use hub_core::ports::Uplink;

mod address;
mod adopt;
mod client;
mod inbox;
mod link;
mod places;
mod roster;
mod start;
#[cfg(test)]
mod tests;
mod turn;

use address::Address;
pub use address::BrokerOptions;
pub use client::Client;
use client::Message;
use inbox::Inbox;
use link::{Link, KEEP_ALIVE};
use places::{Adopt, Places, Standing};
use roster::{Given, Members, Stage};
use start::is_shared;
use turn::{Note, Turns};

/// Messages that may wait for the broker.
const QUEUE: usize = 10_000;
/// Messages that may be on their way at a time.
const WINDOW: usize = 100;
/// The pause before the first attempt to reach a broker that went away; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the broker may take to grant the subscriptions at start. One to which many devices come at once is in no hurry.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(60);
/// How long acknowledged commands are gathered before the hub is told of them.
const GATHER: Duration = Duration::from_millis(100);
/// So many commands are looked up at once.
const AHEAD: usize = 1000;
/// A command that has waited longer for the broker may have been overtaken.
const FRESH: Duration = Duration::from_secs(1);
/// How often to see whether there is something to say to the other hubs, or something of theirs to see.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How often a hub marks how far it has come.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// A mark that takes longer has waited behind many messages.
const BEHIND: Duration = Duration::from_secs(3);

/// And one that takes so long may not come at all.
const MISSED: Duration = Duration::from_secs(60);

/// What a hub says whose place another one has.
const TAKEN: &str = "another hub took this one for dead";

/// What goes to the broker, in this order.
enum Outgoing {
    Message(Message),
    /// Of a message that has been dealt with, behind what answers it.
    Ack(PubAck),
}

/// The hub's connection to the broker.
pub struct Service {
    address: Arc<Address>,
    filters: Vec<String>,
    /// Whether the session outlives the connection.
    kept: bool,
    places: Places,
    /// How the names of the hubs' sessions begin.
    sessions: String,
    place: Given,
    standing: Arc<Standing>,
    adopt: Arc<OnceLock<Adopt>>,
    inbox: Inbox,
    /// The broker has granted the subscriptions of this place's session.
    subscribed: bool,
    mark: Mark,
    look_at: Instant,
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

/// The last mark that was sent.
struct Mark {
    count: u64,
    sent_at: Instant,
    /// Who served then.
    members: u64,
    /// The session has not come to it.
    is_out: bool,
    /// Somebody was told that they do not come back.
    is_missed: bool,
}

/// Gives the hub's place back when it ends.
pub struct Presence {
    places: Places,
    standing: Arc<Standing>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.standing.ends.store(true, Ordering::Relaxed);
        // Else the others notice in a few seconds.
        let _ = self.places.leave();
    }
}

/// Connects to the broker that the options name, if they name one, and waits until it has granted the subscriptions.
/// `agreement` is that of the hubs of the hub's database; `kept` says that it outlives the hub.
pub async fn connect(
    args: &BrokerOptions,
    agreement: Arc<dyn Agreement>,
    kept: bool,
) -> Result<Option<(Client, Service, Presence)>> {
    let Some(address) = Address::of(args)? else {
        return Ok(None);
    };
    let places = Places::new(agreement, format!("{}:{}", address.host, address.port))?;
    let what = || format!("cannot use the broker {}", address.url);
    let roster = places.look().map_err(Fatal::new)?;
    let sessions = roster.sessions();
    // All hubs must do one or the other.
    let divided = roster.places.values().any(|place| !is_shared(&place.filters));
    let group = match &args.broker_group {
        None if !kept || divided => None,
        None => Some(format!("hub-{}", roster.name)),
        Some(_) => address::group(args)?,
    };
    let probe = format!("{sessions}{}-probe", places.holder);
    let group = match group {
        Some(group) if start::shares(&address, &probe).await.map_err(Fatal::new).context(what)? => Some(group),
        Some(_) if args.broker_group.is_some() => return Err(Fatal::new(
            "it delivers nothing to shared subscriptions to topics that begin with $ (mosquitto is like that), or the \
                 hub's user lacks the permission; without --broker-group, hubs share by themselves",
        ))
        .context(what),
        _ => None,
    };
    let filters = start::filters(group.as_deref());
    let place = start::place(&places, &filters).await.map_err(Fatal::new)?;
    let (standing, adopt) = (Arc::new(Standing::new(place.number)), Arc::new(OnceLock::new()));
    let presence = Presence { places: places.clone(), standing: standing.clone() };
    places::keep(&places, &standing, &adopt).context(|| "cannot start a thread".to_owned())?;
    let client_id = format!("{sessions}{}", place.number);
    let open = async {
        if kept && !place.resumed {
            start::forget(&address, &client_id).await?;
        }
        Link::open(&address, &client_id, !kept).await
    };
    let link = open.await.map_err(Fatal::new).context(what)?;
    let (sender, queue) = mpsc::channel(QUEUE);
    let connected = Arc::new(AtomicBool::new(true));
    let client = Client { queue: sender, connected: connected.clone(), standing: standing.clone() };
    let inbox = Inbox::new(places.clone(), sessions.clone(), place.number);
    let now = Instant::now();
    let mut service = Service {
        address: Arc::new(address),
        filters,
        kept,
        places,
        sessions,
        place,
        standing,
        adopt,
        inbox,
        subscribed: false,
        mark: Mark { count: 0, sent_at: now, members: 0, is_out: false, is_missed: false },
        look_at: now,
        early: Vec::new(),
        link,
        queue,
        connected,
        outgoing: VecDeque::new(),
        in_flight: VecDeque::new(),
        taken: Vec::new(),
        tell_at: now,
        last_id: 0,
        ping_at: now + KEEP_ALIVE,
        pinged: false,
    };
    let what = format!("cannot use the broker {}", service.address.url);
    timeout(SUBSCRIBE_LIMIT, service.probe())
        .await
        .unwrap_or_else(|_| Err("no answer to the subscription in time".to_owned()))
        .map_err(Fatal::new)
        .context(|| what)?;
    Ok(Some((client, service, presence)))
}

impl Service {
    /// Asks for the subscriptions and waits for them.
    async fn probe(&mut self) -> std::result::Result<(), String> {
        self.take_up()?;
        self.subscribe();
        self.link.flush().await?;
        loop {
            match self.link.read().await? {
                Packet::SubAck(answer) => return self.granted(&answer.return_codes),
                packet => self.early.push(packet),
            }
        }
    }

    /// Goes on where the session of an earlier hub stands.
    fn take_up(&mut self) -> std::result::Result<(), String> {
        let number = self.place.number;
        if self.place.resumed && !is_shared(&self.filters) {
            let roster = self.places.look()?;
            let members = roster.places.get(&number).map(|place| place.members).unwrap_or_default();
            self.inbox.divide(Turns::of(number, members, &roster));
        }
        Ok(())
    }

    /// The session has its subscriptions: the hub serves, or tells the others that it comes.
    fn begin(&mut self) -> std::result::Result<(), String> {
        let (number, shared) = (self.place.number, is_shared(&self.filters));
        self.subscribed = true;
        if shared {
            self.standing.behind.store(false, Ordering::Relaxed);
        }
        if self.place.resumed {
            return Ok(());
        }
        let begun = self.places.change(|roster| {
            let others = roster.members();
            let place = roster.own(number, &self.places.holder)?;
            if shared || others == 0 {
                (place.stage, place.members) = (Stage::Serves, Members::of(1 << number));
            } else {
                place.members = Members::of(others);
            }
            let members = place.members;
            Some((roster.clone(), members, shared || others == 0))
        })?;
        let Some((roster, members, serves)) = begun else { return Err(TAKEN.to_owned()) };
        if !shared {
            self.inbox.divide(Turns::of(number, members, &roster));
        }
        if !serves {
            let joins = self.note(Note::Joins(number), Some(Note::Joined(number)));
            self.outgoing.push_front(joins);
        }
        Ok(())
    }

    /// A message to the hubs, this one too.
    fn note(&self, note: Note, next: Option<Note>) -> Outgoing {
        let (topic, payload) = note.message(&self.sessions);
        Outgoing::Message(Message {
            publish: Publish::new(topic, QoS::AtLeastOnce, payload),
            job: None,
            next,
            looked_at: Instant::now(),
        })
    }

    fn subscribe(&mut self) {
        let filters = self.filters.iter().map(|path| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce));
        let mut packet = Subscribe::new_many(filters);
        packet.pkid = self.next_id();
        self.link.queue(&Packet::Subscribe(packet));
    }

    fn granted(&mut self, codes: &[SubscribeReasonCode]) -> std::result::Result<(), String> {
        let refused = self.filters.iter().zip(codes).find(|(_, code)| **code == SubscribeReasonCode::Failure);
        match refused {
            None if self.subscribed => Ok(()),
            None => self.begin(),
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
        let (adopting, address, places, runtime) =
            (uplink.clone(), self.address.clone(), self.places.clone(), Handle::current());
        let adopt: Adopt = Box::new(move |number, place| {
            runtime.spawn(adopt::adopt(adopting.clone(), address.clone(), places.clone(), number, place));
        });
        // There is one `serve`.
        let _ = self.adopt.set(adopt);
        if self.place.resumed {
            uplink.warn("takes up the session of an earlier run at the broker");
        }
        for packet in std::mem::take(&mut self.early) {
            // What cannot be dealt with is not acknowledged, so the broker brings it again.
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
            self.standing.behind.store(true, Ordering::Relaxed);
            uplink.warn(&format!("lost the broker: {error}"));
            self.outgoing.retain(|item| matches!(item, Outgoing::Message(_)));
            self.inbox.disconnected();
            let mut said = String::new();
            loop {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                if self.standing.ends.load(Ordering::Relaxed) {
                    return;
                }
                match self.reconnect().await {
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
            self.mark.is_out = false;
            self.subscribe();
            self.connected.store(true, Ordering::Relaxed);
            uplink.warn("connected to the broker again");
        }
    }

    /// Connects again, with another place where another hub has this one.
    async fn reconnect(&mut self) -> std::result::Result<Link, String> {
        if self.places.change_own(self.place.number, |_| ())?.is_none() {
            let place = start::place(&self.places, &self.filters).await?;
            self.place = place;
            self.standing.number.store(place.number, Ordering::Relaxed);
            self.standing.lost.store(false, Ordering::Relaxed);
            self.inbox = Inbox::new(self.places.clone(), self.sessions.clone(), place.number);
            self.subscribed = false;
            // What it told as another hub is nobody's news any more.
            let is_note = |message: &Message| message.publish.topic.starts_with(&Note::topics(&self.sessions));
            self.in_flight.retain(|message| !is_note(message));
            self.outgoing.retain(|item| !matches!(item, Outgoing::Message(message) if is_note(message)));
            if self.kept && !place.resumed {
                start::forget(&self.address, &self.client_id()).await?;
            }
            self.take_up()?;
        }
        Link::open(&self.address, &self.client_id(), !self.kept).await
    }

    /// The name of the session.
    fn client_id(&self) -> String {
        format!("{}{}", self.sessions, self.place.number)
    }

    /// Carries packets until the connection breaks; `Ok` once nobody can give messages any more, or the hub ends.
    async fn talk(&mut self, uplink: &dyn Uplink, pause: &mut Duration) -> std::result::Result<(), String> {
        loop {
            self.look_through(uplink);
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
                () = sleep_until(self.look_at) => {
                    if self.standing.ends.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    self.look(uplink)?;
                }
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

    /// Sees how far the other hubs are, and says how far this one is.
    fn look(&mut self, uplink: &dyn Uplink) -> std::result::Result<(), String> {
        let now = Instant::now();
        self.look_at = now + LOOK_INTERVAL;
        if self.standing.lost.load(Ordering::Relaxed) {
            return Err(TAKEN.to_owned());
        }
        if self.inbox.waits() {
            let acks = self.inbox.look(uplink)?;
            self.acknowledge(acks);
        }
        if is_shared(&self.filters) || !self.subscribed {
            return Ok(());
        }
        if self.mark.is_out {
            if now - self.mark.sent_at > BEHIND {
                self.standing.behind.store(true, Ordering::Relaxed);
            }
            if now - self.mark.sent_at > MISSED && !self.mark.is_missed {
                self.mark.is_missed = true;
                uplink.warn(&format!(
                    "its messages to itself take long to come back: reports wait at the broker, or the hub's user may not \
                     publish to {}#",
                    Note::topics("")
                ));
                if !self.inbox.serves() {
                    self.inbox.serve_anyway()?;
                }
            }
        } else if now - self.mark.sent_at > MARK_INTERVAL {
            let members = self.standing.members.load(Ordering::Relaxed);
            self.mark = Mark { count: self.mark.count + 1, sent_at: now, members, is_out: true, ..self.mark };
            let mark = self.note(Note::Mark { number: self.place.number, count: self.mark.count }, None);
            self.outgoing.push_front(mark);
        }
        Ok(())
    }

    /// Acknowledges messages, behind what answers them.
    fn acknowledge(&mut self, acks: Vec<PubAck>) {
        while let Ok(answer) = self.queue.try_recv() {
            self.outgoing.push_back(Outgoing::Message(answer));
        }
        self.outgoing.extend(acks.into_iter().map(Outgoing::Ack));
    }

    /// Leaves out commands that have waited for so long that they may not be wanted any more, of those that may go next.
    fn look_through(&mut self, uplink: &dyn Uplink) {
        let now = Instant::now();
        let commands = self.outgoing.iter().filter_map(|item| match item {
            Outgoing::Message(Message { job: Some(job), looked_at, .. }) => Some((*job, now - *looked_at > FRESH)),
            _ => None,
        });
        // No more can go before this is called again; so many are looked up that it need not be done for each.
        if !commands.clone().take(WINDOW).any(|(_, waited)| waited) {
            return;
        }
        let jobs: BTreeSet<i64> = commands.take(AHEAD).filter(|(_, waited)| *waited).map(|(job, _)| job).collect();
        let wanted = uplink.still_wanted(&jobs.iter().copied().collect::<Vec<_>>());
        self.outgoing.retain_mut(|item| match item {
            Outgoing::Message(Message { job: Some(job), looked_at, .. }) if jobs.contains(job) => {
                *looked_at = now;
                wanted.contains(job)
            }
            _ => true,
        });
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

    fn take(&mut self, uplink: &dyn Uplink, packet: Packet) -> std::result::Result<(), String> {
        match packet {
            Packet::Publish(message) => {
                let acks = self.inbox.take(uplink, message)?;
                self.acknowledge(acks);
                if self.inbox.take_mark() == Some(self.mark.count) {
                    self.mark.is_out = false;
                    self.standing.behind.store(self.mark.sent_at.elapsed() > BEHIND, Ordering::Relaxed);
                    self.inbox.compare(uplink, self.mark.members)?;
                }
            }
            Packet::PubAck(ack) => {
                if let Some(at) = self.in_flight.iter().position(|message| message.publish.pkid == ack.pkid) {
                    let message = self.in_flight.remove(at);
                    if self.taken.is_empty() {
                        self.tell_at = Instant::now() + GATHER;
                    }
                    self.taken.extend(message.as_ref().and_then(|message| message.job));
                    if let Some(next) = message.and_then(|message| message.next) {
                        let next = self.note(next, None);
                        self.outgoing.push_front(next);
                    }
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
