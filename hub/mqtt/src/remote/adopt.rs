//! Deals with what a hub that has ended has left in its session at the broker, and ends the session.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish, Unsubscribe};
use rumqttc::mqttbytes::QoS;
use tokio::time::{sleep, timeout_at, Instant};

use hub_core::ports::Uplink;

use super::address::Address;
use super::inbox::Inbox;
use super::link::{Link, KEEP_ALIVE};
use super::places::Places;
use super::roster::{Place, Stage};
use super::start::{forget, is_shared};
use super::turn::{Note, Turns};

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(10);
/// How often to look how far the other hubs are.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How long a session may bring nothing before the point at which it ends.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// A session that has been silent for so long, and has no subscription any more, is empty.
const DRAINED: Duration = Duration::from_secs(2);

/// Sees to the end of a place that was `seen` so, where no other hub was first.
pub async fn adopt(uplink: Arc<dyn Uplink>, address: Arc<Address>, places: Places, number: u32, seen: Place) {
    let ended = places.change(|roster| roster.end(number, &seen, &places.holder).then(|| roster.clone()));
    let Ok(Some(roster)) = ended else { return };
    let Some(place) = roster.places.get(&number) else { return };
    let sessions = roster.sessions();
    let outcome = if place.stage == Stage::Joins {
        forget(&address, &format!("{sessions}{number}")).await.map(|()| 0)
    } else {
        uplink.warn(&format!("hub {number} has ended: its devices go to the others"));
        let mut inbox = Inbox::new(places.clone(), sessions.clone(), number);
        if !is_shared(&place.filters) {
            inbox.divide(Turns::of(number, place.members, &roster));
        }
        end(&*uplink, &address, &sessions, number, place, inbox).await
    };
    let outcome = outcome.and_then(|count| {
        places.change(|roster| {
            if roster.own(number, &places.holder).is_some() {
                roster.places.remove(&number);
            }
        })?;
        Ok(count)
    });
    match outcome {
        Ok(_) if place.stage == Stage::Joins => {}
        Ok(count) => uplink.warn(&format!("hub {number} left {count} messages")),
        Err(error) => {
            uplink.warn(&format!("cannot take over from hub {number}: {error}"));
            // Held on to meanwhile, or the next look would try again at once.
            sleep(PAUSE).await;
            let _ = places.change_own(number, |place| place.holder.clear());
        }
    }
}

/// Takes what a session holds, and ends it; returns the number of messages that were dealt with.
async fn end(
    uplink: &dyn Uplink,
    address: &Address,
    sessions: &str,
    number: u32,
    place: &Place,
    mut inbox: Inbox,
) -> Result<usize, String> {
    let client_id = format!("{sessions}{number}");
    let mut link = Link::open(address, &client_id, false).await?;
    if is_shared(&place.filters) {
        drain(uplink, &mut link, place, &mut inbox).await?;
    } else {
        leave(uplink, &mut link, sessions, number, &mut inbox).await?;
    }
    link.queue(&Packet::Disconnect);
    link.flush().await?;
    forget(address, &client_id).await?;
    Ok(inbox.count)
}

/// Tells all sessions, this one too, at which point the hub is no more, and deals with what comes before.
async fn leave(
    uplink: &dyn Uplink,
    link: &mut Link,
    sessions: &str,
    number: u32,
    inbox: &mut Inbox,
) -> Result<(), String> {
    // The broker may have lost the session, and what it subscribed to.
    let there = link.session_present;
    let tell = |link: &mut Link, note: Note, id: u16| {
        let (topic, payload) = note.message(sessions);
        link.queue(&Packet::Publish(Publish { pkid: id, ..Publish::new(topic, QoS::AtLeastOnce, payload) }));
    };
    tell(link, Note::Leaves(number), 1);
    let (mut heard, mut pinged, mut told) = (Instant::now(), Instant::now(), false);
    while !(inbox.left || told && !there) {
        link.flush().await?;
        let acks = match timeout_at(Instant::now() + LOOK_INTERVAL, link.read()).await {
            Ok(Err(error)) => return Err(error),
            Ok(Ok(packet)) => {
                heard = Instant::now();
                match packet {
                    Packet::Publish(message) => inbox.take(uplink, message)?,
                    Packet::PubAck(PubAck { pkid: 1 }) => {
                        tell(link, Note::Left(number), 2);
                        continue;
                    }
                    Packet::PubAck(_) => {
                        told = true;
                        continue;
                    }
                    _ => continue,
                }
            }
            Err(_) if inbox.waits() => inbox.look(uplink)?,
            Err(_) if heard.elapsed() > LONGEST_SILENCE => {
                return Err("the hubs' messages to each other do not come back".to_owned());
            }
            Err(_) => Vec::new(),
        };
        acks.into_iter().for_each(|ack| link.queue(&Packet::PubAck(ack)));
        if pinged.elapsed() > KEEP_ALIVE {
            pinged = Instant::now();
            link.queue(&Packet::PingReq);
        }
    }
    link.flush().await
}

/// Takes what a session holds that shares its messages with others.
async fn drain(uplink: &dyn Uplink, link: &mut Link, place: &Place, inbox: &mut Inbox) -> Result<(), String> {
    link.queue(&Packet::Unsubscribe(Unsubscribe { pkid: 1, topics: place.filters.clone() }));
    loop {
        link.flush().await?;
        match timeout_at(Instant::now() + DRAINED, link.read()).await {
            Ok(packet) => {
                if let Packet::Publish(message) = packet? {
                    inbox.take(uplink, message)?.into_iter().for_each(|ack| link.queue(&Packet::PubAck(ack)));
                }
            }
            Err(_) => return Ok(()),
        }
    }
}
