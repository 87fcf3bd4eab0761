//! What the resource service needs of a store. Each method is one whole transaction.

use crate::model::{Direction, Problem, Resource};

/// What a device reports of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceReport<'a> {
    /// Which way.
    pub direction: Direction,
    /// The resource's name.
    pub name: &'a str,
    /// `downloading`, `uploading`, `done` or `fail`.
    pub state: &'a str,
    /// Where it is under way.
    pub percent: Option<u8>,
    /// What went wrong, or 0.
    pub result_code: i64,
    /// In words.
    pub result_msg: &'a str,
}

/// What the store keeps of resources.
pub trait ResourceStore {
    /// Keeps a resource, whose id and times do not count, and returns its id, which none had before.
    fn add_resource(&self, resource: &Resource, now: u64) -> Result<i64, Problem>;

    /// One resource.
    fn resource(&self, id: i64) -> Result<Option<Resource>, Problem>;

    /// Those of a device, newest first.
    fn resources(&self, client_id: &str) -> Result<Vec<Resource>, Problem>;

    /// The oldest download of a device that has not ended.
    fn open_download(&self, client_id: &str) -> Result<Option<Resource>, Problem>;

    /// A device reports on the oldest resource of that name that has not ended; `None`: there is none.
    fn report_resource(
        &self,
        client_id: &str,
        report: &ResourceReport<'_>,
        now: u64,
    ) -> Result<Option<Resource>, Problem>;

    /// The file of an upload is there.
    fn resource_stored(&self, id: i64, now: u64) -> Result<(), Problem>;
}
