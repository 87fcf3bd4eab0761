//! `/api/devices`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::Extension;

use super::audit::Said;
use super::extract::{Json, Path, Query};
use super::failure::Failure;
use super::Console;
use hub_core::model::{AddDevice, Device, DeviceFilter, DeviceList, JobList, NewDevice, Page, SeenFilter};

/// A page of the devices that are of a product, have a tag, run a version, were seen, as far as the query says so.
#[utoipa::path(get, path = "/api/devices", operation_id = "device_list", params(DeviceFilter, SeenFilter, Page),
    responses((status = 200, body = DeviceList)))]
pub async fn list(
    State(console): State<Arc<Console>>,
    Query(filter): Query<DeviceFilter>,
    Query(seen): Query<SeenFilter>,
    Query(page): Query<Page>,
) -> Result<axum::Json<DeviceList>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.device_list(&filter, &seen, &page)).await?))
}

/// One device.
#[utoipa::path(get, path = "/api/devices/{client_id}", operation_id = "device",
    params(("client_id" = String, Path)), responses((status = 200, body = Device)))]
pub async fn show(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
) -> Result<axum::Json<Device>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.device_by_id(&client_id)).await?))
}

/// Adds a device. The answer holds its secret or certificate for the only time.
#[utoipa::path(post, path = "/api/devices", operation_id = "add_device", request_body = AddDevice,
    responses((status = 201, body = NewDevice)))]
pub async fn add(
    State(console): State<Arc<Console>>,
    Json(what): Json<AddDevice>,
) -> Result<(StatusCode, Extension<Said>, axum::Json<NewDevice>), Failure> {
    let device = console.ask(|hub| hub.add_device(what)).await?;
    let said = Said(format!("device {}", device.device.client_id));
    Ok((StatusCode::CREATED, Extension(said), axum::Json(device)))
}

/// Gives a device a new secret or certificate. The one before ends at once.
#[utoipa::path(post, path = "/api/devices/{client_id}/renew", operation_id = "renew_device",
    params(("client_id" = String, Path)), responses((status = 200, body = NewDevice)))]
pub async fn renew(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
) -> Result<axum::Json<NewDevice>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.renew_device(&client_id)).await?))
}

/// Removes a device and cuts its connection.
#[utoipa::path(delete, path = "/api/devices/{client_id}", operation_id = "remove_device",
    params(("client_id" = String, Path)), responses((status = 204, description = "Removed")))]
pub async fn remove(State(console): State<Arc<Console>>, Path(client_id): Path<String>) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.remove_device(&client_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of the upgrades a device had.
#[utoipa::path(get, path = "/api/devices/{client_id}/jobs", operation_id = "device_jobs",
    params(("client_id" = String, Path), Page), responses((status = 200, body = JobList)))]
pub async fn jobs(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    Query(page): Query<Page>,
) -> Result<axum::Json<JobList>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.device_jobs(&client_id, &page)).await?))
}
