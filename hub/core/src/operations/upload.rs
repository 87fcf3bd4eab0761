//! A firmware on its way in.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use iot_engine::upgrade::HEADER_LEN;
use md5::{Digest, Md5};
use tempfile::NamedTempFile;
use tokio::sync::broadcast;

use super::devices::check_product;
use crate::error::{Context, Result};
use crate::firmware::{check_version, file_name, header, signature, MAX_VERSION};
use crate::hub::{now_ms, Hub};
use crate::model::*;
use crate::ports::store::{Outcome, Store};

/// Longest file name that file systems take.
const MAX_FILE_NAME: usize = 255;
/// Longest name people may give a firmware.
const MAX_NAME: usize = 100;
/// Names of files that are not whole yet.
const DRAFT: &str = ".upload-";
/// A draft that nobody has written to for so long is what a hub left that was killed.
const DRAFT_AGE: Duration = Duration::from_secs(3600);

/// A firmware file on its way in. Dropped before [`Upload::finish`], nothing of it stays.
pub struct Upload {
    store: Arc<dyn Store>,
    changes: broadcast::Sender<Change>,
    what: AddFirmware,
    announced: Option<u64>,
    file_name: String,
    path: PathBuf,
    draft: NamedTempFile,
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
        let path = hub.site.uploaded(&file_name);
        if path.file_name().is_none_or(|name| name.len() > MAX_FILE_NAME) {
            return Err(Problem::invalid(
                "The version makes too long a file name: use fewer characters that URLs escape.",
            )
            .coded(ProblemCode::FileNameTooLong, &[]));
        }
        let draft = draft(&hub.site.folder);
        Ok(Upload {
            store: hub.store.clone(),
            changes: hub.changes.clone(),
            what,
            announced,
            file_name,
            path,
            draft: draft.map_err(|error| trouble(&error))?,
            hash: Md5::new(),
            size: 0,
            start: Vec::new(),
        })
    }

    /// Adds the file's next bytes. Fails where the file is too large or the disk is full.
    pub fn write(&mut self, part: &[u8]) -> Outcome<()> {
        self.size += part.len() as u64;
        if self.size > u64::from(u32::MAX) {
            return Err(too_large());
        }
        self.draft.write_all(part).map_err(|error| trouble(&error))?;
        self.hash.update(part);
        let missing = HEADER_LEN.saturating_sub(self.start.len());
        self.start.extend(part.iter().take(missing));
        Ok(())
    }

    /// The file is whole: it is on offer from now on.
    pub fn finish(self) -> Outcome<Firmware> {
        let Upload { store, changes, what, announced, file_name, path, draft, hash, size, start } = self;
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
        draft.as_file().sync_all().map_err(|error| trouble(&error))?;
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
        let mut draft = Some(draft);
        let mut placed = None;
        let added = store.add_firmware(&firmware, &file_name, &mut || {
            let Some(draft) = draft.take() else {
                return Ok(());
            };
            // What may be there belongs to no firmware: its hub was killed at this very point.
            readable(draft.as_file()).and_then(|()| Ok(draft.persist(&path)?)).map_err(|error| trouble(&error))?;
            placed = Some(&path);
            sync_folder(&path).map_err(|error| trouble(&error))
        });
        match (added, placed) {
            (Ok(id), _) => {
                let firmware = Firmware { id, ..firmware };
                let _ = changes.send(Change::Firmware { firmware: firmware.clone() });
                Ok(firmware)
            }
            (Err(problem), placed) => {
                if let Some(path) = placed {
                    let _ = fs::remove_file(path);
                }
                Err(problem)
            }
        }
    }
}

/// A file that is not whole yet.
pub(super) fn draft(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(DRAFT).tempfile_in(folder)
}

/// Drafts are for this user only; the firmware may be served by somebody else's web server.
pub(super) fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
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

/// A problem with the file.
pub(super) fn trouble(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Problem::new(
            ProblemKind::NoSpace,
            "There is no space left in the hub's data folder: remove firmware that is not needed, or make space.",
        )
        .coded(ProblemCode::NoSpace, &[]),
        _ => Problem::new(ProblemKind::Internal, format!("The hub cannot store the file: {error}.")),
    }
}

/// Puts a copy of a file into the firmware folder, whole or not at all.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let mut draft = draft(folder)?;
    io::copy(&mut fs::File::open(from)?, &mut draft)?;
    readable(draft.as_file())?;
    draft.persist(to)?;
    Ok(())
}

/// Makes the firmware folder, and removes what killed hubs left there.
pub fn tidy(folder: &Path) -> Result<()> {
    let what = || format!("cannot use the folder {}", folder.display());
    fs::create_dir_all(folder).context(what)?;
    for entry in fs::read_dir(folder).context(what)?.flatten() {
        let is_draft = entry.file_name().to_string_lossy().starts_with(DRAFT);
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
        if is_draft && age.is_some_and(|age| age > DRAFT_AGE) {
            // Another hub may have done it.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_of() {
        // Every write to this device fails with ENOSPC.
        let mut full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let error = full.write_all(b"x").expect_err("no room");
        let problem = trouble(&error);
        assert_eq!(problem.kind, ProblemKind::NoSpace);
    }
}
