//! The data folder: what a hub finds there, or puts there at its first start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::state_file::write_whole;
use hub_core::devices::Devices;
use hub_core::error::{Context, Fatal, Result};
use hub_core::operations;
use hub_core::ports::store::Store;
use hub_core::random;
use hub_mqtt::tls::certs::Authority;
use hub_store::Database;

/// Bytes in the key that signs URLs.
const SIGNING_KEY: usize = 20;

/// What is in a data folder.
pub struct Data {
    pub store: Arc<dyn Store>,
    pub authority: Arc<Authority>,
    /// Signs URLs.
    pub signing_key: Vec<u8>,
    /// Where uploaded firmware is.
    pub firmware_folder: PathBuf,
}

impl Data {
    /// Opens a folder. One that is not `kept` beyond this run need not survive a power cut.
    pub fn open(folder: &Path, kept: bool) -> Result<Self> {
        fs::create_dir_all(folder).context(|| format!("cannot make the folder {}", folder.display()))?;
        let store = Database::open(&folder.join("hub.db"), kept)?;
        let firmware_folder = folder.join("firmware");
        operations::tidy(&firmware_folder)?;
        // Of two hubs that start at once in an empty folder, one makes the keys and the other waits for them here.
        let mut keys = None;
        store
            .exclusively(&mut || {
                let signing_key = || signing_key(&folder.join("signing.key"));
                keys = Some(Authority::open(folder).and_then(|authority| Ok((authority, signing_key()?))));
            })
            .map_err(|problem| Fatal::new(problem.detail))?;
        let (authority, signing_key) = keys.unwrap_or_else(|| Err(Fatal::new("the keys were not made")))?;
        Ok(Data { store: Arc::new(store), authority: Arc::new(authority), signing_key, firmware_folder })
    }
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
        let open = || Data::open(folder.path(), false);
        let ca = |data: &Data| fs::read(data.authority.ca_file()).expect("the CA");
        let (first, second) = (open().expect("data"), open().expect("the same"));
        assert_eq!(first.signing_key.len(), SIGNING_KEY);
        assert_eq!((first.signing_key == second.signing_key, ca(&first) == ca(&second)), (true, true));
        fs::write(folder.path().join("signing.key"), "short").expect("write");
        assert!(open().err().is_some_and(|error| error.to_string().contains("5 bytes")));
    }
}
