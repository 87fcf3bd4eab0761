//! Whether a server is who it should be: by a chain of certificates, or by a certificate that the user trusts itself.
//!
//! Private clouds often have one certificate only, which is at once the server's and the trusted one. Chains have rules
//! that such a certificate breaks: it may be marked as a CA's, be of version 1, or have its name in the subject alone.

use std::fmt;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key, CryptoProvider,
    WebPkiSupportedAlgorithms,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme};

use crate::certificate::der::Facts;
use crate::certificate::refusal::Refusal;
use crate::certificate::{names, validity};

/// SHA-256.
type Digest = [u8; 32];

/// The trusted certificates.
pub struct Trusted {
    roots: RootCertStore,
    /// Digests instead of copies: each connection has its own.
    digests: Vec<Digest>,
}

impl Trusted {
    pub fn new() -> Self {
        Self { roots: RootCertStore::empty(), digests: Vec::new() }
    }

    /// Whether any server will do.
    fn is_anybody(&self) -> bool {
        cfg!(feature = "unverified") && self.digests.is_empty()
    }

    /// Returns whether it can be used.
    pub fn add(&mut self, certificate: CertificateDer<'_>) -> bool {
        let digest = digest(&certificate);
        let can_be_used = self.roots.add(certificate).is_ok();
        if can_be_used {
            self.digests.extend(digest);
        }
        can_be_used
    }
}

/// Checks the server's certificate.
pub struct Verifier {
    trusted: Trusted,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub fn new(trusted: Trusted, provider: &CryptoProvider) -> Self {
        Self { trusted, algorithms: provider.signature_verification_algorithms }
    }

    /// By a chain to one of the roots, and the host's name. rustls's own verifier does the same, and brings lists of revoked
    /// certificates along, which there are none of.
    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let (roots, algorithms) = (&self.trusted.roots, self.algorithms.all);
        verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        verify_server_name(&certificate, server)
    }

    fn is_trusted_itself(&self, certificate: &[u8]) -> bool {
        digest(certificate).is_some_and(|digest| self.trusted.digests.contains(&digest))
    }

    /// A trusted certificate that no chain can use.
    fn of_old_version<'a>(&self, certificate: &'a [u8]) -> Option<Facts<'a>> {
        if !self.is_trusted_itself(certificate) {
            return None;
        }
        Facts::read(certificate).filter(|facts| facts.version < 3)
    }
}

fn digest(bytes: &[u8]) -> Option<Digest> {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().ok()
}

/// The time and the name of a certificate that needs no other proof.
fn verify_itself(certificate: &[u8], server: &ServerName<'_>, now: UnixTime) -> Result<(), Refusal> {
    let facts = Facts::read(certificate).ok_or(Refusal::Unreadable)?;
    validity::check(&facts, now.as_secs())?;
    names::check_any(&facts, &server.to_str())
}

/// A signature by the server's key is wrong in the handshake, where its certificate was found right.
fn proof_failed(error: Error, certificate: &[u8]) -> Error {
    if error != Error::InvalidCertificate(CertificateError::BadSignature) {
        return error;
    }
    match Facts::read(certificate) {
        Some(facts) if facts.has_short_key() => Refusal::ShortKey.into(),
        _ => Refusal::NotProved.into(),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.is_anybody() {
            return Ok(ServerCertVerified::assertion());
        }
        if self.is_trusted_itself(end_entity) {
            verify_itself(end_entity, server_name, now)?;
        } else {
            self.verify_chain(end_entity, intermediates, server_name, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(facts) = self.of_old_version(cert) else {
            return verify_tls12_signature(message, cert, dss, &self.algorithms)
                .map_err(|error| proof_failed(error, cert));
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
            None => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
        .map_err(|error| proof_failed(error, cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}
