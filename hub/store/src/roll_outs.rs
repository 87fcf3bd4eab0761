//! Orders that do not reach their devices all at once.

use super::engine::Session;
use super::failed::Work;
use super::reach::OPEN;
use super::values::{nonsense, params, Param, Row};
use hub_core::model::{Hours, RollOut, RollOutPlan, Scope, Stopped, TimeOfDay};
use hub_core::ota::roll_out::{at_hours, is_due, step, Step, Tally, Turns};

/// The condition of held jobs. A device that had been told when its order stopped is told again.
pub const HELD: &str = "j.state IN ('waiting', 'sent') AND j.held = 1";

/// Columns of [`roll_out_row`].
pub const ROLL_OUT: &str = "r.plan, r.stage, r.stage_at, r.stopped_at, r.stopped_failed, r.stopped_ended, r.stopped_by,
    r.hours_from, r.hours_to";

/// How many these are.
pub const ROLL_OUT_COLUMNS: usize = 9;

/// What is kept of an order's plan, from this column on; `None` where it has none.
pub fn roll_out_row(row: &mut Row, at: usize) -> Work<Option<RollOut>> {
    let Some(mut plan) = plan(row, at)? else {
        return Ok(None);
    };
    plan.hours = hours(row, at + 7)?;
    let stopped_at: Option<u64> = row.take(at + 3)?;
    let (failed, ended, by) = (row.take(at + 4)?, row.take(at + 5)?, row.take(at + 6)?);
    Ok(Some(RollOut {
        plan,
        stage: row.take(at + 1)?,
        stage_at: row.take(at + 2)?,
        stopped: stopped_at.map(|at| Stopped { at, by, failed, ended }),
    }))
}

/// The hours in two columns.
fn hours(row: &mut Row, at: usize) -> Work<Option<Hours>> {
    let (from, to): (Option<u16>, Option<u16>) = (row.take(at)?, row.take(at + 1)?);
    let time = |minute: u16| TimeOfDay::of_minute(minute).ok_or_else(|| nonsense(&format!("minute {minute} of a day")));
    from.zip(to).map(|(from, to)| Ok(Hours { from: time(from)?, to: time(to)? })).transpose()
}

/// The plan in this column, without its hours.
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
    let hours = plan.hours.map(|hours| (hours.from.minute(), hours.to.minute())).unzip();
    let plan = serde_json::to_string(&RollOutPlan { hours: None, ..plan.clone() });
    let plan = plan.map_err(|error| nonsense(&error.to_string()))?;
    let sql = "INSERT INTO roll_outs (upgrade_id, plan, stage, stopped_failed, stopped_ended, forgiven_failed,
                   forgiven_ended, next_turn, active, hours_from, hours_to)
               VALUES (?1, ?2, 0, 0, 0, 0, 0, 0, 1, ?3, ?4) ON CONFLICT (upgrade_id) DO NOTHING";
    db.execute(sql, params![upgrade_id, &plan, hours.0, hours.1])?;
    Ok(())
}

/// An order as the rules look at it.
pub struct Rolling {
    pub upgrade_id: i64,
    pub stands: bool,
    pub roll_out: RollOut,
    pub tally: Tally,
    pub next_turn: u64,
    pub closed: bool,
}

impl Rolling {
    pub fn step(&self, now: u64) -> Step {
        let at_hours = at_hours(&self.roll_out, self.closed, now);
        at_hours.unwrap_or_else(|| step(&self.roll_out, &self.tally, self.stands, now))
    }

    pub fn turns(&self, now: u64) -> Option<Turns> {
        self.roll_out.plan.per_minute.map(|per_minute| Turns::at(per_minute, self.next_turn, now))
    }
}

/// The orders of this condition on `roll_outs r`.
pub fn rolling(db: &dyn Session, condition: &str, params: &[Param<'_>]) -> Work<Vec<Rolling>> {
    let sql = format!(
        "SELECT {ROLL_OUT}, r.upgrade_id, r.next_turn, r.closed, r.forgiven_failed, r.forgiven_ended FROM roll_outs r
         WHERE {condition}"
    );
    let found = db.all(&sql, params, |row| {
        let at = ROLL_OUT_COLUMNS;
        let forgiven = (row.take::<u64>(at + 3)?, row.take::<u64>(at + 4)?);
        Ok((some_roll_out(row, 0)?, row.take::<i64>(at)?, row.take(at + 1)?, row.take(at + 2)?, forgiven))
    })?;
    let rolling = found.into_iter().map(|(roll_out, upgrade_id, next_turn, closed, forgiven)| {
        let sql = "SELECT u.scope FROM upgrades u WHERE u.id = ?1";
        let scope: Option<Scope> = db.one(sql, params![upgrade_id], |row| row.take(0))?;
        let mut tally = tally(db, upgrade_id, roll_out.stage)?;
        tally.failed = tally.failed.saturating_sub(forgiven.0);
        tally.ended = tally.ended.saturating_sub(forgiven.1);
        Ok(Rolling { upgrade_id, stands: scope.is_some_and(Scope::stands), roll_out, tally, next_turn, closed })
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

/// Stops an order, of itself or `by` somebody.
pub fn stop(db: &dyn Session, order: &Rolling, by: Option<&str>, now: u64) -> Work<()> {
    let sql =
        "UPDATE roll_outs SET stopped_at = ?2, stopped_failed = ?3, stopped_ended = ?4, stopped_by = ?5, active = 0
               WHERE upgrade_id = ?1";
    db.execute(sql, params![order.upgrade_id, now, order.tally.failed, order.tally.ended, by])?;
    hold(db, order.upgrade_id)
}

/// Holds those of an order's jobs whose devices have said nothing.
fn hold(db: &dyn Session, upgrade_id: i64) -> Work<()> {
    let sql = "UPDATE jobs SET held = 1 WHERE upgrade_id = ?1 AND state IN ('waiting', 'sent') AND held = 0";
    db.execute(sql, params![upgrade_id])?;
    Ok(())
}

/// An order's hours are over, or have begun.
pub fn close(db: &dyn Session, upgrade_id: i64, closed: bool) -> Work<()> {
    db.execute("UPDATE roll_outs SET closed = ?2 WHERE upgrade_id = ?1", params![upgrade_id, closed])?;
    if closed {
        hold(db, upgrade_id)?;
    }
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
        let at = ROLL_OUT_COLUMNS;
        Ok((some_roll_out(row, 0)?, row.take::<i64>(at)?, row.take::<u32>(at + 1)?, row.take::<Option<u64>>(at + 2)?))
    })?;
    let Some((roll_out, upgrade_id, stage, cancelled_at)) = found else {
        return Ok(Turn::Now);
    };
    if !is_due(&roll_out, stage, now) {
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
