//! What broadcast, RRPC and remote configuration need of a store. Each method is one whole transaction.

use crate::messaging::config;
use crate::messaging::model::{ConfigDevice, Rrpc};
use crate::messaging::rrpc::Answer;
use crate::model::{Page, Problem};

/// A request to a device, to be kept.
pub struct NewRrpc<'a> {
    /// Whom it is for.
    pub client_id: &'a str,
    /// What it says.
    pub request: &'a [u8],
    /// How long the device may take.
    pub timeout_ms: u64,
}

/// What the store keeps of these services.
pub trait MessagingStore {
    /// Keeps a request and returns its id, which no request had before. Of the old ones, all but the newest 1000 go.
    fn add_rrpc(&self, request: &NewRrpc<'_>, now: u64) -> Result<i64, Problem>;

    /// A device answers. `None`: it was never asked that.
    fn answer_rrpc(&self, client_id: &str, id: i64, answer: &[u8], now: u64) -> Result<Option<Answer>, Problem>;

    /// A request as it stands.
    fn rrpc(&self, id: i64, now: u64) -> Result<Option<Rrpc>, Problem>;

    /// Requests to a device, newest first.
    fn rrpcs(&self, client_id: &str, now: u64) -> Result<Vec<Rrpc>, Problem>;

    /// The configuration of a product.
    fn remote_config(&self, product_id: &str) -> Result<Option<config::Stored>, Problem>;

    /// Every product that ever had a configuration, in order, with it.
    fn remote_configs(&self) -> Result<Vec<(String, config::Stored)>, Problem>;

    /// Keeps another configuration, or that there is none any more. It has the next version.
    fn set_remote_config(&self, product_id: &str, payload: Option<&str>, now: u64) -> Result<config::Stored, Problem>;

    /// Lets devices have a product's configuration, or not.
    fn switch_remote_config(&self, product_id: &str, enabled: bool, now: u64) -> Result<config::Stored, Problem>;

    /// Devices have been told of a configuration.
    fn note_remote_config(&self, product_id: &str, told: &[ConfigDevice]) -> Result<(), Problem>;

    /// What devices of a product were told last, in order of client id.
    fn remote_config_devices(&self, product_id: &str, page: &Page) -> Result<Vec<ConfigDevice>, Problem>;
}
