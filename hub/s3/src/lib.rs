//! S3 as the place for the hub's firmware files: any server that speaks it. Devices fetch from it by URLs that it checks.
//!
//! An object is `<prefix>/<firmware>/<random>.bin`. No two uploads have one name, so that an upload that fails takes
//! nothing away from another one of the same firmware.
//!
//! ```no_run
//! use hub_core::ports::files::Files;
//! use hub_s3::{open, Access};
//!
//! let store = open("s3://bucket/firmware", Access::of_environment()?)?;
//! println!("{:?}", store.url("P1_1.0/00", 0, 60));
//! # Ok::<(), hub_core::error::Fatal>(())
//! ```

#![forbid(unsafe_code)]

mod access;
mod client;
mod draft;
mod trouble;

use std::sync::Arc;

use hub_core::error::{Fatal, Result};
use hub_core::folder::SUFFIX;
use hub_core::model::{Problem, ProblemKind};
use hub_core::ports::files::{Draft, Files};
use hub_core::ports::store::Outcome;
use hub_core::random;

pub use access::Access;
use client::Client;
use draft::ObjectDraft;

/// How long a URL may open at most: more no S3 takes.
pub const MAX_LIFETIME: u64 = 7 * 24 * 3600;
/// Longest prefix: a key has at most 1024 bytes.
const MAX_PREFIX: usize = 512;
/// Bytes of randomness in an object's name.
const NAME_BYTES: usize = 8;

/// Firmware in a bucket.
pub struct ObjectStore {
    client: Arc<Client>,
    /// Empty, or with a slash at its end.
    prefix: String,
}

/// The bucket and prefix that a URL names, `s3://BUCKET[/PREFIX]`. Connects to nothing yet.
pub fn open(location: &str, access: Access) -> Result<ObjectStore> {
    let (bucket, prefix) = location
        .strip_prefix("s3://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        .filter(|(bucket, _)| is_bucket(bucket))
        .ok_or_else(|| Fatal::new(format!("{location:?}: it must be s3://BUCKET or s3://BUCKET/PREFIX")))?;
    let prefix = prefix.trim_matches('/');
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let good = |part: &str| !part.is_empty() && part != "." && part != ".." && plain(part);
    if !prefix.is_empty() && !prefix.split('/').all(good) || prefix.len() > MAX_PREFIX {
        return Err(Fatal::new(format!(
            "{location:?}: a prefix has at most {MAX_PREFIX} of the characters A-Z a-z 0-9 - _ . and single slashes"
        )));
    }
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(ObjectStore { client: Arc::new(Client::new(bucket, access)?), prefix })
}

fn is_bucket(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (3..=63).contains(&name.len()) && name.bytes().all(good)
}

impl ObjectStore {
    fn key(&self, name: &str) -> String {
        format!("{}{name}{SUFFIX}", self.prefix)
    }
}

impl Files for ObjectStore {
    fn begin(&self, file_name: &str) -> Outcome<Box<dyn Draft>> {
        let random =
            random::bytes(NAME_BYTES).map_err(|fatal| Problem::new(ProblemKind::Internal, fatal.to_string()))?;
        let name = format!("{file_name}/{}", hex::encode(random));
        let key = self.key(&name);
        Ok(Box::new(ObjectDraft::new(self.client.clone(), name, key)))
    }

    fn url(&self, name: &str, now: u64, lifetime: u64) -> Option<String> {
        self.client.fetch_url(&self.key(name), now, lifetime)
    }

    fn check(&self, name: &str, size: u64) -> Outcome<()> {
        self.client.check(&self.key(name), size)
    }

    fn remove(&self, name: &str) -> Outcome<()> {
        let key = self.key(name);
        self.client.remove(&key).map_err(|trouble| self.client.problem(&format!("remove {key}"), &trouble))
    }
}

#[cfg(test)]
mod tests;
