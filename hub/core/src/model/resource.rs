//! Resources, as the API says them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which way a resource goes, from the device's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the cloud to the device.
    #[default]
    Download,
    /// From the device to the cloud.
    Upload,
}

impl Direction {
    /// As messages and the store call it.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Download => "download",
            Direction::Upload => "upload",
        }
    }
}

/// A file that goes to a device or comes from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    pub id: i64,
    pub client_id: String,
    pub direction: Direction,
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// 32 hex digits.
    pub md5: String,
    /// `waiting`, or what the device reported last: `downloading`, `uploading`, `done` or `fail`.
    pub state: String,
    /// What the device reported last.
    pub percent: Option<u8>,
    /// What the device reported at the end.
    pub result_code: Option<i64>,
    pub result_msg: Option<String>,
    /// Whether the hub has the file.
    pub stored: bool,
    /// UTC in milliseconds.
    pub created_at: u64,
    /// UTC in milliseconds.
    pub changed_at: u64,
}

/// The resources of a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResourceList {
    /// Newest first.
    pub resources: Vec<Resource>,
}

/// A file for a device. The body is the file as it is.
#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SendResource {
    /// What the device hears it is called: 1 to 64 characters.
    pub name: String,
}
