//! What the hub needs of a store for orders that do not reach their devices all at once. Their jobs are held until they are let
//! go: whoever tells a device has it from the database that it may.

use super::jobs::{Touched, Waiting};
use crate::model::{Job, Problem, Upgrade};

type Outcome<T> = Result<T, Problem>;

/// An order that may tell devices now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Going {
    /// The order's id.
    pub upgrade_id: i64,
    /// How many it may tell now at most.
    pub turns: u64,
}

/// What orders came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rolled {
    /// Those that have stopped just now.
    pub stopped: Vec<i64>,
    /// Those that may tell devices now.
    pub going: Vec<Going>,
    /// What has changed.
    pub touched: Touched,
}

/// The orders with a plan. Each method is one whole transaction.
pub trait RollOuts {
    /// Begins the stages that are to begin, stops the orders that are to stop, and looks at their hours: each by one hub.
    fn roll_on(&self, now: u64) -> Outcome<Rolled>;

    /// So many held jobs of an order's stages that have begun, after this place, in order.
    fn held(&self, upgrade_id: i64, after: (u64, i64), limit: u64) -> Outcome<Vec<Waiting>>;

    /// Takes as many of these jobs as the order may tell now; they are held no more. What another hub has taken, or has just at
    /// hand, has another time.
    fn let_go(&self, upgrade_id: i64, jobs: &[i64], now: u64) -> Outcome<Vec<Job>>;

    /// Begins an order's next stage.
    fn next_stage(&self, id: i64, now: u64) -> Outcome<(Upgrade, Touched)>;

    /// Stops an order until somebody resumes it: `by` says who did that. One without a plan gets one that tells all at once.
    fn stop_upgrade(&self, id: i64, by: &str, now: u64) -> Outcome<(Upgrade, Touched)>;

    /// Lets an order that has stopped go on. Where it had stopped by itself, the failures so far do not count any more.
    fn resume_upgrade(&self, id: i64) -> Outcome<(Upgrade, Touched)>;
}
