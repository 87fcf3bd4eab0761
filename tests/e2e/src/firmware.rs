//! Firmware images.

use std::fs;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

/// A firmware that looks random, so that no two parts of it are alike, and is the same every time.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// What the cloud calls it.
    pub version: String,
    /// The image.
    pub bytes: Vec<u8>,
    /// The file with the image.
    pub path: PathBuf,
}

impl Firmware {
    /// The image of so many bytes.
    pub fn image(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            // Xorshift: plenty for telling offsets apart.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// Writes the image of `len` bytes into `folder`.
    pub fn new(folder: &Path, version: &str, len: usize) -> Firmware {
        let bytes = Firmware::image(len);
        let path = folder.join(format!("firmware-{version}"));
        fs::write(&path, &bytes).expect("firmware");
        Firmware { version: version.to_owned(), bytes, path }
    }

    /// 32 lower-case hex digits.
    pub fn md5(&self) -> String {
        hex::encode(Md5::digest(&self.bytes))
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// An update command for this firmware, as the cloud writes it.
    pub fn command(&self, url: &str) -> String {
        format!(
            r#"{{"file_size":{},"md5sum":"{}","type":"update_firmware","url":"{url}","version":"{}"}}"#,
            self.size(),
            self.md5(),
            self.version
        )
    }
}
