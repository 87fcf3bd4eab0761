//! What the hub keeps: devices, firmware, orders and jobs in a database, the one truth of everything that outlives a
//! connection. Several hub processes may share it.
//!
//! [`Records`] has the methods of [`Store`](hub_core::ports::store::Store) as statements for any [`Engine`]; the submodules of
//! things are functions on a [`Session`](engine::Session). [`sqlite`] is the engine of the desk.
//!
//! ```
//! use hub_core::devices::Devices;
//! use hub_core::ports::store::Store;
//! use hub_store::Database;
//!
//! let folder = tempfile::tempdir().expect("a folder");
//! let store = Database::open(&folder.path().join("hub.db"), false).expect("a store");
//! let list = r#"{"devices":[{"productId":"PRODUCT","deviceName":"device"}]}"#;
//! store.import(&Devices::parse(list).expect("a list")).expect("imported");
//! assert_eq!(store.client_ids().expect("an answer"), ["PRODUCTdevice"]);
//! ```

#![forbid(unsafe_code)]

pub mod copy;
pub mod engine;
pub mod failed;
pub mod schema;
pub mod sqlite;
pub mod values;

mod agreement;
mod counted;
mod database;
mod devices;
mod figures;
mod firmware;
mod gateway;
mod keys;
mod logs;
mod messaging;
#[cfg(any(test, feature = "plans"))]
pub mod plans;
mod products;
mod reach;
mod resources;
mod roll_outs;
mod rolling;
mod seen;
mod shadow;
mod tags;
mod upgrades;
mod users;

use std::path::Path;

use counted::Counted;
use engine::Engine;
use hub_core::error::Result;
use sqlite::Sqlite;

/// What the hub keeps, in the database of an engine. Any thread may call it.
pub struct Records<E> {
    engine: Counted<E>,
}

impl<E: Engine> Records<E> {
    /// The records in an engine's database, whose tables are there.
    pub fn on(engine: E) -> Self {
        Records { engine: Counted::new(engine) }
    }
}

/// The records in a SQLite database.
pub type Database = Records<Sqlite>;

impl Database {
    /// Opens the database, or makes it. One that is not `kept` beyond this run need not survive a power cut.
    pub fn open(path: &Path, kept: bool) -> Result<Self> {
        Sqlite::open(path, kept).map(Records::on)
    }
}

#[cfg(test)]
mod tests;
