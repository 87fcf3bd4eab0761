//! MQTT over WebSocket, on the listeners of MQTT: which of the two it is the first byte tells.

use std::io::{self, Cursor};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::StatusCode;
use tokio::io::{duplex, join, split, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_hdr_async, WebSocketStream};

use hub_fault::stream::peer_gone;
use hub_fault::websocket::{After, OddUpgrade};
use hub_fault::Faults;

/// Bytes on their way between the frames and the broker.
const ROOM: usize = 64 * 1024;
/// Longest request that is read where a fault rule answers it.
const MAX_REQUEST: usize = 8 * 1024;

/// A connection whose first byte is known.
pub enum Opened<S> {
    /// It speaks MQTT.
    Mqtt(S),
    /// It asks for an upgrade.
    Http(S),
}

/// Looks at the first byte, which is read again after that.
///
/// # Errors
/// There is none.
pub async fn open<S>(stream: S) -> io::Result<Opened<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut reader, writer) = split(stream);
    let mut first = vec![0; 1];
    let count = reader.read(&mut first).await?;
    first.truncate(count);
    let is_http = first == b"G";
    let stream = join(Cursor::new(first).chain(reader), writer);
    Ok(if is_http { Opened::Http(stream) } else { Opened::Mqtt(stream) })
}

/// Upgrades a connection: what comes back carries the bytes of MQTT.
///
/// # Errors
/// What is wrong with the request.
pub async fn accept<S>(stream: S, faults: Arc<Faults>) -> Result<DuplexStream, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let socket = accept_hdr_async(stream, check).await.map_err(|error| format!("no WebSocket: {error}"))?;
    let (near, far) = duplex(ROOM);
    tokio::spawn(carry(socket, far, faults));
    Ok(near)
}

/// Answers the request for an upgrade as a fault rule wants it.
pub async fn misanswer<S>(mut stream: S, odd: OddUpgrade)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && request.len() < MAX_REQUEST {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8_lossy(&request);
    let header = |line: &str| {
        line.split_once(": ")
            .filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key"))
            .map(|(_, key)| key.to_owned())
    };
    let key = request.lines().find_map(header).unwrap_or_default();
    let (bytes, after) = odd.answer(&derive_accept_key(key.as_bytes()));
    say(&mut stream, &bytes, after).await;
}

/// Sends what a fault rule wants, and plays what follows.
async fn say(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8], after: After) {
    // A peer that has gone meanwhile has made up its mind.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    match after {
        After::GoesOn => {}
        After::Cut => drop(stream.shutdown().await),
        After::Silent => peer_gone(stream).await,
    }
}

/// MQTT is the only protocol (MQTT 3.1.1, section 6).
#[allow(clippy::result_large_err)] // as tungstenite has it
fn check(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let asked = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !asked.flat_map(|names| names.split(',')).any(|name| name.trim() == "mqtt") {
        let mut refusal = ErrorResponse::new(Some("the only protocol is mqtt".to_owned()));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Err(refusal);
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mqtt"));
    Ok(response)
}

/// Carries data both ways until one side ends.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    broker: DuplexStream,
    faults: Arc<Faults>,
) {
    let (mut from_broker, mut to_broker) = split(broker);
    let mut piece = vec![0; ROOM];
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => {
                    if to_broker.write_all(&message.into_data()).await.is_err() {
                        break;
                    }
                }
                // PING: its answer goes out with the next look at the socket.
                Some(Ok(message)) if !message.is_close() => {
                    if socket.flush().await.is_err() {
                        break;
                    }
                }
                _ => break,
            },
            count = from_broker.read(&mut piece) => match count {
                Ok(count @ 1..) => {
                    let data = piece.get(..count).unwrap_or_default();
                    if let Some(odd) = faults.websocket_frame() {
                        let (bytes, after) = odd.bytes(data);
                        say(socket.get_mut(), &bytes, after).await;
                        if after != After::GoesOn {
                            return;
                        }
                    } else if socket.send(Message::Binary(Bytes::copy_from_slice(data))).await.is_err() {
                        break;
                    }
                }
                _ => break,
            },
        }
    }
    let _ = socket.close(None).await;
}
