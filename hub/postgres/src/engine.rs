//! The engine: a pool, the transactions on it, and patience.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_core::error::{Context, Fatal, Result};
use hub_core::model::{Problem, ProblemKind};
use hub_core::ports::store::Outcome;
use hub_core::random;
use hub_store::engine::{Engine, Session, Writer};
use hub_store::failed::{Failed, Work};
use hub_store::schema;
use hub_store::values::Param;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio_postgres::config::Host;
use tokio_postgres::Config;

use super::listener::{self, Changes};
use super::pool::Pool;
use super::session::{Connection, START};
use super::tables::{self, Trouble};

/// How long a server may be away, as it is while it is started again or another one takes its place.
const PATIENCE: Duration = Duration::from_secs(15);
/// The first pause; each is twice as long as the one before, up to the longest.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A PostgreSQL server's database.
pub struct Postgres {
    pool: Pool,
    changes: Arc<Changes>,
    /// Of its own, so that any thread may wait for it. `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Postgres {
    /// Connects, and does not look at the tables.
    pub(super) fn connect(url: &str, password: Option<&str>) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .context(|| "cannot start the database's thread".to_owned())?;
        let pool = Pool::new(url, password, runtime.handle().clone())?;
        Ok(Postgres { pool, changes: Arc::new(Changes::default()), runtime: Some(runtime) })
    }

    /// Connects, and brings the tables up to date.
    pub fn open(url: &str, password: Option<&str>) -> Result<Self> {
        Postgres::open_as(url, password, &schema::steps())
    }

    /// The same for a hub that knows these steps, such as an earlier one.
    pub fn open_as(url: &str, password: Option<&str>, steps: &[&str]) -> Result<Self> {
        let postgres = Postgres::connect(url, password)?;
        let what = postgres.cannot();
        let outcome = waiting(|| postgres.pool.with(|connection| tables::prepare(connection, steps)));
        outcome.map_err(|trouble| match trouble {
            Trouble::Later => Fatal::new(format!("{what}: a later version of the hub made its tables; use that one")),
            Trouble::Failed(failed) => Fatal::new(format!("{what}: {}", Problem::from(failed).detail)),
        })?;
        let name = hex::encode(random::bytes(16)?);
        let listener = listener::listen(
            postgres.pool.config().clone(),
            postgres.pool.tls().clone(),
            name,
            postgres.changes.clone(),
        );
        if let Some(runtime) = &postgres.runtime {
            runtime.spawn(listener);
        }
        Ok(postgres)
    }

    /// How an error begins that a person is told.
    pub(super) fn cannot(&self) -> String {
        format!("cannot use the database {}", place(self.pool.config()))
    }

    /// Does `work` on a connection, once.
    pub(super) fn alone<T>(&self, work: impl FnOnce(&Connection) -> Work<T>) -> Outcome<T> {
        Ok(waiting(|| self.pool.with(work))?)
    }

    /// Does `work` on a connection; again, for a while, where nothing came of it but for the server.
    fn patiently<T>(&self, mut work: impl FnMut(&Connection) -> Work<T>) -> Outcome<T> {
        let begin = Instant::now();
        let mut pause = PAUSE;
        loop {
            match self.pool.with(&mut work) {
                Ok(value) => return Ok(value),
                Err(Failed::Again(_)) if begin.elapsed() < PATIENCE => std::thread::sleep(pause),
                Err(failed) => return Err(failed.into()),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A hub may be dropped where nothing may wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Engine for Postgres {
    fn read<T>(&self, mut work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        waiting(|| self.patiently(|connection| work(connection)))
    }

    fn write<T>(&self, writer: Writer<'_>, mut work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        waiting(|| {
            self.patiently(|connection| {
                let outcome = connection.begin(writer).and_then(|()| work(connection));
                if outcome.is_err() {
                    connection.rollback();
                    return outcome;
                }
                connection.commit()?;
                self.changes.tell();
                outcome
            })
        })
    }

    fn foreign_changes(&self) -> Outcome<i64> {
        Ok(self.changes.foreign())
    }

    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Outcome<()> {
        waiting(|| self.patiently(|connection| agree(connection, change).inspect_err(|_| connection.rollback())))
    }

    fn exclusively(&self, work: &mut dyn FnMut()) -> Outcome<()> {
        waiting(|| {
            let mut done = false;
            self.patiently(|connection| {
                connection.batch(&format!("SELECT pg_advisory_lock({START})"))?;
                if !done {
                    work();
                    done = true;
                }
                connection.batch(&format!("SELECT pg_advisory_unlock({START})"))
            })?;
            if done {
                Ok(())
            } else {
                Err(Problem::new(ProblemKind::Internal, "The hub's database: it let nobody in."))
            }
        })
    }
}

/// Changes the text of an agreement in a transaction of its own. It waits for no order of a person's, and not for long for a
/// hub whose machine stands.
fn agree(connection: &Connection, change: &mut dyn FnMut(&str) -> Option<String>) -> Work<()> {
    connection.batch(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 2000;
         INSERT INTO agreements (name, content) VALUES ('hubs', '') ON CONFLICT (name) DO NOTHING",
    )?;
    let session: &dyn Session = connection;
    let sql = "SELECT content FROM agreements WHERE name = 'hubs' FOR UPDATE";
    let text: String = session.one(sql, &[], |row| row.take(0))?.unwrap_or_default();
    if let Some(next) = change(&text) {
        session.execute("UPDATE agreements SET content = ?1 WHERE name = 'hubs'", &[Param::Text(&next)])?;
    }
    connection.commit()
}

/// Waits for the server, and lets others of the hub's runtime go on meanwhile.
fn waiting<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Where the database is, without user and password.
fn place(config: &Config) -> String {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    format!("{} on {}", config.get_dbname().unwrap_or("of PostgreSQL"), hosts.join(", "))
}
