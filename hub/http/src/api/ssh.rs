//! `/api/devices/{client_id}/ssh`: the way to a device's SSH server.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::extract::{Json, Path};
use super::failure::Failure;
use super::Console;
use crate::ssh::{tunnel, NoTunnel};
use hub_core::model::{OpenSsh, Problem, ProblemKind, SshStatus, SshTunnel};

/// How a device's tunnel is.
#[utoipa::path(get, path = "/api/devices/{client_id}/ssh", operation_id = "show_ssh",
    params(("client_id" = String, Path)), responses((status = 200, body = SshStatus)))]
pub async fn show(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
) -> Result<axum::Json<SshStatus>, Failure> {
    let status = console.tunnels.status(&client_id);
    console.ask(move |hub| hub.known_device(&client_id)).await?;
    Ok(axum::Json(status))
}

/// Has a device make a tunnel, and waits until it is up: 504 where it makes none in time. One that it has ends first.
#[utoipa::path(post, path = "/api/devices/{client_id}/ssh", operation_id = "open_ssh", request_body = OpenSsh,
    params(("client_id" = String, Path)), responses((status = 200, body = SshTunnel)))]
pub async fn open(
    State(console): State<Arc<Console>>,
    Path(client_id): Path<String>,
    Json(what): Json<OpenSsh>,
) -> Result<axum::Json<SshTunnel>, Failure> {
    let no_tunnel = |why| match why {
        NoTunnel::Port(error) => Problem::conflict(format!("Port {} can't be had: {error}.", what.port)),
        NoTunnel::Silent => {
            Problem::new(ProblemKind::TimedOut, format!("{client_id} has made no tunnel in time; its log says why."))
        }
    };
    let asked = console.tunnels.listen(&client_id, what.port).await.map_err(no_tunnel)?;
    let id = client_id.clone();
    console.ask(move |hub| hub.switch_ssh(&id, true)).await?;
    let address = asked.made().await.map_err(no_tunnel)?;
    Ok(axum::Json(tunnel(&client_id, address)))
}

/// Ends a device's tunnel, and everything that goes through it.
#[utoipa::path(delete, path = "/api/devices/{client_id}/ssh", operation_id = "close_ssh",
    params(("client_id" = String, Path)), responses((status = 204, description = "Ended")))]
pub async fn close(State(console): State<Arc<Console>>, Path(client_id): Path<String>) -> Result<StatusCode, Failure> {
    let had_one = console.tunnels.end(&client_id);
    // A device that can't be told has no tunnel any more either, where it had one.
    match console.ask(move |hub| hub.switch_ssh(&client_id, false)).await {
        Err(failure) if !had_one => Err(failure),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
