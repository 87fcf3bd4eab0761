//! Requests to devices, and what products' remote configurations are.

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::reach::end_of;
use super::values::{nonsense, params, Param, Row};
use super::Records;
use hub_core::messaging::config;
use hub_core::messaging::model::{ConfigDevice, Payload, Rrpc};
use hub_core::messaging::rrpc::{judge, state, Answer};
use hub_core::model::Page;
use hub_core::ports::messaging::{MessagingStore, NewRrpc};
use hub_core::ports::store::Outcome;

/// Requests kept for people to look at.
const RRPCS: i64 = 1000;

impl<E: Engine> MessagingStore for Records<E> {
    fn add_rrpc(&self, request: &NewRrpc<'_>, now: u64) -> Outcome<i64> {
        let &NewRrpc { client_id, request, timeout_ms } = request;
        let deadline = now.saturating_add(timeout_ms);
        self.engine.write(Writer::Device(client_id), |db| {
            let sql = "INSERT INTO rrpcs (client_id, request, answers, asked_at, deadline) VALUES (?1, ?2, 0, ?3, ?4)
                       RETURNING id";
            let id = db.insert(sql, params![client_id, request, now, deadline])?;
            db.execute("DELETE FROM rrpcs WHERE id <= ?1", params![id - RRPCS])?;
            Ok(id)
        })
    }

    fn answer_rrpc(&self, client_id: &str, id: i64, answer: &[u8], now: u64) -> Outcome<Option<Answer>> {
        self.engine.write(Writer::Device(client_id), |db| {
            let sql = "SELECT deadline, answers > 0 FROM rrpcs WHERE id = ?1 AND client_id = ?2";
            let row = |row: &mut Row| Ok((row.take(0)?, row.take(1)?));
            let Some((deadline, answered)) = db.one(sql, params![id, client_id], row)? else {
                return Ok(None);
            };
            let sql = "UPDATE rrpcs SET answers = answers + 1, answer = coalesce(answer, ?2),
                       answered_at = coalesce(answered_at, ?3) WHERE id = ?1";
            db.execute(sql, params![id, answer, now])?;
            Ok(Some(judge(deadline, answered, now)))
        })
    }

    fn rrpc(&self, id: i64, now: u64) -> Outcome<Option<Rrpc>> {
        self.engine.read(|db| Ok(rrpcs(db, "id = ?1", params![id], now)?.pop()))
    }

    fn rrpcs(&self, client_id: &str, now: u64) -> Outcome<Vec<Rrpc>> {
        self.engine.read(|db| rrpcs(db, "client_id = ?1 ORDER BY id DESC", params![client_id], now))
    }

    fn remote_config(&self, product_id: &str) -> Outcome<Option<config::Stored>> {
        self.engine.read(|db| remote_config(db, product_id))
    }

    fn remote_configs(&self) -> Outcome<Vec<(String, config::Stored)>> {
        let sql = "SELECT version, payload, enabled, changed_at, product_id FROM remote_configs ORDER BY product_id";
        self.engine.read(|db| {
            let read = |row: &mut Row| Ok((row.take(4)?, config_row(row)?));
            db.all(sql, &[], read)
        })
    }

    fn set_remote_config(&self, product_id: &str, payload: Option<&str>, now: u64) -> Outcome<config::Stored> {
        let sql =
            "INSERT INTO remote_configs (product_id, version, payload, enabled, changed_at) VALUES (?1, 1, ?2, 1, ?3)
                   ON CONFLICT (product_id) DO UPDATE SET version = remote_configs.version + 1, payload = ?2, changed_at = ?3
                   RETURNING version, payload, enabled, changed_at";
        self.engine.write(Writer::People, |db| stored(db.one(sql, params![product_id, payload, now], config_row)?))
    }

    fn switch_remote_config(&self, product_id: &str, enabled: bool, now: u64) -> Outcome<config::Stored> {
        let sql = "INSERT INTO remote_configs (product_id, version, enabled, changed_at) VALUES (?1, 0, ?2, ?3)
                   ON CONFLICT (product_id) DO UPDATE SET enabled = ?2, changed_at = ?3
                   RETURNING version, payload, enabled, changed_at";
        self.engine.write(Writer::People, |db| stored(db.one(sql, params![product_id, enabled, now], config_row)?))
    }

    fn note_remote_config(&self, product_id: &str, told: &[ConfigDevice]) -> Outcome<()> {
        let sql = "INSERT INTO remote_config_devices (client_id, product_id, version, result, pushed, at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (client_id) DO UPDATE SET product_id = excluded.product_id,
                   version = excluded.version, result = excluded.result, pushed = excluded.pushed, at = excluded.at";
        self.engine.write(Writer::Hub, |db| {
            for ConfigDevice { client_id, version, result, pushed, at } in told {
                db.execute(sql, params![client_id, product_id, *version, *result, *pushed, *at])?;
            }
            Ok(())
        })
    }

    fn remote_config_devices(&self, product_id: &str, page: &Page) -> Outcome<Vec<ConfigDevice>> {
        // What is known of a device that was removed says nothing any more.
        let sql = "SELECT t.client_id, t.version, t.result, t.pushed, t.at FROM remote_config_devices t
                   JOIN devices d ON d.client_id = t.client_id WHERE t.product_id = ?1 AND t.client_id >= ?2
                   AND t.client_id < ?3 AND t.client_id <> ?4 ORDER BY t.client_id LIMIT ?5";
        let after = page.after.as_deref().unwrap_or_default();
        let begin = format!("{product_id}{}", page.search);
        let read = |row: &mut Row| {
            Ok(ConfigDevice {
                client_id: row.take(0)?,
                version: row.take(1)?,
                result: row.take(2)?,
                pushed: row.take(3)?,
                at: row.take(4)?,
            })
        };
        let end = end_of(&begin);
        let params = params![product_id, after.max(&begin), &end, after, page.limit];
        self.engine.read(|db| db.all(sql, params, read))
    }
}

fn rrpcs(db: &dyn Session, condition: &str, params: &[Param<'_>], now: u64) -> Work<Vec<Rrpc>> {
    let sql = format!(
        "SELECT id, client_id, request, answer, answers, asked_at, answered_at, deadline FROM rrpcs WHERE {condition}"
    );
    let payload = |bytes: Vec<u8>| Payload::of(&bytes);
    let read = |row: &mut Row| {
        let (asked_at, answered_at, deadline): (u64, _, u64) = (row.take(5)?, row.take(6)?, row.take(7)?);
        Ok(Rrpc {
            id: row.take(0)?,
            client_id: row.take(1)?,
            state: state(deadline, answered_at, now),
            request: payload(row.take(2)?),
            answer: row.take::<Option<Vec<u8>>>(3)?.map(payload),
            answers: row.take(4)?,
            asked_at,
            answered_at,
            timeout_ms: deadline.saturating_sub(asked_at),
        })
    };
    db.all(&sql, params, read)
}

/// A statement that keeps a configuration returns it.
fn stored(row: Option<config::Stored>) -> Work<config::Stored> {
    row.ok_or_else(|| nonsense("no configuration where one was kept"))
}

fn config_row(row: &mut Row) -> Work<config::Stored> {
    Ok(config::Stored { version: row.take(0)?, payload: row.take(1)?, enabled: row.take(2)?, changed_at: row.take(3)? })
}

fn remote_config(db: &dyn Session, product_id: &str) -> Work<Option<config::Stored>> {
    let sql = "SELECT version, payload, enabled, changed_at FROM remote_configs WHERE product_id = ?1";
    db.one(sql, params![product_id], config_row)
}
