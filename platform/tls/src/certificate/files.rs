//! Certificates and private keys in PEM.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use iot_platform_posix::log;
use iot_platform_posix::net::io_text;
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::der::Facts;
use crate::params::ClientFiles;

/// Largest certificate or key file that is read, in bytes.
const MAX_FILE_SIZE: u64 = 256 * 1024;

/// Gives each certificate of the PEM to `add`, which says whether it can be used. With feature `unverified` there may be none.
///
/// # Errors
/// A text for the log: none can.
pub fn trusted(ca_pem: &[u8], mut add: impl FnMut(CertificateDer<'static>) -> bool) -> Result<(), String> {
    if cfg!(feature = "unverified") && ca_pem.is_empty() {
        return Ok(());
    }
    let (mut used, mut rejected, mut weak) = (0_usize, 0_usize, 0_usize);
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let is_weak = |der: &[u8]| Facts::read(der).is_some_and(|facts| facts.has_short_key());
        match certificate.map(|certificate| (is_weak(&certificate), add(certificate))) {
            Ok((is_weak, true)) => {
                used += 1;
                weak += usize::from(is_weak);
            }
            _ => rejected += 1,
        }
    }
    match (used, rejected) {
        (0, 0) => return Err("the CA certificate is not PEM".to_owned()),
        (0, _) => return Err("none of the CA certificates can be parsed".to_owned()),
        (_, 0) => {}
        _ => warn(&format!("{rejected} of {} CA certificates can't be parsed and are left out", used + rejected)),
    }
    if weak > 0 {
        warn(&format!(
            "{weak} of {used} CA certificates have an RSA key of fewer than 2048 bits: nothing is trusted because of them"
        ));
    }
    Ok(())
}

#[track_caller]
fn warn(text: &str) {
    log::warn("HAL_TLS_Connect", text);
}

/// The device's chain, its own certificate first, and the key.
///
/// # Errors
/// A text for the log.
pub fn client(files: &ClientFiles<'_>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let pem = read(files.cert, "client certificate")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| format!("no valid certificate (PEM) in {}", files.cert.display()))?;
    Ok((chain, private_key(files.key)?))
}

/// The private key in a file.
///
/// # Errors
/// A text for the log.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read(file, "private key")?).map_err(|_| unusable_key(file))
}

/// What to say where the key is none that can be used.
pub fn unusable_key(file: &Path) -> String {
    format!("no usable private key (unencrypted PEM) in {}", file.display())
}

/// What to say where the key is another certificate's.
pub fn other_key(files: &ClientFiles<'_>) -> String {
    format!("{} is not the private key of {}", files.key.display(), files.cert.display())
}

fn read(file: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut content = Zeroizing::new(Vec::new());
    File::open(file)
        .and_then(|open| open.take(MAX_FILE_SIZE).read_to_end(&mut content))
        .map_err(|error| format!("can't read {what} {}: {}", file.display(), io_text(&error)))?;
    Ok(content)
}
