//! The three MQTT listeners.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{handshake_failure, serve};
use super::Side;
use crate::auth::Identity;
use crate::tls::{certs, psk};
use hub_core::events::{Event, Listener};
use hub_fault::listener::InterruptibleListener;
use hub_fault::stream::Handle;
use hub_fault::OnConnection;

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How devices prove who they are.
#[derive(Clone)]
pub enum Proof {
    /// By a password in CONNECT.
    Password,
    /// By a pre-shared key.
    Psk(psk::Acceptor),
    /// By a client certificate.
    Certificate(TlsAcceptor),
}

/// Accepts connections for ever.
pub async fn accept(side: Side, mut listener: InterruptibleListener, proof: Proof) {
    loop {
        let stream = listener.accept().await;
        tokio::spawn(begin(side.clone(), stream, proof.clone()));
    }
}

async fn begin(side: Side, stream: TcpStream, mut proof: Proof) {
    let Side { hub, broker, faults } = &side;
    let stream = match faults.mqtt_connection() {
        None => stream,
        Some(effect) => {
            if matches!(effect, OnConnection::Away(_)) {
                broker.cut_all();
            }
            let Some((stream, flaw)) = hub_fault::stream::play(effect, stream, &faults.mqtt_interruption).await else {
                return;
            };
            if let (Proof::Certificate(good), Some(flawed)) = (&mut proof, faults.acceptor(flaw, true)) {
                *good = flawed;
            }
            stream
        }
    };
    let handle = Handle::of(&stream);
    let refused = |listener, client_id, reason| hub.emit(&Event::Refused { client_id, listener, reason });
    let late = || "no TLS handshake in time".to_owned();
    match proof {
        Proof::Password => serve(&side, stream, handle, Listener::Tcp, None).await,
        Proof::Psk(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok((stream, name))) => {
                let identity = Identity { name, serial: None };
                serve(&side, stream, handle, Listener::Psk, Some(identity)).await;
            }
            Ok(Err(failure)) => refused(Listener::Psk, failure.identity, failure.reason),
            Err(_) => refused(Listener::Psk, None, late()),
        },
        Proof::Certificate(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let chain = stream.get_ref().1.peer_certificates();
                let identity = chain.and_then(|chain| chain.first()).and_then(|leaf| certs::identity(leaf));
                serve(&side, stream, handle, Listener::Cert, identity).await;
            }
            Ok(Err(error)) => refused(Listener::Cert, None, handshake_failure(&error)),
            Err(_) => refused(Listener::Cert, None, late()),
        },
    }
}
