//! The statements' side of a database engine: what they ask of it, and what they say of themselves.
//!
//! A statement is written once, in SQL that every engine understands but for two things: a parameter is `?1`, `?2`, and
//! [`Dialect`] has the few words that have no common form.

use super::failed::Work;
use super::values::{nonsense, Param, Row};
use hub_core::ports::store::Outcome;

/// Who changes something, and so what must not change beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer<'a> {
    /// People, who order: nothing else changes meanwhile.
    People,
    /// A device, which reports: nothing else changes meanwhile that is the device's.
    Device(&'a str),
    /// The hub, which notes something of many devices: each of its statements is right beside any other's.
    Hub,
}

/// What has no common form.
#[derive(Debug)]
pub struct Dialect {
    /// Ends a SELECT of jobs `j` that are taken: those that another hub is at are left out.
    pub not_taken: &'static str,
    /// The integers in the JSON array ?1.
    pub numbers: &'static str,
    /// The texts in the JSON array ?1.
    pub texts: &'static str,
    /// Stands before VALUES where rows bring ids of their own.
    pub own_ids: &'static str,
}

impl Dialect {
    /// The texts in a JSON array that is this parameter.
    pub fn texts_at(&self, parameter: usize) -> String {
        self.texts.replace("?1", &format!("?{parameter}"))
    }
}

/// A connection, in a transaction or not.
pub trait Session {
    /// The rows that a statement gives.
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Work<Vec<Row>>;

    /// How many rows a statement has changed.
    fn execute(&self, sql: &str, params: &[Param<'_>]) -> Work<u64>;

    /// What the engine has own words for.
    fn dialect(&self) -> &'static Dialect;
}

impl dyn Session + '_ {
    /// Each row as `read` reads it.
    pub fn all<T>(&self, sql: &str, params: &[Param<'_>], read: impl Fn(&mut Row) -> Work<T>) -> Work<Vec<T>> {
        self.rows(sql, params)?.iter_mut().map(read).collect()
    }

    /// The first row, where there is one.
    pub fn one<T>(&self, sql: &str, params: &[Param<'_>], read: impl Fn(&mut Row) -> Work<T>) -> Work<Option<T>> {
        self.rows(sql, params)?.first_mut().map(read).transpose()
    }

    /// Adds a row with a statement that returns its id.
    pub fn insert(&self, sql: &str, params: &[Param<'_>]) -> Work<i64> {
        let id = self.one(sql, params, |row| row.take(0))?;
        id.ok_or_else(|| nonsense("no id for a row that was added"))
    }
}

/// A database.
pub trait Engine: Send + Sync {
    /// Looks something up. `work` may be called again.
    fn read<T>(&self, work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T>;

    /// Changes something: all of it, or nothing where `work` fails. What is returned as changed stays changed. `work` may
    /// be called again, with nothing of what it did before in the database.
    fn write<T>(&self, writer: Writer<'_>, work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T>;

    /// Another number than before means that another process has changed something.
    fn foreign_changes(&self) -> Outcome<i64>;

    /// Does `work` while no other process does its own.
    fn exclusively(&self, work: &mut dyn FnMut()) -> Outcome<()>;

    /// Lets `change` change the text that processes keep together, as
    /// [`Agreement::agree`](hub_core::ports::agreement::Agreement::agree) says.
    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Outcome<()>;
}
