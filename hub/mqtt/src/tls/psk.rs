//! TLS 1.2 with plain pre-shared keys, as a server (wire contract, section 2).

use std::io;
use std::sync::{Arc, OnceLock};

use iot_mbedtls::{Session, SERVER_SUITES};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use hub_core::ports::store::Store;

mod stream;

pub use stream::Stream;

/// Makes TLS sessions out of TCP connections.
#[derive(Clone)]
pub struct Acceptor {
    store: Arc<dyn Store>,
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
    fn find(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let identity = String::from_utf8_lossy(identity).into_owned();
        // A database that does not answer lets nobody in.
        let device = self.store.find_device(&identity).ok().flatten();
        let key = device.and_then(|device| device.key).map(Zeroizing::new);
        let _ = self.identity.set(identity);
        key
    }
}

impl Acceptor {
    /// An acceptor for the devices that have a secret.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Acceptor { store }
    }

    /// Does the handshake and returns the session with the identity it proved.
    pub async fn accept(&self, stream: TcpStream) -> Result<(Stream, String), Failure> {
        let keys = Arc::new(Keys { store: self.store.clone(), identity: OnceLock::new() });
        let asked = keys.clone();
        let find = Box::new(move |identity: &[u8]| asked.find(identity));
        match Self::shake_hands(find, stream).await {
            Ok(stream) => Ok((stream, keys.identity.get().cloned().unwrap_or_default())),
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

    async fn shake_hands(keys: iot_mbedtls::Keys, stream: TcpStream) -> io::Result<Stream> {
        let session = Session::server(keys, &SERVER_SUITES, stream::Socket(stream)).map_err(io::Error::other)?;
        let mut stream = Stream::new(session);
        stream.handshake().await?;
        Ok(stream)
    }
}
