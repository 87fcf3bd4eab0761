//! Resources: what a person can do, and the files of both ways.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::prelude::{Engine, BASE64_STANDARD};
use md5::{Digest, Md5};

use crate::folder::trouble;
use crate::hub::{now_ms, Hub};
use crate::model::{Direction, Problem, Resource, SendResource};
use crate::ota::Outgoing;
use crate::ports::store::Outcome;
use crate::problems;
use crate::resource::{file_name, id_of, is_name, topic, MAX_NAME, MAX_SIZE};
use crate::site::{Access, Served};

/// What a device's upload gets, where it is not taken.
pub enum Untaken {
    /// Its URL is not, or no longer, good; and why.
    Forbidden(&'static str),
    /// There is no such upload.
    Unknown,
    /// It is not the file that was announced; and what differs.
    Other(&'static str),
    /// The device uploads too often; and when it may again.
    TooOften(Duration),
    /// Something is wrong with the hub.
    Broken(Problem),
}

impl Hub {
    /// Keeps a file for a device, and tells the device if it listens: else when it asks.
    pub fn send_resource(&self, client_id: &str, what: &SendResource, file: &[u8]) -> Outcome<Resource> {
        let device = self.store.find_device(client_id)?.ok_or_else(|| problems::no_device(client_id))?;
        if !is_name(&what.name) {
            return Err(Problem::invalid(format!("The name must have 1 to {MAX_NAME} printable characters.")));
        }
        if file.is_empty() || file.len() > MAX_SIZE {
            return Err(Problem::invalid(format!("The file must have 1 to {MAX_SIZE} bytes.")));
        }
        let resource = Resource {
            client_id: client_id.to_owned(),
            direction: Direction::Download,
            name: what.name.clone(),
            size: file.len() as u64,
            md5: hex::encode(Md5::digest(file)),
            state: "waiting".to_owned(),
            ..Resource::default()
        };
        let id = self.store.add_resource(&resource, now_ms())?;
        self.keep_file(id, file)?;
        let resource = self.resource(id)?;
        self.tell_of_resource(&resource);
        if let Some(payload) = self.resource_task("download", &resource) {
            let topic = topic(&device.product_id, &device.device_name);
            if self.downlink.listens(client_id, &topic) {
                self.send(Outgoing { topic, payload, acknowledged: true });
            }
        }
        Ok(resource)
    }

    /// A device's resources, newest first.
    pub fn resource_list(&self, client_id: &str) -> Outcome<Vec<Resource>> {
        self.store.find_device(client_id)?.ok_or_else(|| problems::no_device(client_id))?;
        self.store.resources(client_id)
    }

    /// One resource.
    pub fn resource(&self, id: i64) -> Outcome<Resource> {
        self.store.resource(id)?.ok_or_else(|| Problem::unknown(format!("There is no resource {id}.")))
    }

    /// The file of a resource.
    pub fn resource_file(&self, id: i64) -> Outcome<Vec<u8>> {
        if !self.resource(id)?.stored {
            return Err(Problem::conflict(format!("The file of resource {id} has not come.")));
        }
        fs::read(self.resource_path(id)).map_err(|error| trouble(&error))
    }

    /// What is served of a resource's file; `None`: there is none.
    pub(crate) fn serve_resource(&self, id: i64) -> Outcome<Option<Served>> {
        let resource = self.store.resource(id)?.filter(|resource| resource.stored);
        Ok(resource.map(|resource| {
            let etag = format!("\"{}\"", resource.md5);
            Served { path: self.resource_path(id), size: resource.size, etag }
        }))
    }

    /// The upload that a request's target opens.
    pub fn expected_upload(&self, target: &str) -> Result<Resource, Untaken> {
        let id = match self.site.access(target, now_ms() / 1000) {
            Access::File(name) => id_of(name).ok_or(Untaken::Unknown)?,
            Access::Forbidden(reason) => return Err(Untaken::Forbidden(reason)),
            Access::Plain(_) | Access::Unknown => return Err(Untaken::Unknown),
        };
        let resource = self.store.resource(id).map_err(Untaken::Broken)?;
        resource.filter(|resource| resource.direction == Direction::Upload).ok_or(Untaken::Unknown)
    }

    /// Takes a file that a device uploads.
    pub fn take_upload(&self, resource: &Resource, content_md5: &str, file: &[u8]) -> Result<(), Untaken> {
        if file.len() as u64 != resource.size {
            return Err(Untaken::Other("it has another length than was announced"));
        }
        let digest = Md5::digest(file);
        if BASE64_STANDARD.encode(digest) != content_md5 {
            return Err(Untaken::Other("it does not have the MD5 of its Content-MD5"));
        }
        if hex::encode(digest) != resource.md5 {
            return Err(Untaken::Other("it has another MD5 than was announced"));
        }
        self.may_upload(&resource.client_id).map_err(Untaken::TooOften)?;
        self.keep_file(resource.id, file).map_err(Untaken::Broken)
    }

    fn keep_file(&self, id: i64, file: &[u8]) -> Outcome<()> {
        self.site.folder.keep(file, &file_name(id))?;
        self.store.resource_stored(id, now_ms())
    }

    fn resource_path(&self, id: i64) -> PathBuf {
        self.site.folder.file(&file_name(id))
    }
}
