//! Commands on their way to somebody else's broker, which has not said yet that it has them.
//!
//! Their jobs go on waiting, and are this hub's as long as it lives and says so. What a hub that was killed had in its
//! memory another one hands out again as soon as the dead one's time is over.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ports::store::Due;

/// How long a job must have waited before the sweep takes it: longer than its own hub needs.
pub const SWEEP_AFTER_MS: u64 = 1000;
/// On somebody else's broker, a device that says nothing is told again after so long, and so often in all.
const REPEAT_AFTER_MS: u64 = 60_000;
const REPEATS: u32 = 3;
/// A job that was taken is its hub's for so long. What its device has said meanwhile may wait for a hub that is slow, or dead.
const TAKEN_MS: u64 = 10_000;
/// A hub says after so long that it still is.
const KEEP_AFTER_MS: u64 = 2000;
/// And no more after so long: its connection to the broker may be gone, and another hub's not.
const KEEP_MS: u64 = REPEAT_AFTER_MS;
/// With so many on their way, no more are handed out.
const MOST: usize = 5000;

/// The commands, by their jobs.
#[derive(Default)]
pub struct HandedOut(Mutex<BTreeMap<i64, Times>>);

/// When a command was handed out, and its job kept last.
struct Times {
    begin: u64,
    kept: u64,
}

impl HandedOut {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<i64, Times>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are as many as may be.
    pub fn is_full(&self) -> bool {
        self.jobs().len() >= MOST
    }

    /// Whether the command of a job is on its way.
    pub fn has(&self, job: i64) -> bool {
        self.jobs().contains_key(&job)
    }

    /// The command of a job is on its way.
    pub fn add(&self, job: i64, now: u64) {
        self.jobs().insert(job, Times { begin: now, kept: now });
    }

    /// It is there, or does not go.
    pub fn remove(&self, job: i64) {
        self.jobs().remove(&job);
    }

    /// The jobs that must be kept now.
    pub fn to_keep(&self, now: u64) -> Vec<i64> {
        let mut jobs = self.jobs();
        let due = jobs.iter_mut().filter(|(_, times)| {
            now.saturating_sub(times.kept) >= KEEP_AFTER_MS && now.saturating_sub(times.begin) < KEEP_MS
        });
        due.map(|(job, times)| {
            times.kept = now;
            *job
        })
        .collect()
    }
}

/// What may be claimed at this time. Where nothing `may_repeat`, what somebody may have been told already is not.
pub fn due(now: u64, may_repeat: bool) -> Due {
    let before = |time: u64| if may_repeat { now.saturating_sub(time) } else { 0 };
    Due {
        waiting: now.saturating_sub(SWEEP_AFTER_MS),
        taken: before(TAKEN_MS),
        told: before(REPEAT_AFTER_MS),
        tries: REPEATS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_kept_while_its_command_is_on_its_way_but_not_for_ever() {
        let handed_out = HandedOut::default();
        handed_out.add(1, 1000);
        handed_out.add(2, 1500);
        assert_eq!(handed_out.to_keep(1000 + KEEP_AFTER_MS), [1]);
        assert_eq!(handed_out.to_keep(1500 + KEEP_AFTER_MS), [2]);
        assert_eq!(handed_out.to_keep(1500 + 2 * KEEP_AFTER_MS), [1, 2]);
        handed_out.remove(1);
        assert_eq!((handed_out.has(1), handed_out.has(2)), (false, true));
        assert_eq!(handed_out.to_keep(1500 + KEEP_MS), [0; 0]);
        // The others find it in time, whenever its hub looked last.
        assert!(due(1000 + KEEP_AFTER_MS + SWEEP_AFTER_MS, true).taken < 1000);
        let now = 2 * REPEAT_AFTER_MS;
        assert_eq!((due(now, true).told, due(now, false).told, due(now, false).taken), (REPEAT_AFTER_MS, 0, 0));
    }
}
