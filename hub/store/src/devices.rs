//! The devices and what each told last.

use std::collections::BTreeMap;

use super::engine::Session;
use super::failed::Work;
use super::reach::{begins, end_of};
use super::seen::{Since, SEEN};
use super::upgrades::{jobs_of, latest_job};
use super::values::{json, params, Param, Row};
use hub_core::devices;
use hub_core::model::{Device, DeviceFilter, Job, Page, Proof};
use hub_core::ports::store::{Credential, Told};

/// How many devices of a long list are looked up together.
pub const SOME: usize = 1000;

/// A device of a list, with its client id.
pub type Listed<'a> = (&'a str, &'a devices::Device);

/// Adds the devices of a list, or gives them what the list says. Returns the client id that another device has, if one does.
pub fn import<'a>(db: &dyn Session, list: &[Listed<'a>]) -> Work<Option<&'a str>> {
    let there = find_all(db, &list.iter().map(|(client_id, _)| *client_id).collect::<Vec<_>>())?;
    // The same client id can be cut in two in several ways; two devices must not share it.
    let is_other = |(client_id, device): &&Listed<'a>| {
        let names = |device: &devices::Device| (device.product_id.clone(), device.device_name.clone());
        there.get(*client_id).is_some_and(|there| names(there) != names(device))
    };
    if let Some((client_id, _)) = list.iter().find(is_other) {
        return Ok(Some(client_id));
    }
    let is_news = |(client_id, device): &Listed<'a>| there.get(*client_id).is_none_or(|there| there.key != device.key);
    let news: Vec<Listed<'a>> = list.iter().copied().filter(is_news).collect();
    let mut batches = news.chunks_exact(BATCH);
    batches.try_for_each(|batch| put(db, batch))?;
    batches.remainder().chunks(1).try_for_each(|device| put(db, device))?;
    Ok(None)
}

/// So many devices are put by one statement, or one: each other number would be a statement of its own, to be kept.
const BATCH: usize = 100;

fn put(db: &dyn Session, list: &[Listed<'_>]) -> Work<()> {
    let row = |at: usize| format!("(?{}, ?{}, ?{}, ?{})", 4 * at + 1, 4 * at + 2, 4 * at + 3, 4 * at + 4);
    let rows: Vec<String> = (0..list.len()).map(row).collect();
    let sql = format!(
        "INSERT INTO devices (client_id, product_id, device_name, key) VALUES {}
         ON CONFLICT (client_id) DO UPDATE SET key = excluded.key",
        rows.join(", ")
    );
    let values = list.iter().flat_map(|(client_id, device)| {
        let names = [*client_id, &device.product_id, &device.device_name];
        names.map(Param::from).into_iter().chain([Param::from(device.key.as_deref())])
    });
    db.execute(&sql, &values.collect::<Vec<_>>())?;
    Ok(())
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

/// Removes a device, which has no tags any more.
pub fn remove(db: &dyn Session, client_id: &str) -> Work<()> {
    db.execute("DELETE FROM devices WHERE client_id = ?1", params![client_id]).map(drop)
}

/// What must be known to let a device in and to reach it.
pub fn find(db: &dyn Session, client_id: &str) -> Work<Option<devices::Device>> {
    let sql = format!("SELECT {FOUND} FROM devices WHERE client_id = ?1");
    db.one(&sql, params![client_id], found_row)
}

/// Columns of [`found_row`].
const FOUND: &str = "product_id, device_name, key, serial";

fn found_row(row: &mut Row) -> Work<devices::Device> {
    Ok(devices::Device { product_id: row.take(0)?, device_name: row.take(1)?, key: row.take(2)?, serial: row.take(3)? })
}

/// Columns of `devices d`.
fn columns_of_device() -> String {
    format!("d.client_id, d.product_id, d.device_name, d.key IS NOT NULL, d.version, d.reported_at, {SEEN}")
}

fn device_row(row: &mut Row) -> Work<Device> {
    Ok(Device {
        client_id: row.take(0)?,
        product_id: row.take(1)?,
        device_name: row.take(2)?,
        proof: if row.take(3)? { Proof::Secret } else { Proof::Certificate },
        online: None,
        version: row.take(4)?,
        reported_at: row.take(5)?,
        seen_at: row.take(6)?,
        tags: Vec::new(),
        job: None,
    })
}

/// One device with its latest job, but for whether it is there.
pub fn get(db: &dyn Session, client_id: &str) -> Work<Option<Device>> {
    let sql = format!("SELECT {} FROM devices d WHERE d.client_id = ?1", columns_of_device());
    let found = db.one(&sql, params![client_id], device_row)?;
    let complete = |mut device: Device| {
        fill_in(db, std::slice::from_mut(&mut device))?;
        Ok(Device { job: latest_job(db, client_id)?, ..device })
    };
    found.map(complete).transpose()
}

/// Devices in order of client id with their latest jobs, but for whether they are there.
pub fn list(db: &dyn Session, filter: &DeviceFilter, since: Option<u64>, page: &Page) -> Work<Vec<Device>> {
    let columns = columns_of_device();
    let after = page.after.as_deref().unwrap_or_default();
    let found = if filter.is_any() || since.is_some() || !page.search.is_empty() {
        search(db, filter, since, page, after)?
    } else {
        let sql =
            format!("SELECT {columns}, {LATEST} FROM devices d WHERE d.client_id > ?1 ORDER BY d.client_id LIMIT ?2");
        db.all(&sql, params![after, page.limit], with_latest)?
    };
    let ids: Vec<i64> = found.iter().filter_map(|(_, latest)| *latest).collect();
    let mut jobs: BTreeMap<i64, Job> = jobs_of(db, &ids)?.into_iter().map(|job| (job.id, job)).collect();
    let complete =
        |(device, latest): (Device, Option<i64>)| Device { job: latest.and_then(|id| jobs.remove(&id)), ..device };
    let mut found: Vec<Device> = found.into_iter().map(complete).collect();
    fill_in(db, &mut found)?;
    Ok(found)
}

/// The devices of a filter whose client ids or names begin so: each product's are in order of client id in the indices.
fn search(
    db: &dyn Session,
    filter: &DeviceFilter,
    since: Option<u64>,
    page: &Page,
    after: &str,
) -> Work<Vec<(Device, Option<i64>)>> {
    let columns = columns_of_device();
    // One bound below: SQLite's index would begin at the first of two.
    let range = |id: &str| format!("{id} >= ?1 AND {id} < ?2 AND {id} <> ?3");
    let (version, named) = match &filter.version {
        Some(version) if version.is_empty() => (" AND d.version IS NULL", None),
        Some(version) => (" AND d.version = ?6", Some(version)),
        None => ("", None),
    };
    let at = if named.is_some() { 7 } else { 6 };
    let since = since.map(|since| Since::at(db, since)).transpose()?;
    let (seen, since) =
        since.as_ref().map(|since| since.condition(db, if filter.tag.is_some() { at + 1 } else { at })).unzip();
    let seen = seen.unwrap_or_default();
    let sql = match &filter.tag {
        // The order of the tag's index.
        Some(_) => format!(
            "SELECT {columns}, {LATEST} FROM device_tags t JOIN devices d ON d.client_id = t.client_id
             WHERE t.product_id = ?5 AND t.tag = ?{at} AND {}{version}{seen} ORDER BY t.client_id LIMIT ?4",
            range("t.client_id")
        ),
        None => format!(
            "SELECT {columns}, {LATEST} FROM devices d WHERE d.product_id = ?5 AND {}{version}{seen}
             ORDER BY d.client_id LIMIT ?4",
            range("d.client_id")
        ),
    };
    let products = match &filter.product {
        Some(product_id) => vec![product_id.clone()],
        None => products(db)?,
    };
    let mut found = Vec::new();
    for product_id in &products {
        for begin in begins(product_id, &page.search) {
            let end = end_of(&begin);
            let mut params = params![after.max(&begin), &end, after, page.limit, product_id].to_vec();
            params.extend([named, filter.tag.as_ref()].into_iter().flatten().map(Param::from));
            params.extend(since);
            found.extend(db.all(&sql, &params, with_latest)?);
        }
    }
    found.sort_by(|(one, _), (other, _)| one.client_id.cmp(&other.client_id));
    found.dedup_by(|(one, _), (other, _)| one.client_id == other.client_id);
    found.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Gives each of these devices the tags that it has.
fn fill_in(db: &dyn Session, devices: &mut [Device]) -> Work<()> {
    let client_ids: Vec<&str> = devices.iter().map(|device| device.client_id.as_str()).collect();
    let sql = format!(
        "SELECT client_id, tag FROM device_tags WHERE client_id IN {} ORDER BY client_id, tag",
        db.dialect().texts
    );
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for (client_id, tag) in
        db.all(&sql, params![&json(&client_ids)], |row| Ok((row.take::<String>(0)?, row.take(1)?)))?
    {
        found.entry(client_id).or_default().push(tag);
    }
    for device in devices {
        device.tags = found.remove(&device.client_id).unwrap_or_default();
    }
    Ok(())
}

/// The id of the latest job of device `d`.
const LATEST: &str = "(SELECT max(j.id) FROM jobs j WHERE j.client_id = d.client_id)";

fn with_latest(row: &mut Row) -> Work<(Device, Option<i64>)> {
    Ok((device_row(row)?, row.take(7)?))
}

/// What must be known to reach these devices, as far as they are known.
pub fn find_all(db: &dyn Session, client_ids: &[&str]) -> Work<BTreeMap<String, devices::Device>> {
    let sql = format!("SELECT {FOUND}, client_id FROM devices WHERE client_id IN {}", db.dialect().texts);
    let found = db.all(&sql, params![&json(client_ids)], |row| Ok((row.take(4)?, found_row(row)?)))?;
    Ok(found.into_iter().collect())
}

/// Client id and name of so many devices of a product, after this client id, in order.
pub fn of_product(db: &dyn Session, product_id: &str, after: &str, limit: u64) -> Work<Vec<(String, String)>> {
    let sql = "SELECT client_id, device_name FROM devices WHERE product_id = ?1 AND client_id > ?2
               ORDER BY client_id LIMIT ?3";
    db.all(sql, params![product_id, after, limit], |row| Ok((row.take(0)?, row.take(1)?)))
}

/// How many devices a product has.
pub fn count(db: &dyn Session, product_id: &str) -> Work<u64> {
    let sql = "SELECT count(*) FROM devices WHERE product_id = ?1";
    Ok(db.one(sql, params![product_id], |row| row.take(0))?.unwrap_or_default())
}

/// Which of these client ids are of no device of the product, in order.
pub fn unknown(db: &dyn Session, product_id: &str, client_ids: &[String]) -> Work<Vec<String>> {
    let sql = format!(
        "SELECT value FROM {} AS named WHERE NOT EXISTS
         (SELECT 1 FROM devices d WHERE d.client_id = named.value AND d.product_id = ?2) ORDER BY value",
        db.dialect().texts
    );
    db.all(&sql, params![&json(client_ids), product_id], |row| row.take(0))
}

/// Every client id, in order.
pub fn client_ids(db: &dyn Session) -> Work<Vec<String>> {
    db.all("SELECT client_id FROM devices ORDER BY client_id", &[], |row| row.take(0))
}

/// The products there are devices of.
pub fn products(db: &dyn Session) -> Work<Vec<String>> {
    // From each to the next one in the index. DISTINCT would look at every device.
    let sql = "WITH RECURSIVE product (id) AS (
                   SELECT min(product_id) FROM devices
                   UNION ALL SELECT (SELECT min(d.product_id) FROM devices d WHERE d.product_id > product.id)
                   FROM product WHERE product.id IS NOT NULL)
               SELECT id FROM product WHERE id IS NOT NULL";
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

/// What so many devices told last, in order of client id, after this one.
pub fn told(db: &dyn Session, after: &str, limit: u64) -> Work<Vec<Told>> {
    let sql = "SELECT client_id, version, state, percent FROM devices WHERE client_id > ?1 ORDER BY client_id LIMIT ?2";
    db.all(sql, params![after, limit], |row| Ok((row.take(0)?, row.take(1)?, row.take(2)?, row.take(3)?)))
}
