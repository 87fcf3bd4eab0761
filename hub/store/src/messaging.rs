//! Requests to devices, and what products' remote configurations are.

use rusqlite::{params, Connection, OptionalExtension, Row};

use super::{Database, Durability};
use hub_core::messaging::config;
use hub_core::messaging::model::{ConfigDevice, Payload, Rrpc};
use hub_core::messaging::rrpc::{judge, state, Answer};
use hub_core::ports::messaging::{MessagingStore, NewRrpc};
use hub_core::ports::store::Outcome;

/// Requests kept for people to look at.
const RRPCS: i64 = 1000;

impl MessagingStore for Database {
    fn add_rrpc(&self, request: &NewRrpc<'_>, now: u64) -> Outcome<i64> {
        self.write(Durability::Relaxed, |db| {
            let NewRrpc { client_id, request, timeout_ms } = request;
            let sql = "INSERT INTO rrpcs (client_id, request, answers, asked_at, deadline) VALUES (?, ?, 0, ?, ?)";
            let deadline = now.saturating_add(*timeout_ms);
            let id = db.prepare_cached(sql)?.insert(params![client_id, request, now, deadline])?;
            db.prepare_cached("DELETE FROM rrpcs WHERE id <= ?")?.execute([id - RRPCS])?;
            Ok(id)
        })
    }

    fn answer_rrpc(&self, client_id: &str, id: i64, answer: &[u8], now: u64) -> Outcome<Option<Answer>> {
        self.write(Durability::Relaxed, |db| {
            let sql = "SELECT deadline, answers > 0 FROM rrpcs WHERE id = ? AND client_id = ?";
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let found: Option<(u64, bool)> =
                db.prepare_cached(sql)?.query_row(params![id, client_id], row).optional()?;
            let Some((deadline, answered)) = found else {
                return Ok(None);
            };
            let sql = "UPDATE rrpcs SET answers = answers + 1, answer = coalesce(answer, ?2),
                       answered_at = coalesce(answered_at, ?3) WHERE id = ?1";
            db.prepare_cached(sql)?.execute(params![id, answer, now])?;
            Ok(Some(judge(deadline, answered, now)))
        })
    }

    fn rrpc(&self, id: i64, now: u64) -> Outcome<Option<Rrpc>> {
        self.read(|db| Ok(rrpcs(db, "id = ?", [id], now)?.pop()))
    }

    fn rrpcs(&self, client_id: &str, now: u64) -> Outcome<Vec<Rrpc>> {
        self.read(|db| Ok(rrpcs(db, "client_id = ? ORDER BY id DESC", [client_id], now)?))
    }

    fn remote_config(&self, product_id: &str) -> Outcome<Option<config::Stored>> {
        self.read(|db| Ok(remote_config(db, product_id)?))
    }

    fn remote_configs(&self) -> Outcome<Vec<(String, config::Stored)>> {
        let sql = "SELECT version, payload, enabled, changed_at, product_id FROM remote_configs ORDER BY product_id";
        self.read(|db| {
            let read = |row: &Row<'_>| Ok((row.get(4)?, config_row(row)?));
            let rows: rusqlite::Result<Vec<_>> = db.prepare_cached(sql)?.query_map([], read)?.collect();
            Ok(rows?)
        })
    }

    fn set_remote_config(&self, product_id: &str, payload: Option<&str>, now: u64) -> Outcome<config::Stored> {
        let sql =
            "INSERT INTO remote_configs (product_id, version, payload, enabled, changed_at) VALUES (?1, 1, ?2, 1, ?3)
                   ON CONFLICT DO UPDATE SET version = version + 1, payload = ?2, changed_at = ?3
                   RETURNING version, payload, enabled, changed_at";
        self.write(Durability::Full, |db| {
            Ok(db.prepare_cached(sql)?.query_row(params![product_id, payload, now], config_row)?)
        })
    }

    fn switch_remote_config(&self, product_id: &str, enabled: bool, now: u64) -> Outcome<config::Stored> {
        let sql = "INSERT INTO remote_configs (product_id, version, enabled, changed_at) VALUES (?1, 0, ?2, ?3)
                   ON CONFLICT DO UPDATE SET enabled = ?2, changed_at = ?3
                   RETURNING version, payload, enabled, changed_at";
        self.write(Durability::Full, |db| {
            Ok(db.prepare_cached(sql)?.query_row(params![product_id, enabled, now], config_row)?)
        })
    }

    fn note_remote_config(&self, product_id: &str, told: &[ConfigDevice]) -> Outcome<()> {
        let sql = "INSERT OR REPLACE INTO remote_config_devices (client_id, product_id, version, result, pushed, at)
                   VALUES (?, ?, ?, ?, ?, ?)";
        self.write(Durability::Relaxed, |db| {
            for ConfigDevice { client_id, version, result, pushed, at } in told {
                db.prepare_cached(sql)?.execute(params![client_id, product_id, version, result, pushed, at])?;
            }
            Ok(())
        })
    }

    fn remote_config_devices(&self, product_id: &str) -> Outcome<Vec<ConfigDevice>> {
        // What is known of a device that was removed says nothing any more.
        let sql = "SELECT t.client_id, t.version, t.result, t.pushed, t.at FROM remote_config_devices t
                   JOIN devices d ON d.client_id = t.client_id WHERE t.product_id = ? ORDER BY t.client_id";
        let read = |row: &Row<'_>| {
            Ok(ConfigDevice {
                client_id: row.get(0)?,
                version: row.get(1)?,
                result: row.get(2)?,
                pushed: row.get(3)?,
                at: row.get(4)?,
            })
        };
        self.read(|db| {
            let rows: rusqlite::Result<Vec<_>> = db.prepare_cached(sql)?.query_map([product_id], read)?.collect();
            Ok(rows?)
        })
    }
}

fn rrpcs(db: &Connection, condition: &str, params: impl rusqlite::Params, now: u64) -> rusqlite::Result<Vec<Rrpc>> {
    let sql = format!(
        "SELECT id, client_id, request, answer, answers, asked_at, answered_at, deadline FROM rrpcs WHERE {condition}"
    );
    let payload = |bytes: Vec<u8>| Payload::of(&bytes);
    let read = |row: &Row<'_>| {
        let (asked_at, answered_at, deadline): (u64, _, u64) = (row.get(5)?, row.get(6)?, row.get(7)?);
        Ok(Rrpc {
            id: row.get(0)?,
            client_id: row.get(1)?,
            state: state(deadline, answered_at, now),
            request: payload(row.get(2)?),
            answer: row.get::<_, Option<Vec<u8>>>(3)?.map(payload),
            answers: row.get(4)?,
            asked_at,
            answered_at,
            timeout_ms: deadline.saturating_sub(asked_at),
        })
    };
    db.prepare_cached(&sql)?.query_map(params, read)?.collect()
}

fn config_row(row: &Row<'_>) -> rusqlite::Result<config::Stored> {
    Ok(config::Stored { version: row.get(0)?, payload: row.get(1)?, enabled: row.get(2)?, changed_at: row.get(3)? })
}

fn remote_config(db: &Connection, product_id: &str) -> rusqlite::Result<Option<config::Stored>> {
    let sql = "SELECT version, payload, enabled, changed_at FROM remote_configs WHERE product_id = ?";
    db.prepare_cached(sql)?.query_row([product_id], config_row).optional()
}
