//! Requests to the server: signed, repeated where that may help, and with an end.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use hub_core::error::{Context, Fatal, Result};
use hub_core::model::Problem;
use hub_core::ports::store::Outcome;
use jiff::Timestamp;
use rusty_s3::actions::{AbortMultipartUpload, CompleteMultipartUpload, CreateMultipartUpload};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use ureq::http::{HeaderMap, Request, Response};
use ureq::tls::{parse_pem, Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

use crate::access::Access;
use crate::trouble::{element, Trouble};

/// How long to try to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the signature of a request of the hub's own holds, in which clocks may differ.
const SIGNED_FOR: Duration = Duration::from_secs(900);
/// Attempts in all, where one may fail by chance.
const ATTEMPTS: u32 = 4;
/// Bytes of an answer that is read.
const MAX_ANSWER: u64 = 64 * 1024;

/// A way to a bucket.
pub struct Client {
    agent: Agent,
    bucket: Bucket,
    credentials: Credentials,
    silence: Duration,
    pause: Duration,
}

/// An answer that is no error.
struct Answer {
    headers: HeaderMap,
    text: String,
}

impl Client {
    pub fn new(bucket: &str, access: Access) -> Result<Self> {
        let Access { endpoint, region, key_id, secret, token, ca_bundle, silence, whole, pause } = access;
        let (endpoint, style) = endpoint_of(endpoint.as_deref(), bucket, &region);
        let bad = |what: String| Fatal::new(format!("AWS_ENDPOINT_URL: {what}; such as https://s3.example:9000"));
        let url = endpoint.parse().map_err(|error| bad(format!("{error}")))?;
        let bucket = Bucket::new(url, style, bucket.to_owned(), region).map_err(|error| bad(error.to_string()))?;
        let credentials = match token {
            Some(token) => Credentials::new_with_token(key_id, secret.as_str(), token.as_str()),
            None => Credentials::new(key_id, secret.as_str()),
        };
        let roots = match ca_bundle {
            Some(path) => RootCerts::new_with_certs(&certificates(&path)?),
            None => RootCerts::WebPki,
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .timeout_per_write(Some(silence))
            .timeout_global(Some(whole))
            .build()
            .new_agent();
        Ok(Client { agent, bucket, credentials, silence, pause })
    }

    /// What is wrong, for who asked for something to be done.
    pub fn problem(&self, what: &str, trouble: &Trouble) -> Problem {
        trouble.problem(what, self.place(), self.silence)
    }

    /// The bucket's URL: it has no secret in it.
    fn place(&self) -> &str {
        self.bucket.base_url().as_str()
    }

    /// A URL that fetches an object from second `now` on.
    pub fn fetch_url(&self, key: &str, now: u64, lifetime: u64) -> Option<String> {
        let now = Timestamp::from_second(i64::try_from(now).ok()?).ok()?;
        let action = self.bucket.get_object(Some(&self.credentials), key);
        Some(action.sign_with_time(Duration::from_secs(lifetime), &now).into())
    }

    /// Begins an upload and returns its id.
    pub fn begin(&self, key: &str) -> std::result::Result<String, Trouble> {
        let action = CreateMultipartUpload::new(&self.bucket, Some(&self.credentials), key);
        let answer = self.send("POST", &action, &[], &[])?;
        element(&answer.text, "UploadId").filter(|id| !id.is_empty()).ok_or(Trouble::Nonsense("no id of an upload"))
    }

    /// Sends a part and returns its tag. `md5` is the base64 of the part's MD5: the server compares it.
    pub fn part(
        &self,
        key: &str,
        id: &str,
        number: u16,
        md5: &str,
        part: &[u8],
    ) -> std::result::Result<String, Trouble> {
        let mut action = self.bucket.upload_part(Some(&self.credentials), key, number, id);
        action.headers_mut().insert("content-md5", md5);
        let answer = self.send("PUT", &action, &[("content-md5", md5)], part)?;
        let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok());
        tag.map(str::to_owned).ok_or(Trouble::Nonsense("no tag of a part"))
    }

    /// Makes an object of an upload's parts.
    pub fn complete(&self, key: &str, id: &str, tags: &[String]) -> std::result::Result<(), Trouble> {
        let tags = || tags.iter().map(String::as_str);
        let action = CompleteMultipartUpload::new(&self.bucket, Some(&self.credentials), key, id, tags());
        let body = CompleteMultipartUpload::new(&self.bucket, Some(&self.credentials), key, id, tags()).body();
        let answer = self.send("POST", &action, &[], body.as_bytes())?;
        // The status was sent before the server knew.
        match element(&answer.text, "Code") {
            Some(_) => Err(Trouble::refused(200, &answer.text)),
            None => Ok(()),
        }
    }

    /// Forgets an upload with its parts.
    pub fn abort(&self, key: &str, id: &str) -> std::result::Result<(), Trouble> {
        let action = AbortMultipartUpload::new(&self.bucket, Some(&self.credentials), key, id);
        self.send("DELETE", &action, &[], &[]).map(drop)
    }

    /// How many bytes an object has.
    pub fn size(&self, key: &str) -> std::result::Result<u64, Trouble> {
        let answer = self.send("HEAD", &self.bucket.head_object(Some(&self.credentials), key), &[], &[])?;
        let size = answer.headers.get("content-length").and_then(|size| size.to_str().ok()?.parse().ok());
        size.ok_or(Trouble::Nonsense("no size of an object"))
    }

    /// Refuses where an object of this size is not to be had.
    pub fn check(&self, key: &str, size: u64) -> Outcome<()> {
        let gone = |what: String| {
            Err(Problem::conflict(format!(
                "The firmware's file {key} {what} in the firmware store {}: remove the firmware and upload it again.",
                self.place()
            )))
        };
        match self.size(key) {
            Ok(there) if there == size => Ok(()),
            Ok(there) => gone(format!("has {there} bytes instead of {size}")),
            Err(trouble) if trouble.is_unknown() => gone("is no longer".to_owned()),
            Err(trouble) => Err(self.problem(&format!("show {key}"), &trouble)),
        }
    }

    /// Removes an object; one that is not there is removed.
    pub fn remove(&self, key: &str) -> std::result::Result<(), Trouble> {
        match self.send("DELETE", &self.bucket.delete_object(Some(&self.credentials), key), &[], &[]) {
            Err(trouble) if !trouble.is_unknown() => Err(trouble),
            _ => Ok(()),
        }
    }

    fn send<'a>(
        &self,
        method: &str,
        action: &impl S3Action<'a>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::result::Result<Answer, Trouble> {
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            match self.try_send(method, action.sign(SIGNED_FOR).as_str(), headers, body) {
                Err(trouble) if trouble.may_pass() && attempt < ATTEMPTS => {
                    sleep(pause);
                    pause *= 4;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn try_send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::result::Result<Answer, Trouble> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match method {
            "HEAD" | "DELETE" => request.body(()).map(|request| self.agent.run(request)),
            _ => request.body(body).map(|request| self.agent.run(request)),
        };
        let response = sent.map_err(|_| Trouble::Nonsense("what cannot be asked for"))?.map_err(trouble_of)?;
        read(response)
    }
}

fn read(response: Response<Body>) -> std::result::Result<Answer, Trouble> {
    let (parts, body) = response.into_parts();
    let mut text = Vec::new();
    let outcome = body.into_with_config().reader().take(MAX_ANSWER).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    match parts.status.as_u16() {
        200..=299 => {
            outcome.map_err(|error| trouble_of(Error::from(error)))?;
            Ok(Answer { headers: parts.headers, text })
        }
        status => Err(Trouble::refused(status, &text)),
    }
}

/// An error of the connection. The request's URL, which has a signature in it, is not repeated.
fn trouble_of(error: Error) -> Trouble {
    match error {
        Error::Timeout(_) => Trouble::Slow,
        Error::Io(error) => Trouble::Unreachable(error.to_string()),
        Error::HostNotFound => Trouble::Unreachable("there is no such host".to_owned()),
        Error::Rustls(error) => Trouble::Unreachable(error.to_string()),
        Error::Protocol(_) => Trouble::Nonsense("no HTTP"),
        _ => Trouble::Unreachable("the connection failed".to_owned()),
    }
}

/// The server and how its URLs name the bucket: a host that begins with the bucket's name has one for each.
fn endpoint_of(endpoint: Option<&str>, bucket: &str, region: &str) -> (String, UrlStyle) {
    let Some(endpoint) = endpoint else {
        return (format!("https://s3.{region}.amazonaws.com"), UrlStyle::VirtualHost);
    };
    let own = format!("://{bucket}.");
    if endpoint.contains(&own) {
        (endpoint.replacen(&own, "://", 1), UrlStyle::VirtualHost)
    } else {
        (endpoint.to_owned(), UrlStyle::Path)
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let what = || format!("AWS_CA_BUNDLE {}", path.display());
    let pem = fs::read(path).context(what)?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.context(what)? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(Fatal::new(format!("{}: there is no certificate in it", what())));
    }
    Ok(found)
}
