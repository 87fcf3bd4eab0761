//! Firmware. What is removed stays as far as the history needs it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::engine::Session;
use super::failed::Work;
use super::reach::begins_with;
use super::values::{params, Param, Row};
use hub_core::firmware::Measured;
use hub_core::model::{Firmware, FirmwareFilter, Page, Signature};
use hub_core::ports::store::Stored;

/// Columns of [`firmware_row`], of table `f`.
pub(super) const FIRMWARE: &str =
    "f.id, f.product_id, f.version, f.name, f.size, f.md5, f.created_at, f.signer, f.signed_at";

/// Reads [`FIRMWARE`] from column `at` on.
pub(super) fn firmware_row(row: &mut Row, at: usize) -> Work<Firmware> {
    let signer: Option<String> = row.take(at + 7)?;
    let signed_at: Option<u64> = row.take(at + 8)?;
    Ok(Firmware {
        id: row.take(at)?,
        product_id: row.take(at + 1)?,
        version: row.take(at + 2)?,
        name: row.take(at + 3)?,
        size: row.take(at + 4)?,
        md5: row.take(at + 5)?,
        created_at: row.take(at + 6)?,
        signature: signer.zip(signed_at).map(|(key_id, signed_at)| Signature { key_id, signed_at }),
    })
}

fn stored_row(row: &mut Row) -> Work<Stored> {
    let path: Option<Vec<u8>> = row.take(10)?;
    Ok(Stored {
        firmware: firmware_row(row, 0)?,
        file_name: row.take(9)?,
        path: path.map(|path| PathBuf::from(OsString::from_vec(path))),
    })
}

fn find(db: &dyn Session, condition: &str, params: &[Param<'_>]) -> Work<Option<Stored>> {
    let sql =
        format!("SELECT {FIRMWARE}, f.file_name, f.path FROM firmware f WHERE f.removed_at IS NULL AND {condition}");
    db.one(&sql, params, stored_row)
}

/// Firmware, newest first.
pub fn list(db: &dyn Session, filter: &FirmwareFilter, page: &Page) -> Work<Vec<Firmware>> {
    let before = page.after_id()?.unwrap_or(i64::MAX);
    let mut params = params![before, page.limit, &page.search].to_vec();
    let mut only = String::new();
    for (column, value) in [("f.product_id", &filter.product), ("f.version", &filter.version)] {
        if let Some(value) = value {
            params.push(Param::from(value.as_str()));
            only += &format!(" AND {column} = ?{}", params.len());
        }
    }
    let sql = format!(
        "SELECT {FIRMWARE} FROM firmware f WHERE f.removed_at IS NULL AND f.id < ?1 AND ({} OR {}){only}
         ORDER BY f.id DESC LIMIT ?2",
        begins_with("f.product_id", 3),
        begins_with("f.version", 3)
    );
    db.all(&sql, &params, |row| firmware_row(row, 0))
}

/// The products there is firmware of.
pub fn products(db: &dyn Session) -> Work<Vec<String>> {
    let sql = "SELECT DISTINCT f.product_id FROM firmware f WHERE f.removed_at IS NULL ORDER BY f.product_id";
    db.all(sql, &[], |row| row.take(0))
}

/// The firmware with this id.
pub fn get(db: &dyn Session, id: i64) -> Work<Option<Stored>> {
    find(db, "f.id = ?1", params![id])
}

/// The firmware of this version.
pub fn by_version(db: &dyn Session, product_id: &str, version: &str) -> Work<Option<Stored>> {
    find(db, "f.product_id = ?1 AND f.version = ?2", params![product_id, version])
}

/// The firmware whose file has this name.
pub fn by_file_name(db: &dyn Session, file_name: &str) -> Work<Option<Stored>> {
    find(db, "f.file_name = ?1", params![file_name])
}

/// A firmware of this version that lies where its owner keeps it.
pub fn in_place(db: &dyn Session, version: &str) -> Work<Option<Stored>> {
    find(db, "f.version = ?1 AND f.path IS NOT NULL ORDER BY f.id DESC LIMIT 1", params![version])
}

/// The firmware of an order.
pub fn of_upgrade(db: &dyn Session, upgrade_id: i64) -> Work<Option<Stored>> {
    find(db, "f.id = (SELECT firmware_id FROM upgrades WHERE id = ?1)", params![upgrade_id])
}

/// The newest firmware of a product.
pub fn newest(db: &dyn Session, product_id: &str) -> Work<Option<Stored>> {
    find(db, "f.product_id = ?1 ORDER BY f.id DESC LIMIT 1", params![product_id])
}

/// Adds a firmware and returns its id; the one in `firmware` does not count.
pub fn add(db: &dyn Session, firmware: &Firmware, file_name: &str, path: Option<&Path>) -> Work<i64> {
    let sql = "INSERT INTO firmware
               (product_id, version, name, size, md5, created_at, file_name, path, signer, signed_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id";
    let path = path.map(|path| path.as_os_str().as_bytes());
    let Firmware { id: _, product_id, version, name, size, md5, created_at, signature } = firmware;
    let (signer, signed_at) = columns(signature.as_ref());
    db.insert(sql, params![product_id, version, name, *size, md5, *created_at, file_name, path, signer, signed_at])
}

/// Another file takes the place of the one that lay elsewhere.
pub fn replace(db: &dyn Session, id: i64, file: &Measured) -> Work<()> {
    let sql = "UPDATE firmware SET size = ?2, md5 = ?3, path = ?4, signer = ?5, signed_at = ?6 WHERE id = ?1";
    let (signer, signed_at) = columns(file.signature.as_ref());
    db.execute(sql, params![id, file.size, &file.md5, file.path.as_os_str().as_bytes(), signer, signed_at])?;
    Ok(())
}

/// `signer` and `signed_at`.
fn columns(signature: Option<&Signature>) -> (Option<&str>, Option<u64>) {
    (signature.map(|signature| signature.key_id.as_str()), signature.map(|signature| signature.signed_at))
}

/// Takes a firmware off offer.
pub fn remove(db: &dyn Session, id: i64, now: u64) -> Work<()> {
    db.execute("UPDATE firmware SET removed_at = ?2 WHERE id = ?1", params![id, now])?;
    Ok(())
}
