//! `POST /register/dev`, beside the firmware as at the cloud's gateway.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http_body::Body;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::body::{Answer, Ticket};
use super::decision;
use hub_core::hub::Hub;
use hub_core::registration::{Refusal, MAX_REQUEST, PATH};

/// Whether a device asks to be registered.
pub fn is_asked(request: &Request<Incoming>) -> bool {
    request.method() == Method::POST && request.uri().path() == PATH
}

/// The answer; the reply says whether it is one to be glad of. The request may take so long.
pub async fn answer(hub: &Arc<Hub>, request: Request<Incoming>, limit: Duration) -> Response<Answer> {
    let asked = decision::Request {
        method: request.method().to_string(),
        target: PATH.to_owned(),
        range: None,
        if_range: None,
        accept_encoding: None,
        signed: Vec::new(),
        body: Vec::new(),
    };
    let reply = match timeout(limit, whole(request.into_body())).await.unwrap_or_default() {
        None => Refusal::Malformed.reply(),
        Some(body) => {
            let registrar = hub.clone();
            let reply = spawn_blocking(move || registrar.register(&body)).await;
            reply.unwrap_or_else(|_| Refusal::Failed.reply())
        }
    };
    let length = reply.len() as u64;
    let event = decision::event(&asked, StatusCode::OK.as_u16(), None);
    let mut response = Response::new(Answer::text(reply, Ticket::new(hub.clone(), event, length)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The body; `None` where it breaks off or is too long.
async fn whole(mut body: Incoming) -> Option<BytesMut> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend_from_slice(frame.ok()?.data_ref().map_or(&[][..], |data| data));
        if bytes.len() > MAX_REQUEST {
            return None;
        }
    }
    Some(bytes)
}
