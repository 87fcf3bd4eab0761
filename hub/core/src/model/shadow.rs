//! Shadows, as the API says them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shadow::{Document, Object};

/// The shadow of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shadow {
    pub client_id: String,
    /// 0 where nothing was ever said; one more with every change.
    pub version: u64,
    /// What the device said it is like.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub reported: Object,
    /// What it is to become.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub desired: Object,
    /// What is desired and not reported so.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub delta: Object,
    /// When it changed last.
    pub updated_at: Option<u64>,
}

impl Shadow {
    /// A document as people see it.
    pub fn of(client_id: &str, document: Document) -> Self {
        let delta = document.delta();
        let Document { reported, desired, version, updated_at } = document;
        let updated_at = Some(updated_at).filter(|at| *at > 0);
        Shadow { client_id: client_id.to_owned(), version, reported, desired, delta, updated_at }
    }
}

/// A change of what is desired of a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Desire {
    /// Put into what is desired; a null takes a field away. `null` in place of the object takes all of it away.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>, required)]
    pub desired: Option<Object>,
    /// Refuses where the shadow has another version.
    pub version: Option<u64>,
}

/// serde would take a missing field for a null, which takes everything away here.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Object>, D::Error> {
    Option::deserialize(deserializer)
}
