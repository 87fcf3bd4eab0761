//! The folder in the data folder where files are: uploaded firmware, and those of resources.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::error::{Context, Result};
use crate::model::{Problem, ProblemCode, ProblemKind};
use crate::ports::files::{Draft, Files};
use crate::ports::store::{Outcome, Stored};

/// Longest file name that file systems take.
const MAX_FILE_NAME: usize = 255;
/// Names of files that are not whole yet.
const DRAFT: &str = ".upload-";
/// A draft that nobody has written to for so long is what a hub left that was killed.
const DRAFT_AGE: Duration = Duration::from_secs(3600);
/// How the files' names end.
pub const SUFFIX: &str = ".bin";

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The one with this path, whether it is there or not.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Folder(path.into())
    }

    /// Makes the folder, and removes what killed hubs left there.
    pub fn tidy(&self) -> Result<()> {
        let what = || format!("cannot use the folder {}", self.0.display());
        fs::create_dir_all(&self.0).context(what)?;
        for entry in fs::read_dir(&self.0).context(what)?.flatten() {
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

    /// Where the file of this name is.
    pub fn file(&self, file_name: &str) -> PathBuf {
        self.0.join(format!("{file_name}{SUFFIX}"))
    }

    /// Where a firmware's file is, which may have stayed where the command line named it.
    pub fn of(&self, stored: &Stored) -> PathBuf {
        stored.path.clone().unwrap_or_else(|| self.file(&stored.file_name))
    }

    /// Puts a copy of a file here, whole or not at all.
    pub fn copy(&self, from: &Path, file_name: &str) -> io::Result<()> {
        self.put(&mut File::open(from)?, file_name)
    }

    /// Keeps a file, whole or not at all.
    pub fn keep(&self, mut content: &[u8], file_name: &str) -> Outcome<()> {
        self.put(&mut content, file_name).map_err(|error| trouble(&error))
    }

    fn put(&self, content: &mut dyn io::Read, file_name: &str) -> io::Result<()> {
        let mut draft = self.draft()?;
        io::copy(content, &mut draft)?;
        readable(draft.as_file())?;
        draft.persist(self.file(file_name))?;
        Ok(())
    }

    fn draft(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix(DRAFT).tempfile_in(&self.0)
    }
}

impl Files for Folder {
    fn begin(&self, file_name: &str) -> Outcome<Box<dyn Draft>> {
        let path = self.file(file_name);
        if path.file_name().is_none_or(|name| name.len() > MAX_FILE_NAME) {
            return Err(Problem::invalid(
                "The version makes too long a file name: use fewer characters that URLs escape.",
            )
            .coded(ProblemCode::FileNameTooLong, &[]));
        }
        let file = self.draft().map_err(|error| trouble(&error))?;
        Ok(Box::new(FileDraft { name: file_name.to_owned(), path, file: Some(file), placed: false }))
    }

    fn url(&self, _name: &str, _now: u64, _lifetime: u64) -> Option<String> {
        None
    }

    /// Where the hub's own server finds it missing, it says so for each device.
    fn check(&self, _name: &str, _size: u64) -> Outcome<()> {
        Ok(())
    }

    fn remove(&self, name: &str) -> Outcome<()> {
        let path = self.file(name);
        let what = |error| Problem::new(ProblemKind::Internal, format!("cannot remove {}: {error}", path.display()));
        fs::remove_file(&path).map_err(what)
    }
}

struct FileDraft {
    name: String,
    path: PathBuf,
    /// `None` once it has its place.
    file: Option<NamedTempFile>,
    /// It has its place, but may have to give it up.
    placed: bool,
}

impl Draft for FileDraft {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, part: &[u8]) -> Outcome<()> {
        self.file.iter_mut().try_for_each(|file| file.write_all(part)).map_err(|error| trouble(&error))
    }

    fn seal(&mut self) -> Outcome<()> {
        let seal = |file: &NamedTempFile| readable(file.as_file()).and_then(|()| file.as_file().sync_all());
        self.file.iter().try_for_each(seal).map_err(|error| trouble(&error))
    }

    fn place(&mut self) -> Outcome<()> {
        if let Some(file) = self.file.take() {
            // What may be there belongs to no firmware: its hub was killed at this very point.
            file.persist(&self.path).map_err(|error| trouble(&error.error))?;
            self.placed = true;
        }
        sync_folder(&self.path).map_err(|error| trouble(&error))
    }

    fn keep(mut self: Box<Self>) {
        self.placed = false;
    }
}

impl Drop for FileDraft {
    fn drop(&mut self) {
        if self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Drafts are for this user only; the firmware may be served by somebody else's web server.
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// A problem with a file.
pub fn trouble(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Problem::new(
            ProblemKind::NoSpace,
            "There is no space left in the hub's data folder: remove firmware that is not needed, or make space.",
        )
        .coded(ProblemCode::NoSpace, &[]),
        _ => Problem::new(ProblemKind::Internal, format!("The hub cannot store the file: {error}.")),
    }
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

    #[test]
    fn a_draft_that_is_not_kept_leaves_nothing() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = Folder::at(place.path());
        let draft = |keep: bool| {
            let mut draft = folder.begin("P1_1").expect("a draft");
            draft.write(b"firmware").and_then(|()| draft.seal()).and_then(|()| draft.place()).expect("placed");
            if keep {
                draft.keep();
            }
            fs::read_dir(place.path()).expect("a folder").count()
        };
        assert_eq!([draft(false), draft(true)], [1, 1]);
        assert!(folder.file("P1_1").exists());
        folder.remove("P1_1").expect("removed");
        drop(folder.begin("P1_1").expect("a draft"));
        assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 0);
    }
}
