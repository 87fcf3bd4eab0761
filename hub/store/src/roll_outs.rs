//! Orders that do not reach their devices all at once.

use super::engine::Session;
use super::failed::Work;
use super::reach::OPEN;
use super::values::{nonsense, params, Param, Row};
use hub_core::model::{RollOut, RollOutPlan, Scope, Stopped};
use hub_core::ota::roll_out::{is_due, step, Step, Tally, Turns};

/// The condition of held jobs. A device that had been told when its order stopped is told again.
pub const HELD: &str = "j.state IN ('waiting', 'sent') AND j.held = 1";

/// Columns of [`roll_out_row`].
pub const ROLL_OUT: &str = "r.plan, r.stage, r.stage_at, r.stopped_at, r.stopped_failed, r.stopped_ended";

/// What is kept of an order's plan, from this column on; `None` where it has none.
pub fn roll_out_row(row: &mut Row, at: usize) -> Work<Option<RollOut>> {
    let Some(plan) = plan(row, at)? else {
        return Ok(None);
    };
    let stopped_at: Option<u64> = row.take(at + 3)?;
    let (failed, ended) = (row.take(at + 4)?, row.take(at + 5)?);
    Ok(Some(RollOut {
        plan,
        stage: row.take(at + 1)?,
        stage_at: row.take(at + 2)?,
        stopped: stopped_at.map(|at| Stopped { at, failed, ended }),
    }))
}

/// The plan in this column.
pub fn plan(row: &mut Row, at: usize) -> Work<Option<RollOutPlan>> {
    let plan: Option<String> = row.take(at)?;
    plan.map(|plan| serde_json::from_str(&plan).map_err(|error| nonsense(&error.to_string()))).transpose()
}

/// The same of an order that has a plan.
pub fn some_roll_out(row: &mut Row, at: usize) -> Work<RollOut> {
    roll_out_row(row, at)?.ok_or_else(|| nonsense("an order without a plan"))
}

/// Keeps the plan of an order that was just added.
pub fn add(db: &dyn Session, upgrade_id: i64, plan: &RollOutPlan) -> Work<()> {
    let plan = serde_json::to_string(plan).map_err(|error| nonsense(&error.to_string()))?;
    let sql = "INSERT INTO roll_outs (upgrade_id, plan, stage, stopped_failed, stopped_ended, forgiven_failed,
                   forgiven_ended, next_turn, active)
               VALUES (?1, ?2, 0, 0, 0, 0, 0, 0, 1)";
    db.execute(sql, params![upgrade_id, &plan])?;
    Ok(())
}

/// An order as the rules look at it.
pub struct Rolling {
    pub upgrade_id: i64,
    pub stands: bool,
    pub roll_out: RollOut,
    pub tally: Tally,
    pub next_turn: u64,
}

impl Rolling {
    pub fn step(&self, now: u64) -> Step {
        step(&self.roll_out, &self.tally, self.stands, now)
    }

    pub fn turns(&self, now: u64) -> Option<Turns> {
        self.roll_out.plan.per_minute.map(|per_minute| Turns::at(per_minute, self.next_turn, now))
    }
}

/// The orders of this condition on `roll_outs r`.
pub fn rolling(db: &dyn Session, condition: &str, params: &[Param<'_>]) -> Work<Vec<Rolling>> {
    let sql = format!(
        "SELECT {ROLL_OUT}, r.upgrade_id, r.next_turn, r.forgiven_failed, r.forgiven_ended FROM roll_outs r
         WHERE {condition}"
    );
    let found = db.all(&sql, params, |row| {
        Ok((some_roll_out(row, 0)?, row.take::<i64>(6)?, row.take(7)?, row.take::<u64>(8)?, row.take::<u64>(9)?))
    })?;
    let rolling = found.into_iter().map(|(roll_out, upgrade_id, next_turn, forgiven_failed, forgiven_ended)| {
        let sql = "SELECT u.scope FROM upgrades u WHERE u.id = ?1";
        let scope: Option<Scope> = db.one(sql, params![upgrade_id], |row| row.take(0))?;
        let mut tally = tally(db, upgrade_id, roll_out.stage)?;
        tally.failed = tally.failed.saturating_sub(forgiven_failed);
        tally.ended = tally.ended.saturating_sub(forgiven_ended);
        Ok(Rolling { upgrade_id, stands: scope.is_some_and(Scope::stands), roll_out, tally, next_turn })
    });
    rolling.collect()
}

/// How far an order is whose first stages have begun, so many.
pub fn tally(db: &dyn Session, upgrade_id: i64, begun: u32) -> Work<Tally> {
    // Each is looked up by itself: all in one would be counted by reading the whole table.
    let count = |condition: &str| -> Work<(u64, u64)> {
        let sql = format!(
            "SELECT count(*), count(CASE WHEN j.stage < CAST(?2 AS BIGINT) THEN 1 END) FROM jobs j
             WHERE j.upgrade_id = ?1 AND j.{condition}"
        );
        let counts = db.one(&sql, params![upgrade_id, begun], |row| Ok((row.take(0)?, row.take(1)?)))?;
        Ok(counts.unwrap_or_default())
    };
    let (done, begun_done) = count("state = 'done'")?;
    let (failed, begun_failed) = count("state = 'failed'")?;
    let (open, begun_open) = count(OPEN)?;
    let begun_ended = begun_done + begun_failed;
    Ok(Tally { begun: begun_open + begun_ended, begun_ended, open, ended: done + failed, failed })
}

/// Begins an order's next stage.
pub fn begin(db: &dyn Session, upgrade_id: i64, now: u64) -> Work<()> {
    let sql = "UPDATE roll_outs SET stage = stage + 1, stage_at = ?2 WHERE upgrade_id = ?1";
    db.execute(sql, params![upgrade_id, now])?;
    Ok(())
}

/// Stops an order: those of its jobs whose devices have said nothing are held.
pub fn stop(db: &dyn Session, order: &Rolling, now: u64) -> Work<()> {
    let sql = "UPDATE roll_outs SET stopped_at = ?2, stopped_failed = ?3, stopped_ended = ?4, active = 0
               WHERE upgrade_id = ?1";
    db.execute(sql, params![order.upgrade_id, now, order.tally.failed, order.tally.ended])?;
    let sql = "UPDATE jobs SET held = 1 WHERE upgrade_id = ?1 AND state IN ('waiting', 'sent') AND held = 0";
    db.execute(sql, params![order.upgrade_id])?;
    Ok(())
}

/// The sweep need not look at an order any more.
pub fn retire(db: &dyn Session, upgrade_id: i64) -> Work<()> {
    db.execute("UPDATE roll_outs SET active = 0 WHERE upgrade_id = ?1 AND active = 1", params![upgrade_id])?;
    Ok(())
}

/// Whether a device may be told of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Now,
    Later,
    /// Its order stopped, and was cancelled.
    Never,
}

/// Whether a device that reports may be told of its job; takes a turn for it.
pub fn turn(db: &dyn Session, job: i64, now: u64) -> Work<Turn> {
    let sql = format!(
        "SELECT {ROLL_OUT}, r.upgrade_id, j.stage, u.cancelled_at FROM jobs j
         JOIN roll_outs r ON r.upgrade_id = j.upgrade_id JOIN upgrades u ON u.id = j.upgrade_id WHERE j.id = ?1"
    );
    let found = db.one(&sql, params![job], |row| {
        Ok((some_roll_out(row, 0)?, row.take::<i64>(6)?, row.take::<u32>(7)?, row.take::<Option<u64>>(8)?))
    })?;
    let Some((roll_out, upgrade_id, stage, cancelled_at)) = found else {
        return Ok(Turn::Now);
    };
    if !is_due(&roll_out, stage) {
        return Ok(if cancelled_at.is_some() { Turn::Never } else { Turn::Later });
    }
    let Some(per_minute) = roll_out.plan.per_minute else {
        return Ok(Turn::Now);
    };
    // Where another hub has it at hand, the sweep sees to the device a moment later.
    let sql = format!("SELECT r.next_turn FROM roll_outs r WHERE r.upgrade_id = ?1 {}", db.dialect().not_taken);
    let next = db.one(&sql, params![upgrade_id], |row| row.take(0))?;
    let turns = next.map(|next| Turns::at(per_minute, next, now)).filter(|turns| turns.count() > 0);
    let Some(turns) = turns else {
        return Ok(Turn::Later);
    };
    set_turns(db, upgrade_id, turns.taken(1))?;
    Ok(Turn::Now)
}

pub fn set_turns(db: &dyn Session, upgrade_id: i64, next: u64) -> Work<()> {
    db.execute("UPDATE roll_outs SET next_turn = ?2 WHERE upgrade_id = ?1", params![upgrade_id, next])?;
    Ok(())
}
