//! What is asked of a store for orders that do not reach their devices all at once.

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::roll_outs::{
    add, begin, close, retire, rolling, set_turns, some_roll_out, stop, tally, HELD, ROLL_OUT, ROLL_OUT_COLUMNS,
};
use super::upgrades::{known, release, take};
use super::values::{json, params};
use super::Records;
use hub_core::model::{Job, RollOut, RollOutPlan, Upgrade};
use hub_core::ota::roll_out::{is_due, is_last, Step, Turns};
use hub_core::ports::roll_outs::{Going, RollOuts, Rolled};
use hub_core::ports::store::{Outcome, Touched, Waiting};
use hub_core::problems;

impl<E: Engine> RollOuts for Records<E> {
    fn roll_on(&self, now: u64) -> Outcome<Rolled> {
        let active = "r.active = 1 ORDER BY r.upgrade_id";
        let look = || self.engine.read(|db| rolling(db, active, params![]));
        let mut rolled = Rolled::default();
        let mut orders = look()?;
        let due: Vec<i64> =
            orders.iter().filter(|order| order.step(now) != Step::Stay).map(|order| order.upgrade_id).collect();
        // Only what is to change is written: other hubs ask for everything again where something was.
        for id in due {
            let stepped = self.engine.write(Writer::Hub, |db| {
                let condition = format!("r.upgrade_id = ?1 AND r.active = 1 {}", db.dialect().not_taken);
                let Some(order) = rolling(db, &condition, params![id])?.pop() else {
                    return Ok(Step::Stay);
                };
                let step = order.step(now);
                match step {
                    Step::Stay => {}
                    Step::Begin => begin(db, id, now)?,
                    Step::Stop => stop(db, &order, None, now)?,
                    Step::Close | Step::Open => close(db, id, step == Step::Close)?,
                    Step::Over => retire(db, id)?,
                }
                Ok(step)
            })?;
            if stepped == Step::Stop {
                rolled.stopped.push(id);
            }
            rolled.touched.upgrades.insert(id);
        }
        if !rolled.touched.upgrades.is_empty() {
            orders = look()?;
        }
        rolled.going = orders
            .iter()
            .filter(|order| is_due(&order.roll_out, 0, now))
            .map(|order| Going {
                upgrade_id: order.upgrade_id,
                turns: order.turns(now).map_or(u64::MAX, |turns| turns.count()),
            })
            .filter(|going| going.turns > 0)
            .collect();
        Ok(rolled)
    }

    fn held(&self, upgrade_id: i64, after: (u64, i64), limit: u64) -> Outcome<Vec<Waiting>> {
        // Stage by stage: in each, one range of the index.
        let sql = format!(
            "SELECT j.stage, j.id, j.client_id FROM jobs j WHERE j.upgrade_id = ?1 AND {HELD} AND j.stage = ?2
             AND j.id > ?3 ORDER BY j.id LIMIT ?4"
        );
        self.engine.read(|db| {
            let sql_begun = "SELECT r.stage FROM roll_outs r WHERE r.upgrade_id = ?1 AND r.active = 1";
            let begun: u64 = db.one(sql_begun, params![upgrade_id], |row| row.take(0))?.unwrap_or_default();
            let mut found: Vec<Waiting> = Vec::new();
            for stage in after.0..begun {
                let id = if stage == after.0 { after.1 } else { 0 };
                let rest = limit.saturating_sub(found.len() as u64);
                found.extend(db.all(&sql, params![upgrade_id, stage, id, rest], |row| {
                    Ok(Waiting { at: (row.take(0)?, row.take(1)?), client_id: row.take(2)? })
                })?);
            }
            Ok(found)
        })
    }

    fn let_go(&self, upgrade_id: i64, jobs: &[i64], now: u64) -> Outcome<Vec<Job>> {
        self.engine.write(Writer::Hub, |db| {
            let not_taken = db.dialect().not_taken;
            let sql = format!(
                "SELECT {ROLL_OUT}, r.next_turn FROM roll_outs r WHERE r.upgrade_id = ?1 AND r.active = 1 {not_taken}"
            );
            let found =
                db.one(&sql, params![upgrade_id], |row| Ok((some_roll_out(row, 0)?, row.take(ROLL_OUT_COLUMNS)?)))?;
            let Some((roll_out, next)) = found.filter(|(roll_out, _)| is_due(roll_out, 0, now)) else {
                return Ok(Vec::new());
            };
            let turns = roll_out.plan.per_minute.map(|per_minute| Turns::at(per_minute, next, now));
            let limit = turns.map_or(u64::MAX, |turns| turns.count());
            let sql = format!(
                "SELECT j.id FROM jobs j WHERE j.id IN {} AND {HELD} AND j.upgrade_id = ?2 AND j.stage < ?3
                 ORDER BY j.id LIMIT ?4 {not_taken}",
                db.dialect().numbers
            );
            let taken: Vec<i64> =
                db.all(&sql, params![&json(jobs), upgrade_id, roll_out.stage, limit], |row| row.take(0))?;
            if let Some(turns) = turns.filter(|_| !taken.is_empty()) {
                set_turns(db, upgrade_id, turns.taken(taken.len() as u64))?;
            }
            release(db, &taken)?;
            take(db, &taken, now)
        })
    }

    fn next_stage(&self, id: i64, now: u64) -> Outcome<(Upgrade, Touched)> {
        self.change_roll_out(id, |db, roll_out| {
            if roll_out.stopped.is_some() {
                return Err(problems::upgrade_stopped(id).into());
            }
            if is_last(roll_out) {
                return Err(problems::no_next_stage(id).into());
            }
            begin(db, id, now)
        })
    }

    fn stop_upgrade(&self, id: i64, by: &str, now: u64) -> Outcome<(Upgrade, Touched)> {
        self.change_order(id, |db, upgrade| {
            if upgrade.roll_out.as_ref().is_some_and(|roll_out| roll_out.stopped.is_some()) {
                return Err(problems::upgrade_stopped(id).into());
            }
            if !upgrade.scope.stands() && upgrade.counts.waiting + upgrade.counts.running == 0 {
                return Err(problems::upgrade_over(id).into());
            }
            if upgrade.roll_out.is_none() {
                // Its one stage began as it was ordered.
                add(db, id, &RollOutPlan::default())?;
                begin(db, id, upgrade.created_at)?;
            }
            let order = rolling(db, "r.upgrade_id = ?1", params![id])?.pop();
            order.map_or(Ok(()), |order| stop(db, &order, Some(by), now))
        })
    }

    fn resume_upgrade(&self, id: i64) -> Outcome<(Upgrade, Touched)> {
        self.change_roll_out(id, |db, roll_out| {
            if roll_out.stopped.is_none() {
                return Err(problems::upgrade_not_stopped(id).into());
            }
            let sql = "UPDATE roll_outs SET stopped_at = NULL, stopped_by = NULL, active = 1 WHERE upgrade_id = ?1";
            db.execute(sql, params![id])?;
            // Whoever stops it has said nothing of failures.
            if roll_out.stopped.as_ref().is_some_and(|stopped| stopped.by.is_none()) {
                let tally = tally(db, id, roll_out.stage)?;
                let sql = "UPDATE roll_outs SET forgiven_failed = ?2, forgiven_ended = ?3 WHERE upgrade_id = ?1";
                db.execute(sql, params![id, tally.failed, tally.ended])?;
            }
            Ok(())
        })
    }
}

impl<E: Engine> Records<E> {
    /// Changes an order with a plan that nobody has cancelled.
    fn change_roll_out(
        &self,
        id: i64,
        change: impl Fn(&dyn Session, &RollOut) -> Work<()>,
    ) -> Outcome<(Upgrade, Touched)> {
        self.change_order(id, |db, upgrade| {
            let roll_out = upgrade.roll_out.as_ref().ok_or_else(|| problems::no_roll_out(id))?;
            change(db, roll_out)
        })
    }

    /// Changes an order that nobody has cancelled.
    fn change_order(
        &self,
        id: i64,
        change: impl Fn(&dyn Session, &Upgrade) -> Work<()>,
    ) -> Outcome<(Upgrade, Touched)> {
        self.engine.write(Writer::People, |db| {
            let upgrade = known(db, id)?;
            if upgrade.cancelled_at.is_some() {
                return Err(problems::upgrade_cancelled(id).into());
            }
            change(db, &upgrade)?;
            let mut touched = Touched::default();
            touched.upgrades.insert(id);
            Ok((known(db, id)?, touched))
        })
    }
}
