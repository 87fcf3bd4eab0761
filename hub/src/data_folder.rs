//! The data folder: what a hub finds there, or puts there at its first start.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::state_file::write_whole;
use hub_core::devices::Devices;
use hub_core::error::{Context, Fatal, Result};
use hub_core::folder::Folder;
use hub_core::ports::store::Store;
use hub_core::random;
use hub_mqtt::tls::certs::Authority;
use hub_store::Database;

/// Signs URLs.
const SIGNING_KEY_FILE: &str = "signing.key";
/// What hubs must have in common.
pub const KEY_FILES: [&str; 3] = ["ca.key", "ca.pem", SIGNING_KEY_FILE];
/// Where the database is that is not elsewhere.
pub const DATABASE_FILE: &str = "hub.db";
/// Where uploaded firmware is.
pub const FIRMWARE_FOLDER: &str = "firmware";
/// Bytes in the key that signs URLs.
const SIGNING_KEY: usize = 20;

/// What is in a data folder.
pub struct Data {
    pub store: Arc<dyn Store>,
    pub authority: Arc<Authority>,
    /// Signs URLs.
    pub signing_key: Vec<u8>,
    /// Where uploaded firmware is.
    pub firmware_folder: Folder,
}

impl Data {
    /// Opens a folder, and the database: the one of the URL, else one in the folder. A folder that is not `kept` beyond this
    /// run need not survive a power cut.
    pub fn open(folder: &Path, kept: bool, database: Option<&str>) -> Result<Self> {
        fs::create_dir_all(folder).context(|| format!("cannot make the folder {}", folder.display()))?;
        let store: Arc<dyn Store> = match database {
            Some(url) => connect(url)?,
            None => Arc::new(Database::open(&folder.join(DATABASE_FILE), kept)?),
        };
        let firmware_folder = Folder::at(folder.join(FIRMWARE_FOLDER));
        firmware_folder.tidy()?;
        // Of two hubs that start at once in an empty folder, one makes the keys and the other waits for them here.
        let mut keys = None;
        store
            .exclusively(&mut || {
                keys = Some(match database {
                    Some(_) => shared_keys(&*store, folder),
                    None => own_keys(folder),
                });
            })
            .map_err(|problem| Fatal::new(problem.detail))?;
        let (authority, signing_key) = keys.unwrap_or_else(|| Err(Fatal::new("the keys were not made")))?;
        Ok(Data { store, authority: Arc::new(authority), signing_key, firmware_folder })
    }
}

#[cfg(feature = "postgres")]
fn connect(url: &str) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(hub_postgres::open(url, password().as_deref())?))
}

/// The database's password, where it is not in its URL.
#[cfg(feature = "postgres")]
pub fn password() -> Option<String> {
    std::env::var("HUB_DATABASE_PASSWORD").ok()
}

#[cfg(not(feature = "postgres"))]
fn connect(_url: &str) -> Result<Arc<dyn Store>> {
    Err(without_postgres())
}

#[cfg(not(feature = "postgres"))]
pub fn without_postgres() -> Fatal {
    Fatal::new("--database: this hub was built without it (cargo feature `postgres`)")
}

/// The keys in a folder; those that are missing are made.
fn own_keys(folder: &Path) -> Result<(Authority, Vec<u8>)> {
    let authority = Authority::open(folder)?;
    Ok((authority, signing_key(&folder.join(SIGNING_KEY_FILE))?))
}

/// The keys that the hubs of a database share: those of the first one. A folder gets copies of them.
fn shared_keys(store: &dyn Store, folder: &Path) -> Result<(Authority, Vec<u8>)> {
    let shared = |name: &str| store.shared_key(name).map_err(|problem| Fatal::new(problem.detail));
    for name in KEY_FILES {
        let path = folder.join(name);
        match (shared(name)?, path.exists()) {
            (Some(key), true) if fs::read(&path).context(|| path.display().to_string())? != key => {
                return Err(Fatal::new(format!(
                    "{}: the database's hubs share another one; move it away, or choose another data folder with --state",
                    path.display()
                )));
            }
            (Some(key), false) => write_whole(&path, &key)?,
            _ => {}
        }
    }
    let keys = own_keys(folder)?;
    for name in KEY_FILES {
        let path = folder.join(name);
        let key = fs::read(&path).context(|| path.display().to_string())?;
        store.share_key(name, &key).map_err(|problem| Fatal::new(problem.detail))?;
    }
    Ok(keys)
}

/// Adds the devices of a list to those that are there.
pub fn import(store: &dyn Store, devices: &Devices) -> Result<()> {
    store.import(devices).map_err(|problem| Fatal::new(problem.detail))
}

fn signing_key(path: &Path) -> Result<Vec<u8>> {
    let what = || format!("cannot use the key {}", path.display());
    match fs::read(path) {
        Ok(key) if key.len() == SIGNING_KEY => Ok(key),
        Ok(key) => Err(Fatal::new(format!(
            "{}: it has {} bytes, not {SIGNING_KEY}; remove it to have another one made (URLs handed out end then)",
            what(),
            key.len()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = random::bytes(SIGNING_KEY)?;
            write_whole(path, &key)?;
            Ok(key)
        }
        Err(error) => Err(error).context(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_keys() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let open = || Data::open(folder.path(), false, None);
        let ca = |data: &Data| fs::read(data.authority.ca_file()).expect("the CA");
        let (first, second) = (open().expect("data"), open().expect("the same"));
        assert_eq!(first.signing_key.len(), SIGNING_KEY);
        assert_eq!((first.signing_key == second.signing_key, ca(&first) == ca(&second)), (true, true));
        fs::write(folder.path().join(SIGNING_KEY_FILE), "short").expect("write");
        assert!(open().err().is_some_and(|error| error.to_string().contains("5 bytes")));
    }

    #[test]
    fn hubs_of_one_database_share_the_first_ones_keys() {
        let [first, second, third] = [(); 3].map(|()| tempfile::tempdir().expect("temporary folder"));
        let store = Database::open(&first.path().join("hub.db"), false).expect("a store");
        let open = |folder: &Path| shared_keys(&store, folder).map(|(authority, key)| (authority.ca_file(), key));
        let (ca, key) = open(first.path()).expect("keys");
        let (other_ca, other_key) = open(second.path()).expect("the same keys");
        let read = |path| fs::read(path).expect("a CA");
        assert_eq!((key, read(ca)), (other_key, read(other_ca)));
        drop(own_keys(third.path()).expect("keys of its own"));
        assert!(open(third.path()).err().is_some_and(|error| error.to_string().contains("share another one")));
    }
}
