//! Those who use the console, and what they have done.

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::values::{params, Row};
use super::Records;
use hub_core::model::{AuditEntry, Role, User};
use hub_core::ports::store::Outcome;
use hub_core::ports::users::Users;
use hub_core::problems;

/// Entries that are kept.
const ENTRIES: i64 = 10_000;

const USER: &str = "SELECT name, role, token_hash IS NOT NULL, created_at FROM users";

fn user_row(row: &mut Row) -> Work<User> {
    Ok(User { name: row.take(0)?, role: row.take(1)?, has_token: row.take(2)?, created_at: row.take(3)? })
}

fn entry_row(row: &mut Row) -> Work<AuditEntry> {
    Ok(AuditEntry {
        id: row.take(0)?,
        at: row.take(1)?,
        name: row.take(2)?,
        request: row.take(3)?,
        status: row.take(4)?,
        detail: row.take(5)?,
    })
}

/// Keeps an entry, and so many in all.
pub(super) fn note(db: &dyn Session, entry: &AuditEntry, entries: i64) -> Work<()> {
    let sql = "INSERT INTO audit (at, name, request, status, detail) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
    let AuditEntry { at, name, request, status, detail, .. } = entry;
    let id = db.insert(sql, params![*at, name, request, *status, detail.as_ref()])?;
    db.execute("DELETE FROM audit WHERE id <= ?1", params![id - entries])?;
    Ok(())
}

impl<E: Engine> Users for Records<E> {
    fn users(&self) -> Outcome<Vec<User>> {
        self.engine.read(|db| db.all(&format!("{USER} ORDER BY name"), &[], user_row))
    }

    fn user(&self, name: &str) -> Outcome<Option<User>> {
        self.engine.read(|db| db.one(&format!("{USER} WHERE name = ?1"), params![name], user_row))
    }

    fn user_of_token(&self, hash: &str) -> Outcome<Option<User>> {
        self.engine.read(|db| db.one(&format!("{USER} WHERE token_hash = ?1"), params![hash], user_row))
    }

    fn add_user(&self, user: &User, token_hash: Option<&str>) -> Outcome<()> {
        self.engine.write(Writer::People, |db| {
            let sql = "INSERT INTO users (name, role, token_hash, created_at) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (name) DO NOTHING";
            match db.execute(sql, params![&user.name, user.role, token_hash, user.created_at])? {
                0 => Err(problems::user_exists(&user.name).into()),
                _ => Ok(()),
            }
        })
    }

    fn set_role(&self, name: &str, role: Role) -> Outcome<User> {
        self.engine.write(Writer::People, |db| {
            db.execute("UPDATE users SET role = ?2 WHERE name = ?1", params![name, role])?;
            let user = db.one(&format!("{USER} WHERE name = ?1"), params![name], user_row)?;
            user.ok_or_else(|| problems::no_user(name).into())
        })
    }

    fn remove_user(&self, name: &str) -> Outcome<()> {
        self.engine.write(Writer::People, |db| {
            match db.execute("DELETE FROM users WHERE name = ?1", params![name])? {
                0 => Err(problems::no_user(name).into()),
                _ => Ok(()),
            }
        })
    }

    fn add_audit(&self, entry: &AuditEntry) -> Outcome<()> {
        self.engine.write(Writer::Hub, |db| note(db, entry, ENTRIES))
    }

    fn audit(&self, before: Option<i64>, name: Option<&str>, limit: u32) -> Outcome<Vec<AuditEntry>> {
        const ENTRY: &str = "SELECT id, at, name, request, status, detail FROM audit WHERE id < ?1";
        const NEWEST: &str = "ORDER BY id DESC LIMIT ?2";
        let before = before.unwrap_or(i64::MAX);
        self.engine.read(|db| match name {
            None => db.all(&format!("{ENTRY} {NEWEST}"), params![before, limit], entry_row),
            Some(name) => db.all(&format!("{ENTRY} AND name = ?3 {NEWEST}"), params![before, limit, name], entry_row),
        })
    }
}
