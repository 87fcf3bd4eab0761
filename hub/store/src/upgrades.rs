//! Orders, and the jobs they are made of: one for each device. Of a device's jobs only the latest can be unfinished.

use super::engine::Session;
use super::failed::Work;
use super::firmware::{firmware_row, FIRMWARE};
use super::reach::{begins, begins_with, end_of, Reached, OPEN};
use super::roll_outs::{plan, retire, roll_out_row, ROLL_OUT, ROLL_OUT_COLUMNS};
use super::values::{json, nonsense, params, Param, Row};
use hub_core::model::{Counts, Job, Page, RollOutPlan, Scope, State, Upgrade, UpgradeFilter};
use hub_core::ota::rules::Standing;
use hub_core::ports::store::{Due, Touched, Waiting, TOLD_ONE_BY_ONE};
use hub_core::problems;

/// Columns and tables of [`job_row`].
pub(super) const JOB: &str = "j.id, j.upgrade_id, j.client_id, j.from_version, f.version, j.state, j.percent,
    j.result_code, j.result_msg, j.created_at, j.updated_at,
    CASE WHEN j.state IN ('waiting', 'sent') THEN j.held ELSE 0 END
    FROM jobs j JOIN upgrades u ON u.id = j.upgrade_id JOIN firmware f ON f.id = u.firmware_id";

pub(super) fn job_row(row: &mut Row) -> Work<Job> {
    Ok(Job {
        id: row.take(0)?,
        upgrade_id: row.take(1)?,
        client_id: row.take(2)?,
        from_version: row.take(3)?,
        version: row.take(4)?,
        state: row.take(5)?,
        percent: row.take(6)?,
        result_code: row.take(7)?,
        result_msg: row.take(8)?,
        created_at: row.take(9)?,
        updated_at: row.take(10)?,
        held: row.take(11)?,
    })
}

fn jobs(db: &dyn Session, rest: &str, params: &[Param<'_>]) -> Work<Vec<Job>> {
    db.all(&format!("SELECT {JOB} {rest}"), params, job_row)
}

/// The jobs with these ids, by id.
pub fn jobs_of(db: &dyn Session, ids: &[i64]) -> Work<Vec<Job>> {
    jobs(db, &format!("WHERE j.id IN {} ORDER BY j.id", db.dialect().numbers), params![&json(ids)])
}

/// A device's latest job.
pub fn latest_job(db: &dyn Session, client_id: &str) -> Work<Option<Job>> {
    let sql = format!("SELECT {JOB} WHERE j.client_id = ?1 ORDER BY j.id DESC LIMIT 1");
    db.one(&sql, params![client_id], job_row)
}

/// The jobs a device had, newest first.
pub fn device_jobs(db: &dyn Session, client_id: &str, page: &Page) -> Work<Vec<Job>> {
    let begins = begins_with("f.version", 3);
    let rest = format!("WHERE j.client_id = ?1 AND j.id < ?2 AND {begins} ORDER BY j.id DESC LIMIT ?4");
    let before = page.after_id()?.unwrap_or(i64::MAX);
    jobs(db, &rest, params![client_id, before, &page.search, page.limit])
}

/// Jobs of an order that are in one of these states, by client id; no states: in any.
pub fn upgrade_jobs(db: &dyn Session, upgrade: &Upgrade, states: &[State], page: &Page) -> Work<Vec<Job>> {
    let after = match page.after_id()? {
        Some(id) => match jobs_of(db, &[id])?.pop() {
            Some(job) => (job.client_id, job.id),
            None => return Ok(Vec::new()),
        },
        None => (String::new(), 0),
    };
    let rest = "WHERE j.upgrade_id = ?1 AND j.client_id >= ?2 AND (j.client_id > ?2 OR j.id > ?3)
                AND j.client_id < ?4";
    let states = if states.is_empty() { vec![None] } else { states.iter().copied().map(Some).collect() };
    let mut found = Vec::new();
    for begin in &begins(&upgrade.firmware.product_id, &page.search) {
        let end = end_of(begin);
        // Every job has an id above 0.
        let (from, id) = if *begin > after.0 { (begin, 0) } else { (&after.0, after.1) };
        // Each state's are in order of client id in the index.
        for state in &states {
            let mut params = params![upgrade.id, from, id, &end, page.limit].to_vec();
            params.extend(state.map(Param::from));
            let state = if state.is_some() { "AND j.state = ?6" } else { "" };
            found.extend(jobs(db, &format!("{rest} {state} ORDER BY j.client_id, j.id LIMIT ?5"), &params)?);
        }
    }
    found.sort_by(|one, other| (&one.client_id, one.id).cmp(&(&other.client_id, other.id)));
    found.dedup_by_key(|job| job.id);
    found.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// So many jobs that wait since `before` or longer, after this one, the longest first.
pub fn waiting(db: &dyn Session, before: u64, after: (u64, i64), limit: u64) -> Work<Vec<Waiting>> {
    let sql = format!(
        "SELECT j.updated_at, j.id, j.client_id FROM jobs j WHERE {WAITING} AND j.updated_at <= ?1 AND j.updated_at >= ?2
         AND (j.updated_at > ?2 OR j.id > ?3) ORDER BY j.updated_at, j.id LIMIT ?4"
    );
    db.all(&sql, params![before, after.0, after.1, limit], |row| {
        Ok(Waiting { at: (row.take(0)?, row.take(1)?), client_id: row.take(2)? })
    })
}

/// The second half is the condition of an index, which not every engine concludes from the first. With an order by id alone
/// SQLite would read the whole table.
const WAITING: &str = "j.state = 'waiting' AND j.state IN ('waiting', 'sent') AND j.held = 0";
const SENT: &str = "j.state = 'sent' AND j.state IN ('waiting', 'sent') AND j.held = 0";

/// Takes so many jobs that wait, and so many that were told.
pub fn claim(db: &dyn Session, due: &Due, now: u64, limit: u64) -> Work<Vec<Job>> {
    let ids = |condition: &str, params: &[Param<'_>]| {
        let not_taken = db.dialect().not_taken;
        let sql = format!("SELECT j.id FROM jobs j WHERE {condition} ORDER BY j.updated_at, j.id LIMIT ?1 {not_taken}");
        db.all(&sql, params, |row| row.take::<i64>(0))
    };
    // Those that a hub has taken have another time than that of their order.
    let waiting = format!("{WAITING} AND j.updated_at <= ?2 AND (j.updated_at <= j.created_at OR j.updated_at <= ?3)");
    let mut taken = ids(&waiting, params![limit, due.waiting, due.taken])?;
    let told = format!("{SENT} AND j.updated_at <= ?2 AND j.tries < ?3");
    taken.extend(ids(&told, params![limit, due.told, due.tries])?);
    take(db, &taken, now)
}

/// Takes so many jobs of an order that was just added.
pub fn claim_first(db: &dyn Session, upgrade_id: i64, limit: u64, now: u64) -> Work<Vec<Job>> {
    let not_taken = db.dialect().not_taken;
    // As for `claim`.
    let sql = format!(
        "SELECT j.id FROM jobs j WHERE j.upgrade_id = ?1 AND j.state = 'waiting' AND j.held = 0
         AND j.updated_at <= j.created_at ORDER BY j.client_id LIMIT ?2 {not_taken}"
    );
    let taken = db.all(&sql, params![upgrade_id, limit], |row| row.take(0))?;
    take(db, &taken, now)
}

/// Takes these jobs.
pub fn take(db: &dyn Session, ids: &[i64], now: u64) -> Work<Vec<Job>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    mark(db, ids, "('waiting', 'sent')", now)?;
    jobs_of(db, ids)
}

/// Keeps jobs that were taken, and that wait still, from other hubs for another while.
pub fn keep(db: &dyn Session, ids: &[i64], now: u64) -> Work<()> {
    mark(db, ids, "('waiting')", now)
}

/// Gives jobs in these states the time of one that is taken now.
fn mark(db: &dyn Session, ids: &[i64], states: &str, now: u64) -> Work<()> {
    let sql = format!(
        "UPDATE jobs SET updated_at = CASE WHEN created_at < ?2 THEN ?2 ELSE created_at + 1 END
         WHERE id IN {} AND state IN {states}",
        db.dialect().numbers
    );
    db.execute(&sql, params![&json(ids), now])?;
    Ok(())
}

/// Adds a job that waits and returns its id; one of a stage is held. The device's unfinished one, if there is one, is called off
/// and returned.
pub fn add_job(
    db: &dyn Session,
    upgrade_id: i64,
    client_id: &str,
    from_version: Option<&str>,
    stage: Option<u32>,
    now: u64,
) -> Work<(i64, Option<Job>)> {
    let former = cancel_device(db, client_id, now)?;
    let sql =
        "INSERT INTO jobs (upgrade_id, client_id, from_version, state, tries, created_at, updated_at, stage, held)
               VALUES (?1, ?2, ?3, 'waiting', 0, ?4, ?4, ?5, ?6) RETURNING id";
    let (held, stage) = (stage.is_some(), stage.unwrap_or_default());
    let id = db.insert(sql, params![upgrade_id, client_id, from_version, now, stage, held])?;
    Ok((id, former))
}

/// Adds a job that waits for each device that is reached, and returns how many these are. Their unfinished ones are called
/// off; `touched` hears of all that. With a plan the jobs are held, and which are in which stage is drawn.
pub fn add_jobs(
    db: &dyn Session,
    upgrade_id: i64,
    reached: &Reached<'_>,
    plan: Option<&RollOutPlan>,
    now: u64,
    touched: &mut Touched,
) -> Work<u64> {
    let Reached { condition, params } = reached;
    let (first, second) = (params.len() + 1, params.len() + 2);
    let open = format!("{OPEN} AND client_id IN (SELECT d.client_id FROM devices d WHERE {condition})");
    touched.jobs(&changing(db, &open, params)?);
    let sql = format!("UPDATE jobs SET state = 'cancelled', updated_at = ?{first} WHERE {open}");
    db.execute(&sql, &and(params, params![now]))?;
    let added = |jobs: &str| {
        format!(
            "INSERT INTO jobs (upgrade_id, created_at, updated_at, state, tries, client_id, from_version, stage, held)
             SELECT CAST(?{first} AS BIGINT), CAST(?{second} AS BIGINT), CAST(?{second} AS BIGINT), 'waiting', 0, {jobs}"
        )
    };
    let added = match plan {
        None => {
            let sql =
                added(&format!("d.client_id, d.version, 0, 0 FROM devices d WHERE {condition} ORDER BY d.client_id"));
            db.execute(&sql, &and(params, params![upgrade_id, now]))?
        }
        Some(plan) => {
            // A stage has at least the percentage that it was to have, so the first one has somebody.
            let stages: String = (plan.stages.iter().enumerate())
                .map(|(stage, percent)| format!(" WHEN drawn.lot * 100 < {percent} * drawn.devices THEN {stage}"))
                .collect();
            let sql = added(&format!(
                "drawn.client_id, drawn.version, CASE{stages} END, 1
                 FROM (SELECT d.client_id, d.version, row_number() OVER (ORDER BY random()) - 1 AS lot,
                           count(*) OVER () AS devices
                       FROM devices d WHERE {condition}) AS drawn
                 ORDER BY drawn.client_id"
            ));
            db.execute(&sql, &and(params, params![upgrade_id, now]))?
        }
    };
    touched.jobs(&changing(db, "upgrade_id = ?1", params![upgrade_id])?);
    Ok(added)
}

/// How many unfinished jobs these devices have.
pub fn count_open(db: &dyn Session, reached: &Reached<'_>) -> Work<u64> {
    let sql = format!(
        "SELECT count(*) FROM jobs WHERE {OPEN} AND client_id IN (SELECT d.client_id FROM devices d WHERE {})",
        reached.condition
    );
    Ok(db.one(&sql, &reached.params, |row| row.take(0))?.unwrap_or_default())
}

/// Id and order of the jobs of a condition, and of one more than watchers are told of at most.
fn changing(db: &dyn Session, condition: &str, params: &[Param<'_>]) -> Work<Vec<(i64, i64)>> {
    let sql = format!("SELECT id, upgrade_id FROM jobs WHERE {condition} LIMIT ?{}", params.len() + 1);
    let limit = TOLD_ONE_BY_ONE as u64 + 1;
    db.all(&sql, &and(params, params![limit]), |row| Ok((row.take(0)?, row.take(1)?)))
}

fn and<'a>(params: &[Param<'a>], more: &[Param<'a>]) -> Vec<Param<'a>> {
    [params, more].concat()
}

/// The devices of these jobs may be told of them.
pub fn release(db: &dyn Session, ids: &[i64]) -> Work<()> {
    let sql = format!("UPDATE jobs SET held = 0 WHERE id IN {}", db.dialect().numbers);
    db.execute(&sql, params![&json(ids)])?;
    Ok(())
}

/// Saves where a job stands.
pub fn save_job(db: &dyn Session, job: &Job) -> Work<()> {
    let sql = "UPDATE jobs SET state = ?2, percent = ?3, result_code = ?4, result_msg = ?5, updated_at = ?6,
               held = ?7 WHERE id = ?1";
    let Job { id, state, percent, result_code, updated_at, held, .. } = *job;
    db.execute(sql, params![id, state, percent, result_code, job.result_msg.as_deref(), updated_at, held])?;
    Ok(())
}

/// The commands have gone out. A device may have reported, or a job been called off, meanwhile: that counts more.
pub fn set_sent(db: &dyn Session, ids: &[i64], now: u64) -> Work<()> {
    let sql = format!(
        "UPDATE jobs SET state = 'sent', tries = tries + 1, updated_at = ?2
         WHERE id IN {} AND state IN ('waiting', 'sent')",
        db.dialect().numbers
    );
    db.execute(&sql, params![&json(ids), now])?;
    Ok(())
}

/// Calls a device's unfinished job off and returns it as it was.
pub fn cancel_device(db: &dyn Session, client_id: &str, now: u64) -> Work<Option<Job>> {
    let open = latest_job(db, client_id)?.filter(|job| job.state.is_open());
    if let Some(job) = &open {
        db.execute("UPDATE jobs SET state = 'cancelled', updated_at = ?2 WHERE id = ?1", params![job.id, now])?;
    }
    Ok(open)
}

/// Ends an order, and its jobs that have not begun.
pub fn cancel(db: &dyn Session, id: i64, now: u64, touched: &mut Touched) -> Work<()> {
    let sql = "UPDATE upgrades SET cancelled_at = ?2 WHERE id = ?1 AND cancelled_at IS NULL";
    db.execute(sql, params![id, now])?;
    retire(db, id)?;
    touched.upgrades.insert(id);
    let ended = "upgrade_id = ?1 AND state IN ('waiting', 'sent')";
    touched.jobs(&changing(db, ended, params![id])?);
    let sql = format!("UPDATE jobs SET state = 'cancelled', updated_at = ?2 WHERE {ended}");
    db.execute(&sql, params![id, now])?;
    Ok(())
}

/// An order to be added.
pub struct NewUpgrade<'a> {
    pub firmware_id: i64,
    pub scope: Scope,
    pub from_versions: &'a [String],
    pub tag: Option<&'a str>,
    pub again: bool,
}

/// Adds an order without jobs and returns its id.
pub fn add(db: &dyn Session, what: &NewUpgrade<'_>, now: u64) -> Work<i64> {
    let NewUpgrade { firmware_id, scope, from_versions, tag, again } = *what;
    let sql = "INSERT INTO upgrades (firmware_id, scope, from_versions, tag, again, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
    db.insert(sql, params![firmware_id, scope, &json(from_versions), tag, again, now])
}

fn upgrade_row(row: &mut Row) -> Work<Upgrade> {
    Ok(Upgrade {
        id: row.take(0)?,
        scope: row.take(1)?,
        from_versions: versions(row, 2)?,
        created_at: row.take(3)?,
        cancelled_at: row.take(4)?,
        counts: Counts {
            waiting: row.take(5)?,
            running: row.take(6)?,
            done: row.take(7)?,
            failed: row.take(8)?,
            cancelled: row.take(9)?,
        },
        tag: row.take(10)?,
        roll_out: roll_out_row(row, 11)?,
        firmware: firmware_row(row, 11 + ROLL_OUT_COLUMNS)?,
    })
}

fn versions(row: &mut Row, at: usize) -> Work<Vec<String>> {
    serde_json::from_str(&row.take::<String>(at)?).map_err(|error| nonsense(&error.to_string()))
}

fn upgrade_columns() -> String {
    // Each is looked up by itself: all in one would be counted by reading the whole table.
    let groups = ["'waiting'", "'sent', 'downloading', 'burning'", "'done'", "'failed'", "'cancelled'"];
    let counts =
        groups.map(|group| format!("(SELECT count(*) FROM jobs j WHERE j.upgrade_id = u.id AND j.state IN ({group}))"));
    format!(
        "SELECT u.id, u.scope, u.from_versions, u.created_at, u.cancelled_at, {}, u.tag, {ROLL_OUT}, {FIRMWARE}
         FROM upgrades u JOIN firmware f ON f.id = u.firmware_id LEFT JOIN roll_outs r ON r.upgrade_id = u.id",
        counts.join(", ")
    )
}

/// One order.
pub fn get(db: &dyn Session, id: i64) -> Work<Option<Upgrade>> {
    db.one(&format!("{} WHERE u.id = ?1", upgrade_columns()), params![id], upgrade_row)
}

/// An order that must be there.
pub fn known(db: &dyn Session, id: i64) -> Work<Upgrade> {
    Ok(get(db, id)?.ok_or_else(|| problems::no_upgrade(id))?)
}

/// Orders, newest first.
pub fn list(db: &dyn Session, filter: &UpgradeFilter, page: &Page) -> Work<Vec<Upgrade>> {
    let active = match filter.active {
        Some(true) => format!(" AND {}", active()),
        Some(false) => format!(" AND NOT {}", active()),
        None => String::new(),
    };
    let sql = format!(
        "{} WHERE u.id < ?1 AND ({} OR {}){active} ORDER BY u.id DESC LIMIT ?2",
        upgrade_columns(),
        begins_with("f.product_id", 3),
        begins_with("f.version", 3)
    );
    let before = page.after_id()?.unwrap_or(i64::MAX);
    db.all(&sql, params![before, page.limit, &page.search], upgrade_row)
}

/// Orders `u` that stand: the condition of an index.
const STANDING: &str = "u.scope IN ('all', 'tagged') AND u.cancelled_at IS NULL";

/// Orders `u` that may still do something.
fn active() -> String {
    format!("({STANDING} OR EXISTS (SELECT 1 FROM jobs j WHERE j.upgrade_id = u.id AND j.{OPEN}))")
}

/// The orders that stand for a product, newest first, as they concern one of its devices.
pub fn standing(db: &dyn Session, product_id: &str, client_id: &str) -> Work<Vec<Standing>> {
    let sql = format!(
        "SELECT u.id, f.version, u.from_versions, u.again,
             EXISTS (SELECT 1 FROM jobs j WHERE j.upgrade_id = u.id AND j.client_id = ?2), r.plan
         FROM upgrades u JOIN firmware f ON f.id = u.firmware_id LEFT JOIN roll_outs r ON r.upgrade_id = u.id
         WHERE f.product_id = ?1 AND {STANDING} AND (u.tag IS NULL
             OR EXISTS (SELECT 1 FROM device_tags t WHERE t.client_id = ?2 AND t.tag = u.tag))
         ORDER BY u.id DESC"
    );
    db.all(&sql, params![product_id, client_id], |row| {
        Ok(Standing {
            upgrade_id: row.take(0)?,
            version: row.take(1)?,
            from_versions: versions(row, 2)?,
            again: row.take(3)?,
            had_job: row.take(4)?,
            plan: plan(row, 5)?,
        })
    })
}

/// The orders of `--upgrade-on-report` that stand for a product, with their firmware.
pub fn on_report(db: &dyn Session, product_id: &str) -> Work<Vec<(i64, i64)>> {
    let sql = format!(
        "SELECT u.id, u.firmware_id FROM upgrades u JOIN firmware f ON f.id = u.firmware_id
         WHERE f.product_id = ?1 AND {STANDING} AND u.again <> 0"
    );
    db.all(&sql, params![product_id], |row| Ok((row.take(0)?, row.take(1)?)))
}

/// An order that still needs a firmware: one that stands, or one with an unfinished job.
pub fn needing(db: &dyn Session, firmware_id: i64) -> Work<Option<i64>> {
    let sql = format!("SELECT u.id FROM upgrades u WHERE u.firmware_id = ?1 AND {} ORDER BY u.id LIMIT 1", active());
    db.one(&sql, params![firmware_id], |row| row.take(0))
}
