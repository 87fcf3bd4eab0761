//! `hub log`.

use std::process::ExitCode;

use super::args;
use crate::client::connection::{part, Connection};
use crate::client::output;
use crate::client::trouble::Trouble;
use hub_core::messaging::model::{DeviceLog, LogLevel, SetLogLevel};

/// Carries the command out.
pub fn run(args: &args::Log) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    let path = format!("/api/devices/{}/log", part(&args.client_id));
    if let Some(level) = args.level {
        let told: LogLevel = hub.post(&format!("{path}-level"), &SetLogLevel { level })?;
        match (json, told.sent) {
            (true, _) => output::json(&told),
            (false, true) => output::line(&format!("{} is told to upload level {level}", args.client_id)),
            (false, false) => output::line(&format!("{} is told to upload level {level} when it asks", args.client_id)),
        }
    } else if args.clear {
        hub.delete(&path)?;
        match json {
            true => output::json(&serde_json::json!({ "client_id": args.client_id })),
            false => output::line(&format!("removed the log of {}", args.client_id)),
        }
    } else {
        let log: DeviceLog = hub.get(&format!("{path}?limit={}", args.lines))?;
        match json {
            true => output::json(&log),
            false if log.lines.is_empty() => output::line(&format!("no lines (level {})", log.level)),
            false => log.lines.iter().for_each(|line| output::line(&line.text)),
        }
    }
    Ok(ExitCode::SUCCESS)
}
