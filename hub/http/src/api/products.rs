//! `/api/products`: products whose devices may register.

use std::sync::Arc;

use axum::extract::State;

use super::extract::{Json, Path};
use super::failure::Failure;
use super::Console;
use hub_core::model::{ProductList, ProductSecret, SetRegistration};

/// Every product with a secret.
#[utoipa::path(get, path = "/api/products", operation_id = "product_list",
    responses((status = 200, body = ProductList)))]
pub async fn list(State(console): State<Arc<Console>>) -> Result<axum::Json<ProductList>, Failure> {
    let products = console.ask(|hub| hub.product_list()).await?;
    Ok(axum::Json(ProductList { products }))
}

/// Lets the devices of a product register, or no longer. The answer holds the product's secret.
#[utoipa::path(post, path = "/api/products/{product_id}/registration", operation_id = "set_registration",
    request_body = SetRegistration, params(("product_id" = String, Path)),
    responses((status = 200, body = ProductSecret)))]
pub async fn set_registration(
    State(console): State<Arc<Console>>,
    Path(product_id): Path<String>,
    Json(what): Json<SetRegistration>,
) -> Result<axum::Json<ProductSecret>, Failure> {
    Ok(axum::Json(console.ask(move |hub| hub.set_registration(&product_id, &what)).await?))
}
