//! A tunnel: the device at one end, and whoever connects to its port at the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::WebSocketStream;

use super::Tunnels;
use hub_core::hub::{now_ms, Hub};
use hub_core::ssh::frame::{kind, Decoder, Frame};

/// How long a device may take to say who it is.
const SIGN_IN: Duration = Duration::from_secs(20);
/// How long whoever is connected may take nothing before its session is over.
const STALL: Duration = Duration::from_secs(30);
/// Frames that wait for the device, and pieces that wait for a connection.
const WAITING: usize = 16;
/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// The connections, by their tokens: where what the device says goes.
type Sessions = Arc<Mutex<BTreeMap<String, Sender<Vec<u8>>>>>;

fn locked(sessions: &Sessions) -> MutexGuard<'_, BTreeMap<String, Sender<Vec<u8>>>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a device until its connection ends. One that `is_denied` is not believed.
pub async fn serve<S>(hub: Arc<Hub>, tunnels: Arc<Tunnels>, socket: WebSocketStream<S>, is_denied: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sink, stream) = socket.split();
    let mut device = Device { stream, decoder: Decoder::default() };
    let signed =
        timeout(SIGN_IN, device.sign_in()).await.unwrap_or_else(|_| Err("it does not say who it is".to_owned()));
    let (token, client_id) = match signed {
        Ok((token, payload)) => {
            let asked = hub.clone();
            let checked = tokio::task::spawn_blocking(move || asked.ssh_device(&payload)).await;
            (token, checked.unwrap_or_else(|error| Err(error.to_string())))
        }
        Err(why) => (String::new(), Err(why)),
    };
    let client_id = match client_id {
        Ok(_) if is_denied => return refuse(&mut sink, &token).await,
        Ok(client_id) => client_id,
        Err(why) => {
            hub.warn(&format!("SSH tunnel refused: {why}"));
            return refuse(&mut sink, &token).await;
        }
    };
    let (start, started) = oneshot::channel::<AbortHandle>();
    // The task that can be ended is the one that carries.
    let task = {
        let (hub, tunnels, client_id) = (hub.clone(), tunnels.clone(), client_id.clone());
        tokio::spawn(async move {
            let Ok(own) = started.await else { return false };
            let Some(listener) = tunnels.begin(&client_id, own.clone()) else {
                hub.warn(&format!("SSH tunnel of {client_id} refused: nobody has asked for it"));
                refuse(&mut sink, &token).await;
                return false;
            };
            if send(&mut sink, &Frame::new(kind::VERIFIED, &token, r#"{"code":0}"#)).await {
                hub.tell_of_ssh(&client_id, "up");
                carry(&hub, device, sink, listener).await;
            }
            tunnels.over(&client_id, &own);
            true
        })
    };
    let _ = start.send(task.abort_handle());
    // A task that was ended was up.
    if task.await.unwrap_or(true) {
        hub.tell_of_ssh(&client_id, "down");
    }
}

async fn refuse<S>(sink: &mut SplitSink<WebSocketStream<S>, Message>, token: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    send(sink, &Frame::new(kind::VERIFIED, token, r#"{"code":-1}"#)).await;
    let _ = sink.close().await;
}

/// Sends a frame, as a message of its own. Returns whether the connection lives.
async fn send<S>(sink: &mut SplitSink<WebSocketStream<S>, Message>, frame: &Frame) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    sink.send(Message::Binary(Bytes::from(frame.encode(now_ms() / 1000)))).await.is_ok()
}

/// What a device says.
struct Device<S> {
    stream: SplitStream<WebSocketStream<S>>,
    decoder: Decoder,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Device<S> {
    /// The next frame. The error is empty where the connection has ended in order.
    async fn next(&mut self) -> Result<Frame, String> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            match self.stream.next().await {
                Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => self.decoder.push(&message.into_data()),
                Some(Ok(message)) if !message.is_close() => {}
                Some(Err(error)) => return Err(error.to_string()),
                _ => return Err(String::new()),
            }
        }
    }

    /// Token and payload of the frame in which it says who it is.
    async fn sign_in(&mut self) -> Result<(String, Vec<u8>), String> {
        let first = self.next().await?;
        if first.kind != kind::SIGN_IN {
            return Err("its first frame does not say who it is".to_owned());
        }
        Ok((first.token, first.payload))
    }
}

/// Carries what the device and the connections say, until the device's connection ends. Three things at once: neither way
/// may wait for the other.
async fn carry<S>(
    hub: &Hub,
    mut device: Device<S>,
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    listener: TcpListener,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let sessions = Sessions::default();
    let (to_device, mut frames) = channel::<Frame>(WAITING);
    let write = async {
        while let Some(frame) = frames.recv().await {
            if !send(&mut sink, &frame).await {
                return;
            }
        }
    };
    let accept = accept(listener, &sessions, &to_device);
    let read = async {
        loop {
            match device.next().await {
                Ok(frame) => hear(frame, &sessions, &to_device).await,
                Err(why) => {
                    if !why.is_empty() {
                        hub.warn(&format!("SSH tunnel: {why}"));
                    }
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = accept => {}
        () = read => {}
    }
}

/// Takes a frame of a device that is known.
async fn hear(frame: Frame, sessions: &Sessions, to_device: &Sender<Frame>) {
    match frame.kind {
        kind::PING => {
            // A device whose frames wait is alive: the next ping will do.
            let _ = to_device.try_send(Frame::new(kind::PONG, &frame.token, ""));
        }
        kind::DATA => {
            let session = locked(sessions).get(&frame.token).cloned();
            let Some(session) = session else { return };
            if !matches!(timeout(STALL, session.send(frame.payload)).await, Ok(Ok(()))) {
                locked(sessions).remove(&frame.token);
            }
        }
        kind::OPENED if !is_success(&frame.payload) => drop(locked(sessions).remove(&frame.token)),
        _ => {}
    }
}

/// Whether an answer says that all is well.
fn is_success(payload: &[u8]) -> bool {
    serde_json::from_slice::<Value>(payload).is_ok_and(|answer| answer["code"] == 0)
}

/// Accepts connections for ever; they end with this.
async fn accept(listener: TcpListener, sessions: &Sessions, to_device: &Sender<Frame>) {
    let mut running = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = running.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let Ok(random) = hub_core::random::bytes(16) else { continue };
        let token = hex::encode(random);
        let (from_device, pieces) = channel(WAITING);
        locked(sessions).insert(token.clone(), from_device);
        let (reader, writer) = stream.into_split();
        let (sessions, to_device) = (sessions.clone(), to_device.clone());
        running.spawn(async move {
            if to_device.send(Frame::new(kind::OPEN, &token, "")).await.is_ok() {
                tokio::select! {
                    () = listen(reader, &token, &to_device) => {}
                    () = speak(writer, pieces) => {}
                }
                let _ = to_device.send(Frame::new(kind::CLOSE, &token, "")).await;
            }
            locked(&sessions).remove(&token);
        });
    }
}

/// What comes in by a connection, until its end.
async fn listen(mut reader: OwnedReadHalf, token: &str, to_device: &Sender<Frame>) {
    let mut piece = vec![0; CHUNK];
    while let Ok(count @ 1..) = reader.read(&mut piece).await {
        let data = piece.get(..count).unwrap_or_default();
        if to_device.send(Frame::new(kind::DATA, token, data)).await.is_err() {
            return;
        }
    }
}

/// What the device says to a connection, until the session is over.
async fn speak(mut writer: impl AsyncWrite + Unpin, mut pieces: Receiver<Vec<u8>>) {
    while let Some(piece) = pieces.recv().await {
        if writer.write_all(&piece).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}
