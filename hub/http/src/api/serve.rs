//! HTTP/1.1 for the console.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{service_fn, Service};
use hyper::Request;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::routes::{self, Peer};
use super::Console;

/// How long the header of a request may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Connections at a time; the others wait.
const CONNECTIONS: usize = 512;

/// How long to wait where no connection can be taken, such as when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves for ever.
pub async fn serve(console: Console, listener: TcpListener) {
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
        tokio::spawn(async move {
            // A connection that breaks concerns its client only.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(LIMIT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(seat);
        });
    }
}
