//! Uploaded log lines: how they come by HTTP, and which levels are asked for by MQTT (log_upload.md sections 3, 5 and 8).

use base64::prelude::{Engine, BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// Where the two versions of the C SDK send lines to.
pub const REPORT_PATH: &str = "/cgi-bin/report-log";
/// The later one's.
pub const DEVICE_PATH: &str = "/device/reportlog";

/// Bytes of an upload; devices send less than 3000 and their head.
pub const MAX_UPLOAD: usize = 64 * 1024;
/// The highest level: debugging.
pub const MAX_LEVEL: u8 = 4;
/// What devices are told where nobody has set a level: errors, which is what they upload before they have asked.
pub const LEVEL: u8 = 1;

/// Characters of a secret, or of a certificate's first line, that sign.
const KEY: usize = 24;
/// How far a device's clock may be off, in seconds.
const DRIFT: u64 = 600;

/// What the later form is signed with.
const BY_SECRET: &str = "hmacsha1";
const BY_PRIVATE_KEY: &str = "rsa-sha256";

/// The places in the head of the earlier form.
const HEAD: usize = 112;
const DIGEST: usize = 40;

/// Which form an upload has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines behind a head.
    Report,
    /// JSON.
    Device,
}

/// An upload as it comes.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Of the URL, without a query.
    pub path: String,
    /// The header `Host`.
    pub host: String,
    /// The headers `X-TC-...`: what signs, when, with which number, and the signature.
    pub algorithm: String,
    /// Seconds.
    pub timestamp: String,
    /// A random number.
    pub nonce: String,
    /// Base64.
    pub signature: String,
    /// As it is.
    pub body: Vec<u8>,
}

/// What an upload says, if its signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The device's product.
    pub product_id: String,
    /// Its name within that.
    pub device_name: String,
    /// Seconds by the device's clock; `None` where it does not know.
    pub sent_at: Option<u64>,
    /// Oldest first, without their ends.
    pub lines: Vec<String>,
}

impl Upload {
    /// The device's client id.
    pub fn client_id(&self) -> String {
        format!("{}{}", self.product_id, self.device_name)
    }

    /// Whether the device's clock is near enough.
    pub fn is_timely(&self, now: u64) -> bool {
        self.sent_at.is_none_or(|at| at.abs_diff(now) <= DRIFT)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    device_name: String,
    product_id: String,
    message: Vec<String>,
}

/// The form of uploads to this path, where there are any.
pub fn form(path: &str) -> Option<Form> {
    match path {
        REPORT_PATH => Some(Form::Report),
        DEVICE_PATH => Some(Form::Device),
        _ => None,
    }
}

/// Reads an upload. The error is what is wrong with it, in words.
pub fn read(form: Form, request: &Request) -> Result<Upload, &'static str> {
    match form {
        Form::Report => read_report(&request.body),
        Form::Device => {
            let report: Report = serde_json::from_slice(&request.body).map_err(|_| "a body that is no upload")?;
            Ok(Upload {
                product_id: report.product_id,
                device_name: report.device_name,
                sent_at: time(&request.timestamp)?,
                lines: report.message,
            })
        }
    }
}

fn read_report(body: &[u8]) -> Result<Upload, &'static str> {
    let (head, lines) = body.split_at_checked(HEAD).ok_or("an upload without its head")?;
    let field = |from: usize, to: usize| {
        let text = head.get(from..to).and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.map(|text| text.trim_end_matches('#').to_owned()).ok_or("a head that is no text")
    };
    if !matches!(field(40, 44)?.as_str(), "P" | "C") {
        return Err("a head of unknown kind");
    }
    let lines = String::from_utf8_lossy(lines);
    Ok(Upload {
        product_id: field(44, 54)?,
        device_name: field(54, 102)?,
        sent_at: time(&field(102, 112)?)?,
        lines: lines.split_terminator("\n\x0c").map(str::to_owned).collect(),
    })
}

fn time(text: &str) -> Result<Option<u64>, &'static str> {
    let seconds: u64 = text.parse().map_err(|_| "a time that is no number")?;
    Ok(Some(seconds).filter(|seconds| *seconds != 0))
}

/// What a device signs with: of its secret as text.
pub fn key_of_secret(key: &[u8]) -> String {
    first(&BASE64_STANDARD.encode(key))
}

/// What a device signs with: of its certificate in PEM.
pub fn key_of_certificate(pem: &str) -> Option<String> {
    let mut lines = pem.lines().skip_while(|line| !line.contains("-----BEGIN "));
    lines.nth(1).map(|line| first(line.trim_end()))
}

fn first(text: &str) -> String {
    text.chars().take(KEY).collect()
}

/// Whether the signature is one by this key.
pub fn is_signed(form: Form, request: &Request, key: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else {
        return false;
    };
    let signature = match form {
        Form::Report => {
            let (digest, signed) = request.body.split_at_checked(DIGEST).unwrap_or_default();
            mac.update(signed);
            // The contract has lower-case digits; the hex decoder would take both.
            if digest.iter().any(u8::is_ascii_uppercase) {
                return false;
            }
            hex::decode(digest).ok()
        }
        Form::Device => {
            if request.algorithm != BY_SECRET {
                return false;
            }
            mac.update(to_sign(request, &Sha1::digest(&request.body)).as_bytes());
            BASE64_STANDARD.decode(&request.signature).ok()
        }
    };
    signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok())
}

/// What the private key of a device must have signed of an upload in the later form, and the signature; `None` where that is no
/// such upload.
pub fn signed_by_private_key(form: Form, request: &Request) -> Option<(String, Vec<u8>)> {
    if form != Form::Device || request.algorithm != BY_PRIVATE_KEY {
        return None;
    }
    let signature = BASE64_STANDARD.decode(&request.signature).ok()?;
    Some((to_sign(request, &Sha256::digest(&request.body)), signature))
}

fn to_sign(request: &Request, digest: &[u8]) -> String {
    let Request { host, algorithm, timestamp, nonce, .. } = request;
    format!("POST\n{host}\n{DEVICE_PATH}\n\n{algorithm}\n{timestamp}\n{nonce}\n{}", hex::encode(digest))
}

/// The answer to an upload that was taken.
pub fn taken(form: Form) -> &'static str {
    match form {
        Form::Report => r#"{"Retcode":0,"Msg":"success"}"#,
        Form::Device => r#"{"Response":{"RequestId":"f4da4f1f-d72e-40f1"}}"#,
    }
}

/// The answer to one that was not.
pub fn refused(form: Form, why: Refusal) -> &'static str {
    match (form, why) {
        (Form::Report, Refusal::Signature) => r#"{"Retcode":-1,"Msg":"sign"}"#,
        (Form::Report, Refusal::Form) => r#"{"Retcode":-2,"Msg":"form"}"#,
        (Form::Report, Refusal::NotKept) => r#"{"Retcode":-3,"Msg":"storage"}"#,
        (Form::Device, Refusal::Signature) => {
            r#"{"Response":{"Error":{"Code":"AuthFailure","Message":"sign"},"RequestId":"r"}}"#
        }
        (Form::Device, Refusal::Form) => {
            r#"{"Response":{"Error":{"Code":"InvalidParameter","Message":"form"},"RequestId":"r"}}"#
        }
        (Form::Device, Refusal::NotKept) => {
            r#"{"Response":{"Error":{"Code":"InternalError","Message":"storage"},"RequestId":"r"}}"#
        }
    }
}

/// Why an upload is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not signed by the device's key, or too long ago.
    Signature,
    /// Not an upload.
    Form,
    /// The database did not take it.
    NotKept,
}

#[derive(Deserialize)]
struct Question {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "clientToken")]
    token: Option<String>,
}

/// Reads a device's question for its level, and returns its token. The error is what is wrong with it, in words.
pub fn read_question(payload: &[u8]) -> Result<Option<String>, String> {
    let question: Question = serde_json::from_slice(payload)
        .map_err(|error| format!("a question for the log level that cannot be read: {error}"))?;
    if question.kind == "get_log_level" {
        Ok(question.token)
    } else {
        Err(format!("a question for the log level of unknown type {:?}", question.kind))
    }
}

/// What a device is told of its level. `now` is the present UTC second.
pub fn level_text(level: u8, token: Option<&str>, now: u64) -> String {
    let token = token.map(|token| format!("\"clientToken\":{},", serde_json::Value::from(token))).unwrap_or_default();
    format!(r#"{{{token}"log_level":{level},"result":0,"timestamp":{now},"type":"get_log_level"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"1234567890abcdef";

    fn report(kind: &str, time: &str, lines: &str) -> Vec<u8> {
        format!("{kind:#<4}{:#<10}{:#<48}{time}{lines}", "P1", "dev1").into_bytes()
    }

    /// Signs by a way of its own: HMAC from its definition (RFC 2104).
    fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
        let pad = |byte: u8| (0..64).map(move |at| key.get(at).copied().unwrap_or_default() ^ byte);
        let inner = Sha1::digest(pad(0x36).chain(message.iter().copied()).collect::<Vec<_>>());
        Sha1::digest(pad(0x5c).chain(inner).collect::<Vec<_>>()).to_vec()
    }

    fn signed(rest: &[u8]) -> Request {
        let key = &b"MTIzNDU2Nzg5MGFiY2RlZg=="[..];
        let mut body = hex::encode(hmac(key, rest)).into_bytes();
        body.extend_from_slice(rest);
        Request { path: REPORT_PATH.to_owned(), body, ..Request::default() }
    }

    #[test]
    fn reads_the_earlier_form() {
        let request = signed(&report("P", "1700000000", "ERR|one\n\x0cERR|two\n\x0c"));
        let upload = read(Form::Report, &request).expect("an upload");
        assert_eq!((upload.client_id().as_str(), upload.sent_at), ("P1dev1", Some(1_700_000_000)));
        assert_eq!(upload.lines, ["ERR|one", "ERR|two"]);
        assert!(upload.is_timely(1_700_000_600) && !upload.is_timely(1_700_000_601));
        assert!(is_signed(Form::Report, &request, &key_of_secret(SECRET)));
        assert!(!is_signed(Form::Report, &request, &key_of_secret(b"another secret..")));
        let mut changed = request.clone();
        changed.body.push(b'x');
        assert!(!is_signed(Form::Report, &changed, &key_of_secret(SECRET)));
        let upper = Request { body: request.body.to_ascii_uppercase(), ..request };
        assert!(!is_signed(Form::Report, &upper, &key_of_secret(SECRET)));

        let unknown = signed(&report("C", "0000000000", ""));
        let upload = read(Form::Report, &unknown).expect("an upload");
        assert_eq!((upload.sent_at, upload.lines.len(), upload.is_timely(5)), (None, 0, true));
        for bad in [report("X", "1700000000", ""), report("P", "17000x0000", ""), b"short".to_vec()] {
            assert!(read(Form::Report, &signed(&bad)).is_err());
        }
    }

    #[test]
    fn reads_the_later_form() {
        let body = br#"{"DeviceName":"dev1","Level":"ERR","ProductId":"P1","Message":["ERR|\"one\"", "two"]}"#.to_vec();
        let text =
            format!("POST\nh:1\n/device/reportlog\n\nhmacsha1\n1700000000\n5\n{}", hex::encode(Sha1::digest(&body)));
        let request = Request {
            path: DEVICE_PATH.to_owned(),
            host: "h:1".to_owned(),
            algorithm: "hmacsha1".to_owned(),
            timestamp: "1700000000".to_owned(),
            nonce: "5".to_owned(),
            signature: BASE64_STANDARD.encode(hmac(b"MTIzNDU2Nzg5MGFiY2RlZg==", text.as_bytes())),
            body,
        };
        let upload = read(Form::Device, &request).expect("an upload");
        assert_eq!((upload.client_id().as_str(), upload.sent_at), ("P1dev1", Some(1_700_000_000)));
        assert_eq!(upload.lines, ["ERR|\"one\"", "two"]);
        let key = key_of_secret(SECRET);
        assert!(is_signed(Form::Device, &request, &key));
        assert!(!is_signed(Form::Device, &Request { nonce: "6".to_owned(), ..request.clone() }, &key));
        assert!(!is_signed(Form::Device, &Request { algorithm: "rsa-sha256".to_owned(), ..request.clone() }, &key));
        assert!(read(Form::Device, &Request { body: b"{}".to_vec(), ..request.clone() }).is_err());

        assert_eq!(signed_by_private_key(Form::Device, &request), None);
        let request = Request {
            algorithm: "rsa-sha256".to_owned(),
            signature: "AQI=".to_owned(),
            body: b"abc".to_vec(),
            ..request
        };
        // FIPS 180-2, appendix B.1.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let text = format!("POST\nh:1\n/device/reportlog\n\nrsa-sha256\n1700000000\n5\n{digest}");
        assert_eq!(signed_by_private_key(Form::Device, &request), Some((text, vec![1, 2])));
        assert_eq!(signed_by_private_key(Form::Report, &request), None);
        assert_eq!(signed_by_private_key(Form::Device, &Request { signature: "!".to_owned(), ..request }), None);
    }

    #[test]
    fn keys() {
        assert_eq!(key_of_secret(&[0; 48]), "A".repeat(24));
        assert_eq!(key_of_secret(b"a"), "YQ==");
        let pem = "text\n-----BEGIN CERTIFICATE-----\r\nMIIBszCCAVmgAwIBAgIUXXXXXXXXXX\r\nrest\n";
        assert_eq!(key_of_certificate(pem).as_deref(), Some("MIIBszCCAVmgAwIBAgIUXXXX"));
        assert_eq!(key_of_certificate("no PEM\n"), None);
    }

    #[test]
    fn levels_byte_for_byte() {
        let question = br#"{"type": "get_log_level", "clientToken": "P1-1"}"#;
        assert_eq!(read_question(question), Ok(Some("P1-1".to_owned())));
        assert!(read_question(br#"{"type":"set"}"#).is_err_and(|text| text.contains("unknown type")));
        assert!(read_question(b"{").is_err_and(|text| text.contains("cannot be read")));
        let answer = r#"{"clientToken":"P1-1","log_level":4,"result":0,"timestamp":1619599073,"type":"get_log_level"}"#;
        assert_eq!(level_text(4, Some("P1-1"), 1_619_599_073), answer);
        let push = r#"{"log_level":0,"result":0,"timestamp":5,"type":"get_log_level"}"#;
        assert_eq!(level_text(0, None, 5), push);
    }
}
