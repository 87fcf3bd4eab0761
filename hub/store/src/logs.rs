//! Uploaded log lines, and the levels that devices are told.

use super::engine::{Engine, Writer};
use super::values::{params, Row};
use super::Records;
use hub_core::messaging::model::LogLine;
use hub_core::ports::logs::{LogStore, LINES};
use hub_core::ports::store::Outcome;

impl<E: Engine> LogStore for Records<E> {
    fn add_log(&self, client_id: &str, sent_at: Option<u64>, lines: &[String], now: u64) -> Outcome<()> {
        let insert = "INSERT INTO log_lines (client_id, sent_at, received_at, text) VALUES (?1, ?2, ?3, ?4)";
        let tidy = "DELETE FROM log_lines WHERE client_id = ?1 AND id <=
                    (SELECT id FROM log_lines WHERE client_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        self.engine.write(Writer::Device(client_id), |db| {
            for line in lines {
                db.execute(insert, params![client_id, sent_at, now, line])?;
            }
            db.execute(tidy, params![client_id, LINES])?;
            Ok(())
        })
    }

    fn log(&self, client_id: &str, after: Option<i64>, limit: u64) -> Outcome<Vec<LogLine>> {
        let read = |row: &mut Row| {
            Ok(LogLine { id: row.take(0)?, sent_at: row.take(1)?, received_at: row.take(2)?, text: row.take(3)? })
        };
        let sql = match after {
            Some(_) => {
                "SELECT id, sent_at, received_at, text FROM log_lines
                        WHERE client_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
            }
            None => {
                "SELECT * FROM (SELECT id, sent_at, received_at, text FROM log_lines
                     WHERE client_id = ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3) AS newest ORDER BY id"
            }
        };
        self.engine.read(|db| {
            let params = params![client_id, after.unwrap_or_default(), limit];
            db.all(sql, params, read)
        })
    }

    fn clear_log(&self, client_id: &str) -> Outcome<()> {
        self.engine.write(Writer::Device(client_id), |db| {
            db.execute("DELETE FROM log_lines WHERE client_id = ?1", params![client_id])?;
            Ok(())
        })
    }

    fn log_level(&self, client_id: &str) -> Outcome<Option<u8>> {
        let sql = "SELECT level FROM log_levels WHERE client_id = ?1";
        self.engine.read(|db| db.one(sql, params![client_id], |row| row.take(0)))
    }

    fn set_log_level(&self, client_id: &str, level: u8) -> Outcome<()> {
        self.engine.write(Writer::People, |db| {
            db.execute(
                "INSERT INTO log_levels (client_id, level) VALUES (?1, ?2)
                        ON CONFLICT (client_id) DO UPDATE SET level = excluded.level",
                params![client_id, level],
            )?;
            Ok(())
        })
    }
}
