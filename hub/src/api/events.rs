//! `/api/events`: changes as they happen.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::error::RecvError;

use super::Console;
use crate::model::Change;

/// How often a comment is sent where nothing happens, so that both sides find out about a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Changes as server-sent events. The first is `reset`; so is one in place of changes that a slow reader missed.
#[utoipa::path(get, path = "/api/events", operation_id = "events",
    responses((status = 200, content_type = "text/event-stream", body = Change)))]
pub async fn events(State(console): State<Arc<Console>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // Whoever asks for everything after the first event misses nothing: from here on changes are kept.
    let changes = console.hub.watch();
    let stream = stream::unfold((changes, true), |(mut changes, first)| async move {
        if first {
            return Some((event(&Change::Reset), (changes, false)));
        }
        match changes.recv().await {
            Ok(change) => Some((event(&change), (changes, false))),
            Err(RecvError::Lagged(_)) => {
                // What is still kept is older than what the client will now ask for.
                let latest = changes.resubscribe();
                Some((event(&Change::Reset), (latest, false)))
            }
            Err(RecvError::Closed) => None,
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

fn event(change: &Change) -> Result<Event, Infallible> {
    let data = serde_json::to_value(change).unwrap_or_default();
    let name = data["type"].as_str().unwrap_or("reset").to_owned();
    Ok(Event::default().event(name).data(data.to_string()))
}
