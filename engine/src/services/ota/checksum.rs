//! The MD5 of what was fetched.

use md5::{Digest, Md5};

use crate::helpers::hex;

/// A running MD5. Asking for the result does not end it.
#[derive(Debug, Clone, Default)]
pub struct Checksum(Md5);

impl Checksum {
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.0 = Md5::new();
    }

    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest so far in lower-case hex.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::text(&self.0.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_the_whole_agree_and_the_answer_may_be_asked_twice() {
        let mut checksum = Checksum::default();
        assert_eq!(checksum.hex(), "d41d8cd98f00b204e9800998ecf8427e");
        checksum.update(b"message ");
        checksum.update(b"digest");
        assert_eq!(checksum.hex(), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(checksum.hex(), "f96b697d7cb7938d525a2f31aaf161d0");
        checksum.reset();
        checksum.update(b"abc");
        assert_eq!(checksum.hex(), "900150983cd24fb0d6963f7d28e17f72");
    }
}
