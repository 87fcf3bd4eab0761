//! `/api/firmware`.

use std::sync::Arc;

use axum::body::BodyDataStream;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::Json;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::extract::{Path, Query};
use super::failure::Failure;
use super::{body, Console};
use hub_core::model::{AddFirmware, Firmware, FirmwareFilter, FirmwareList, Page, Problem, ProblemCode, ProblemKind};
use hub_core::operations::Upload;

/// Parts of a file that wait for the disk.
const PARTS: usize = 8;

/// A page of the firmware.
#[utoipa::path(get, path = "/api/firmware", operation_id = "firmware_list", params(FirmwareFilter, Page),
    responses((status = 200, body = FirmwareList)))]
pub async fn list(
    State(console): State<Arc<Console>>,
    Query(filter): Query<FirmwareFilter>,
    Query(page): Query<Page>,
) -> Result<Json<FirmwareList>, Failure> {
    Ok(Json(console.ask(move |hub| hub.firmware_list(&filter, &page)).await?))
}

/// A firmware.
#[utoipa::path(get, path = "/api/firmware/{id}", operation_id = "firmware", params(("id" = i64, Path)),
    responses((status = 200, body = Firmware)))]
pub async fn show(State(console): State<Arc<Console>>, Path(id): Path<i64>) -> Result<Json<Firmware>, Failure> {
    Ok(Json(console.ask(move |hub| hub.firmware(id)).await?))
}

/// Adds a firmware. The body is the file as it is.
#[utoipa::path(post, path = "/api/firmware", operation_id = "add_firmware", params(AddFirmware),
    request_body(content_type = "application/octet-stream", content = Vec<u8>),
    responses((status = 201, body = Firmware)))]
pub async fn add(
    State(console): State<Arc<Console>>,
    what: Result<Query<AddFirmware>, Failure>,
    request: Request,
) -> Result<(StatusCode, Json<Firmware>), Failure> {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let (outcome, sent) = match begin(&console, what, &parts.headers).await {
        Ok(upload) => (store(&console, upload, &mut body).await, true),
        Err(failure) => (Err(failure), !body::waits(&parts.headers)),
    };
    if outcome.is_err() && sent {
        body::discard(&mut body).await;
    }
    Ok((StatusCode::CREATED, Json(outcome?)))
}

/// Removes a firmware that no unfinished upgrade needs.
#[utoipa::path(delete, path = "/api/firmware/{id}", operation_id = "remove_firmware", params(("id" = i64, Path)),
    responses((status = 204, description = "Removed")))]
pub async fn remove(State(console): State<Arc<Console>>, Path(id): Path<i64>) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.remove_firmware(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What goes to the thread that writes.
enum Part {
    Data(Bytes),
    End,
}

/// Turns down what can be turned down before the first byte.
async fn begin(
    console: &Console,
    what: Result<Query<AddFirmware>, Failure>,
    headers: &HeaderMap,
) -> Result<Upload, Failure> {
    let Query(what) = what?;
    let size = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    check_size(console.max_upload, size.unwrap_or_default())?;
    console.ask(move |hub| hub.upload(what, size)).await
}

fn check_size(limit: u64, size: u64) -> Result<(), Problem> {
    if size <= limit {
        return Ok(());
    }
    Err(Problem::new(
        ProblemKind::TooLarge,
        format!("The file has more than {limit} bytes, which is what this hub takes (hub run --max-upload)."),
    )
    .coded(ProblemCode::FileTooLarge, &[("max", &limit)]))
}

/// Takes the body in: read here, written by a thread that may wait for the disk.
async fn store(console: &Console, upload: Upload, body: &mut BodyDataStream) -> Result<Firmware, Failure> {
    let limit = console.max_upload;
    let (sender, parts) = mpsc::channel(PARTS);
    let writer = console.ask(move |_| write(upload, limit, parts));
    // A writer that gives up closes the channel; why is its own result.
    let reader = async move {
        while let Some(data) = body::next(body).await? {
            if sender.send(Part::Data(data)).await.is_err() {
                return Ok(());
            }
        }
        let _ = sender.send(Part::End).await;
        Ok(())
    };
    let (read, written) = tokio::join!(reader, writer);
    read.and(written)
}

fn write(mut upload: Upload, limit: u64, mut parts: mpsc::Receiver<Part>) -> Result<Firmware, Problem> {
    let mut count = 0;
    loop {
        match parts.blocking_recv() {
            Some(Part::Data(data)) => {
                count += data.len() as u64;
                check_size(limit, count)?;
                upload.write(&data)?;
            }
            Some(Part::End) => return upload.finish(),
            None => return Err(Problem::invalid("The upload was cut off.").coded(ProblemCode::FileNotWhole, &[])),
        }
    }
}
