//! The three MQTT listeners. Each takes MQTT over WebSocket, too.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{handshake_failure, serve, CONNECT_LIMIT};
use super::websocket::{self, Opened};
use super::Side;
use crate::auth::Identity;
use crate::tls::psk;
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
    let Side { hub, broker, faults, .. } = &side;
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
        Proof::Password => talk(&side, stream, handle, Listener::Tcp, None).await,
        Proof::Psk(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok((stream, name))) => {
                let identity = Identity { name, serial: None };
                talk(&side, stream, handle, Listener::Psk, Some(identity)).await;
            }
            Ok(Err(failure)) => refused(Listener::Psk, failure.identity, failure.reason),
            Err(_) => refused(Listener::Psk, None, late()),
        },
        Proof::Certificate(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let chain = stream.get_ref().1.peer_certificates();
                let identity = chain.and_then(|chain| chain.first()).and_then(|leaf| Identity::of_certificate(leaf));
                talk(&side, stream, handle, Listener::Cert, identity).await;
            }
            Ok(Err(error)) => refused(Listener::Cert, None, handshake_failure(&error)),
            Err(_) => refused(Listener::Cert, None, late()),
        },
    }
}

/// Serves a connection, whether it speaks MQTT at once or over WebSocket.
async fn talk<S>(side: &Side, stream: S, handle: Handle, listener: Listener, identity: Option<Identity>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client_id = identity.as_ref().map(|identity| identity.name.clone());
    let refused = |reason| side.hub.emit(&Event::Refused { client_id, listener, reason });
    match timeout(CONNECT_LIMIT, websocket::open(stream)).await {
        Ok(Ok(Opened::Mqtt(stream))) => serve(side, stream, handle, listener, identity).await,
        Ok(Ok(Opened::Http(stream))) => {
            if let Some(odd) = side.faults.websocket_request() {
                websocket::misanswer(stream, odd).await;
                return refused("no WebSocket, by a fault rule".to_owned());
            }
            match timeout(CONNECT_LIMIT, websocket::accept(stream, side.faults.clone())).await {
                Ok(Ok(stream)) => serve(side, stream, handle, listener, identity).await,
                Ok(Err(reason)) => refused(reason),
                Err(_) => refused("no request for WebSocket in time".to_owned()),
            }
        }
        Ok(Err(error)) => refused(format!("read: {error}")),
        Err(_) => refused("no CONNECT in time".to_owned()),
    }
}
