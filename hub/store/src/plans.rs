//! Looks at how an engine goes about each statement: what one device costs must not grow with the tables.

use std::sync::{Mutex, PoisonError};

use super::engine::{Dialect, Engine, Session, Writer};
use super::failed::Work;
use super::values::{Param, Row};
use super::Records;
use hub_core::model::{Device, Proof, Scope};
use hub_core::ports::messaging::{MessagingStore, NewRrpc};
use hub_core::ports::store::{Credential, NewOrder, Outcome, Store};
use hub_core::ports::{figures::Figures, gateways::Gateways, logs::LogStore, shadows::Shadows};

/// How an engine is asked for a plan.
pub struct Explain {
    /// Stands before a statement.
    pub prefix: &'static str,
    /// The column that has the text.
    pub column: usize,
    /// In the text where a whole table is read; a table's name follows.
    pub scan: &'static str,
    /// Gathers what the planner wants to know of the rows, where the engine does so by itself.
    pub analyze: &'static str,
}

struct Explaining<E> {
    engine: E,
    explain: Explain,
    found: Mutex<Vec<String>>,
}

struct Explained<'a, E> {
    inner: &'a dyn Session,
    by: &'a Explaining<E>,
}

impl<E> Explained<'_, E> {
    fn look(&self, sql: &str, params: &[Param<'_>]) -> Work<()> {
        let Explain { prefix, column, scan, .. } = self.by.explain;
        let plan = self.inner.all(&format!("{prefix} {sql}"), params, |row| row.take::<String>(column))?;
        let whole = |line: &&String| {
            ["devices", "jobs", "d", "j"].iter().any(|table| {
                let text = format!("{scan} {table}");
                line.trim_end() == text || line.contains(&format!("{text} "))
            })
        };
        if let Some(line) = plan.iter().find(whole) {
            self.by.found.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{line}: {sql}"));
        }
        Ok(())
    }
}

impl<E> Session for Explained<'_, E> {
    fn rows(&self, sql: &str, params: &[Param<'_>]) -> Work<Vec<Row>> {
        self.look(sql, params)?;
        self.inner.rows(sql, params)
    }

    fn execute(&self, sql: &str, params: &[Param<'_>]) -> Work<u64> {
        self.look(sql, params)?;
        self.inner.execute(sql, params)
    }

    fn dialect(&self) -> &'static Dialect {
        self.inner.dialect()
    }
}

impl<E: Engine> Engine for Explaining<E> {
    fn read<T>(&self, mut work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        self.engine.read(|inner| work(&Explained { inner, by: self }))
    }

    fn write<T>(&self, writer: Writer<'_>, mut work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        self.engine.write(writer, |inner| work(&Explained { inner, by: self }))
    }

    fn foreign_changes(&self) -> Outcome<i64> {
        self.engine.foreign_changes()
    }

    fn exclusively(&self, work: &mut dyn FnMut()) -> Outcome<()> {
        self.engine.exclusively(work)
    }
}

/// 100,000 devices, all of which an order has upgraded.
const FLEET: [&str; 4] = [
    "INSERT INTO devices (client_id, product_id, device_name, version) SELECT 'P1d' || i, 'P1', 'd' || i, '1.0' FROM
     (WITH RECURSIVE n (i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i < 199999) SELECT i FROM n) AS numbers",
    "INSERT INTO firmware (product_id, version, name, size, md5, created_at, file_name)
     VALUES ('P1', '2.0', '', 1, '', 1, 'P1_2.0')",
    "INSERT INTO upgrades (firmware_id, scope, from_versions, again, created_at) VALUES (1, 'all', '[]', 0, 1)",
    "INSERT INTO jobs (upgrade_id, client_id, state, tries, created_at, updated_at)
     SELECT 1, client_id, 'done', 1, 1, 1 FROM devices",
];

/// Does with one of 100,000 devices what can be done with one, and returns the statements that read all of them or of
/// their jobs. The engine's database must be empty.
pub fn whole_scans<E: Engine>(engine: E, explain: Explain) -> Outcome<Vec<String>> {
    engine.write(Writer::People, |db| FLEET.iter().try_for_each(|sql| db.execute(sql, &[]).map(drop)))?;
    if !explain.analyze.is_empty() {
        engine.write(Writer::People, |db| db.execute(explain.analyze, &[]).map(drop))?;
    }
    let store = Records::on(Explaining { engine, explain, found: Mutex::default() });
    let (id, other, now) = ("P1d150000", "P1d150001", 10_000);
    let device: Option<Device> = store.device(id)?;
    let devices: Vec<Device> = device.into_iter().collect();
    let order = NewOrder { firmware_id: 1, scope: Scope::Chosen, from_versions: &[], devices: &devices };
    let (upgrade, jobs, touched) = store.add_order(&order, now)?;
    store.changes(&hub_core::ports::store::Touched { upgrades: [upgrade].into(), ..touched })?;
    store.claim(now, now, 3, now)?;
    store.set_sent(&jobs.iter().map(|job| job.id).collect::<Vec<_>>(), now)?;
    store.report_version(id, "P1", "1.0", now)?;
    let progress = hub_core::ota::message::Progress {
        version: "2.0".to_owned(),
        state: "downloading".to_owned(),
        percent: Some(7),
        result_code: None,
        result_msg: None,
    };
    store.report_progress(id, &progress, now)?;
    store.upgrade_jobs(upgrade)?;
    store.open_jobs()?;
    store.orders()?;
    store.device_jobs(id)?;
    store.waiting(now)?;
    store.cancel_upgrade(upgrade, now)?;
    store.renew_device(id, &mut |_: Proof| Ok(Credential::Key(vec![1])))?;
    store.bind(id, other)?;
    store.gateway(id)?;
    store.gateway_of(other)?;
    store.change_shadow(id, &mut |there| Ok(Some(there.clone())))?;
    let rrpc = store.add_rrpc(&NewRrpc { client_id: id, request: b"a", timeout_ms: 1 }, now)?;
    store.answer_rrpc(id, rrpc, b"b", now)?;
    store.rrpcs(id, now)?;
    store.add_log(id, None, &["line".to_owned()], now)?;
    store.log(id, None, 10)?;
    store.set_log_level(id, 1)?;
    store.remove_device(id, now)?;
    store.add_device(id, "P1", "d150000", &mut || Ok(Credential::Key(vec![1])))?;
    let found = store.engine.inner.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(found)
}
