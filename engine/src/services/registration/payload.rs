//! The encrypted part of a reply: AES-128-CBC with the front of the product secret for a key.

use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::Aes128;
use cbc::Decryptor;
use zeroize::Zeroizing;

use super::Failure;
use crate::helpers::base64;

const BLOCK: usize = 16;
/// As the cloud has it: sixteen times the character 0.
const IV: [u8; BLOCK] = [b'0'; BLOCK];

/// The plain text of `payload`, cut at `len` where it is that long. The bytes that fill the last block may stand behind it:
/// a JSON reader stops before them.
pub(super) fn decrypt(payload: &[u8], len: Option<usize>, product_secret: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = base64::bytes(payload).ok_or(Failure::Unusable("its payload is not base64"))?;
    let mut plain = Zeroizing::new(bytes);
    if plain.is_empty() || plain.len() % BLOCK != 0 {
        return Err(Failure::Unusable("its payload is not made of whole blocks"));
    }
    let key = product_secret.as_bytes().get(..BLOCK).ok_or(Failure::ShortSecret)?;
    let cipher = Decryptor::<Aes128>::new_from_slices(key, &IV);
    let mut cipher = cipher.map_err(|_| Failure::Unusable("its key does not fit"))?;
    for block in plain.chunks_exact_mut(BLOCK) {
        if let Ok(block) = block.try_into() {
            cipher.decrypt_block(block);
        }
    }
    if let Some(len) = len {
        plain.truncate(len);
    }
    Ok(plain)
}
