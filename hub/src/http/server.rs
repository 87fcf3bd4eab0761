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
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::body::{Answer, Ticket};
use super::range::{self, Part};
use super::site::{Access, Site};
use crate::events::Event;
use crate::hub::Hub;

/// How long a TLS handshake, and the header of a request once begun, may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long to wait when the system has no socket left to accept with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves for ever. Without a site every request is answered with 404.
pub async fn accept(hub: Arc<Hub>, site: Option<Arc<Site>>, socket: TcpListener, tls: Option<TlsAcceptor>) {
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (hub, site, tls) = (hub.clone(), site.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(hub, site, stream).await,
                Some(tls) => {
                    // Whoever fails here (a port scan, a client that does not trust the CA) knows best why.
                    if let Ok(Ok(stream)) = timeout(LIMIT, tls.accept(stream)).await {
                        serve(hub, site, stream).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(hub: Arc<Hub>, site: Option<Arc<Site>>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let answer = answer(&hub, site.as_deref(), &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A connection that breaks is told of by the event of the request it broke.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What is sent besides the body.
struct Head {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
}

fn header(request: &Request<hyper::body::Incoming>, name: HeaderName) -> Option<String> {
    request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn answer(hub: &Arc<Hub>, site: Option<&Site>, request: &Request<hyper::body::Incoming>) -> Response<Answer> {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let (wanted, condition) = (header(request, RANGE), header(request, IF_RANGE));
    let head_only = request.method() == Method::HEAD;
    let found = site.map(|site| (site, site.access(target)));
    let (head, part) = match found {
        _ if !head_only && request.method() != Method::GET => {
            let headers = vec![(ALLOW, "GET, HEAD".to_owned())];
            (Head { status: StatusCode::METHOD_NOT_ALLOWED, headers }, None)
        }
        None | Some((_, Access::Unknown)) => (Head { status: StatusCode::NOT_FOUND, headers: Vec::new() }, None),
        Some((_, Access::Forbidden)) => (Head { status: StatusCode::FORBIDDEN, headers: Vec::new() }, None),
        Some((site, Access::Granted)) => plan(site, wanted.as_deref(), condition.as_deref()),
    };
    let reason = head.status.canonical_reason().unwrap_or_default();
    let text = format!("{} {reason}\n", head.status.as_u16());
    let length = part.map_or(text.len() as u64, |(_, count)| count);
    let event = Event::Http {
        method: request.method().to_string(),
        target: target.to_owned(),
        range: wanted,
        if_range: condition,
        accept_encoding: header(request, ACCEPT_ENCODING),
        status: head.status.as_u16(),
        bytes: 0,
        complete: false,
    };
    let ticket = Ticket::new(hub.clone(), event, if head_only { 0 } else { length });
    let body = match (site, part) {
        _ if head_only => Answer::text("", ticket),
        (Some(site), Some((first, count))) => Answer::file(&site.firmware.path, first, count, ticket),
        _ => Answer::text(text, ticket),
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    let kind = if part.is_some() { "application/octet-stream" } else { "text/plain" };
    let common = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_LENGTH, length.to_string())];
    for (name, value) in common.into_iter().chain(head.headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The answer for the firmware: the head, and where the body begins and how long it is.
fn plan(site: &Site, range: Option<&str>, if_range: Option<&str>) -> (Head, Option<(u64, u64)>) {
    let size = site.firmware.size;
    let mut headers = vec![(ETAG, site.etag.clone()), (ACCEPT_RANGES, "bytes".to_owned())];
    match range::select(range, if_range, &site.etag, size) {
        Part::Whole => (Head { status: StatusCode::OK, headers }, Some((0, size))),
        Part::Bytes { first, last } => {
            headers.push((CONTENT_RANGE, format!("bytes {first}-{last}/{size}")));
            (Head { status: StatusCode::PARTIAL_CONTENT, headers }, Some((first, last - first + 1)))
        }
        Part::Beyond => {
            headers.push((CONTENT_RANGE, format!("bytes */{size}")));
            (Head { status: StatusCode::RANGE_NOT_SATISFIABLE, headers }, None)
        }
    }
}
