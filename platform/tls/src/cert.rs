//! TLS 1.2 and 1.3 with certificates, by rustls.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use iot_platform_posix::log;
use iot_platform_posix::net::{io_text, Interest};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, InconsistentKeys, RootCertStore,
};
use zeroize::Zeroizing;

use crate::connection::{Failure, Session, Step};
use crate::params::ClientFiles;

/// Bytes taken from the socket at once: room for one full TLS record and the head of the next. rustls itself reads 4 kB.
const INPUT_SIZE: usize = 20 * 1024;

/// Largest certificate or key file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 256 * 1024;

/// Written to with `send`, never `writev`: the standard library's gathering write ends the whole program with SIGPIPE
/// where the peer has gone.
struct Quiet<'a>(&'a TcpStream);

impl Write for Quiet<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A rustls connection over its socket.
pub struct CertSession {
    tls: ClientConnection,
    input: Input,
}

impl CertSession {
    /// Reads roots and files.
    ///
    /// # Errors
    /// A text for the log.
    pub fn configure(ca_pem: &[u8], client: Option<&ClientFiles<'_>>) -> Result<Arc<ClientConfig>, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| explain(&error))?
            .with_root_certificates(roots(ca_pem)?);
        let mut config = match client {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let (chain, key) = client_identity(files)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| client_error(files, &error))?
            }
        };
        // Each connection has a configuration of its own, so there is no session to come back to.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    /// A session that has not shaken hands yet.
    ///
    /// # Errors
    /// A text for the log.
    pub fn new(config: Arc<ClientConfig>, stream: Arc<TcpStream>, host: &str) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is not a valid host name"))?;
        let tls = ClientConnection::new(config, name).map_err(|error| explain(&error))?;
        Ok(Self { tls, input: Input::new(stream) })
    }

    /// Takes what the socket has and decrypts it. `false`: nothing is there.
    fn receive(&mut self) -> Result<bool, Failure> {
        match self.tls.read_tls(&mut self.input) {
            Ok(0) => Err(Failure::Closed),
            Ok(_) => match self.tls.process_new_packets() {
                Ok(_) => Ok(true),
                Err(error) => {
                    // The peer learns why, if it still listens.
                    let _ = self.tls.write_tls(&mut Quiet(&self.input.stream));
                    Err(Failure::Error(explain(&error)))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(failure(&error)),
        }
    }

    /// What to wait for before reading on.
    fn read_interest(&self) -> Interest {
        if self.tls.wants_write() {
            Interest::Both
        } else {
            Interest::Readable
        }
    }
}

impl Session for CertSession {
    fn handshake(&mut self) -> Result<Step<()>, Failure> {
        loop {
            if !self.flush()? {
                return Ok(Step::Wait(Interest::Both));
            }
            if !self.tls.is_handshaking() {
                return Ok(Step::Ready(()));
            }
            if !self.receive()? {
                return Ok(Step::Wait(Interest::Readable));
            }
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<Step<usize>, Failure> {
        loop {
            match self.tls.reader().read(out) {
                Ok(0) => return Err(Failure::Closed),
                Ok(n) => return Ok(Step::Ready(n)),
                // The connection ended without TLS's own goodbye, as many servers do it.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Failure::Closed),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(failure(&error)),
            }
            if self.tls.wants_write() {
                self.flush()?;
            }
            if !self.receive()? {
                return Ok(Step::Wait(self.read_interest()));
            }
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let taken = self.tls.writer().write(data).map_err(|error| failure(&error))?;
        self.flush()?;
        Ok(taken)
    }

    fn flush(&mut self) -> Result<bool, Failure> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Quiet(&self.input.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(&error)),
            }
        }
        Ok(true)
    }

    fn close(&mut self) {
        self.tls.send_close_notify();
        let _ = self.flush();
    }
}

/// The socket, read in large pieces.
struct Input {
    stream: Arc<TcpStream>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    fn new(stream: Arc<TcpStream>) -> Self {
        Self { stream, buffer: vec![0; INPUT_SIZE].into_boxed_slice(), start: 0, end: 0 }
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            self.end = 0;
            self.start = 0;
            self.end = loop {
                match (&*self.stream).read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result?,
                }
            };
        }
        let ready = &self.buffer[self.start..self.end];
        let n = ready.len().min(out.len());
        out[..n].copy_from_slice(&ready[..n]);
        self.start += n;
        Ok(n)
    }
}

fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Error(io_text(error)),
    }
}

/// Those of the PEM's certificates that can serve as roots.
fn roots(ca_pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let mut rejected = 0_u32;
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| store.add(certificate).map_err(|error| explain(&error)));
        if added.is_err() {
            rejected += 1;
        }
    }
    if store.is_empty() {
        return Err(match rejected {
            0 => "the CA certificate is not PEM".to_owned(),
            _ => "none of the CA certificates can be parsed".to_owned(),
        });
    }
    if rejected != 0 {
        let all = store.len() + rejected as usize;
        log::warn("HAL_TLS_Connect", &format!("{rejected} of {all} CA certificates can't be parsed and are left out"));
    }
    Ok(store)
}

fn client_identity(files: &ClientFiles<'_>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let pem = read_file(files.cert, "client certificate")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| format!("no valid certificate (PEM) in {}", files.cert.display()))?;
    let pem = read_file(files.key, "private key")?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| format!("no usable private key (unencrypted PEM) in {}", files.key.display()))?;
    Ok((chain, key))
}

fn client_error(files: &ClientFiles<'_>, error: &Error) -> String {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!("{} is not the private key of {}", files.key.display(), files.cert.display())
        }
        _ => format!("can't use {} and {}: {}", files.cert.display(), files.key.display(), explain(error)),
    }
}

fn read_file(file: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut content = Zeroizing::new(Vec::new());
    File::open(file)
        .and_then(|open| open.take(MAX_FILE_SIZE).read_to_end(&mut content))
        .map_err(|error| format!("can't read {what} {}: {}", file.display(), io_text(&error)))?;
    Ok(content)
}

/// `error` for a human who has to do something about it.
fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(reason) => explain_certificate(reason),
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => "the server asks for a client certificate".to_owned(),
            AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied => {
                format!("the server refused the client certificate (alert {alert:?})")
            }
            _ => format!("the server sent a fatal alert ({alert:?})"),
        },
        Error::PeerIncompatible(reason) => format!("the server has no TLS version or cipher in common ({reason:?})"),
        Error::PeerMisbehaved(reason) => format!("the server breaks the rules of TLS ({reason:?})"),
        Error::InvalidMessage(reason) => format!("the server does not speak TLS, or sent damaged data ({reason:?})"),
        Error::DecryptError => "received data can't be decrypted".to_owned(),
        _ => error.to_string(),
    }
}

fn explain_certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired (or the clock of this device is wrong)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet (or the clock of this device is wrong)".to_owned()
        }
        CertificateError::UnknownIssuer => "the server's certificate has an unknown issuer".to_owned(),
        CertificateError::NotValidForName => "the server's certificate is not valid for this host name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => {
            format!("certificate is not valid for {} (it names no host)", expected.to_str())
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("certificate is not valid for {} (but for {})", expected.to_str(), presented.join(", "))
        }
        CertificateError::Revoked => "the server's certificate is revoked".to_owned(),
        CertificateError::BadSignature => "the server's certificate is not signed by the CA it names".to_owned(),
        other => format!("the server's certificate is invalid ({other})"),
    }
}
