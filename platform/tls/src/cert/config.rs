//! Roots to trust and the client's own certificate, from PEM.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, Error, InconsistentKeys};

use super::provider::provider;
use super::verifier::{Trusted, Verifier};
use crate::certificate::files;
use crate::params::ClientFiles;

/// Reads roots and files.
///
/// # Errors
/// A text for the log.
pub fn configure(ca_pem: &[u8], client: Option<ClientFiles<'_>>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(provider());
    // Where the system has no call for random numbers, this opens a file that stays open: now, not in a handshake.
    let _ = provider.secure_random.fill(&mut [0]);
    let mut trusted = Trusted::new();
    files::trusted(ca_pem, |certificate| trusted.add(certificate))?;
    let verifier = Verifier::new(trusted, &provider);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| "can't set up TLS: no protocol version".to_owned())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let (chain, key) = files::client(&files)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| client_error(&files, &error))?
        }
    };
    // Each connection has a configuration of its own, so there is no session to come back to.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn client_error(files: &ClientFiles<'_>, error: &Error) -> String {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => files::other_key(files),
        _ => format!("can't use {} and {} ({error})", files.cert.display(), files.key.display()),
    }
}
