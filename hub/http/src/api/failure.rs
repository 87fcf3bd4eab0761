//! Refusals as the API words them: `application/problem+json` (RFC 9457).

use std::collections::BTreeMap;

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Said;
use hub_core::model::{Problem, ProblemCode, ProblemKind, ProblemValues};

/// The type of every refusal's body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The body of every refusal.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// Always `about:blank`: the status says which kind of problem this is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// What was wrong, for people.
    pub detail: String,
    /// Which problem it is, where a program may want to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ProblemCode>,
    /// What `detail` names. The code says which there are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: ProblemValues,
}

/// Why a request is refused.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    code: Option<ProblemCode>,
    values: ProblemValues,
    detail: String,
}

impl Failure {
    /// A refusal with this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Failure { status, code: None, values: ProblemValues::new(), detail: detail.into() }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = match problem.kind {
            ProblemKind::Invalid => StatusCode::BAD_REQUEST,
            ProblemKind::Unauthorized => StatusCode::UNAUTHORIZED,
            ProblemKind::Forbidden => StatusCode::FORBIDDEN,
            ProblemKind::Unknown => StatusCode::NOT_FOUND,
            ProblemKind::Conflict => StatusCode::CONFLICT,
            ProblemKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemKind::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            ProblemKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ProblemKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        };
        Failure { status, code: problem.code, values: problem.values, detail: problem.detail }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let said = Said(self.detail.clone());
        let body = Body {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            values: self.values,
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.extensions_mut().insert(said);
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
