//! The devices' shadows.

use rusqlite::{params, Connection, OptionalExtension, Row};

use super::{devices, Database, Durability, Failed};
use hub_core::ports::shadows::Shadows;
use hub_core::ports::store::Outcome;
use hub_core::problems;
use hub_core::shadow::{Document, Object};

impl Shadows for Database {
    fn shadow(&self, client_id: &str) -> Outcome<Document> {
        self.read(|db| known(db, client_id))
    }

    fn change_shadow(
        &self,
        client_id: &str,
        change: &mut dyn FnMut(&Document) -> Outcome<Option<Document>>,
    ) -> Outcome<()> {
        self.write(Durability::Relaxed, |db| {
            if let Some(changed) = change(&known(db, client_id)?)? {
                put(db, client_id, &changed)?;
            }
            Ok(())
        })
    }
}

/// The document of a device that there is.
fn known(db: &Connection, client_id: &str) -> Result<Document, Failed> {
    match get(db, client_id)? {
        Some(document) => Ok(document),
        None if devices::find(db, client_id)?.is_some() => Ok(Document::default()),
        None => Err(problems::no_device(client_id).into()),
    }
}

/// A device's document, where anything was ever said.
pub fn get(db: &Connection, client_id: &str) -> rusqlite::Result<Option<Document>> {
    let sql = "SELECT reported, desired, version, updated_at FROM shadows WHERE client_id = ?";
    let document = |row: &Row<'_>| {
        Ok(Document {
            reported: object(row, 0)?,
            desired: object(row, 1)?,
            version: row.get(2)?,
            updated_at: row.get(3)?,
        })
    };
    db.prepare_cached(sql)?.query_row([client_id], document).optional()
}

fn object(row: &Row<'_>, column: usize) -> rusqlite::Result<Object> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn put(db: &Connection, client_id: &str, document: &Document) -> rusqlite::Result<()> {
    let text = |half: &Object| serde_json::to_string(half).unwrap_or_else(|_| "{}".to_owned());
    let Document { reported, desired, version, updated_at } = document;
    let sql =
        "INSERT OR REPLACE INTO shadows (client_id, reported, desired, version, updated_at) VALUES (?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![client_id, text(reported), text(desired), version, updated_at])?;
    Ok(())
}
