//! `hub.json` in the data folder: how the command line finds the hub that runs on it.
//!
//! Its hub holds a lock on it, which ends with the hub, however that ends. Of several hubs on one data folder the others
//! have `hub-<process id>.json`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{flock, FlockOperation};
use serde::Serialize;
use tempfile::NamedTempFile;

use hub_core::error::{Context, Result};
use hub_core::events::Ready;

/// The first hub's file.
const NAME: &str = "hub.json";
/// The names of the others' files begin and end so.
const OTHERS: (&str, &str) = ("hub-", ".json");

/// Holds the console's token where no file is named.
pub const TOKEN_VARIABLE: &str = "HUB_CONSOLE_TOKEN";

/// What the file says.
#[derive(Serialize)]
struct Content<'a> {
    #[serde(flatten)]
    ready: &'a Ready,
    token: Option<&'a str>,
}

/// The file, removed when this is dropped.
pub struct StateFile {
    path: PathBuf,
    content: Vec<u8>,
    /// Locked.
    _file: File,
}

impl StateFile {
    /// Writes the file; only its owner may read it.
    pub fn write(folder: &Path, ready: &Ready, token: Option<&str>) -> Result<Self> {
        let first = folder.join(NAME);
        let path = match is_live(&first) {
            true => folder.join(format!("{}{}{}", OTHERS.0, process::id(), OTHERS.1)),
            false => first,
        };
        let what = || path.display().to_string();
        for left in others(folder).into_iter().filter(|path| !is_live(path)) {
            // Another hub may have done it.
            let _ = fs::remove_file(left);
        }
        let content = serde_json::to_vec(&Content { ready, token }).context(what)?;
        let draft = draft(&path, &content)?;
        // Nobody else has the draft.
        flock(draft.as_file(), FlockOperation::NonBlockingLockExclusive).context(what)?;
        let file = draft.persist(&path).context(what)?;
        Ok(StateFile { path, content, _file: file })
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        // Another hub that started at the same moment may have put its own there.
        if fs::read(&self.path).is_ok_and(|content| content == self.content) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The file of a hub that runs on this folder; where none does, the one that would be the first's.
pub fn find(folder: &Path) -> PathBuf {
    let first = folder.join(NAME);
    if is_live(&first) {
        return first;
    }
    others(folder).into_iter().find(|path| is_live(path)).unwrap_or(first)
}

fn others(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_other = |name: &str| name.starts_with(OTHERS.0) && name.ends_with(OTHERS.1);
    entries.filter(|entry| entry.file_name().to_str().is_some_and(is_other)).map(|entry| entry.path()).collect()
}

/// Whether the hub that wrote this file runs.
fn is_live(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

/// Writes beside and moves into place, so that whoever waits for the file finds it whole. Only its owner may read it.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    draft(path, content)?.persist(path).context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn draft(path: &Path, content: &[u8]) -> Result<NamedTempFile> {
    let what = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = NamedTempFile::new_in(folder).context(what)?;
    draft.write_all(content).context(what)?;
    Ok(draft)
}
