//! The request and its signature.

use std::fmt::Write;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::helpers::json::quoted;
use crate::identity::Identity;

/// What is sent: head and body in a write each, as the C SDK does.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The head with its empty line.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Request {
    pub(super) fn new(identity: &Identity, product_secret: &str, host: &str, nonce: u32, timestamp: u64) -> Self {
        let (product_id, device_name) = (identity.product_id(), identity.device_name());
        let message = format!("deviceName={device_name}&nonce={nonce}&productId={product_id}&timestamp={timestamp}");
        let body = format!(
            "{{\"deviceName\":{},\"nonce\":{nonce},\"productId\":{},\"timestamp\":{timestamp},\"signature\":\"{}\"}}",
            quoted(device_name),
            quoted(product_id),
            signature(product_secret, &message)
        );
        let head = format!(
            "POST /register/dev HTTP/1.1\r\nHost: {host}\r\nAccept: text/xml,application/json;*/*\r\n\
             Content-Length: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n",
            body.len()
        );
        Request { head, body }
    }
}

/// Base64 of the hex digits, not of the bytes, of HMAC-SHA1.
fn signature(product_secret: &str, message: &str) -> String {
    // HMAC takes keys of any length, so this never fails.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(product_secret.as_bytes()) else {
        return String::new();
    };
    mac.update(message.as_bytes());
    let mut digits = String::with_capacity(40);
    for byte in mac.finalize().into_bytes() {
        // Writing to a String can't fail.
        let _ = write!(digits, "{byte:02x}");
    }
    STANDARD.encode(digits)
}
