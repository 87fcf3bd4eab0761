//! Looks at how an engine goes about each statement: what one device costs must not grow with the tables.

use std::sync::{Mutex, PoisonError};

use super::engine::{Dialect, Engine, Session, Writer};
use super::failed::Work;
use super::values::{Param, Row};
use super::Records;
use hub_core::messaging::model::ConfigDevice;
use hub_core::model::{DeviceFilter, Hours, Page, Problem, Proof, RollOutPlan, Scope, State, TimeOfDay, UpgradeFilter};
use hub_core::ota::message::Progress;
use hub_core::ports::messaging::NewRrpc;
use hub_core::ports::store::{Credential, Due, NewOrder, Outcome, Store};
use hub_core::ports::tags::Tagged;

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
            ["devices", "jobs", "device_tags", "device_seen", "d", "j", "t", "s", "o"].iter().any(|table| {
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

    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Outcome<()> {
        self.engine.agree(change)
    }
}

/// 100,000 devices, all of which orders have upgraded, a thousand each, and a few of another product. Each has a tag, and
/// was seen at another time.
const FLEET: [&str; 7] = [
    "INSERT INTO devices (client_id, product_id, device_name, version) SELECT 'P1d' || i, 'P1', 'd' || i, '1.0' FROM
     (WITH RECURSIVE n (i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i < 199999) SELECT i FROM n) AS numbers",
    "INSERT INTO firmware (product_id, version, name, size, md5, created_at, file_name)
     VALUES ('P1', '2.0', '', 1, '', 1, 'P1_2.0'), ('P2', '2.0', '', 1, '', 1, 'P2_2.0')",
    "INSERT INTO upgrades (firmware_id, scope, from_versions, again, created_at) SELECT 1, 'chosen', '[]', 0, i FROM
     (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n) AS numbers",
    "INSERT INTO jobs (upgrade_id, client_id, state, tries, created_at, updated_at)
     SELECT 1 + CAST(substr(device_name, 2) AS BIGINT) % 100, client_id, 'done', 1, 1, 1 FROM devices",
    "INSERT INTO devices (client_id, product_id, device_name, version) SELECT 'P2d' || i, 'P2', 'd' || i, '1.0' FROM
     (WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 99) SELECT i FROM n) AS numbers",
    "INSERT INTO device_tags (client_id, product_id, tag)
     SELECT client_id, product_id, CASE WHEN client_id > 'P1d199000' THEN 'few' ELSE 'most' END FROM devices",
    "INSERT INTO device_seen (client_id, at) SELECT client_id, CAST(substr(device_name, 2) AS BIGINT) FROM devices
     WHERE product_id = 'P1'",
];

/// Does among 100,000 devices whatever can be asked for, and returns the statements that read all of them or of their jobs.
/// The engine's database must be empty.
pub fn whole_scans<E: Engine>(engine: E, explain: Explain) -> Outcome<Vec<String>> {
    engine.write(Writer::People, |db| FLEET.iter().try_for_each(|sql| db.execute(sql, &[]).map(drop)))?;
    if !explain.analyze.is_empty() {
        engine.write(Writer::People, |db| db.execute(explain.analyze, &[]).map(drop))?;
    }
    let store = Records::on(Explaining { engine, explain, found: Mutex::default() });
    people(&store)?;
    one_device(&store)?;
    let found = store.engine.inner.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(found)
}

const NOW: u64 = 10_000;

/// Lists, orders and messages.
fn people(store: &dyn Store) -> Outcome<()> {
    let page = |after: Option<&str>, search: &str| Page {
        after: after.map(str::to_owned),
        search: search.to_owned(),
        limit: 5,
    };
    for page in [page(None, ""), page(Some("P1d150000"), ""), page(None, "d15"), page(None, "P1d15"), page(None, "x")] {
        let none = || DeviceFilter::default();
        let (product, version) = (Some("P1".to_owned()), Some("1.0".to_owned()));
        for filter in [
            none(),
            DeviceFilter { product: product.clone(), ..none() },
            DeviceFilter { tag: Some("most".to_owned()), ..none() },
            DeviceFilter { tag: Some("few".to_owned()), version: version.clone(), ..none() },
            DeviceFilter { product, version, ..none() },
            DeviceFilter { version: Some(String::new()), ..none() },
        ] {
            // Few of them, and half of them.
            for since in [None, Some(199_990), Some(150_000)] {
                let found = store.devices(&filter, since, &page)?;
                if !found.iter().all(|device| device.seen_at >= since) {
                    return Err(Problem::conflict(format!("not seen since {since:?}: {found:?}")));
                }
            }
        }
    }
    let seen = |since| store.devices(&DeviceFilter::default(), Some(since), &Page::first()).map(|found| found.len());
    if (seen(199_990)?, seen(150_000)?) != (10, 1000) {
        return Err(Problem::conflict("devices that were seen are missing"));
    }
    for page in [page(None, ""), page(Some("few"), ""), page(None, "m")] {
        store.tags("P1", &page)?;
        store.running_versions("P2", &page)?;
    }
    store.device_products()?;
    store.product_devices("P1", "P1d150000", 5)?;
    store.device_count("P2")?;
    for page in [page(None, ""), page(Some("50"), ""), page(None, "2."), page(None, "P1")] {
        store.upgrades(&UpgradeFilter::default(), &page)?;
        store.upgrades(&UpgradeFilter { active: Some(true) }, &page)?;
    }
    let (_, jobs) = store.upgrade_jobs(50, &[], &page(None, ""))?;
    let last = jobs.last().map(|job| job.id.to_string());
    for page in [page(last.as_deref(), ""), page(None, "d15"), page(None, "P1d15")] {
        store.upgrade_jobs(50, &[], &page)?;
        store.upgrade_jobs(50, &[State::Sent, State::Failed], &page)?;
    }
    store.device_jobs("P1d150000", &page(None, "2"))?;
    let named = ["P2d11".to_owned(), "P2d12".to_owned(), "P1d150000".to_owned()];
    let versions = ["1.0".to_owned()];
    store.unknown_devices("P2", &named)?;
    store.find_devices(&["P2d11", "P1d150000"])?;
    for (scope, from_versions, tag, named) in [
        (Scope::All, &[][..], None, None),
        (Scope::All, &versions, None, None),
        (Scope::Tagged, &versions, Some("most"), None),
        (Scope::Chosen, &versions, None, Some(&named[..2])),
    ] {
        let order = NewOrder { from_versions, tag, named, ..NewOrder::new(2, scope) };
        store.reach(&order, 5)?;
        let (id, touched) = store.add_order(&order, NOW)?;
        store.changes(&touched)?;
        let first = store.claim_first(id, 5, NOW)?;
        store.set_sent(&first.iter().map(|job| job.id).collect::<Vec<_>>(), NOW)?;
        store.waiting(NOW, (0, 0), 5)?;
        let jobs = store.claim(&DUE, NOW, 5)?;
        store.keep(&jobs.iter().map(|job| job.id).collect::<Vec<_>>(), NOW)?;
        store.upgrade(id)?;
        store.stop_upgrade(id, "somebody", NOW)?;
        store.cancel_upgrade(id, NOW)?;
    }
    rolled_out(store)?;
    store.remove_firmware(2, NOW)?;
    store.set_remote_config("P2", Some("{}"), NOW)?;
    let told = |client_id: &String| ConfigDevice {
        client_id: client_id.clone(),
        version: Some(1),
        result: 0,
        pushed: true,
        at: NOW,
    };
    store.note_remote_config("P2", &named[..2].iter().map(told).collect::<Vec<_>>())?;
    store.remote_config_devices("P2", &page(None, "d"))?;
    store.gateways(("", ""), "", 5)?;
    store.gateway_devices("P1d150000", &page(None, "d"))?;
    store.told("P1d150000", 5)?;
    store.change_tags(Tagged::Named(&named), &["new".to_owned()], &["most".to_owned()], 5)?;
    let few = DeviceFilter { product: Some("P2".to_owned()), tag: Some("new".to_owned()), version: None };
    store.change_tags(Tagged::Found(&few, "d"), &[], &["new".to_owned()], 5)?;
    Ok(())
}

/// Everything that waits or was told.
const DUE: Due = Due { waiting: NOW, taken: NOW, told: NOW, tries: 3 };

fn progress(state: &str) -> Progress {
    let (version, state) = ("2.0".to_owned(), state.to_owned());
    Progress { version, state, percent: Some(7), result_code: None, result_msg: None }
}

/// An order in stages, for more devices than are told at once.
fn rolled_out(store: &dyn Store) -> Outcome<()> {
    let plan = RollOutPlan {
        stages: vec![1, 50, 100],
        by_hand: true,
        stop_at_failures: Some(1),
        per_minute: Some(60_000),
        hours: TimeOfDay::of_minute(1439).zip(TimeOfDay::of_minute(1)).map(|(from, to)| Hours { from, to }),
        ..RollOutPlan::default()
    };
    let order = NewOrder { plan: Some(&plan), ..NewOrder::new(2, Scope::All) };
    let (id, _) = store.add_order(&order, NOW)?;
    store.roll_on(NOW)?;
    store.next_stage(id, NOW)?;
    let held = store.held(id, (0, 0), 50)?;
    let ids: Vec<i64> = held.iter().map(|job| job.at.1).collect();
    for job in store.let_go(id, &ids, NOW)? {
        store.report_version(&job.client_id, "P2", "1.0", NOW)?;
        store.report_progress(&job.client_id, &progress("fail"), NOW)?;
    }
    store.roll_on(NOW)?;
    store.resume_upgrade(id)?;
    // Its hours end, and begin.
    store.roll_on(NOW + 60_000)?;
    store.roll_on(NOW)?;
    store.stop_upgrade(id, "somebody", NOW)?;
    store.resume_upgrade(id)?;
    store.upgrade(id)?;
    store.cancel_upgrade(id, NOW)?;
    Ok(())
}

/// What one device does, and what is done with it.
fn one_device(store: &dyn Store) -> Outcome<()> {
    let (id, other, named) = ("P1d150000", "P1d150001", ["P1d150000".to_owned()]);
    store.find_device(id)?;
    store.device(id)?;
    store.note_seen(&[id, other].map(|id| (id.to_owned(), NOW)))?;
    let order = NewOrder { named: Some(&named), ..NewOrder::new(1, Scope::Chosen) };
    let (upgrade, touched) = store.add_order(&order, NOW)?;
    store.changes(&touched)?;
    let jobs = store.claim(&DUE, NOW, 5)?;
    store.set_sent(&jobs.iter().map(|job| job.id).collect::<Vec<_>>(), NOW)?;
    let (_, touched) = store.report_version(id, "P1", "1.0", NOW)?;
    store.changes(&touched)?;
    store.report_progress(id, &progress("downloading"), NOW)?;
    store.open_jobs()?;
    store.orders()?;
    store.firmware_of_upgrade(upgrade)?;
    store.cancel_upgrade(upgrade, NOW)?;
    store.renew_device(id, &mut |_: Proof| Ok(Credential::Key(vec![1])))?;
    store.bind(id, other)?;
    store.gateway(id)?;
    store.gateway_of(other)?;
    store.change_shadow(id, &mut |there| Ok(Some(there.clone())))?;
    store.shadow(id)?;
    store.set_tags(id, &["most".to_owned()])?;
    let rrpc = store.add_rrpc(&NewRrpc { client_id: id, request: b"a", timeout_ms: 1 }, NOW)?;
    store.answer_rrpc(id, rrpc, b"b", NOW)?;
    store.rrpcs(id, NOW)?;
    store.add_log(id, None, &["line".to_owned()], NOW)?;
    store.log(id, None, 10)?;
    store.set_log_level(id, 1)?;
    store.remove_device(id, NOW)?;
    store.add_device(id, "P1", "d150000", &mut || Ok(Credential::Key(vec![1])))?;
    Ok(())
}
