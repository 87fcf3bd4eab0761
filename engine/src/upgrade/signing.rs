//! Writes what [`signed`](super::signed) reads: for those who sign, never for a device.

use ed25519_compact::{KeyPair, Seed};
use zeroize::Zeroizing;

use super::keys::PublicKey;
use super::signed::{ALGORITHM, FORMAT, HEADER_LEN, MAGIC, SIGNED_LEN};

/// An Ed25519 secret key, by the 32 bytes that it is made from (RFC 8032 section 5.1.5).
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        SecretKey(bytes)
    }

    /// Whose signatures are taken by it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::new(*self.pair().pk)
    }

    fn pair(&self) -> KeyPair {
        KeyPair::from_seed(Seed::new(*self.0))
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.pair().sk.sign(message, None)
    }
}

/// What is said of an image by signing it.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Bytes of the image.
    pub image_size: u32,
    /// When it is signed, in seconds since 1970.
    pub signed_at: u64,
    /// The product it is for.
    pub product_id: &'a str,
    /// Its version.
    pub version: &'a str,
    /// SHA-512 of the image.
    pub digest: [u8; 64],
}

/// The header of an image of which this is so. `None`: product or version is not 1 to 32 printable ASCII characters
/// without blanks.
#[must_use]
pub fn header(key: &SecretKey, claim: &Claim) -> Option<[u8; HEADER_LEN]> {
    let mut signed = Vec::with_capacity(HEADER_LEN);
    signed.extend_from_slice(&MAGIC);
    signed.extend_from_slice(&[FORMAT, ALGORITHM, 1, 0]);
    signed.extend_from_slice(&u64::from(claim.image_size).to_be_bytes());
    signed.extend_from_slice(&claim.signed_at.to_be_bytes());
    signed.extend_from_slice(&key.public().id());
    signed.extend_from_slice(&field(claim.product_id)?);
    signed.extend_from_slice(&field(claim.version)?);
    signed.extend_from_slice(&claim.digest);
    signed.resize(SIGNED_LEN, 0);
    let signature = key.sign(&signed);
    signed.extend_from_slice(&signature);
    signed.try_into().ok()
}

fn field(text: &str) -> Option<[u8; 32]> {
    let mut field = [0; 32];
    let is_fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    field.get_mut(..text.len()).filter(|_| is_fine)?.copy_from_slice(text.as_bytes());
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::super::signed::{judge, Header, Refusal, Terms};
    use super::*;
    use crate::helpers::hex;

    fn key(seed: [u8; 32]) -> SecretKey {
        SecretKey::new(Zeroizing::new(seed))
    }

    const CLAIM: Claim =
        Claim { image_size: 26, signed_at: 1_700_000_000, product_id: "PRODUCTIDX", version: "1.3.0", digest: [7; 64] };

    /// RFC 8032 section 7.1: secret key, public key, message, signature of tests 1, 2 and 3.
    #[test]
    fn the_vectors_of_rfc_8032_are_signed_as_they_stand_there() {
        let vectors: [(&str, &str, &[u8], &str); 3] = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                b"",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                b"\x72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                b"\xaf\x82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (secret, public, message, signature) in vectors {
            let key = key(hex::bytes(secret.as_bytes()).unwrap());
            assert_eq!(key.public(), PublicKey::new(hex::bytes(public.as_bytes()).unwrap()));
            assert_eq!(key.public().to_string(), public);
            assert_eq!(key.sign(message), hex::bytes(signature.as_bytes()).unwrap());
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_taken() {
        let key = key([1; 32]);
        let file = header(&key, &CLAIM).unwrap();
        let read = Header::parse(&file).unwrap();
        assert_eq!((read.image_size, read.signed_at, read.digest), (26, 1_700_000_000, [7; 64]));
        assert_eq!((read.product_id.as_str(), read.version.as_str()), ("PRODUCTIDX", "1.3.0"));
        assert_eq!(read.key_id, key.public().id());
        let (own, other) = ([key.public()], [PublicKey::new([9; 32])]);
        let terms = Terms {
            keys: &own,
            product_id: "PRODUCTIDX",
            version: "1.3.0",
            not_older_than: [None; 2],
            file_size: 256 + 26,
        };
        assert_eq!(judge(&file, &terms), Ok(Some(read)));
        assert_eq!(judge(&file, &Terms { keys: &other, ..terms }), Err(Refusal::UnknownKey));
        // The same is signed the same.
        assert_eq!(header(&key, &CLAIM), Some(file));
    }

    #[test]
    fn names_that_a_header_can_not_hold_are_refused() {
        let key = key([1; 32]);
        let longest = "v".repeat(32);
        for good in ["1", &longest] {
            let read =
                header(&key, &Claim { version: good, product_id: good, ..CLAIM }).map(|file| Header::parse(&file));
            assert_eq!(read.unwrap().unwrap().version, good);
        }
        let too_long = "v".repeat(33);
        for bad in ["", "1 0", "1\0", "ü", &too_long] {
            assert_eq!(header(&key, &Claim { version: bad, ..CLAIM }), None, "{bad:?}");
            assert_eq!(header(&key, &Claim { product_id: bad, ..CLAIM }), None, "{bad:?}");
        }
    }
}
