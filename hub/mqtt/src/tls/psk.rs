//! TLS 1.2 with plain pre-shared keys, as a server (wire contract, section 2).

use std::sync::{Arc, OnceLock};

use mbedtls::rng::{CtrDrbg, OsEntropy};
use mbedtls::ssl::config::{Endpoint, Preset, Transport};
use mbedtls::ssl::CipherSuite;
use mbedtls::ssl::{Config, Context, Version};
use tokio::net::TcpStream;

use hub_core::error::{Context as _, Result};
use hub_core::ports::store::Store;

mod callback;

/// Makes TLS sessions out of TCP connections.
#[derive(Clone)]
pub struct Acceptor {
    store: Arc<dyn Store>,
    rng: Arc<CtrDrbg>,
    suites: Arc<Vec<i32>>,
}

/// A handshake that came to nothing.
pub struct Failure {
    /// Who the other side said it was, where it came that far.
    pub identity: Option<String>,
    /// Why.
    pub reason: String,
}

/// The keys for one handshake, and the identity it used.
struct Keys {
    store: Arc<dyn Store>,
    identity: OnceLock<String>,
}

impl Keys {
    /// The key for an identity; remembers the identity, known or not.
    fn find(&self, identity: &[u8]) -> Option<Vec<u8>> {
        let identity = String::from_utf8_lossy(identity).into_owned();
        // A database that does not answer lets nobody in.
        let device = self.store.find_device(&identity).ok().flatten();
        let key = device.and_then(|device| device.key);
        let _ = self.identity.set(identity);
        key
    }
}

impl Acceptor {
    /// An acceptor for the devices that have a secret.
    pub fn new(store: Arc<dyn Store>) -> Result<Self> {
        let entropy = Arc::new(OsEntropy::new());
        let rng = CtrDrbg::new(entropy, None).context(|| "cannot seed the random generator".to_owned())?;
        let suites = [
            CipherSuite::PskWithAes256GcmSha384,
            CipherSuite::PskWithAes128GcmSha256,
            CipherSuite::PskWithAes256CbcSha,
            CipherSuite::PskWithAes128CbcSha,
        ];
        let suites = suites.into_iter().map(Into::<i32>::into).chain([0]).collect();
        Ok(Acceptor { store, rng: Arc::new(rng), suites: Arc::new(suites) })
    }

    /// Does the handshake and returns the session with the identity it proved.
    pub async fn accept(&self, stream: TcpStream) -> std::result::Result<(Context<TcpStream>, String), Failure> {
        let keys = Arc::new(Keys { store: self.store.clone(), identity: OnceLock::new() });
        let config = self.config(&keys).map_err(|error| Failure { identity: None, reason: error.to_string() })?;
        let mut session = Context::new(config);
        match session.establish_async(stream, None).await {
            Ok(()) => Ok((session, keys.identity.get().cloned().unwrap_or_default())),
            Err(error) => {
                let identity = keys.identity.get().cloned();
                let reason = match &identity {
                    Some(identity) if keys.find(identity.as_bytes()).is_none() => "unknown PSK identity".to_owned(),
                    Some(_) => format!("TLS handshake: {error} (is the device's secret another one?)"),
                    None => format!("TLS handshake: {error}"),
                };
                Err(Failure { identity, reason })
            }
        }
    }

    fn config(&self, keys: &Arc<Keys>) -> mbedtls::Result<Arc<Config>> {
        let mut config = Config::new(Endpoint::Server, Transport::Stream, Preset::Default);
        config.set_rng(self.rng.clone());
        config.set_min_version(Version::Tls1_2)?;
        config.set_max_version(Version::Tls1_2)?;
        config.set_ciphersuites(self.suites.clone());
        callback::install(&mut config, keys);
        Ok(Arc::new(config))
    }
}
