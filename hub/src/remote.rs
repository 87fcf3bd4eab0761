//! The OTA service on somebody else's broker.

use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rumqttc::mqttbytes::QoS;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet};
use tokio::time::{sleep, timeout};

use crate::error::{Context, Fatal, Result};
use crate::hub::Hub;
use crate::ota;

/// Messages that may wait for the broker.
const QUEUE: usize = 1000;
/// Largest packet in either direction, in bytes.
const MAX_PACKET: usize = 256 * 1024;
/// How long the broker may take to answer at start.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The pause between attempts to reach a broker that went away.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Prepares a client for `mqtt://host:port`.
pub fn client(url: &str) -> Result<(AsyncClient, EventLoop)> {
    let bad = || Fatal::new(format!("--broker {url:?}: expected mqtt://host:port"));
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?;
    let path = uri.path();
    // What stands beside the host is a port or nothing; the parser lets user names and bad ports through.
    let port = match uri.authority().and_then(|authority| authority.as_str().strip_prefix(host)) {
        Some("") => 1883,
        Some(_) => uri.port_u16().ok_or_else(bad)?,
        None => return Err(bad()),
    };
    if uri.scheme_str() != Some("mqtt") || !(path.is_empty() || path == "/") {
        return Err(bad());
    }
    // Two hubs on one broker must not take each other's session over.
    let id = format!("hub-{}-{:x}", std::process::id(), crate::hub::now_ms());
    let mut options = MqttOptions::new(id, host.trim_matches(['[', ']']), port);
    options.set_max_packet_size(MAX_PACKET, MAX_PACKET);
    Ok(AsyncClient::new(options, QUEUE))
}

/// Waits until the broker has taken the client and its subscriptions in.
pub async fn connect(client: &AsyncClient, events: &mut EventLoop, url: &str) -> Result<()> {
    let wait = async {
        subscribe(client);
        let mut granted = 0;
        while granted < ota::FILTERS.len() {
            match events.poll().await {
                Ok(Event::Incoming(Packet::SubAck(_))) => granted += 1,
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    };
    timeout(CONNECT_LIMIT, wait)
        .await
        .unwrap_or_else(|_| Err("no answer in time".to_owned()))
        .context(|| format!("cannot use the broker {url}"))
}

fn subscribe(client: &AsyncClient) {
    for filter in ota::FILTERS {
        // A queue that is full after a long time away means a broker that is not coming back for us anyway.
        let _ = client.try_subscribe(filter, QoS::AtLeastOnce);
    }
}

/// Serves for ever; a broker that goes away is connected to again.
pub async fn serve(hub: Arc<Hub>, client: AsyncClient, mut events: EventLoop) {
    let mut lost = false;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(message))) => {
                if let Some(client_id) = ota::sender(&message.topic) {
                    hub.device_message(&client_id, &message);
                }
            }
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                lost = false;
                subscribe(&client);
                hub.warn("connected to the broker again");
            }
            Ok(_) => {}
            Err(error) => {
                if !lost {
                    hub.warn(&format!("lost the broker: {error}"));
                }
                lost = true;
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_urls() {
        for good in ["mqtt://localhost:1883", "mqtt://10.0.0.1", "mqtt://[::1]:1883/"] {
            assert!(client(good).is_ok(), "{good}");
        }
        for bad in
            ["localhost:1883", "http://localhost", "mqtt://", "mqtt://h:x", "mqtt://u:p@h", "mqtt://h:1/topic", ""]
        {
            assert!(client(bad).is_err(), "{bad}");
        }
    }
}
