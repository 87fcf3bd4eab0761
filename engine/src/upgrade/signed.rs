//! The header in front of a signed image, format 1 (docs/upgrade.md section 2).

use std::cmp::Ordering;

use super::keys::{PublicKey, KEY_ID_LEN};
use super::version;

/// Bytes of a header. The image follows.
pub const HEADER_LEN: usize = 256;
/// What a signed image begins with.
pub const MAGIC: [u8; 4] = *b"IOTF";
pub(super) const FORMAT: u8 = 1;
/// Ed25519 over a header that holds the image's SHA-512.
pub(super) const ALGORITHM: u8 = 1;
/// All before the signature.
pub(super) const SIGNED_LEN: usize = HEADER_LEN - 64;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the image.
    pub image_size: u32,
    /// When it was signed, in seconds since 1970.
    pub signed_at: u64,
    /// Who signed it.
    pub key_id: [u8; KEY_ID_LEN],
    /// The product it is for.
    pub product_id: String,
    /// Its version.
    pub version: String,
    /// SHA-512 of the image.
    pub digest: [u8; 64],
    signature: [u8; 64],
}

/// Why an image is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Keys are required and it has no header.
    Unsigned,
    /// The header can't be read.
    BadHeader,
    /// Signed by somebody whom the program does not know.
    UnknownKey,
    /// The signature is not the key's.
    BadSignature,
    /// For another product.
    OtherProduct,
    /// Not the version that was ordered.
    OtherVersion,
    /// Older than what may be installed.
    TooOld,
    /// Header and file differ in the size.
    WrongSize,
    /// The image is not the one that was signed.
    WrongImage,
    /// Signed, where signatures can't be checked.
    NotChecked,
}

impl Refusal {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Refusal::Unsigned => "the firmware is not signed",
            Refusal::BadHeader => "the firmware's header can't be read",
            Refusal::UnknownKey => "the firmware is signed with a key that this device does not know",
            Refusal::BadSignature => "the firmware's signature is wrong",
            Refusal::OtherProduct => "the firmware is for another product",
            Refusal::OtherVersion => "the firmware is another version than the announced one",
            Refusal::TooOld => "the firmware is older than what may be installed",
            Refusal::WrongSize => "the firmware's size is not the signed one",
            Refusal::WrongImage => "the firmware is not the one that was signed",
            Refusal::NotChecked => "the firmware is signed, and this device was built without what checks signatures",
        }
    }
}

impl Header {
    /// Reads the first bytes of a file.
    ///
    /// # Errors
    /// [`Refusal::Unsigned`] where no header begins there, [`Refusal::BadHeader`] for one that is not of this format.
    pub fn parse(file: &[u8]) -> Result<Self, Refusal> {
        if !file.starts_with(&MAGIC) {
            return Err(Refusal::Unsigned);
        }
        Self::fields(file).ok_or(Refusal::BadHeader)
    }

    fn fields(file: &[u8]) -> Option<Self> {
        let mut rest = file.get(MAGIC.len()..HEADER_LEN)?;
        if take(&mut rest)? != [FORMAT, ALGORITHM, 1, 0] {
            return None;
        }
        let image_size = u32::try_from(u64::from_be_bytes(take(&mut rest)?)).ok()?;
        let signed_at = u64::from_be_bytes(take(&mut rest)?);
        let key_id = take(&mut rest)?;
        let product_id = text(take(&mut rest)?)?;
        let version = text(take(&mut rest)?)?;
        let digest = take(&mut rest)?;
        if take(&mut rest)? != [0; 32] {
            return None;
        }
        let signature = take(&mut rest)?;
        Some(Header { image_size, signed_at, key_id, product_id, version, digest, signature })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// A text with zeros behind it.
fn text(field: [u8; 32]) -> Option<String> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, zeros) = field.split_at(end);
    let is_fine = !text.is_empty() && text.iter().all(u8::is_ascii_graphic) && zeros.iter().all(|byte| *byte == 0);
    let text = std::str::from_utf8(text).ok()?;
    is_fine.then(|| text.to_owned())
}

/// What an image must be.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Whose signatures are taken. Empty: unsigned images, too, and signatures are not looked at.
    pub keys: &'a [PublicKey],
    /// The device's product.
    pub product_id: &'a str,
    /// The version that was ordered.
    pub version: &'a str,
    /// Nothing older than these versions.
    pub not_older_than: [Option<&'a str>; 2],
    /// Bytes of the file, header and image.
    pub file_size: u32,
}

/// Judges a file by its first [`HEADER_LEN`] bytes, or all that it has. `None`: it has no header and needs none.
///
/// # Errors
/// Why it is not taken.
pub fn judge(head: &[u8], terms: &Terms) -> Result<Option<Header>, Refusal> {
    let header = match Header::parse(head) {
        Ok(header) => Some(header),
        Err(Refusal::Unsigned) if terms.keys.is_empty() => None,
        Err(refusal) => return Err(refusal),
    };
    if let Some(header) = &header {
        if !terms.keys.is_empty() {
            let mut named = terms.keys.iter().filter(|key| key.id() == header.key_id).peekable();
            named.peek().ok_or(Refusal::UnknownKey)?;
            let signed = head.get(..SIGNED_LEN).ok_or(Refusal::BadHeader)?;
            if !named.any(|key| key.verifies(signed, &header.signature)) {
                return Err(Refusal::BadSignature);
            }
        }
        if header.product_id != terms.product_id {
            return Err(Refusal::OtherProduct);
        }
        if header.version != terms.version {
            return Err(Refusal::OtherVersion);
        }
        if u64::from(header.image_size) + HEADER_LEN as u64 != u64::from(terms.file_size) || header.image_size == 0 {
            return Err(Refusal::WrongSize);
        }
    }
    not_too_old(terms).map(|()| header)
}

/// As [`judge`] where signatures can't be checked (`FEATURE_UPGRADE_SIGNATURES` is `OFF`): takes what has no header only.
///
/// # Errors
/// Why it is not taken.
pub fn judge_unsigned(head: &[u8], terms: &Terms) -> Result<Option<Header>, Refusal> {
    if head.starts_with(&MAGIC) {
        return Err(Refusal::NotChecked);
    }
    not_too_old(terms).map(|()| None)
}

fn not_too_old(terms: &Terms) -> Result<(), Refusal> {
    let is_too_old = |oldest: &&str| version::compare(terms.version, oldest) == Ordering::Less;
    if terms.not_older_than.iter().flatten().any(is_too_old) {
        return Err(Refusal::TooOld);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
