//! Tags: words that people put on devices, so that these can be found and ordered for together.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{paged, DeviceFilter};

/// A tag of a product's devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tag {
    pub tag: String,
    /// How many of the product's devices have it.
    pub devices: u64,
}

/// Tags of a product's devices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TagList {
    /// In order.
    pub tags: Vec<Tag>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A version, and how many devices of a product run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningVersion {
    pub version: String,
    pub devices: u64,
}

/// The versions that devices of a product run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunningVersionList {
    /// In order.
    pub versions: Vec<RunningVersion>,
    /// For `after` of the next page; not there on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

paged!(TagList: tags, RunningVersionList: versions);

/// The tags that a device has from now on: these and no others.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTags {
    /// Each has 1 to 32 letters or digits of any script, or `_-.:=`.
    #[schema(max_items = 16)]
    pub tags: Vec<String>,
}

/// A change of the tags of many devices: of those in `devices`, or else of all that the other fields find.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTags {
    /// Client ids.
    #[serde(default)]
    pub devices: Vec<String>,
    /// All devices of this product, as far as the next three agree.
    pub product: Option<String>,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those that run this version; an empty text: that have never reported one.
    pub version: Option<String>,
    /// Only those whose client id or device name begins so.
    #[serde(default)]
    pub search: String,
    /// They get these.
    #[serde(default)]
    pub add: Vec<String>,
    /// They lose these.
    #[serde(default)]
    pub remove: Vec<String>,
}

impl ChangeTags {
    /// What the devices must be like that are not named.
    pub fn filter(&self) -> DeviceFilter {
        DeviceFilter { product: self.product.clone(), tag: self.tag.clone(), version: self.version.clone() }
    }
}

/// What came of a change of tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TagsChanged {
    /// How many devices it was for, whether they had the tags already or not.
    pub devices: u64,
}
