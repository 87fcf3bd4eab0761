//! `hub devices`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::args::{self, DeviceOutput, DevicesAction, DevicesFound};
use super::connection::{part, Connection};
use super::device_info::DeviceInfo;
use super::display::state_name;
use super::output;
use super::trouble::Trouble;
use hub_core::model::{AddDevice, ChangeTags, Device, DeviceList, NewDevice, Proof, Tag, TagList, TagsChanged};

/// Carries the command out.
pub fn run(args: &args::Devices) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    match &args.action {
        None => list(&hub, &DevicesFound::default(), None, json)?,
        Some(DevicesAction::List { found, seen }) => list(&hub, found, *seen, json)?,
        Some(DevicesAction::Tag { client_id, add, remove, found }) => {
            let DevicesFound { product, tag, version, search } = found;
            let what = ChangeTags {
                devices: client_id.clone(),
                product: product.clone(),
                tag: tag.clone(),
                version: version.clone(),
                search: search.clone(),
                add: add.clone(),
                remove: remove.clone(),
            };
            let changed: TagsChanged = hub.post("/api/tags", &what)?;
            match json {
                true => output::json(&changed),
                false => output::line(&format!("tagged devices: {}", changed.devices)),
            }
        }
        Some(DevicesAction::Tags { product }) => {
            let list: TagList = hub.whole(&format!("/api/products/{}/tags", part(product)))?;
            match json {
                true => output::json(&list),
                false => {
                    let row = |Tag { tag, devices }| [tag, devices.to_string()];
                    let rows: Vec<_> = list.tags.into_iter().map(row).collect();
                    output::table(["TAG", "DEVICES"], &rows, "no device of this product has a tag");
                }
            }
        }
        Some(DevicesAction::Add { product, name, proof, secret_file, output }) => {
            let proof = match proof {
                args::Proof::Secret => Proof::Secret,
                args::Proof::Certificate => Proof::Certificate,
            };
            let secret = secret_file.as_deref().map(read_secret).transpose()?;
            let what = AddDevice { product_id: product.clone(), device_name: name.clone(), proof, secret };
            show(output, json, "added", || hub.post("/api/devices", &what))?;
        }
        Some(DevicesAction::Renew { client_id, output }) => {
            let path = format!("/api/devices/{}/renew", part(client_id));
            show(output, json, "renewed", || hub.post(&path, &()))?;
        }
        Some(DevicesAction::Remove { client_id }) => {
            hub.delete(&format!("/api/devices/{}", part(client_id)))?;
            match json {
                true => output::json(&serde_json::json!({ "client_id": client_id })),
                false => output::line(&format!("removed {client_id}")),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(hub: &Connection, found: &DevicesFound, seen: Option<u32>, json: bool) -> Result<(), Trouble> {
    let mut path = format!("/api/devices?search={}", part(&found.search));
    for (name, value) in [("product", &found.product), ("tag", &found.tag), ("version", &found.version)] {
        path.extend(value.iter().map(|value| format!("&{name}={}", part(value))));
    }
    path.extend(seen.map(|minutes| format!("&seen={minutes}")));
    let list: DeviceList = hub.whole(&path)?;
    if json {
        output::json(&list);
        return Ok(());
    }
    let rows: Vec<_> = list.devices.into_iter().map(row).collect();
    output::table(
        ["DEVICE", "PROOF", "ONLINE", "SEEN", "VERSION", "LAST REPORT", "UPGRADE", "TAGS"],
        &rows,
        "no devices",
    );
    Ok(())
}

fn row(device: Device) -> [String; 8] {
    let proof = match device.proof {
        Proof::Secret => "secret",
        Proof::Certificate => "certificate",
    };
    let online = match device.online {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    let upgrade = device.job.map(|job| format!("{}: {}", job.version, state_name(job.state)));
    [
        device.client_id,
        proof.to_owned(),
        online.to_owned(),
        device.seen_at.map_or_else(|| "-".to_owned(), output::time),
        output::or_dash(device.version.as_deref()),
        device.reported_at.map_or_else(|| "-".to_owned(), output::time),
        output::or_dash(upgrade.as_deref()),
        device.tags.join(" "),
    ]
}

/// A secret on the command line would be in the list of processes.
pub fn read_secret(path: &Path) -> Result<String, Trouble> {
    let text = fs::read_to_string(path);
    text.map(|text| text.trim().to_owned())
        .map_err(|error| Trouble::failed(format!("--secret-file {}: {error}", path.display())))
}

/// Shows what a device proves itself with, or writes it to files. `ask` is called once there is a place for it.
fn show(
    output: &DeviceOutput,
    json: bool,
    what: &str,
    ask: impl FnOnce() -> Result<NewDevice, Trouble>,
) -> Result<(), Trouble> {
    let file = output.device_info.as_deref().map(DeviceInfo::prepare).transpose()?;
    let new = ask()?;
    let client_id = &new.device.client_id;
    if let Some(file) = file {
        let files = file.write(&new)?;
        match json {
            true => output::json(&new.device),
            false => output::line(&format!("{what} {client_id}; see {}", files.join(", "))),
        }
        return Ok(());
    }
    if json {
        output::json(&new);
        return Ok(());
    }
    output::line(&format!("{what} {client_id}; what follows is not shown again"));
    if let Some(secret) = &new.secret {
        output::line(&format!("secret: {secret}"));
    }
    if let Some(certificate) = &new.certificate {
        output::line(certificate.certificate.trim_end());
        output::line(certificate.private_key.trim_end());
    }
    Ok(())
}
