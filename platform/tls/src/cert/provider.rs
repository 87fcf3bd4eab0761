//! The cryptography that rustls is given, by ring: all suites, groups and signatures that rustls's own list for ring has.
//! Named one by one, so that nothing else is linked: of the device's own keys, which KEY mode has none of, that is much.

use std::sync::Arc;

use pki_types::PrivateKeyDer;
use rustls::crypto::{
    ring as by_ring, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::sign::SigningKey;
use rustls::{Error, SignatureScheme};
use webpki::ring as signatures;

/// What a device offers and takes.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: by_ring::DEFAULT_CIPHER_SUITES.to_vec(),
        kx_groups: by_ring::DEFAULT_KX_GROUPS.to_vec(),
        signature_verification_algorithms: SIGNATURES,
        secure_random: &System,
        key_provider: &OwnKey,
    }
}

/// Of certificates and handshakes.
static SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        signatures::ECDSA_P256_SHA256,
        signatures::ECDSA_P256_SHA384,
        signatures::ECDSA_P384_SHA256,
        signatures::ECDSA_P384_SHA384,
        signatures::ED25519,
        signatures::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        signatures::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        signatures::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        signatures::RSA_PKCS1_2048_8192_SHA256,
        signatures::RSA_PKCS1_2048_8192_SHA384,
        signatures::RSA_PKCS1_2048_8192_SHA512,
        signatures::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        signatures::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        signatures::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    // TLS 1.2 does not say which curve a scheme means, so it has both.
    mapping: &[
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[signatures::ECDSA_P384_SHA384, signatures::ECDSA_P256_SHA384]),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[signatures::ECDSA_P256_SHA256, signatures::ECDSA_P384_SHA256]),
        (SignatureScheme::ED25519, &[signatures::ED25519]),
        (SignatureScheme::RSA_PSS_SHA512, &[signatures::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[signatures::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[signatures::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[signatures::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[signatures::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[signatures::RSA_PKCS1_2048_8192_SHA256]),
    ],
};

/// The system's random numbers.
#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), buffer).map_err(|_| GetRandomFailed)
    }
}

/// The device's private key.
#[derive(Debug)]
struct OwnKey;

impl KeyProvider for OwnKey {
    #[cfg(feature = "auth-mode-cert")]
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        by_ring::sign::any_supported_type(&zeroize::Zeroizing::new(key))
    }

    #[cfg(not(feature = "auth-mode-cert"))]
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("in KEY mode a device has no private key".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_all_signatures_that_rustls_has_with_ring() {
        let (ours, theirs) = (SIGNATURES, by_ring::default_provider().signature_verification_algorithms);
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        let schemes = |of: WebPkiSupportedAlgorithms| of.mapping.iter().map(|(scheme, _)| *scheme).collect::<Vec<_>>();
        assert_eq!(schemes(ours), schemes(theirs));
        let kinds = |of: WebPkiSupportedAlgorithms| {
            let each = of.mapping.iter().flat_map(|(_, some)| some.iter()).chain(of.all);
            each.map(|kind| (kind.public_key_alg_id(), kind.signature_alg_id())).collect::<Vec<_>>()
        };
        assert_eq!(kinds(ours), kinds(theirs));
    }
}
