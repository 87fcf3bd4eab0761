//! Any answer to a registration: as the bytes of a connection, cut anywhere, and as the plain text that the cloud encrypted.
//! What is believed must stand in the JSON as serde_json reads it, and what is good there must be believed.
#![no_main]

use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use iot_engine::http::reply::{Answer, Need, Reply};
use iot_engine::services::registration::{Credentials, Failure, Registration, Wanted, MAX_BODY};
use iot_fuzz::{has_a_key_twice, Cuts};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const SECRET: &str = "0123456789abcdef01234567";

fn registration(wanted: Wanted) -> Registration {
    Registration::new("C1PRODUCT1", "dev01", SECRET, wanted).expect("fine names and a fine secret")
}

fn body_of(plain: &[u8]) -> Vec<u8> {
    let mut bytes = plain.to_vec();
    bytes.resize(plain.len().next_multiple_of(16), 0);
    let key = &SECRET.as_bytes()[..16];
    let mut cipher = cbc::Encryptor::<aes::Aes128>::new_from_slices(key, &[b'0'; 16]).expect("lengths that fit");
    for block in bytes.chunks_exact_mut(16) {
        cipher.encrypt_block(block.try_into().expect("a block"));
    }
    format!(r#"{{"code":0,"len":{},"payload":"{}"}}"#, plain.len(), STANDARD.encode(bytes)).into_bytes()
}

/// The bytes of a connection.
fn stream(bytes: &[u8], seed: u8) {
    let mut reply = Reply::new(MAX_BODY);
    let mut cuts = Cuts::new(seed);
    let mut rest = bytes;
    while let Some(need) = reply.need() {
        let most = match need {
            Need::Bytes(left) => left.min(rest.len()),
            Need::Unknown => rest.len(),
        };
        if most == 0 {
            reply.closed();
            break;
        }
        let (piece, behind) = rest.split_at(cuts.next(most));
        reply.room(piece.len()).copy_from_slice(piece);
        reply.received(piece.len());
        rest = behind;
    }
    let Ok(answer) = reply.into_answer() else { return };
    assert!(answer.body.len() <= MAX_BODY);
    for wanted in [Wanted::Secret, Wanted::Certificate] {
        if let Err(failure) = registration(wanted).read(&answer) {
            assert!(!failure.to_string().is_empty());
        }
    }
}

/// What the cloud encrypted.
fn plain_text(plain: &[u8]) {
    let answer = Answer { status: 200, body: body_of(plain) };
    let read = |wanted| registration(wanted).read(&answer);
    let (secret, certificate) = (read(Wanted::Secret), read(Wanted::Certificate));
    assert!(secret.is_err() || certificate.is_err());
    for result in [&secret, &certificate] {
        assert!(matches!(result, Ok(_) | Err(Failure::Unusable(_))));
    }
    // The library takes more than serde_json does: compared is what both read.
    let Ok(text) = std::str::from_utf8(plain) else { return };
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else { return };
    if plain.contains(&0) || has_a_key_twice(text) {
        return;
    }
    let string = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is_type = |wanted: i64| object.get("encryptionType").and_then(Value::as_i64) == Some(wanted);
    match secret {
        Ok(Credentials::Secret(psk)) => assert_eq!(string("psk"), Some(psk.as_str())),
        Ok(Credentials::Certificate { .. } | Credentials::ItsOwn) => panic!("a certificate for a secret"),
        Err(_) => assert!(
            !is_type(2) || string("psk").is_none_or(|psk| psk.len() > 64 || STANDARD.decode(psk).is_err()),
            "{text}"
        ),
    }
    match certificate {
        Ok(Credentials::Certificate { certificate, key }) => {
            assert_eq!(string("clientCert"), Some(certificate.as_str()));
            assert_eq!(string("clientKey"), Some(key.as_str()));
        }
        Ok(Credentials::Secret(_)) => panic!("a secret for a certificate"),
        Ok(Credentials::ItsOwn) => panic!("its own for a device that has told none"),
        Err(_) => {
            assert!(!is_type(1) || string("clientCert").is_none() || string("clientKey").is_none(), "{text}");
        }
    }
}

fuzz_target!(|input: &[u8]| {
    match input {
        [b'p', plain @ ..] => plain_text(plain),
        [seed, bytes @ ..] => stream(bytes, *seed),
        [] => {}
    }
});
