//! What a request gets, before a byte of it is sent.

use hyper::header::{HeaderName, ACCEPT_RANGES, ALLOW, CONTENT_RANGE, ETAG};
use hyper::StatusCode;

use super::range::{self, Part};
use hub_core::events::Event;
use hub_core::hub::{Hub, Refused};
use hub_core::site::Served;

/// A request, as far as it matters.
pub struct Request {
    pub method: String,
    pub target: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub accept_encoding: Option<String>,
    pub content_md5: Option<String>,
    /// What signs an upload of log lines (`posts::HEADERS`).
    pub signed: Vec<(&'static str, String)>,
    /// What is posted.
    pub body: Vec<u8>,
}

/// What a request gets.
pub struct Decision {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    /// The file asked for, where it may be had.
    pub file: Option<Served>,
    /// Where the body begins in the file and how long it is; `None` for a text.
    pub part: Option<(u64, u64)>,
    /// A body of its own, in JSON.
    pub text: Option<String>,
    /// Why access was refused.
    pub reason: Option<&'static str>,
}

impl Decision {
    /// The body where it is not a part of the file.
    pub fn text(&self) -> String {
        let status = || format!("{} {}\n", self.status.as_u16(), self.status.canonical_reason().unwrap_or_default());
        self.text.clone().unwrap_or_else(status)
    }

    /// The body's type.
    pub fn content_type(&self) -> &'static str {
        if self.part.is_some() {
            "application/octet-stream"
        } else if self.text.is_some() {
            "application/json"
        } else {
            "text/plain"
        }
    }
}

/// Decides what a request gets.
pub fn decide(hub: &Hub, request: &Request) -> Decision {
    let refuse = |status, reason| Decision { status, headers: Vec::new(), file: None, part: None, text: None, reason };
    if request.method != "GET" && request.method != "HEAD" {
        let headers = vec![(ALLOW, "GET, HEAD".to_owned())];
        return Decision { headers, ..refuse(StatusCode::METHOD_NOT_ALLOWED, None) };
    }
    match hub.open(&request.target) {
        Ok(Some(file)) => plan(file, request.range.as_deref(), request.if_range.as_deref()),
        Ok(None) => refuse(StatusCode::NOT_FOUND, None),
        Err(Refused::Forbidden(reason)) => refuse(StatusCode::FORBIDDEN, Some(reason)),
        Err(Refused::Broken(problem)) => {
            hub.warn(&problem.detail);
            refuse(StatusCode::INTERNAL_SERVER_ERROR, None)
        }
    }
}

/// The event that tells of a request.
pub fn event(request: &Request, status: u16, reason: Option<&'static str>) -> Event {
    Event::Http {
        method: request.method.clone(),
        target: request.target.clone(),
        range: request.range.clone(),
        if_range: request.if_range.clone(),
        accept_encoding: request.accept_encoding.clone(),
        status,
        bytes: 0,
        complete: false,
        reason,
    }
}
/// The answer for a file.
fn plan(file: Served, range: Option<&str>, if_range: Option<&str>) -> Decision {
    let size = file.size;
    let mut headers = vec![(ETAG, file.etag.clone()), (ACCEPT_RANGES, "bytes".to_owned())];
    let (status, part) = match range::select(range, if_range, &file.etag, size) {
        Part::Whole => (StatusCode::OK, Some((0, size))),
        Part::Bytes { first, last } => {
            headers.push((CONTENT_RANGE, format!("bytes {first}-{last}/{size}")));
            (StatusCode::PARTIAL_CONTENT, Some((first, last - first + 1)))
        }
        Part::Beyond => {
            headers.push((CONTENT_RANGE, format!("bytes */{size}")));
            (StatusCode::RANGE_NOT_SATISFIABLE, None)
        }
    };
    Decision { status, headers, file: Some(file), part, text: None, reason: None }
}
