//! The request by which a device begins a tunnel.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::WebSocketStream;

use super::spoiled::Spoiled;
use super::{tunnel, Tunnels};
use hub_core::hub::Hub;
use hub_core::ssh::PATH;
use hub_fault::ssh::OnTunnel;
use hub_fault::stream::Handle;

/// Whether a request with this path and this `Upgrade` is a device's that begins a tunnel.
pub fn wants(path: &str, upgrade: Option<&str>) -> bool {
    path == PATH && upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// Upgrades the connection once the answer is out. Returns status and headers of that. `fault` is what goes wrong on purpose,
/// `handle` the TCP connection below.
pub fn upgrade(
    hub: &Arc<Hub>,
    tunnels: &Arc<Tunnels>,
    request: Request<Incoming>,
    fault: Option<OnTunnel>,
    handle: Arc<Handle>,
) -> (StatusCode, HeaderMap) {
    let mut headers = HeaderMap::new();
    let Some(accept) = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes())) else {
        return (StatusCode::BAD_REQUEST, headers);
    };
    let Ok(accept) = accept.parse() else { return (StatusCode::BAD_REQUEST, headers) };
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(UPGRADE, hyper::header::HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("Upgrade"));
    if let Some(protocol) = request.headers().get(SEC_WEBSOCKET_PROTOCOL) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
    }
    let (hub, tunnels) = (hub.clone(), tunnels.clone());
    tokio::spawn(async move {
        // A device that goes before the answer is out will come again.
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let end = match fault {
            Some(OnTunnel::Before(byte, ending)) => Some((byte, ending)),
            _ => None,
        };
        let stream = Spoiled::new(TokioIo::new(upgraded), end, handle);
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        tunnel::serve(hub, tunnels, socket, fault == Some(OnTunnel::Deny)).await;
    });
    (StatusCode::SWITCHING_PROTOCOLS, headers)
}
