//! How a device shows the tunnel's server who it is (shadow.md section 9).

use zeroize::Zeroizing;

use crate::helpers::json::quoted;
use crate::helpers::{base64, hmac_sha1};
use crate::identity::Identity;

/// What is signed, and then told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    device: Identity,
    seconds: u64,
    random: String,
}

impl SignIn {
    /// For `device`, at this moment in UTC seconds.
    #[must_use]
    pub fn new(device: &Identity, seconds: u64, random: u64) -> Self {
        // As many digits as a program with 32 bits has for it.
        SignIn { device: device.clone(), seconds, random: (random >> 33).to_string() }
    }

    /// What the device's key has to sign.
    #[must_use]
    pub fn text(&self) -> String {
        let (product, device) = (self.device.product_id(), self.device.device_name());
        format!("productId_{product}_device_{device}_timestamp_{}_rand_{}", self.seconds, self.random)
    }

    /// The token of its frame.
    #[must_use]
    pub fn token(&self) -> String {
        format!("ws-token-{}", self.random)
    }

    /// The frame's payload of a device with this secret, as decoded: it signs by the text that the secret is.
    #[must_use]
    pub fn by_secret(&self, key: &[u8]) -> String {
        let secret = Zeroizing::new(base64::text(key));
        self.payload("hmacsha1", &hmac_sha1::code(secret.as_bytes(), &[self.text().as_bytes()]))
    }

    /// The frame's payload of a device whose RSA key has made this signature over SHA-256 of the [`text`](Self::text).
    #[must_use]
    pub fn by_signature(&self, signature: &[u8]) -> String {
        self.payload("rsasha256", signature)
    }

    fn payload(&self, method: &str, signature: &[u8]) -> String {
        format!(
            "{{\"productId\":{},\"deviceName\":{},\"timestamp\":{},\"rand\":\"{}\",\"version\":\"1.0\",\
             \"signMethod\":\"{method}\",\"sign\":\"{}\"}}",
            quoted(self.device.product_id()),
            quoted(self.device.device_name()),
            self.seconds,
            self.random,
            base64::text(signature)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in() -> SignIn {
        SignIn::new(&Identity::new("PRODUCTID0", "lamp").unwrap(), 1_600_000_000, 42 << 33)
    }

    /// Reference value: `printf %s TEXT | openssl dgst -sha1 -hmac AQIDBA== -binary | base64`.
    #[test]
    fn a_secret_signs_as_the_text_it_is() {
        let sign_in = sign_in();
        assert_eq!(sign_in.text(), "productId_PRODUCTID0_device_lamp_timestamp_1600000000_rand_42");
        assert_eq!(sign_in.token(), "ws-token-42");
        let expected = r#"{"productId":"PRODUCTID0","deviceName":"lamp","timestamp":1600000000,"rand":"42","version":"1.0","signMethod":"hmacsha1","sign":"@"}"#;
        assert_eq!(sign_in.by_secret(&[1, 2, 3, 4]), expected.replace('@', "awe8Jtj/RefqOxiiod6/IKzSjXs="));
    }

    #[test]
    fn a_signature_goes_out_in_base64() {
        let payload = sign_in().by_signature(&[0, 0xab, 0xff]);
        assert!(payload.ends_with(r#""signMethod":"rsasha256","sign":"AKv/"}"#), "{payload}");
    }

    #[test]
    fn a_random_number_has_at_most_ten_digits() {
        let device = Identity::new("P", "d").unwrap();
        assert_eq!(SignIn::new(&device, 0, u64::MAX).token(), "ws-token-2147483647");
        assert_eq!(SignIn::new(&device, 0, 0).token(), "ws-token-0");
    }
}
