//! SQLite: one file, which hubs on one machine may share.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql, TransactionBehavior};
use rustix::fs::{flock, FlockOperation};

use super::engine::{Dialect, Engine, Session, Writer};
use super::failed::{Failed, Work};
use super::schema;
use super::values::{nonsense, Param, Row, Value};
use hub_core::error::{Context, Fatal, Result};
use hub_core::model::{Problem, ProblemCode, ProblemKind};
use hub_core::ports::store::Outcome;

/// Marks the file as a hub's ("hub1").
pub const APPLICATION_ID: i32 = 0x6875_6231;

/// How long to wait for another process that holds the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// One process changes something at a time, so nothing is ever being taken.
const DIALECT: Dialect = Dialect {
    not_taken: "",
    numbers: "(SELECT value FROM json_each(?1))",
    texts: "(SELECT value FROM json_each(?1))",
    own_ids: "",
};

/// The engine.
pub struct Sqlite {
    db: Mutex<Connection>,
    /// What processes keep together. Not in the database: each would look for changes at each of the others' commits.
    agreement: PathBuf,
    /// Worth syncing at all.
    kept: bool,
}

impl Sqlite {
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
        Sqlite::open_file(path, kept).map_err(explain)
    }

    /// Copies a database as it is at this moment, whoever uses it, to where nothing is.
    pub fn snapshot(from: &Path, to: &Path) -> Result<()> {
        let what = || format!("cannot copy the database {}", from.display());
        // Opening it would make it.
        fs::metadata(from).context(what)?;
        let copy = || {
            let db = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            db.busy_timeout(PATIENCE)?;
            db.execute("VACUUM INTO ?1", [to.to_string_lossy()])
        };
        copy().map_err(|error| Fatal::new(format!("{}: {}", what(), in_words(&error))))?;
        fs::set_permissions(to, Permissions::from_mode(0o600)).context(what)
    }

    fn open_file(path: &Path, kept: bool) -> std::result::Result<Self, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(PATIENCE)?;
        db.set_prepared_statement_cache_capacity(64);
        write_ahead(&db)?;
        db.pragma_update(None, "synchronous", if kept { "NORMAL" } else { "OFF" })?;
        db.pragma_update(None, "foreign_keys", true)?;
        prepare(&mut db)?;
        let state: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if state != "ok" {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(code, Some(state)).into());
        }
        Ok(Sqlite { db: Mutex::new(db), agreement: path.with_extension("agreement"), kept })
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Sqlite {
    fn read<T>(&self, mut work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        Ok(work(&*self.db())?)
    }

    fn write<T>(&self, writer: Writer<'_>, work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        let mut db = self.db();
        // A power cut may take the last reports with it, which devices repeat; nothing that people have ordered.
        let full = self.kept && writer == Writer::People;
        if full {
            db.pragma_update(None, "synchronous", "FULL").map_err(Failed::from)?;
        }
        let outcome = transact(&mut db, work);
        if full {
            db.pragma_update(None, "synchronous", "NORMAL").map_err(Failed::from)?;
        }
        Ok(outcome?)
    }

    fn foreign_changes(&self) -> Outcome<i64> {
        self.read(|db| db.insert("PRAGMA data_version", &[]))
    }

    fn exclusively(&self, work: &mut dyn FnMut()) -> Outcome<()> {
        self.write(Writer::Hub, |_| {
            work();
            Ok(())
        })
    }

    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Outcome<()> {
        agree(&self.agreement, change).map_err(|error| {
            let detail = format!("The file {} cannot be used: {error}.", self.agreement.display());
            Problem::new(ProblemKind::Internal, detail)
        })
    }
}

/// Changes a file's text while other processes wait.
fn agree(path: &Path, change: &mut dyn FnMut(&str) -> Option<String>) -> io::Result<()> {
    let mut file: File =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if let Some(next) = change(&text) {
        file.rewind()?;
        file.write_all(next.as_bytes())?;
        file.set_len(next.len() as u64)?;
    }
    Ok(())
}

fn transact<T>(db: &mut Connection, mut work: impl FnMut(&dyn Session) -> Work<T>) -> Work<T> {
    // Two processes that both read first and write then would fail each other.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&*transaction)?;
    transaction.commit()?;
    Ok(value)
}

impl Session for Connection {
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Work<Vec<Row>> {
        let mut statement = self.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        let columns = statement.column_count();
        let mut answer = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = answer.next()? {
            let values = (0..columns).map(|at| value(row.get_ref(at)?)).collect::<Work<_>>()?;
            rows.push(Row(values));
        }
        Ok(rows)
    }

    fn execute(&self, sql: &str, params: &[Param<'_>]) -> Work<u64> {
        let mut statement = self.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        Ok(statement.raw_execute()? as u64)
    }

    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }
}

fn bind(statement: &mut Statement<'_>, params: &[Param<'_>]) -> rusqlite::Result<()> {
    params.iter().enumerate().try_for_each(|(at, param)| statement.raw_bind_parameter(at + 1, param))
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Param::Null => ValueRef::Null,
            Param::Integer(number) => ValueRef::Integer(number),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Work<Value> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Integer(number)),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text).map_err(|_| nonsense("a text that is no UTF-8"))?;
            Ok(Value::Text(text.to_owned()))
        }
        ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_owned())),
        ValueRef::Real(_) => Err(nonsense("a fraction")),
    }
}

/// Why a database cannot be used.
enum Trouble {
    /// Something else's.
    Foreign,
    /// Made by a later hub.
    Later,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Trouble::Sqlite(error)
    }
}

/// Brings the tables up to date.
fn prepare(db: &mut Connection) -> std::result::Result<(), Trouble> {
    // Two hubs may start at once: the second one finds everything done.
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pragma = |name: &str| step.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (owner, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = step.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = tables == 0 && owner == 0 && version == 0;
    if !fresh && owner != i64::from(APPLICATION_ID) {
        return Err(Trouble::Foreign);
    }
    let done = usize::try_from(version).map_err(|_| Trouble::Foreign)?;
    let known = schema::steps();
    let todo = known.get(done..).ok_or(Trouble::Later)?;
    if todo.is_empty() {
        return Ok(());
    }
    for sql in todo {
        step.execute_batch(sql)?;
    }
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", i64::try_from(known.len()).unwrap_or(i64::MAX))?;
    Ok(step.commit()?)
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

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        let detail = format!("The hub's database: {}.", in_words(&error));
        Failed::Refused(match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Problem::new(ProblemKind::NoSpace, detail).coded(ProblemCode::NoSpace, &[]),
            _ => Problem::new(ProblemKind::Internal, detail),
        })
    }
}
