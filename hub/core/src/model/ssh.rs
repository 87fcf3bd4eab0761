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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SshTunnel {
    pub client_id: String,
    /// Where it begins on the hub's machine: 127.0.0.1.
    pub host: String,
    pub port: u16,
}
