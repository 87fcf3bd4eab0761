//! Which device is bound to which gateway.

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::reach::{begins_with, end_of};
use super::values::{params, Row};
use super::{devices, Records};
use hub_core::model::{Gateway, Page, SubDevice};
use hub_core::ports::gateways::Gateways;
use hub_core::ports::store::Outcome;
use hub_core::problems;

impl<E: Engine> Gateways for Records<E> {
    fn gateways(&self, after: (&str, &str), search: &str, limit: u64) -> Outcome<Vec<Gateway>> {
        self.engine.read(|db| list(db, after, search, limit))
    }

    fn gateway_devices(&self, gateway: &str, page: &Page) -> Outcome<Vec<SubDevice>> {
        self.engine.read(|db| {
            devices::find(db, gateway)?.ok_or_else(|| problems::no_device(gateway))?;
            let sql = format!(
                "SELECT {BOUND} WHERE b.gateway = ?1 AND b.client_id > ?2
                 AND ({} OR {}) ORDER BY b.client_id LIMIT ?4",
                begins_with("b.client_id", 3),
                begins_with("d.device_name", 3)
            );
            let after = page.after.as_deref().unwrap_or_default();
            db.all(&sql, params![gateway, after, &page.search, page.limit], |row| Ok(bound_row(row)?.1))
        })
    }

    fn gateway(&self, client_id: &str) -> Outcome<Gateway> {
        self.engine.read(|db| known(db, client_id))
    }

    fn gateway_of(&self, client_id: &str) -> Outcome<Option<String>> {
        self.engine.read(|db| bound_to(db, client_id))
    }

    fn bind(&self, gateway: &str, client_id: &str) -> Outcome<Option<String>> {
        self.engine.write(Writer::People, |db| {
            for device in [gateway, client_id] {
                devices::find(db, device)?.ok_or_else(|| problems::no_device(device))?;
            }
            let there = bound_to(db, client_id)?;
            if there.is_none() {
                let sql = "INSERT INTO bindings (client_id, gateway) VALUES (?1, ?2)";
                db.execute(sql, params![client_id, gateway])?;
            }
            Ok(there)
        })
    }

    fn unbind(&self, gateway: &str, client_id: &str) -> Outcome<bool> {
        self.engine.write(Writer::People, |db| {
            let sql = "DELETE FROM bindings WHERE client_id = ?1 AND gateway = ?2";
            Ok(db.execute(sql, params![client_id, gateway])? == 1)
        })
    }

    fn unbind_all(&self, gateway: &str) -> Outcome<Gateway> {
        self.engine.write(Writer::People, |db| {
            let before = known(db, gateway)?;
            db.execute("DELETE FROM bindings WHERE gateway = ?1", params![gateway])?;
            Ok(before)
        })
    }
}

fn bound_to(db: &dyn Session, client_id: &str) -> Work<Option<String>> {
    let sql = "SELECT gateway FROM bindings WHERE client_id = ?1";
    db.one(sql, params![client_id], |row| row.take(0))
}

fn known(db: &dyn Session, client_id: &str) -> Work<Gateway> {
    Ok(get(db, client_id)?.ok_or_else(|| problems::no_device(client_id))?)
}

const BOUND: &str = "b.gateway, d.client_id, d.product_id, d.device_name
    FROM bindings b JOIN devices d ON d.client_id = b.client_id";

fn bound_row(row: &mut Row) -> Work<(String, SubDevice)> {
    let device =
        SubDevice { client_id: row.take(1)?, product_id: row.take(2)?, device_name: row.take(3)?, online: None };
    Ok((row.take(0)?, device))
}

/// A device as a gateway, where there is one; but for whether anything is there.
pub fn get(db: &dyn Session, client_id: &str) -> Work<Option<Gateway>> {
    if devices::find(db, client_id)?.is_none() {
        return Ok(None);
    }
    let sql = format!("SELECT {BOUND} WHERE b.gateway = ?1 ORDER BY b.client_id");
    let devices = db.all(&sql, params![client_id], |row| Ok(bound_row(row)?.1))?;
    Ok(Some(Gateway { client_id: client_id.to_owned(), online: None, devices }))
}

fn list(db: &dyn Session, after: (&str, &str), search: &str, limit: u64) -> Work<Vec<Gateway>> {
    let sql = format!(
        "SELECT {BOUND} WHERE b.gateway >= ?1 AND (b.gateway > ?1 OR b.client_id > ?2)
         AND b.gateway >= ?3 AND b.gateway < ?4 ORDER BY b.gateway, b.client_id LIMIT ?5"
    );
    let mut gateways: Vec<Gateway> = Vec::new();
    let end = end_of(search);
    for (client_id, device) in db.all(&sql, params![after.0, after.1, search, &end, limit], bound_row)? {
        match gateways.last_mut() {
            Some(last) if last.client_id == client_id => last.devices.push(device),
            _ => gateways.push(Gateway { client_id, online: None, devices: vec![device] }),
        }
    }
    Ok(gateways)
}
