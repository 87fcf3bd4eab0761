//! SSH tunnels (shadow.md section 9): what the cloud says to a device that is to make one, its frames, and who is let in.
//! No I/O.

pub mod frame;

use base64::prelude::{Engine, BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;

use crate::ota::Outgoing;

/// Where a device begins its tunnel, on the servers of firmware.
pub const PATH: &str = "/ssh/device";

/// Has a device make a tunnel, or end it.
pub fn switch(product_id: &str, device_name: &str, on: bool) -> Outgoing {
    let topic = format!("$sys/operation/result/{product_id}/{device_name}");
    let payload = format!(r#"{{"type":"ssh","switch":{}}}"#, u8::from(on));
    Outgoing { topic, payload, acknowledged: false }
}

/// By what a device says who it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// Its product.
    pub product_id: String,
    /// Its name.
    pub device_name: String,
    timestamp: u64,
    rand: String,
    sign_method: String,
    sign: String,
}

impl SignIn {
    /// Reads a frame's payload.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(payload: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(payload).map_err(|error| format!("who it is can't be read: {error}"))
    }

    /// Whether it was signed by the device with this secret, as decoded, or with the certificate by which `by_certificate`
    /// checks a text and its signature.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&self, key: Option<&[u8]>, by_certificate: impl Fn(&[u8], &[u8]) -> bool) -> Result<(), String> {
        let Self { product_id, device_name, timestamp, rand, .. } = self;
        let text = format!("productId_{product_id}_device_{device_name}_timestamp_{timestamp}_rand_{rand}");
        let given = BASE64_STANDARD.decode(&self.sign).unwrap_or_default();
        let is_signed = match self.sign_method.as_str() {
            "hmacsha1" => {
                let key = key.ok_or("the device has no secret to sign with")?;
                // The key is the text of the secret, not its bytes.
                let mac = Hmac::<Sha1>::new_from_slice(BASE64_STANDARD.encode(key).as_bytes());
                mac.is_ok_and(|mac| mac.chain_update(text).verify_slice(&given).is_ok())
            }
            "rsasha256" => by_certificate(text.as_bytes(), &given),
            other => return Err(format!("there is no signature by {other:?}")),
        };
        is_signed.then_some(()).ok_or_else(|| "the signature is wrong".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_a_message_on_the_result_topic() {
        let on = switch("P1", "dev1", true);
        assert_eq!((on.topic.as_str(), on.acknowledged), ("$sys/operation/result/P1/dev1", false));
        assert_eq!(on.payload, r#"{"type":"ssh","switch":1}"#);
        assert_eq!(switch("P1", "dev1", false).payload, r#"{"type":"ssh","switch":0}"#);
    }

    /// `printf %s TEXT | openssl dgst -sha1 -hmac AQIDBA== -binary | base64`, as the device's own test has it.
    #[test]
    fn only_the_devices_own_signature_lets_it_in() {
        let payload = r#"{"productId":"PRODUCTID0","deviceName":"lamp","timestamp":1600000000,"rand":"42","version":"1.0","signMethod":"hmacsha1","sign":"awe8Jtj/RefqOxiiod6/IKzSjXs="}"#;
        let check = |payload: &str, key: Option<&[u8]>| {
            let by_certificate = |text: &[u8], signature: &[u8]| {
                text.starts_with(b"productId_PRODUCTID0_device_lamp_") && signature == [1]
            };
            SignIn::read(payload.as_bytes())?.check(key, by_certificate)
        };
        let key = Some(&[1, 2, 3, 4][..]);
        assert_eq!(check(payload, key), Ok(()));
        let wrong = Err("the signature is wrong".to_owned());
        assert_eq!(check(payload, Some(&[1, 2, 3, 5])), wrong);
        for (from, to) in
            [("lamp", "door"), ("1600000000", "1600000001"), ("42", "43"), ("awe8", "bwe8"), ("awe8", "*")]
        {
            assert_eq!(check(&payload.replace(from, to), key), wrong, "{to}");
        }
        assert_eq!(check(payload, None), Err("the device has no secret to sign with".to_owned()));
        let by_rsa = payload.replace("hmacsha1", "rsasha256");
        assert_eq!(check(&by_rsa, key), wrong);
        assert_eq!(check(&by_rsa.replace("awe8Jtj/RefqOxiiod6/IKzSjXs=", "AQ=="), None), Ok(()));
        assert!(check(&payload.replace("hmacsha1", "md5"), key).is_err_and(|why| why.contains("md5")));
        assert!(check("{}", key).is_err_and(|why| why.starts_with("who it is can't be read")));
    }
}
