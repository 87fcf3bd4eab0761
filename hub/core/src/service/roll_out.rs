//! Orders that do not reach their devices all at once, as time goes on.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::{CLAIM, SWEEP};
use crate::hub::Hub;
use crate::metrics::Count;
use crate::model::Problem;
use crate::ports::roll_outs::Going;

impl Hub {
    /// Begins the stages that are due, stops orders that fail, and tells the devices whose turn it is.
    pub(super) fn roll_on(&self, now: u64) -> Result<(), Problem> {
        let rolled = self.store.roll_on(now)?;
        for id in &rolled.stopped {
            if let Some(stopped) = self.store.upgrade(*id)?.roll_out.and_then(|roll_out| roll_out.stopped) {
                let (failed, ended) = (stopped.failed, stopped.ended);
                self.warn(&format!("upgrade {id} has stopped: it has failed on {failed} of {ended} devices"));
            }
        }
        self.notify(&rolled.touched);
        if self.downlink.is_shared() {
            return rolled.going.iter().try_for_each(|going| self.tell_any(going, now));
        }
        let mut places = self.rolled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = BTreeMap::new();
        for going in &rolled.going {
            let place = places.get(&going.upgrade_id).copied().unwrap_or_default();
            next.insert(going.upgrade_id, self.tell_those_here(going, place, now)?);
        }
        *places = next;
        Ok(())
    }

    /// Every hub could tell an order's devices; one of them takes each.
    fn tell_any(&self, going: &Going, now: u64) -> Result<(), Problem> {
        let mut turns = going.turns;
        while turns > 0 && !self.handed_out.is_full() {
            let held = self.store.held(going.upgrade_id, (0, 0), turns.min(CLAIM))?;
            let ids: Vec<i64> = held.iter().map(|job| job.at.1).collect();
            let told = self.let_go(going.upgrade_id, &ids, now)?;
            self.events.add(Count::Claims, told);
            if told == 0 {
                break;
            }
            turns = turns.saturating_sub(told);
        }
        Ok(())
    }

    /// Looks at some of an order's held jobs after this place for devices that are here, and returns where to go on next time.
    fn tell_those_here(&self, going: &Going, place: (u64, i64), now: u64) -> Result<(u64, i64), Problem> {
        let held = self.store.held(going.upgrade_id, place, SWEEP)?;
        let here = held.iter().filter(|job| self.is_online(&job.client_id) != Some(false));
        let turns = usize::try_from(going.turns).unwrap_or(usize::MAX);
        let ids: Vec<i64> = here.take(turns).map(|job| job.at.1).collect();
        self.let_go(going.upgrade_id, &ids, now)?;
        let all = (held.len() as u64) < SWEEP;
        Ok(held.last().filter(|_| !all).map(|last| last.at).unwrap_or_default())
    }

    /// Tells the devices of as many of these jobs as may be told now, and returns how many these are.
    fn let_go(&self, upgrade_id: i64, jobs: &[i64], now: u64) -> Result<u64, Problem> {
        if jobs.is_empty() {
            return Ok(0);
        }
        let mut jobs = self.store.let_go(upgrade_id, jobs, now)?;
        let count = jobs.len() as u64;
        // What waits for the broker still need not go out twice.
        jobs.retain(|job| !self.handed_out.has(job.id));
        self.send_commands(&jobs)?;
        self.notify_of_jobs(&jobs);
        Ok(count)
    }
}
