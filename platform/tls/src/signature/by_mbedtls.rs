//! Signatures by mbedTLS.

use iot_mbedtls::SigningKey;
use pki_types::PrivateKeyDer;

/// A private RSA key.
pub struct Key(SigningKey);

impl Key {
    /// The RSA key in `der`, `None` where it is none that can be used.
    pub fn from_der(der: &PrivateKeyDer<'_>) -> Option<Self> {
        SigningKey::from_der(der.secret_der()).ok().map(Self)
    }

    /// Bytes of a signature.
    pub fn signature_len(&self) -> usize {
        self.0.signature_len()
    }

    /// Whether the signature of `data` was written to `out`, which is as long as one.
    pub fn sign(&self, data: &[u8], out: &mut [u8]) -> bool {
        self.0.sign(data, out).is_ok()
    }
}

/// The SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> Option<[u8; 32]> {
    iot_mbedtls::sha256(data).ok()
}
