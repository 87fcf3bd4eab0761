//! Gateways, as the API says them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// In order of client id.
    pub gateways: Vec<Gateway>,
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
