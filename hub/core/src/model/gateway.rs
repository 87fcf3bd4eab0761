//! Gateways, as the API says them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Paged;

/// A device that others are bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gateway {
    pub client_id: String,
    /// `null` where another broker keeps the connections.
    pub online: Option<bool>,
    /// In order of client id.
    pub devices: Vec<SubDevice>,
}

/// A device behind a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubDevice {
    pub client_id: String,
    pub product_id: String,
    pub device_name: String,
    /// The gateway has said so, or it has a connection of its own; `null` where another broker keeps the connections.
    pub online: Option<bool>,
}

/// Every device that others are bound to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewayList {
    /// In order of client id. The devices of one may go on on the next page.
    pub gateways: Vec<Gateway>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Paged for GatewayList {
    fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    fn join(&mut self, following: Self) {
        let mut rest = following.gateways.into_iter().peekable();
        if let Some(last) = self.gateways.last_mut() {
            while let Some(more) = rest.next_if(|gateway| gateway.client_id == last.client_id) {
                last.devices.extend(more.devices);
            }
        }
        self.gateways.extend(rest);
        self.next = following.next;
    }
}

/// Devices behind a gateway.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubDeviceList {
    /// In order of client id.
    pub devices: Vec<SubDevice>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A device to be bound, without its signature.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BindDevice {
    pub client_id: String,
}

/// A gateway is to look for devices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchDevices {
    /// False: it is to stop.
    pub on: bool,
}
