//! How an order gets out that does not reach its devices all at once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an order gets out to its devices. What is left out: one stage, at once, as fast as can be, whatever fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollOutPlan {
    /// How many of each hundred devices are in the stages so far: rising percentages, the last one 100. Which devices these
    /// are is drawn for each order.
    #[serde(default = "one_stage")]
    #[schema(min_items = 1, max_items = 20)]
    pub stages: Vec<u8>,
    /// The next stage begins when somebody says so (`POST /api/upgrades/{id}/next`), and not by itself.
    #[serde(default)]
    pub by_hand: bool,
    /// A stage has ended when this percentage of the devices of all stages so far are done or have failed; then the next one
    /// begins.
    #[serde(default = "most")]
    #[schema(minimum = 1, maximum = 100)]
    pub advance_at: u8,
    /// The order stops by itself where this percentage of the devices that are done or have failed have failed: of 10 at
    /// least, or of however many there are where the stage has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub stop_at_failures: Option<u8>,
    /// The first stage begins at this time, not earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// In any minute, so many devices are told at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100_000)]
    pub per_minute: Option<u32>,
}

fn one_stage() -> Vec<u8> {
    vec![100]
}

fn most() -> u8 {
    90
}

impl Default for RollOutPlan {
    fn default() -> Self {
        RollOutPlan {
            stages: one_stage(),
            by_hand: false,
            advance_at: most(),
            stop_at_failures: None,
            not_before: None,
            per_minute: None,
        }
    }
}

/// A plan, and how far it has been carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollOut {
    pub plan: RollOutPlan,
    /// The stage that has begun last, from 1; 0 before the first.
    pub stage: u32,
    pub stage_at: Option<u64>,
    /// Nobody is told until somebody resumes it; what runs goes on.
    pub stopped: Option<Stopped>,
}

/// Why an order has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stopped {
    pub at: u64,
    /// Devices that had failed by then, and how many had failed or were done; without those from before it was resumed.
    pub failed: u64,
    pub ended: u64,
}
