//! `/api/devices/{client_id}/shadow`.

use std::sync::Arc;

use axum::extract::State;

use super::extract::{Json, Path};
use super::failure::Failure;
use super::Console;
use hub_core::model::{Desire, Shadow};

/// A device's shadow.
#[utoipa::path(get, path = "/api/devices/{client_id}/shadow", operation_id = "shadow",
    params(("client_id" = String, Path)), responses((status = 200, body = Shadow)))]
pub async fn show(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
) -> Result<axum::Json<Shadow>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.shadow(&client_id)).await?))
}

/// Changes what is desired of a device. It is told at once what it is not yet, or finds it when it next asks.
#[utoipa::path(post, path = "/api/devices/{client_id}/shadow", operation_id = "desire", request_body = Desire,
    params(("client_id" = String, Path)), responses((status = 200, body = Shadow)))]
pub async fn desire(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    Json(what): Json<Desire>,
) -> Result<axum::Json<Shadow>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.desire(&client_id, what)).await?))
}
