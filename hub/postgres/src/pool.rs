//! A few connections, opened as they are needed.

use std::str::FromStr;
use std::time::Duration;

use hub_core::error::{self, Fatal};
use hub_core::model::{Problem, ProblemKind};
use hub_store::failed::{Failed, Work};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::{Client, Config};

use super::session::{in_words, Connection, Trouble};
use super::slots::{AllTaken, Kept, Slots};
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
    connections: Slots<Connection>,
}

impl Pool {
    pub fn new(url: &str, password: Option<&str>, runtime: Handle) -> error::Result<Self> {
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
        Ok(Pool { config, tls, runtime, connections: Slots::new(MOST, SILENCE) })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Does `work` on a free connection, or another one, or the next that becomes free.
    pub fn with<T, E: From<Failed>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        self.connections.with(|| self.connect(), |connection| Ok(work(connection)))?
    }

    fn connect(&self) -> Work<Connection> {
        // The URL's time is for each host's connection, and says nothing of what the server answers then.
        let each = self.config.get_connect_timeout().copied().unwrap_or(SILENCE);
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        let connecting = async { timeout(each.saturating_mul(hosts.max(1)), connect(&self.config, &self.tls)).await };
        match self.runtime.block_on(connecting) {
            Ok(Ok(client)) => Ok(Connection::new(client, self.runtime.clone())),
            Ok(Err(error)) => Err(Trouble::of(&error).failed(&error)),
            Err(_) => {
                let text = "The hub's database: the server does not answer.";
                Err(Failed::Again(Problem::new(ProblemKind::Internal, text)))
            }
        }
    }
}

impl Kept for Connection {
    fn is_good(&self) -> bool {
        Connection::is_good(self)
    }
}

impl From<AllTaken> for Failed {
    fn from(AllTaken: AllTaken) -> Self {
        let text = "The hub's database: it is too slow for all that is asked of it.";
        Failed::Refused(Problem::new(ProblemKind::Internal, text))
    }
}

async fn connect(config: &Config, tls: &Tls) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(tls.clone()).await?;
    // It ends with the client, and what goes wrong the client is told.
    tokio::spawn(connection);
    client.batch_execute(BEGIN).await?;
    Ok(client)
}
