//! The way to the hub.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::http::{Request, Response};
use ureq::tls::{parse_pem, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, SendBody};

use super::args::Target;
use super::trouble::Trouble;
use crate::state_file::{self, TOKEN_VARIABLE};
use hub_core::firmware::escape;
use hub_core::model::Paged;

/// How long to try to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the hub may be silent; a stream has a sign of life in less.
const SILENCE: Duration = Duration::from_secs(60);

/// Bytes of an answer.
const MAX_ANSWER: u64 = 256 << 20;

/// A hub that can be asked.
pub struct Connection {
    agent: Agent,
    base: String,
    token: Option<String>,
    /// Where the address is from.
    source: Option<PathBuf>,
}

/// A refusal, as far as it matters here.
#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

impl Connection {
    /// Finds the hub; does not connect yet.
    pub fn open(target: &Target) -> Result<Self, Trouble> {
        let (base, token, ca, source) = match (&target.hub, &target.state) {
            (Some(url), _) => (url.trim_end_matches('/').to_owned(), token(target.token_file.as_deref())?, None, None),
            (None, Some(folder)) => {
                let path = state_file::find(folder);
                let (url, token, ca) = find(folder, &path)?;
                (url, token, ca, Some(path))
            }
            (None, None) => {
                return Err(Trouble::failed(
                    "which hub? --state DIR (its data folder) or --hub URL (its console) says it",
                ))
            }
        };
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(Trouble::failed(format!(
                "--hub {base}: give the console's address, such as http://127.0.0.1:8080"
            )));
        }
        let ca = target.ca.clone().or(ca);
        let roots = match ca.filter(|_| base.starts_with("https://")) {
            Some(path) => trusted(&path)?,
            None => RootCerts::WebPki,
        };
        let agent = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_redirects(0)
            // The hub is on this machine or in this network, where no proxy leads.
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .build()
            .new_agent();
        Ok(Connection { agent, base, token, source })
    }

    /// Asks for something.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        read(self.send("GET", path, &[], ())?)
    }

    /// Asks for every page of a list, and puts them together.
    pub fn whole<T: DeserializeOwned + Paged>(&self, path: &str) -> Result<T, Trouble> {
        let mut list: T = self.get(path)?;
        while let Some(next) = list.next() {
            let query = if path.contains('?') { '&' } else { '?' };
            let following = self.get(&format!("{path}{query}after={}", part(next)))?;
            list.join(following);
        }
        Ok(list)
    }

    /// Asks for something to be done.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Trouble> {
        let body = serde_json::to_vec(body).map_err(|error| Trouble::failed(error.to_string()))?;
        read(self.send("POST", path, &[("content-type", "application/json")], &body[..])?)
    }

    /// Asks for something to be done that has no answer.
    pub fn order(&self, path: &str, body: &impl Serialize) -> Result<(), Trouble> {
        let body = serde_json::to_vec(body).map_err(|error| Trouble::failed(error.to_string()))?;
        self.send("POST", path, &[("content-type", "application/json")], &body[..]).map(drop)
    }

    /// Asks for a file.
    pub fn download(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        let mut file = Vec::new();
        let mut body = self.send("GET", path, &[], ())?.into_body().into_reader();
        body.read_to_end(&mut file).map_err(|error| Trouble::failed(error.to_string()))?;
        Ok(file)
    }

    /// Sends a file of this size.
    pub fn upload<T: DeserializeOwned>(&self, path: &str, file: &mut dyn Read, size: u64) -> Result<T, Trouble> {
        let size = size.to_string();
        // A refusal then comes before the file has been sent in vain.
        let headers =
            [("content-type", "application/octet-stream"), ("content-length", &size), ("expect", "100-continue")];
        read(self.send("POST", path, &headers, SendBody::from_reader(file))?)
    }

    /// Removes something.
    pub fn delete(&self, path: &str) -> Result<(), Trouble> {
        self.send("DELETE", path, &[], ()).map(drop)
    }

    /// Begins to read what happens.
    pub fn events(&self) -> Result<impl Read, Trouble> {
        Ok(self.send("GET", "/api/events", &[], ())?.into_body().into_reader())
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsSendBody,
    ) -> Result<Response<Body>, Trouble> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(body).map_err(|error| Trouble::failed(format!("{}: {error}", self.base)))?;
        let mut response = self.agent.run(request).map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.body_mut().read_to_string().unwrap_or_default();
        Err(match serde_json::from_str::<Refusal>(&text) {
            Ok(refusal) => Trouble::Refused(refusal.detail),
            Err(_) => Trouble::Failed(format!("{} answers {status}, not as a hub does", self.base)),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> Trouble {
        let from = self.source.as_ref().map(|path| format!(" (from {})", path.display())).unwrap_or_default();
        Trouble::Failed(format!("no hub answers at {}{from}: {error}", self.base))
    }
}

fn read<T: DeserializeOwned>(mut response: Response<Body>) -> Result<T, Trouble> {
    let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let text = text.map_err(|error| Trouble::failed(format!("the hub's answer broke off: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| {
        Trouble::failed(format!("the hub's answer makes no sense (is it another version than this program?): {error}"))
    })
}

/// The certificates in a file.
fn trusted(path: &Path) -> Result<RootCerts, Trouble> {
    let what = |error: &dyn std::fmt::Display| Trouble::Failed(format!("--ca {}: {error}", path.display()));
    let pem = fs::read(path).map_err(|error| what(&error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| what(&error))? {
            certificates.push(certificate);
        }
    }
    match certificates.is_empty() {
        true => Err(what(&"it has no certificate")),
        false => Ok(RootCerts::new_with_certs(&certificates)),
    }
}

/// The address, the token and the CA of the hub that keeps its data in this folder.
fn find(folder: &Path, path: &Path) -> Result<(String, Option<String>, Option<PathBuf>), Trouble> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = folder.display();
            return Err(Trouble::Failed(format!("no hub runs on {folder}; start one with: hub run --state {folder}")));
        }
        Err(error) => return Err(Trouble::Failed(format!("{}: {error}", path.display()))),
    };
    #[derive(Deserialize)]
    struct Found {
        console: Option<String>,
        token: Option<String>,
        ca_file: Option<PathBuf>,
    }
    let found: Found =
        serde_json::from_str(&text).map_err(|error| Trouble::Failed(format!("{}: {error}", path.display())))?;
    let console = found.console.ok_or_else(|| Trouble::failed("this hub runs without a console (--console off)"))?;
    Ok((console, found.token, found.ca_file))
}

fn token(file: Option<&Path>) -> Result<Option<String>, Trouble> {
    match file {
        Some(path) => match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) => Err(Trouble::Failed(format!("--token-file {}: {error}", path.display()))),
        },
        None => Ok(std::env::var(TOKEN_VARIABLE).ok()),
    }
}

/// A part of a path or a value of a query, escaped.
pub fn part(text: &str) -> String {
    escape(text)
}
