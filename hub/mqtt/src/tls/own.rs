//! Certificates of devices' own: not from the CA here, and known since their devices have registered with them (dynreg.md
//! section 5).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::auth::Identity;
use hub_core::devices::is_client_id;

/// Where a device's own certificate is kept, below the folder of the CA.
pub(super) fn file(folder: &Path, client_id: &str) -> PathBuf {
    folder.join("own").join(format!("{client_id}.crt"))
}

/// Takes certificates that the CA has signed, and those of devices' own that are known, byte for byte.
#[derive(Debug)]
pub(super) struct Verifier {
    by_ca: Arc<dyn ClientCertVerifier>,
    folder: PathBuf,
}

impl Verifier {
    pub(super) fn new(by_ca: Arc<dyn ClientCertVerifier>, folder: &Path) -> Self {
        Verifier { by_ca, folder: folder.to_owned() }
    }

    fn is_known(&self, shown: &CertificateDer<'_>) -> bool {
        let name = Identity::of_certificate(shown).map(|identity| identity.name).filter(|name| is_client_id(name));
        let kept = name.and_then(|name| fs::read(file(&self.folder, &name)).ok());
        kept.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok()).is_some_and(|kept| kept == *shown)
    }
}

impl ClientCertVerifier for Verifier {
    /// None: a device may have been told to show no certificate of anybody else.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.by_ca.verify_client_cert(shown, chain, now) {
            Err(_) if self.is_known(shown) => Ok(ClientCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_ca.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_ca.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_ca.supported_verify_schemes()
    }
}
