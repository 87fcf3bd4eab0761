//! `hub firmware`.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use hub_core::error::Fatal;
use serde::Serialize;

use super::args::{self, FirmwareAction};
use super::connection::{part, Connection};
use super::output;
use super::signing;
use super::trouble::Trouble;
use super::upload::Source;
use hub_core::model::{Firmware, FirmwareList};

/// Carries the command out.
pub fn run(args: &args::Firmware) -> Result<ExitCode, Trouble> {
    let json = args.target.json;
    let connect = || Connection::open(&args.target);
    match &args.action {
        Some(FirmwareAction::Keygen(args)) => told(json, signing::keygen(args))?,
        Some(FirmwareAction::Sign(args)) => told(json, signing::sign(args))?,
        Some(FirmwareAction::Verify(args)) => {
            let (signed, wrong) = signing::verify(args).map_err(failed)?;
            signed.map_or(Ok(()), |signed| told(json, Ok(signed)))?;
            wrong.map_or(Ok(()), |wrong| Err(Trouble::Refused(format!("{}: {wrong}", args.file.display()))))?;
        }
        None | Some(FirmwareAction::List) => list(&connect()?, json)?,
        Some(FirmwareAction::Add { file, product, version, name }) => {
            add(&connect()?, json, file, product, version, name)?;
        }
        Some(FirmwareAction::Remove { firmware }) => {
            let hub = connect()?;
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

/// What was made, as JSON or in words.
fn told(json: bool, made: Result<impl Serialize + Display, Fatal>) -> Result<(), Trouble> {
    let made = made.map_err(failed)?;
    match json {
        true => output::json(&made),
        false => output::line(&made.to_string()),
    }
    Ok(())
}

fn failed(fatal: Fatal) -> Trouble {
    Trouble::failed(fatal.to_string())
}

fn list(hub: &Connection, json: bool) -> Result<(), Trouble> {
    let list: FirmwareList = hub.whole("/api/firmware")?;
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
                output::or_dash(firmware.signature.as_ref().map(|signature| signature.key_id.as_str())),
                added,
                output::or_dash(Some(&firmware.name)),
            ]
        })
        .collect();
    output::table(["ID", "PRODUCT", "VERSION", "BYTES", "MD5", "SIGNED BY", "ADDED", "NAME"], &rows, "no firmware");
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
    if let Ok(id) = text.parse::<i64>() {
        return hub.get(&format!("/api/firmware/{id}"));
    }
    // A product id and a version may both hold colons.
    for (product, version) in text.match_indices(':').filter_map(|(at, _)| text.get(..at).zip(text.get(at + 1..))) {
        let query = format!("/api/firmware?product={}&version={}", part(product), part(version));
        let found: FirmwareList = hub.get(&query)?;
        if let Some(firmware) = found.firmware.into_iter().next() {
            return Ok(firmware);
        }
    }
    let hint = if text.contains(':') { "" } else { ", give its id or PRODUCT:VERSION" };
    Err(Trouble::Refused(format!("there is no firmware {text:?}{hint}; hub firmware list shows what there is")))
}

/// A firmware in a line.
pub fn describe(firmware: &Firmware) -> String {
    let Firmware { id, product_id, version, size, md5, signature, .. } = firmware;
    let signed = signature.as_ref().map(|signature| format!(", signed by {}", signature.key_id)).unwrap_or_default();
    format!("firmware {id}: {product_id} {version}, {size} bytes, MD5 {md5}{signed}")
}
