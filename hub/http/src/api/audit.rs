//! What is noted of requests that change something.

use axum::response::Response;

use super::Console;
use hub_core::hub::now_ms;
use hub_core::model::{AuditEntry, Caller};

/// An answer's extension: what came of the request, for the audit log.
#[derive(Clone)]
pub struct Said(pub String);

/// What somebody has done, and what came of it.
pub fn entry(caller: Caller, request: String, response: &Response) -> AuditEntry {
    let (status, said) = (response.status().as_u16(), response.extensions().get::<Said>());
    AuditEntry { id: 0, at: now_ms(), name: caller.name, request, status, detail: said.map(|said| said.0.clone()) }
}

/// Keeps it. What cannot be kept is told of: it has happened.
pub async fn note(console: &Console, entry: AuditEntry) {
    let text = format!("the audit log did not take {} of {}", entry.request, entry.name);
    let noted = console.ask(move |hub| hub.note_audit(entry)).await;
    if noted.is_err() {
        console.hub.warn(&text);
    }
}
