//! The SHA-512 of an image while it streams.

use ed25519_compact::sha512::Hash;

/// A running SHA-512.
#[derive(Clone)]
pub struct ImageDigest(Hash);

impl Default for ImageDigest {
    // Beginning one takes 200 bytes of code.
    #[inline(never)]
    fn default() -> Self {
        ImageDigest(Hash::new())
    }
}

impl ImageDigest {
    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(&self) -> [u8; 64] {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpers::hex;

    /// FIPS 180-4, its examples of one and of two blocks.
    #[test]
    fn it_is_sha_512_however_the_data_comes() {
        let two_blocks = b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
        let examples: [(&[u8], &str); 2] = [
            (b"abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
            (two_blocks, "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"),
        ];
        for (data, digest) in examples {
            for piece in [1, 7, 200] {
                let mut running = ImageDigest::default();
                data.chunks(piece).for_each(|piece| running.update(piece));
                assert_eq!(hex::text(&running.finish()), digest);
            }
        }
    }
}
