//! Firmware. What is removed stays as far as the history needs it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rusqlite::{params, Connection, OptionalExtension, Row};

use hub_core::model::Firmware;
use hub_core::ports::store::Stored;

/// Columns of [`firmware_row`], of table `f`.
pub(super) const FIRMWARE: &str = "f.id, f.product_id, f.version, f.name, f.size, f.md5, f.created_at";

/// Reads [`FIRMWARE`] from column `at` on.
pub(super) fn firmware_row(row: &Row<'_>, at: usize) -> rusqlite::Result<Firmware> {
    Ok(Firmware {
        id: row.get(at)?,
        product_id: row.get(at + 1)?,
        version: row.get(at + 2)?,
        name: row.get(at + 3)?,
        size: row.get(at + 4)?,
        md5: row.get(at + 5)?,
        created_at: row.get(at + 6)?,
    })
}

fn stored_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let path: Option<Vec<u8>> = row.get(8)?;
    Ok(Stored {
        firmware: firmware_row(row, 0)?,
        file_name: row.get(7)?,
        path: path.map(|path| PathBuf::from(OsString::from_vec(path))),
    })
}

fn find(db: &Connection, condition: &str, params: impl rusqlite::Params) -> rusqlite::Result<Option<Stored>> {
    let sql =
        format!("SELECT {FIRMWARE}, f.file_name, f.path FROM firmware f WHERE f.removed_at IS NULL AND {condition}");
    db.prepare_cached(&sql)?.query_row(params, stored_row).optional()
}

/// Every firmware, newest first.
pub fn list(db: &Connection) -> rusqlite::Result<Vec<Firmware>> {
    let sql = format!("SELECT {FIRMWARE} FROM firmware f WHERE f.removed_at IS NULL ORDER BY f.id DESC");
    db.prepare_cached(&sql)?.query_map([], |row| firmware_row(row, 0))?.collect()
}

/// The firmware with this id.
pub fn get(db: &Connection, id: i64) -> rusqlite::Result<Option<Stored>> {
    find(db, "f.id = ?", [id])
}

/// The firmware of this version.
pub fn by_version(db: &Connection, product_id: &str, version: &str) -> rusqlite::Result<Option<Stored>> {
    find(db, "f.product_id = ? AND f.version = ?", [product_id, version])
}

/// The firmware whose file has this name.
pub fn by_file_name(db: &Connection, file_name: &str) -> rusqlite::Result<Option<Stored>> {
    find(db, "f.file_name = ?", [file_name])
}

/// A firmware of this version that lies where its owner keeps it.
pub fn in_place(db: &Connection, version: &str) -> rusqlite::Result<Option<Stored>> {
    find(db, "f.version = ? AND f.path IS NOT NULL ORDER BY f.id DESC LIMIT 1", [version])
}

/// The firmware of an order.
pub fn of_upgrade(db: &Connection, upgrade_id: i64) -> rusqlite::Result<Option<Stored>> {
    find(db, "f.id = (SELECT firmware_id FROM upgrades WHERE id = ?)", [upgrade_id])
}

/// The newest firmware of a product.
pub fn newest(db: &Connection, product_id: &str) -> rusqlite::Result<Option<Stored>> {
    find(db, "f.product_id = ? ORDER BY f.id DESC LIMIT 1", [product_id])
}

/// Adds a firmware and returns its id; the one in `firmware` does not count.
pub fn add(db: &Connection, firmware: &Firmware, file_name: &str, path: Option<&Path>) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO firmware (product_id, version, name, size, md5, created_at, file_name, path)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let path = path.map(|path| path.as_os_str().as_bytes());
    let Firmware { id: _, product_id, version, name, size, md5, created_at } = firmware;
    db.prepare_cached(sql)?.insert(params![product_id, version, name, size, md5, created_at, file_name, path])
}

/// Another file takes the place of the one that lay elsewhere.
pub fn replace(db: &Connection, id: i64, size: u64, md5: &str, path: &Path) -> rusqlite::Result<()> {
    let sql = "UPDATE firmware SET size = ?2, md5 = ?3, path = ?4 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, size, md5, path.as_os_str().as_bytes()])?;
    Ok(())
}

/// Takes a firmware off offer.
pub fn remove(db: &Connection, id: i64, now: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE firmware SET removed_at = ?2 WHERE id = ?1")?.execute(params![id, now])?;
    Ok(())
}
