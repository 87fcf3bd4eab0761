//! The bytes of an upload (log_upload.md sections 3 and 8).

use super::form::{Form, SEPARATOR};
use crate::helpers::json::quoted;
use crate::helpers::{hex, hmac_sha1};
use crate::http::Url;
use crate::identity::Identity;
use crate::services::signed_head::{PrivateKey, SignedHead};

/// The server of [`Form::Plain`].
const SERVER: &str = "http://devicelog.iot.cloud.tencent.com:80/cgi-bin/report-log";
/// Where the servers of [`Form::Json`] take lines.
const JSON_PATH: &str = "/device/reportlog";

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

/// What an upload of [`Form::Json`] is signed with.
pub enum Proof {
    /// A secret, or what stands for one.
    Key(Vec<u8>),
    /// A private key.
    PrivateKey(Box<dyn PrivateKey>),
}

/// The form of an upload, with what it is signed with.
enum Signed {
    Plain(Vec<u8>),
    Json(Proof),
}

/// Who sends. Holds the key, so it does not show itself.
pub struct Sender {
    signed: Signed,
    server: String,
    /// All that stands before the lines and stays the same.
    head: String,
}

/// What is new in each request.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// UTC, 0 where that is not known.
    pub seconds: u64,
    /// Any number.
    pub random: u64,
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
        Sender { signed: Signed::Plain(key), server: SERVER.to_owned(), head }
    }

    /// The same as the C SDK 3.3.0 does it, with a server of the device's region.
    #[must_use]
    pub fn of_json(device: &Identity, proof: Proof) -> Self {
        let (device_name, product_id) = (quoted(device.device_name()), quoted(device.product_id()));
        let head = format!("{{\"DeviceName\":{device_name},\"Level\":\"ERR\",\"ProductId\":{product_id},\"Message\":[");
        let server = format!("http://{}:80{JSON_PATH}", device.region().gateway());
        Sender { signed: Signed::Json(proof), server, head }
    }

    /// How it writes lines.
    #[must_use]
    pub fn form(&self) -> Form {
        match self.signed {
            Signed::Plain(_) => Form::Plain,
            Signed::Json(_) => Form::Json,
        }
    }

    /// Where the lines go unless the program's environment says otherwise.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A whole request for `url` with `lines`.
    ///
    /// # Errors
    /// Why it can't be made: for want of memory, or it can't be signed.
    pub fn request(&self, url: &Url, moment: Moment, lines: &[u8]) -> Result<Vec<u8>, String> {
        match &self.signed {
            Signed::Plain(key) => self.plain(key, url, moment.seconds, lines),
            Signed::Json(proof) => self.json(proof, url, moment, lines),
        }
    }

    fn json(&self, proof: &Proof, url: &Url, moment: Moment, lines: &[u8]) -> Result<Vec<u8>, String> {
        let lines = lines.strip_suffix(SEPARATOR).unwrap_or(lines);
        let mut body = room(self.head.len() + lines.len() + 2)?;
        [self.head.as_bytes(), lines, b"]}"].iter().for_each(|part| body.extend_from_slice(part));
        let host = url.host_and_port();
        let nonce = u32::try_from(moment.random >> 33).unwrap_or(0);
        let head = SignedHead { host: &host, path: url.target(), seconds: moment.seconds, nonce };
        let signed = match proof {
            Proof::Key(key) => head.text(key, &body),
            Proof::PrivateKey(key) => head.text_by(&**key, &body)?,
        };
        let fields =
            format!("{signed}Content-Length: {}\r\nContent-Type: application/json;charset=utf-8\r\n\r\n", body.len());
        let mut request = room(fields.len() + body.len())?;
        request.extend_from_slice(fields.as_bytes());
        request.extend_from_slice(&body);
        Ok(request)
    }

    fn plain(&self, key: &[u8], url: &Url, seconds: u64, lines: &[u8]) -> Result<Vec<u8>, String> {
        let time = format!("{seconds:010}");
        let fields = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nAccept:application/json;*/*\r\nContent-Length: {}\r\nContent-Type: text/plain;charset=utf-8\r\n\r\n",
            url.target(),
            url.host_and_port(),
            SIGNATURE_LEN + self.head.len() + time.len() + lines.len()
        );
        let mut request = room(fields.len() + SIGNATURE_LEN + self.head.len() + time.len() + lines.len())?;
        let signed = [self.head.as_bytes(), time.as_bytes(), lines];
        request.extend_from_slice(fields.as_bytes());
        request.extend_from_slice(hex::text(&hmac_sha1::code(key, &signed)).as_bytes());
        signed.iter().for_each(|part| request.extend_from_slice(part));
        Ok(request)
    }
}

/// An empty text with room for so many bytes.
fn room(len: usize) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    text.try_reserve_exact(len).map_err(|_| "there is no memory for a request".to_owned())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use base64::Engine;

    use super::*;
    use crate::region::Region;
    use crate::services::log_upload::form::HEAD_LEN;

    fn request(mode: Mode, device: (&str, &str), seconds: u64, lines: &str) -> String {
        let device = Identity::new(device.0, device.1).unwrap();
        let sender = Sender::new(&device, mode, b"c2VjcmV0c2VjcmV0MTIzNA==".to_vec());
        sent(&sender, seconds, lines)
    }

    fn sent(sender: &Sender, seconds: u64, lines: &str) -> String {
        let url = Url::parse(sender.server()).unwrap();
        let moment = Moment { seconds, random: 5 << 33 };
        String::from_utf8(sender.request(&url, moment, lines.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn case_21_a_request_of_json_is_signed_in_its_head() {
        let device = Identity::new("W1SHADOW01", "dev1").unwrap();
        let sender =
            Sender::of_json(&device.in_region(Region::Europe), Proof::Key(b"c2VjcmV0c2VjcmV0MTIzNA==".to_vec()));
        let text = sent(&sender, 1_700_000_000, r#""line 1", "line 2", "#);
        let body = r#"{"DeviceName":"dev1","Level":"ERR","ProductId":"W1SHADOW01","Message":["line 1", "line 2"]}"#;
        // printf 'POST\neurope.gateway.tencentdevices.com\n/device/reportlog\n\nhmacsha1\n1700000000\n5\n%s' "$(sha1 of the body)"
        // | openssl dgst -sha1 -hmac c2VjcmV0c2VjcmV0MTIzNA== -binary | base64
        let expected = format!(
            "POST /device/reportlog HTTP/1.1\r\nHost: europe.gateway.tencentdevices.com\r\nAccept: application/json;*/*\r\n\
             X-TC-Algorithm: hmacsha1\r\nX-TC-Timestamp: 1700000000\r\nX-TC-Nonce: 5\r\n\
             X-TC-Signature: nHo0LysWfPlxHG7oI4lQ/EEPwes=\r\nContent-Length: {}\r\n\
             Content-Type: application/json;charset=utf-8\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(text, expected);
        let unknown = Sender::of_json(&Identity::new("P", "d").unwrap(), Proof::Key(b"k".to_vec()));
        assert_eq!(unknown.server(), "http://ap-guangzhou.gateway.tencentdevices.com:80/device/reportlog");
    }

    /// Signs by showing what it is given.
    struct Glass;

    impl PrivateKey for Glass {
        fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
            [bytes.len() as u8; 32]
        }

        fn sign(&self, text: &str) -> Result<Vec<u8>, String> {
            if text.contains("\n7\n") {
                return Err("the key is gone".to_owned());
            }
            Ok(text.as_bytes().to_vec())
        }
    }

    #[test]
    fn a_certificates_key_signs_the_same_over_sha_256() {
        let device = Identity::new("W1SHADOW01", "dev1").unwrap();
        let sender = Sender::of_json(&device, Proof::PrivateKey(Box::new(Glass)));
        let text = sent(&sender, 1_700_000_000, r#""line 1", "#);
        let body = r#"{"DeviceName":"dev1","Level":"ERR","ProductId":"W1SHADOW01","Message":["line 1"]}"#;
        let digest = format!("{:02x}", body.len()).repeat(32);
        let host = "ap-guangzhou.gateway.tencentdevices.com";
        let signed = format!("POST\n{host}\n/device/reportlog\n\nrsa-sha256\n1700000000\n5\n{digest}");
        let fields = format!(
            "X-TC-Algorithm: rsa-sha256\r\nX-TC-Timestamp: 1700000000\r\nX-TC-Nonce: 5\r\nX-TC-Signature: {}\r\n",
            STANDARD.encode(signed)
        );
        assert!(text.contains(&fields) && text.ends_with(body), "{text}");
        let (url, moment) = (Url::parse(sender.server()).unwrap(), Moment { seconds: 1, random: 7 << 33 });
        assert_eq!(sender.request(&url, moment, b"x"), Err("the key is gone".to_owned()));
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
        let expected = hex::text(&hmac_sha1::code(b"c2VjcmV0c2VjcmV0MTIzNA==", &[signed.as_bytes()]));
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
