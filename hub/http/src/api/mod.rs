//! The console's listener: the REST API under `/api`, and the page that uses it.

mod access;
mod audit;
mod body;
mod configs;
mod devices;
mod events;
mod extract;
mod failure;
mod figures;
mod firmware;
mod gateways;
mod logs;
mod messages;
mod openapi;
mod page;
mod products;
mod resources;
mod routes;
mod serve;
mod session;
mod shadow;
mod ssh;
mod status;
mod tags;
mod upgrades;
mod users;

use std::sync::Arc;

use tokio::task::spawn_blocking;

pub use access::{check_token, Access, Proxies};
pub use figures::Kept;
pub use serve::serve;

use crate::ssh::Tunnels;
use failure::Failure;
use hub_core::hub::Hub;
use hub_core::model::{Addresses, Problem, ProblemKind};

/// What the API answers from.
pub struct Console {
    /// The hub.
    pub hub: Arc<Hub>,
    /// Who is let in.
    pub access: Access,
    /// The existing broker's URL, without what it is entered with.
    pub broker: Option<String>,
    /// Where devices find the hub's servers.
    pub addresses: Addresses,
    /// The CA's certificate.
    pub ca_pem: String,
    /// Bytes a firmware may have.
    pub max_upload: u64,
    /// What was told of how the hub is.
    pub kept: Kept,
    /// The ways to devices' SSH servers.
    pub tunnels: Arc<Tunnels>,
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
