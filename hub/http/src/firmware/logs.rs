//! Devices' uploads of log lines, which come to the same servers.

use hyper::StatusCode;

use super::decision::{decide, Decision, Request};
use hub_core::hub::Hub;
use hub_core::messaging::log::{self, Form};

/// The headers that sign an upload, and the one that is signed with it.
pub const HEADERS: [&str; 5] = ["host", "x-tc-algorithm", "x-tc-timestamp", "x-tc-nonce", "x-tc-signature"];

/// The form of an upload, where a request is one.
pub fn form(method: &str, target: &str) -> Option<Form> {
    let path = target.split('?').next().unwrap_or_default();
    log::form(path).filter(|_| method == "POST")
}

/// Decides what any request to these servers gets.
pub fn answer(hub: &Hub, request: &Request) -> Decision {
    match form(&request.method, &request.target) {
        Some(form) => take(hub, form, request),
        None => decide(hub, request),
    }
}

/// Takes an upload in, and says what it gets.
fn take(hub: &Hub, form: Form, request: &Request) -> Decision {
    let header = |name: &str| {
        let found = request.signed.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let [host, algorithm, timestamp, nonce, signature] = HEADERS.map(header);
    let body = request.body.clone();
    let path = request.target.split('?').next().unwrap_or_default().to_owned();
    let request = log::Request { path, host, algorithm, timestamp, nonce, signature, body };
    let text = hub.take_log(form, &request);
    Decision {
        status: StatusCode::OK,
        headers: Vec::new(),
        file: None,
        part: None,
        text: Some(text.to_owned()),
        reason: None,
    }
}
