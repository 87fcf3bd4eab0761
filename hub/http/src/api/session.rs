//! `/api/session`: a cookie for a token, so that a browser can use the API.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::extract::Json;
use super::failure::Failure;
use super::Console;
use hub_core::model::NewSession;

/// Signs in: sets the session cookie.
#[utoipa::path(post, path = "/api/session", request_body = NewSession, security(()),
    responses((status = 204, description = "Signed in")))]
pub async fn sign_in(
    State(console): State<Arc<Console>>,
    Json(session): Json<NewSession>,
) -> Result<impl IntoResponse, Failure> {
    let cookie = console.access.sign_in(&session.token)?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}

/// Signs out: clears the session cookie.
#[utoipa::path(delete, path = "/api/session", security(()), responses((status = 204, description = "Signed out")))]
pub async fn sign_out(State(console): State<Arc<Console>>) -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, console.access.sign_out())])
}
