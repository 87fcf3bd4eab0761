//! What devices post to these servers: log lines, the wish to be registered, and files.

use std::time::Duration;

use hyper::header::RETRY_AFTER;
use hyper::StatusCode;

use super::decision::{decide, Decision, Request};
use hub_core::hub::Hub;
use hub_core::messaging::log::{self, Form, MAX_UPLOAD};
use hub_core::operations::Untaken;
use hub_core::registration::{self, Posted, Twist};
use hub_core::resource::MAX_SIZE;

/// The headers that sign a request, and the one that is signed with it.
pub const HEADERS: [&str; 5] = ["host", "x-tc-algorithm", "x-tc-timestamp", "x-tc-nonce", "x-tc-signature"];

/// What is posted.
#[derive(Clone, Copy)]
pub enum Post {
    Log(Form),
    Registration(registration::Form),
    File,
}

impl Post {
    /// What a request posts, if anything.
    pub fn of(method: &str, target: &str) -> Option<Self> {
        match method {
            "POST" => {}
            "PUT" => return Some(Post::File),
            _ => return None,
        }
        let path = path(target);
        registration::form(path).map(Post::Registration).or_else(|| log::form(path).map(Post::Log))
    }

    /// Longest body in bytes.
    pub fn limit(self) -> usize {
        match self {
            Post::Log(_) => MAX_UPLOAD,
            Post::Registration(_) => registration::MAX_REQUEST,
            Post::File => MAX_SIZE,
        }
    }

    /// How long the body may take.
    pub fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Post::Log(_) | Post::Registration(_) => 30,
            Post::File => 600,
        })
    }
}

fn path(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Decides what any request to these servers gets; the twists are asked for where a device wants to be registered.
pub fn answer(hub: &Hub, request: &Request, twists: impl FnOnce() -> Vec<Twist>) -> Decision {
    let text = match Post::of(&request.method, &request.target) {
        None => return decide(hub, request),
        Some(Post::Log(form)) => match take(hub, form, request) {
            Ok(text) => text.to_owned(),
            Err(wait) => return too_often(wait),
        },
        Some(Post::Registration(form)) => register(hub, form, request, &twists()),
        Some(Post::File) => return keep(hub, request),
    };
    Decision { status: StatusCode::OK, headers: Vec::new(), file: None, part: None, text: Some(text), reason: None }
}

/// What one gets that may come again after so long.
fn too_often(wait: Duration) -> Decision {
    let headers = vec![(RETRY_AFTER, (wait.as_secs() + 1).to_string())];
    let status = StatusCode::TOO_MANY_REQUESTS;
    Decision { status, headers, file: None, part: None, text: None, reason: None }
}

/// Takes a device's file in.
fn keep(hub: &Hub, request: &Request) -> Decision {
    let content_md5 = request.content_md5.as_deref().unwrap_or_default();
    let kept = hub
        .expected_upload(&request.target)
        .and_then(|resource| hub.take_upload(&resource, content_md5, &request.body));
    let (status, reason) = match kept {
        Ok(()) => (StatusCode::OK, None),
        Err(Untaken::Forbidden(reason)) => (StatusCode::FORBIDDEN, Some(reason)),
        Err(Untaken::Unknown) => (StatusCode::NOT_FOUND, None),
        Err(Untaken::Other(reason)) => (StatusCode::BAD_REQUEST, Some(reason)),
        Err(Untaken::TooOften(wait)) => return too_often(wait),
        Err(Untaken::Broken(problem)) => {
            hub.warn(&problem.detail);
            (StatusCode::INTERNAL_SERVER_ERROR, None)
        }
    };
    Decision { status, headers: Vec::new(), file: None, part: None, text: None, reason }
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

/// Takes an upload in, and says what it gets; or when it may come again.
fn take(hub: &Hub, form: Form, request: &Request) -> Result<&'static str, Duration> {
    let [host, algorithm, timestamp, nonce, signature] = signed(request).map(str::to_owned);
    let (path, body) = (path(&request.target).to_owned(), request.body.clone());
    hub.take_log(form, &log::Request { path, host, algorithm, timestamp, nonce, signature, body })
}
