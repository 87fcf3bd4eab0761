//! `/api/gateways`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::extract::{Json, Path, Query};
use super::failure::Failure;
use super::Console;
use hub_core::model::{BindDevice, Gateway, GatewayList, Page, SearchDevices, SubDeviceList};

/// A page of the devices that are bound to others, by these: the devices count. A search is for the gateway.
#[utoipa::path(get, path = "/api/gateways", operation_id = "gateway_list", params(Page),
    responses((status = 200, body = GatewayList)))]
pub async fn list(
    State(console): State<Arc<Console>>,
    Query(page): Query<Page>,
) -> Result<axum::Json<GatewayList>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.gateway_list(&page)).await?))
}

/// A page of the devices that are bound to a gateway.
#[utoipa::path(get, path = "/api/gateways/{client_id}/devices", operation_id = "gateway_devices",
    params(("client_id" = String, Path), Page), responses((status = 200, body = SubDeviceList)))]
pub async fn devices(
    State(console): State<Arc<Console>>,
    Path(gateway): Path<String>,
    Query(page): Query<Page>,
) -> Result<axum::Json<SubDeviceList>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.gateway_devices(&gateway, &page)).await?))
}

/// Binds a device to a gateway without its signature. The gateway is told.
#[utoipa::path(post, path = "/api/gateways/{client_id}/devices", operation_id = "bind_device", request_body = BindDevice,
    params(("client_id" = String, Path)), responses((status = 200, body = Gateway)))]
pub async fn bind(
    State(console): State<Arc<Console>>,
    Path(gateway): Path<String>,
    Json(what): Json<BindDevice>,
) -> Result<axum::Json<Gateway>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.bind_device(&gateway, &what.client_id)).await?))
}

/// Takes a device from a gateway. The gateway is told.
#[utoipa::path(delete, path = "/api/gateways/{client_id}/devices/{device}", operation_id = "unbind_device",
    params(("client_id" = String, Path), ("device" = String, Path)), responses((status = 204, description = "Unbound")))]
pub async fn unbind(
    State(console): State<Arc<Console>>,
    Path((gateway, device)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.unbind_device(&gateway, &device)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes every device from a gateway. The gateway is told.
#[utoipa::path(delete, path = "/api/gateways/{client_id}/devices", operation_id = "unbind_all",
    params(("client_id" = String, Path)), responses((status = 204, description = "Unbound")))]
pub async fn unbind_all(
    State(console): State<Arc<Console>>,
    Path(gateway): Path<String>,
) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.unbind_all(&gateway)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells a gateway to look for devices, or to stop.
#[utoipa::path(post, path = "/api/gateways/{client_id}/search", operation_id = "search_devices",
    request_body = SearchDevices, params(("client_id" = String, Path)),
    responses((status = 204, description = "Told")))]
pub async fn search(
    State(console): State<Arc<Console>>,
    Path(gateway): Path<String>,
    Json(what): Json<SearchDevices>,
) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.search_devices(&gateway, &what)).await?;
    Ok(StatusCode::NO_CONTENT)
}
