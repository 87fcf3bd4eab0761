//! The sockets.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use tokio::net::UdpSocket;
use tokio::time::{sleep, sleep_until};
use zeroize::Zeroizing;

use hub_core::events::{Event, Listener};
use hub_core::guard::Guard;
use hub_core::ports::{Admission, Received};
use hub_core::random;
use hub_fault::coap::{CoapEffect, CoapEvent};
use hub_fault::Faults;
use iot_mbedtls::{Error, Trust};

use crate::dtls::{Failure, Guests, Peers};
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
    /// What one address may cost.
    pub guard: Arc<Guard>,
}

/// The hub as one datagram's service sees it.
struct Desk<'a> {
    side: &'a Side,
    /// Said after the answer has gone out, because it may end the hub.
    unsaid: Vec<Received>,
}

impl Desk<'_> {
    /// Says what has been received.
    fn report(self) {
        for received in self.unsaid {
            self.side.hub.report(received);
        }
    }

    /// Tells of a DTLS connection that came to nothing.
    fn refused(&self, listener: Listener, failure: Failure) {
        let Failure { claimed, reason } = failure;
        let device = claimed.as_deref().map(|client_id| self.side.hub.device(client_id));
        let reason = match (listener, device) {
            (Listener::CoapPsk, Some(None)) => "unknown PSK identity".to_owned(),
            (Listener::CoapPsk, Some(_)) => format!("{reason} (is the device's secret another one?)"),
            (Listener::CoapCert, Some(None)) => "unknown client id".to_owned(),
            (Listener::CoapCert, Some(_)) => format!("{reason} (is the certificate the device's latest?)"),
            _ => reason,
        };
        self.side.hub.emit(&Event::Refused { client_id: claimed, listener, reason });
    }
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

/// What brings datagrams in and out, and what is asked on the way.
struct Wire {
    side: Side,
    socket: UdpSocket,
    loss: Loss,
    buffer: Vec<u8>,
}

impl Wire {
    fn new(side: Side, socket: UdpSocket) -> Self {
        Wire { side, socket, loss: Loss(1), buffer: vec![0; MAX_UDP] }
    }

    /// The next datagram; `None` where the time has come for something else.
    async fn next(&mut self, deadline: Option<Instant>) -> Option<(SocketAddr, Vec<u8>)> {
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => pending().await,
            }
        };
        let received = tokio::select! {
            received = self.socket.recv_from(&mut self.buffer) => received,
            () = due => return None,
        };
        match received {
            Ok(_) if self.loss.takes(&self.side.faults) => None,
            Ok((_, peer)) if self.is_too_much(peer) => None,
            Ok((count, peer)) => Some((peer, self.buffer.get(..count).unwrap_or_default().to_vec())),
            Err(_) => {
                sleep(PAUSE).await;
                None
            }
        }
    }

    /// Whether a datagram is one too many of its address, which repeats it later and later.
    fn is_too_much(&self, peer: SocketAddr) -> bool {
        let (Side { hub, guard, .. }, now) = (&self.side, Instant::now().into());
        let refused = guard.ask(peer.ip(), now).err();
        if let Some((_, why)) = refused.as_ref().filter(|_| guard.tells(peer.ip(), now)) {
            hub.warn(why);
        }
        refused.is_some()
    }

    async fn send(&mut self, peer: SocketAddr, datagram: &[u8]) {
        if !self.loss.takes(&self.side.faults) {
            // It may be lost on the way just as well.
            let _ = self.socket.send_to(datagram, peer).await;
        }
    }
}

/// Serves for ever over plain UDP.
pub async fn serve(side: Side, socket: UdpSocket) {
    let mut wire = Wire::new(side.clone(), socket);
    let mut service = Service::new(Listener::Coap, first_id());
    loop {
        let arrived = wire.next(service.deadline()).await;
        let now = Instant::now();
        let mut desk = Desk { side: &side, unsaid: Vec::new() };
        match arrived {
            None => service.tick(now, &desk),
            Some((peer, datagram)) => service.receive(now, peer, None, &datagram, &mut desk),
        }
        while let Some((peer, datagram)) = service.next_output() {
            wire.send(peer, &datagram).await;
        }
        // Plain UDP has no sessions to end.
        while service.next_end().is_some() {}
        desk.report();
    }
}

/// The devices that have a secret.
struct WithKey(Arc<dyn Admission>);

impl Guests for WithKey {
    fn client_id(&self, shown: &[u8]) -> Option<String> {
        Some(String::from_utf8_lossy(shown).into_owned())
    }

    fn proof(&self, shown: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.device(std::str::from_utf8(shown).ok()?)?.key.map(Zeroizing::new)
    }
}

/// The client id and the serial number in a certificate (DER).
pub type Identity = fn(&[u8]) -> Option<(String, Option<String>)>;

/// What a server of DTLS with certificates needs, in DER.
pub struct Certificates {
    /// Of the CA that devices' certificates come from.
    pub ca: Vec<u8>,
    /// The server's own certificate.
    pub own: Vec<u8>,
    /// Its key.
    pub key: Zeroizing<Vec<u8>>,
    /// Says whose a certificate is.
    pub identity: Identity,
}

/// The devices, each with the hub's certificates for it, or its latest.
struct WithCertificate {
    hub: Arc<dyn Admission>,
    identity: Identity,
}

impl Guests for WithCertificate {
    fn client_id(&self, shown: &[u8]) -> Option<String> {
        (self.identity)(shown).map(|(client_id, _)| client_id)
    }

    fn proof(&self, shown: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (client_id, serial) = (self.identity)(shown)?;
        let device = self.hub.device(&client_id)?;
        let is_latest = device.serial.is_none() || device.serial == serial;
        is_latest.then(|| Zeroizing::new(serial.unwrap_or_default().into_bytes()))
    }
}

/// Serves for ever over DTLS with the devices' secrets as keys.
pub async fn serve_psk(side: Side, socket: UdpSocket) {
    let peers = Peers::with_keys(Arc::new(WithKey(side.hub.clone())), Instant::now());
    serve_dtls(side, socket, Listener::CoapPsk, peers).await;
}

/// Serves for ever over DTLS with certificates on both sides.
pub async fn serve_certificates(side: Side, socket: UdpSocket, certificates: Certificates) {
    let guests = Arc::new(WithCertificate { hub: side.hub.clone(), identity: certificates.identity });
    let peers =
        trust(&certificates).and_then(|trust| Peers::with_certificates(&Arc::new(trust), guests, Instant::now()));
    serve_dtls(side, socket, Listener::CoapCert, peers).await;
}

fn trust(certificates: &Certificates) -> Result<Trust, Error> {
    let mut trust = Trust::new()?;
    trust.add_root(&certificates.ca)?;
    trust.add_to_chain(&certificates.own)?;
    trust.set_key(&certificates.key).map_err(|_| Error::BAD_CERTIFICATE)?;
    Ok(trust)
}

async fn serve_dtls(side: Side, socket: UdpSocket, listener: Listener, peers: Result<Peers, Error>) {
    let mut peers = match peers {
        Ok(peers) => peers,
        Err(error) => return side.hub.warn(&format!("no CoAP over DTLS: {error}")),
    };
    let mut wire = Wire::new(side.clone(), socket);
    let mut service = Service::new(listener, first_id());
    loop {
        let deadline = service.deadline().into_iter().chain(peers.deadline()).min();
        let arrived = wire.next(deadline).await;
        let now = Instant::now();
        let mut desk = Desk { side: &side, unsaid: Vec::new() };
        peers.tick(now);
        service.tick(now, &desk);
        if let Some((peer, datagram)) = arrived {
            for message in handle(&mut peers, &side.faults, now, peer, &datagram) {
                let proven = peers.proved(peer);
                service.receive(now, peer, Some(proven.as_deref().unwrap_or_default()), &message, &mut desk);
            }
        }
        while let Some((peer, message)) = service.next_output() {
            peers.write(peer, &message);
        }
        while let Some((peer, ending)) = service.next_end() {
            peers.end(peer, ending);
        }
        while let Some((peer, datagram)) = peers.next_datagram() {
            wire.send(peer, &datagram).await;
        }
        while let Some(failure) = peers.next_failure() {
            desk.refused(listener, failure);
        }
        desk.report();
    }
}

/// Hands a datagram to the sessions, with what is to go wrong there. Returns the messages in it.
fn handle(peers: &mut Peers, faults: &Faults, now: Instant, peer: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
    if !peers.is_begin(peer, datagram) {
        return peers.receive(now, peer, datagram);
    }
    let effects = faults.coap(&[CoapEvent::Handshake]);
    if !effects.contains(&CoapEffect::Silent) {
        peers.begin(now, peer, datagram, !effects.contains(&CoapEffect::NoCookie));
    }
    Vec::new()
}

/// Where the ids of messages begin.
fn first_id() -> u16 {
    random::bytes(2).ok().and_then(|bytes| bytes.try_into().ok()).map_or(1, u16::from_be_bytes)
}
