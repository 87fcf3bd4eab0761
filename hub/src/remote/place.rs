//! Which session at the broker is whose.
//!
//! Hub processes with one data folder take the first free number each; it names their session at the broker, which
//! outlives them. The lock on a number's file is the kernel's to release, so that the others learn of an end by any means.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

use crate::error::{Context, Result};

/// More than this many hubs on one data folder are a mistake.
const MAX_PLACES: u32 = 64;
/// Bytes of randomness in the folder's name.
const NAME_BYTES: usize = 4;

/// The folder in the data folder.
#[derive(Clone)]
pub struct Places {
    folder: PathBuf,
    /// Tells the sessions of one data folder from those of another.
    pub name: String,
}

/// A number that is this process's until it ends.
pub struct Place {
    pub number: u32,
    file: File,
    /// What to unsubscribe from in the session that is there; empty where there is none.
    pub filters: Vec<String>,
}

impl Places {
    /// The places of a data folder.
    pub fn open(data: &Path) -> Result<Self> {
        let folder = data.join("broker");
        let what = || format!("cannot use {}", folder.display());
        fs::create_dir_all(&folder).context(what)?;
        let path = folder.join("name");
        let mut draft = tempfile::NamedTempFile::new_in(&folder).context(what)?;
        draft.write_all(random_name()?.as_bytes()).context(what)?;
        // Of two hubs that start at once, one names the folder and the other one reads the name.
        match draft.persist_noclobber(&path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error).context(what)?,
            _ => {}
        }
        let name = fs::read_to_string(&path).context(what)?;
        Ok(Places { folder, name })
    }

    /// The client id of a place's session.
    pub fn client_id(&self, place: &Place) -> String {
        format!("hub-{}-{}", self.name, place.number)
    }

    /// The first place that nobody has.
    pub fn take(&self) -> Result<Place> {
        let what = || format!("cannot use {}", self.folder.display());
        for number in 0..MAX_PLACES {
            if let Some(place) = self.try_take(number, true).context(what)? {
                return Ok(place);
            }
        }
        Err(crate::error::Fatal::new(format!("{MAX_PLACES} hubs use {} already", self.folder.display())))
    }

    /// A place whose hub ended and left a session behind.
    pub fn orphan(&self) -> io::Result<Option<Place>> {
        for number in 0..MAX_PLACES {
            match self.try_take(number, false) {
                Ok(Some(place)) if !place.filters.is_empty() => return Ok(Some(place)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn try_take(&self, number: u32, create: bool) -> io::Result<Option<Place>> {
        let path = self.folder.join(format!("{number}.session"));
        let mut options = File::options();
        let mut file = options.read(true).write(true).create(create).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Some(Place { number, file, filters: text.lines().map(str::to_owned).collect() }))
    }
}

impl Place {
    /// Notes that there is a session at the broker, and what it subscribes to; with nothing, that there is none.
    pub fn note(&mut self, filters: &[String]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(filters.join("\n").as_bytes())?;
        self.filters = filters.to_vec();
        Ok(())
    }
}

/// Something no other hub has.
pub fn random_name() -> Result<String> {
    let mut bytes = [0; NAME_BYTES];
    let fill = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
    fill.map_err(|_| crate::error::Fatal::new("this machine gives no random numbers"))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hub_has_a_place_and_leaves_it_with_its_session() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let places = Places::open(folder.path()).expect("places");
        assert_eq!(places.name, Places::open(folder.path()).expect("the same").name);
        let mut first = places.take().expect("a place");
        let second = places.take().expect("another");
        assert_eq!((first.number, second.number), (0, 1));
        assert!(places.orphan().expect("readable").is_none());
        first.note(&["$share/x/a".to_owned(), "b".to_owned()]).expect("written");
        assert!(places.orphan().expect("readable").is_none(), "its hub lives");
        drop(first);
        let mut found = places.orphan().expect("readable").expect("the first one's session");
        assert_eq!((found.number, found.filters.len()), (0, 2));
        assert_eq!(places.take().expect("a place").number, 2, "held by whoever clears it up");
        found.note(&[]).expect("written");
        drop(found);
        assert!(places.orphan().expect("readable").is_none());
        assert_eq!(places.take().expect("a place").number, 0);
    }
}
