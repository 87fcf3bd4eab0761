//! `/api/devices/{client_id}/resources` and `/api/resources/{id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::Json;

use super::extract::{Path, Query};
use super::failure::Failure;
use super::{body, Console};
use hub_core::model::{Problem, ProblemKind, Resource, ResourceList, SendResource};
use hub_core::resource::MAX_SIZE;

/// A device's resources, newest first.
#[utoipa::path(get, path = "/api/devices/{client_id}/resources", operation_id = "resource_list",
    params(("client_id" = String, Path)), responses((status = 200, body = ResourceList)))]
pub async fn list(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
) -> Result<Json<ResourceList>, Failure> {
    let resources = console.ask(move |hub| hub.resource_list(&client_id)).await?;
    Ok(Json(ResourceList { resources }))
}

/// Sends a device a file, which is the body as it is. It is told now, or when it asks.
#[utoipa::path(post, path = "/api/devices/{client_id}/resources", operation_id = "send_resource",
    params(("client_id" = String, Path), SendResource),
    request_body(content_type = "application/octet-stream", content = Vec<u8>),
    responses((status = 201, body = Resource)))]
pub async fn send(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    what: Result<Query<SendResource>, Failure>,
    request: Request,
) -> Result<(StatusCode, Json<Resource>), Failure> {
    let mut body = request.into_body().into_data_stream();
    let mut file = Vec::new();
    while let Some(data) = body::next(&mut body).await? {
        if file.len() + data.len() > MAX_SIZE {
            body::discard(&mut body).await;
            let detail = format!("The file has more than {MAX_SIZE} bytes, which is what this hub takes.");
            return Err(Problem::new(ProblemKind::TooLarge, detail).into());
        }
        file.extend_from_slice(&data);
    }
    let Query(what) = what?;
    let sent = console.ask(move |hub| hub.send_resource(&client_id, &what, &file)).await?;
    Ok((StatusCode::CREATED, Json(sent)))
}

/// The file of a resource.
#[utoipa::path(get, path = "/api/resources/{id}", operation_id = "resource_file", params(("id" = i64, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub async fn file(
    State(console): State<Arc<Console>>,
    Path(id): Path<i64>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Failure> {
    let file = console.ask(move |hub| hub.resource_file(id)).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], file))
}
