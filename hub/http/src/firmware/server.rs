//! HTTP/1.1 over TCP and TLS.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body::Body as _;
use hyper::body::Incoming;
use hyper::header::{
    HeaderName, HeaderValue, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_RANGE, RANGE, RETRY_AFTER, UPGRADE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{timeout, Instant};
use tokio_rustls::TlsAcceptor;

use super::body::{Answer, Ticket};
use super::decision::{event, Request};
use super::faulty;
use super::posts::{self, Post};
use crate::ssh::{self, Tunnels};
use crate::steady::{was_too_slow, Steady};
use hub_core::guard::Guard;
use hub_core::hub::Hub;
use hub_fault::listener::InterruptibleListener;
use hub_fault::ssh::OnTunnel;
use hub_fault::stream::{play, Handle};
use hub_fault::Faults;

/// How long a TLS handshake, and the header of a request once begun, may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What one gets that has too many connections already.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// What each connection needs.
#[derive(Clone)]
pub struct Side {
    hub: Arc<Hub>,
    faults: Arc<Faults>,
    tunnels: Arc<Tunnels>,
    guard: Arc<Guard>,
}

impl Side {
    /// `hub` answers, unless `faults` have it go wrong; devices begin `tunnels`; `guard` knows what one address may cost.
    pub fn new(hub: Arc<Hub>, faults: Arc<Faults>, tunnels: Arc<Tunnels>, guard: Arc<Guard>) -> Self {
        Side { hub, faults, tunnels, guard }
    }

    /// Tells a person what an address does too much, now and then.
    fn tell(&self, address: IpAddr, why: &str) {
        if self.guard.tells(address, Instant::now()) {
            self.hub.warn(why);
        }
    }
}

/// Serves for ever.
pub async fn accept(side: Side, mut listener: InterruptibleListener, tls: Option<TlsAcceptor>) {
    loop {
        let stream = listener.accept().await;
        let Ok(address) = stream.peer_addr().map(|address| address.ip()) else {
            continue;
        };
        match side.guard.enter(address) {
            Ok(seat) => {
                let (side, tls) = (side.clone(), tls.clone());
                tokio::spawn(async move {
                    begin(side, stream, address, tls).await;
                    drop(seat);
                });
            }
            Err(why) => {
                side.tell(address, &why);
                if tls.is_none() {
                    // As much as the socket takes at once: this one may cost nothing.
                    let _ = stream.try_write(TOO_MANY);
                }
            }
        }
    }
}

async fn begin(side: Side, stream: TcpStream, address: IpAddr, tls: Option<TlsAcceptor>) {
    let faults = &side.faults;
    let (stream, tls) = match faults.http_connection() {
        None => (stream, tls),
        Some(effect) => match play(effect, stream, &faults.http_interruption).await {
            None => return,
            Some((stream, flaw)) => (stream, tls.and_then(|_| faults.acceptor(flaw, false))),
        },
    };
    let handle = Handle::of(&stream);
    let stream = Steady::new(stream, side.guard.headway());
    match tls {
        None => serve(&side, stream, address, handle).await,
        Some(tls) => {
            // Whoever fails here (a port scan, a client that does not trust the CA) knows best why.
            if let Ok(Ok(stream)) = timeout(LIMIT, tls.accept(stream)).await {
                serve(&side, stream, address, handle).await;
            }
        }
    }
}

async fn serve<S>(side: &Side, stream: S, address: IpAddr, handle: Handle)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if !side.faults.touches_answers() {
        return serve_well(side, stream, address, handle).await;
    }
    // A tunnel is no answer that rules could touch.
    if let Some(stream) = faulty::serve(&side.hub, &side.faults, stream, &handle).await {
        serve_well(side, stream, address, handle).await;
    }
}

async fn serve_well<S>(side: &Side, stream: S, address: IpAddr, handle: Handle)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Side { hub, guard, .. } = side;
    let handle = &Arc::new(handle);
    let service = service_fn(|request| async move {
        if let Err((wait, why)) = guard.ask(address, Instant::now()) {
            side.tell(address, &why);
            return Ok(too_often(wait));
        }
        let upgrade = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
        if ssh::wants(request.uri().path(), upgrade) {
            begin_tunnel(side, request, handle)
        } else {
            Ok(answer(hub, request).await)
        }
    });
    // A connection that breaks is told of by the event of the request it broke.
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIMIT)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if served.is_err_and(|error| was_too_slow(&error)) {
        // What it has not taken so far is not kept for it.
        handle.reset();
        side.tell(address, &guard.too_slow(address));
    }
}

/// The answer to one that asks too often.
fn too_often(wait: Duration) -> Response<Answer> {
    let mut response = Response::new(Answer::untold());
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    response
}

/// The answer to a device that begins a tunnel.
///
/// # Errors
/// A fault rule has the connection reset.
fn begin_tunnel(
    Side { hub, faults, tunnels, .. }: &Side,
    request: hyper::Request<Incoming>,
    handle: &Arc<Handle>,
) -> io::Result<Response<Answer>> {
    let asked = Request {
        method: request.method().to_string(),
        target: request.uri().path().to_owned(),
        range: None,
        if_range: None,
        accept_encoding: None,
        content_md5: None,
        signed: Vec::new(),
        body: Vec::new(),
    };
    let (status, headers) = match faults.tunnel() {
        Some(OnTunnel::Refuse) => {
            handle.reset();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Some(OnTunnel::Status(code)) => {
            (StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE), HeaderMap::new())
        }
        fault => ssh::upgrade(hub, tunnels, request, fault, handle.clone()),
    };
    let ticket = Ticket::new(hub.clone(), event(&asked, status.as_u16(), None), 0);
    let mut response = Response::new(Answer::text("", ticket));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

async fn answer(hub: &Arc<Hub>, request: hyper::Request<Incoming>) -> Response<Answer> {
    let (request, body) = request.into_parts();
    let header = |name| request.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let request = Request {
        method: request.method.to_string(),
        target: request.uri.path_and_query().map_or("", |target| target.as_str()).to_owned(),
        range: header(RANGE),
        if_range: header(IF_RANGE),
        accept_encoding: header(ACCEPT_ENCODING),
        content_md5: header(CONTENT_MD5),
        signed: posts::HEADERS
            .iter()
            .filter_map(|name| Some((*name, request.headers.get(*name)?.to_str().ok()?.to_owned())))
            .collect(),
        body: match Post::of(request.method.as_str(), request.uri.path()) {
            // A body that is not wanted is not waited for.
            Some(Post::File) if !expects(hub, &request.uri).await => Vec::new(),
            Some(post) => posted(body, post).await,
            None => Vec::new(),
        },
    };
    let decision = posts::answer(hub, &request, Vec::new);
    let text = decision.text();
    let length = decision.part.map_or(text.len() as u64, |(_, count)| count);
    let head_only = request.method == "HEAD";
    let event = event(&request, decision.status.as_u16(), decision.reason);
    let ticket = Ticket::new(hub.clone(), event, if head_only { 0 } else { length });
    let body = match (&decision.file, decision.part) {
        _ if head_only => Answer::text("", ticket),
        (Some(file), Some((first, count))) => Answer::file(&file.path, first, count, ticket),
        _ => Answer::text(text, ticket),
    };
    let mut response = Response::new(body);
    *response.status_mut() = decision.status;
    let common = [(CONTENT_TYPE, decision.content_type().to_owned()), (CONTENT_LENGTH, length.to_string())];
    for (name, value) in common.into_iter().chain(decision.headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The body of what is posted, as far as one may take time. One that is cut or too long is nothing that a device would sign.
async fn posted(mut body: Incoming, post: Post) -> Vec<u8> {
    let limit = post.limit();
    let mut bytes = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
            if bytes.len() > limit {
                bytes.clear();
                return;
            }
        }
    };
    let _ = timeout(post.patience(), read).await;
    bytes
}

/// Whether a file is expected there.
async fn expects(hub: &Arc<Hub>, uri: &Uri) -> bool {
    let (hub, target) = (hub.clone(), uri.path_and_query().map_or("", |target| target.as_str()).to_owned());
    tokio::task::spawn_blocking(move || hub.expected_upload(&target).is_ok()).await.unwrap_or(false)
}
