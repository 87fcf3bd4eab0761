//! `hub config`.

use std::process::ExitCode;

use serde_json::json;

use super::args::{self, ConfigAction, Message};
use super::payload;
use crate::client::connection::{part, Connection};
use crate::client::output;
use crate::client::trouble::Trouble;
use hub_core::messaging::model::{
    ConfigDevice, PublishConfig, PushedConfig, RemoteConfig, RemoteConfigDevices, RemoteConfigList, SwitchConfig,
};

/// Carries the command out.
pub fn run(args: &args::Config) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    let path = |product: &str| format!("/api/configs/{}", part(product));
    match &args.action {
        None | Some(ConfigAction::List) => {
            let list: RemoteConfigList = hub.get("/api/configs")?;
            match json {
                true => output::json(&list),
                false if list.configs.is_empty() => output::line("no configurations"),
                false => list.configs.iter().for_each(|config| output::line(&describe(config))),
            }
        }
        Some(ConfigAction::Show { product }) => {
            let found: RemoteConfigDevices = hub.whole(&path(product))?;
            match json {
                true => output::json(&found),
                false => show(&found),
            }
        }
        Some(ConfigAction::Set { product, message, quiet }) => {
            let what = PublishConfig { payload: text(message)?, quiet: *quiet };
            sent(json, &hub.post(&path(product), &what)?);
        }
        Some(ConfigAction::Push { product }) => sent(json, &hub.post(&format!("{}/push", path(product)), &json!({}))?),
        Some(ConfigAction::On { product }) => switch(&hub, json, &path(product), true)?,
        Some(ConfigAction::Off { product }) => switch(&hub, json, &path(product), false)?,
        Some(ConfigAction::Remove { product }) => {
            hub.delete(&path(product))?;
            match json {
                true => output::json(&json!({ "product_id": product })),
                false => output::line(&format!("removed the configuration of product {product}")),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text(message: &Message) -> Result<String, Trouble> {
    payload(message)?.text.ok_or_else(|| Trouble::failed("a configuration is JSON, and this is no text in UTF-8"))
}

fn switch(hub: &Connection, json: bool, path: &str, enabled: bool) -> Result<(), Trouble> {
    let config: RemoteConfig = hub.post(&format!("{path}/switch"), &SwitchConfig { enabled })?;
    match json {
        true => output::json(&config),
        false => output::line(&describe(&config)),
    }
    Ok(())
}

fn sent(json: bool, pushed: &PushedConfig) {
    match json {
        true => output::json(pushed),
        false => output::line(&format!(
            "{}; sent to {} of {} devices",
            describe(&pushed.config),
            pushed.sent,
            pushed.devices
        )),
    }
}

fn describe(config: &RemoteConfig) -> String {
    let size = config.payload.as_ref().map_or_else(|| "none".to_owned(), |text| format!("{} bytes", text.len()));
    let off = if config.enabled { "" } else { ", switched off" };
    format!("product {}: configuration {}, {size}{off}", config.product_id, config.version)
}

fn show(found: &RemoteConfigDevices) {
    output::line(&describe(&found.config));
    if let Some(payload) = &found.config.payload {
        output::line(payload);
    }
    let row = |device: &ConfigDevice| {
        let what = match device.version {
            Some(version) => version.to_string(),
            None => format!("none ({})", device.result),
        };
        let how = if device.pushed { "told" } else { "asked" };
        [device.client_id.clone(), what, how.to_owned(), output::time(device.at)]
    };
    let rows: Vec<_> = found.devices.iter().map(row).collect();
    output::table(["DEVICE", "CONFIGURATION", "HOW", "WHEN"], &rows, "no device has asked or was told");
}
