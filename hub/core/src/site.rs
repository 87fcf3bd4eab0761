//! Which URLs there are: signed ones that end, as an object store's do, and a plain one for trying things by hand.

use std::path::PathBuf;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::firmware::escape;
use crate::folder::{Folder, SUFFIX};
use crate::model::Problem;
use crate::ports::files::Files;
use crate::ports::store::{Outcome, Stored};

/// Stands where the object store puts its owner's account.
const ACCOUNT: &str = "/100000000001_";
const PLAIN: &str = "/firmware/";
const SIGN: &str = "?sign=q-sign-algorithm%3Dsha1%26q-ak%3Dhub%26q-sign-time%3D";

/// What a request's target opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// The file of this name.
    File(&'a str),
    /// A file offered on the command line, by its version as it stands in the URL.
    Plain(&'a str),
    /// 403, and why. The answer does not say it; the hub's own events do.
    Forbidden(&'static str),
    /// 404.
    Unknown,
}

/// Where devices are sent, and what opens there.
pub struct Site {
    /// Signs URLs.
    pub key: Vec<u8>,
    /// How long a signed URL opens, in seconds.
    pub lifetime: u64,
    /// The own server's URL, without a path; `None` where it is off.
    pub server: Option<String>,
    /// The URL sent for what the command line offers, whatever the own server's is.
    pub instead: Option<String>,
    /// The URL of a server of somebody else's that serves `folder`, without the slash at its end.
    pub elsewhere: Option<String>,
    /// Where uploaded firmware is, and what resources have.
    pub folder: Folder,
    /// Where uploads go instead of the folder.
    pub object_store: Option<Arc<dyn Files>>,
}

impl Site {
    /// The URL of a firmware for a command that goes out at second `now`. `None` where no server is on.
    pub fn url(&self, stored: &Stored, now: u64) -> Option<String> {
        match (&self.instead, &stored.path, &self.elsewhere) {
            (Some(url), Some(_), _) => Some(url.clone()),
            (_, None, _) if is_object(&stored.file_name) => {
                self.object_store.as_ref()?.url(&stored.file_name, now, self.lifetime)
            }
            // The file's name holds escapes that are part of it.
            (_, _, Some(base)) => Some(format!("{base}/{}{SUFFIX}", escape(&stored.file_name))),
            _ => self.own_url(&stored.file_name, now),
        }
    }

    /// The URL on the own server of any file of the folder; `None` where it is off.
    pub fn own_url(&self, file_name: &str, now: u64) -> Option<String> {
        Some(format!("{}{}", self.server.as_ref()?, self.target(file_name, now)))
    }

    /// Where uploads go.
    pub fn files(&self) -> &dyn Files {
        self.object_store.as_deref().unwrap_or(&self.folder)
    }

    /// Where the uploaded file of this name is. What was uploaded before the hub had an object store stays in the folder.
    pub fn home(&self, name: &str) -> Outcome<&dyn Files> {
        if !is_object(name) {
            return Ok(&self.folder);
        }
        self.object_store.as_deref().ok_or_else(|| {
            Problem::conflict(
                "The firmware's file is in an object store, and this hub was started without it (hub run --firmware-store).",
            )
        })
    }

    fn target(&self, file_name: &str, now: u64) -> String {
        self.signed(file_name, now, now.saturating_add(self.lifetime))
    }

    /// Looks as the object store's do, escapes and trailing `%00` and all.
    fn signed(&self, file_name: &str, begin: u64, end: u64) -> String {
        let path = format!("{ACCOUNT}{file_name}");
        format!("{path}{SIGN}{begin}%3B{end}%26q-signature%3D{}%00", hex::encode(self.mac(&path, begin, end)))
    }

    fn mac(&self, path: &str, begin: u64, end: u64) -> Vec<u8> {
        let mac = Hmac::<Sha1>::new_from_slice(&self.key).map(|mut mac| {
            mac.update(format!("{path}\n{begin};{end}").as_bytes());
            mac.finalize().into_bytes().to_vec()
        });
        // A key may have any length.
        mac.unwrap_or_default()
    }

    /// Compares a request's raw target byte for byte: a client that decodes and encodes URLs anew is found out.
    pub fn access<'a>(&self, target: &'a str, now: u64) -> Access<'a> {
        if let Some(version) = target.strip_prefix(PLAIN) {
            return Access::Plain(version);
        }
        let Some(rest) = target.strip_prefix(ACCOUNT) else {
            return Access::Unknown;
        };
        let file_name = rest.split('?').next().unwrap_or(rest);
        let Some((begin, end)) = times(rest.get(file_name.len()..).unwrap_or_default()) else {
            return Access::Forbidden("the URL is not signed as it was handed out");
        };
        let own = self.signed(file_name, begin, end);
        if !same(own.as_bytes(), target.as_bytes()) {
            return Access::Forbidden("the URL's signature is not right");
        }
        if end < now {
            return Access::Forbidden("the URL has expired");
        }
        Access::File(file_name)
    }
}

/// Whether a file is in an object store: there, each upload has a name of its own below its firmware's.
fn is_object(name: &str) -> bool {
    name.contains('/')
}

/// Begin and end of a signature.
fn times(query: &str) -> Option<(u64, u64)> {
    let (begin, rest) = query.strip_prefix(SIGN)?.split_once("%3B")?;
    let (end, _) = rest.split_once("%26")?;
    Some((begin.parse().ok()?, end.parse().ok()?))
}

/// Takes as long for a signature that is almost right as for any other.
fn same(own: &[u8], given: &[u8]) -> bool {
    own.len() == given.len() && own.iter().zip(given).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// A file to be served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Strong, from the MD5, in its quotes.
    pub etag: String,
}

impl Served {
    /// What is served of a firmware.
    pub fn new(path: PathBuf, stored: &Stored) -> Self {
        Served { path, size: stored.firmware.size, etag: format!("\"{}\"", stored.firmware.md5) }
    }
}

/// Whether a version as it stands in a URL is this one.
pub fn is_version(escaped: &str, version: &str) -> bool {
    escape(version) == escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            key: b"key".to_vec(),
            lifetime: 60,
            server: None,
            instead: None,
            elsewhere: None,
            folder: Folder::at("fw"),
            object_store: None,
        }
    }

    #[test]
    fn urls_on_a_server_of_somebody_elses() {
        let firmware = crate::model::Firmware {
            id: 1,
            product_id: "P1".to_owned(),
            version: "1.0+b".to_owned(),
            name: String::new(),
            size: 1,
            md5: String::new(),
            created_at: 0,
            signature: None,
        };
        let stored = Stored { firmware, file_name: "P1_1.0%2Bb".to_owned(), path: None };
        let site = Site { elsewhere: Some("https://cdn/fw".to_owned()), ..site() };
        // A server that takes the escapes away once finds the file by its name.
        assert_eq!(site.url(&stored, 0).as_deref(), Some("https://cdn/fw/P1_1.0%252Bb.bin"));
        assert_eq!(site.folder.of(&stored).to_str(), Some("fw/P1_1.0%2Bb.bin"));
    }

    #[test]
    fn targets() {
        let site = site();
        let target = site.target("P1_1.0%2Bb", 1000);
        let begin = "/100000000001_P1_1.0%2Bb?sign=q-sign-algorithm%3Dsha1%26q-ak%3Dhub%26q-sign-time%3D1000%3B1060%26";
        assert!(target.starts_with(begin), "{target}");
        assert!(target.ends_with("%00"));
        for now in [900, 1000, 1060] {
            assert_eq!(site.access(&target, now), Access::File("P1_1.0%2Bb"));
        }
        assert_eq!(site.access(&target, 1061), Access::Forbidden("the URL has expired"));
        for altered in [
            target.replace("%26", "&"),
            target.replace("%3D", "%3d"),
            target.replace("1060", "9060"),
            target.replace("1060", "+1060"),
            target.replace("P1_", "P2_"),
            target.trim_end_matches("%00").to_owned(),
            target.split('?').next().expect("path").to_owned(),
            format!("{target}x"),
            target.replace("q-signature%3D", "q-signature%3D0"),
        ] {
            assert!(matches!(site.access(&altered, 1000), Access::Forbidden(_)), "{altered}");
        }
        assert_eq!(site.access("/firmware/1.0%2Bb", 0), Access::Plain("1.0%2Bb"));
        assert!(is_version("1.0%2Bb", "1.0+b") && !is_version("1.0", "1.0+b"));
        for unknown in ["/", "", "/firmware", "100000000001_P1"] {
            assert_eq!(site.access(unknown, 0), Access::Unknown);
        }
        assert_ne!(Site { key: b"other".to_vec(), ..site }.target("P1_1.0%2Bb", 1000), target);
    }
}
