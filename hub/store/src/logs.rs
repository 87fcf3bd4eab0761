//! Uploaded log lines, and the levels that devices are told.

use rusqlite::{params, OptionalExtension, Row};

use super::{Database, Durability};
use hub_core::messaging::model::LogLine;
use hub_core::ports::logs::{LogStore, LINES};
use hub_core::ports::store::Outcome;

impl LogStore for Database {
    fn add_log(&self, client_id: &str, sent_at: Option<u64>, lines: &[String], now: u64) -> Outcome<()> {
        let insert = "INSERT INTO log_lines (client_id, sent_at, received_at, text) VALUES (?, ?, ?, ?)";
        let tidy = "DELETE FROM log_lines WHERE client_id = ?1 AND id <=
                    (SELECT id FROM log_lines WHERE client_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        self.write(Durability::Relaxed, |db| {
            for line in lines {
                db.prepare_cached(insert)?.execute(params![client_id, sent_at, now, line])?;
            }
            db.prepare_cached(tidy)?.execute(params![client_id, LINES])?;
            Ok(())
        })
    }

    fn log(&self, client_id: &str, after: Option<i64>, limit: u64) -> Outcome<Vec<LogLine>> {
        let read = |row: &Row<'_>| {
            Ok(LogLine { id: row.get(0)?, sent_at: row.get(1)?, received_at: row.get(2)?, text: row.get(3)? })
        };
        let sql = match after {
            Some(_) => {
                "SELECT id, sent_at, received_at, text FROM log_lines
                        WHERE client_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
            }
            None => {
                "SELECT * FROM (SELECT id, sent_at, received_at, text FROM log_lines
                     WHERE client_id = ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3) ORDER BY id"
            }
        };
        self.read(|db| {
            let params = params![client_id, after.unwrap_or_default(), limit];
            let rows: rusqlite::Result<Vec<_>> = db.prepare_cached(sql)?.query_map(params, read)?.collect();
            Ok(rows?)
        })
    }

    fn clear_log(&self, client_id: &str) -> Outcome<()> {
        self.write(Durability::Relaxed, |db| {
            db.prepare_cached("DELETE FROM log_lines WHERE client_id = ?")?.execute([client_id])?;
            Ok(())
        })
    }

    fn log_level(&self, client_id: &str) -> Outcome<Option<u8>> {
        let sql = "SELECT level FROM log_levels WHERE client_id = ?";
        self.read(|db| Ok(db.prepare_cached(sql)?.query_row([client_id], |row| row.get(0)).optional()?))
    }

    fn set_log_level(&self, client_id: &str, level: u8) -> Outcome<()> {
        self.write(Durability::Full, |db| {
            db.prepare_cached("INSERT OR REPLACE INTO log_levels (client_id, level) VALUES (?, ?)")?
                .execute(params![client_id, level])?;
            Ok(())
        })
    }
}
