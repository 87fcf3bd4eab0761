//! `hub backup` and `hub restore`: what a hub keeps, as a folder of files whose lengths and hashes are known.
//!
//! The database is a SQLite file there, whatever it was and will be. Either command makes its folder beside the place where it
//! is to be, and moves it there when it is whole.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use hub_core::error::{Context, Fatal, Result};
use hub_core::hub::now_ms;
use hub_core::model::{FirmwareFilter, Page};
use hub_core::ports::store::Store;
use hub_store::sqlite::Sqlite;
use hub_store::Database;

use crate::data_folder::{DATABASE_FILE, FIRMWARE_FOLDER, KEY_FILES};

/// Says what a backup has.
const LIST: &str = "backup.json";
/// Its form.
const FORM: u32 = 1;
/// The longest one that is read: of a million files.
const LONGEST_LIST: u64 = 256 << 20;
/// Folders of the data folder that are kept besides. What else is there is the running hub's, or not the hub's.
const FOLDERS: [&str; 4] = [FIRMWARE_FOLDER, "servers", "clients", "own"];
/// How the names of folders begin that are not whole.
const DRAFT: &str = ".hub-";

/// Options of `hub backup`.
#[derive(Args)]
pub struct BackupArgs {
    /// The data folder; its hub may run
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The database, where it is not in the data folder
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// The folder to make, with secrets in it: for its owner only
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Options of `hub restore`.
#[derive(Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The data folder to make; there must be nothing yet
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// An empty PostgreSQL database to put into what is to be in a database, postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// What a backup has.
#[derive(Serialize, Deserialize)]
struct List {
    form: u32,
    /// The version of the hub that made it.
    hub: String,
    /// Milliseconds since 1970.
    at: u64,
    files: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Below the folder.
    name: String,
    size: u64,
    sha256: String,
    /// Who may read it there where it comes from.
    mode: u32,
}

/// Saves what a hub keeps.
pub fn back_up(args: &BackupArgs) -> Result<ExitCode> {
    check_free("--to", &args.to)?;
    let draft = draft(&args.to, 0o700)?;
    let database = draft.path().join(DATABASE_FILE);
    // Before the files: what it knows of is there, unless it is removed at this very moment.
    match &args.database {
        Some(url) => save(url, &database)?,
        None => Sqlite::snapshot(&args.state.join(DATABASE_FILE), &database)?,
    }
    let mut files = Vec::new();
    for name in names(&args.state)? {
        let what = || format!("cannot save {}", args.state.join(&name).display());
        let (from, to) = (args.state.join(&name), draft.path().join(&name));
        let mode = fs::metadata(&from).context(what)?.permissions().mode() & 0o777;
        let (size, sha256) = copy(&from, &to, 0o600).context(what)?;
        files.push(Entry { name, size, sha256, mode });
    }
    check_firmware(&database, &files)?;
    let what = || format!("cannot save {}", database.display());
    let (size, sha256) = measure(File::open(&database).context(what)?, &mut io::sink()).context(what)?;
    files.push(Entry { name: DATABASE_FILE.to_owned(), size, sha256, mode: 0o600 });
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    let said = format!("{} files, {bytes} bytes", files.len());
    let list = List { form: FORM, hub: env!("CARGO_PKG_VERSION").to_owned(), at: now_ms(), files };
    let path = draft.path().join(LIST);
    let written = serde_json::to_vec_pretty(&list).map_err(io::Error::from).and_then(|text| write(&path, &text));
    written.context(|| format!("cannot write {}", path.display()))?;
    place(draft, &args.to)?;
    println!("saved in {}: {said}. It has the hub's keys and the devices' secrets.", args.to.display());
    Ok(ExitCode::SUCCESS)
}

/// Makes a data folder of a backup.
pub fn restore(args: &RestoreArgs) -> Result<ExitCode> {
    check_free("--state", &args.state)?;
    let list = read_list(&args.from)?;
    let draft = draft(&args.state, 0o777)?;
    for file in &list.files {
        let path = args.from.join(&file.name);
        let damaged = |what: String| Fatal::new(format!("the backup is damaged: {}: {what}", path.display()));
        let copied = copy(&path, &draft.path().join(&file.name), file.mode & 0o777);
        let (size, sha256) = copied.map_err(|error| damaged(error.to_string()))?;
        if size != file.size {
            return Err(damaged(format!("it has {size} bytes, and had {}", file.size)));
        }
        if sha256 != file.sha256 {
            return Err(damaged("it is not what was saved".to_owned()));
        }
    }
    let database = draft.path().join(DATABASE_FILE);
    match &args.database {
        Some(url) => {
            load(url, &database)?;
            fs::remove_file(&database).context(|| format!("cannot remove {}", database.display()))?;
        }
        // Makes sure of it, and brings it up to date.
        None => drop(Database::open(&database, true)?),
    }
    place(draft, &args.state)?;
    println!("restored: {} files", list.files.len());
    Ok(ExitCode::SUCCESS)
}

/// The files of a data folder that are kept, but for the database.
fn names(state: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> =
        KEY_FILES.iter().filter(|name| state.join(name).exists()).map(|name| (*name).to_owned()).collect();
    for folder in FOLDERS {
        let path = state.join(folder);
        let what = || format!("cannot read {}", path.display());
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.context(what)?,
        };
        for entry in entries {
            let entry = entry.context(what)?;
            let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'));
            // Drafts begin with a dot.
            if let Some(name) = name.filter(|_| entry.path().is_file()) {
                names.push(format!("{folder}/{name}"));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Whether the files of all uploaded firmware are there.
fn check_firmware(database: &Path, files: &[Entry]) -> Result<()> {
    let store = Database::open(database, true)?;
    let problem = |problem: hub_core::model::Problem| Fatal::new(problem.detail);
    let mut page = Page::first();
    loop {
        let list = store.firmware_list(&FirmwareFilter::default(), &page).map_err(problem)?;
        let Some(last) = list.last() else { return Ok(()) };
        page.after = Some(last.id.to_string());
        for firmware in list {
            let stored = store.firmware(firmware.id).map_err(problem)?;
            // Others are where the command line named them, or in an object store.
            let name = format!("{FIRMWARE_FOLDER}/{}{}", stored.file_name, hub_core::folder::SUFFIX);
            let here = stored.path.is_none() && !stored.file_name.contains('/');
            if here && !files.iter().any(|file| file.name == name && file.size == firmware.size) {
                return Err(Fatal::new(format!(
                    "the file of firmware {} of product {} is not there whole: it may have been removed at this moment; try again",
                    firmware.version, firmware.product_id
                )));
            }
        }
    }
}

fn read_list(folder: &Path) -> Result<List> {
    let path = folder.join(LIST);
    let mut text = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(LONGEST_LIST).read_to_end(&mut text));
    read.context(|| format!("{}: it is no backup, or not all of one", path.display()))?;
    let damaged = |what: &str| Fatal::new(format!("the backup is damaged: {}: {what}", path.display()));
    let list: List = serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
    if list.form != FORM {
        return Err(Fatal::new(format!("{}: hub {} made it; restore it with that one", path.display(), list.hub)));
    }
    let mut names = BTreeSet::new();
    if !list.files.iter().all(|file| is_name(&file.name) && names.insert(&file.name)) {
        return Err(damaged("it names what no hub has saved"));
    }
    if !list.files.iter().any(|file| file.name == DATABASE_FILE) {
        return Err(damaged("it names no database"));
    }
    Ok(list)
}

/// Whether a file of this name may be in a data folder.
fn is_name(name: &str) -> bool {
    let parts: Option<Vec<&str>> = Path::new(name)
        .components()
        .map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    match parts.as_deref() {
        Some([file]) => *file == DATABASE_FILE || KEY_FILES.contains(file),
        Some([folder, file]) => FOLDERS.contains(folder) && !file.starts_with('.'),
        _ => false,
    }
}

fn check_free(option: &str, folder: &Path) -> Result<()> {
    let taken = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        entries => entries.context(|| format!("{option} {}", folder.display()))?.next().is_some(),
    };
    if taken {
        let text =
            format!("{option} {}: there is something already; name a folder that is not there", folder.display());
        return Err(Fatal::new(text));
    }
    Ok(())
}

/// A folder beside the one that it is to be.
fn draft(folder: &Path, mode: u32) -> Result<TempDir> {
    let parent = parent(folder);
    let what = || format!("cannot make a folder in {}", parent.display());
    let draft = tempfile::Builder::new()
        .prefix(DRAFT)
        .permissions(Permissions::from_mode(mode))
        .tempdir_in(parent)
        .context(what)?;
    for folder in FOLDERS {
        fs::create_dir(draft.path().join(folder)).context(what)?;
    }
    Ok(draft)
}

/// Moves a draft to where it is to be, so that it is whole there after a power cut, too. What is there is an empty folder, or
/// nothing.
fn place(draft: TempDir, folder: &Path) -> Result<()> {
    let sync = |folder: &Path| File::open(folder).and_then(|file| file.sync_all());
    let whole = FOLDERS.iter().try_for_each(|name| sync(&draft.path().join(name))).and_then(|()| sync(draft.path()));
    let moved = whole.and_then(|()| fs::rename(draft.path(), folder)).and_then(|()| sync(parent(folder)));
    moved.context(|| format!("cannot make {}", folder.display()))?;
    let _ = draft.keep();
    Ok(())
}

/// The folder that a folder is in.
fn parent(folder: &Path) -> &Path {
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn copy(from: &Path, to: &Path, mode: u32) -> io::Result<(u64, String)> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
    let measured = measure(File::open(from)?, &mut file)?;
    file.sync_all()?;
    Ok(measured)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Copies a file; returns how many bytes it has, and their hash.
fn measure(mut from: File, to: &mut dyn Write) -> io::Result<(u64, String)> {
    let (mut size, mut hash, mut part) = (0, Sha256::new(), vec![0; 1 << 16]);
    loop {
        let count = from.read(&mut part)?;
        let Some(read) = part.get(..count).filter(|read| !read.is_empty()) else {
            return Ok((size, hex::encode(hash.finalize())));
        };
        to.write_all(read)?;
        hash.update(read);
        size += count as u64;
    }
}

#[cfg(feature = "postgres")]
fn save(url: &str, to: &Path) -> Result<()> {
    hub_postgres::save(url, crate::data_folder::password().as_deref(), to)
}

#[cfg(feature = "postgres")]
fn load(url: &str, from: &Path) -> Result<()> {
    hub_postgres::load(url, crate::data_folder::password().as_deref(), from)
}

#[cfg(not(feature = "postgres"))]
fn save(_url: &str, _to: &Path) -> Result<()> {
    Err(crate::data_folder::without_postgres())
}

#[cfg(not(feature = "postgres"))]
fn load(_url: &str, _from: &Path) -> Result<()> {
    Err(crate::data_folder::without_postgres())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_reaches_nothing_beyond_its_folder() {
        for good in ["hub.db", "ca.key", "firmware/P1_1.0%2Bb.bin", "clients/P1dev.crt"] {
            assert!(is_name(good), "{good}");
        }
        for bad in
            ["", "/etc/passwd", "../hub.db", "firmware/../../x", "firmware", "firmware/a/b", "hub.json", "firmware/.x"]
        {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
