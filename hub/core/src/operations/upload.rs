//! A firmware on its way in.

use std::sync::Arc;

use iot_engine::upgrade::HEADER_LEN;
use md5::{Digest, Md5};
use tokio::sync::broadcast;

use super::devices::check_product;
use crate::firmware::{check_version, file_name, header, signature, MAX_VERSION};
use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::ports::files::Draft;
use crate::ports::store::{Outcome, Store};

/// Longest name people may give a firmware.
const MAX_NAME: usize = 100;

/// A firmware file on its way in. Dropped before [`Upload::finish`], nothing of it stays.
pub struct Upload {
    store: Arc<dyn Store>,
    changes: broadcast::Sender<Change>,
    what: AddFirmware,
    announced: Option<u64>,
    draft: Box<dyn Draft>,
    hash: Md5,
    size: u64,
    /// As much of the file as a signed one's header has bytes.
    start: Vec<u8>,
}

impl Upload {
    pub(super) fn begin(hub: &Hub, what: AddFirmware, announced: Option<u64>) -> Outcome<Self> {
        check(&what)?;
        match announced {
            Some(0) => return Err(empty()),
            Some(size) if size > u64::from(u32::MAX) => return Err(too_large()),
            _ => {}
        }
        let file_name = file_name(&what.product_id, &what.version);
        hub.store.check_firmware(&what, &file_name)?;
        Ok(Upload {
            store: hub.store.clone(),
            changes: hub.changes.clone(),
            what,
            announced,
            draft: hub.site.files().begin(&file_name)?,
            hash: Md5::new(),
            size: 0,
            start: Vec::new(),
        })
    }

    /// Adds the file's next bytes. Fails where the file is too large, or there is no space.
    pub fn write(&mut self, part: &[u8]) -> Outcome<()> {
        self.size += part.len() as u64;
        if self.size > u64::from(u32::MAX) {
            return Err(too_large());
        }
        self.draft.write(part)?;
        self.hash.update(part);
        let missing = HEADER_LEN.saturating_sub(self.start.len());
        self.start.extend(part.iter().take(missing));
        Ok(())
    }

    /// The file is whole: it is on offer from now on.
    pub fn finish(self) -> Outcome<Firmware> {
        let Upload { store, changes, what, announced, mut draft, hash, size, start } = self;
        if size == 0 {
            return Err(empty());
        }
        if announced.is_some_and(|announced| announced != size) {
            return Err(Problem::invalid("The file did not arrive whole.").coded(ProblemCode::FileNotWhole, &[]));
        }
        let md5 = hex::encode(hash.finalize());
        if let Some(wanted) = what.md5.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(&md5)) {
            return Err(Problem::invalid(format!(
                "The file's MD5 is {md5}, not {wanted}: it is another file, or damaged."
            ))
            .coded(ProblemCode::Md5Differs, &[("md5", &md5)]));
        }
        let signature = signed(&start, &what, size)?;
        draft.seal()?;
        let firmware = Firmware {
            id: 0,
            product_id: what.product_id.clone(),
            version: what.version.clone(),
            name: what.name.clone(),
            size,
            md5,
            created_at: now_ms(),
            signature,
        };
        let name = draft.name().to_owned();
        let id = store.add_firmware(&firmware, &name, &mut || draft.place())?;
        draft.keep();
        let firmware = Firmware { id, ..firmware };
        let _ = changes.send(Change::Firmware { firmware: firmware.clone() });
        Ok(firmware)
    }
}

fn check(what: &AddFirmware) -> Outcome<()> {
    check_product(&what.product_id)?;
    check_version(&what.version).map_err(|what| {
        Problem::invalid(format!("Bad version: {what}.")).coded(ProblemCode::VersionBad, &[("max", &MAX_VERSION)])
    })?;
    if what.name.chars().count() > MAX_NAME || what.name.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("The name must have at most {MAX_NAME} printable characters."))
            .coded(ProblemCode::NameBad, &[("max", &MAX_NAME)]));
    }
    let is_md5 = |md5: &String| md5.len() == 32 && md5.bytes().all(|byte| byte.is_ascii_hexdigit());
    if what.md5.as_ref().is_some_and(|md5| !is_md5(md5)) {
        return Err(Problem::invalid("The MD5 must have 32 hex digits."));
    }
    Ok(())
}

/// What a signed file says of its signature; refused where no device would take the file as `what`.
fn signed(start: &[u8], what: &AddFirmware, size: u64) -> Outcome<Option<Signature>> {
    let Some(header) = header(start) else {
        return Ok(None);
    };
    let header = header.map_err(|_| {
        Problem::invalid("The file begins as a signed firmware, but its header can't be read: sign it again.")
            .coded(ProblemCode::HeaderBad, &[])
    })?;
    let (product, version) = (&header.product_id, &header.version);
    if *product != what.product_id || *version != what.version {
        return Err(Problem::invalid(format!(
            "The firmware was signed as version {version} of product {product}, and devices take it as nothing else: \
             upload it as that, or sign it again for product {} and version {}.",
            what.product_id, what.version
        ))
        .coded(ProblemCode::SignedForOther, &[("product", product), ("version", version)]));
    }
    let signed_size = u64::from(header.image_size) + HEADER_LEN as u64;
    if signed_size != size {
        return Err(Problem::invalid(format!(
            "The file is not whole, or has something behind its end: it has {size} bytes, and was signed with \
             {signed_size}."
        ))
        .coded(ProblemCode::SignedSizeDiffers, &[("size", &signed_size)]));
    }
    Ok(Some(signature(&header)))
}

fn empty() -> Problem {
    Problem::invalid("The file is empty.").coded(ProblemCode::FileEmpty, &[])
}

fn too_large() -> Problem {
    Problem::new(ProblemKind::TooLarge, "Devices take less than 4 GiB.")
        .coded(ProblemCode::FileTooLarge, &[("max", &u32::MAX)])
}
