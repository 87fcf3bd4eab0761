//! The request and its signature.

use crate::helpers::json::quoted;
use crate::helpers::{base64, hex, hmac_sha1};
use crate::identity::Identity;
use crate::services::signed_head::SignedHead;

/// Where the servers of 3.3.0 register devices.
const SIGNED_PATH: &str = "/device/register";
/// What the C SDK 3.3.0 says instead of the time, so that a wrong clock does no harm.
const SIGNED_TIMESTAMP: u64 = 1_609_430_400;

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

    /// As the C SDK 3.3.0 does it: the signature stands in the head.
    pub(super) fn signed_in_head(
        identity: &Identity,
        product_secret: &str,
        host: &str,
        nonce: u32,
        certificate: Option<&str>,
    ) -> Self {
        let certificate = certificate.map(|pem| format!(",\"clientCert\":{}", quoted(pem))).unwrap_or_default();
        let body = format!(
            "{{\"ProductId\":{},\"DeviceName\":{}{certificate}}}",
            quoted(identity.product_id()),
            quoted(identity.device_name())
        );
        let head = SignedHead { host, path: SIGNED_PATH, seconds: SIGNED_TIMESTAMP, nonce };
        let head = format!(
            "{}Content-Length: {}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n",
            head.text(product_secret.as_bytes(), body.as_bytes()),
            body.len()
        );
        Request { head, body }
    }
}

/// Base64 of the hex digits, not of the bytes, of HMAC-SHA1.
fn signature(product_secret: &str, message: &str) -> String {
    base64::text(hex::text(&hmac_sha1::code(product_secret.as_bytes(), &[message.as_bytes()])).as_bytes())
}
