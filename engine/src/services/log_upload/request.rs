//! The bytes of an upload (log_upload.md section 3).

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::http::Url;
use crate::identity::Identity;

/// Length of what stands before the lines.
pub const HEAD_LEN: usize = 112;
/// Of it the signature.
const SIGNATURE_LEN: usize = 40;
/// So much of a secret or a certificate is the key.
const KEY_LEN: usize = 24;

/// How the device proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By a secret.
    Key,
    /// By a certificate.
    Certificate,
}

/// The key that a device secret gives, as text.
#[must_use]
pub fn key_of_secret(secret: &[u8]) -> Vec<u8> {
    secret.iter().copied().take(KEY_LEN).collect()
}

/// The key that a certificate file gives: the beginning of the first line behind `-----BEGIN `. `None` where there is none.
#[must_use]
pub fn key_of_certificate(file: &[u8]) -> Option<Vec<u8>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    lines.find(|line| line.windows(BEGIN.len()).any(|window| window == BEGIN))?;
    lines.next().map(key_of_secret).filter(|key| !key.is_empty())
}

/// Who sends. Holds the key, so it does not show itself.
pub struct Sender {
    key: Vec<u8>,
    /// All of the head that stays the same.
    head: String,
}

impl Sender {
    /// The device's uploads, signed with `key`.
    #[must_use]
    pub fn new(device: &Identity, mode: Mode, key: Vec<u8>) -> Self {
        let letter = match mode {
            Mode::Key => 'P',
            Mode::Certificate => 'C',
        };
        let head = format!("{letter}###{:#<10}{:#<48}", device.product_id(), device.device_name());
        Sender { key, head }
    }

    /// A whole request for `url` with `lines`, at `seconds` of UTC, 0 where that is not known. `None` without memory.
    #[must_use]
    pub fn request(&self, url: &Url, seconds: u64, lines: &[u8]) -> Option<Vec<u8>> {
        let time = format!("{seconds:010}");
        let fields = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nAccept:application/json;*/*\r\nContent-Length: {}\r\nContent-Type: text/plain;charset=utf-8\r\n\r\n",
            url.target(),
            url.host_and_port(),
            SIGNATURE_LEN + self.head.len() + time.len() + lines.len()
        );
        let mut request = Vec::new();
        request.try_reserve_exact(fields.len() + SIGNATURE_LEN + self.head.len() + time.len() + lines.len()).ok()?;
        let signed = [self.head.as_bytes(), time.as_bytes(), lines];
        request.extend_from_slice(fields.as_bytes());
        request.extend_from_slice(self.signature(&signed).as_bytes());
        signed.iter().for_each(|part| request.extend_from_slice(part));
        Some(request)
    }

    fn signature(&self, signed: &[&[u8]]) -> String {
        // HMAC takes keys of any length, so this never fails.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&self.key) else {
            return String::new();
        };
        signed.iter().for_each(|part| mac.update(part));
        let mut text = String::with_capacity(SIGNATURE_LEN);
        for byte in mac.finalize().into_bytes() {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(mode: Mode, device: (&str, &str), seconds: u64, lines: &str) -> String {
        let device = Identity::new(device.0, device.1).unwrap();
        let sender = Sender::new(&device, mode, b"c2VjcmV0c2VjcmV0MTIzNA==".to_vec());
        let url = Url::parse(crate::services::log_upload::SERVER).unwrap();
        String::from_utf8(sender.request(&url, seconds, lines.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn case_03_a_request_is_the_contracts_byte_for_byte() {
        let line = "ERR|2026-11-28 17:20:50|app.c|fn(7): hello\n\x0c";
        let text = request(Mode::Key, ("W1SHADOW01", "dev1"), 1_700_000_000, line);
        let head = "POST /cgi-bin/report-log HTTP/1.1\r\nHost: devicelog.iot.cloud.tencent.com\r\n\
            Accept:application/json;*/*\r\nContent-Length: 156\r\nContent-Type: text/plain;charset=utf-8\r\n\r\n";
        let body = text.strip_prefix(head).unwrap();
        let signed = format!("P###W1SHADOW01dev1{}1700000000{line}", "#".repeat(44));
        assert_eq!(&body[SIGNATURE_LEN..], signed);
        assert_eq!(body.len(), HEAD_LEN + line.len());
        let mut mac = Hmac::<Sha1>::new_from_slice(b"c2VjcmV0c2VjcmV0MTIzNA==").unwrap();
        mac.update(signed.as_bytes());
        let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&body[..SIGNATURE_LEN], expected);
    }

    #[test]
    fn short_names_are_filled_up_and_an_unknown_time_is_zeros() {
        let text = request(Mode::Certificate, ("P", "d"), 0, "x\n\x0c");
        let signed = format!("C###P{}d{}0000000000x\n\x0c", "#".repeat(9), "#".repeat(47));
        assert!(text.ends_with(&signed), "{text}");
    }

    #[test]
    fn case_02_a_key_is_24_characters_at_most() {
        let long = "k".repeat(64);
        for (secret, len) in [("k", 1), (&long[..24], 24), (&long[..25], 24), (&long, 24)] {
            assert_eq!(key_of_secret(secret.as_bytes()).len(), len);
        }
        let pem = "subject=x\r\n-----BEGIN CERTIFICATE-----\r\nMIIDxTCCAq2gAwIBAgIBADANBgkq\r\nZZZ\r\n";
        assert_eq!(key_of_certificate(pem.as_bytes()).unwrap(), b"MIIDxTCCAq2gAwIBAgIBADAN");
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----", "-----BEGIN X-----\n\n"] {
            assert_eq!(key_of_certificate(text.as_bytes()), None, "{text}");
        }
    }
}
