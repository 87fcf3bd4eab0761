//! `/api/events`: changes as they happen.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::IntoResponse;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::Receiver;

use super::Console;
use hub_core::model::Change;

/// How often a comment is sent where nothing happens, so that both sides find out about a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// nginx would keep events until it has 4 KB of them.
const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

/// Changes as server-sent events. The first is `reset`; so is one in place of changes that a slow reader missed.
#[utoipa::path(get, path = "/api/events", operation_id = "events",
    responses((status = 200, content_type = "text/event-stream", body = Change)))]
pub async fn events(State(console): State<Arc<Console>>) -> impl IntoResponse {
    // Whoever asks for everything after the first event misses nothing: from here on changes are kept.
    let changes = follow(console.hub.watch());
    let events = Sse::new(changes.map(|change| event(&change))).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    ([UNBUFFERED], events)
}

fn follow(changes: Receiver<Change>) -> impl Stream<Item = Change> {
    stream::unfold((changes, true), |(mut changes, first)| async move {
        if first {
            return Some((Change::Reset, (changes, false)));
        }
        match changes.recv().await {
            Ok(change) => Some((change, (changes, false))),
            Err(RecvError::Lagged(_)) => {
                // What is still kept is older than what the client will now ask for.
                let latest = changes.resubscribe();
                Some((Change::Reset, (latest, false)))
            }
            Err(RecvError::Closed) => None,
        }
    })
}

fn event(change: &Change) -> Result<Event, Infallible> {
    let data = serde_json::to_value(change).unwrap_or_default();
    let name = data["type"].as_str().unwrap_or("reset").to_owned();
    Ok(Event::default().event(name).data(data.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast;

    #[tokio::test]
    async fn a_slow_reader_is_told_to_start_again() {
        let (sender, receiver) = broadcast::channel(4);
        let send = |id| sender.send(Change::FirmwareRemoved { id }).expect("a reader");
        let mut changes = std::pin::pin!(follow(receiver));
        let mut next = async || serde_json::to_string(&changes.next().await.expect("a change")).expect("JSON");
        let reset = r#"{"type":"reset"}"#;
        assert_eq!(next().await, reset);
        send(1);
        assert_eq!(next().await, r#"{"type":"firmware_removed","id":1}"#);
        for id in 2..10 {
            send(id);
        }
        assert_eq!(next().await, reset);
        send(10);
        assert_eq!(next().await, r#"{"type":"firmware_removed","id":10}"#);
    }
}
