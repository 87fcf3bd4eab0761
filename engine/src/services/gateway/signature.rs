//! How a sub-device proves to the cloud that it may be bound (gateway.md section 1).

use md5::{Digest, Md5};

use crate::helpers::{base64, hex, hmac_sha1};
use crate::identity::Identity;

/// The key that a sub-device's certificate file gives: the hex digits of its MD5.
#[must_use]
pub fn certificate_key(file: &[u8]) -> String {
    hex::text(&Md5::digest(file))
}

/// Base64 of HMAC-SHA1 over the sub-device's names, the random number and the time in UTC seconds. The key of KEY mode is
/// the secret's text, not what it decodes to.
#[must_use]
pub fn sign(key: &[u8], device: &Identity, random: u32, timestamp: u64) -> String {
    let text = format!("{}{};{random};{timestamp}", device.product_id(), device.device_name());
    base64::text(&hmac_sha1::code(key, &[text.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Identity {
        Identity::new("SUBPROD001", "d1").unwrap()
    }

    #[test]
    fn case_11_the_vectors_of_the_contract() {
        let signature = sign(b"c2VjcmV0c2VjcmV0MTIzNA==", &device(), 805_570_441, 1_795_888_156);
        assert_eq!(signature, "EwpZODx3+SYPhsINFYnkqerZzm4=");
        let signature = sign(b"233222b2a4a314b7fb56933ec29e91ec", &device(), 123_456, 1_700_000_000);
        assert_eq!(signature, "6mfTTBqrG68XaVS9OLVH1HRSclw=");
    }

    #[test]
    fn case_11_a_certificates_key_is_its_files_md5() {
        assert_eq!(certificate_key(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    }
}
