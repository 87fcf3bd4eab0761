//! The tables in PostgreSQL, and how a database of an earlier hub gets them.

use hub_store::engine::{Session, Writer};
use hub_store::failed::{Failed, Work};
use hub_store::schema;
use hub_store::values::Param;

use super::session::Connection;

/// Why a database cannot be used.
pub enum Trouble {
    /// Made by a later hub.
    Later,
    Failed(Failed),
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        Trouble::Failed(failed)
    }
}

/// Brings the tables up to date: to the last of the steps that the hub knows.
pub fn prepare(db: &Connection, known: &[&str]) -> Result<(), Trouble> {
    // Two hubs may start at once: the second one finds everything done.
    db.begin(Writer::People)?;
    let outcome = steps(db, known).and_then(|()| Ok(db.commit()?));
    if outcome.is_err() {
        db.rollback();
    }
    outcome
}

fn steps(db: &Connection, known: &[&str]) -> Result<(), Trouble> {
    let there = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'hub_tables'";
    if number(db, there)? == 0 {
        // One row: how many steps have been done.
        db.batch("CREATE TABLE hub_tables (version BIGINT NOT NULL); INSERT INTO hub_tables VALUES (0)")?;
    }
    let todo = usize::try_from(done(db)?).ok().and_then(|done| known.get(done..)).ok_or(Trouble::Later)?;
    if todo.is_empty() {
        return Ok(());
    }
    for sql in todo {
        db.batch(&types(sql))?;
    }
    db.execute("UPDATE hub_tables SET version = ?1", &[Param::from(known.len() as u64)])?;
    Ok(())
}

/// How many steps have been done.
fn done(db: &Connection) -> Work<i64> {
    number(db, "SELECT version FROM hub_tables")
}

/// Whether the tables are those of this hub.
pub fn are_own(db: &Connection) -> Work<bool> {
    Ok(u64::try_from(done(db)?) == Ok(schema::steps().len() as u64))
}

fn number(db: &dyn Session, sql: &str) -> Work<i64> {
    db.insert(sql, &[])
}

/// A step in PostgreSQL's words for SQLite's types. Texts are in order of their bytes on every machine.
fn types(sql: &str) -> String {
    let words = [
        ("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
        (" INTEGER", " BIGINT"),
        (" TEXT", " TEXT COLLATE \"C\""),
        (" BLOB", " BYTEA"),
        (") STRICT, WITHOUT ROWID;", ");"),
        (") STRICT;", ");"),
    ];
    words.iter().fold(sql.to_owned(), |sql, (from, to)| sql.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::STEPS;

    #[test]
    fn every_type_has_its_word() {
        for word in ["INTEGER", "BLOB", "STRICT", "ROWID", "AUTOINCREMENT"] {
            assert!(STEPS.iter().all(|sql| !types(sql).contains(word)), "{word}");
        }
    }
}
