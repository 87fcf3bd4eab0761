//! The devices and what each told last.

use rusqlite::{params, Connection, OptionalExtension, Row};

use super::upgrades::{job_row, latest_job, JOB};
use hub_core::devices;
use hub_core::model::{Device, Proof};
use hub_core::ports::store::{Credential, Told};

/// Adds a device of a list, or gives it what the list says.
pub fn import(db: &Connection, client_id: &str, device: &devices::Device) -> rusqlite::Result<bool> {
    // The same client id can be cut in two in several ways; two devices must not share it.
    let changed = db
        .prepare_cached(
            "INSERT INTO devices (client_id, product_id, device_name, key) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET key = excluded.key
             WHERE product_id = excluded.product_id AND device_name = excluded.device_name",
        )?
        .execute(params![client_id, device.product_id, device.device_name, device.key])?;
    Ok(changed == 1)
}

/// Adds a device. False where there is one of that client id.
pub fn add(
    db: &Connection,
    client_id: &str,
    product_id: &str,
    device_name: &str,
    credential: &Credential,
) -> rusqlite::Result<bool> {
    let (key, serial) = columns(credential);
    let sql = "INSERT OR IGNORE INTO devices (client_id, product_id, device_name, key, serial) VALUES (?, ?, ?, ?, ?)";
    let added = db.prepare_cached(sql)?.execute(params![client_id, product_id, device_name, key, serial])?;
    Ok(added == 1)
}

/// Gives a device another secret or certificate.
pub fn set_credential(db: &Connection, client_id: &str, credential: &Credential) -> rusqlite::Result<()> {
    let (key, serial) = columns(credential);
    let sql = "UPDATE devices SET key = ?2, serial = ?3 WHERE client_id = ?1";
    db.prepare_cached(sql)?.execute(params![client_id, key, serial])?;
    Ok(())
}

fn columns(credential: &Credential) -> (Option<&[u8]>, Option<&str>) {
    match credential {
        Credential::Key(key) => (Some(key), None),
        Credential::Certificate(serial) => (None, Some(serial)),
    }
}

/// Removes a device. False where there is none.
pub fn remove(db: &Connection, client_id: &str) -> rusqlite::Result<bool> {
    Ok(db.prepare_cached("DELETE FROM devices WHERE client_id = ?")?.execute([client_id])? == 1)
}

/// What must be known to let a device in and to reach it.
pub fn find(db: &Connection, client_id: &str) -> rusqlite::Result<Option<devices::Device>> {
    let sql = "SELECT product_id, device_name, key, serial FROM devices WHERE client_id = ?";
    let device = |row: &Row<'_>| {
        Ok(devices::Device { product_id: row.get(0)?, device_name: row.get(1)?, key: row.get(2)?, serial: row.get(3)? })
    };
    db.prepare_cached(sql)?.query_row([client_id], device).optional()
}

const DEVICE: &str = "client_id, product_id, device_name, key IS NOT NULL, version, reported_at";

fn device_row(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        client_id: row.get(0)?,
        product_id: row.get(1)?,
        device_name: row.get(2)?,
        proof: if row.get(3)? { Proof::Secret } else { Proof::Certificate },
        online: None,
        version: row.get(4)?,
        reported_at: row.get(5)?,
        job: None,
    })
}

/// One device with its latest job, but for whether it is there.
pub fn get(db: &Connection, client_id: &str) -> rusqlite::Result<Option<Device>> {
    let sql = format!("SELECT {DEVICE} FROM devices WHERE client_id = ?");
    let found = db.prepare_cached(&sql)?.query_row([client_id], device_row).optional()?;
    found.map(|device| Ok(Device { job: latest_job(db, client_id)?, ..device })).transpose()
}

/// Every device in order of client id with its latest job, but for whether it is there.
pub fn list(db: &Connection) -> rusqlite::Result<Vec<Device>> {
    let mut devices = select(db, &format!("SELECT {DEVICE} FROM devices ORDER BY client_id"), [])?;
    let latest =
        format!("SELECT {JOB} WHERE j.id IN (SELECT max(id) FROM jobs GROUP BY client_id) ORDER BY j.client_id");
    let mut statement = db.prepare_cached(&latest)?;
    let mut jobs = statement.query_map([], job_row)?.peekable();
    for device in &mut devices {
        // Both are in order; a job without a device is one of a device that was removed.
        while let Some(job) = jobs.next_if(|job| job.as_ref().map_or(true, |job| job.client_id <= device.client_id)) {
            let job = job?;
            if job.client_id == device.client_id {
                device.job = Some(job);
            }
        }
    }
    Ok(devices)
}

fn select(db: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Device>> {
    db.prepare_cached(sql)?.query_map(params, device_row)?.collect()
}

/// The devices of a product without their jobs, in order of client id.
pub fn of_product(db: &Connection, product_id: &str) -> rusqlite::Result<Vec<Device>> {
    select(db, &format!("SELECT {DEVICE} FROM devices WHERE product_id = ? ORDER BY client_id"), [product_id])
}

/// Every client id, in order.
pub fn client_ids(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached("SELECT client_id FROM devices ORDER BY client_id")?.query_map([], |row| row.get(0))?.collect()
}

/// The products there are devices of.
pub fn products(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT DISTINCT product_id FROM devices ORDER BY product_id";
    db.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// A device has told its running version.
pub fn set_version(db: &Connection, client_id: &str, version: &str, now: u64) -> rusqlite::Result<()> {
    let sql = "UPDATE devices SET version = ?2, reported_at = ?3 WHERE client_id = ?1";
    db.prepare_cached(sql)?.execute(params![client_id, version, now])?;
    Ok(())
}

/// A device has told where its upgrade stands.
pub fn set_state(db: &Connection, client_id: &str, state: &str, percent: Option<u8>, now: u64) -> rusqlite::Result<()> {
    let sql = "UPDATE devices SET state = ?2, percent = ?3, reported_at = ?4 WHERE client_id = ?1";
    db.prepare_cached(sql)?.execute(params![client_id, state, percent, now])?;
    Ok(())
}

/// What each device told last, in order of client id.
pub fn told(db: &Connection) -> rusqlite::Result<Vec<Told>> {
    let sql = "SELECT client_id, version, state, percent FROM devices ORDER BY client_id";
    db.prepare_cached(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?.collect()
}
