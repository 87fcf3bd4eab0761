//! Copies all rows from one database to another one with the same tables, whatever their engines.

use super::engine::Session;
use super::failed::Work;
use super::values::{Param, Row, Value};

/// Rows that are in memory at a time. The largest have 16 KB.
const PAGE: u64 = 500;

/// A table, as SQLite describes it.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Whether its rows are numbered in a column `id`, and no number comes twice.
    pub numbered: bool,
    columns: Vec<String>,
    /// Where in a row its key is.
    key: Vec<usize>,
}

/// The tables of a SQLite database. One that refers to another one comes after it. What hubs agree on stays theirs.
pub fn tables(sqlite: &dyn Session) -> Work<Vec<Table>> {
    let sql = "SELECT name, instr(sql, 'AUTOINCREMENT') > 0 FROM sqlite_schema
               WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND name <> 'agreements' ORDER BY rowid";
    let mut tables = sqlite.all(sql, &[], |row| {
        Ok(Table { name: row.take(0)?, numbered: row.take(1)?, columns: Vec::new(), key: Vec::new() })
    })?;
    for table in &mut tables {
        let sql = "SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid";
        let columns =
            sqlite.all(sql, &[Param::Text(&table.name)], |row| Ok((row.take::<String>(0)?, row.take::<u32>(1)?)))?;
        let mut key: Vec<(u32, usize)> =
            columns.iter().enumerate().filter(|(_, (_, pk))| *pk > 0).map(|(at, (_, pk))| (*pk, at)).collect();
        key.sort_unstable();
        table.key = key.into_iter().map(|(_, at)| at).collect();
        table.columns = columns.into_iter().map(|(name, _)| name).collect();
    }
    Ok(tables)
}

/// Whether a table has no rows.
pub fn is_empty(db: &dyn Session, table: &Table) -> Work<bool> {
    Ok(db.rows(&format!("SELECT 1 FROM {} LIMIT 1", table.name), &[])?.is_empty())
}

/// Copies the rows of a table.
pub fn rows(from: &dyn Session, to: &dyn Session, table: &Table) -> Work<()> {
    let Table { name, columns, key, .. } = table;
    let list = columns.join(", ");
    let own = to.dialect().own_ids;
    let insert = format!("INSERT INTO {name} ({list}) {own} VALUES ({})", parameters(0, columns.len()));
    let order: Vec<&str> = key.iter().filter_map(|at| columns.get(*at)).map(String::as_str).collect();
    let order = order.join(", ");
    let mut after: Vec<Value> = Vec::new();
    loop {
        let condition = match after.len() {
            0 => String::new(),
            count => format!("WHERE ({order}) > ({})", parameters(1, count)),
        };
        let sql = format!("SELECT {list} FROM {name} {condition} ORDER BY {order} LIMIT ?1");
        let params: Vec<Param<'_>> = [Param::from(PAGE)].into_iter().chain(after.iter().map(Param::of)).collect();
        let page = from.rows(&sql, &params)?;
        for Row(values) in &page {
            to.execute(&insert, &values.iter().map(Param::of).collect::<Vec<_>>())?;
        }
        if (page.len() as u64) < PAGE {
            return Ok(());
        }
        let Some(Row(mut last)) = page.into_iter().next_back() else {
            return Ok(());
        };
        after = key.iter().filter_map(|at| last.get_mut(*at).map(std::mem::take)).collect();
    }
}

/// So many parameters behind those before.
fn parameters(before: usize, count: usize) -> String {
    let names: Vec<String> = (before + 1..=before + count).map(|number| format!("?{number}")).collect();
    names.join(", ")
}
