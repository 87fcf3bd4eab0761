//! What devices post to these servers: log lines, and the wish to be registered.

use hyper::StatusCode;

use super::decision::{decide, Decision, Request};
use hub_core::hub::Hub;
use hub_core::messaging::log::{self, Form, MAX_UPLOAD};
use hub_core::registration::{self, Posted, Twist};

/// The headers that sign a request, and the one that is signed with it.
pub const HEADERS: [&str; 5] = ["host", "x-tc-algorithm", "x-tc-timestamp", "x-tc-nonce", "x-tc-signature"];

/// What is posted.
#[derive(Clone, Copy)]
pub enum Post {
    Log(Form),
    Registration(registration::Form),
}

impl Post {
    /// What a request posts, if anything.
    pub fn of(method: &str, target: &str) -> Option<Self> {
        if method != "POST" {
            return None;
        }
        let path = path(target);
        registration::form(path).map(Post::Registration).or_else(|| log::form(path).map(Post::Log))
    }

    /// Longest body in bytes.
    pub fn limit(self) -> usize {
        match self {
            Post::Log(_) => MAX_UPLOAD,
            Post::Registration(_) => registration::MAX_REQUEST,
        }
    }
}

fn path(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Decides what any request to these servers gets; the twists are asked for where a device wants to be registered.
pub fn answer(hub: &Hub, request: &Request, twists: impl FnOnce() -> Vec<Twist>) -> Decision {
    let text = match Post::of(&request.method, &request.target) {
        None => return decide(hub, request),
        Some(Post::Log(form)) => take(hub, form, request).to_owned(),
        Some(Post::Registration(form)) => register(hub, form, request, &twists()),
    };
    Decision { status: StatusCode::OK, headers: Vec::new(), file: None, part: None, text: Some(text), reason: None }
}

/// What the headers that sign a request hold.
fn signed(request: &Request) -> [&str; 5] {
    HEADERS.map(|name| {
        let found = request.signed.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    })
}

/// What a device gets that wants to be registered.
fn register(hub: &Hub, form: registration::Form, request: &Request, twists: &[Twist]) -> String {
    let [host, algorithm, timestamp, nonce, signature] = signed(request);
    let posted = Posted { host, algorithm, timestamp, nonce, signature, body: &request.body };
    hub.register(form, &posted, twists)
}

/// Takes an upload in, and says what it gets.
fn take(hub: &Hub, form: Form, request: &Request) -> &'static str {
    let [host, algorithm, timestamp, nonce, signature] = signed(request).map(str::to_owned);
    let (path, body) = (path(&request.target).to_owned(), request.body.clone());
    hub.take_log(form, &log::Request { path, host, algorithm, timestamp, nonce, signature, body })
}
