//! `/api/upgrades`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::Extension;

use super::audit::Said;
use super::extract::{Json, Path, Query};
use super::failure::Failure;
use super::Console;
use hub_core::model::{
    Caller, Firmware, JobFilter, OrderUpgrade, Page, Reach, Upgrade, UpgradeFilter, UpgradeJobs, UpgradeList,
};

/// A page of the orders, also those of the past.
#[utoipa::path(get, path = "/api/upgrades", operation_id = "upgrade_list", params(UpgradeFilter, Page),
    responses((status = 200, body = UpgradeList)))]
pub async fn list(
    State(console): State<Arc<Console>>,
    Query(filter): Query<UpgradeFilter>,
    Query(page): Query<Page>,
) -> Result<axum::Json<UpgradeList>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.upgrade_list(&filter, &page)).await?))
}

/// Orders an upgrade. Devices that are there are told at once, the others when they come; with a roll-out, when their turn comes.
#[utoipa::path(post, path = "/api/upgrades", operation_id = "order_upgrade", request_body = OrderUpgrade,
    responses((status = 201, body = Upgrade)))]
pub async fn order(
    State(console): State<Arc<Console>>,
    Json(what): Json<OrderUpgrade>,
) -> Result<(StatusCode, Extension<Said>, axum::Json<Upgrade>), Failure> {
    let upgrade = console.ask(|hub| hub.order_upgrade(what)).await?;
    let Firmware { product_id, version, .. } = &upgrade.firmware;
    let said = Said(format!("upgrade {} of product {product_id} to {version}", upgrade.id));
    Ok((StatusCode::CREATED, Extension(said), axum::Json(upgrade)))
}

/// Whom an order would reach, if it were given now. Nothing is ordered.
#[utoipa::path(post, path = "/api/upgrades/reach", operation_id = "reach", request_body = OrderUpgrade,
    responses((status = 200, body = Reach)))]
pub async fn reach(
    State(console): State<Arc<Console>>,
    Json(what): Json<OrderUpgrade>,
) -> Result<axum::Json<Reach>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.reach(&what)).await?))
}

/// An order with a page of its jobs.
#[utoipa::path(get, path = "/api/upgrades/{id}", operation_id = "upgrade_jobs", params(("id" = i64, Path), JobFilter, Page),
    responses((status = 200, body = UpgradeJobs)))]
pub async fn show(
    State(console): State<Arc<Console>>,
    Path(id): Path<i64>,
    Query(filter): Query<JobFilter>,
    Query(page): Query<Page>,
) -> Result<axum::Json<UpgradeJobs>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.upgrade_jobs(id, &filter, &page)).await?))
}

/// Begins the next stage of an order, whatever has become of the stages before.
#[utoipa::path(post, path = "/api/upgrades/{id}/next", operation_id = "next_stage", params(("id" = i64, Path)),
    responses((status = 200, body = Upgrade)))]
pub async fn next(State(console): State<Arc<Console>>, Path(id): Path<i64>) -> Result<axum::Json<Upgrade>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.next_stage(id)).await?))
}

/// Stops an order: nobody else is told until somebody resumes it. What runs goes on.
#[utoipa::path(post, path = "/api/upgrades/{id}/stop", operation_id = "stop_upgrade", params(("id" = i64, Path)),
    responses((status = 200, body = Upgrade)))]
pub async fn stop(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<axum::Json<Upgrade>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.stop_upgrade(id, &caller)).await?))
}

/// Lets an order that has stopped go on. Where it had stopped by itself, the failures so far do not count any more.
#[utoipa::path(post, path = "/api/upgrades/{id}/resume", operation_id = "resume_upgrade", params(("id" = i64, Path)),
    responses((status = 200, body = Upgrade)))]
pub async fn resume(State(console): State<Arc<Console>>, Path(id): Path<i64>) -> Result<axum::Json<Upgrade>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.resume_upgrade(id)).await?))
}

/// Calls off what has not begun: jobs that wait end, jobs that run go on.
#[utoipa::path(post, path = "/api/upgrades/{id}/cancel", operation_id = "cancel_upgrade", params(("id" = i64, Path)),
    responses((status = 200, body = Upgrade)))]
pub async fn cancel(State(console): State<Arc<Console>>, Path(id): Path<i64>) -> Result<axum::Json<Upgrade>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.cancel_upgrade(id)).await?))
}
