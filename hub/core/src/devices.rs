//! The list of devices the hub knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::prelude::{Engine, BASE64_STANDARD};
use serde::Deserialize;

use crate::error::{Context, Fatal, Result};

/// Longest product id (wire contract, section 1).
pub const MAX_PRODUCT_ID: usize = 10;
/// Longest device name.
pub const MAX_DEVICE_NAME: usize = 48;
/// Longest tag, in characters.
pub const MAX_TAG: usize = 32;
/// Most tags of a device.
pub const MAX_TAGS: usize = 16;
/// Longest decoded secret.
pub const MAX_KEY: usize = 48;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    devices: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    product_id: String,
    device_name: String,
    device_secret: Option<String>,
    tags: Option<Vec<String>>,
}

/// One device of the list.
#[derive(Clone)]
pub struct Device {
    /// Whose firmware it takes.
    pub product_id: String,
    /// Its name within the product.
    pub device_name: String,
    /// The decoded secret; `None` for a device that has a certificate instead.
    pub key: Option<Vec<u8>>,
    /// Serial number of the only certificate that lets it in, in hex; `None`: any of the hub's CA.
    pub serial: Option<String>,
}

/// Every device of the list by client id.
#[derive(Clone, Default)]
pub struct Devices {
    list: BTreeMap<String, Device>,
    /// Of those whose entries say so.
    tags: BTreeMap<String, Vec<String>>,
}

impl Devices {
    /// Reads the list from a file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context(|| format!("cannot read the devices in {}", path.display()))?;
        Devices::parse(&text).context(|| format!("bad devices in {}", path.display()))
    }

    /// Reads the list from JSON. Errors name the line or the device and key.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text).map_err(|error| Fatal::new(error.to_string()))?;
        if file.devices.is_empty() {
            return Err(Fatal::new("`devices` is empty"));
        }
        let mut devices = Devices::default();
        for (index, entry) in file.devices.into_iter().enumerate() {
            let at = |what: &str| Fatal::new(format!("devices[{index}].{what}"));
            check_product_id(&entry.product_id).map_err(|what| at(&format!("productId {what}")))?;
            check_device_name(&entry.device_name).map_err(|what| at(&format!("deviceName {what}")))?;
            let key = match entry.device_secret.as_deref() {
                None | Some("") => None,
                Some(secret) => Some(decode_key(secret).map_err(|what| at(&format!("deviceSecret {what}")))?),
            };
            let client_id = format!("{}{}", entry.product_id, entry.device_name);
            if let Some(tags) = entry.tags {
                check_tags(&tags).map_err(|what| at(&format!("tags: {what}")))?;
                devices.tags.insert(client_id.clone(), tags);
            }
            let device = Device { product_id: entry.product_id, device_name: entry.device_name, key, serial: None };
            if devices.list.insert(client_id.clone(), device).is_some() {
                return Err(at(&format!("productId and deviceName name {client_id} a second time")));
            }
        }
        Ok(devices)
    }

    #[cfg(test)]
    fn get(&self, client_id: &str) -> Option<&Device> {
        self.list.get(client_id)
    }

    /// Every device with its client id, in order of client id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Device)> {
        self.list.iter().map(|(id, device)| (id.as_str(), device))
    }

    /// The tags that the list gives devices, by client id.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.tags.iter().map(|(id, tags)| (id.as_str(), tags.as_slice()))
    }

    /// Every product there is a device of, in order.
    pub fn products(&self) -> Vec<String> {
        let products: BTreeSet<&String> = self.list.values().map(|device| &device.product_id).collect();
        products.into_iter().cloned().collect()
    }
}

/// Whether this may be a client id: it names files and topics, so it holds nothing that separates either.
pub fn is_client_id(text: &str) -> bool {
    is_name(text, MAX_PRODUCT_ID + MAX_DEVICE_NAME)
}

/// What is wrong with a product id.
pub fn check_product_id(text: &str) -> std::result::Result<(), String> {
    check_name(text, MAX_PRODUCT_ID)
}

/// What is wrong with a device name.
pub fn check_device_name(text: &str) -> std::result::Result<(), String> {
    check_name(text, MAX_DEVICE_NAME)
}

fn check_name(text: &str, max: usize) -> std::result::Result<(), String> {
    if is_name(text, max) {
        Ok(())
    } else {
        Err(format!("must be 1 to {max} letters, digits or _-.: and must not begin with a dot"))
    }
}

fn is_name(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
}

/// What is wrong with a tag.
pub fn check_tag(text: &str) -> std::result::Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || "_-.:=".contains(c);
    match (1..=MAX_TAG).contains(&text.chars().count()) && text.chars().all(fits) {
        true => Ok(()),
        false => Err(format!("must be 1 to {MAX_TAG} letters, digits or _-.:=")),
    }
}

fn check_tags(tags: &[String]) -> std::result::Result<(), String> {
    if tags.iter().collect::<BTreeSet<_>>().len() > MAX_TAGS {
        return Err(format!("a device has at most {MAX_TAGS}"));
    }
    tags.iter().try_for_each(|tag| check_tag(tag).map_err(|what| format!("{tag:?} {what}")))
}

/// The key in a secret, or what is wrong with it.
pub fn decode_key(secret: &str) -> std::result::Result<Vec<u8>, String> {
    let key = BASE64_STANDARD.decode(secret).map_err(|_| "is not base64".to_owned())?;
    match key.len() {
        1..=MAX_KEY => Ok(key),
        len => Err(format!("decodes to {len} bytes, not 1 to {MAX_KEY}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        Devices::parse(text).err().expect("must be refused").to_string()
    }

    #[test]
    fn reads_key_and_certificate_devices() {
        let text = r#"{"devices":[{"productId":"P1","deviceName":"dev1","deviceSecret":"MTIzNDU2"},
            {"productId":"P1","deviceName":"dev2"}]}"#;
        let devices = Devices::parse(text).expect("good list");
        assert_eq!(devices.get("P1dev1").and_then(|d| d.key.clone()), Some(b"123456".to_vec()));
        assert!(devices.get("P1dev2").is_some_and(|d| d.key.is_none()));
        assert!(devices.get("P1dev3").is_none());
    }

    #[test]
    fn names_what_is_wrong() {
        assert!(complaint("{\n\"devices\": [}").contains("line 2"));
        assert!(complaint(r#"{"devices":[{"deviceName":"d"}]}"#).contains("productId"));
        assert!(complaint(r#"{"devices":[]}"#).contains("empty"));
        let bad_secret = r#"{"devices":[{"productId":"P","deviceName":"d","deviceSecret":"%%"}]}"#;
        assert_eq!(complaint(bad_secret), "devices[0].deviceSecret is not base64");
        let twice = r#"{"devices":[{"productId":"P","deviceName":"d"},{"productId":"P","deviceName":"d"}]}"#;
        assert!(complaint(twice).contains("devices[1]") && complaint(twice).contains("Pd a second time"));
        assert!(complaint(r#"{"devices":[{"productId":"P","deviceName":"../x"}]}"#).contains("deviceName"));
        assert!(complaint(r#"{"devices":[{"productId":"P","deviceName":"d","tags":["a b"]}]}"#).contains("\"a b\""));
        let many: Vec<String> = (0..17).map(|n| format!("\"t{n}\"")).collect();
        let many = format!(r#"{{"devices":[{{"productId":"P","deviceName":"d","tags":[{}]}}]}}"#, many.join(","));
        assert!(complaint(&many).contains("at most 16"));
    }

    #[test]
    fn tags_are_short_words_of_any_script() {
        for good in ["factory-1", "site=shanghai", "工厂-1", "a", &"é".repeat(32), "v1.2:beta_"] {
            assert_eq!(check_tag(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a,b", "a/b", "a\n", "\u{202e}a", &"a".repeat(33)] {
            assert!(check_tag(bad).is_err(), "{bad:?}");
        }
    }
}
