//! Requests to the servers of the C SDK 3.3.0, whose signature stands in the head (dynreg.md section 5, log_upload.md section 8).

use sha1::{Digest, Sha1};

use crate::helpers::{base64, hex, hmac_sha1};

const BY_SECRET: &str = "hmacsha1";
const BY_PRIVATE_KEY: &str = "rsa-sha256";

/// A device's private key, which others hold.
pub trait PrivateKey: Send + Sync {
    /// SHA-256 of `bytes`.
    fn sha256(&self, bytes: &[u8]) -> [u8; 32];
    /// The signature of `text`, RSA PKCS #1 v1.5 over SHA-256.
    ///
    /// # Errors
    /// Why it can't be had.
    fn sign(&self, text: &str) -> Result<Vec<u8>, String>;
}

/// A POST.
pub struct SignedHead<'a> {
    /// As in the field `Host`.
    pub host: &'a str,
    /// Path of the URL.
    pub path: &'a str,
    /// When, UTC.
    pub seconds: u64,
    /// A random number.
    pub nonce: u32,
}

impl SignedHead<'_> {
    /// The head up to where length and type of the body follow, signed by a secret.
    #[must_use]
    pub fn text(&self, key: &[u8], body: &[u8]) -> String {
        let signed = self.to_sign(BY_SECRET, &Sha1::digest(body));
        self.with_signature(BY_SECRET, &hmac_sha1::code(key, &[signed.as_bytes()]))
    }

    /// The same, signed by a private key.
    ///
    /// # Errors
    /// The key can't sign.
    pub fn text_by(&self, key: &dyn PrivateKey, body: &[u8]) -> Result<String, String> {
        let signed = self.to_sign(BY_PRIVATE_KEY, &key.sha256(body));
        Ok(self.with_signature(BY_PRIVATE_KEY, &key.sign(&signed)?))
    }

    fn to_sign(&self, algorithm: &str, digest: &[u8]) -> String {
        let SignedHead { host, path, seconds, nonce } = self;
        format!("POST\n{host}\n{path}\n\n{algorithm}\n{seconds}\n{nonce}\n{}", hex::text(digest))
    }

    fn with_signature(&self, algorithm: &str, signature: &[u8]) -> String {
        let SignedHead { host, path, seconds, nonce } = self;
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json;*/*\r\nX-TC-Algorithm: {algorithm}\r\n\
             X-TC-Timestamp: {seconds}\r\nX-TC-Nonce: {nonce}\r\nX-TC-Signature: {}\r\n",
            base64::text(signature)
        )
    }
}
