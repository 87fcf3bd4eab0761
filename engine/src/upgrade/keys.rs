//! The public keys that a program trusts.

use std::fmt;

use ed25519_compact::sha512::Hash;

use crate::helpers::hex;

/// How many bytes of a key's SHA-512 name it.
pub const KEY_ID_LEN: usize = 8;

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these bytes (RFC 8032 section 5.1.5).
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        PublicKey(bytes)
    }

    /// All keys of a text: 64 hex digits each, with blanks, commas or line ends between them.
    ///
    /// # Errors
    /// Which of them, counted from 1, is no key.
    pub fn all(text: &str) -> Result<Vec<Self>, usize> {
        let mut keys = Vec::new();
        for word in text.as_bytes().split(|byte| byte.is_ascii_whitespace() || *byte == b',') {
            if !word.is_empty() {
                keys.push(Self::parse(word).ok_or(keys.len() + 1)?);
            }
        }
        Ok(keys)
    }

    fn parse(word: &[u8]) -> Option<Self> {
        let key = PublicKey(hex::bytes(word)?);
        // A weak one would let anybody sign.
        ed25519_compact::PublicKey::new(key.0).validate().ok()?;
        Some(key)
    }

    /// What a header names the key by.
    #[must_use]
    pub fn id(&self) -> [u8; KEY_ID_LEN] {
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&Hash::hash(self.0)[..KEY_ID_LEN]);
        id
    }

    /// Whether `signature` is this key's for `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_compact::Signature::new(*signature);
        ed25519_compact::PublicKey::new(self.0).verify(message, &signature).is_ok()
    }
}

/// As [`PublicKey::all`] reads it.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        octets(text).try_into().unwrap()
    }

    fn octets(text: &str) -> Vec<u8> {
        text.as_bytes().chunks_exact(2).map(|pair| hex::byte(pair[0], pair[1]).unwrap()).collect()
    }

    /// RFC 8032 section 7.1: public key, message, signature of tests 1, 2, 3 and SHA(abc).
    const VECTORS: [(&str, &str, &str); 4] = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];

    #[test]
    fn the_vectors_of_rfc_8032_hold_and_nothing_beside_them() {
        for (key, message, signature) in &VECTORS {
            let message = octets(message);
            let key = PublicKey::new(bytes(key));
            let signature: [u8; 64] = bytes(signature);
            assert!(key.verifies(&message, &signature));
            for byte in 0..64 {
                let mut wrong = signature;
                wrong[byte] ^= 1 << (byte % 8);
                assert!(!key.verifies(&message, &wrong), "byte {byte}");
            }
            assert!(!key.verifies(&[&message[..], b"x"].concat(), &signature));
        }
    }

    #[test]
    fn keys_are_read_from_text_and_bad_ones_are_named() {
        let [first, second] = [VECTORS[0].0, VECTORS[1].0];
        let both = PublicKey::all(&format!(" {first},\n{}", second.to_uppercase())).unwrap();
        assert_eq!(both, [PublicKey::new(bytes(first)), PublicKey::new(bytes(second))]);
        assert_eq!(PublicKey::all(" \n"), Ok(vec![]));
        let weak = "01".to_owned() + &"00".repeat(31);
        for bad in [&first[1..], &first[2..], &first.replace('d', "g"), &(first.to_owned() + "00"), &weak] {
            assert_eq!(PublicKey::all(&format!("{first} {bad}")), Err(2), "{bad}");
        }
        assert_ne!(both[0].id(), both[1].id());
    }
}
