//! Which URLs there are: the signed ones the hub hands out, and a plain one for trying things by hand.

use std::collections::HashMap;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::devices::Devices;
use crate::firmware::{escape, Firmware};

/// Stands where the object store puts its owner's account.
const ACCOUNT: &str = "100000000001";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Granted,
    /// The signature is missing or altered: 403.
    Forbidden,
    /// 404.
    Unknown,
}

/// The firmware and the request targets it is found under.
pub struct Site {
    pub firmware: Firmware,
    /// Strong, from the MD5, in its quotes.
    pub etag: String,
    /// The whole signed target by path.
    signed: HashMap<String, String>,
    plain: String,
}

impl Site {
    /// A site with one signed target for each product. `key` signs them.
    pub fn new(firmware: Firmware, devices: &Devices, key: &[u8]) -> Self {
        let version = escape(&firmware.version);
        let mut signed = HashMap::new();
        for (_, device) in devices.iter() {
            let path = path(&device.product_id, &version);
            let target = format!("{path}?sign={}", signature(key, &path));
            signed.insert(path, target);
        }
        let etag = format!("\"{}\"", firmware.md5);
        Site { plain: format!("/firmware/{version}"), firmware, etag, signed }
    }

    /// The target handed out to devices of a product.
    pub fn target(&self, product_id: &str) -> Option<&str> {
        self.signed.get(&path(product_id, &escape(&self.firmware.version))).map(String::as_str)
    }

    /// Compares a request's raw target byte for byte: a client that decodes and encodes URLs anew is found out.
    pub fn access(&self, target: &str) -> Access {
        let path = target.split('?').next().unwrap_or(target);
        match self.signed.get(path) {
            Some(own) if own == target => Access::Granted,
            Some(_) => Access::Forbidden,
            None if target == self.plain => Access::Granted,
            None => Access::Unknown,
        }
    }
}

fn path(product_id: &str, escaped_version: &str) -> String {
    format!("/{ACCOUNT}_{product_id}_{escaped_version}")
}

/// Looks as the object store's do, escapes and trailing `%00` and all.
fn signature(key: &[u8], path: &str) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(key).map(|mut mac| {
        mac.update(path.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    });
    format!("q-sign-algorithm%3Dsha1%26q-ak%3Dhub%26q-signature%3D{}%00", mac.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let devices = r#"{"devices":[{"productId":"P1","deviceName":"a"},{"productId":"P2","deviceName":"a"}]}"#;
        let devices = Devices::parse(devices).expect("good list");
        let firmware = Firmware { path: "fw".into(), version: "1.0+b".into(), size: 1, md5: "00".into() };
        Site::new(firmware, &devices, b"key")
    }

    #[test]
    fn targets() {
        let site = site();
        let target = site.target("P1").expect("target").to_owned();
        assert!(target.starts_with("/100000000001_P1_1.0%2Bb?sign=q-sign-algorithm%3Dsha1%26q-ak%3Dhub%26"));
        assert!(target.ends_with("%00"));
        assert_eq!(site.access(&target), Access::Granted);
        assert_ne!(site.target("P2").expect("target"), target);
        assert_eq!(site.target("P3"), None);
        for altered in [
            target.replace("%26", "&"),
            target.replace("%3D", "%3d"),
            target.trim_end_matches("%00").to_owned(),
            target.split('?').next().expect("path").to_owned(),
        ] {
            assert_eq!(site.access(&altered), Access::Forbidden, "{altered}");
        }
        assert_eq!(site.access("/firmware/1.0%2Bb"), Access::Granted);
        assert_eq!(site.access("/firmware/1.0"), Access::Unknown);
        assert_eq!(site.access("/"), Access::Unknown);
    }
}
