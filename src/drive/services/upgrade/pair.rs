//! A store of two files, partitions or block devices, and a file for the record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{symlink, FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use super::store::{Store, StoreError, RECORD_AREA};

/// Between the two places of the record, so that no disk writes both at once.
const RECORD_DISTANCE: u64 = 4096;
/// What a system's error without a number becomes.
const FAILED: i32 = -1;

/// Who starts the slots.
pub enum Loader {
    /// A symbolic link, which names the slot that starts.
    Link(PathBuf),
    /// Somebody who is told by this function; and the slot that runs.
    Told(Box<dyn Fn(u8, bool) -> i32 + Send + Sync>, u8),
}

/// Two slots and a record in the file system.
pub struct Pair {
    slots: [PathBuf; 2],
    record: PathBuf,
    loader: Loader,
    running: u8,
}

impl Pair {
    /// The pair of these slots.
    ///
    /// # Errors
    /// Why nobody knows which of them runs.
    pub fn new(slots: [PathBuf; 2], record: PathBuf, loader: Loader) -> Result<Self, String> {
        for path in slots.iter().chain([&record]) {
            // Raw flash and the volumes on it take what is written and hold something else.
            if fs::metadata(path).is_ok_and(|about| about.file_type().is_char_device()) {
                let path = path.display();
                return Err(format!(
                    "{path} is a character device, which this store can't erase: give one of your own"
                ));
            }
        }
        let running = match &loader {
            Loader::Told(_, running) => *running,
            Loader::Link(link) => {
                let named = fs::read_link(link).map_err(|why| format!("{} can't be read: {why}", link.display()))?;
                let place = slots.iter().position(|slot| *slot == named);
                let place = place.ok_or_else(|| format!("{} names neither slot", link.display()))?;
                u8::from(place == 1)
            }
        };
        Ok(Pair { slots, record, loader, running })
    }

    fn place(&self, area: u8, offset: u32) -> (&Path, u64) {
        match self.slots.get(usize::from(area)) {
            Some(slot) => (slot, u64::from(offset)),
            None => (&self.record, u64::from(area - RECORD_AREA) * RECORD_DISTANCE + u64::from(offset)),
        }
    }
}

fn failed(error: io::Error) -> StoreError {
    StoreError(error.raw_os_error().map_or(FAILED, |number| -number))
}

fn open(path: &Path) -> io::Result<File> {
    let is_there = path.exists();
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    if !is_there {
        sync_folder(path)?;
    }
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Puts a link in another one's place: one of the two is there at all times.
fn replace_link(link: &Path, target: &Path) -> io::Result<()> {
    let mut beside = link.as_os_str().to_owned();
    beside.push(".next");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(target, &beside)?;
    sync_folder(link)?;
    fs::rename(&beside, link)?;
    sync_folder(link)
}

impl Store for Pair {
    fn running(&self) -> Result<u8, StoreError> {
        Ok(self.running)
    }

    fn open(&self, slot: u8, size: u32) -> Result<(), StoreError> {
        let (path, _) = self.place(slot, 0);
        let file = open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.file_type().is_file() {
            // What an older, longer image has left behind is no part of this one.
            return file.set_len(u64::from(size)).map_err(failed);
        }
        let mut last = [0];
        let end = u64::from(size.saturating_sub(1));
        file.read_exact_at(&mut last, end).map_err(failed)
    }

    fn read(&self, area: u8, offset: u32, data: &mut [u8]) -> Result<(), StoreError> {
        let (path, at) = self.place(area, offset);
        File::open(path).and_then(|file| file.read_exact_at(data, at)).map_err(failed)
    }

    fn write(&self, area: u8, offset: u32, data: &[u8]) -> Result<(), StoreError> {
        let (path, at) = self.place(area, offset);
        open(path).and_then(|file| file.write_all_at(data, at)).map_err(failed)
    }

    fn sync(&self, area: u8) -> Result<(), StoreError> {
        let (path, _) = self.place(area, 0);
        open(path).and_then(|file| file.sync_all()).map_err(failed)
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
    use super::*;

    #[test]
    fn a_link_names_the_slot_that_starts() {
        let folder = std::env::temp_dir().join(format!("iot_pair_{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let slots = [folder.join("a"), folder.join("b")];
        let (record, link) = (folder.join("record"), folder.join("current"));
        let pair = || Pair::new(slots.clone(), record.clone(), Loader::Link(link.clone()));
        assert!(pair().is_err());
        let raw = [PathBuf::from("/dev/null"), slots[1].clone()];
        let why = Pair::new(raw, record.clone(), Loader::Told(Box::new(|_, _| 0), 0)).err().unwrap();
        assert!(why.contains("/dev/null is a character device"), "{why}");
        symlink(&slots[0], &link).unwrap();
        let store = pair().unwrap();
        assert_eq!(store.running(), Ok(0));
        let mut data = [0; 3];
        assert!(store.read(RECORD_AREA, 0, &mut data).is_err());
        store.open(1, 3).unwrap();
        for area in [1, RECORD_AREA, RECORD_AREA + 1] {
            store.write(area, 0, &[area; 3]).unwrap();
            store.sync(area).unwrap();
        }
        for area in [1, RECORD_AREA, RECORD_AREA + 1] {
            store.read(area, 0, &mut data).unwrap();
            assert_eq!(data, [area; 3]);
        }
        for slot in [1, 1, 0, 1] {
            store.commit(slot, true).unwrap();
            assert_eq!(pair().unwrap().running(), Ok(slot));
        }
        store.open(1, 2).unwrap();
        assert_eq!(fs::read(&slots[1]).unwrap(), [1; 2]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
