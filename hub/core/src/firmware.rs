//! Firmware files and what they are called.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use iot_engine::upgrade::{Header, Refusal, HEADER_LEN};

use crate::error::{Context, Fatal, Result};
use crate::model::Signature;

/// Longest version a device takes (behaviour contract, section 4).
pub const MAX_VERSION: usize = 32;

/// The last millisecond that a browser's dates know.
const MAX_TIME: u64 = 8_640_000_000_000_000;

/// A firmware file of the command line, measured once at start.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Absolute: another hub may read it from elsewhere.
    pub path: PathBuf,
    /// What its devices report when they run it.
    pub version: String,
    /// Bytes, 1 to 2^32 - 1: what a device can take.
    pub size: u64,
    /// 32 lower-case hex digits.
    pub md5: String,
    /// What its header says, where it has one that can be read.
    pub signature: Option<Signature>,
}

impl Measured {
    /// Reads the file once for its size and MD5.
    pub fn load(path: &Path, version: &str) -> Result<Self> {
        check_version(version).map_err(Fatal::new)?;
        let (size, md5) = measure(path)?;
        // Whatever its header says: devices are to be tried with wrong ones, too.
        let signature = head(path)?.and_then(|header| Some(signature(&header.ok()?)));
        let path = path.canonicalize().context(|| format!("cannot find the firmware {}", path.display()))?;
        Ok(Measured { path, version: version.to_owned(), size, md5, signature })
    }
}

/// Reads a firmware file once for its size and its MD5 in hex.
pub fn measure(path: &Path) -> Result<(u64, String)> {
    let name = || format!("cannot read the firmware {}", path.display());
    let mut file = File::open(path).context(name)?;
    let mut hash = Md5::new();
    let mut size = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).context(name)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            break;
        };
        hash.update(part);
        size += read as u64;
    }
    if size == 0 {
        return Err(Fatal::new(format!("the firmware {} is empty", path.display())));
    }
    if size > u64::from(u32::MAX) {
        return Err(Fatal::new(format!("the firmware {} is larger than 4 GiB", path.display())));
    }
    Ok((size, hex::encode(hash.finalize())))
}

/// The header of a signed firmware (docs/upgrade.md section 2) by the file's first bytes. `None`: it is not signed.
pub fn header(file: &[u8]) -> Option<std::result::Result<Header, Refusal>> {
    match Header::parse(file) {
        Err(Refusal::Unsigned) => None,
        header => Some(header),
    }
}

fn head(path: &Path) -> Result<Option<std::result::Result<Header, Refusal>>> {
    let mut start = Vec::new();
    let file = File::open(path).and_then(|file| file.take(HEADER_LEN as u64).read_to_end(&mut start));
    file.context(|| format!("cannot read the firmware {}", path.display()))?;
    Ok(header(&start))
}

/// What people are told of a header.
pub fn signature(header: &Header) -> Signature {
    let signed_at = header.signed_at.saturating_mul(1000).min(MAX_TIME);
    Signature { key_id: hex::encode(header.key_id), signed_at }
}

/// What is wrong with a version.
pub fn check_version(version: &str) -> std::result::Result<(), String> {
    if version.is_empty() || version.chars().count() > MAX_VERSION || version.chars().any(char::is_control) {
        return Err(format!("the version must have 1 to {MAX_VERSION} printable characters"));
    }
    Ok(())
}

/// The name of a firmware's file, and its path in URLs.
pub fn file_name(product_id: &str, version: &str) -> String {
    format!("{product_id}_{}", escape(version))
}

/// The version as it stands in a URL's path.
pub fn escape(version: &str) -> String {
    let mut out = String::new();
    for byte in version.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn measures_the_file() {
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        assert!(Measured::load(file.path(), "1.0").is_err_and(|e| e.to_string().contains("empty")));
        file.write_all(b"abc").expect("write");
        let firmware = Measured::load(file.path(), "1.0").expect("good file");
        assert_eq!((firmware.size, firmware.md5.as_str()), (3, "900150983cd24fb0d6963f7d28e17f72"));
        assert!(Measured::load(file.path(), "").is_err());
        assert!(Measured::load(file.path(), &"v".repeat(33)).is_err());
        assert!(Measured::load(Path::new("/nonexistent/fw"), "1.0").is_err_and(|e| e.to_string().contains("fw")));
    }

    #[test]
    fn versions_in_urls() {
        assert_eq!(escape("1.3.0-rc_1"), "1.3.0-rc_1");
        assert_eq!(escape("a b/ü"), "a%20b%2F%C3%BC");
    }
}
