//! The store on a PostgreSQL server.

mod server;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use hub_core::devices::Devices;
use hub_core::model::{Firmware, Page, RollOutPlan, Scope};
use hub_core::ota::message::Progress;
use hub_core::ports::conformance;
use hub_core::ports::logs::LogStore;
use hub_core::ports::messaging::{MessagingStore, NewRrpc};
use hub_core::ports::roll_outs::RollOuts;
use hub_core::ports::store::{Due, NewOrder, Store};
use hub_postgres::{load, open, save, Postgres};
use hub_store::engine::Engine;
use hub_store::schema::STEPS;
use hub_store::sqlite::Sqlite;
use hub_store::values::{Row, Value};
use hub_store::{copy, plans, Database, Records};
use server::Server;

fn import(store: &dyn Store, devices: usize) -> Vec<String> {
    let list: Vec<String> = (0..devices).map(|n| format!(r#"{{"productId":"P1","deviceName":"d{n:03}"}}"#)).collect();
    let list = Devices::parse(&format!(r#"{{"devices":[{}]}}"#, list.join(","))).expect("good list");
    store.import(&list).expect("imported");
    list.iter().map(|(id, _)| id.to_owned()).collect()
}

fn firmware(store: &dyn Store) -> i64 {
    let firmware = Firmware {
        id: 0,
        product_id: "P1".to_owned(),
        version: "2.0".to_owned(),
        name: String::new(),
        size: 1,
        md5: "0".repeat(32),
        created_at: 1,
        signature: None,
    };
    store.add_firmware(&firmware, "P1_2.0", &mut || Ok(())).expect("added")
}

fn order(store: &dyn Store, firmware_id: i64, now: u64) -> i64 {
    let order = NewOrder { whatever_they_run: true, ..NewOrder::new(firmware_id, Scope::Chosen) };
    store.add_order(&order, now).expect("an order").0
}

fn progress(percent: u8) -> Progress {
    let (version, state) = ("2.0".to_owned(), "downloading".to_owned());
    Progress { version, state, percent: Some(percent), result_code: None, result_msg: None }
}

/// A store in a schema of its own.
fn schema(server: &Server, name: &str) -> Records<Postgres> {
    server.sql(&format!("CREATE SCHEMA {name}"));
    open(&server.url(name), None).expect("a store")
}

fn complaint(url: &str) -> String {
    open(url, None).err().expect("must be refused").to_string()
}

#[test]
fn the_database_is_a_store() {
    let server = Server::start();
    let mut part = 0;
    conformance::check(&mut || {
        part += 1;
        (Box::new(schema(&server, &format!("part{part}"))), Box::new(()))
    });
}

#[test]
fn what_is_no_hubs_database_is_named() {
    let server = Server::start();
    server.sql("CREATE SCHEMA later; CREATE SCHEMA other; CREATE TABLE other.devices (a TEXT)");
    drop(open(&server.url("later"), None).expect("a store"));
    drop(open(&server.url("later"), None).expect("found again"));
    server.sql("UPDATE later.hub_tables SET version = 1000");
    assert!(complaint(&server.url("later")).contains("later version"));
    let text = complaint(&server.url("other"));
    assert!(text.contains("devices") && text.contains("already exists"), "{text}");
    let nowhere = complaint("postgres://me:geheim@localhost:1/hub?connect_timeout=1");
    assert!(nowhere.contains("hub on localhost") && !nowhere.contains("geheim"), "{nowhere}");
    assert!(complaint("postgres://me:geheim@[").contains("--database"));
}

#[test]
fn hubs_that_start_at_once_share_a_database() {
    let server = Server::start();
    server.sql("CREATE SCHEMA hubs");
    let (url, start) = (server.url("hubs"), Barrier::new(4));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                import(&open(&url, None).expect("a store"), 10);
            });
        }
    });
    let (one, two) = (open(&url, None).expect("a store"), open(&url, None).expect("a store"));
    assert_eq!(one.client_ids().expect("devices").len(), 10);

    // Each waiting job is taken by one of them.
    let upgrade = order(&one, firmware(&one), 5);
    let due = Due { waiting: 5, taken: 0, told: 0, tries: 3 };
    let both: Vec<Vec<i64>> = std::thread::scope(|scope| {
        let claims = [&one, &two].map(|store| scope.spawn(|| store.claim(&due, 6, 9).expect("jobs")));
        claims.map(|claim| claim.join().expect("jobs").iter().map(|job| job.id).collect()).into()
    });
    let all: BTreeSet<i64> = both.iter().flatten().copied().collect();
    assert_eq!((all.len(), both.iter().flatten().count()), (10, 10));
    assert_eq!(one.upgrade(upgrade).expect("order").counts.waiting, 10);
}

#[test]
fn hubs_begin_a_stage_once_and_share_the_turns() {
    let server = Server::start();
    let (one, two) = (schema(&server, "staged"), open(&server.url("staged"), None).expect("a store"));
    import(&one, 40);
    let plan = RollOutPlan { stages: vec![50, 60, 100], per_minute: Some(600), ..RollOutPlan::default() };
    let order = NewOrder { whatever_they_run: true, plan: Some(&plan), ..NewOrder::new(firmware(&one), Scope::Chosen) };
    let upgrade = one.add_order(&order, 5).expect("an order").0;
    let both = |work: &(dyn Fn(&Records<Postgres>) -> usize + Sync)| -> usize {
        std::thread::scope(|scope| {
            let works = [&one, &two].map(|store| scope.spawn(move || work(store)));
            works.map(|work| work.join().expect("an answer")).into_iter().sum()
        })
    };
    both(&|store| store.roll_on(100_000).expect("an answer").going.len());
    assert_eq!(one.upgrade(upgrade).expect("order").roll_out.map(|roll_out| roll_out.stage), Some(1));
    for (now, turns) in [(100_000, 20), (100_001, 0)] {
        let told = both(&|store| {
            let ids: Vec<i64> = store.held(upgrade, (0, 0), 99).expect("jobs").iter().map(|job| job.at.1).collect();
            store.let_go(upgrade, &ids, now).expect("jobs").len()
        });
        assert_eq!(told, turns, "at {now}");
    }
}

#[test]
fn hubs_that_start_at_once_bring_an_earlier_hubs_database_up_to_date_while_that_one_goes_on() {
    let server = Server::start();
    server.sql("CREATE SCHEMA hubs");
    let url = server.url("hubs");
    let (_, before) = STEPS.split_last().expect("steps");
    let earlier = Postgres::open_as(&url, None, before).expect("a database");
    server.sql("INSERT INTO hubs.devices (client_id, product_id, device_name) VALUES ('P1a', 'P1', 'a')");
    let version =
        || earlier.read(|db| db.one("SELECT version FROM devices WHERE client_id = 'P1a'", &[], |row| row.take(0)));
    assert_eq!(version(), Ok(Some(None::<String>)));
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                open(&url, None).expect("a store").report_version("P1a", "P1", "1.0", 7).expect("kept");
            });
        }
    });
    assert_eq!(server.sql("SELECT version FROM hubs.hub_tables").trim(), STEPS.len().to_string());
    // By the statement that it has prepared.
    assert_eq!(version(), Ok(Some(Some("1.0".to_owned()))));
    let text = Postgres::open_as(&url, None, before).err().expect("must be refused").to_string();
    assert!(text.contains("a later version of the hub made its tables"), "{text}");
}

#[test]
fn a_server_that_lets_in_and_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("its address").port();
    let url = format!("postgres://hub@127.0.0.1:{port}/postgres?connect_timeout=1");
    let text = Postgres::open(&url, None).err().expect("must be refused").to_string();
    assert!(text.ends_with("the server does not answer."), "{text}");
}

/// Every row of a SQLite database, and which numbers its tables have given.
fn everything(path: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let sqlite = Sqlite::open(path, false).expect("a database");
    let all = sqlite.read(|db| {
        let names = copy::tables(db)?.into_iter().map(|table| table.name).chain(["sqlite_sequence".to_owned()]);
        let rows = |name: String| {
            let rows = db.rows(&format!("SELECT * FROM {name} ORDER BY 1, 2"), &[])?;
            Ok((name, rows.into_iter().map(|Row(values)| values).collect()))
        };
        names.map(rows).collect()
    });
    all.expect("rows")
}

#[test]
fn what_is_kept_moves_from_one_database_to_the_other_and_back() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let [here, back] = ["here.db", "back.db"].map(|name| folder.path().join(name));
    let server = Server::start();
    server.sql("CREATE SCHEMA moved; CREATE SCHEMA earlier");
    let url = server.url("moved");
    {
        let store = Database::open(&here, false).expect("a store");
        // More than are in memory at a time.
        import(&store, 1100);
        order(&store, firmware(&store), 5);
        store.report_version("P1d003", "P1", "1.0", 6).expect("kept");
        store.add_log("P1d003", None, &["a line".to_owned(), String::new()], 7).expect("kept");
        store.add_rrpc(&NewRrpc { client_id: "P1d003", request: &[0, 255, 7], timeout_ms: 1 }, 8).expect("kept");
    }
    load(&url, None, &here).expect("loaded");
    assert!(load(&url, None, &here).expect_err("not twice").to_string().contains("restore into an empty one"));
    save(&url, None, &back).expect("saved");
    let (first, last) = (everything(&here), everything(&back));
    assert_eq!(first.iter().find(|(name, _)| name == "jobs").map(|(_, rows)| rows.len()), Some(1100));
    for ((name, rows), (other, again)) in first.iter().zip(&last) {
        // Tables that never had a row are not in the sequence.
        let given = |rows: &[Vec<Value>]| rows.iter().filter(|row| row.last() != Some(&Value::Integer(0))).count();
        assert!(name == other && given(rows) == given(again) && (name == "sqlite_sequence" || rows == again), "{name}");
    }
    // No number is given twice.
    for store in [
        Box::new(open(&url, None).expect("a store")) as Box<dyn Store>,
        Box::new(Database::open(&back, false).expect("a store")),
    ] {
        let next = store.add_rrpc(&NewRrpc { client_id: "P1d003", request: &[], timeout_ms: 1 }, 9);
        assert_eq!(next, Ok(2));
    }
    drop(Postgres::open_as(&server.url("earlier"), None, &STEPS[..1]).expect("a database"));
    let text =
        save(&server.url("earlier"), None, &folder.path().join("no.db")).expect_err("must be refused").to_string();
    assert!(text.contains("another version of the hub made its tables"), "{text}");
}

/// Waits until a store has heard so much of others.
fn heard(store: &Records<Postgres>, changes: i64) {
    let until = Instant::now() + Duration::from_secs(60);
    while store.foreign_changes().is_ok_and(|heard| heard < changes) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(store.foreign_changes(), Ok(changes));
}

#[test]
fn changes_of_others_are_noticed_and_own_ones_are_not() {
    let server = Server::start();
    let (one, two) = (schema(&server, "one"), schema(&server, "two"));
    // Each has begun to listen: it may have missed something.
    heard(&one, 1);
    heard(&two, 1);
    one.set_log_level("P1a", 1).expect("kept");
    heard(&two, 2);
    two.set_log_level("P1a", 1).expect("kept");
    // Its own came before that.
    heard(&one, 2);
}

#[test]
fn reports_and_orders_at_once_leave_one_open_job_for_each_device() {
    let server = Server::start();
    let store = schema(&server, "busy");
    let ids = import(&store, 20);
    let firmware = firmware(&store);
    std::thread::scope(|scope| {
        for part in ids.chunks(5) {
            let store = &store;
            scope.spawn(move || {
                for round in 0..20 {
                    for id in part {
                        store.report_version(id, "P1", "1.0", 100 + round).expect("kept");
                        store.report_progress(id, &progress(7), 100 + round).expect("kept");
                    }
                }
            });
        }
        for now in 0..10 {
            order(&store, firmware, now);
        }
    });
    for id in &ids {
        let open =
            store.device_jobs(id, &Page::first()).expect("jobs").iter().filter(|job| job.state.is_open()).count();
        assert_eq!(open, 1, "{id}");
    }
}

#[test]
fn a_server_that_is_started_again_loses_nothing_that_was_kept() {
    let server = Server::start();
    let store = schema(&server, "again");
    let ids = import(&store, 4);
    let upgrade = order(&store, firmware(&store), 5);
    let over = AtomicBool::new(false);
    let kept: Vec<u8> = std::thread::scope(|scope| {
        let reporters: Vec<_> = ids
            .iter()
            .map(|id| {
                let (store, over) = (&store, &over);
                // A device says the same until it is acknowledged.
                scope.spawn(move || {
                    let (mut percent, mut now) = (0, 10);
                    while percent < 100 && !over.load(Ordering::Relaxed) {
                        now += 1;
                        if store.report_progress(id, &progress(percent + 1), now).is_ok() {
                            percent += 1;
                        }
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    percent
                })
            })
            .collect();
        server.restart("fast");
        server.restart("immediate");
        assert_eq!(store.client_ids().expect("patience"), ids);
        over.store(true, Ordering::Relaxed);
        reporters.into_iter().map(|reporter| reporter.join().expect("a reporter")).collect()
    });
    let (_, jobs) = store.upgrade_jobs(upgrade, &[], &Page::first()).expect("jobs");
    for (job, kept) in jobs.iter().zip(kept) {
        // What went with the server unacknowledged may have been kept all the same.
        let found = job.percent.unwrap_or_default();
        assert!(
            kept > 0 && (found == kept || found == kept + 1),
            "{}: {kept} acknowledged, {found} kept",
            job.client_id
        );
    }
    order(&store, 1, 1000);
}

#[test]
fn connections_that_broke_with_the_server_make_room_for_others() {
    let server = Server::start();
    let store = schema(&server, "waited");
    let ids = import(&store, 3);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Far more than there are connections. Those that broke must make room for others, or who waits gives up and says so.
        let askers: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(store.client_ids().as_ref(), Ok(&ids));
                    }
                })
            })
            .collect();
        for how in ["immediate", "fast", "immediate"] {
            server.restart(how);
            assert_eq!(store.client_ids().as_ref(), Ok(&ids));
        }
        over.store(true, Ordering::Relaxed);
        askers.into_iter().for_each(|asker| asker.join().expect("an answer each time"));
    });
}

#[test]
fn one_device_of_many_costs_what_one_of_few_does() {
    let server = Server::start();
    let engine = Postgres::open(&server.url("public"), None).expect("a database");
    let explain = plans::Explain { prefix: "EXPLAIN", column: 0, scan: "Seq Scan on", analyze: "ANALYZE" };
    assert_eq!(plans::whole_scans(engine, explain).expect("answers"), [] as [&str; 0]);
}
