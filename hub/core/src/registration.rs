//! Dynamic registration as the cloud does it (dynreg.md): what a device asks for, and the reply.

use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::prelude::{Engine, BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{json, Value};
use sha1::{Digest, Sha1};

use crate::model::NewDevice;

/// Where devices register on the firmware server.
pub const PATH: &str = "/register/dev";
/// Where those of the C SDK 3.3.0 do.
pub const SIGNED_HEAD_PATH: &str = "/device/register";
/// Longest request in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;

/// Shortest and longest product secret in characters.
pub const MIN_SECRET: usize = 16;
/// Longest product secret in characters.
pub const MAX_SECRET: usize = 32;

const BLOCK: usize = 16;

/// Why a device is not registered. The cloud's numbers are not known; these are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is none.
    Malformed,
    /// The signature is not that of the product's secret.
    Signature,
    /// No such product.
    Product,
    /// No such device.
    Device,
    /// The device has been there already.
    InUse,
    /// The product's switch is off.
    Off,
    /// The certificate of its own is of no use.
    Certificate,
    /// The hub has failed.
    Failed,
}

impl Refusal {
    fn code(self) -> u16 {
        match self {
            Refusal::Failed => 1003,
            Refusal::Malformed => 1004,
            Refusal::Signature => 1005,
            Refusal::Product => 1006,
            Refusal::Device => 1007,
            Refusal::InUse => 1008,
            Refusal::Off => 1009,
            Refusal::Certificate => 1010,
        }
    }

    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Refusal::Malformed => "the request is malformed",
            Refusal::Signature => "the signature is wrong",
            Refusal::Product => "the product has no secret",
            Refusal::Device => "the device is unknown",
            Refusal::InUse => "the device has been here already",
            Refusal::Off => "registration is switched off",
            Refusal::Certificate => "the certificate is of no use",
            Refusal::Failed => "the hub has failed",
        }
    }

    /// The reply.
    pub fn reply(self) -> String {
        json!({ "code": self.code(), "message": self.text(), "len": 0, "payload": "" }).to_string()
    }
}

/// How device and cloud talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the C SDK 3.2.3 does: the signature stands in the body.
    SignedBody,
    /// As 3.3.0: the signature stands in the head.
    SignedHead,
}

/// The form that a path stands for.
pub fn form(path: &str) -> Option<Form> {
    match path {
        PATH => Some(Form::SignedBody),
        SIGNED_HEAD_PATH => Some(Form::SignedHead),
        _ => None,
    }
}

impl Form {
    /// A reply of [`Form::SignedBody`] as this form has it.
    pub fn reply(self, reply: String) -> String {
        if self == Form::SignedBody {
            return reply;
        }
        let Ok(reply) = serde_json::from_str::<Value>(&reply) else { return reply };
        // Whatever makes the other form's reply longer.
        let id = reply["message"].as_str().filter(|text| !text.is_empty()).unwrap_or("f4da4f1f-d72e-40f1");
        let response = match &reply["code"] {
            code if code == 0 => json!({ "Len": reply["len"], "Payload": reply["payload"], "RequestId": id }),
            code => {
                let error = json!({ "Code": format!("FailedOperation.{code}"), "Message": reply["message"] });
                json!({ "Error": error, "RequestId": "f4da4f1f-d72e-40f1" })
            }
        };
        json!({ "Response": response }).to_string()
    }
}

/// A request as it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Posted<'a> {
    /// The header `Host`.
    pub host: &'a str,
    /// The headers `X-TC-...`: what signs, when, with which number, and the signature.
    pub algorithm: &'a str,
    /// Seconds.
    pub timestamp: &'a str,
    /// A random number.
    pub nonce: &'a str,
    /// Base64.
    pub signature: &'a str,
    /// As it is.
    pub body: &'a [u8],
}

/// What a device asks with.
pub struct Request {
    /// Its product.
    pub product_id: String,
    /// Its name.
    pub device_name: String,
    /// A certificate of its own, as PEM, by which it wants to be known.
    pub certificate: Option<String>,
    /// What is signed.
    text: String,
    /// The signature, where it is one.
    given: Option<Vec<u8>>,
}

/// The body that is signed itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedBody {
    product_id: String,
    device_name: String,
    nonce: u64,
    timestamp: u64,
    signature: String,
}

/// The body whose head is signed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlainBody {
    product_id: String,
    device_name: String,
    #[serde(rename = "clientCert")]
    certificate: Option<String>,
}

impl Request {
    /// Reads a request.
    pub fn parse(form: Form, posted: &Posted) -> Result<Self, Refusal> {
        match form {
            Form::SignedBody => {
                let body = serde_json::from_slice(posted.body).map_err(|_| Refusal::Malformed)?;
                let SignedBody { product_id, device_name, nonce, timestamp, signature } = body;
                let text =
                    format!("deviceName={device_name}&nonce={nonce}&productId={product_id}&timestamp={timestamp}");
                // Base64 of the hex digits, not of the bytes.
                let given = BASE64_STANDARD.decode(signature).ok().and_then(|digits| hex::decode(digits).ok());
                Ok(Request { product_id, device_name, certificate: None, text, given })
            }
            Form::SignedHead => {
                let PlainBody { product_id, device_name, certificate } =
                    serde_json::from_slice(posted.body).map_err(|_| Refusal::Malformed)?;
                let Posted { host, algorithm, timestamp, nonce, signature, body } = posted;
                if *algorithm != "hmacsha1" {
                    return Err(Refusal::Malformed);
                }
                let digest = hex::encode(Sha1::digest(body));
                let text = format!("POST\n{host}\n{SIGNED_HEAD_PATH}\n\n{algorithm}\n{timestamp}\n{nonce}\n{digest}");
                let given = BASE64_STANDARD.decode(signature).ok();
                Ok(Request { product_id, device_name, certificate, text, given })
            }
        }
    }

    /// Whether whoever asks knows the product's secret.
    pub fn check(&self, secret: &str) -> Result<(), Refusal> {
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map_err(|_| Refusal::Failed)?;
        mac.update(self.text.as_bytes());
        let given = self.given.as_deref().ok_or(Refusal::Signature)?;
        mac.verify_slice(given).map_err(|_| Refusal::Signature)
    }
}

/// What is wrong, on purpose, with a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Twist {
    /// It refuses with this code and reason, and nobody is registered.
    Code(u16, String),
    /// It is encrypted with another key.
    Key,
    /// It says this `encryptionType`.
    Type(u64),
    /// Its `psk` has so many characters.
    Psk(usize),
    /// It has no `psk`.
    NoPsk,
    /// Its payload is no base64.
    NoBase64,
    /// Its payload lacks so many bytes at the end.
    Short(usize),
    /// Its body has so many bytes, where it has not more by itself.
    Body(usize),
}

/// The reply where a twist says that there is no registration.
pub fn twisted_refusal(twists: &[Twist]) -> Option<String> {
    twists.iter().find_map(|twist| match twist {
        Twist::Code(code, reason) => {
            Some(json!({ "code": code, "message": reason, "len": 0, "payload": "" }).to_string())
        }
        _ => None,
    })
}

/// The reply that brings a device what it proves itself with, and what is wrong with it.
pub fn grant(secret: &str, new: &NewDevice, twists: &[Twist]) -> Result<String, Refusal> {
    let plain = match (&new.secret, &new.certificate) {
        (Some(psk), _) => json!({ "encryptionType": 2, "psk": psk }),
        (None, Some(pair)) => {
            json!({ "encryptionType": 1, "clientCert": pair.certificate, "clientKey": pair.private_key })
        }
        (None, None) => return Err(Refusal::Failed),
    };
    seal(secret, plain, twists)
}

/// The reply to a device that is known by a certificate of its own from now on.
pub fn adopted(secret: &str, twists: &[Twist]) -> Result<String, Refusal> {
    seal(secret, json!({ "encryptionType": 1 }), twists)
}

/// The reply with this text.
fn seal(secret: &str, mut plain: Value, twists: &[Twist]) -> Result<String, Refusal> {
    let mut key = secret.to_owned();
    for twist in twists {
        match twist {
            Twist::Key => key = secret.bytes().rev().map(|byte| char::from(byte ^ 1)).collect(),
            Twist::Type(kind) => plain["encryptionType"] = json!(kind),
            Twist::Psk(length) => plain["psk"] = json!("A".repeat(*length)),
            Twist::NoPsk => {
                plain.as_object_mut().and_then(|plain| plain.remove("psk"));
            }
            Twist::Code(..) | Twist::NoBase64 | Twist::Short(_) | Twist::Body(_) => {}
        }
    }
    let plain = plain.to_string();
    let mut payload = encrypt(&key, plain.as_bytes())?;
    for twist in twists {
        if let Twist::Short(missing) = twist {
            payload.truncate(payload.len().saturating_sub(*missing));
        }
    }
    let payload =
        if twists.contains(&Twist::NoBase64) { "*no*base64*".to_owned() } else { BASE64_STANDARD.encode(payload) };
    let reply =
        |message: &str| json!({ "code": 0, "message": message, "len": plain.len(), "payload": payload }).to_string();
    let good = reply("");
    let missing = twists.iter().find_map(|twist| match twist {
        Twist::Body(length) => length.checked_sub(good.len()),
        _ => None,
    });
    Ok(missing.map_or(good, |missing| reply(&"x".repeat(missing))))
}

/// AES-128-CBC, filled up with one to sixteen zeros.
fn encrypt(secret: &str, plain: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut bytes = plain.to_vec();
    bytes.resize((plain.len() / BLOCK + 1) * BLOCK, 0);
    let key = secret.as_bytes().get(..BLOCK).ok_or(Refusal::Failed)?;
    let cipher = cbc::Encryptor::<aes::Aes128>::new_from_slices(key, &[b'0'; BLOCK]);
    let mut cipher = cipher.map_err(|_| Refusal::Failed)?;
    for block in bytes.chunks_exact_mut(BLOCK) {
        cipher.encrypt_block(block.try_into().map_err(|_| Refusal::Failed)?);
    }
    Ok(bytes)
}

/// What is wrong with a product secret.
pub fn check_secret(secret: &str) -> Result<(), String> {
    let is_fine =
        (MIN_SECRET..=MAX_SECRET).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
    if is_fine {
        Ok(())
    } else {
        Err(format!("must be {MIN_SECRET} to {MAX_SECRET} printable characters of ASCII, without blanks"))
    }
}

#[cfg(test)]
mod tests {
    use aes::cipher::BlockModeDecrypt;

    use super::*;

    /// The vectors of dynreg.md sections 2 and 3.
    const SECRET: &str = "0123456789abcdef01234567";
    const REQUEST: &str = r#"{"deviceName":"dev01","nonce":1741681695,"productId":"C1PRODUCT1","timestamp":1795887523,"signature":"MzNhOWE5OTNlOGVhMmM0YzA5ZTg1YjQwM2ExM2U0ODUyMTMwMGRkOQ=="}"#;

    #[test]
    fn the_contracts_request_is_taken_and_a_changed_one_is_not() {
        let parse = |body: &str| {
            let posted = Posted { body: body.as_bytes(), ..Posted::default() };
            Request::parse(Form::SignedBody, &posted)
        };
        let request = parse(REQUEST).expect("a request");
        assert_eq!((request.product_id.as_str(), request.device_name.as_str()), ("C1PRODUCT1", "dev01"));
        assert_eq!(request.check(SECRET), Ok(()));
        assert_eq!(request.check("0123456789abcdef01234568"), Err(Refusal::Signature));
        for (from, to) in [("dev01", "dev02"), ("1741681695", "1741681696"), ("1795887523", "1"), ("MzNh", "MzNi")] {
            let changed = parse(&REQUEST.replace(from, to)).expect("a request");
            assert_eq!(changed.check(SECRET), Err(Refusal::Signature), "{to}");
        }
        for body in ["", "{}", "no JSON", &REQUEST.replace("\"nonce\"", "\"n\"")] {
            assert_eq!(parse(body).err(), Some(Refusal::Malformed), "{body}");
        }
    }

    /// The vector of dynreg.md section 5.
    #[test]
    fn the_contracts_signed_head_is_taken_and_a_changed_one_is_not() {
        let good = Posted {
            host: "ap-guangzhou.gateway.tencentdevices.com",
            algorithm: "hmacsha1",
            timestamp: "1609430400",
            nonce: "378626276",
            signature: "1V7J7VDy6oiJy6PxUUbtzryvgEM=",
            body: br#"{"ProductId":"C1PRODUCT1","DeviceName":"dev01"}"#,
        };
        let check = |posted: Posted| Request::parse(Form::SignedHead, &posted)?.check(SECRET);
        assert_eq!(check(good), Ok(()));
        let changed_body = br#"{"ProductId":"C1PRODUCT1","DeviceName":"dev02"}"#;
        for changed in [
            Posted { host: "us-east.gateway.tencentdevices.com", ..good },
            Posted { timestamp: "1609430401", ..good },
            Posted { nonce: "1", ..good },
            Posted { signature: "1V7J7VDy6oiJy6PxUUbtzryvgEA=", ..good },
            Posted { signature: "no base64", ..good },
            Posted { body: changed_body, ..good },
        ] {
            assert_eq!(check(changed), Err(Refusal::Signature), "{changed:?}");
        }
        assert_eq!(check(Posted { algorithm: "rsa-sha256", ..good }), Err(Refusal::Malformed));
        assert_eq!(check(Posted { body: b"{}", ..good }), Err(Refusal::Malformed));
    }

    #[test]
    fn a_reply_has_the_form_of_the_request() {
        let granted = seal(SECRET, json!({ "encryptionType": 2, "psk": "psk" }), &[]).expect("a reply");
        assert_eq!(Form::SignedBody.reply(granted.clone()), granted);
        let one: Value = serde_json::from_str(&granted).expect("JSON");
        let other: Value = serde_json::from_str(&Form::SignedHead.reply(granted)).expect("JSON");
        assert_eq!((&other["Response"]["Len"], &other["Response"]["Payload"]), (&one["len"], &one["payload"]));
        let refused: Value = serde_json::from_str(&Form::SignedHead.reply(Refusal::Off.reply())).expect("JSON");
        assert_eq!(refused["Response"]["Error"]["Code"], "FailedOperation.1009");
        assert_eq!(refused["Response"]["Error"]["Message"], Refusal::Off.text());
    }

    #[test]
    fn the_payload_is_the_contracts() {
        let payload = "utkU+JMoQ9Xlnldd66IE8jX1ThSWJUimWVzONyOmip6Mckx123WzeEnaD4ekkPo5IdsAgQlPgZ8kEfMyXdkcRQ==";
        let plain = r#"{"encryptionType":2,"psk":"MTIzNDU2Nzg5MGFiY2RlZg=="}"#;
        assert_eq!(
            encrypt(SECRET, plain.as_bytes()).map(|bytes| BASE64_STANDARD.encode(bytes)),
            Ok(payload.to_owned())
        );
        assert_eq!(encrypt("short", b"x"), Err(Refusal::Failed));
    }

    /// A reply, and the payload's bytes and plain text where they are some.
    fn open(reply: &str, key: &str) -> (Value, Option<Vec<u8>>, Option<Value>) {
        let reply: Value = serde_json::from_str(reply).expect("JSON");
        let sealed = BASE64_STANDARD.decode(reply["payload"].as_str().expect("text")).ok();
        let plain = sealed.clone().filter(|bytes| bytes.len() % BLOCK == 0).and_then(|mut bytes| {
            let key = key.as_bytes().get(..BLOCK)?;
            let mut cipher = cbc::Decryptor::<aes::Aes128>::new_from_slices(key, &[b'0'; BLOCK]).ok()?;
            for block in bytes.chunks_exact_mut(BLOCK) {
                cipher.decrypt_block(block.try_into().ok()?);
            }
            let length = usize::try_from(reply["len"].as_u64()?).ok()?;
            serde_json::from_slice(bytes.get(..length)?).ok()
        });
        (reply, sealed, plain)
    }

    #[test]
    fn twists_change_what_they_say_and_no_more() {
        let psk = "MTIzNDU2Nzg5MGFiY2RlZg==";
        let good = json!({ "encryptionType": 2, "psk": psk });
        let reply = |twists: &[Twist]| seal(SECRET, good.clone(), twists).expect("a reply");
        let twisted = |twist: Twist| open(&reply(&[twist]), SECRET);
        let plain = |twist: Twist| twisted(twist).2;
        assert_eq!(open(&reply(&[]), SECRET).2, Some(good.clone()));
        assert_eq!(plain(Twist::Type(1)), Some(json!({ "encryptionType": 1, "psk": psk })));
        assert_eq!(plain(Twist::Psk(65)), Some(json!({ "encryptionType": 2, "psk": "A".repeat(65) })));
        assert_eq!(plain(Twist::NoPsk), Some(json!({ "encryptionType": 2 })));
        let (_, sealed, wrong) = twisted(Twist::Key);
        assert_eq!((sealed.map(|bytes| bytes.len()), wrong), (Some(64), None));
        assert_eq!(twisted(Twist::NoBase64).1, None);
        assert_eq!(twisted(Twist::Short(1)).1.map(|bytes| bytes.len()), Some(63));
        for length in [255, 256, 6000, 70_000] {
            let reply = reply(&[Twist::Body(length)]);
            assert_eq!(reply.len(), length);
            assert_eq!(open(&reply, SECRET).2, Some(good.clone()));
        }
        // Shorter than it is can't be.
        assert_eq!(plain(Twist::Body(10)), Some(good.clone()));
        assert_eq!(twisted_refusal(&[Twist::Key]), None);
        let refused = twisted_refusal(&[Twist::Key, Twist::Code(1234, "why".to_owned())]).expect("a reply");
        let refused: Value = serde_json::from_str(&refused).expect("JSON");
        assert_eq!(refused, json!({ "code": 1234, "message": "why", "len": 0, "payload": "" }));
    }

    #[test]
    fn product_secrets_have_16_to_32_characters() {
        for (secret, is_fine) in [
            ("0123456789abcde", false),
            ("0123456789abcdef", true),
            ("0123456789abcdef0123456789abcdef", true),
            ("0123456789abcdef0123456789abcdef0", false),
            ("0123456789 abcdef", false),
        ] {
            assert_eq!(check_secret(secret).is_ok(), is_fine, "{secret}");
        }
    }
}
