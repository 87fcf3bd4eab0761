//! The console's listener: the REST API under `/api`, and the page that uses it.

mod access;
mod body;
mod devices;
mod events;
mod extract;
mod failure;
mod firmware;
mod openapi;
mod page;
mod routes;
mod serve;
mod session;
mod status;
mod upgrades;

use std::sync::Arc;

use tokio::task::spawn_blocking;

pub use access::{check_token, Access};
pub use serve::serve;

use crate::hub::Hub;
use crate::model::{Addresses, Problem, ProblemKind};
use failure::Failure;

/// What the API answers from.
pub struct Console {
    pub hub: Arc<Hub>,
    pub access: Access,
    /// The existing broker's URL, without what it is entered with.
    pub broker: Option<String>,
    pub addresses: Addresses,
    pub ca_pem: String,
    /// Bytes a firmware may have.
    pub max_upload: u64,
}

impl Console {
    /// Asks the hub, which may wait for the disk, outside the threads that serve connections.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Hub) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Failure> {
        let hub = self.hub.clone();
        match spawn_blocking(move || question(&hub)).await {
            Ok(outcome) => outcome.map_err(Failure::from),
            Err(_) => {
                Err(Problem::new(ProblemKind::Internal, "The hub failed at this; its own output says more.").into())
            }
        }
    }
}
