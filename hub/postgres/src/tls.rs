//! TLS to the server, as the URL's `sslmode` and `sslrootcert` want it. The words are those of every other client of PostgreSQL.

use std::error::Error;
use std::fmt::{self, Display};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use hub_core::error::{Context, Fatal, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{ring, verify_tls12_signature, verify_tls13_signature, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Config, Socket};
use tokio_rustls::{client, TlsConnector};

/// How much a connection must be worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Not encrypted.
    Disable,
    /// Encrypted where the server offers it.
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// By a server with a certificate of a known CA.
    VerifyCa,
    /// Which is for the name that the URL has.
    VerifyFull,
}

/// What a URL says of TLS.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    mode: Mode,
    roots: Option<PathBuf>,
}

/// Takes what is about TLS out of a URL.
pub fn split(url: &str) -> Result<(String, Wanted)> {
    let mut wanted = Wanted { mode: Mode::Disable, roots: None };
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), wanted));
    };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => {
                wanted.mode = match mode {
                    "disable" => Mode::Disable,
                    "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-ca" => Mode::VerifyCa,
                    "verify-full" => Mode::VerifyFull,
                    _ => {
                        return Err(Fatal::new(format!(
                            "--database: sslmode is disable, prefer, require, verify-ca or verify-full, not {mode:?}"
                        )))
                    }
                }
            }
            Some(("sslrootcert", path)) => wanted.roots = Some(PathBuf::from(decode(path)?)),
            _ => rest.push(pair),
        }
    }
    // As everywhere else: who names a CA wants the server to be of it.
    if wanted.mode == Mode::Require && wanted.roots.is_some() {
        wanted.mode = Mode::VerifyCa;
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{place}{mark}{}", rest.join("&")), wanted))
}

/// A text without the escapes of URLs.
fn decode(text: &str) -> Result<String> {
    let bad = || Fatal::new(format!("--database: sslrootcert: bad escapes: {text:?}"));
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// Makes a connection worth what is wanted.
#[derive(Clone)]
pub struct Tls(TlsConnector);

impl Tls {
    /// Sets up `config` for what is wanted.
    pub fn new(wanted: &Wanted, config: &mut Config) -> Result<Self> {
        // Nobody is between the ends of a Unix socket, and no server encrypts there.
        let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(match wanted.mode {
            _ if local => SslMode::Disable,
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        let provider = Arc::new(ring::default_provider());
        let trusted = match wanted.mode {
            Mode::Disable | Mode::Prefer | Mode::Require => None,
            Mode::VerifyCa | Mode::VerifyFull => Some(trusted(wanted, &provider)?),
        };
        let by_name = wanted.mode == Mode::VerifyFull;
        let verifier = Verifier { trusted, by_name, provider: provider.clone() };
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context(|| "--database: TLS".to_owned())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Tls(TlsConnector::from(Arc::new(client))))
    }
}

/// The CAs of `sslrootcert`, else the machine's.
fn trusted(wanted: &Wanted, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    let what = match &wanted.roots {
        Some(path) => {
            let what = format!("--database: sslrootcert={}", path.display());
            let certificates = CertificateDer::pem_file_iter(path).context(|| what.clone())?;
            for certificate in certificates {
                let certificate = certificate.context(|| what.clone())?;
                roots.add(certificate).map_err(|_| Fatal::new(format!("{what}: not the certificate of a CA")))?;
            }
            what
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "--database: no sslrootcert, and this machine's CAs".to_owned()
        }
    };
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    builder.build().map_err(|_| Fatal::new(format!("{what}: no certificate there")))
}

/// Looks at the server's certificate.
#[derive(Debug)]
struct Verifier {
    /// `None`: any will do.
    trusted: Option<Arc<WebPkiServerVerifier>>,
    by_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        match trusted.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // That is looked at last.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.by_name => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why a server is not spoken to. It will be the same one in a moment, so nobody tries again.
#[derive(Debug)]
struct Refused(rustls::Error);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rustls::Error::InvalidCertificate(flaw) = &self.0 else {
            return write!(f, "{}", self.0);
        };
        f.write_str(match flaw {
            // A CA of the same name has another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the server's certificate is not of a CA in sslrootcert"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name than the URL has"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet"
            }
            _ => "the server's certificate is bad",
        })
    }
}

impl Error for Refused {}

type Failure = Box<dyn Error + Send + Sync>;

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = Connector;
    type Error = Failure;

    fn make_tls_connect(&mut self, host: &str) -> std::result::Result<Connector, Failure> {
        Ok(Connector { tls: self.0.clone(), host: host.to_owned() })
    }
}

/// The way to one server.
pub struct Connector {
    tls: TlsConnector,
    /// That of a Unix socket is a path, and comes to nothing.
    host: String,
}

impl TlsConnect<Socket> for Connector {
    type Stream = Stream;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Stream, Failure>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let Connector { tls, host } = self;
            let name = ServerName::try_from(host)?;
            tls.connect(name, socket).await.map(|stream| Stream(Box::new(stream))).map_err(|error| {
                let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned();
                refused.map_or_else(|| error.into(), |inner| Refused(inner).into())
            })
        })
    }
}

/// An encrypted connection.
pub struct Stream(Box<client::TlsStream<Socket>>);

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_tls_is_taken_out_of_a_url() {
        let (mode, roots) = (Mode::Disable, None);
        let plain = "postgres://hub@db/hub?options=-c%20a%3Db";
        assert_eq!(split(plain).ok(), Some((plain.to_owned(), Wanted { mode, roots })));
        let full = split("postgres://hub@db/hub?sslmode=verify-full&sslrootcert=/a%20b/ca.pem");
        let roots = Some(PathBuf::from("/a b/ca.pem"));
        assert_eq!(full.ok(), Some(("postgres://hub@db/hub".to_owned(), Wanted { mode: Mode::VerifyFull, roots })));
        let mode = |query: &str| split(&format!("postgres://db?{query}&application_name=x"));
        assert_eq!(
            mode("sslmode=require").map(|(url, wanted)| (url.ends_with("db?application_name=x"), wanted.mode)).ok(),
            Some((true, Mode::Require))
        );
        assert_eq!(mode("sslmode=require&sslrootcert=a").map(|(_, wanted)| wanted.mode).ok(), Some(Mode::VerifyCa));
        for wrong in ["sslmode=yes", "sslrootcert=%", "sslrootcert=%zz", "sslrootcert=%ff"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
