//! TLS 1.2 and 1.3 with certificates.

#[cfg(feature = "tls-mbedtls")]
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use iot_mbedtls::{Error, Judge, Peer, Trust, MAX_MESSAGE};
#[cfg(feature = "tls-mbedtls")]
use iot_mbedtls::{Session, CERTIFICATE_SUITES};
use pki_types::ServerName;

#[cfg(feature = "tls-mbedtls")]
use super::stream::MbedStack;
use super::{server_name, Words};
use crate::certificate::der::Facts;
use crate::certificate::refusal::Refusal;
use crate::certificate::{alert, files, names, validity};
use crate::params::ClientFiles;
use crate::stack::Failure;

/// Whom the device trusts, and who it is.
pub type Config = Trust;

/// Reads roots and files.
///
/// # Errors
/// A text for the log.
pub fn configure(ca_pem: &[u8], client: Option<ClientFiles<'_>>) -> Result<Arc<Trust>, String> {
    let mut trust = Trust::new().map_err(|error| format!("can't set up TLS ({error})"))?;
    files::trusted(ca_pem, |certificate| trust.add_root(&certificate).is_ok())?;
    if let Some(paths) = &client {
        let (chain, key) = files::client(paths)?;
        for certificate in &chain {
            trust
                .add_to_chain(certificate)
                .map_err(|_| format!("can't use {}: a certificate of it can't be parsed", paths.cert.display()))?;
        }
        trust.set_key(key.secret_der()).map_err(|is_other| match is_other {
            true => files::other_key(paths),
            false => files::unusable_key(paths.key),
        })?;
    }
    Ok(Arc::new(trust))
}

/// A connection before its handshake.
///
/// # Errors
/// `host` is not what a certificate could be for, or no memory.
#[cfg(feature = "tls-mbedtls")]
pub fn connect<S>(trust: Arc<Trust>, stream: Arc<S>, host: &str) -> Result<MbedStack<CertWords, S>, Failure>
where
    for<'a> &'a S: Read + Write,
{
    let (words, judge) = judge_of(&trust, host)?;
    let name = server_name(host);
    MbedStack::new(stream, words, |io| Session::with_certificates(trust, judge, name, &CERTIFICATE_SUITES, io))
}

/// The same over datagrams.
///
/// # Errors
/// As `connect`.
#[cfg(all(feature = "coap", feature = "auth-mode-cert"))]
pub fn datagrams(trust: Arc<Trust>, host: &str) -> Result<(iot_mbedtls::dtls::Session, CertWords), Failure> {
    use iot_mbedtls::dtls::{Session, CERTIFICATE_SUITES};
    let (words, judge) = judge_of(&trust, host)?;
    Session::client_with_certificates(trust, judge, server_name(host), &CERTIFICATE_SUITES)
        .map(|session| (session, words))
        .map_err(|error| Failure::passing(error.to_string()))
}

/// What decides about the server's certificate, and what to say about that.
fn judge_of(trust: &Trust, host: &str) -> Result<(CertWords, Judge), Failure> {
    if ServerName::try_from(host).is_err() {
        return Err(Failure::lasting(format!("{host} is not a valid host name")));
    }
    let verdict = Arc::new(Mutex::new(None));
    let words = CertWords { host: host.to_owned(), verdict: Arc::clone(&verdict) };
    let judged = host.to_owned();
    let is_anybody = cfg!(feature = "unverified") && !trust.has_roots();
    let judge = Box::new(move |peer: &Peer<'_>| {
        let found = if is_anybody { Ok(()) } else { judge(peer, &judged, now()) };
        let is_right = found.is_ok();
        *verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        is_right
    });
    Ok((words, judge))
}

/// What to look at is the server's certificate.
pub struct CertWords {
    host: String,
    /// What was decided about it, once it has come.
    verdict: Arc<Mutex<Option<Result<(), Refusal>>>>,
}

impl CertWords {
    fn refused(&self, refusal: &Refusal) -> Failure {
        Failure::Certificate(refusal.cause(&self.host))
    }
}

impl Words for CertWords {
    fn alert(&self, number: u8) -> Failure {
        alert::explain(number)
    }

    fn error(&self, error: Error, flaws: u32) -> Failure {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(refusal)) = &*verdict {
            return self.refused(refusal);
        }
        match error {
            Error::CERTIFICATE_REFUSED | Error::BAD_CERTIFICATE if flaws & Peer::KEY_USAGE != 0 => {
                self.refused(&Refusal::KeyUsage)
            }
            Error::CERTIFICATE_REFUSED | Error::BAD_CERTIFICATE => self.refused(&Refusal::UnsupportedSignature),
            Error::FATAL_X509 => self.refused(&Refusal::LongChain),
            Error::NO_CERTIFICATE => self.refused(&Refusal::Missing),
            error if verdict.is_some() && Error::NOT_PROVED.contains(&error) => self.refused(&Refusal::NotProved),
            Error::LONG_MESSAGE => {
                Failure::lasting(format!("the server sent a handshake message of more than {MAX_MESSAGE} bytes"))
            }
            Error::INVALID_MAC => Failure::passing("received data can't be decrypted"),
            Error::PROTOCOL_VERSION => {
                Failure::lasting("no TLS version in common: the server has neither TLS 1.2 nor 1.3")
            }
            Error::ILLEGAL_PARAMETER | Error::BAD_INPUT | Error::BAD_PUBLIC_KEY | Error::DECODE_ERROR => {
                Failure::passing("the server breaks the rules of TLS")
            }
            Error::HANDSHAKE_FAILURE => Failure::passing("the server and this device do not agree on how to speak TLS"),
            Error::INVALID_RECORD => Failure::passing("the server does not speak TLS, or sent damaged data"),
            _ => Failure::passing(error.to_string()),
        }
    }
}

/// In seconds since 1970, as the device's clock has it.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether a server is who it should be: by a chain of certificates, or by a certificate that the user trusts itself.
///
/// Private clouds often have one certificate only, which is at once the server's and the trusted one. Chains have rules
/// that such a certificate breaks: it may be marked as a CA's, be of version 1, or have its name in the subject alone.
fn judge(peer: &Peer<'_>, host: &str, now: u64) -> Result<(), Refusal> {
    let facts = Facts::read(peer.der).ok_or(Refusal::Unreadable)?;
    let flaws = peer.flaws | peer.chain_flaws;
    if facts.has_short_key() {
        return Err(Refusal::ShortKey);
    }
    if peer.is_trusted_itself {
        validity::check(&facts, now)?;
        return names::check_any(&facts, host);
    }
    if facts.version < 3 {
        return Err(Refusal::OldVersion);
    }
    if peer.is_authority {
        return Err(Refusal::Authority);
    }
    if flaws & (Peer::BAD_HASH | Peer::BAD_KEY_KIND | Peer::BAD_KEY) != 0 {
        return Err(Refusal::UnsupportedSignature);
    }
    if flaws & Peer::NOT_TRUSTED != 0 {
        return Err(if peer.names_a_root { Refusal::OtherKeyOfIssuer } else { Refusal::UnknownIssuer });
    }
    validity::check(&facts, now)?;
    if let Some(above) = peer.dated {
        validity::check(&Facts::read(above).ok_or(Refusal::Unreadable)?, now)?;
    }
    if !peer.is_for_servers {
        return Err(Refusal::NotForServers);
    }
    names::check_alternative(&facts, host)?;
    // Whatever else mbedTLS has found.
    if flaws == 0 {
        Ok(())
    } else {
        Err(Refusal::Unknown)
    }
}
