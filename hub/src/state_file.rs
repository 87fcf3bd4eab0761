//! `hub.json` in the data folder: how the command line finds the hub that runs on it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Context, Result};
use crate::events::Ready;

/// The file's name.
pub const NAME: &str = "hub.json";

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
}

impl StateFile {
    /// Writes the file; only its owner may read it.
    pub fn write(folder: &Path, ready: &Ready, token: Option<&str>) -> Result<Self> {
        let path = folder.join(NAME);
        let content = serde_json::to_vec(&Content { ready, token }).context(|| path.display().to_string())?;
        write_whole(&path, &content)?;
        Ok(StateFile { path, content })
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        // Another hub on the same folder may have put its own there.
        if fs::read(&self.path).is_ok_and(|content| content == self.content) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes beside and moves into place, so that whoever waits for the file finds it whole. Only its owner may read it.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(folder).context(what)?;
    draft.write_all(content).context(what)?;
    draft.persist(path).context(what)?;
    Ok(())
}
