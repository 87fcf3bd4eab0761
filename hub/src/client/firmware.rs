//! `hub firmware`.

use std::path::Path;
use std::process::ExitCode;

use super::args::{self, FirmwareAction};
use super::connection::{part, Connection};
use super::output;
use super::trouble::Trouble;
use super::upload::Source;
use hub_core::model::{Firmware, FirmwareList};

/// Carries the command out.
pub fn run(args: &args::Firmware) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    match &args.action {
        None | Some(FirmwareAction::List) => list(&hub, json)?,
        Some(FirmwareAction::Add { file, product, version, name }) => add(&hub, json, file, product, version, name)?,
        Some(FirmwareAction::Remove { firmware }) => {
            let firmware = find(&hub, firmware)?;
            hub.delete(&format!("/api/firmware/{}", firmware.id))?;
            match json {
                true => output::json(&firmware),
                false => output::line(&format!("removed {}", describe(&firmware))),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(hub: &Connection, json: bool) -> Result<(), Trouble> {
    let list: FirmwareList = hub.get("/api/firmware")?;
    if json {
        output::json(&list);
        return Ok(());
    }
    let rows: Vec<_> = list
        .firmware
        .into_iter()
        .map(|firmware| {
            let (id, size) = (firmware.id.to_string(), firmware.size.to_string());
            let added = output::time(firmware.created_at);
            [
                id,
                firmware.product_id,
                firmware.version,
                size,
                firmware.md5,
                added,
                output::or_dash(Some(&firmware.name)),
            ]
        })
        .collect();
    output::table(["ID", "PRODUCT", "VERSION", "BYTES", "MD5", "ADDED", "NAME"], &rows, "no firmware");
    Ok(())
}

fn add(hub: &Connection, json: bool, file: &Path, product: &str, version: &str, name: &str) -> Result<(), Trouble> {
    let mut source = Source::open(file)?;
    let query = format!(
        "/api/firmware?product_id={}&version={}&name={}&md5={}",
        part(product),
        part(version),
        part(name),
        source.md5
    );
    let size = source.size;
    let firmware: Firmware = hub.upload(&query, &mut source, size)?;
    match json {
        true => output::json(&firmware),
        false => output::line(&format!("added {}", describe(&firmware))),
    }
    Ok(())
}

/// The firmware that a person means: its id, or product and version.
pub fn find(hub: &Connection, text: &str) -> Result<Firmware, Trouble> {
    let list: FirmwareList = hub.get("/api/firmware")?;
    // A product id and a version may both hold colons.
    let meant = |firmware: &Firmware| {
        text.parse() == Ok(firmware.id) || text == format!("{}:{}", firmware.product_id, firmware.version)
    };
    list.firmware.into_iter().find(meant).ok_or_else(|| {
        let hint =
            if text.contains(':') || text.parse::<i64>().is_ok() { "" } else { ", give its id or PRODUCT:VERSION" };
        Trouble::Refused(format!("there is no firmware {text:?}{hint}; hub firmware list shows what there is"))
    })
}

/// A firmware in a line.
pub fn describe(firmware: &Firmware) -> String {
    let Firmware { id, product_id, version, size, md5, .. } = firmware;
    format!("firmware {id}: {product_id} {version}, {size} bytes, MD5 {md5}")
}
