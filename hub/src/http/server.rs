//! HTTP/1.1 over TCP and TLS.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{
    HeaderName, HeaderValue, ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_RANGE, RANGE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::body::{Answer, Ticket};
use super::range::{self, Part};
use super::site::Served;
use crate::events::Event;
use crate::fault::door::Door;
use crate::fault::{self, stream::Handle};
use crate::hub::{Hub, Refused};

/// How long a TLS handshake, and the header of a request once begun, may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Serves for ever.
pub async fn accept(hub: Arc<Hub>, mut door: Door, tls: Option<TlsAcceptor>) {
    loop {
        let stream = door.accept().await;
        tokio::spawn(begin(hub.clone(), stream, tls.clone()));
    }
}

async fn begin(hub: Arc<Hub>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    let (stream, tls) = match hub.faults.http_connection(&hub.events) {
        None => (stream, tls),
        Some(effect) => match fault::stream::play(effect, stream, &hub.faults.http_latch).await {
            None => return,
            Some((stream, flaw)) => (stream, tls.and_then(|_| hub.faults.acceptor(flaw, false))),
        },
    };
    let handle = Handle::of(&stream);
    match tls {
        None => serve(hub, stream, handle).await,
        Some(tls) => {
            // Whoever fails here (a port scan, a client that does not trust the CA) knows best why.
            if let Ok(Ok(stream)) = timeout(LIMIT, tls.accept(stream)).await {
                serve(hub, stream, handle).await;
            }
        }
    }
}

async fn serve<S>(hub: Arc<Hub>, stream: S, handle: Handle)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if hub.faults.touches_answers() {
        return fault::answer::serve(&hub, stream, handle).await;
    }
    drop(handle);
    let service = service_fn(|request| {
        let answer = answer(&hub, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A connection that breaks is told of by the event of the request it broke.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A request, as far as it matters.
pub struct Request {
    pub method: String,
    pub target: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub accept_encoding: Option<String>,
}

/// What a request gets.
pub struct Decision {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    /// The file asked for, where it may be had.
    pub file: Option<Served>,
    /// Where the body begins in the file and how long it is; `None` for a text.
    pub part: Option<(u64, u64)>,
    /// Why access was refused.
    pub reason: Option<&'static str>,
}

impl Decision {
    /// The body where it is not a part of the file.
    pub fn text(&self) -> String {
        format!("{} {}\n", self.status.as_u16(), self.status.canonical_reason().unwrap_or_default())
    }

    /// The body's type.
    pub fn content_type(&self) -> &'static str {
        if self.part.is_some() {
            "application/octet-stream"
        } else {
            "text/plain"
        }
    }
}

/// Decides what a request gets.
pub fn decide(hub: &Hub, request: &Request) -> Decision {
    let refuse = |status, reason| Decision { status, headers: Vec::new(), file: None, part: None, reason };
    if request.method != "GET" && request.method != "HEAD" {
        let headers = vec![(ALLOW, "GET, HEAD".to_owned())];
        return Decision { headers, ..refuse(StatusCode::METHOD_NOT_ALLOWED, None) };
    }
    match hub.open(&request.target) {
        Ok(Some(file)) => plan(file, request.range.as_deref(), request.if_range.as_deref()),
        Ok(None) => refuse(StatusCode::NOT_FOUND, None),
        Err(Refused::Forbidden(reason)) => refuse(StatusCode::FORBIDDEN, Some(reason)),
        Err(Refused::Broken(problem)) => {
            hub.warn(&problem.detail);
            refuse(StatusCode::INTERNAL_SERVER_ERROR, None)
        }
    }
}

/// The event that tells of a request.
pub fn event(request: &Request, status: u16, reason: Option<&'static str>) -> Event {
    Event::Http {
        method: request.method.clone(),
        target: request.target.clone(),
        range: request.range.clone(),
        if_range: request.if_range.clone(),
        accept_encoding: request.accept_encoding.clone(),
        status,
        bytes: 0,
        complete: false,
        reason,
    }
}

fn answer(hub: &Arc<Hub>, request: &hyper::Request<hyper::body::Incoming>) -> Response<Answer> {
    let header = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let request = Request {
        method: request.method().to_string(),
        target: request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned(),
        range: header(RANGE),
        if_range: header(IF_RANGE),
        accept_encoding: header(ACCEPT_ENCODING),
    };
    let decision = decide(hub, &request);
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

/// The answer for a file.
fn plan(file: Served, range: Option<&str>, if_range: Option<&str>) -> Decision {
    let size = file.size;
    let mut headers = vec![(ETAG, file.etag.clone()), (ACCEPT_RANGES, "bytes".to_owned())];
    let (status, part) = match range::select(range, if_range, &file.etag, size) {
        Part::Whole => (StatusCode::OK, Some((0, size))),
        Part::Bytes { first, last } => {
            headers.push((CONTENT_RANGE, format!("bytes {first}-{last}/{size}")));
            (StatusCode::PARTIAL_CONTENT, Some((first, last - first + 1)))
        }
        Part::Beyond => {
            headers.push((CONTENT_RANGE, format!("bytes */{size}")));
            (StatusCode::RANGE_NOT_SATISFIABLE, None)
        }
    };
    Decision { status, headers, file: Some(file), part, reason: None }
}
