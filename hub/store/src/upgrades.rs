//! Orders, and the jobs they are made of: one for each device. Of a device's jobs only the latest can be unfinished.

use super::engine::Session;
use super::failed::Work;
use super::firmware::{firmware_row, FIRMWARE};
use super::values::{nonsense, params, Param, Row};
use hub_core::model::{Counts, Job, Scope, State, Upgrade};
use hub_core::ota::rules::Standing;

/// Columns and tables of [`job_row`].
pub(super) const JOB: &str = "j.id, j.upgrade_id, j.client_id, j.from_version, f.version, j.state, j.percent,
    j.result_code, j.result_msg, j.created_at, j.updated_at
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
    })
}

fn jobs(db: &dyn Session, rest: &str, params: &[Param<'_>]) -> Work<Vec<Job>> {
    db.all(&format!("SELECT {JOB} {rest}"), params, job_row)
}

/// The job with this id.
pub fn job(db: &dyn Session, id: i64) -> Work<Option<Job>> {
    db.one(&format!("SELECT {JOB} WHERE j.id = ?1"), params![id], job_row)
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

/// The jobs a device ever had, newest first.
pub fn device_jobs(db: &dyn Session, client_id: &str) -> Work<Vec<Job>> {
    jobs(db, "WHERE j.client_id = ?1 ORDER BY j.id DESC", params![client_id])
}

/// The jobs of an order, by client id.
pub fn upgrade_jobs(db: &dyn Session, upgrade_id: i64) -> Work<Vec<Job>> {
    jobs(db, "WHERE j.upgrade_id = ?1 ORDER BY j.client_id, j.id", params![upgrade_id])
}

/// Jobs that wait since `before` or longer.
pub fn waiting(db: &dyn Session, before: u64) -> Work<Vec<Job>> {
    jobs(db, &format!("WHERE {WAITING} AND j.updated_at <= ?1 ORDER BY j.updated_at, j.id"), params![before])
}

/// The second half is the condition of an index, which not every engine concludes from the first. With an order by id alone
/// SQLite would read the whole table.
const WAITING: &str = "j.state = 'waiting' AND j.state IN ('waiting', 'sent')";
const SENT: &str = "j.state = 'sent' AND j.state IN ('waiting', 'sent')";

/// Takes the jobs that wait since `before`, and those told at `told_before` or earlier and fewer than `tries` times whose
/// devices have not reported since.
pub fn claim(db: &dyn Session, before: u64, told_before: u64, tries: u32, now: u64) -> Work<Vec<Job>> {
    let not_taken = db.dialect().not_taken;
    let ids = |condition: &str, params: &[Param<'_>]| {
        let sql = format!("SELECT j.id FROM jobs j WHERE {condition} ORDER BY j.updated_at, j.id {not_taken}");
        db.all(&sql, params, |row| row.take::<i64>(0))
    };
    let mut taken = ids(&format!("{WAITING} AND j.updated_at <= ?1"), params![before])?;
    let told = format!("{SENT} AND j.updated_at <= ?1 AND j.tries < ?2");
    taken.extend(ids(&told, params![told_before, tries])?);
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("UPDATE jobs SET updated_at = ?2 WHERE id IN {}", db.dialect().numbers);
    db.execute(&sql, params![&json(&taken), now])?;
    jobs_of(db, &taken)
}

fn json<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
}

/// Adds a job that waits and returns its id. The device's unfinished one, if there is one, is called off and returned.
pub fn add_job(
    db: &dyn Session,
    upgrade_id: i64,
    client_id: &str,
    from_version: Option<&str>,
    now: u64,
) -> Work<(i64, Option<Job>)> {
    let former = cancel_device(db, client_id, now)?;
    let sql = "INSERT INTO jobs (upgrade_id, client_id, from_version, state, tries, created_at, updated_at)
               VALUES (?1, ?2, ?3, 'waiting', 0, ?4, ?4) RETURNING id";
    let id = db.insert(sql, params![upgrade_id, client_id, from_version, now])?;
    Ok((id, former))
}

/// Adds a job that waits for each of these devices. Their unfinished ones are called off and returned: their ids and orders.
pub fn add_jobs(db: &dyn Session, upgrade_id: i64, client_ids: &[&str], now: u64) -> Work<Vec<(i64, i64)>> {
    let (texts, client_ids) = (db.dialect().texts, json(client_ids));
    let sql = format!(
        "UPDATE jobs SET state = 'cancelled', updated_at = ?2 WHERE client_id IN {texts}
         AND state IN ('waiting', 'sent', 'downloading', 'burning') RETURNING id, upgrade_id"
    );
    let former = db.all(&sql, params![&client_ids, now], |row| Ok((row.take(0)?, row.take(1)?)))?;
    let sql = format!(
        "INSERT INTO jobs (upgrade_id, client_id, from_version, state, tries, created_at, updated_at)
         SELECT CAST(?2 AS BIGINT), client_id, version, 'waiting', 0, CAST(?3 AS BIGINT), CAST(?3 AS BIGINT)
         FROM devices WHERE client_id IN {texts} ORDER BY client_id"
    );
    db.execute(&sql, params![&client_ids, upgrade_id, now])?;
    Ok(former)
}

/// Saves where a job stands.
pub fn save_job(db: &dyn Session, job: &Job) -> Work<()> {
    let sql = "UPDATE jobs SET state = ?2, percent = ?3, result_code = ?4, result_msg = ?5, updated_at = ?6
               WHERE id = ?1";
    let Job { id, state, percent, result_code, updated_at, .. } = *job;
    db.execute(sql, params![id, state, percent, result_code, job.result_msg.as_deref(), updated_at])?;
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

/// Ends an order, and its jobs that have not begun. Returns their ids.
pub fn cancel(db: &dyn Session, id: i64, now: u64) -> Work<Vec<i64>> {
    let sql = "UPDATE upgrades SET cancelled_at = ?2 WHERE id = ?1 AND cancelled_at IS NULL";
    db.execute(sql, params![id, now])?;
    let sql = "UPDATE jobs SET state = 'cancelled', updated_at = ?2
               WHERE upgrade_id = ?1 AND state IN ('waiting', 'sent') RETURNING id";
    db.all(sql, params![id, now], |row| row.take(0))
}

/// An order to be added.
pub struct NewUpgrade<'a> {
    pub firmware_id: i64,
    pub scope: Scope,
    pub from_versions: &'a [String],
    pub again: bool,
}

/// Adds an order without jobs and returns its id.
pub fn add(db: &dyn Session, what: &NewUpgrade<'_>, now: u64) -> Work<i64> {
    let sql = "INSERT INTO upgrades (firmware_id, scope, from_versions, again, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
               RETURNING id";
    db.insert(sql, params![what.firmware_id, what.scope, &json(what.from_versions), what.again, now])
}

fn upgrade_row(row: &mut Row) -> Work<Upgrade> {
    Ok(Upgrade {
        id: row.take(0)?,
        scope: row.take(1)?,
        from_versions: versions(row, 2)?,
        created_at: row.take(3)?,
        cancelled_at: row.take(4)?,
        firmware: firmware_row(row, 5)?,
        counts: Counts::default(),
    })
}

fn versions(row: &mut Row, at: usize) -> Work<Vec<String>> {
    serde_json::from_str(&row.take::<String>(at)?).map_err(|error| nonsense(&error.to_string()))
}

fn upgrade_columns() -> String {
    format!(
        "SELECT u.id, u.scope, u.from_versions, u.created_at, u.cancelled_at, {FIRMWARE}
         FROM upgrades u JOIN firmware f ON f.id = u.firmware_id"
    )
}

fn count(counts: &mut Counts, state: State, jobs: u64) {
    let field = match state {
        State::Waiting => &mut counts.waiting,
        State::Sent | State::Downloading | State::Burning => &mut counts.running,
        State::Done => &mut counts.done,
        State::Failed => &mut counts.failed,
        State::Cancelled => &mut counts.cancelled,
    };
    *field += jobs;
}

/// One order.
pub fn get(db: &dyn Session, id: i64) -> Work<Option<Upgrade>> {
    let sql = format!("{} WHERE u.id = ?1", upgrade_columns());
    let Some(mut upgrade) = db.one(&sql, params![id], upgrade_row)? else {
        return Ok(None);
    };
    let sql = "SELECT state, count(*) FROM jobs WHERE upgrade_id = ?1 GROUP BY state";
    for (state, jobs) in db.all(sql, params![id], |row| Ok((row.take(0)?, row.take(1)?)))? {
        count(&mut upgrade.counts, state, jobs);
    }
    Ok(Some(upgrade))
}

/// Every order, newest first.
pub fn list(db: &dyn Session) -> Work<Vec<Upgrade>> {
    let mut upgrades = db.all(&format!("{} ORDER BY u.id DESC", upgrade_columns()), &[], upgrade_row)?;
    let sql = "SELECT upgrade_id, state, count(*) FROM jobs GROUP BY upgrade_id, state";
    let counts = db.all(sql, &[], |row| Ok((row.take::<i64>(0)?, row.take(1)?, row.take(2)?)))?;
    for (id, state, jobs) in counts {
        // Sorted by falling id.
        if let Ok(at) = upgrades.binary_search_by(|upgrade| id.cmp(&upgrade.id)) {
            if let Some(upgrade) = upgrades.get_mut(at) {
                count(&mut upgrade.counts, state, jobs);
            }
        }
    }
    Ok(upgrades)
}

/// The orders that stand for a product, newest first, as they concern one of its devices.
pub fn standing(db: &dyn Session, product_id: &str, client_id: &str) -> Work<Vec<Standing>> {
    let sql = "SELECT u.id, f.version, u.from_versions, u.again,
                   EXISTS (SELECT 1 FROM jobs j WHERE j.upgrade_id = u.id AND j.client_id = ?2)
               FROM upgrades u JOIN firmware f ON f.id = u.firmware_id
               WHERE f.product_id = ?1 AND u.scope = 'all' AND u.cancelled_at IS NULL ORDER BY u.id DESC";
    db.all(sql, params![product_id, client_id], |row| {
        Ok(Standing {
            upgrade_id: row.take(0)?,
            version: row.take(1)?,
            from_versions: versions(row, 2)?,
            again: row.take(3)?,
            had_job: row.take(4)?,
        })
    })
}

/// The orders of `--upgrade-on-report` that stand for a product, with their firmware.
pub fn on_report(db: &dyn Session, product_id: &str) -> Work<Vec<(i64, i64)>> {
    let sql = "SELECT u.id, u.firmware_id FROM upgrades u JOIN firmware f ON f.id = u.firmware_id
               WHERE f.product_id = ?1 AND u.scope = 'all' AND u.again <> 0 AND u.cancelled_at IS NULL";
    db.all(sql, params![product_id], |row| Ok((row.take(0)?, row.take(1)?)))
}

/// An order that still needs a firmware: one that stands, or one with an unfinished job.
pub fn needing(db: &dyn Session, firmware_id: i64) -> Work<Option<i64>> {
    let sql = "SELECT u.id FROM upgrades u WHERE u.firmware_id = ?1 AND (
                   (u.scope = 'all' AND u.cancelled_at IS NULL)
                   OR EXISTS (SELECT 1 FROM jobs j WHERE j.upgrade_id = u.id
                              AND j.state IN ('waiting', 'sent', 'downloading', 'burning')))
               ORDER BY u.id LIMIT 1";
    db.one(sql, params![firmware_id], |row| row.take(0))
}
