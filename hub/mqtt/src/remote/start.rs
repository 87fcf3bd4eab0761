//! How a hub comes to its session at the broker: the first subscriptions, and whether hubs share what it brings.

use std::time::Duration;

use rumqttc::mqttbytes::v4::{Packet, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::QoS;
use tokio::time::{sleep, timeout_at, Instant};

use hub_core::messaging;
use hub_core::ota;

use super::address::Address;
use super::link::Link;
use super::places::{Places, BEAT};
use super::roster::{Given, Watch};
use super::turn::NO_PRODUCT;

/// How long the broker may say nothing to a shared subscription, before it counts as one that knows none.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// How long a shared message may take after the broker has acknowledged it.
const SHARE_LIMIT: Duration = Duration::from_millis(500);
/// How long other hubs may come and go before this one can.
const PLACE_LIMIT: Duration = Duration::from_secs(120);

/// Waits for a place among the hubs.
pub async fn place(places: &Places, filters: &[String]) -> Result<Given, String> {
    let (begin, mut watch) = (Instant::now(), Watch::default());
    loop {
        if let Some(given) = places.take(filters, &mut watch)? {
            return Ok(given);
        }
        if begin.elapsed() > PLACE_LIMIT {
            return Err("other hubs have been coming or going for two minutes, or there are too many".to_owned());
        }
        sleep(BEAT).await;
    }
}

/// What to subscribe to.
pub fn filters(group: Option<&str>) -> Vec<String> {
    let filter = |filter: &&str| match group {
        Some(group) => format!("$share/{group}/{filter}"),
        None => (*filter).to_owned(),
    };
    ota::FILTERS.iter().chain(&messaging::FILTERS).map(filter).collect()
}

/// Whether the broker serves shared subscriptions to topics like ours.
pub async fn shares(address: &Address, client_id: &str) -> std::result::Result<bool, String> {
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

/// Whether hubs that subscribe to this share the messages.
pub fn is_shared(filters: &[String]) -> bool {
    filters.iter().all(|filter| filter.starts_with("$share/"))
}

/// Ends a session at the broker.
pub async fn forget(address: &Address, client_id: &str) -> std::result::Result<(), String> {
    let mut link = Link::open(address, client_id, true).await?;
    link.queue(&Packet::Disconnect);
    link.flush().await
}
