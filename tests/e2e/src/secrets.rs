//! What must not be in any log (behaviour.md section 2), looked for in all that a sample says in any test.

use std::fs;
use std::path::Path;

use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::Value;

/// Hex digits of a SHA-1, and so of an MQTT password. Nothing else in a log has so many.
const SHA1_DIGITS: usize = 40;

/// A shorter key may well be part of some other text.
const MIN_KEY: usize = 4;

/// Texts and patterns that a process must not print.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Lower case.
    texts: Vec<String>,
    patterns: bool,
}

impl Secrets {
    /// Those of the device whose `device_info.json` is in `folder`; where there is none, only what no device may print.
    pub fn of_device_in(folder: &Path) -> Secrets {
        let info = fs::read(folder.join("device_info.json")).unwrap_or_default();
        let info: Value = serde_json::from_slice(&info).unwrap_or_default();
        let stored = [&info["key_deviceinfo"]["deviceSecret"], &info["productSecret"]];
        let mut texts = Vec::new();
        for secret in stored.into_iter().filter_map(Value::as_str).filter(|secret| !secret.is_empty()) {
            texts.push(secret.to_lowercase());
            if let Some(key) = BASE64_STANDARD.decode(secret).ok().filter(|key| key.len() >= MIN_KEY) {
                texts.push(hex::encode(&key));
                texts.push(key.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
                texts.push(format!("{key:?}"));
                texts.extend(String::from_utf8(key).map(|key| key.to_lowercase()));
            }
        }
        // The end of a password, and what signs a URL.
        texts.extend(["hmacsha1", "sign=", "q-signature", "q-ak"].map(str::to_owned));
        Secrets { texts, patterns: true }
    }

    /// One more text that must not be printed.
    pub fn add(&mut self, text: &str) {
        self.texts.push(text.to_lowercase());
    }

    /// The first secret in a line.
    pub fn found_in(&self, line: &str) -> Option<String> {
        let lower = line.to_lowercase();
        if let Some(text) = self.texts.iter().find(|text| lower.contains(*text)) {
            return Some(text.clone());
        }
        let has_query = |word: &str| word.split_once("://").is_some_and(|(_, rest)| rest.contains('?'));
        let is_sha1 = |word: &str| word.len() == SHA1_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !self.patterns {
            None
        } else if lower.split_whitespace().any(has_query) {
            Some("a URL's query".to_owned())
        } else if lower.split(|c: char| !c.is_ascii_alphanumeric()).any(is_sha1) {
            Some("a password".to_owned())
        } else {
            None
        }
    }

    /// Fails the test where a line shows a secret.
    #[track_caller]
    pub fn assert_kept(&self, lines: &[String]) {
        for line in lines {
            if let Some(secret) = self.found_in(line) {
                panic!("the log shows {secret}: {line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{Build, Device};

    #[test]
    fn each_form_of_a_secret_is_found() {
        let folder = TempDir::new().expect("a temporary folder");
        Device::default().write_info(folder.path(), Build::Key);
        let secrets = Secrets::of_device_in(folder.path());
        for line in [
            "secret MTIzNDU2Nzg5MGFiY2RlZg== of",
            "PRODUCTSECRET",
            "key 1234567890abcdef",
            "key 31323334353637383930616263646566",
            "key 31 32 33 34 35 36 37 38 39 30 61 62 63 64 65 66",
            "[49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 97, 98, 99, 100, 101, 102]",
            "password b428896a57c0f1407d1d0d48224fdef47ade199b",
            "password;HMACSHA1",
            "from https://host/file?x=y",
            "q-sign-algorithm%3Dsha1%26q-ak%3D1",
        ] {
            assert!(secrets.found_in(line).is_some(), "{line}");
        }
        for line in ["from https://host/file", "what? at http://host/", "MD5 e8dc4081b13434b45189a720b77b6818"] {
            assert_eq!(secrets.found_in(line), None, "{line}");
        }
    }

    #[test]
    #[should_panic(expected = "the log shows hmacsha1: two hmacsha1")]
    fn a_line_with_a_secret_fails_the_test() {
        Secrets::of_device_in(Path::new("/nonexistent")).assert_kept(&["one".to_owned(), "two hmacsha1".to_owned()]);
    }
}
