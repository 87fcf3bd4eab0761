//! Gateways: which devices are behind which, and how a device proves that it may be bound (gateway contract, section 7).
//! No I/O and no clock.

pub mod message;

use base64::prelude::{Engine, BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use message::Proof;

/// The contract's results of a request, as the gateway is told them.
pub mod result {
    /// Done.
    pub const DONE: i64 = 0;
    /// The device is not bound to this gateway.
    pub const NOT_BOUND: i64 = -1;
    /// The request makes no sense.
    pub const BAD_REQUEST: i64 = 801;
    /// There is no such device.
    pub const NO_DEVICE: i64 = 802;
    /// The signature is not the device's.
    pub const BAD_SIGNATURE: i64 = 803;
    /// It is made in a way that is not known.
    pub const BAD_METHOD: i64 = 804;
    /// It was made too long ago.
    pub const EXPIRED: i64 = 805;
    /// Another gateway has the device.
    pub const BOUND_ELSEWHERE: i64 = 806;
    /// The device is the gateway itself.
    pub const NOT_BINDABLE: i64 = 807;
    /// The device has a connection of its own.
    pub const NOT_ALLOWED: i64 = 808;
    /// This gateway has the device already.
    pub const BOUND_ALREADY: i64 = 809;
}

/// Seconds by which a gateway's clock may be wrong.
const CLOCK: u64 = 300;

/// What a device signs with.
pub enum Secret {
    /// The secret as it stands in its `device_info.json`.
    Text(String),
    /// The certificate's file.
    Certificate(Vec<u8>),
}

impl Secret {
    /// How the request names it.
    fn kind(&self) -> &'static str {
        match self {
            Secret::Text(_) => "psk",
            Secret::Certificate(_) => "certificate",
        }
    }

    fn key(&self) -> Vec<u8> {
        match self {
            Secret::Text(text) => text.as_bytes().to_vec(),
            Secret::Certificate(file) => hex::encode(Md5::digest(file)).into_bytes(),
        }
    }
}

/// Whether a device has agreed to be bound: a result of the contract. `names` are its product id and its name without a
/// separator, `now` is UTC in seconds.
pub fn check(proof: &Proof, names: &str, secret: &Secret, now: u64) -> i64 {
    if now.abs_diff(proof.timestamp) > CLOCK {
        return result::EXPIRED;
    }
    let Ok(signature) = BASE64_STANDARD.decode(&proof.signature) else {
        return result::BAD_SIGNATURE;
    };
    let text = format!("{names};{};{}", proof.random, proof.timestamp);
    let right = match proof.method.as_str() {
        "hmacsha1" => Hmac::<Sha1>::new_from_slice(&secret.key())
            .is_ok_and(|mac| mac.chain_update(&text).verify_slice(&signature).is_ok()),
        "hmacsha256" => Hmac::<Sha256>::new_from_slice(&secret.key())
            .is_ok_and(|mac| mac.chain_update(&text).verify_slice(&signature).is_ok()),
        _ => return result::BAD_METHOD,
    };
    if right && proof.kind == secret.kind() {
        result::DONE
    } else {
        result::BAD_SIGNATURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(signature: &str, random: u64, timestamp: u64) -> Proof {
        Proof {
            signature: signature.to_owned(),
            random,
            timestamp,
            method: "hmacsha1".to_owned(),
            kind: "psk".to_owned(),
        }
    }

    #[test]
    fn the_contracts_vectors() {
        let secret = Secret::Text("c2VjcmV0c2VjcmV0MTIzNA==".to_owned());
        let good = proof("EwpZODx3+SYPhsINFYnkqerZzm4=", 805_570_441, 1_795_888_156);
        assert_eq!(check(&good, "SUBPROD001d1", &secret, 1_795_888_156), result::DONE);
        assert_eq!(check(&good, "SUBPROD001d2", &secret, 1_795_888_156), result::BAD_SIGNATURE);
        assert_eq!(
            check(&good, "SUBPROD001d1", &Secret::Text("other".to_owned()), 1_795_888_156),
            result::BAD_SIGNATURE
        );
        for (now, expected) in [
            (1_795_888_156 - CLOCK, result::DONE),
            (1_795_888_156 + CLOCK, result::DONE),
            (1_795_888_156 - CLOCK - 1, result::EXPIRED),
            (1_795_888_156 + CLOCK + 1, result::EXPIRED),
        ] {
            assert_eq!(check(&good, "SUBPROD001d1", &secret, now), expected, "{now}");
        }
        let other = |change: fn(&mut Proof)| {
            let mut odd = good.clone();
            change(&mut odd);
            check(&odd, "SUBPROD001d1", &secret, 1_795_888_156)
        };
        assert_eq!(other(|odd| odd.method = "md5".to_owned()), result::BAD_METHOD);
        assert_eq!(other(|odd| odd.method = "hmacsha256".to_owned()), result::BAD_SIGNATURE);
        assert_eq!(other(|odd| odd.kind = "certificate".to_owned()), result::BAD_SIGNATURE);
        assert_eq!(other(|odd| odd.random += 1), result::BAD_SIGNATURE);
        assert_eq!(other(|odd| odd.signature.push('!')), result::BAD_SIGNATURE);
        assert_eq!(other(|odd| odd.signature.clear()), result::BAD_SIGNATURE);
    }

    #[test]
    fn the_other_method_counts_too() {
        let secret = Secret::Text("key".to_owned());
        // printf 'Pd;1;100' | openssl dgst -sha256 -hmac key -binary | base64
        let signature = "3erUE6LwCiZv62Utmj5gf4mEKu/JmbwF7KL2xKwZvQw=";
        let proof = Proof { method: "hmacsha256".to_owned(), ..proof(signature, 1, 100) };
        assert_eq!(check(&proof, "Pd", &secret, 100), result::DONE);
    }

    #[test]
    fn a_certificate_signs_with_its_md5() {
        let file = b"a certificate";
        // printf 'Pd;1;100' | openssl dgst -sha1 -hmac "$(printf 'a certificate' | md5sum | cut -c1-32)" -binary | base64
        let signature = "qFelkHuzICw78brUrK5xjxkM5Io=";
        let proof = Proof { kind: "certificate".to_owned(), ..proof(signature, 1, 100) };
        assert_eq!(check(&proof, "Pd", &Secret::Certificate(file.to_vec()), 100), result::DONE);
        assert_eq!(check(&proof, "Pd", &Secret::Certificate(b"another".to_vec()), 100), result::BAD_SIGNATURE);
    }
}
