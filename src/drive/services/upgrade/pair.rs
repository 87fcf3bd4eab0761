//! A store of two files, partitions or block devices, and a file for the record.

use std::ffi::{CStr, CString};

use super::store::{Store, StoreError, RECORD_AREA};
use crate::hal::files::{self, Errno, File, Kind};

/// Between the two places of the record, so that no disk writes both at once.
const RECORD_DISTANCE: u64 = 4096;
/// The longest name that a link is taken for.
const MAX_NAME_LEN: usize = 1024;

/// Who starts the slots.
pub enum Loader {
    /// A symbolic link, which names the slot that starts.
    Link(CString),
    /// Somebody who is told by this function; and the slot that runs.
    Told(Box<dyn Fn(u8, bool) -> i32 + Send + Sync>, u8),
}

/// Two slots and a record in the file system.
pub struct Pair {
    slots: [CString; 2],
    record: CString,
    loader: Loader,
    running: u8,
}

impl Pair {
    /// The pair of these slots.
    ///
    /// # Errors
    /// Why nobody knows which of them runs.
    pub fn new(slots: [CString; 2], record: CString, loader: Loader) -> Result<Self, String> {
        for path in slots.iter().chain([&record]) {
            // Raw flash and the volumes on it take what is written and hold something else.
            if files::kind(path) == Ok(Kind::CharacterDevice) {
                return Err(named(path, "is a character device, which this store can't erase: give one of your own"));
            }
        }
        let running = match &loader {
            Loader::Told(_, running) => *running,
            Loader::Link(link) => {
                let mut room = [0; MAX_NAME_LEN];
                let target = files::read_link(link, &mut room)
                    .map_err(|_| named(link, "is no symbolic link that can be read"))?;
                let place = slots.iter().position(|slot| slot.as_bytes() == target);
                u8::from(place.ok_or_else(|| named(link, "names neither slot"))? == 1)
            }
        };
        Ok(Pair { slots, record, loader, running })
    }

    fn place(&self, area: u8, offset: u32) -> (&CStr, u64) {
        match self.slots.get(usize::from(area)) {
            Some(slot) => (slot, u64::from(offset)),
            None => (&self.record, u64::from(area - RECORD_AREA) * RECORD_DISTANCE + u64::from(offset)),
        }
    }
}

fn named(path: &CStr, what: &str) -> String {
    format!("{} {what}", path.to_string_lossy())
}

fn failed(Errno(number): Errno) -> StoreError {
    StoreError(-number)
}

fn open(path: &CStr) -> Result<File, Errno> {
    File::open_to_write(path, false).or_else(|error| match error {
        Errno::NOT_THERE => {
            let file = File::open_to_write(path, true)?;
            sync_folder(path)?;
            Ok(file)
        }
        error => Err(error),
    })
}

/// A name reaches the disk with its folder.
fn sync_folder(path: &CStr) -> Result<(), Errno> {
    let path = path.to_bytes();
    let folder = match path.iter().rposition(|byte| *byte == b'/') {
        None => c".".to_owned(),
        // With the slash: of the root nothing else would be left.
        Some(slash) => CString::new(path.get(..=slash).unwrap_or_default()).unwrap_or_default(),
    };
    File::open(&folder)?.sync()
}

/// Puts a link in another one's place: one of the two is there at all times.
fn replace_link(link: &CStr, target: &CStr) -> Result<(), Errno> {
    let beside = CString::new([link.to_bytes(), b".next"].concat()).unwrap_or_default();
    files::remove(&beside)?;
    files::make_link(target, &beside)?;
    sync_folder(link)?;
    files::rename(&beside, link)?;
    sync_folder(link)
}

impl Store for Pair {
    fn running(&self) -> Result<u8, StoreError> {
        Ok(self.running)
    }

    fn open(&self, slot: u8, size: u32) -> Result<(), StoreError> {
        let (path, _) = self.place(slot, 0);
        let file = open(path).map_err(failed)?;
        if files::kind(path) == Ok(Kind::File) {
            // What an older, longer image has left behind is no part of this one.
            return file.set_size(size).map_err(failed);
        }
        file.read_at(&mut [0], u64::from(size.saturating_sub(1))).map_err(failed)
    }

    fn read(&self, area: u8, offset: u32, data: &mut [u8]) -> Result<(), StoreError> {
        let (path, at) = self.place(area, offset);
        File::open(path).and_then(|file| file.read_at(data, at)).map_err(failed)
    }

    fn write(&self, area: u8, offset: u32, data: &[u8]) -> Result<(), StoreError> {
        let (path, at) = self.place(area, offset);
        open(path).and_then(|file| file.write_at(data, at)).map_err(failed)
    }

    fn sync(&self, area: u8) -> Result<(), StoreError> {
        open(self.place(area, 0).0).and_then(|file| file.sync()).map_err(failed)
    }

    fn erase(&self, _area: u8, _offset: u32) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&self, slot: u8, is_trial: bool) -> Result<(), StoreError> {
        match &self.loader {
            Loader::Link(link) => replace_link(link, &self.slots[usize::from(slot & 1)]).map_err(failed),
            Loader::Told(tell, _) => match tell(slot, is_trial) {
                0 => Ok(()),
                code => Err(StoreError(code)),
            },
        }
    }

    fn erase_size(&self) -> u32 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_names_the_slot_that_starts() {
        let folder = std::env::temp_dir().join(format!("iot_pair_{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let named = |name: &str| CString::new(folder.join(name).as_os_str().as_bytes()).unwrap();
        let slots = [named("a"), named("b")];
        let (record, link) = (named("record"), named("current"));
        let pair = || Pair::new(slots.clone(), record.clone(), Loader::Link(link.clone()));
        let why = |pair: Result<Pair, String>| pair.err().unwrap();
        assert!(why(pair()).contains("current is no symbolic link"));
        let raw = [c"/dev/null".to_owned(), slots[1].clone()];
        let told = Loader::Told(Box::new(|_, _| 0), 0);
        assert!(why(Pair::new(raw, record.clone(), told)).contains("/dev/null is a character device"));
        for target in ["somewhere".to_owned(), "x".repeat(MAX_NAME_LEN)] {
            symlink(target, folder.join("current")).unwrap();
            assert!(pair().is_err());
            fs::remove_file(folder.join("current")).unwrap();
        }
        symlink(folder.join("a"), folder.join("current")).unwrap();
        let store = pair().unwrap();
        assert_eq!(store.running(), Ok(0));
        let mut data = [0; 3];
        assert_eq!(store.read(RECORD_AREA, 0, &mut data), Err(StoreError(-libc::ENOENT)));
        store.open(1, 3).unwrap();
        for area in [1, RECORD_AREA, RECORD_AREA + 1] {
            store.write(area, 0, &[area; 3]).unwrap();
            store.sync(area).unwrap();
        }
        for area in [1, RECORD_AREA, RECORD_AREA + 1] {
            store.read(area, 0, &mut data).unwrap();
            assert_eq!(data, [area; 3]);
        }
        // Nothing is behind the end.
        assert_eq!(store.read(1, 1, &mut data), Err(StoreError(-libc::EIO)));
        for slot in [1, 1, 0, 1] {
            store.commit(slot, true).unwrap();
            assert_eq!(pair().unwrap().running(), Ok(slot));
        }
        store.open(1, 2).unwrap();
        assert_eq!(fs::read(folder.join("b")).unwrap(), [1; 2]);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(store.write(1, 0, &data), Err(StoreError(-libc::ENOENT)));
        assert_eq!(store.commit(0, false), Err(StoreError(-libc::ENOENT)));
    }
}
