//! HTTP/1.1 for the console, over TCP or TLS.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{service_fn, Service};
use hyper::Request;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{watch, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::routes::{self, Peer};
use super::Console;
use crate::steady::Steady;
use hub_core::headway::{Headway, SLOWEST};

/// How long a TLS handshake, and the header of a request, may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Connections at a time; the others wait.
const CONNECTIONS: usize = 512;

/// How long to wait where no connection can be taken, such as when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves for ever; over TLS where there is something to show, whatever it is at the time.
pub async fn serve(console: Console, listener: TcpListener, tls: Option<watch::Receiver<TlsAcceptor>>) {
    let service = TowerToHyperService::new(routes::router(Arc::new(console)));
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(seat) = free.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        // Progress comes in small pieces and is wanted at once.
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            service.call(request)
        });
        let stream = Steady::new(stream, Some(Headway::new(SLOWEST)));
        let tls = tls.as_ref().map(|tls| tls.borrow().clone());
        tokio::spawn(async move {
            match tls {
                None => talk(stream, service).await,
                Some(tls) => {
                    // Whoever fails here, such as a client that does not trust the certificate, knows best why.
                    if let Ok(Ok(stream)) = timeout(LIMIT, tls.accept(stream)).await {
                        talk(stream, service).await;
                    }
                }
            }
            drop(seat);
        });
    }
}

async fn talk<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    // A connection that breaks concerns its client only.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
