//! Signatures by ring.

use pki_types::PrivateKeyDer;
use ring::digest::{digest, SHA256};
use ring::rand::SystemRandom;
use ring::signature::{RsaKeyPair, RSA_PKCS1_SHA256};

/// A private RSA key.
pub struct Key(RsaKeyPair);

impl Key {
    /// The RSA key in `der`, `None` where it is none that can be used.
    pub fn from_der(der: &PrivateKeyDer<'_>) -> Option<Self> {
        match der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
            _ => None,
        }
        .map(Self)
    }

    /// Bytes of a signature.
    pub fn signature_len(&self) -> usize {
        self.0.public().modulus_len()
    }

    /// Whether the signature of `data` was written to `out`, which is as long as one.
    pub fn sign(&self, data: &[u8], out: &mut [u8]) -> bool {
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, out).is_ok()
    }
}

/// The SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> Option<[u8; 32]> {
    digest(&SHA256, data).as_ref().try_into().ok()
}
