//! The three MQTT listeners.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{handshake_failure, serve};
use super::Broker;
use crate::auth::Identity;
use crate::events::{Event, Listener};
use crate::fault::door::Door;
use crate::fault::stream::Handle;
use crate::fault::{self, OnConnection};
use crate::hub::Hub;
use crate::tls::{certs, psk};

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How devices prove who they are.
#[derive(Clone)]
pub enum Proof {
    Password,
    Psk(psk::Acceptor),
    Certificate(TlsAcceptor),
}

/// Accepts connections for ever.
pub async fn accept(hub: Arc<Hub>, broker: Arc<Broker>, mut door: Door, proof: Proof) {
    loop {
        let stream = door.accept().await;
        tokio::spawn(begin(hub.clone(), broker.clone(), stream, proof.clone()));
    }
}

async fn begin(hub: Arc<Hub>, broker: Arc<Broker>, stream: TcpStream, mut proof: Proof) {
    let stream = match hub.faults.mqtt_connection(&hub.events) {
        None => stream,
        Some(effect) => {
            if matches!(effect, OnConnection::Away(_)) {
                broker.cut_all();
            }
            let Some((stream, flaw)) = fault::stream::play(effect, stream, &hub.faults.mqtt_latch).await else {
                return;
            };
            if let (Proof::Certificate(good), Some(flawed)) = (&mut proof, hub.faults.acceptor(flaw, true)) {
                *good = flawed;
            }
            stream
        }
    };
    let handle = Handle::of(&stream);
    let refused = |listener, client_id, reason| hub.events.emit(&Event::Refused { client_id, listener, reason });
    let late = || "no TLS handshake in time".to_owned();
    match proof {
        Proof::Password => serve(hub, broker, stream, handle, Listener::Tcp, None).await,
        Proof::Psk(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok((stream, name))) => {
                let identity = Identity { name, serial: None };
                serve(hub, broker, stream, handle, Listener::Psk, Some(identity)).await;
            }
            Ok(Err(failure)) => refused(Listener::Psk, failure.identity, failure.reason),
            Err(_) => refused(Listener::Psk, None, late()),
        },
        Proof::Certificate(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let chain = stream.get_ref().1.peer_certificates();
                let identity = chain.and_then(|chain| chain.first()).and_then(|leaf| certs::identity(leaf));
                serve(hub, broker, stream, handle, Listener::Cert, identity).await;
            }
            Ok(Err(error)) => refused(Listener::Cert, None, handshake_failure(&error)),
            Err(_) => refused(Listener::Cert, None, late()),
        },
    }
}
