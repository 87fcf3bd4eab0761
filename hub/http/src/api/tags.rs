//! `/api/tags`, the tags of a device, and what a product's devices have in common.

use std::sync::Arc;

use axum::extract::State;
use axum::Extension;

use super::audit::Said;
use super::extract::{Json, Path, Query};
use super::failure::Failure;
use super::Console;
use hub_core::model::{ChangeTags, Device, Page, RunningVersionList, SetTags, TagList, TagsChanged};

/// Gives a device these tags and takes all others from it.
#[utoipa::path(post, path = "/api/devices/{client_id}/tags", operation_id = "set_tags", request_body = SetTags,
    params(("client_id" = String, Path)), responses((status = 200, body = Device)))]
pub async fn set(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    Json(what): Json<SetTags>,
) -> Result<(Extension<Said>, axum::Json<Device>), Failure> {
    let said = Said(format!("tags {}", what.tags.join(" ")));
    let device = console.ask(move |hub| hub.set_tags(&client_id, &what)).await?;
    Ok((Extension(said), axum::Json(device)))
}

/// Gives many devices tags, and takes tags from them: from all of them or, where one would have too many, from none.
#[utoipa::path(post, path = "/api/tags", operation_id = "change_tags", request_body = ChangeTags,
    responses((status = 200, body = TagsChanged)))]
pub async fn change(
    State(console): State<Arc<Console>>,
    Json(what): Json<ChangeTags>,
) -> Result<(Extension<Said>, axum::Json<TagsChanged>), Failure> {
    let (add, remove) = (what.add.join(" "), what.remove.join(" "));
    let changed = console.ask(move |hub| hub.change_tags(&what)).await?;
    let said = Said(format!("tags of {} devices: added {add:?}, removed {remove:?}", changed.devices));
    Ok((Extension(said), axum::Json(changed)))
}

/// A page of the tags of a product's devices.
#[utoipa::path(get, path = "/api/products/{product_id}/tags", operation_id = "tag_list",
    params(("product_id" = String, Path), Page), responses((status = 200, body = TagList)))]
pub async fn list(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
    Query(page): Query<Page>,
) -> Result<axum::Json<TagList>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.tag_list(&product_id, &page)).await?))
}

/// A page of the versions that a product's devices run. It costs the devices that run them.
#[utoipa::path(get, path = "/api/products/{product_id}/versions", operation_id = "running_versions",
    params(("product_id" = String, Path), Page), responses((status = 200, body = RunningVersionList)))]
pub async fn versions(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
    Query(page): Query<Page>,
) -> Result<axum::Json<RunningVersionList>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.running_versions(&product_id, &page)).await?))
}
