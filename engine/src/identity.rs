//! Who the device is and how it proves it (wire.md sections 1 and 2).

use std::fmt;

use crate::helpers::{base64, hex, hmac_sha1};
use crate::region::Region;

/// Application id of the C SDK, part of every user name.
pub const APP_ID: &str = "21010406";
/// Longest product id in characters.
pub const MAX_PRODUCT_ID: usize = 10;
/// Longest device name in characters.
pub const MAX_DEVICE_NAME: usize = 48;
/// Longest device secret (base64) in characters.
pub const MAX_DEVICE_SECRET: usize = 64;
/// Length of a connection id.
pub const CONN_ID_LEN: usize = 5;
const MAX_HOST: usize = 63;

/// What is wrong with a device's identity. The text names the field; it never holds the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityError {
    /// The product id is empty or longer than [`MAX_PRODUCT_ID`].
    ProductId,
    /// The device name is empty or longer than [`MAX_DEVICE_NAME`].
    DeviceName,
    /// The product id holds a character that a level of a topic can't hold.
    ProductIdLevel,
    /// The device name holds such a character.
    DeviceNameLevel,
    /// The device secret is empty or longer than [`MAX_DEVICE_SECRET`].
    SecretLength,
    /// The device secret is not base64.
    SecretNotBase64,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::ProductId => write!(f, "product id must have 1 to {MAX_PRODUCT_ID} characters"),
            IdentityError::DeviceName => write!(f, "device name must have 1 to {MAX_DEVICE_NAME} characters"),
            IdentityError::ProductIdLevel => write!(f, "product id holds a character that a topic level can't hold"),
            IdentityError::DeviceNameLevel => write!(f, "device name holds a character that a topic level can't hold"),
            IdentityError::SecretLength => write!(f, "device secret must have 1 to {MAX_DEVICE_SECRET} characters"),
            IdentityError::SecretNotBase64 => write!(f, "device secret is not base64"),
        }
    }
}

/// A device's name in the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    product_id: String,
    device_name: String,
    region: Region,
}

impl Identity {
    /// Checks both names: their lengths, and that they can stand in topics.
    ///
    /// # Errors
    /// The name that is not right.
    pub fn new(product_id: &str, device_name: &str) -> Result<Self, IdentityError> {
        if product_id.is_empty() || product_id.len() > MAX_PRODUCT_ID {
            return Err(IdentityError::ProductId);
        }
        if device_name.is_empty() || device_name.len() > MAX_DEVICE_NAME {
            return Err(IdentityError::DeviceName);
        }
        let is_level = |name: &str| !name.contains(['/', '+', '#', '\0']);
        if !is_level(product_id) {
            return Err(IdentityError::ProductIdLevel);
        }
        if !is_level(device_name) {
            return Err(IdentityError::DeviceNameLevel);
        }
        let (product_id, device_name) = (product_id.to_owned(), device_name.to_owned());
        Ok(Identity { product_id, device_name, region: Region::default() })
    }

    /// The same device in another region of the cloud.
    #[must_use]
    pub fn in_region(self, region: Region) -> Self {
        Identity { region, ..self }
    }

    /// The region of the cloud that knows it.
    #[must_use]
    pub fn region(&self) -> Region {
        self.region
    }

    /// The product id.
    #[must_use]
    pub fn product_id(&self) -> &str {
        &self.product_id
    }

    /// The device name.
    #[must_use]
    pub fn device_name(&self) -> &str {
        &self.device_name
    }

    /// MQTT client id and PSK identity: both names without a separator.
    #[must_use]
    pub fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.device_name)
    }

    /// Host name of the product's MQTT and CoAP servers.
    #[must_use]
    pub fn host(&self) -> String {
        self.host_in(self.region.domain())
    }

    /// Host name of the product's server of MQTT over WebSocket.
    #[must_use]
    pub fn websocket_host(&self) -> String {
        self.host_in(self.region.websocket_domain())
    }

    fn host_in(&self, domain: &str) -> String {
        let mut host = format!("{}.{domain}", self.product_id);
        host.truncate(MAX_HOST);
        host
    }

    /// MQTT user name of one connection attempt.
    #[must_use]
    pub fn user_name(&self, conn_id: &str, expiry: i64) -> String {
        format!("{};{APP_ID};{conn_id};{expiry}", self.client_id())
    }
}

/// The decoded device secret: the pre-shared key, or the key of the password.
///
/// # Errors
/// The secret is empty, too long or not base64.
pub fn decode_secret(secret: &str) -> Result<Vec<u8>, IdentityError> {
    if secret.is_empty() || secret.len() > MAX_DEVICE_SECRET {
        return Err(IdentityError::SecretLength);
    }
    // At most 48 bytes, from 64 characters.
    base64::bytes(secret.as_bytes()).ok_or(IdentityError::SecretNotBase64)
}

/// MQTT password of KEY mode without TLS: hex of HMAC-SHA1 over the user name, then `;hmacsha1`.
#[must_use]
pub fn password(key: &[u8], user_name: &str) -> String {
    proof(&hmac_sha1::code(key, &[user_name.as_bytes()]), "hmacsha1")
}

/// MQTT password of CERT mode over WebSocket (resource.md section 9), of the user name's signature by the device's key.
#[must_use]
pub fn signed_password(signature: &[u8]) -> String {
    proof(signature, "rsa-sha256")
}

fn proof(bytes: &[u8], method: &str) -> String {
    format!("{};{method}", hex::text(bytes))
}

/// Five letters and digits out of a random number.
#[must_use]
pub fn conn_id(random: u64) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = random;
    (0..CONN_ID_LEN)
        .map(|_| {
            let index = usize::try_from(rest % 62).unwrap_or(0);
            rest /= 62;
            char::from(ALPHABET[index])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_as_the_contract_says() {
        let id = Identity::new("S3EUVBRJLB", "device1").unwrap();
        assert_eq!((id.product_id(), id.device_name()), ("S3EUVBRJLB", "device1"));
        assert_eq!(id.client_id(), "S3EUVBRJLBdevice1");
        assert_eq!(id.host(), "S3EUVBRJLB.iotcloud.tencentdevices.com");
        assert_eq!(id.websocket_host(), "S3EUVBRJLB.ap-guangzhou.iothub.tencentdevices.com");
        for (region, domain) in
            [(Region::UsEast, "us-east"), (Region::Europe, "europe"), (Region::ApBangkok, "ap-bangkok")]
        {
            let host = id.clone().in_region(region).websocket_host();
            assert_eq!(host, format!("S3EUVBRJLB.{domain}.iothub.tencentdevices.com"));
        }
        for (region, domain) in [
            (Region::UsEast, "us-east.iotcloud.tencentdevices.com"),
            (Region::Europe, "europe.iothub.tencentdevices.com"),
            (Region::ApBangkok, "ap-bangkok.iothub.tencentdevices.com"),
        ] {
            assert_eq!(id.clone().in_region(region).host(), format!("S3EUVBRJLB.{domain}"));
        }
        assert_eq!(id.user_name("abcde", i64::MAX), "S3EUVBRJLBdevice1;21010406;abcde;9223372036854775807");
    }

    #[test]
    fn names_out_of_range_are_named() {
        assert_eq!(Identity::new("", "d"), Err(IdentityError::ProductId));
        assert_eq!(Identity::new("12345678901", "d"), Err(IdentityError::ProductId));
        assert_eq!(Identity::new("p", ""), Err(IdentityError::DeviceName));
        assert_eq!(Identity::new("p", &"d".repeat(49)), Err(IdentityError::DeviceName));
        assert!(Identity::new("1234567890", &"d".repeat(48)).is_ok());
        for name in ["a/b", "+", "#", "a\0"] {
            assert_eq!(Identity::new(name, "d"), Err(IdentityError::ProductIdLevel));
            assert_eq!(Identity::new("p", name), Err(IdentityError::DeviceNameLevel));
        }
    }

    #[test]
    fn each_error_names_the_field_and_never_the_secret() {
        let long = "AQIDBA==".repeat(9);
        for (error, text) in [
            (Identity::new("", "d").unwrap_err(), "product id must have 1 to 10 characters"),
            (Identity::new("p", "").unwrap_err(), "device name must have 1 to 48 characters"),
            (Identity::new("+", "d").unwrap_err(), "product id holds a character that a topic level can't hold"),
            (Identity::new("p", "+").unwrap_err(), "device name holds a character that a topic level can't hold"),
            (decode_secret(&long).unwrap_err(), "device secret must have 1 to 64 characters"),
            (decode_secret("hunter2!").unwrap_err(), "device secret is not base64"),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn secrets_are_checked_before_use() {
        assert_eq!(decode_secret("AQIDBA=="), Ok(vec![1, 2, 3, 4]));
        assert_eq!(decode_secret(""), Err(IdentityError::SecretLength));
        assert_eq!(decode_secret("not base64!"), Err(IdentityError::SecretNotBase64));
        assert_eq!(decode_secret(&"A".repeat(65)), Err(IdentityError::SecretLength));
        assert_eq!(decode_secret(&"A".repeat(64)).map(|key| key.len()), Ok(48));
    }

    /// Reference value: `printf ... | openssl dgst -sha1 -mac HMAC -macopt hexkey:01020304`.
    #[test]
    fn the_password_is_hmac_sha1_in_lower_case_hex() {
        let user = "S3EUVBRJLBdevice1;21010406;abcde;9223372036854775807";
        assert_eq!(password(&[1, 2, 3, 4], user), "b428896a57c0f1407d1d0d48224fdef47ade199b;hmacsha1");
    }

    #[test]
    fn a_signature_is_a_password_too() {
        assert_eq!(signed_password(&[0, 0xab, 0xff]), "00abff;rsa-sha256");
    }

    #[test]
    fn connection_ids_are_five_letters_or_digits() {
        for random in [0, 1, 61, 62, u64::MAX] {
            let id = conn_id(random);
            assert_eq!(id.len(), 5);
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
        }
        assert_ne!(conn_id(1), conn_id(2));
    }
}
