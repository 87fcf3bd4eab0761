//! The firmware of the command line.

use std::path::Path;

use super::Outcome;
use crate::firmware::{file_name, Measured};
use crate::hub::now_ms;
use crate::model::*;
use crate::store::firmware::{self, Stored};
use crate::store::upgrades::{self, NewUpgrade};
use crate::store::{Durability, Store};

/// Offers a file where it lies to the devices of these products, and orders the upgrade of all that report another
/// version where `on_report` says so. Returns what is on offer for each product.
///
/// Given again with another file, the version is that file from now on.
pub fn offer(store: &Store, products: &[String], file: &Measured, on_report: bool) -> Outcome<Vec<Stored>> {
    store.write(Durability::Full, |db| {
        let offers = products.iter().map(|product_id| {
            let stored = put(db, product_id, file)?;
            if on_report {
                stand(db, &stored)?;
            }
            Ok(stored)
        });
        offers.collect()
    })
}

fn put(db: &rusqlite::Connection, product_id: &str, file: &Measured) -> Outcome<Stored> {
    let path: &Path = &file.path;
    let there = firmware::by_version(db, product_id, &file.version)?;
    let id = match there {
        Some(stored) if stored.path.is_some() => {
            firmware::replace(db, stored.firmware.id, file.size, &file.md5, path)?;
            stored.firmware.id
        }
        Some(stored) if stored.firmware.md5 == file.md5 => stored.firmware.id,
        Some(_) => {
            return Err(Problem::conflict(format!(
                "firmware {} of product {product_id} was uploaded earlier, and it is another file: remove it in the \
                 console, or give this one another version",
                file.version
            )))
        }
        None => {
            let name = file_name(product_id, &file.version);
            if firmware::by_file_name(db, &name)?.is_some() {
                return Err(Problem::conflict(format!(
                    "another product's firmware has the same file name {name}: use another version"
                )));
            }
            let firmware = Firmware {
                id: 0,
                product_id: product_id.to_owned(),
                version: file.version.clone(),
                name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                size: file.size,
                md5: file.md5.clone(),
                created_at: now_ms(),
            };
            firmware::add(db, &firmware, &name, Some(path))?
        }
    };
    firmware::get(db, id)?.ok_or_else(|| super::no_firmware(id))
}

/// One such order stands for a product: an earlier run's for another version ends.
fn stand(db: &rusqlite::Connection, stored: &Stored) -> Outcome<()> {
    let firmware_id = stored.firmware.id;
    let mut stands = false;
    for (upgrade_id, other) in upgrades::on_report(db, &stored.firmware.product_id)? {
        if other == firmware_id {
            stands = true;
        } else {
            upgrades::cancel(db, upgrade_id, now_ms())?;
        }
    }
    if !stands {
        let order = NewUpgrade { firmware_id, scope: Scope::All, from_versions: &[], again: true };
        upgrades::add(db, &order, now_ms())?;
    }
    Ok(())
}
