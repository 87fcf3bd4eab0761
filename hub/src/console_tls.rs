//! The certificate that the console shows: the hub's own CA makes one, or its owner has one and may put another into its
//! place while the hub runs.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;

use hub_core::error::{Fatal, Result};
use hub_core::hub::Hub;
use hub_mqtt::tls::certs::Authority;

/// How often to look whether the files are others.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What `--console-tls` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleTls {
    /// The hub's CA makes it.
    Auto,
    /// Files, in PEM.
    Files { cert: PathBuf, key: PathBuf },
    /// Something else.
    Odd(String),
}

impl FromStr for ConsoleTls {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(match text.split_once(',') {
            None if text == "auto" => ConsoleTls::Auto,
            Some((cert, key)) if !cert.is_empty() && !key.is_empty() => {
                ConsoleTls::Files { cert: cert.into(), key: key.into() }
            }
            _ => ConsoleTls::Odd(text.to_owned()),
        })
    }
}

/// The files' dates: others mean that one of them is another.
type Dates = [Option<SystemTime>; 2];

fn dates(cert: &Path, key: &Path) -> Dates {
    [cert, key].map(|path| fs::metadata(path).and_then(|about| about.modified()).ok())
}

/// What the console's listener shows, now and later.
pub struct Shown {
    sender: watch::Sender<TlsAcceptor>,
    files: Option<(PathBuf, PathBuf, Dates)>,
}

impl Shown {
    /// Reads or makes the certificate.
    pub fn open(wanted: &ConsoleTls, authority: &Authority, host: &str) -> Result<Self> {
        let (config, files) = match wanted {
            ConsoleTls::Auto => (authority.server_config(host, false)?, None),
            ConsoleTls::Files { cert, key } => {
                let dates = dates(cert, key);
                (Authority::given_config(cert, key)?, Some((cert.clone(), key.clone(), dates)))
            }
            ConsoleTls::Odd(text) => {
                return Err(Fatal::new(format!("--console-tls {text}: auto, or two files in PEM: CERT,KEY")));
            }
        };
        Ok(Shown { sender: watch::Sender::new(TlsAcceptor::from(config)), files })
    }

    /// For the listener: what to show to the next connection.
    pub fn watch(&self) -> watch::Receiver<TlsAcceptor> {
        self.sender.subscribe()
    }

    /// Keeps up with the files for as long as the listener is there. What cannot be read is told of, and changes nothing.
    pub async fn keep_up(mut self, hub: Arc<Hub>) {
        let Some((cert, key, mut seen)) = self.files.take() else {
            return;
        };
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = self.sender.closed() => return,
                _ = ticks.tick() => {}
            }
            let (cert, key, before) = (cert.clone(), key.clone(), seen);
            let read = spawn_blocking(move || {
                let now = dates(&cert, &key);
                (now, (now != before).then(|| Authority::given_config(&cert, &key)))
            });
            let Ok((now, read)) = read.await else {
                return;
            };
            seen = now;
            match read {
                None => {}
                Some(Ok(config)) => {
                    self.sender.send_replace(TlsAcceptor::from(config));
                    hub.note("the console shows another certificate");
                }
                Some(Err(error)) => hub.warn(&format!("the console goes on with its certificate: {error}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let read = |text: &str| text.parse::<ConsoleTls>().expect("never fails");
        let files = ConsoleTls::Files { cert: "a.pem".into(), key: "b.pem".into() };
        assert_eq!((read("auto"), read("a.pem,b.pem")), (ConsoleTls::Auto, files));
        for text in ["", "a.pem", "a.pem,", ",b.pem"] {
            assert_eq!(read(text), ConsoleTls::Odd(text.to_owned()));
        }
    }
}
