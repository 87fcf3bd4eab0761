//! `/api/devices/{client_id}/log`: what devices have uploaded.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::extract::{Json, Path, Query};
use super::failure::Failure;
use super::Console;
use hub_core::messaging::model::{DeviceLog, LogLevel, ReadLog, SetLogLevel};

/// Log lines of a device, oldest first: those that follow a line, else the newest.
#[utoipa::path(get, path = "/api/devices/{client_id}/log", operation_id = "device_log",
    params(("client_id" = String, Path), ReadLog), responses((status = 200, body = DeviceLog)))]
pub async fn show(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    Query(what): Query<ReadLog>,
) -> Result<axum::Json<DeviceLog>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.device_log(&client_id, what.after, what.limit)).await?))
}

/// Forgets the log lines of a device.
#[utoipa::path(delete, path = "/api/devices/{client_id}/log", operation_id = "clear_log",
    params(("client_id" = String, Path)), responses((status = 204, description = "Removed")))]
pub async fn clear(State(console): State<Arc<Console>>, Path(client_id): Path<String>) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.clear_log(&client_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets what a device is to upload. A device that is there is told, another one when it asks.
#[utoipa::path(post, path = "/api/devices/{client_id}/log-level", operation_id = "set_log_level",
    request_body = SetLogLevel, params(("client_id" = String, Path)), responses((status = 200, body = LogLevel)))]
pub async fn set_level(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    Json(what): Json<SetLogLevel>,
) -> Result<axum::Json<LogLevel>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.set_log_level(&client_id, &what)).await?))
}
