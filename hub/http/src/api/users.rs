//! `/api/users` and `/api/audit`: who uses the console, and what they have done.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::Extension;
use serde::Deserialize;
use utoipa::IntoParams;

use super::audit::Said;
use super::extract::{Json, Path, Query};
use super::failure::Failure;
use super::Console;
use hub_core::model::{AddUser, AuditLog, ChangeUser, NewUser, Role, User, UserList};

/// Entries that are shown where nobody says how many.
const ENTRIES: u32 = 100;

/// For the audit log.
fn may(name: &str, role: Role) -> String {
    format!("{name} may {}", role.word())
}

/// Every user, in order of name.
#[utoipa::path(get, path = "/api/users", operation_id = "user_list", responses((status = 200, body = UserList)))]
pub async fn list(State(console): State<Arc<Console>>) -> Result<axum::Json<UserList>, Failure> {
    Ok(axum::Json(UserList { users: console.ask(|hub| hub.user_list()).await? }))
}

/// Adds a user. The answer holds the token, which is not shown again.
#[utoipa::path(post, path = "/api/users", operation_id = "add_user", request_body = AddUser,
    responses((status = 201, body = NewUser)))]
pub async fn add(
    State(console): State<Arc<Console>>,
    Json(what): Json<AddUser>,
) -> Result<(StatusCode, Extension<Said>, axum::Json<NewUser>), Failure> {
    let said = Said(may(&what.name, what.role));
    let user = console.ask(move |hub| hub.add_user(&what)).await?;
    Ok((StatusCode::CREATED, Extension(said), axum::Json(user)))
}

/// Gives a user another role, from the next request on.
#[utoipa::path(post, path = "/api/users/{name}/role", operation_id = "change_user", request_body = ChangeUser,
    params(("name" = String, Path)), responses((status = 200, body = User)))]
pub async fn change(
    State(console): State<Arc<Console>>,
    Path(name): Path<String>,
    Json(what): Json<ChangeUser>,
) -> Result<(Extension<Said>, axum::Json<User>), Failure> {
    let user = console.ask(move |hub| hub.change_user(&name, &what)).await?;
    Ok((Extension(Said(may(&user.name, user.role))), axum::Json(user)))
}

/// Removes a user. The token opens nothing from then on.
#[utoipa::path(delete, path = "/api/users/{name}", operation_id = "remove_user", params(("name" = String, Path)),
    responses((status = 204, description = "Removed")))]
pub async fn remove(State(console): State<Arc<Console>>, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    console.ask(move |hub| hub.remove_user(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which entries are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those before this id; else the newest.
    before: Option<i64>,
    /// Those of this name, as in `Caller`.
    name: Option<String>,
    /// At most so many; 100 where it is left out, 1000 at most.
    limit: Option<u32>,
}

/// What was done, newest first: the newest 10,000 entries are kept.
#[utoipa::path(get, path = "/api/audit", operation_id = "audit", params(Wanted),
    responses((status = 200, body = AuditLog)))]
pub async fn audit(
    State(console): State<Arc<Console>>,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<AuditLog>, Failure> {
    let limit = wanted.limit.unwrap_or(ENTRIES);
    let entries = console.ask(move |hub| hub.audit(wanted.before, wanted.name.as_deref(), limit)).await?;
    Ok(axum::Json(AuditLog { entries }))
}
