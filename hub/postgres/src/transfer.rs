//! All rows into a SQLite database, and back: what a backup has is the same for either engine.

use std::path::Path;

use hub_core::error::{Fatal, Result};
use hub_core::model::Problem;
use hub_core::ports::store::Outcome;
use hub_store::copy::{self, is_empty, Table};
use hub_store::engine::{Engine, Session, Writer};
use hub_store::failed::Work;
use hub_store::sqlite::Sqlite;
use hub_store::values::Param;

use super::engine::Postgres;
use super::session::Connection;
use super::tables;

/// Copies what is in the database that a URL names, as it is at this moment, into a SQLite database that is made there.
pub fn save(url: &str, password: Option<&str>, to: &Path) -> Result<()> {
    // Hubs of an earlier version may be at work there, whose tables stay as they are.
    let postgres = Postgres::connect(url, password)?;
    let sqlite = Sqlite::open(to, true)?;
    let outcome = postgres.alone(|from| {
        if !tables::are_own(from)? {
            let text = format!("{}: another version of the hub made its tables; use that one", postgres.cannot());
            return Err(Problem::conflict(text).into());
        }
        from.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let copied = sqlite.write(Writer::People, |to| {
            for table in copy::tables(to)? {
                copy::rows(from, to, &table)?;
                number_on_in_sqlite(from, to, &table)?;
            }
            Ok(())
        });
        from.rollback();
        Ok(copied?)
    });
    finish(outcome)
}

/// Copies what is in a SQLite database into the one that a URL names, which must have nothing yet: all of it, or nothing.
pub fn load(url: &str, password: Option<&str>, from: &Path) -> Result<()> {
    let postgres = Postgres::open(url, password)?;
    let sqlite = Sqlite::open(from, true)?;
    let outcome = postgres.alone(|to| {
        to.begin(Writer::People)?;
        let copied = sqlite.read(|from| {
            let tables = copy::tables(from)?;
            for table in &tables {
                if !is_empty(to, table)? {
                    return Err(
                        Problem::conflict("The database has something already: restore into an empty one.").into()
                    );
                }
            }
            for table in &tables {
                copy::rows(from, to, table)?;
                number_on_in_postgres(from, to, table)?;
            }
            Ok(())
        });
        match copied {
            Ok(()) => to.commit(),
            Err(problem) => {
                to.rollback();
                Err(problem.into())
            }
        }
    });
    finish(outcome)
}

fn finish(outcome: Outcome<()>) -> Result<()> {
    outcome.map_err(|problem| Fatal::new(problem.detail))
}

/// Ids that were given once are not given again, also those of rows that are gone.
fn number_on_in_sqlite(from: &Connection, to: &dyn Session, table: &Table) -> Work<()> {
    if !table.numbered {
        return Ok(());
    }
    let sql = "SELECT COALESCE(pg_sequence_last_value(CAST(pg_get_serial_sequence(?1, 'id') AS regclass)), 0)";
    let last = (from as &dyn Session).insert(sql, &[Param::Text(&table.name)])?;
    to.execute("DELETE FROM sqlite_sequence WHERE name = ?1", &[Param::Text(&table.name)])?;
    let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
    to.execute(sql, &[Param::Text(&table.name), Param::Integer(last)])?;
    Ok(())
}

fn number_on_in_postgres(from: &dyn Session, to: &Connection, table: &Table) -> Work<()> {
    if !table.numbered {
        return Ok(());
    }
    let last = from.rows("SELECT seq FROM sqlite_sequence WHERE name = ?1", &[Param::Text(&table.name)])?;
    let Some(mut row) = last.into_iter().next() else {
        return Ok(());
    };
    let last: i64 = row.take(0)?;
    if last > 0 {
        let sql = "SELECT setval(CAST(pg_get_serial_sequence(?1, 'id') AS regclass), ?2)";
        to.rows(sql, &[Param::Text(&table.name), Param::Integer(last)])?;
    }
    Ok(())
}
