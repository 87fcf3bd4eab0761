//! The devices' shadows.

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::values::{nonsense, params, Row};
use super::{devices, Records};
use hub_core::ports::shadows::Shadows;
use hub_core::ports::store::Outcome;
use hub_core::problems;
use hub_core::shadow::{Document, Object};

impl<E: Engine> Shadows for Records<E> {
    fn shadow(&self, client_id: &str) -> Outcome<Document> {
        self.engine.read(|db| known(db, client_id))
    }

    fn change_shadow(
        &self,
        client_id: &str,
        change: &mut dyn FnMut(&Document) -> Outcome<Option<Document>>,
    ) -> Outcome<()> {
        self.engine.write(Writer::Device(client_id), |db| {
            if let Some(changed) = change(&known(db, client_id)?)? {
                put(db, client_id, &changed)?;
            }
            Ok(())
        })
    }
}

/// The document of a device that there is.
fn known(db: &dyn Session, client_id: &str) -> Work<Document> {
    match get(db, client_id)? {
        Some(document) => Ok(document),
        None if devices::find(db, client_id)?.is_some() => Ok(Document::default()),
        None => Err(problems::no_device(client_id).into()),
    }
}

/// A device's document, where anything was ever said.
pub fn get(db: &dyn Session, client_id: &str) -> Work<Option<Document>> {
    let sql = "SELECT reported, desired, version, updated_at FROM shadows WHERE client_id = ?1";
    let document = |row: &mut Row| {
        Ok(Document {
            reported: object(row, 0)?,
            desired: object(row, 1)?,
            version: row.take(2)?,
            updated_at: row.take(3)?,
        })
    };
    db.one(sql, params![client_id], document)
}

fn object(row: &mut Row, column: usize) -> Work<Object> {
    let text: String = row.take(column)?;
    serde_json::from_str(&text).map_err(|error| nonsense(&error.to_string()))
}

fn put(db: &dyn Session, client_id: &str, document: &Document) -> Work<()> {
    let text = |half: &Object| serde_json::to_string(half).unwrap_or_else(|_| "{}".to_owned());
    let Document { reported, desired, version, updated_at } = document;
    let sql = "INSERT INTO shadows (client_id, reported, desired, version, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (client_id) DO UPDATE SET reported = excluded.reported, desired = excluded.desired,
         version = excluded.version, updated_at = excluded.updated_at";
    db.execute(sql, params![client_id, &text(reported), &text(desired), *version, *updated_at])?;
    Ok(())
}
