//! What the hub keeps: devices, firmware, orders and jobs in one SQLite database, the one truth of everything that
//! outlives a connection. Two hub processes may share it.
//!
//! This is the only place that knows SQLite. `database` has the methods of [`Store`](hub_core::ports::store::Store); the other
//! submodules are functions on a connection or a transaction, which `Database::read` and `Database::write` give them.
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

mod database;
mod devices;
mod firmware;
mod gateway;
mod logs;
mod messaging;
mod products;
mod schema;
mod shadow;
mod upgrades;

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use hub_core::error::{Context, Fatal, Result};
use hub_core::model::{Problem, ProblemCode, ProblemKind};
use hub_core::ports::store::Outcome;
use schema::Trouble;

/// How long to wait for another process that holds the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a power cut may take with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// Nothing.
    Full,
    /// The last moments; a crash of the hub still takes nothing.
    Relaxed,
}

/// The database. Any thread may call it.
pub struct Database {
    db: Mutex<Connection>,
    /// Worth syncing at all.
    kept: bool,
}

impl Database {
    /// Opens the database, or makes it. One that is not `kept` beyond this run need not survive a power cut.
    pub fn open(path: &Path, kept: bool) -> Result<Self> {
        let what = || format!("cannot use the database {}", path.display());
        // SQLite gives its other files the permissions of this one.
        OpenOptions::new().create(true).append(true).mode(0o600).open(path).context(what)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).context(what)?;
        let explain = |trouble| match trouble {
            Trouble::Foreign => {
                Fatal::new(format!("{}: it is not a hub's; choose another data folder with --state", what()))
            }
            Trouble::Later => {
                Fatal::new(format!("{}: a later version of the hub made it; use that one, or another --state", what()))
            }
            Trouble::Sqlite(error) => Fatal::new(format!("{}: {}", what(), in_words(&error))),
        };
        Database::open_file(path, kept).map_err(explain)
    }

    fn open_file(path: &Path, kept: bool) -> std::result::Result<Self, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(PATIENCE)?;
        db.set_prepared_statement_cache_capacity(64);
        write_ahead(&db)?;
        db.pragma_update(None, "synchronous", if kept { "NORMAL" } else { "OFF" })?;
        db.pragma_update(None, "foreign_keys", true)?;
        schema::prepare(&mut db)?;
        let state: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if state != "ok" {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(code, Some(state)).into());
        }
        Ok(Database { db: Mutex::new(db), kept })
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks something up.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> std::result::Result<T, Failed>) -> Outcome<T> {
        Ok(work(&self.db())?)
    }

    /// Changes something: all of it, or nothing where `work` fails.
    fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failed>,
    ) -> Outcome<T> {
        let mut db = self.db();
        let full = self.kept && durability == Durability::Full;
        if full {
            db.pragma_update(None, "synchronous", "FULL").map_err(Failed::from)?;
        }
        let outcome = transact(&mut db, work);
        if full {
            db.pragma_update(None, "synchronous", "NORMAL").map_err(Failed::from)?;
        }
        Ok(outcome?)
    }
}

fn transact<T>(
    db: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failed>,
) -> std::result::Result<T, Failed> {
    // Two processes that both read first and write then would fail each other.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// Why a transaction came to nothing.
#[derive(Debug)]
enum Failed {
    Sqlite(rusqlite::Error),
    /// What was asked for cannot be done.
    Refused(Problem),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Failed::Sqlite(error)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed::Refused(problem)
    }
}

/// Writers then do not disturb readers, and a commit need not wait for the disk.
fn write_ahead(db: &Connection) -> rusqlite::Result<()> {
    let begin = Instant::now();
    loop {
        match db.pragma_update(None, "journal_mode", "WAL") {
            // SQLite does not wait by itself here where two processes do this at the same time.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && begin.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome,
        }
    }
}

/// What is wrong with the database and what can be done.
fn in_words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            "it is no database; move it away, or choose another data folder with --state".to_owned()
        }
        Some(ErrorCode::DatabaseCorrupt) => format!(
            "it is damaged ({error}); put a copy of it back, or move it away (with the -wal and -shm beside it) and \
             begin anew: certificates and firmware files stay"
        ),
        Some(ErrorCode::DiskFull) => "the disk is full; make space and try again".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program holds it".to_owned(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            format!("it cannot be written ({error}); check the permissions of its folder")
        }
        _ => error.to_string(),
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let error = match failed {
            Failed::Refused(problem) => return problem,
            Failed::Sqlite(error) => error,
        };
        let detail = format!("The hub's database: {}.", in_words(&error));
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Problem::new(ProblemKind::NoSpace, detail).coded(ProblemCode::NoSpace, &[]),
            _ => Problem::new(ProblemKind::Internal, detail),
        }
    }
}

#[cfg(test)]
mod tests;
