//! Which device is bound to which gateway.

use rusqlite::{params, Connection, OptionalExtension, Row};

use super::{devices, Database, Durability, Failed};
use hub_core::model::{Gateway, SubDevice};
use hub_core::ports::gateways::Gateways;
use hub_core::ports::store::Outcome;
use hub_core::problems;

impl Gateways for Database {
    fn gateways(&self) -> Outcome<Vec<Gateway>> {
        self.read(|db| Ok(list(db)?))
    }

    fn gateway(&self, client_id: &str) -> Outcome<Gateway> {
        self.read(|db| known(db, client_id))
    }

    fn gateway_of(&self, client_id: &str) -> Outcome<Option<String>> {
        self.read(|db| Ok(bound_to(db, client_id)?))
    }

    fn bind(&self, gateway: &str, client_id: &str) -> Outcome<Option<String>> {
        self.write(Durability::Full, |db| {
            for device in [gateway, client_id] {
                devices::find(db, device)?.ok_or_else(|| problems::no_device(device))?;
            }
            let there = bound_to(db, client_id)?;
            if there.is_none() {
                let sql = "INSERT INTO bindings (client_id, gateway) VALUES (?, ?)";
                db.prepare_cached(sql)?.execute(params![client_id, gateway])?;
            }
            Ok(there)
        })
    }

    fn unbind(&self, gateway: &str, client_id: &str) -> Outcome<bool> {
        self.write(Durability::Full, |db| {
            let sql = "DELETE FROM bindings WHERE client_id = ? AND gateway = ?";
            Ok(db.prepare_cached(sql)?.execute(params![client_id, gateway])? == 1)
        })
    }

    fn unbind_all(&self, gateway: &str) -> Outcome<Gateway> {
        self.write(Durability::Full, |db| {
            let before = known(db, gateway)?;
            db.prepare_cached("DELETE FROM bindings WHERE gateway = ?")?.execute([gateway])?;
            Ok(before)
        })
    }
}

fn bound_to(db: &Connection, client_id: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT gateway FROM bindings WHERE client_id = ?";
    db.prepare_cached(sql)?.query_row([client_id], |row| row.get(0)).optional()
}

fn known(db: &Connection, client_id: &str) -> Result<Gateway, Failed> {
    Ok(get(db, client_id)?.ok_or_else(|| problems::no_device(client_id))?)
}

const BOUND: &str = "b.gateway, d.client_id, d.product_id, d.device_name
    FROM bindings b JOIN devices d ON d.client_id = b.client_id";

fn bound_row(row: &Row<'_>) -> rusqlite::Result<(String, SubDevice)> {
    let device = SubDevice { client_id: row.get(1)?, product_id: row.get(2)?, device_name: row.get(3)?, online: None };
    Ok((row.get(0)?, device))
}

/// A device as a gateway, where there is one; but for whether anything is there.
pub fn get(db: &Connection, client_id: &str) -> rusqlite::Result<Option<Gateway>> {
    if devices::find(db, client_id)?.is_none() {
        return Ok(None);
    }
    let sql = format!("SELECT {BOUND} WHERE b.gateway = ? ORDER BY b.client_id");
    let mut statement = db.prepare_cached(&sql)?;
    let devices: rusqlite::Result<Vec<SubDevice>> =
        statement.query_map([client_id], |row| Ok(bound_row(row)?.1))?.collect();
    Ok(Some(Gateway { client_id: client_id.to_owned(), online: None, devices: devices? }))
}

fn list(db: &Connection) -> rusqlite::Result<Vec<Gateway>> {
    let mut gateways: Vec<Gateway> = Vec::new();
    let mut statement = db.prepare_cached(&format!("SELECT {BOUND} ORDER BY b.gateway, b.client_id"))?;
    for row in statement.query_map([], bound_row)? {
        let (client_id, device) = row?;
        match gateways.last_mut() {
            Some(last) if last.client_id == client_id => last.devices.push(device),
            _ => gateways.push(Gateway { client_id, online: None, devices: vec![device] }),
        }
    }
    Ok(gateways)
}
