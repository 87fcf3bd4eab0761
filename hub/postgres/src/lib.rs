//! PostgreSQL as the hub's database: for hubs on several machines, which it lets agree.
//!
//! The statements are [`hub_store`]'s; here is the engine: connections, transactions, and what happens when the server goes.
//! Devices' reports are changed beside each other, and people's orders while nothing else changes; the server holds those
//! locks (`session`). What was committed is on the server's disk before a device is told so.
//!
//! ```no_run
//! use hub_core::ports::store::Store;
//!
//! let store = hub_postgres::open("postgres://hub@localhost/hub", Some("secret")).expect("a store");
//! println!("{:?}", store.client_ids());
//! ```

#![forbid(unsafe_code)]

mod column;
mod engine;
mod listener;
mod pool;
mod session;
mod slots;
mod tables;
mod tls;
mod transfer;

pub use engine::Postgres;
pub use transfer::{load, save};

use hub_core::error::Result;
use hub_store::Records;

/// The records in the database that a URL names, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; a password apart
/// from it counts more. Makes the tables that are missing, and needs the right to.
pub fn open(url: &str, password: Option<&str>) -> Result<Records<Postgres>> {
    Postgres::open(url, password).map(Records::on)
}
