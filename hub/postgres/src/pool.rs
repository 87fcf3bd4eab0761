//! A few connections, opened as they are needed.

use std::str::FromStr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub_core::error::{Fatal, Result};
use hub_core::model::{Problem, ProblemKind};
use hub_store::failed::{Failed, Work};
use tokio::runtime::Handle;
use tokio_postgres::{Client, Config};

use super::session::{in_words, Connection, Trouble};
use super::tls::{self, Tls};

/// More than this many at once would only wait for each other.
const MOST: usize = 16;
/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// What every connection begins with. A report is acknowledged when it is committed, so a commit is one. A hub whose machine
/// is gone must not hold the others up.
const BEGIN: &str =
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET idle_in_transaction_session_timeout = '30s'";

/// The connections.
pub struct Pool {
    config: Config,
    tls: Tls,
    runtime: Handle,
    free: Mutex<Free>,
    freed: Condvar,
}

#[derive(Default)]
struct Free {
    connections: Vec<Connection>,
    /// Free or not.
    open: usize,
}

impl Pool {
    pub fn new(url: &str, password: Option<&str>, runtime: Handle) -> Result<Self> {
        let (url, wanted) = tls::split(url)?;
        // The URL has a password in it.
        let mut config = Config::from_str(&url)
            .map_err(|error| Fatal::new(format!("--database: no URL of PostgreSQL: {}", in_words(&error))))?;
        if let Some(password) = password {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(SILENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("hub");
        }
        config.keepalives_idle(SILENCE).tcp_user_timeout(SILENCE);
        let tls = Tls::new(&wanted, &mut config)?;
        Ok(Pool { config, tls, runtime, free: Mutex::default(), freed: Condvar::new() })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// A free connection, or another one, or the next that becomes free.
    pub fn take(&self) -> Work<Connection> {
        let begin = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(connection) = free.connections.pop() {
                if connection.is_good() {
                    return Ok(connection);
                }
                free.open -= 1;
            }
            if free.open < MOST {
                free.open += 1;
                break;
            }
            let left = SILENCE.saturating_sub(begin.elapsed());
            if left.is_zero() {
                let text = "The hub's database: it is too slow for all that is asked of it.";
                return Err(Failed::Refused(Problem::new(ProblemKind::Internal, text)));
            }
            free = self.freed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(free);
        let connected = self.runtime.block_on(connect(&self.config, &self.tls));
        match connected {
            Ok(client) => Ok(Connection::new(client, self.runtime.clone())),
            Err(error) => {
                self.free.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
                self.freed.notify_one();
                Err(Trouble::of(&error).failed(&error))
            }
        }
    }

    /// Takes a connection back.
    pub fn give(&self, connection: Connection) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_good() {
            free.connections.push(connection);
        } else {
            // The others are of the same server.
            free.open -= 1 + free.connections.len();
            free.connections.clear();
        }
        self.freed.notify_one();
    }
}

async fn connect(config: &Config, tls: &Tls) -> std::result::Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(tls.clone()).await?;
    // It ends with the client, and what goes wrong the client is told.
    tokio::spawn(connection);
    client.batch_execute(BEGIN).await?;
    Ok(client)
}
