//! One connection: statements, and the transactions they are in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as _;

use hub_core::model::{Problem, ProblemCode, ProblemKind};
use hub_store::engine::{Dialect, Session, Writer};
use hub_store::failed::{Failed, Work};
use hub_store::values::{Param, Row, Value};
use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::column::{Bound, Column};

/// Advisory lock of all that changes anything ("hub1"): shared by devices' reports, alone for people's orders.
pub const CHANGES: i64 = 0x6875_6231;
/// Advisory lock of a hub that starts ("hub2").
pub const START: i64 = 0x6875_6232;
/// First half of the advisory locks of devices ("hub3").
const DEVICES: i32 = 0x6875_6233;

const DIALECT: Dialect = Dialect {
    not_taken: "FOR UPDATE SKIP LOCKED",
    numbers: "(SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST(?1 AS json)))",
    texts: "(SELECT value FROM json_array_elements_text(CAST(?1 AS json)))",
    own_ids: "OVERRIDING SYSTEM VALUE",
};

/// A connection.
pub struct Connection {
    client: Client,
    runtime: Handle,
    statements: RefCell<HashMap<String, Statement>>,
    /// Something went wrong that another connection may not have.
    spoilt: RefCell<bool>,
}

impl Connection {
    pub fn new(client: Client, runtime: Handle) -> Self {
        Connection { client, runtime, statements: RefCell::default(), spoilt: RefCell::new(false) }
    }

    /// Whether it can be used again.
    pub fn is_good(&self) -> bool {
        !*self.spoilt.borrow() && !self.client.is_closed()
    }

    /// Statements without parameters and rows.
    pub fn batch(&self, sql: &str) -> Work<()> {
        self.runtime.block_on(self.client.batch_execute(sql)).map_err(|error| self.failed(&error))
    }

    /// Begins a transaction of this writer.
    pub fn begin(&self, writer: Writer<'_>) -> Work<()> {
        self.batch(&match writer {
            Writer::People => format!("BEGIN; SELECT pg_advisory_xact_lock({CHANGES})"),
            Writer::Device(client_id) => format!(
                "BEGIN; SELECT pg_advisory_xact_lock_shared({CHANGES}); SELECT pg_advisory_xact_lock({DEVICES}, {})",
                hash(client_id)
            ),
            Writer::Hub => format!("BEGIN; SELECT pg_advisory_xact_lock_shared({CHANGES})"),
        })
    }

    /// Ends the transaction. Where the server goes meanwhile, nobody knows what became of it, so it is not done again.
    pub fn commit(&self) -> Work<()> {
        self.batch("COMMIT").map_err(|failed| {
            let Problem { kind, detail, .. } = failed.into();
            Failed::Refused(Problem::new(kind, format!("{detail} Look whether it was done before you do it again.")))
        })
    }

    /// Ends the transaction as if it had never begun.
    pub fn rollback(&self) {
        if self.batch("ROLLBACK").is_err() {
            self.spoilt.replace(true);
        }
    }

    fn statement(&self, sql: &str) -> Work<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let prepared = self.runtime.block_on(self.client.prepare(&sql.replace('?', "$")));
        let statement = prepared.map_err(|error| self.failed(&error))?;
        self.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn failed(&self, error: &Error) -> Failed {
        let trouble = Trouble::of(error);
        if trouble == Trouble::Server {
            self.spoilt.replace(true);
        }
        trouble.failed(error)
    }
}

impl Session for Connection {
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Work<Vec<Row>> {
        let statement = self.statement(sql)?;
        let bound: Vec<Bound<'_>> = params.iter().copied().map(Bound).collect();
        let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|param| param as _).collect();
        let rows = self.runtime.block_on(self.client.query(&statement, &bound));
        let row = |row: tokio_postgres::Row| -> Result<Row, Error> {
            let values: Result<Vec<Value>, Error> =
                (0..row.len()).map(|at| row.try_get::<_, Column>(at).map(|column| column.0)).collect();
            values.map(Row)
        };
        let rows: Result<Vec<Row>, Error> = rows.and_then(|rows| rows.into_iter().map(row).collect());
        rows.map_err(|error| self.failed(&error))
    }

    fn execute(&self, sql: &str, params: &[Param<'_>]) -> Work<u64> {
        let statement = self.statement(sql)?;
        let bound: Vec<Bound<'_>> = params.iter().copied().map(Bound).collect();
        let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|param| param as _).collect();
        self.runtime.block_on(self.client.execute(&statement, &bound)).map_err(|error| self.failed(&error))
    }

    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }
}

/// Two devices of one hash wait for each other now and then, which is all that is to it. FNV-1a: every hub must have the same.
fn hash(client_id: &str) -> i32 {
    let hash = client_id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i32::from_ne_bytes(hash.to_ne_bytes())
}

/// What kind of trouble an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server is gone, going, coming, or not the one to write to any more.
    Server,
    /// Two transactions were in each other's way.
    Rivals,
    /// No space on the server's disk.
    NoSpace,
    /// Anything else.
    Other,
}

impl Trouble {
    pub fn of(error: &Error) -> Self {
        let Some(state) = error.code() else {
            // Not said by the server: a connection that broke, or could not be had.
            let io = error.source().is_some_and(|source| source.is::<std::io::Error>());
            return if error.is_closed() || io { Trouble::Server } else { Trouble::Other };
        };
        match *state {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Trouble::Rivals,
            SqlState::DISK_FULL => Trouble::NoSpace,
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::READ_ONLY_SQL_TRANSACTION
            | SqlState::TOO_MANY_CONNECTIONS
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Trouble::Server,
            _ if state.code().starts_with("08") => Trouble::Server,
            _ => Trouble::Other,
        }
    }

    pub fn failed(self, error: &Error) -> Failed {
        let detail = format!("The hub's database: {}.", in_words(error));
        match self {
            Trouble::Server | Trouble::Rivals => Failed::Again(Problem::new(ProblemKind::Internal, detail)),
            Trouble::NoSpace => {
                let problem = Problem::new(ProblemKind::NoSpace, detail).coded(ProblemCode::NoSpace, &[]);
                Failed::Refused(problem)
            }
            Trouble::Other => Failed::Refused(Problem::new(ProblemKind::Internal, detail)),
        }
    }
}

/// What the server said, else what became of the connection.
pub fn in_words(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
