//! `/api/broadcasts` and `/api/devices/{client_id}/rrpc`: messages to devices.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use tokio::time::timeout;

use super::extract::{Json, Path};
use super::failure::Failure;
use super::Console;
use hub_core::messaging::model::{AskDevice, Broadcast, Broadcasted, Rrpc, RrpcList, RrpcState};

/// How often to look for an answer that another hub of this data folder may have taken in.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Sends a message to every connected device of a product.
#[utoipa::path(post, path = "/api/broadcasts", operation_id = "broadcast", request_body = Broadcast,
    responses((status = 200, body = Broadcasted)))]
pub async fn broadcast(
    State(console): State<Arc<Console>>,
    Json(what): Json<Broadcast>,
) -> Result<axum::Json<Broadcasted>, Failure> {
    Ok(axum::Json(console.ask(|hub| hub.broadcast(what)).await?))
}

/// Sends a request to a device and waits for its answer; 504 where none comes in time.
#[utoipa::path(post, path = "/api/devices/{client_id}/rrpc", operation_id = "rrpc", request_body = AskDevice,
    params(("client_id" = String, Path)), responses((status = 200, body = Rrpc)))]
pub async fn rrpc(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    Json(what): Json<AskDevice>,
) -> Result<axum::Json<Rrpc>, Failure> {
    let mut rrpc = console.ask(move |hub| hub.ask_device(&client_id, what)).await?;
    let hub = console.hub.clone();
    loop {
        match rrpc.state {
            RrpcState::Answered => return Ok(axum::Json(rrpc)),
            RrpcState::Waiting => {}
            RrpcState::TimedOut | RrpcState::Late => return Err(console.hub.rrpc_timed_out(&rrpc).into()),
        }
        // Rung from here on: an answer that comes while the store is asked is not missed.
        let mut answered = std::pin::pin!(hub.answers().notified());
        answered.as_mut().enable();
        let id = rrpc.id;
        rrpc = console.ask(move |hub| hub.rrpc(id)).await?;
        if rrpc.state == RrpcState::Waiting {
            let left = rrpc.time_left(hub_core::hub::now_ms());
            let _ = timeout(left.min(LOOK_AGAIN), answered).await;
        }
    }
}

/// Requests to a device, and what it answered.
#[utoipa::path(get, path = "/api/devices/{client_id}/rrpc", operation_id = "rrpc_list",
    params(("client_id" = String, Path)), responses((status = 200, body = RrpcList)))]
pub async fn rrpcs(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
) -> Result<axum::Json<RrpcList>, Failure> {
    let requests = console.ask(move |hub| hub.rrpc_list(&client_id)).await?;
    Ok(axum::Json(RrpcList { requests }))
}
