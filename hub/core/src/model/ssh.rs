//! SSH tunnels to devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tunnel to a device's SSH server that is to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSsh {
    /// The port of this machine's 127.0.0.1 that leads there; 0, or none: any free one.
    #[serde(default)]
    pub port: u16,
}

/// A tunnel that is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshTunnel {
    pub client_id: String,
    /// Where it begins on the hub's machine: 127.0.0.1.
    pub host: String,
    pub port: u16,
}

/// How far a device's tunnel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SshState {
    /// Nobody wants one.
    None,
    /// The device was asked, and has not come yet.
    Asked,
    /// It is up.
    Up,
}

/// How a device's tunnel is. Of several hubs each knows its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshStatus {
    pub state: SshState,
    /// Where it begins, once it is up.
    pub tunnel: Option<SshTunnel>,
}
