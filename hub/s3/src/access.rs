//! Where S3 is and what opens it, as every program of S3 is told: by the environment.

use std::path::PathBuf;
use std::time::Duration;

use hub_core::error::{Fatal, Result};
use zeroize::Zeroizing;

/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How long one request may take in all.
const WHOLE: Duration = Duration::from_secs(600);
/// The pause before the second attempt; each further one is four times as long.
const PAUSE: Duration = Duration::from_millis(250);

/// What to connect to, and with what.
pub struct Access {
    /// The server's URL; `None`: Amazon's.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) key_id: String,
    pub(crate) secret: Zeroizing<String>,
    /// Of credentials that end.
    pub(crate) token: Option<Zeroizing<String>>,
    /// Who may have signed the server's certificate, PEM; `None`: those that browsers trust.
    pub(crate) ca_bundle: Option<PathBuf>,
    pub(crate) silence: Duration,
    pub(crate) whole: Duration,
    pub(crate) pause: Duration,
}

impl Access {
    /// With the usual variables.
    pub fn of_environment() -> Result<Self> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Access::of(&read)
    }

    /// With what `read` says of each variable.
    pub(crate) fn of(read: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let needed = |name: &str| read(name).ok_or_else(|| Fatal::new(format!("{name} is not in the environment")));
        let endpoint = read("AWS_ENDPOINT_URL");
        let region = match (read("AWS_REGION"), &endpoint) {
            (Some(region), _) => region,
            // Servers of one's own know this one.
            (None, Some(_)) => "us-east-1".to_owned(),
            (None, None) => return Err(Fatal::new("AWS_REGION is not in the environment, nor AWS_ENDPOINT_URL")),
        };
        Ok(Access {
            endpoint,
            region,
            key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret: Zeroizing::new(needed("AWS_SECRET_ACCESS_KEY")?),
            token: read("AWS_SESSION_TOKEN").map(Zeroizing::new),
            ca_bundle: read("AWS_CA_BUNDLE").map(PathBuf::from),
            silence: SILENCE,
            whole: WHOLE,
            pause: PAUSE,
        })
    }
}
