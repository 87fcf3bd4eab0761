//! `hub gateways`.

use std::process::ExitCode;

use super::args::{self, GatewaysAction};
use super::connection::{part, Connection};
use super::output;
use super::trouble::Trouble;
use hub_core::model::{BindDevice, Gateway, GatewayList, SearchDevices};

/// Carries the command out.
pub fn run(args: &args::Gateways) -> Result<ExitCode, Trouble> {
    let hub = Connection::open(&args.target)?;
    let json = args.target.json;
    let path = |gateway: &str| format!("/api/gateways/{}", part(gateway));
    match &args.action {
        None | Some(GatewaysAction::List) => list(&hub, json)?,
        Some(GatewaysAction::Bind { gateway, device }) => {
            let what = BindDevice { client_id: device.clone() };
            let bound: Gateway = hub.post(&format!("{}/devices", path(gateway)), &what)?;
            match json {
                true => output::json(&bound),
                false => output::line(&format!("bound {device} to {gateway}")),
            }
        }
        Some(GatewaysAction::Unbind { gateway, device: Some(device), .. }) => {
            hub.delete(&format!("{}/devices/{}", path(gateway), part(device)))?;
            told(json, gateway, &format!("unbound {device} from {gateway}"));
        }
        Some(GatewaysAction::Unbind { gateway, device: None, .. }) => {
            hub.delete(&format!("{}/devices", path(gateway)))?;
            told(json, gateway, &format!("unbound every device from {gateway}"));
        }
        Some(GatewaysAction::Search { gateway, stop }) => {
            hub.order(&format!("{}/search", path(gateway)), &SearchDevices { on: !stop })?;
            let what = if *stop { "stops its search" } else { "looks for devices" };
            told(json, gateway, &format!("{gateway} {what}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(json: bool, gateway: &str, text: &str) {
    match json {
        true => output::json(&serde_json::json!({ "client_id": gateway })),
        false => output::line(text),
    }
}

fn list(hub: &Connection, json: bool) -> Result<(), Trouble> {
    let list: GatewayList = hub.whole("/api/gateways")?;
    if json {
        output::json(&list);
        return Ok(());
    }
    let online = |there: Option<bool>| match there {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    let mut rows = Vec::new();
    for gateway in &list.gateways {
        for device in &gateway.devices {
            let there = [online(gateway.online), online(device.online)].map(str::to_owned);
            let [gateway_there, device_there] = there;
            rows.push([gateway.client_id.clone(), gateway_there, device.client_id.clone(), device_there]);
        }
    }
    output::table(["GATEWAY", "ONLINE", "DEVICE", "ONLINE"], &rows, "no device is bound to a gateway");
    Ok(())
}
