//! `hub resources`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::args::{self, ResourcesAction};
use super::connection::{part, Connection};
use super::output;
use super::trouble::Trouble;
use super::upload::Source;
use hub_core::model::{Resource, ResourceList};

/// Carries the command out.
pub fn run(args: &args::Resources) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    match &args.action {
        ResourcesAction::List { client_id } => list(&hub, json, client_id)?,
        ResourcesAction::Send { client_id, file, name } => {
            let sent = send(&hub, client_id, file, name.as_deref())?;
            match json {
                true => output::json(&sent),
                false => output::line(&format!("resource {}: {} of {} bytes", sent.id, sent.name, sent.size)),
            }
        }
        ResourcesAction::Save { id, file } => {
            let bytes = hub.download(&format!("/api/resources/{id}"))?;
            fs::write(file, &bytes).map_err(|error| Trouble::failed(format!("{}: {error}", file.display())))?;
            match json {
                true => output::json(&serde_json::json!({ "id": id, "bytes": bytes.len() })),
                false => output::line(&format!("saved {} bytes", bytes.len())),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn send(hub: &Connection, client_id: &str, file: &Path, name: Option<&str>) -> Result<Resource, Trouble> {
    let of_file = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut source = Source::open(file)?;
    let path = format!("/api/devices/{}/resources?name={}", part(client_id), part(name.unwrap_or(&of_file)));
    let size = source.size;
    hub.upload(&path, &mut source, size)
}

fn list(hub: &Connection, json: bool, client_id: &str) -> Result<(), Trouble> {
    let list: ResourceList = hub.get(&format!("/api/devices/{}/resources", part(client_id)))?;
    if json {
        output::json(&list);
        return Ok(());
    }
    let rows: Vec<_> = list
        .resources
        .into_iter()
        .map(|resource| {
            let number = |number: Option<i64>| output::or_dash(number.map(|number| number.to_string()).as_deref());
            [
                resource.id.to_string(),
                resource.direction.word().to_owned(),
                resource.name,
                resource.size.to_string(),
                resource.md5,
                resource.state,
                number(resource.percent.map(i64::from)),
                number(resource.result_code),
            ]
        })
        .collect();
    let head = ["ID", "DIRECTION", "NAME", "BYTES", "MD5", "STATE", "PERCENT", "RESULT"];
    output::table(head, &rows, "no resources");
    Ok(())
}
