//! `/api/hub`: the hub itself.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};

use super::failure::Failure;
use super::Console;
use hub_core::model::{About, Caller};

/// What this hub is and where devices reach it.
#[utoipa::path(get, path = "/api/hub", responses((status = 200, body = About)))]
pub async fn about(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<About>, Failure> {
    let products = console.ask(|hub| hub.products());
    Ok(Json(About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        broker: console.broker.clone(),
        max_upload: console.max_upload,
        products: products.await?,
        addresses: console.addresses.clone(),
        ca_pem: console.ca_pem.clone(),
        caller,
    }))
}
