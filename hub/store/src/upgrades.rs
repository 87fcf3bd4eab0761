//! Orders, and the jobs they are made of: one for each device. Of a device's jobs only the latest can be unfinished.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{params, Connection, OptionalExtension, Row};

use super::firmware::{firmware_row, FIRMWARE};
use hub_core::model::{Counts, Job, Scope, State, Upgrade};
use hub_core::ota::rules::Standing;

/// Stored under the name that the API has for it.
struct ByName<T>(T);

macro_rules! stored_by_name {
    ($kind:ty: $($value:path = $name:literal),+) => {
        impl ToSql for ByName<$kind> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(match self.0 { $($value => $name),+ }.into())
            }
        }

        impl FromSql for ByName<$kind> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($name => Ok(ByName($value)),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

stored_by_name!(Scope: Scope::All = "all", Scope::Chosen = "chosen", Scope::Listed = "listed");
stored_by_name!(State: State::Waiting = "waiting", State::Sent = "sent", State::Downloading = "downloading",
    State::Burning = "burning", State::Done = "done", State::Failed = "failed", State::Cancelled = "cancelled");

/// Columns and tables of [`job_row`].
pub(super) const JOB: &str = "j.id, j.upgrade_id, j.client_id, j.from_version, f.version, j.state, j.percent,
    j.result_code, j.result_msg, j.created_at, j.updated_at
    FROM jobs j JOIN upgrades u ON u.id = j.upgrade_id JOIN firmware f ON f.id = u.firmware_id";

pub(super) fn job_row(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: row.get(0)?,
        upgrade_id: row.get(1)?,
        client_id: row.get(2)?,
        from_version: row.get(3)?,
        version: row.get(4)?,
        state: row.get::<_, ByName<State>>(5)?.0,
        percent: row.get(6)?,
        result_code: row.get(7)?,
        result_msg: row.get(8)?,
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
    })
}

fn jobs(db: &Connection, rest: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Job>> {
    db.prepare_cached(&format!("SELECT {JOB} {rest}"))?.query_map(params, job_row)?.collect()
}

/// The job with this id.
pub fn job(db: &Connection, id: i64) -> rusqlite::Result<Option<Job>> {
    db.prepare_cached(&format!("SELECT {JOB} WHERE j.id = ?"))?.query_row([id], job_row).optional()
}

/// A device's latest job.
pub fn latest_job(db: &Connection, client_id: &str) -> rusqlite::Result<Option<Job>> {
    let sql = format!("SELECT {JOB} WHERE j.client_id = ? ORDER BY j.id DESC LIMIT 1");
    db.prepare_cached(&sql)?.query_row([client_id], job_row).optional()
}

/// The jobs a device ever had, newest first.
pub fn device_jobs(db: &Connection, client_id: &str) -> rusqlite::Result<Vec<Job>> {
    jobs(db, "WHERE j.client_id = ? ORDER BY j.id DESC", [client_id])
}

/// The jobs of an order, by client id.
pub fn upgrade_jobs(db: &Connection, upgrade_id: i64) -> rusqlite::Result<Vec<Job>> {
    jobs(db, "WHERE j.upgrade_id = ? ORDER BY j.client_id, j.id", [upgrade_id])
}

/// Jobs that wait since `before` or longer.
pub fn waiting(db: &Connection, before: u64) -> rusqlite::Result<Vec<Job>> {
    jobs(db, "WHERE j.state = 'waiting' AND j.updated_at <= ? ORDER BY j.id", [before])
}

/// Jobs whose devices were told at `before` or earlier, fewer than `tries` times, and have not reported since.
pub fn unanswered(db: &Connection, before: u64, tries: u32) -> rusqlite::Result<Vec<Job>> {
    jobs(db, "WHERE j.state = 'sent' AND j.updated_at <= ? AND j.tries < ? ORDER BY j.id", params![before, tries])
}

/// Adds a job that waits and returns its id. The device's unfinished one, if there is one, is called off and returned.
pub fn add_job(
    db: &Connection,
    upgrade_id: i64,
    client_id: &str,
    from_version: Option<&str>,
    now: u64,
) -> rusqlite::Result<(i64, Option<Job>)> {
    let former = cancel_device(db, client_id, now)?;
    let sql = "INSERT INTO jobs (upgrade_id, client_id, from_version, state, tries, created_at, updated_at)
               VALUES (?1, ?2, ?3, 'waiting', 0, ?4, ?4)";
    let id = db.prepare_cached(sql)?.insert(params![upgrade_id, client_id, from_version, now])?;
    Ok((id, former))
}

/// Saves where a job stands.
pub fn save_job(db: &Connection, job: &Job) -> rusqlite::Result<()> {
    let sql = "UPDATE jobs SET state = ?2, percent = ?3, result_code = ?4, result_msg = ?5, updated_at = ?6
               WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        job.id,
        ByName(job.state),
        job.percent,
        job.result_code,
        job.result_msg,
        job.updated_at
    ])?;
    Ok(())
}

/// Keeps other hubs off a job for now.
pub fn touch(db: &Connection, id: i64, now: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE jobs SET updated_at = ?2 WHERE id = ?1")?.execute(params![id, now])?;
    Ok(())
}

/// The command has gone out. The device may have reported, or the job been called off, meanwhile: that counts more.
pub fn set_sent(db: &Connection, id: i64, now: u64) -> rusqlite::Result<()> {
    let sql = "UPDATE jobs SET state = 'sent', tries = tries + 1, updated_at = ?2
               WHERE id = ?1 AND state IN ('waiting', 'sent')";
    db.prepare_cached(sql)?.execute(params![id, now])?;
    Ok(())
}

/// Calls a device's unfinished job off and returns it as it was.
pub fn cancel_device(db: &Connection, client_id: &str, now: u64) -> rusqlite::Result<Option<Job>> {
    let open = latest_job(db, client_id)?.filter(|job| job.state.is_open());
    if let Some(job) = &open {
        let sql = "UPDATE jobs SET state = 'cancelled', updated_at = ?2 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![job.id, now])?;
    }
    Ok(open)
}

/// Ends an order, and its jobs that have not begun. Returns their ids.
pub fn cancel(db: &Connection, id: i64, now: u64) -> rusqlite::Result<Vec<i64>> {
    let sql = "UPDATE upgrades SET cancelled_at = ?2 WHERE id = ?1 AND cancelled_at IS NULL";
    db.prepare_cached(sql)?.execute(params![id, now])?;
    let sql = "UPDATE jobs SET state = 'cancelled', updated_at = ?2
               WHERE upgrade_id = ?1 AND state IN ('waiting', 'sent') RETURNING id";
    db.prepare_cached(sql)?.query_map(params![id, now], |row| row.get(0))?.collect()
}

/// An order to be added.
pub struct NewUpgrade<'a> {
    pub firmware_id: i64,
    pub scope: Scope,
    pub from_versions: &'a [String],
    pub again: bool,
}

/// Adds an order without jobs and returns its id.
pub fn add(db: &Connection, what: &NewUpgrade<'_>, now: u64) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO upgrades (firmware_id, scope, from_versions, again, created_at) VALUES (?, ?, ?, ?, ?)";
    let versions = serde_json::to_string(what.from_versions).unwrap_or_default();
    db.prepare_cached(sql)?.insert(params![what.firmware_id, ByName(what.scope), versions, what.again, now])
}

fn upgrade_row(row: &Row<'_>) -> rusqlite::Result<Upgrade> {
    Ok(Upgrade {
        id: row.get(0)?,
        scope: row.get::<_, ByName<Scope>>(1)?.0,
        from_versions: versions(row, 2)?,
        created_at: row.get(3)?,
        cancelled_at: row.get(4)?,
        firmware: firmware_row(row, 5)?,
        counts: Counts::default(),
    })
}

fn versions(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<String>> {
    let text = row.get_ref(at)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into()))
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
pub fn get(db: &Connection, id: i64) -> rusqlite::Result<Option<Upgrade>> {
    let sql = format!("{} WHERE u.id = ?", upgrade_columns());
    let Some(mut upgrade) = db.prepare_cached(&sql)?.query_row([id], upgrade_row).optional()? else {
        return Ok(None);
    };
    let mut statement = db.prepare_cached("SELECT state, count(*) FROM jobs WHERE upgrade_id = ? GROUP BY state")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        count(&mut upgrade.counts, row.get::<_, ByName<State>>(0)?.0, row.get(1)?);
    }
    Ok(Some(upgrade))
}

/// Every order, newest first.
pub fn list(db: &Connection) -> rusqlite::Result<Vec<Upgrade>> {
    let sql = format!("{} ORDER BY u.id DESC", upgrade_columns());
    let mut upgrades: Vec<Upgrade> =
        db.prepare_cached(&sql)?.query_map([], upgrade_row)?.collect::<rusqlite::Result<_>>()?;
    let mut statement = db.prepare_cached("SELECT upgrade_id, state, count(*) FROM jobs GROUP BY upgrade_id, state")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        // Sorted by falling id.
        if let Ok(at) = upgrades.binary_search_by(|upgrade| id.cmp(&upgrade.id)) {
            if let Some(upgrade) = upgrades.get_mut(at) {
                count(&mut upgrade.counts, row.get::<_, ByName<State>>(1)?.0, row.get(2)?);
            }
        }
    }
    Ok(upgrades)
}

/// The orders that stand for a product, newest first, as they concern one of its devices.
pub fn standing(db: &Connection, product_id: &str, client_id: &str) -> rusqlite::Result<Vec<Standing>> {
    let sql = "SELECT u.id, f.version, u.from_versions, u.again,
                   EXISTS (SELECT 1 FROM jobs j WHERE j.upgrade_id = u.id AND j.client_id = ?2)
               FROM upgrades u JOIN firmware f ON f.id = u.firmware_id
               WHERE f.product_id = ?1 AND u.scope = 'all' AND u.cancelled_at IS NULL ORDER BY u.id DESC";
    let standing = |row: &Row<'_>| {
        Ok(Standing {
            upgrade_id: row.get(0)?,
            version: row.get(1)?,
            from_versions: versions(row, 2)?,
            again: row.get(3)?,
            had_job: row.get(4)?,
        })
    };
    db.prepare_cached(sql)?.query_map([product_id, client_id], standing)?.collect()
}

/// The orders of `--upgrade-on-report` that stand for a product, with their firmware.
pub fn on_report(db: &Connection, product_id: &str) -> rusqlite::Result<Vec<(i64, i64)>> {
    let sql = "SELECT u.id, u.firmware_id FROM upgrades u JOIN firmware f ON f.id = u.firmware_id
               WHERE f.product_id = ? AND u.scope = 'all' AND u.again AND u.cancelled_at IS NULL";
    db.prepare_cached(sql)?.query_map([product_id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// An order that still needs a firmware: one that stands, or one with an unfinished job.
pub fn needing(db: &Connection, firmware_id: i64) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT u.id FROM upgrades u WHERE u.firmware_id = ? AND (
                   (u.scope = 'all' AND u.cancelled_at IS NULL)
                   OR EXISTS (SELECT 1 FROM jobs j WHERE j.upgrade_id = u.id
                              AND j.state IN ('waiting', 'sent', 'downloading', 'burning')))
               ORDER BY u.id LIMIT 1";
    db.prepare_cached(sql)?.query_row([firmware_id], |row| row.get(0)).optional()
}
