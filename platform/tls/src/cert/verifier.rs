//! Whether a server is who it should be: by a chain of certificates, or by a certificate that the user trusts itself.
//!
//! Private clouds often have one certificate only, which is at once the server's and the trusted one. Chains have rules
//! that such a certificate breaks: it may be marked as a CA's, be of version 1, or have its name in the subject alone.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_name, WebPkiServerVerifier};
use rustls::crypto::hash::Hash;
use rustls::crypto::{ring, verify_tls13_signature_with_raw_key, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
    SupportedCipherSuite,
};

use super::der::Facts;
use super::explain::{is_address_as_name, Flaw};

/// SHA-256.
type Digest = [u8; 32];

/// A key of 2048 bits has more bytes than this.
const SHORT_RSA_KEY: usize = 256;
/// The encoded identifier of RSA keys, 1.2.840.113549.1.1.1, with its NULL parameter.
const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// The trusted certificates.
pub struct Trusted {
    roots: RootCertStore,
    /// Digests instead of copies: each connection has its own.
    digests: Vec<Digest>,
    /// How many have keys that are too short to verify with.
    weak: usize,
}

impl Trusted {
    pub fn new() -> Self {
        Self { roots: RootCertStore::empty(), digests: Vec::new(), weak: 0 }
    }

    /// Returns whether it can be used.
    pub fn add(&mut self, certificate: CertificateDer<'_>) -> bool {
        let digest = digest(&certificate);
        let is_weak = Facts::read(&certificate).is_some_and(|facts| has_short_key(&facts));
        let can_be_used = self.roots.add(certificate).is_ok();
        if can_be_used {
            self.digests.extend(digest);
            self.weak += usize::from(is_weak);
        }
        can_be_used
    }

    /// How many have an RSA key of fewer than 2048 bits, with which nothing can be verified.
    pub fn weak(&self) -> usize {
        self.weak
    }

    /// How many can be used.
    pub fn len(&self) -> usize {
        self.roots.len()
    }
}

/// Checks the server's certificate.
pub struct Verifier {
    chains: Arc<WebPkiServerVerifier>,
    digests: Vec<Digest>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// # Errors
    /// Nothing is trusted.
    pub fn new(trusted: Trusted, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let algorithms = provider.signature_verification_algorithms;
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted.roots), provider)
            .build()
            .map_err(|error| format!("can't set up TLS ({error})"))?;
        Ok(Self { chains, digests: trusted.digests, algorithms })
    }

    fn is_trusted_itself(&self, certificate: &[u8]) -> bool {
        digest(certificate).is_some_and(|digest| self.digests.contains(&digest))
    }

    /// A trusted certificate that no chain can use.
    fn of_old_version<'a>(&self, certificate: &'a [u8]) -> Option<Facts<'a>> {
        if !self.is_trusted_itself(certificate) {
            return None;
        }
        Facts::read(certificate).filter(|facts| facts.version < 3)
    }
}

/// `None` where the TLS stack was built without SHA-256.
fn digest(bytes: &[u8]) -> Option<Digest> {
    let sha256: &'static dyn Hash = match ring::cipher_suite::TLS13_AES_128_GCM_SHA256 {
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
    };
    sha256.hash(bytes).as_ref().try_into().ok()
}

/// The time and the name of a certificate that needs no other proof.
fn verify_itself(certificate: &CertificateDer<'_>, server: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
    let facts = Facts::read(certificate).ok_or(CertificateError::BadEncoding)?;
    if now.as_secs() < facts.not_before {
        let not_before = at(facts.not_before);
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now.as_secs() > facts.not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after: at(facts.not_after) }.into());
    }
    // Versions 1 and 2 have no alternative names.
    if facts.version == 3 {
        match verify_server_name(&ParsedCertificate::try_from(certificate)?, server) {
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
                if presented.is_empty() => {}
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
                if is_address_as_name(&presented, &server.to_str()) =>
            {
                return Ok(());
            }
            result => return result,
        }
    }
    if facts.common_names().any(|name| is_for(name, server)) {
        return Ok(());
    }
    let names: Vec<_> = facts.common_names().map(str::to_owned).collect();
    Err(Flaw(match names.is_empty() {
        true => "names no host, neither as subject alternative name nor as common name".to_owned(),
        false => format!("is for other hosts: {}", names.join(", ")),
    })
    .into())
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

/// Whether a common name is that of `server`. A "*" stands for the first label, as in alternative names (RFC 6125, 6.4.3).
fn is_for(name: &str, server: &ServerName<'_>) -> bool {
    match server {
        ServerName::DnsName(host) => {
            let host = host.as_ref();
            let is_under = |parent: &str| {
                parent.contains('.')
                    && host
                        .split_once('.')
                        .is_some_and(|(first, rest)| !first.is_empty() && rest.eq_ignore_ascii_case(parent))
            };
            name.eq_ignore_ascii_case(host) || name.strip_prefix("*.").is_some_and(is_under)
        }
        ServerName::IpAddress(host) => name.parse::<IpAddr>().is_ok_and(|name| name == IpAddr::from(*host)),
        _ => false,
    }
}

fn has_short_key(facts: &Facts<'_>) -> bool {
    facts.key_algorithm == RSA && facts.key.len() <= SHORT_RSA_KEY
}

/// A signature by the server's key is wrong in the handshake, where its certificate was found right.
fn proof_failed(error: Error, certificate: &[u8]) -> Error {
    if error != Error::InvalidCertificate(CertificateError::BadSignature) {
        return error;
    }
    match Facts::read(certificate) {
        Some(facts) if has_short_key(&facts) => {
            Flaw("has an RSA key of fewer than 2048 bits: make it anew with a longer one".to_owned()).into()
        }
        _ => Flaw("is not the server's: it has not proved that it has the key".to_owned()).into(),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_trusted_itself(end_entity) {
            return verify_itself(end_entity, server_name, now).map(|()| ServerCertVerified::assertion());
        }
        self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(facts) = self.of_old_version(cert) else {
            return self.chains.verify_tls12_signature(message, cert, dss).map_err(|error| proof_failed(error, cert));
        };
        // TLS 1.2 does not say which curve a scheme means, so each algorithm of the scheme may be the one.
        let candidates = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == dss.scheme);
        let algorithm = candidates
            .flat_map(|(_, algorithms)| algorithms.iter())
            .find(|algorithm| algorithm.public_key_alg_id().as_ref() == facts.key_algorithm)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        algorithm
            .verify_signature(facts.key, message, dss.signature())
            .map(|()| HandshakeSignatureValid::assertion())
            .map_err(|_| proof_failed(CertificateError::BadSignature.into(), cert))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.of_old_version(cert) {
            Some(facts) => {
                let key = SubjectPublicKeyInfoDer::from(facts.key_info);
                verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms)
            }
            None => self.chains.verify_tls13_signature(message, cert, dss),
        }
        .map_err(|error| proof_failed(error, cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_are_hosts_addresses_or_one_star() {
        let table = [
            ("fw.example", "fw.example", true),
            ("FW.Example", "fw.example", true),
            ("*.example.com", "fw.example.com", true),
            ("*.example.com", "a.fw.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "example.com", false),
            ("*", "example", false),
            ("f*.example.com", "fw.example.com", false),
            ("fw.example.org", "fw.example", false),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.07", "10.0.0.7", false),
            ("::1", "0:0::1", true),
            ("*.0.0.7", "10.0.0.7", false),
            ("", "fw.example", false),
        ];
        for (name, host, expected) in table {
            assert_eq!(is_for(name, &ServerName::try_from(host).unwrap()), expected, "{name} {host}");
        }
    }
}
