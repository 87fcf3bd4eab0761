//! `hub shadow`.

use std::process::ExitCode;

use super::args::{self, ShadowAction};
use super::connection::{part, Connection};
use super::output;
use super::trouble::Trouble;
use hub_core::model::{Desire, Shadow};
use hub_core::shadow::Object;

/// Carries the command out.
pub fn run(args: &args::Shadow) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let path = |client_id: &str| format!("/api/devices/{}/shadow", part(client_id));
    let shadow: Shadow = match &args.action {
        ShadowAction::Show { client_id } => hub.get(&path(client_id))?,
        ShadowAction::Desire { client_id, fields, version } => {
            let desired: Object = serde_json::from_str(fields)
                .map_err(|error| Trouble::failed(format!("what is desired must be a JSON object: {error}")))?;
            hub.post(&path(client_id), &Desire { desired: Some(desired), version: *version })?
        }
        ShadowAction::Clear { client_id, version } => {
            hub.post(&path(client_id), &Desire { desired: None, version: *version })?
        }
    };
    if args.target.json {
        output::json(&shadow);
        return Ok(ExitCode::SUCCESS);
    }
    let changed = shadow.updated_at.map(|at| format!(", changed {}", output::time(at))).unwrap_or_default();
    output::line(&format!("{}: version {}{changed}", shadow.client_id, shadow.version));
    for (name, half) in [("reported", &shadow.reported), ("desired", &shadow.desired), ("delta", &shadow.delta)] {
        let text = serde_json::to_string(half).unwrap_or_default();
        output::line(&format!("{name:9} {text}"));
    }
    Ok(ExitCode::SUCCESS)
}
