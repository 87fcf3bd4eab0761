//! Requests to the servers of the C SDK 3.3.0, whose signature stands in the head (dynreg.md section 5, log_upload.md section 8).

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use sha1::{Digest, Sha1};

use crate::helpers::{hex, hmac_sha1};

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
    /// The head up to where length and type of the body follow.
    #[must_use]
    pub fn text(&self, key: &[u8], body: &[u8]) -> String {
        let SignedHead { host, path, seconds, nonce } = self;
        let digest = hex::text(&Sha1::digest(body));
        let signed = format!("POST\n{host}\n{path}\n\nhmacsha1\n{seconds}\n{nonce}\n{digest}");
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json;*/*\r\nX-TC-Algorithm: hmacsha1\r\n\
             X-TC-Timestamp: {seconds}\r\nX-TC-Nonce: {nonce}\r\nX-TC-Signature: {}\r\n",
            STANDARD.encode(hmac_sha1::code(key, &[signed.as_bytes()]))
        )
    }
}
