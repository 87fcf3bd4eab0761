//! `/api/session`: a cookie for a token, so that a browser can use the API.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::access::{unknown_token, Claim};
use super::extract::Json;
use super::failure::Failure;
use super::Console;
use hub_core::model::NewSession;
use hub_core::users::ticket;

/// Signs in: sets the session cookie.
#[utoipa::path(post, path = "/api/session", request_body = NewSession, security(()),
    responses((status = 204, description = "Signed in")))]
pub async fn sign_in(
    State(console): State<Arc<Console>>,
    Json(session): Json<NewSession>,
) -> Result<impl IntoResponse, Failure> {
    let ticket = ticket(&session.token);
    if let Claim::Ticket(ticket) = console.access.claim_of(&ticket) {
        let user = console.ask(move |hub| hub.user_of_ticket(&ticket)).await?;
        user.ok_or_else(unknown_token)?;
    }
    let cookie = console.access.sign_in(&ticket);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}

/// Signs out: clears the session cookie.
#[utoipa::path(delete, path = "/api/session", security(()), responses((status = 204, description = "Signed out")))]
pub async fn sign_out(State(console): State<Arc<Console>>) -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, console.access.sign_out())])
}
