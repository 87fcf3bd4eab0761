//! The devices and what each told last.

use super::engine::Session;
use super::failed::Work;
use super::upgrades::{job_row, latest_job, JOB};
use super::values::{params, Param, Row};
use hub_core::devices;
use hub_core::model::{Device, Proof};
use hub_core::ports::store::{Credential, Told};

/// Adds a device of a list, or gives it what the list says.
pub fn import(db: &dyn Session, client_id: &str, device: &devices::Device) -> Work<bool> {
    // The same client id can be cut in two in several ways; two devices must not share it.
    let changed = db.execute(
        "INSERT INTO devices (client_id, product_id, device_name, key) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (client_id) DO UPDATE SET key = excluded.key WHERE devices.product_id = excluded.product_id
             AND devices.device_name = excluded.device_name",
        params![client_id, &device.product_id, &device.device_name, device.key.as_deref()],
    )?;
    Ok(changed == 1)
}

/// Adds a device. False where there is one of that client id.
pub fn add(
    db: &dyn Session,
    client_id: &str,
    product_id: &str,
    device_name: &str,
    credential: &Credential,
) -> Work<bool> {
    let (key, serial) = columns(credential);
    let sql = "INSERT INTO devices (client_id, product_id, device_name, key, serial) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (client_id) DO NOTHING";
    let added = db.execute(sql, params![client_id, product_id, device_name, key, serial])?;
    Ok(added == 1)
}

/// Gives a device another secret or certificate.
pub fn set_credential(db: &dyn Session, client_id: &str, credential: &Credential) -> Work<()> {
    let (key, serial) = columns(credential);
    let sql = "UPDATE devices SET key = ?2, serial = ?3 WHERE client_id = ?1";
    db.execute(sql, params![client_id, key, serial])?;
    Ok(())
}

fn columns(credential: &Credential) -> (Option<&[u8]>, Option<&str>) {
    match credential {
        Credential::Key(key) => (Some(key), None),
        Credential::Certificate(serial) => (None, Some(serial)),
    }
}

/// Removes a device. False where there is none.
pub fn remove(db: &dyn Session, client_id: &str) -> Work<bool> {
    Ok(db.execute("DELETE FROM devices WHERE client_id = ?1", params![client_id])? == 1)
}

/// What must be known to let a device in and to reach it.
pub fn find(db: &dyn Session, client_id: &str) -> Work<Option<devices::Device>> {
    let sql = "SELECT product_id, device_name, key, serial FROM devices WHERE client_id = ?1";
    let device = |row: &mut Row| {
        Ok(devices::Device {
            product_id: row.take(0)?,
            device_name: row.take(1)?,
            key: row.take(2)?,
            serial: row.take(3)?,
        })
    };
    db.one(sql, params![client_id], device)
}

const DEVICE: &str = "client_id, product_id, device_name, key IS NOT NULL, version, reported_at";

fn device_row(row: &mut Row) -> Work<Device> {
    Ok(Device {
        client_id: row.take(0)?,
        product_id: row.take(1)?,
        device_name: row.take(2)?,
        proof: if row.take(3)? { Proof::Secret } else { Proof::Certificate },
        online: None,
        version: row.take(4)?,
        reported_at: row.take(5)?,
        job: None,
    })
}

/// One device with its latest job, but for whether it is there.
pub fn get(db: &dyn Session, client_id: &str) -> Work<Option<Device>> {
    let sql = format!("SELECT {DEVICE} FROM devices WHERE client_id = ?1");
    let found = db.one(&sql, params![client_id], device_row)?;
    found.map(|device| Ok(Device { job: latest_job(db, client_id)?, ..device })).transpose()
}

/// Every device in order of client id with its latest job, but for whether it is there.
pub fn list(db: &dyn Session) -> Work<Vec<Device>> {
    let mut devices = select(db, &format!("SELECT {DEVICE} FROM devices ORDER BY client_id"), &[])?;
    let latest =
        format!("SELECT {JOB} WHERE j.id IN (SELECT max(id) FROM jobs GROUP BY client_id) ORDER BY j.client_id");
    let mut jobs = db.all(&latest, &[], job_row)?.into_iter().peekable();
    for device in &mut devices {
        // Both are in order; a job without a device is one of a device that was removed.
        while let Some(job) = jobs.next_if(|job| job.client_id <= device.client_id) {
            if job.client_id == device.client_id {
                device.job = Some(job);
            }
        }
    }
    Ok(devices)
}

fn select(db: &dyn Session, sql: &str, params: &[Param<'_>]) -> Work<Vec<Device>> {
    db.all(sql, params, device_row)
}

/// The devices of a product without their jobs, in order of client id.
pub fn of_product(db: &dyn Session, product_id: &str) -> Work<Vec<Device>> {
    select(db, &format!("SELECT {DEVICE} FROM devices WHERE product_id = ?1 ORDER BY client_id"), params![product_id])
}

/// Every client id, in order.
pub fn client_ids(db: &dyn Session) -> Work<Vec<String>> {
    db.all("SELECT client_id FROM devices ORDER BY client_id", &[], |row| row.take(0))
}

/// The products there are devices of.
pub fn products(db: &dyn Session) -> Work<Vec<String>> {
    let sql = "SELECT DISTINCT product_id FROM devices ORDER BY product_id";
    db.all(sql, &[], |row| row.take(0))
}

/// A device has told its running version.
pub fn set_version(db: &dyn Session, client_id: &str, version: &str, now: u64) -> Work<()> {
    let sql = "UPDATE devices SET version = ?2, reported_at = ?3 WHERE client_id = ?1";
    db.execute(sql, params![client_id, version, now])?;
    Ok(())
}

/// A device has told where its upgrade stands.
pub fn set_state(db: &dyn Session, client_id: &str, state: &str, percent: Option<u8>, now: u64) -> Work<()> {
    let sql = "UPDATE devices SET state = ?2, percent = ?3, reported_at = ?4 WHERE client_id = ?1";
    db.execute(sql, params![client_id, state, percent, now])?;
    Ok(())
}

/// What each device told last, in order of client id.
pub fn told(db: &dyn Session) -> Work<Vec<Told>> {
    let sql = "SELECT client_id, version, state, percent FROM devices ORDER BY client_id";
    db.all(sql, &[], |row| Ok((row.take(0)?, row.take(1)?, row.take(2)?, row.take(3)?)))
}
