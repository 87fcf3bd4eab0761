//! What a store says of jobs beside the jobs themselves: which have changed, and which wait.

use std::collections::BTreeSet;

use crate::model::Job;

/// What a transaction has changed, by id: what watchers are told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Client ids.
    pub devices: BTreeSet<String>,
    /// Jobs of orders.
    pub jobs: BTreeSet<i64>,
    /// Orders.
    pub upgrades: BTreeSet<i64>,
    /// Client ids of gateways.
    pub gateways: BTreeSet<String>,
    /// Client ids of shadows.
    pub shadows: BTreeSet<String>,
    /// More than is worth telling of one by one.
    pub many: bool,
}

/// Jobs of one transaction that watchers are told of one by one.
pub const TOLD_ONE_BY_ONE: usize = 1000;

impl Touched {
    /// A job has changed, and so its order's counts.
    pub fn job(&mut self, job: &Job) {
        self.jobs.insert(job.id);
        self.upgrades.insert(job.upgrade_id);
    }

    /// These jobs of an order have changed, or more than these.
    pub fn jobs(&mut self, jobs: &[(i64, i64)]) {
        self.many |= jobs.len() > TOLD_ONE_BY_ONE;
        for &(id, upgrade_id) in jobs {
            self.jobs.insert(id);
            self.upgrades.insert(upgrade_id);
        }
    }

    /// Whether watchers had better ask for everything again.
    pub fn is_much(&self) -> bool {
        self.many || self.jobs.len() > TOLD_ONE_BY_ONE
    }
}

/// A job that waits, as far as it must be known to find out whether its device is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Since when, and the job's id: where the next page goes on.
    pub at: (u64, i64),
    /// Whose it is.
    pub client_id: String,
}
