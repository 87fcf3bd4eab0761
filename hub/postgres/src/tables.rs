//! The tables in PostgreSQL, and how a database of an earlier hub gets them.

use hub_store::engine::{Session, Writer};
use hub_store::failed::{Failed, Work};
use hub_store::schema::STEPS;
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

/// Brings the tables up to date.
pub fn prepare(db: &Connection) -> Result<(), Trouble> {
    // Two hubs may start at once: the second one finds everything done.
    db.begin(Writer::People)?;
    let outcome = steps(db).and_then(|()| Ok(db.commit()?));
    if outcome.is_err() {
        db.rollback();
    }
    outcome
}

fn steps(db: &Connection) -> Result<(), Trouble> {
    let known = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'hub_tables'";
    if number(db, known)? == 0 {
        // One row: how many steps have been done.
        db.batch("CREATE TABLE hub_tables (version BIGINT NOT NULL); INSERT INTO hub_tables VALUES (0)")?;
    }
    let done = number(db, "SELECT version FROM hub_tables")?;
    let todo = usize::try_from(done).ok().and_then(|done| STEPS.get(done..)).ok_or(Trouble::Later)?;
    if todo.is_empty() {
        return Ok(());
    }
    for sql in todo {
        db.batch(&types(sql))?;
    }
    let version = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    db.execute("UPDATE hub_tables SET version = ?1", &[Param::Integer(version)])?;
    Ok(())
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

    #[test]
    fn every_type_has_its_word() {
        for word in ["INTEGER", "BLOB", "STRICT", "ROWID", "AUTOINCREMENT"] {
            assert!(STEPS.iter().all(|sql| !types(sql).contains(word)), "{word}");
        }
    }
}
