//! Keys that hubs share.

use super::engine::{Engine, Writer};
use super::values::params;
use super::Records;
use hub_core::ports::keys::Keys;
use hub_core::ports::store::Outcome;

impl<E: Engine> Keys for Records<E> {
    fn shared_key(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        self.engine
            .read(|db| db.one("SELECT content FROM shared_keys WHERE name = ?1", params![name], |row| row.take(0)))
    }

    fn share_key(&self, name: &str, key: &[u8]) -> Outcome<()> {
        self.engine.write(Writer::People, |db| {
            let sql = "INSERT INTO shared_keys (name, content) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
            db.execute(sql, params![name, key])?;
            Ok(())
        })
    }
}
