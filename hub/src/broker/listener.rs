//! The three MQTT listeners.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::{handshake_failure, serve};
use super::Broker;
use crate::events::{Event, Listener};
use crate::hub::Hub;
use crate::tls::{certs, psk};

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait when the system has no socket left to accept with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How devices prove who they are.
#[derive(Clone)]
pub enum Proof {
    Password,
    Psk(psk::Acceptor),
    Certificate(TlsAcceptor),
}

/// Accepts connections for ever.
pub async fn accept(hub: Arc<Hub>, broker: Arc<Broker>, socket: TcpListener, proof: Proof) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                tokio::spawn(begin(hub.clone(), broker.clone(), stream, proof.clone()));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn begin(hub: Arc<Hub>, broker: Arc<Broker>, stream: TcpStream, proof: Proof) {
    let refused = |listener, client_id, reason| hub.events.emit(&Event::Refused { client_id, listener, reason });
    let late = || "no TLS handshake in time".to_owned();
    match proof {
        Proof::Password => serve(hub, broker, stream, Listener::Tcp, None).await,
        Proof::Psk(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok((stream, identity))) => serve(hub, broker, stream, Listener::Psk, Some(identity)).await,
            Ok(Err(failure)) => refused(Listener::Psk, failure.identity, failure.reason),
            Err(_) => refused(Listener::Psk, None, late()),
        },
        Proof::Certificate(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let chain = stream.get_ref().1.peer_certificates();
                let name = chain.and_then(|chain| chain.first()).and_then(|leaf| certs::common_name(leaf));
                serve(hub, broker, stream, Listener::Cert, name).await;
            }
            Ok(Err(error)) => refused(Listener::Cert, None, handshake_failure(&error)),
            Err(_) => refused(Listener::Cert, None, late()),
        },
    }
}
