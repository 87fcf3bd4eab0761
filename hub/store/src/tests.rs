use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use rusqlite::Connection;
use tempfile::TempDir;

use super::engine::{Session, Writer};
use super::failed::{Failed, Work};
use super::*;
use hub_core::devices::{Device, Devices};
use hub_core::model::{
    AuditEntry, DeviceFilter, Firmware, FirmwareFilter, Page, Problem, ProblemKind, Scope, State, UpgradeFilter,
};
use hub_core::ports::conformance;
use hub_core::ports::store::{Due, Store, Touched};
use hub_core::ports::users::Users;
use upgrades::NewUpgrade;

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("hub.db");
    Place { _folder: folder, path }
}

fn open(path: &Path) -> Database {
    Database::open(path, true).expect("a database")
}

fn complaint(path: &Path) -> String {
    Database::open(path, true).err().expect("must be refused").to_string()
}

fn change<T>(store: &Database, work: impl FnMut(&dyn Session) -> Work<T>) -> T {
    store.engine.write(Writer::People, work).expect("a change")
}

fn look<T>(store: &Database, work: impl FnMut(&dyn Session) -> Work<T>) -> T {
    store.engine.read(work).expect("an answer")
}

fn import(store: &Database, names: &[&str]) {
    for name in names {
        let device = Device { product_id: "P1".to_owned(), device_name: (*name).to_owned(), key: None, serial: None };
        let client_id = format!("P1{name}");
        assert!(change(store, |db| devices::import(db, &[(&client_id, &device)])).is_none());
    }
}

fn firmware(store: &Database, version: &str) -> i64 {
    let firmware = Firmware {
        id: 0,
        product_id: "P1".to_owned(),
        version: version.to_owned(),
        name: String::new(),
        size: u64::from(u32::MAX),
        md5: "0".repeat(32),
        created_at: 5,
        signature: None,
    };
    change(store, |db| firmware::add(db, &firmware, &format!("P1_{version}"), None))
}

fn order(store: &Database, firmware_id: i64, scope: Scope) -> i64 {
    let versions = ["1.0".to_owned(), "ü\"".to_owned()];
    change(store, |db| {
        upgrades::add(db, &NewUpgrade { firmware_id, scope, from_versions: &versions, tag: None, again: false }, 10)
    })
}

#[test]
fn a_database_is_made_and_found_again() {
    let place = place();
    let store = open(&place.path);
    import(&store, &["a"]);
    for suffix in ["", "-wal", "-shm"] {
        let file = place.path.with_file_name(format!("hub.db{suffix}"));
        let mode = fs::metadata(&file).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "hub.db{suffix}");
    }
    drop(store);
    fs::set_permissions(&place.path, Permissions::from_mode(0o644)).expect("permissions");
    let store = open(&place.path);
    assert!(look(&store, |db| devices::find(db, "P1a")).is_some());
    assert_eq!(fs::metadata(&place.path).expect("file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_no_hubs_database_is_named() {
    let place = place();
    fs::write(&place.path, b"something else entirely, and longer than SQLite's own first line is").expect("write");
    let text = complaint(&place.path);
    assert!(text.contains("hub.db") && text.contains("no database") && text.contains("--state"), "{text}");

    fs::remove_file(&place.path).expect("remove");
    Connection::open(&place.path).and_then(|db| db.execute_batch("CREATE TABLE t (a)")).expect("a database");
    let text = complaint(&place.path);
    assert!(text.contains("not a hub's") && text.contains("--state"), "{text}");

    fs::remove_file(&place.path).expect("remove");
    drop(open(&place.path));
    Connection::open(&place.path).and_then(|db| db.pragma_update(None, "user_version", 1000)).expect("a pragma");
    assert!(complaint(&place.path).contains("later version"));

    let missing = place.path.join("no/such/folder/hub.db");
    assert!(complaint(&missing).contains("no/such/folder"));
}

#[test]
fn damage_is_found_at_start() {
    let place = place();
    let store = open(&place.path);
    import(
        &store,
        &(0..200).map(|n| format!("device{n}")).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(),
    );
    drop(store);
    let mut bytes = fs::read(&place.path).expect("database");
    // The last pages are of the devices; the first is left as it is.
    let end = bytes.len();
    for byte in bytes.get_mut(end / 2..).expect("second half") {
        *byte = 0x5a;
    }
    fs::write(&place.path, &bytes).expect("write");
    let text = complaint(&place.path);
    assert!(text.contains("damaged") && text.contains("put a copy of it back"), "{text}");

    bytes.truncate(end / 2);
    fs::write(&place.path, &bytes).expect("write");
    assert!(complaint(&place.path).contains("damaged"));
}

#[test]
fn hubs_that_start_at_once_share_a_database() {
    let place = place();
    let start = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (path, start) = (place.path.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                let store = open(&path);
                for m in 0..25 {
                    import(&store, &[&format!("device{n}x{m}")]);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread fails");
    }
    assert_eq!(
        look(&open(&place.path), |db| devices::list(db, &DeviceFilter::default(), None, &Page::first())).len(),
        100
    );
}

#[test]
fn changes_of_others_are_noticed_and_own_ones_are_not() {
    let place = place();
    let (one, two) = (open(&place.path), open(&place.path));
    let before = one.foreign_changes().expect("a number");
    import(&one, &["a"]);
    assert_eq!(one.foreign_changes(), Ok(before));
    import(&two, &["b"]);
    assert_ne!(one.foreign_changes(), Ok(before));
}

#[test]
fn what_fails_changes_nothing() {
    let place = place();
    let store = open(&place.path);
    let outcome = store.engine.write(Writer::People, |db| {
        let list = Devices::parse(r#"{"devices":[{"productId":"P1","deviceName":"a"}]}"#).expect("good list");
        for (client_id, device) in list.iter() {
            assert_eq!(devices::import(db, &[(client_id, device)])?, None);
        }
        Err::<(), _>(rusqlite::Error::InvalidQuery.into())
    });
    assert!(outcome.is_err());
    assert_eq!(look(&store, |db| devices::list(db, &DeviceFilter::default(), None, &Page::first())).len(), 0);
}

#[test]
fn one_client_id_is_one_device() {
    let place = place();
    let store = open(&place.path);
    import(&store, &["2a"]);
    let other = Device { product_id: "P12".to_owned(), device_name: "a".to_owned(), key: None, serial: None };
    assert_eq!(change(&store, |db| devices::import(db, &[("P12a", &other)])), Some("P12a"));
    let same = Device { product_id: "P1".to_owned(), device_name: "2a".to_owned(), key: Some(vec![7]), serial: None };
    assert_eq!(change(&store, |db| devices::import(db, &[("P12a", &same)])), None);
    let found = look(&store, |db| devices::find(db, "P12a")).expect("device");
    assert_eq!((found.product_id.as_str(), found.key), ("P1", Some(vec![7])));
}

#[test]
fn a_removed_firmware_stays_in_the_history_and_makes_room() {
    let place = place();
    let store = open(&place.path);
    let first = firmware(&store, "2.0");
    let upgrade = order(&store, first, Scope::Chosen);
    let twice = store.engine.write(Writer::People, |db| {
        let there = firmware::get(db, first)?.expect("firmware").firmware;
        firmware::add(db, &there, "P1_other", None)
    });
    assert!(twice.is_err());
    change(&store, |db| firmware::remove(db, first, 20));
    let second = firmware(&store, "2.0");
    assert!(second > first);
    let list = look(&store, |db| firmware::list(db, &FirmwareFilter::default(), &Page::first()));
    assert_eq!(list.iter().map(|firmware| firmware.id).collect::<Vec<_>>(), [second]);
    let upgrade = look(&store, |db| upgrades::get(db, upgrade)).expect("order");
    assert_eq!((upgrade.firmware.id, upgrade.firmware.size), (first, u64::from(u32::MAX)));
    assert_eq!(upgrade.from_versions, ["1.0", "ü\""]);
}

#[test]
fn a_later_job_ends_the_one_before() {
    let place = place();
    let store = open(&place.path);
    import(&store, &["a", "b"]);
    let firmware_id = firmware(&store, "2.0");
    let (one, two) = (order(&store, firmware_id, Scope::Chosen), order(&store, firmware_id, Scope::All));
    let (job, former) = change(&store, |db| upgrades::add_job(db, one, "P1a", Some("1.0"), None, 11));
    assert_eq!(former, None);
    assert_eq!(look(&store, |db| upgrades::needing(db, firmware_id)), Some(one));
    let (later, former) = change(&store, |db| upgrades::add_job(db, two, "P1a", None, None, 12));
    assert_eq!(former.map(|job| job.id), Some(job));
    let states: Vec<(i64, State)> = look(&store, |db| upgrades::device_jobs(db, "P1a", &Page::first()))
        .iter()
        .map(|job| (job.id, job.state))
        .collect();
    assert_eq!(states, [(later, State::Waiting), (job, State::Cancelled)]);

    change(&store, |db| upgrades::set_sent(db, &[later], 13));
    change(&store, |db| upgrades::set_sent(db, &[job], 13));
    let claim =
        |told, tries| change(&store, |db| upgrades::claim(db, &Due { waiting: 0, taken: 0, told, tries }, 13, 9));
    assert!(claim(13, 1).is_empty());
    assert!(claim(12, 2).is_empty());
    assert_eq!(claim(13, 2).iter().map(|job| (job.id, job.updated_at)).collect::<Vec<_>>(), [(later, 13)]);

    let counts: Vec<_> = look(&store, |db| upgrades::list(db, &UpgradeFilter::default(), &Page::first()))
        .iter()
        .map(|order| (order.id, order.counts))
        .collect();
    let of = |id| look(&store, |db| upgrades::get(db, id)).expect("order").counts;
    assert_eq!(counts, [(two, of(two)), (one, of(one))]);
    assert_eq!((of(two).running, of(one).cancelled), (1, 1));

    let cancel = |now| {
        change(&store, |db| {
            let mut touched = Touched::default();
            upgrades::cancel(db, two, now, &mut touched)?;
            Ok(touched.jobs.into_iter().collect::<Vec<_>>())
        })
    };
    assert_eq!((cancel(14), cancel(15)), (vec![later], vec![]));
    assert_eq!(of(two).cancelled, 1);
    assert_eq!(look(&store, |db| upgrades::needing(db, firmware_id)), None);
}

#[test]
fn devices_come_with_their_latest_jobs() {
    let place = place();
    let store = open(&place.path);
    import(&store, &["c", "a", "b"]);
    let order = order(&store, firmware(&store, "2.0"), Scope::All);
    // One job of a device that is gone, and one of a device after all others.
    for id in ["P1a", "P1aa", "P1c", "P1a", "P1z"] {
        change(&store, |db| upgrades::add_job(db, order, id, None, None, 11));
    }
    let list = look(&store, |db| devices::list(db, &DeviceFilter::default(), None, &Page::first()));
    let seen: Vec<_> =
        list.iter().map(|device| (device.client_id.as_str(), device.job.as_ref().map(|job| job.id))).collect();
    assert_eq!(seen, [("P1a", Some(4)), ("P1b", None), ("P1c", Some(3))]);
    let one = look(&store, |db| devices::get(db, "P1a")).expect("device");
    assert_eq!(list.first(), Some(&one));
    let standing = look(&store, |db| upgrades::standing(db, "P1", "P1b"));
    assert_eq!(standing.iter().map(|order| (order.upgrade_id, order.had_job)).collect::<Vec<_>>(), [(order, false)]);
}

#[test]
fn the_database_is_a_store() {
    conformance::check(&mut || {
        let place = place();
        let store = open(&place.path);
        (Box::new(store), Box::new(place))
    });
}

#[test]
fn a_full_disk_is_told_of() {
    let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
    let failed = Failed::from(rusqlite::Error::SqliteFailure(full, None));
    assert_eq!(Problem::from(failed).kind, ProblemKind::NoSpace);
}

#[test]
fn one_device_of_many_costs_what_one_of_few_does() {
    let place = place();
    let engine = Sqlite::open(&place.path, false).expect("a database");
    let explain = plans::Explain { prefix: "EXPLAIN QUERY PLAN", column: 3, scan: "SCAN", analyze: "" };
    assert_eq!(plans::whole_scans(engine, explain).expect("answers"), [] as [&str; 0]);
}

#[test]
fn an_earlier_hubs_database_is_brought_up_to_date_while_it_is_in_use() {
    let place = place();
    let (_, before) = schema::STEPS.split_last().expect("steps");
    let earlier = Connection::open(&place.path).expect("a database");
    earlier.execute_batch(&before.concat()).expect("the steps");
    earlier.pragma_update(None, "application_id", sqlite::APPLICATION_ID).expect("a pragma");
    earlier.pragma_update(None, "user_version", before.len() as i64).expect("a pragma");
    let mut add = earlier
        .prepare("INSERT INTO devices (client_id, product_id, device_name) VALUES (?1 || ?2, ?1, ?2)")
        .expect("a statement");
    add.execute(["P1", "a"]).expect("a device");
    let start = Barrier::new(3);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                start.wait();
                open(&place.path);
            });
        }
    });
    // By the statement that it has prepared.
    add.execute(["P1", "b"]).expect("another device");
    assert_eq!(open(&place.path).client_ids().as_deref(), Ok(&["P1a".to_owned(), "P1b".to_owned()][..]));
    let version: i64 = earlier.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a pragma");
    assert_eq!(version, schema::STEPS.len() as i64);
}

#[test]
fn of_the_audit_log_the_newest_entries_stay() {
    let place = place();
    let store = open(&place.path);
    let entry =
        |at| AuditEntry { id: 0, at, name: "alice".to_owned(), request: String::new(), status: 200, detail: None };
    for at in 1..=5 {
        change(&store, |db| users::note(db, &entry(at), 3));
    }
    let kept = store.audit(None, None, 9).expect("entries");
    assert_eq!(kept.iter().map(|entry| entry.at).collect::<Vec<_>>(), [5, 4, 3]);
}
