//! HMAC-SHA1 (RFC 2104), by which a device and its product prove that they know their secret.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Bytes of a code.
pub const LEN: usize = 20;

/// The code of `parts`, one after the other, by `key` of any length.
#[must_use]
pub fn code(key: &[u8], parts: &[&[u8]]) -> [u8; LEN] {
    // HMAC takes keys of any length, so this never fails.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
        return [0; LEN];
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpers::hex;

    /// RFC 2202 section 3, cases 2, 3 and 6: a short key, one of 20 bytes, and one longer than a block.
    #[test]
    fn codes_are_those_of_the_rfc_however_the_text_is_cut() {
        let (short, block, long) = (&b"Jefe"[..], &[0xAA; 20][..], &[0xAA; 80][..]);
        let cases: [(&[u8], &[u8], &str); 3] = [
            (short, b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (block, &[0xDD; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
            (
                long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
        ];
        for (key, text, expected) in cases {
            assert_eq!(hex::text(&code(key, &[text])), expected);
            assert_eq!(hex::text(&code(key, &[&text[..7], b"", &text[7..]])), expected);
        }
    }
}
