//! What is wrong with S3, in words.

use std::time::Duration;

use hub_core::model::{Problem, ProblemKind};

/// Characters of what the server says that are repeated.
const MAX_WORDS: usize = 200;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No connection, or one that broke.
    Unreachable(String),
    /// No answer in time.
    Slow,
    /// The server's own error.
    Refused { status: u16, code: String, message: String },
    /// An answer that no S3 gives.
    Nonsense(&'static str),
}

impl Trouble {
    /// Reads an answer's error.
    pub fn refused(status: u16, body: &str) -> Self {
        let words = |name| clip(&element(body, name).unwrap_or_default());
        Trouble::Refused { status, code: words("Code"), message: words("Message") }
    }

    /// Whether it may pass by itself.
    pub fn may_pass(&self) -> bool {
        match self {
            Trouble::Unreachable(_) => true,
            Trouble::Refused { status, code, .. } => {
                matches!(status, 429 | 500 | 502 | 503 | 504) || matches!(code.as_str(), "SlowDown" | "InternalError")
            }
            Trouble::Slow | Trouble::Nonsense(_) => false,
        }
    }

    /// Whether there is no such thing.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Trouble::Refused { status: 404, code, .. } if code != "NoSuchBucket")
    }

    /// For who asked for something to be done at the bucket with this URL, which may be silent for so long.
    pub fn problem(&self, what: &str, place: &str, silence: Duration) -> Problem {
        let kind = if *self == Trouble::Slow { ProblemKind::TimedOut } else { ProblemKind::Internal };
        let why = match self {
            Trouble::Unreachable(why) => format!("it cannot be reached: {why}"),
            Trouble::Slow => format!("it did not answer within {} seconds", silence.as_secs().max(1)),
            Trouble::Nonsense(what) => format!("it answers with {what}: is it an S3 server?"),
            Trouble::Refused { status, code, message } => {
                let said = match (code.is_empty(), message.is_empty()) {
                    (false, false) => format!("{code}, {message:?}"),
                    (false, true) => code.clone(),
                    _ => format!("status {status}"),
                };
                format!("{} ({said})", reason(*status, code))
            }
        };
        Problem::new(kind, format!("The firmware store {place} could not {what}: {why}."))
    }
}

/// What an error of S3 means for who runs the hub.
fn reason(status: u16, code: &str) -> &'static str {
    match (code, status) {
        ("InvalidAccessKeyId", _) => "it does not know the key of AWS_ACCESS_KEY_ID",
        ("SignatureDoesNotMatch", _) => "AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID",
        ("ExpiredToken", _) => "AWS_SESSION_TOKEN has expired",
        ("NoSuchBucket", _) => "there is no such bucket",
        ("RequestTimeTooSkewed", _) => "the clocks of the hub and of the store differ too much",
        ("AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" | "PermanentRedirect", _)
        | (_, 301 | 307) => "the bucket is elsewhere: look at AWS_REGION and AWS_ENDPOINT_URL",
        ("AccessDenied", _) | (_, 401 | 403) => {
            "it denies access: the key needs the rights s3:PutObject, s3:AbortMultipartUpload, s3:GetObject and \
             s3:DeleteObject there"
        }
        ("SlowDown", _) | (_, 429 | 500 | 502..=504) => "it is overloaded or out of order: try again later",
        _ => "it refuses",
    }
}

/// The text of an element's first occurrence.
pub fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(text.replace("&#34;", "\"").replace("&amp;", "&"))
}

/// What may stand in a message of ours.
fn clip(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_WORDS).collect()
}
