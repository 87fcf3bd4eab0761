//! Bodies of requests are read to their end, whatever becomes of the request: a client that still sends when the
//! connection is closed sees a reset instead of the answer.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::failure::Failure;

/// Bytes a body in JSON may have; the longest is a list of device names.
pub const MAX_JSON: usize = 16 << 20;

/// Bytes of a refused body that are read all the same.
const MAX_DISCARDED: u64 = 256 << 20;

/// How long a body may make no headway, and how long the rest of a refused one is read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a small body before the request is looked at.
pub async fn whole(request: Request) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let mut content = BytesMut::new();
    while let Some(data) = next(&mut body).await? {
        if content.len() + data.len() > MAX_JSON {
            discard(&mut body).await;
            let detail = format!("The request's body has more than {MAX_JSON} bytes.");
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        content.extend_from_slice(&data);
    }
    Ok(Request::from_parts(parts, Body::from(content.freeze())))
}

/// The next part of a body, `None` at its end.
pub async fn next(body: &mut BodyDataStream) -> Result<Option<Bytes>, Failure> {
    match timeout(PATIENCE, body.next()).await {
        Err(_) => Err(stalled()),
        Ok(None) => Ok(None),
        Ok(Some(Ok(data))) => Ok(Some(data)),
        Ok(Some(Err(error))) => Err(broken(&error)),
    }
}

/// Whether a client sends the body only when it is asked for it.
pub fn waits(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
}

/// Reads what is left of a refused request's body, within limits: beyond them the client sees the reset.
pub async fn discard(body: &mut BodyDataStream) {
    let mut count = 0;
    let read = async {
        while let Some(Ok(data)) = body.next().await {
            count += data.len() as u64;
            if count > MAX_DISCARDED {
                return;
            }
        }
    };
    let _ = timeout(PATIENCE, read).await;
}

fn stalled() -> Failure {
    Failure::new(StatusCode::REQUEST_TIMEOUT, "The request's body stood still for too long.")
}

fn broken(error: &axum::Error) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, format!("The request's body broke off: {error}."))
}
