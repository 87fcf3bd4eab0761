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
use sha1::{Digest, Sha1};

use hub_core::error::{Context, Fatal, Result};
use hub_core::random;

/// As many as there are bits for; more hubs on one data folder are a mistake.
const MAX_PLACES: u32 = 64;
/// How the file of a place begins whose hub serves, and of one whose session is being cleared up.
const SERVES: &str = "serves";
const ENDED: &str = "ended";
/// Bytes of randomness in a name.
pub const NAME_BYTES: usize = 4;

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
    /// What the session at the broker subscribes to; empty where there is none.
    pub filters: Vec<String>,
}

/// What the other places say.
pub struct Survey {
    /// The numbers of those that serve, a bit each.
    pub members: u64,
    /// A place whose hub ended and left a session behind.
    pub orphan: Option<Place>,
}

impl Places {
    /// The places of a data folder.
    pub fn open(data: &Path) -> Result<Self> {
        let folder = data.join("broker");
        let what = || format!("cannot use {}", folder.display());
        fs::create_dir_all(&folder).context(what)?;
        let path = folder.join("name");
        let mut draft = tempfile::NamedTempFile::new_in(&folder).context(what)?;
        draft.write_all(hex::encode(random::bytes(NAME_BYTES)?).as_bytes()).context(what)?;
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
        Err(Fatal::new(format!("{MAX_PLACES} hubs use {} already", self.folder.display())))
    }

    /// Looks at the places of the others.
    pub fn survey(&self, own: u32) -> io::Result<Survey> {
        let mut survey = Survey { members: 1 << own, orphan: None };
        for number in (0..MAX_PLACES).filter(|number| *number != own) {
            match self.try_take(number, false) {
                Ok(Some(place)) if place.filters.is_empty() => {}
                Ok(Some(place)) => survey.orphan = survey.orphan.or(Some(place)),
                Ok(None) => {
                    if fs::read_to_string(self.path(number))?.starts_with(SERVES) {
                        survey.members |= 1 << number;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(survey)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.session"))
    }

    fn try_take(&self, number: u32, create: bool) -> io::Result<Option<Place>> {
        let mut options = File::options();
        options.read(true).write(true).create(create).truncate(false).mode(0o600);
        let mut file = options.open(self.path(number))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Some(Place { number, file, filters: text.lines().skip(1).map(str::to_owned).collect() }))
    }
}

impl Place {
    /// Notes that there is a session at the broker, what it subscribes to, and whether its hub still serves.
    pub fn note(&mut self, serves: bool, filters: Vec<String>) -> io::Result<()> {
        let text = format!("{}\n{}", if serves { SERVES } else { ENDED }, filters.join("\n"));
        self.write(&text)?;
        self.filters = filters;
        Ok(())
    }

    /// Notes that there is none.
    pub fn clear(&mut self) -> io::Result<()> {
        self.filters.clear();
        self.write("")
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)
    }
}

/// Whose a device is among the places that serve: as even as chance is, and when one comes or goes no device changes
/// between the others.
pub fn owner(client_id: &str, members: u64) -> Option<u32> {
    let weight = |number: &u32| Sha1::digest(format!("{number} {client_id}"));
    (0..MAX_PLACES).filter(|number| members >> number & 1 == 1).max_by_key(weight)
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
        let mut second = places.take().expect("another");
        assert_eq!((first.number, second.number), (0, 1));
        let survey = |own| places.survey(own).expect("readable");
        assert_eq!(survey(1).members, 0b10, "the first one does not serve yet");
        first.note(true, vec!["a".to_owned(), "b".to_owned()]).expect("written");
        second.note(true, vec!["a".to_owned()]).expect("written");
        assert_eq!(survey(1).members, 0b11);
        assert!(survey(1).orphan.is_none(), "its hub lives");
        drop(first);
        let mut found = survey(1).orphan.expect("the first one's session");
        assert_eq!((found.number, found.filters.len()), (0, 2));
        assert_eq!(survey(1).members, 0b11, "still the dead one's");
        found.note(false, found.filters.clone()).expect("written");
        assert_eq!(survey(1).members, 0b10);
        assert_eq!(places.take().expect("a place").number, 2, "held by whoever clears it up");
        found.clear().expect("written");
        drop(found);
        assert!(survey(1).orphan.is_none());
        assert_eq!(places.take().expect("a place").number, 0);
    }

    #[test]
    fn each_device_has_one_owner_and_keeps_it_when_others_go() {
        let ids: Vec<String> = (0..300).map(|n| format!("PRODUCTdev{n}")).collect();
        let mut counts = [0; 3];
        for id in &ids {
            let of_three = owner(id, 0b1_0011).expect("somebody");
            let of_two = owner(id, 0b1_0001).expect("somebody");
            assert!(of_three == of_two || of_three == 1);
            counts[[0, 1, 4].iter().position(|n| *n == of_three).expect("a member")] += 1;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
        assert_eq!(owner("x", 0), None);
    }
}
