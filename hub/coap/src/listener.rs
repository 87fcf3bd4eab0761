//! The sockets.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use tokio::net::UdpSocket;
use tokio::time::{sleep, sleep_until};

use hub_core::events::{Event, Listener};
use hub_core::ports::{Admission, Received};
use hub_core::random;
use hub_fault::coap::{CoapEffect, CoapEvent};
use hub_fault::Faults;

use crate::service::{Cloud, Service};
use crate::tokens::Owner;

/// Random bytes in a token, which has two characters for each.
const TOKEN_BYTES: usize = 16;
/// The longest datagram there is.
const MAX_UDP: usize = 65_536;
/// How long to wait when the system can't receive.
const PAUSE: Duration = Duration::from_millis(50);

/// What a CoAP server has to do with.
#[derive(Clone)]
pub struct Side {
    /// Knows the devices, and takes in what they say.
    pub hub: Arc<dyn Admission>,
    /// How it misbehaves.
    pub faults: Arc<Faults>,
}

/// The hub as one datagram's service sees it.
struct Desk<'a> {
    side: &'a Side,
    /// Said after the answer has gone out, because it may end the hub.
    unsaid: Vec<Received>,
}

impl Cloud for Desk<'_> {
    fn knows(&self, owner: &Owner) -> bool {
        let device = self.side.hub.device(&owner.client_id());
        device.is_some_and(|device| device.product_id == owner.product_id && device.device_name == owner.device_name)
    }

    fn token(&self) -> Option<Vec<u8>> {
        random::bytes(TOKEN_BYTES).ok().map(|bytes| hex::encode(bytes).into_bytes())
    }

    fn deliver(&mut self, client_id: &str, topic: &str, payload: &[u8]) -> Option<Vec<u8>> {
        let exchanged = self.side.hub.exchange(client_id, &Publish::new(topic, QoS::AtLeastOnce, payload))?;
        self.unsaid.push(exchanged.received);
        Some(exchanged.answer.unwrap_or_default().into_bytes())
    }

    fn emit(&self, event: &Event) {
        self.side.hub.emit(event);
    }

    fn faults(&self, happened: &[CoapEvent]) -> Vec<CoapEffect> {
        self.side.faults.coap(happened)
    }
}

/// Loses some datagrams where a fault rule wants it; the same ones every time.
struct Loss(u64);

impl Loss {
    fn takes(&mut self, faults: &Faults) -> bool {
        let percents = faults.coap(&[CoapEvent::Datagram]).into_iter().filter_map(|effect| match effect {
            CoapEffect::Loss(percent) => Some(percent),
            _ => None,
        });
        percents.fold(false, |lost, percent| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            lost | ((self.0 >> 33) % 100 < u64::from(percent))
        })
    }
}

/// Serves for ever over plain UDP.
pub async fn serve(side: Side, socket: UdpSocket) {
    let mut service = Service::new(Listener::Coap, first_id());
    let mut loss = Loss(1);
    let mut buffer = vec![0; MAX_UDP];
    loop {
        let arrived = next(&socket, &mut buffer, service.deadline()).await;
        let now = Instant::now();
        let mut desk = Desk { side: &side, unsaid: Vec::new() };
        match arrived {
            None => service.tick(now, &desk),
            Some((count, peer)) if !loss.takes(&side.faults) => {
                service.receive(now, peer, None, buffer.get(..count).unwrap_or_default(), &mut desk);
            }
            Some(_) => {}
        }
        while let Some((peer, datagram)) = service.next_output() {
            if !loss.takes(&side.faults) {
                // It may be lost on the way just as well.
                let _ = socket.send_to(&datagram, peer).await;
            }
        }
        // Plain UDP has no sessions to end.
        while service.next_end().is_some() {}
        for received in desk.unsaid {
            side.hub.report(received);
        }
    }
}

/// Where the ids of messages begin.
fn first_id() -> u16 {
    random::bytes(2).ok().and_then(|bytes| bytes.try_into().ok()).map_or(1, u16::from_be_bytes)
}

/// The next datagram; `None` where the time has come for something else.
async fn next(socket: &UdpSocket, buffer: &mut [u8], deadline: Option<Instant>) -> Option<(usize, SocketAddr)> {
    let due = async {
        match deadline {
            Some(deadline) => sleep_until(deadline.into()).await,
            None => pending().await,
        }
    };
    tokio::select! {
        received = socket.recv_from(buffer) => match received {
            Ok(received) => Some(received),
            Err(_) => {
                sleep(PAUSE).await;
                None
            }
        },
        () = due => None,
    }
}
