//! A certificate authority for peers other than the hub.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rcgen::{
    date_time_ymd, BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ServerConfig, ALL_VERSIONS};

use crate::Build;

/// A key that signs what devices sign since 3.3.0.
pub(crate) const RSA_KEY: &str = include_str!("../../../platform/tls/src/signature/tests/pkcs8.pem");

/// Runs openssl in `folder`.
#[track_caller]
pub fn openssl(folder: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().expect("openssl");
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// When a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// At present.
    Now,
    /// Ended in 2021.
    Over,
}

/// A CA with its files in a folder.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    /// PEM file.
    pub cert: PathBuf,
    /// PEM file.
    pub key: PathBuf,
    only_chacha20: bool,
    only_p256: bool,
}

impl Identity {
    /// Files that are there.
    pub fn of(cert: PathBuf, key: PathBuf) -> Identity {
        Identity { cert, key, only_chacha20: false, only_p256: false }
    }

    /// A server that takes no cipher but ChaCha20-Poly1305 in TLS 1.3.
    pub fn only_chacha20(self) -> Identity {
        Identity { only_chacha20: true, ..self }
    }

    /// A server that exchanges keys on the curve P-256 only.
    pub fn only_p256(self) -> Identity {
        Identity { only_p256: true, ..self }
    }

    /// What a server of ours needs.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let mut provider = ring::default_provider();
        if self.only_chacha20 {
            provider.cipher_suites = vec![ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];
        }
        if self.only_p256 {
            provider.kx_groups = vec![ring::kx_group::SECP256R1];
        }
        let chain = vec![CertificateDer::from_pem_file(&self.cert).expect("our certificate")];
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("our key");
        let versions: &[_] = if self.only_chacha20 { &[&TLS13] } else { ALL_VERSIONS };
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("our certificate and key");
        Arc::new(config)
    }
}

impl Authority {
    /// A CA of its own in `folder`.
    pub fn new(folder: &Path) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "e2e test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let cert = params.self_signed(&key).expect("a certificate");
        fs::write(folder.join("test-ca.pem"), cert.pem()).expect("the CA's file");
        Authority { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// What a client must trust.
    pub fn file(&self) -> PathBuf {
        self.folder.join("test-ca.pem")
    }

    /// A server certificate for one host name.
    pub fn server(&self, host: &str, validity: Validity) -> Identity {
        self.leaf(host, validity, ExtendedKeyUsagePurpose::ServerAuth, &KeyPair::generate().expect("a key"))
    }

    /// A client certificate, for what this build signs with.
    pub fn client(&self, name: &str, build: Build) -> Identity {
        let key = match build {
            Build::WebSocketCert => KeyPair::from_pem(RSA_KEY),
            _ => KeyPair::generate(),
        };
        self.leaf(name, Validity::Now, ExtendedKeyUsagePurpose::ClientAuth, &key.expect("a key"))
    }

    fn leaf(&self, name: &str, validity: Validity, usage: ExtendedKeyUsagePurpose, pair: &KeyPair) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match validity {
            Validity::Now => date_time_ymd(2090, 1, 1),
            Validity::Over => date_time_ymd(2021, 1, 1),
        };
        let cert = params.signed_by(pair, &self.issuer).expect("a certificate");
        let (cert_file, key_file) = (self.folder.join(format!("{name}.crt")), self.folder.join(format!("{name}.key")));
        fs::write(&cert_file, cert.pem()).expect("the certificate's file");
        fs::write(&key_file, pair.serialize_pem()).expect("the key's file");
        Identity::of(cert_file, key_file)
    }
}
