//! `/api/configs`: the remote configurations of products.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::extract::{Json, Path, Query};
use super::failure::Failure;
use super::Console;
use hub_core::messaging::model::{
    PublishConfig, PushedConfig, RemoteConfig, RemoteConfigDevices, RemoteConfigList, SwitchConfig,
};
use hub_core::model::Page;

/// Every product's remote configuration.
#[utoipa::path(get, path = "/api/configs", operation_id = "config_list",
    responses((status = 200, body = RemoteConfigList)))]
pub async fn list(State(console): State<Arc<Console>>) -> Result<axum::Json<RemoteConfigList>, Failure> {
    let configs = console.ask(|hub| hub.remote_configs()).await?;
    Ok(axum::Json(RemoteConfigList { configs }))
}

/// A product's remote configuration, and what devices were told last: a page of them.
#[utoipa::path(get, path = "/api/configs/{product_id}", operation_id = "config",
    params(("product_id" = String, Path), Page), responses((status = 200, body = RemoteConfigDevices)))]
pub async fn show(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
    Query(page): Query<Page>,
) -> Result<axum::Json<RemoteConfigDevices>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.remote_config(&product_id, &page)).await?))
}

/// Publishes a configuration as the next version. Devices that are there are told, the others when they ask.
#[utoipa::path(post, path = "/api/configs/{product_id}", operation_id = "publish_config", request_body = PublishConfig,
    params(("product_id" = String, Path)), responses((status = 200, body = PushedConfig)))]
pub async fn publish(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
    Json(what): Json<PublishConfig>,
) -> Result<axum::Json<PushedConfig>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.publish_config(&product_id, &what)).await?))
}

/// Tells the connected devices of a product its configuration once more.
#[utoipa::path(post, path = "/api/configs/{product_id}/push", operation_id = "push_config",
    params(("product_id" = String, Path)), responses((status = 200, body = PushedConfig)))]
pub async fn push(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
) -> Result<axum::Json<PushedConfig>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.push_config(&product_id)).await?))
}

/// Switches the remote configuration of a product off or on.
#[utoipa::path(post, path = "/api/configs/{product_id}/switch", operation_id = "switch_config",
    request_body = SwitchConfig, params(("product_id" = String, Path)), responses((status = 200, body = RemoteConfig)))]
pub async fn switch(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
    Json(what): Json<SwitchConfig>,
) -> Result<axum::Json<RemoteConfig>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.switch_config(&product_id, what.enabled)).await?))
}

/// Removes a product's remote configuration.
#[utoipa::path(delete, path = "/api/configs/{product_id}", operation_id = "remove_config",
    params(("product_id" = String, Path)), responses((status = 204, description = "Removed")))]
pub async fn remove(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.remove_config(&product_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
