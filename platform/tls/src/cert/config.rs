//! Roots to trust and the client's own certificate, from PEM.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use iot_platform_posix::log;
use iot_platform_posix::net::io_text;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, Error, InconsistentKeys};
use zeroize::Zeroizing;

use super::verifier::{Trusted, Verifier};
use crate::params::ClientFiles;

/// Largest certificate or key file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 256 * 1024;

/// Reads roots and files.
///
/// # Errors
/// A text for the log.
pub fn configure(ca_pem: &[u8], client: Option<&ClientFiles<'_>>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    // Where the system has no call for random numbers, this opens a file that stays open: now, not in a handshake.
    let _ = provider.secure_random.fill(&mut [0]);
    let verifier = Verifier::new(trusted(ca_pem)?, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("can't set up TLS ({error})"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
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

/// Those of the PEM's certificates that can be used.
fn trusted(ca_pem: &[u8]) -> Result<Trusted, String> {
    let mut trusted = Trusted::new();
    let mut rejected = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        if !certificate.is_ok_and(|certificate| trusted.add(certificate)) {
            rejected += 1;
        }
    }
    let used = trusted.len();
    match (used, rejected) {
        (0, 0) => return Err("the CA certificate is not PEM".to_owned()),
        (0, _) => return Err("none of the CA certificates can be parsed".to_owned()),
        (_, 0) => {}
        _ => warn(&format!("{rejected} of {} CA certificates can't be parsed and are left out", used + rejected)),
    }
    if trusted.weak() > 0 {
        warn(&format!(
            "{} of {used} CA certificates have an RSA key of fewer than 2048 bits: nothing is trusted because of them",
            trusted.weak()
        ));
    }
    Ok(trusted)
}

#[track_caller]
fn warn(text: &str) {
    log::warn("HAL_TLS_Connect", text);
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
        _ => format!("can't use {} and {} ({error})", files.cert.display(), files.key.display()),
    }
}

fn read_file(file: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut content = Zeroizing::new(Vec::new());
    File::open(file)
        .and_then(|open| open.take(MAX_FILE_SIZE).read_to_end(&mut content))
        .map_err(|error| format!("can't read {what} {}: {}", file.display(), io_text(&error)))?;
    Ok(content)
}
