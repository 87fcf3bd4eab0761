//! A hub without a network: devices are the broker's attachments, and their reports are handed in.

mod desk;

use rumqttc::mqttbytes::v4::Publish;
use rumqttc::mqttbytes::QoS;
use tokio::sync::broadcast;

use hub_core::firmware::Measured;
use hub_core::hub::now_ms;
use hub_core::model::{
    AddDevice, AddFirmware, Change, Counts, DeviceFilter, Firmware, FirmwareFilter, JobFilter, OrderUpgrade, Page,
    ProblemKind, Proof, RollOutPlan, Scope, SeenFilter, State, UpgradeFilter,
};
use hub_core::operations::Upload;
use hub_core::ports::store::{Store, Stored};
use hub_core::ports::Uplink;

use desk::{commands, desk, hub, name, order, refused, Desk};

/// How often what several threads do at once is tried.
const ROUNDS: usize = 200;

fn every_firmware(desk: &Desk) -> Vec<Firmware> {
    desk.hub.firmware_list(&FirmwareFilter::default(), &Page::first()).expect("list").firmware
}

#[test]
fn uploads_that_are_turned_down_leave_nothing() {
    let desk = desk();
    let (invalid, conflict) = (ProblemKind::Invalid, ProblemKind::Conflict);
    for (product_id, version) in [("", "1"), ("../P1", "1"), (".P1", "1"), ("P/1", "1"), ("P123456789A", "1")] {
        refused(desk.take_in(name(product_id, version), b"x"), invalid, "product id");
    }
    for version in ["", "1\n", "123456789012345678901234567890123"] {
        refused(desk.take_in(name("P1", version), b"x"), invalid, "version");
    }
    refused(desk.take_in(name("P1", &"\u{1f680}".repeat(32)), b"x"), invalid, "too long a file name");
    refused(desk.take_in(AddFirmware { name: "n".repeat(101), ..name("P1", "1") }, b"x"), invalid, "name");
    refused(desk.take_in(AddFirmware { md5: Some("12".to_owned()), ..name("P1", "1") }, b"x"), invalid, "MD5");
    refused(
        desk.take_in(AddFirmware { md5: Some("0".repeat(32)), ..name("P1", "1") }, b"abc"),
        invalid,
        "900150983cd24fb0",
    );
    refused(desk.take_in(name("P1", "1"), b""), invalid, "empty");
    refused(desk.hub.upload(name("P1", "1"), None).and_then(Upload::finish), invalid, "empty");
    refused(desk.hub.upload(name("P1", "1"), Some(1 << 32)).map(drop), ProblemKind::TooLarge, "4 GiB");
    let mut short = desk.hub.upload(name("P1", "1"), Some(3)).expect("an upload");
    short.write(b"ab").expect("room");
    refused(short.finish(), invalid, "whole");
    drop(desk.hub.upload(name("P1", "1"), Some(3)).expect("an upload"));
    assert_eq!(desk.in_firmware_folder(), [] as [&str; 0]);

    let what = AddFirmware { md5: Some("900150983CD24FB0D6963F7D28E17F72".to_owned()), ..name("P1", "a/b ü") };
    let mut rival = desk.hub.upload(what.clone(), None).expect("an upload");
    let firmware = desk.take_in(what.clone(), b"abc").expect("an upload");
    assert_eq!((firmware.size, firmware.md5.as_str()), (3, "900150983cd24fb0d6963f7d28e17f72"));
    assert_eq!(desk.in_firmware_folder().len(), 2);
    rival.write(b"abc").expect("room");
    refused(rival.finish(), conflict, "already has");
    refused(desk.take_in(what, b"abc"), conflict, "a/b ü");
    assert_eq!(desk.in_firmware_folder(), ["P1_a%2Fb%20%C3%BC.bin"]);
    let content = std::fs::read(desk.folder.path().join("firmware/P1_a%2Fb%20%C3%BC.bin")).expect("file");
    assert_eq!(content, b"abc");
    assert_eq!(every_firmware(&desk), [firmware]);

    // Two products' firmware must not come to lie in one file.
    desk.take_in(name("P", "1_2"), b"x").expect("an upload");
    refused(desk.take_in(name("P_1", "2"), b"x"), conflict, "same file name");
}

#[test]
fn a_report_that_is_not_kept_is_not_acknowledged() {
    let desk = desk();
    let database = rusqlite::Connection::open(desk.folder.path().join("hub.db")).expect("the hub's database");
    let full = "CREATE TRIGGER full BEFORE UPDATE ON devices BEGIN SELECT RAISE(FAIL, 'full'); END";
    database.execute_batch(full).expect("a trigger");
    let payload = r#"{"type":"report_version","report":{"version":"1.0"}}"#;
    let report = Publish::new("$ota/report/P1/a", QoS::AtLeastOnce, payload);
    assert!(!desk.hub.device_message("P1a", &report));
    database.execute_batch("DROP TRIGGER full").expect("no trigger");
    assert!(desk.hub.device_message("P1a", &report));
    // What makes no sense would make none the next time.
    assert!(desk.hub.device_message("P1a", &Publish::new("$ota/report/P1/a", QoS::AtLeastOnce, "nonsense")));
}

#[test]
fn a_long_reason_of_a_failure_is_shown() {
    let desk = desk();
    desk.version("a", "1.0");
    let firmware = desk.firmware("2.0");
    desk.hub.order_upgrade(order(&firmware, Scope::All)).expect("order");
    let reason = format!("certificate of {}.example.com expired 2026-03-01", "ota".repeat(300));
    let progress = format!(r#"{{"state":"fail","result_code":"-5","result_msg":"{reason}"}}"#);
    let report = format!(r#"{{"progress":{progress},"version":"2.0"}}"#);
    desk.say("a", format!(r#"{{"type":"report_progress","report":{report}}}"#));
    let job = desk.hub.device_jobs("P1a", &Page::first()).expect("jobs").jobs.remove(0);
    let kept = job.result_msg.expect("a reason");
    assert!(kept.len() >= 256 && reason.starts_with(&kept), "{kept}");
}

#[test]
fn firmware_in_use_stays() {
    let desk = desk();
    let firmware = desk.firmware("2.0");
    let upgrade = desk.hub.order_upgrade(order(&firmware, Scope::All)).expect("order");
    refused(desk.hub.remove_firmware(firmware.id), ProblemKind::Conflict, "Upgrade 1 still needs");
    desk.progress("a", "downloading", "2.0");
    desk.hub.cancel_upgrade(upgrade.id).expect("cancelled");
    refused(desk.hub.remove_firmware(firmware.id), ProblemKind::Conflict, "Upgrade 1 still needs");
    desk.progress("a", "fail", "2.0");
    desk.hub.remove_firmware(firmware.id).expect("removed");
    assert_eq!(desk.in_firmware_folder(), [] as [&str; 0]);
    refused(desk.hub.remove_firmware(firmware.id), ProblemKind::Unknown, "no firmware 1");
    refused(desk.hub.order_upgrade(order(&firmware, Scope::All)), ProblemKind::Unknown, "no firmware 1");
    assert_eq!(
        desk.hub
            .upgrade_list(&UpgradeFilter::default(), &Page::first())
            .expect("list")
            .upgrades
            .first()
            .map(|order| order.firmware.clone()),
        Some(firmware)
    );
    desk.firmware("2.0");
}

#[test]
fn an_order_reaches_those_there_now_and_the_others_when_they_come() {
    let desk = desk();
    let mut a = desk.connect("a");
    desk.version("a", "1.0");
    let firmware = desk.firmware("2.0");
    let upgrade = desk.hub.order_upgrade(order(&firmware, Scope::All)).expect("order");
    assert_eq!(upgrade.counts, Counts { waiting: 2, running: 1, ..Counts::default() });
    assert_eq!(commands(&mut a), ["2.0"]);
    assert_eq!((desk.state("a"), desk.state("b")), (Some(State::Sent), Some(State::Waiting)));

    // It reports before it has subscribed: the sweep finds it.
    let mut b = desk.broker.attach("P1b", true);
    desk.version("b", "1.0");
    assert_eq!(desk.state("b"), Some(State::Waiting));
    desk.broker.subscribe("P1b", "$ota/update/P1/b", QoS::AtLeastOnce);
    desk.hub.sweep(now_ms() + 2000);
    assert_eq!(commands(&mut b), ["2.0"]);
    desk.hub.sweep(now_ms() + 2000);
    assert_eq!(commands(&mut b), [] as [&str; 0]);

    for (state, expected) in [("downloading", State::Downloading), ("burning", State::Burning), ("done", State::Done)] {
        desk.progress("a", state, "2.0");
        assert_eq!(desk.state("a"), Some(expected));
    }
    desk.progress("b", "fail", "2.0");
    assert_eq!(desk.counts(&upgrade), [1, 0, 1, 1, 0]);
    let job = desk.hub.device_jobs("P1b", &Page::first()).expect("jobs").jobs.remove(0);
    assert_eq!((job.result_code, job.result_msg.as_deref(), job.from_version.as_deref()), (Some(-4), Some("m"), None));

    // The order stands, but not for a device that it has already had.
    desk.version("b", "1.0");
    assert_eq!(commands(&mut b), [] as [&str; 0]);
    desk.hub
        .add_device(AddDevice {
            product_id: "P1".to_owned(),
            device_name: "d".to_owned(),
            proof: Proof::Secret,
            secret: None,
        })
        .expect("a device");
    let mut d = desk.connect("d");
    desk.version("d", "1.5");
    assert_eq!(commands(&mut d), ["2.0"]);
    desk.version("d", "2.0");
    assert_eq!(desk.counts(&upgrade), [1, 0, 2, 1, 0]);
}

#[test]
fn a_device_that_starts_anew_is_told_anew() {
    let desk = desk();
    let mut a = desk.connect("a");
    desk.version("a", "1.0");
    let firmware = desk.firmware("2.0");
    let chosen = OrderUpgrade { devices: vec!["P1a".to_owned()], ..order(&firmware, Scope::Chosen) };
    let upgrade = desk.hub.order_upgrade(chosen).expect("order");
    desk.progress("a", "downloading", "2.0");
    assert_eq!(commands(&mut a), ["2.0"]);
    desk.version("a", "1.0");
    assert_eq!(commands(&mut a), ["2.0"]);
    let job = desk.hub.device_jobs("P1a", &Page::first()).expect("jobs").jobs.remove(0);
    assert_eq!((job.state, job.percent), (State::Sent, None));
    desk.version("a", "2.0");
    assert_eq!(desk.counts(&upgrade), [0, 0, 1, 0, 0]);
    desk.version("a", "1.0");
    assert_eq!(commands(&mut a), [] as [&str; 0]);
}

#[test]
fn a_newer_order_replaces_and_a_cancelled_one_ends() {
    let desk = desk();
    let mut a = desk.connect("a");
    let (two, three) = (desk.firmware("2.0"), desk.firmware("3.0"));
    let first = desk.hub.order_upgrade(order(&two, Scope::All)).expect("order");
    desk.progress("a", "downloading", "2.0");
    let listed = OrderUpgrade { list: "a\nb\n".to_owned(), ..order(&three, Scope::Listed) };
    let second = desk.hub.order_upgrade(listed).expect("order");
    assert_eq!((desk.counts(&first), desk.counts(&second)), ([1, 0, 0, 0, 2], [1, 1, 0, 0, 0]));
    assert_eq!(commands(&mut a), ["2.0", "3.0"]);
    // What it still says of the former upgrade is of no account.
    desk.progress("a", "fail", "2.0");
    assert_eq!(desk.state("a"), Some(State::Sent));

    let cancelled = desk.hub.cancel_upgrade(second.id).expect("cancelled");
    assert!(cancelled.cancelled_at.is_some());
    assert_eq!(desk.counts(&second), [0, 0, 0, 0, 2]);
    desk.hub.cancel_upgrade(first.id).expect("cancelled");
    desk.version("a", "1.0");
    desk.hub.sweep(now_ms() + 2000);
    assert_eq!(commands(&mut a), [] as [&str; 0]);
    // It had been told, and went on.
    desk.progress("a", "burning", "3.0");
    assert_eq!(desk.state("a"), Some(State::Burning));
    refused(desk.hub.cancel_upgrade(99), ProblemKind::Unknown, "no upgrade 99");
    refused(desk.hub.upgrade_jobs(99, &JobFilter::default(), &Page::first()), ProblemKind::Unknown, "no upgrade 99");
}

#[test]
fn orders_that_make_no_sense_are_turned_down() {
    let desk = desk();
    let firmware = desk.firmware("2.0");
    let (invalid, conflict) = (ProblemKind::Invalid, ProblemKind::Conflict);
    let give = |what: OrderUpgrade| desk.hub.order_upgrade(what);
    let of = |scope| order(&firmware, scope);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    refused(give(of(Scope::Chosen)), invalid, "No device is chosen");
    refused(give(of(Scope::Listed)), invalid, "names no device");
    refused(give(OrderUpgrade { devices: names(&["P1a"]), ..of(Scope::All) }), invalid, "`devices`");
    refused(give(OrderUpgrade { list: "a".to_owned(), ..of(Scope::Chosen) }), invalid, "`list`");
    refused(
        give(OrderUpgrade { list: "a".to_owned(), from_versions: names(&["1"]), ..of(Scope::Listed) }),
        invalid,
        "`from_versions`",
    );
    refused(give(OrderUpgrade { from_versions: names(&[""]), ..of(Scope::All) }), invalid, "`from_versions`");
    refused(
        give(OrderUpgrade { devices: names(&["P1a", "P2x", "P1q"]), ..of(Scope::Chosen) }),
        invalid,
        r#""P1q", "P2x""#,
    );
    refused(give(OrderUpgrade { list: "a\n\nq\n".to_owned(), ..of(Scope::Listed) }), invalid, r#"line 3: "q""#);
    let endless = RollOutPlan { stages: vec![10, 50], ..RollOutPlan::default() };
    refused(give(OrderUpgrade { roll_out: Some(endless), ..of(Scope::All) }), invalid, "`stages`");
    desk.version("a", "2.0");
    refused(give(OrderUpgrade { devices: names(&["P1a"]), ..of(Scope::Chosen) }), conflict, "runs 2.0 already");
    let from = OrderUpgrade { devices: names(&["P1a"]), from_versions: names(&["1.0"]), ..of(Scope::Chosen) };
    refused(give(from), conflict, r#""1.0""#);
    assert!(desk.hub.upgrade_list(&UpgradeFilter::default(), &Page::first()).expect("list").upgrades.is_empty());

    let folder = tempfile::tempdir().expect("temporary folder");
    let off = Desk::open(folder, None);
    refused(off.hub.order_upgrade(order(&off.firmware("2.0"), Scope::All)), conflict, "switched off");
}

#[test]
fn devices_come_and_go() {
    let desk = desk();
    let invalid = ProblemKind::Invalid;
    let what = |name: &str, proof, secret: Option<&str>| AddDevice {
        product_id: "P1".to_owned(),
        device_name: name.to_owned(),
        proof,
        secret: secret.map(str::to_owned),
    };
    refused(desk.hub.add_device(what("../x", Proof::Secret, None)), invalid, "device name");
    refused(desk.hub.add_device(what("x", Proof::Secret, Some("%"))), invalid, "not base64");
    refused(desk.hub.add_device(what("x", Proof::Certificate, Some("eA=="))), invalid, "no secret");
    refused(desk.hub.add_device(what("a", Proof::Secret, None)), ProblemKind::Conflict, "P1a");
    let given = desk.hub.add_device(what("given", Proof::Secret, Some("MTIzNDU2"))).expect("a device");
    assert_eq!(given.secret.as_deref(), Some("MTIzNDU2"));
    assert_eq!(desk.hub.device("P1given").and_then(|device| device.key), Some(b"123456".to_vec()));
    let renewed = desk.hub.renew_device("P1given").expect("a secret").secret.expect("a secret");
    assert_eq!(renewed.len(), 24);
    assert_ne!(desk.hub.device("P1given").and_then(|device| device.key), Some(b"123456".to_vec()));

    let cert = desk.hub.add_device(what("cert", Proof::Certificate, None)).expect("a device");
    assert!(cert.secret.is_none());
    let pem = cert.certificate.expect("a certificate");
    assert!(pem.certificate.contains("BEGIN CERTIFICATE") && pem.private_key.contains("PRIVATE KEY"));
    let serial = desk.hub.device("P1cert").and_then(|device| device.serial).expect("a serial number");
    desk.hub.renew_device("P1cert").expect("a certificate");
    assert_ne!(desk.hub.device("P1cert").and_then(|device| device.serial), Some(serial));

    let firmware = desk.firmware("2.0");
    let upgrade = desk.hub.order_upgrade(order(&firmware, Scope::All)).expect("order");
    let connection = desk.connect("cert");
    desk.hub.remove_device("P1cert").expect("removed");
    assert!(desk.hub.device("P1cert").is_none());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    runtime.block_on(connection.cut.notified());
    assert_eq!(desk.counts(&upgrade), [4, 0, 0, 0, 1]);
    let unknown = ProblemKind::Unknown;
    refused(desk.hub.remove_device("P1cert"), unknown, "P1cert");
    refused(desk.hub.renew_device("P1cert"), unknown, "P1cert");
    refused(desk.hub.device_jobs("P1cert", &Page::first()), unknown, "P1cert");
}

fn kinds(changes: &mut broadcast::Receiver<Change>) -> Vec<&'static str> {
    std::iter::from_fn(|| changes.try_recv().ok())
        .map(|change| match change {
            Change::Firmware { .. } => "firmware",
            Change::FirmwareRemoved { .. } => "firmware removed",
            Change::Device { .. } => "device",
            Change::DeviceRemoved { .. } => "device removed",
            Change::Upgrade { .. } => "upgrade",
            Change::Job { .. } => "job",
            Change::Shadow { .. } => "shadow",
            Change::Gateway { .. } => "gateway",
            Change::Reset => "reset",
        })
        .collect()
}

#[test]
fn watchers_are_told() {
    let desk = desk();
    let mut changes = desk.hub.watch();
    let firmware = desk.firmware("2.0");
    assert_eq!(kinds(&mut changes), ["firmware"]);
    let listed = OrderUpgrade { list: "a".to_owned(), ..order(&firmware, Scope::Listed) };
    let upgrade = desk.hub.order_upgrade(listed).expect("order");
    assert_eq!(kinds(&mut changes), ["upgrade", "job"]);
    desk.version("a", "1.0");
    assert_eq!(kinds(&mut changes), ["upgrade", "device", "job"]);
    desk.progress("a", "downloading", "2.0");
    assert_eq!(kinds(&mut changes), ["upgrade", "job"]);
    desk.progress("a", "downloading", "2.0");
    assert_eq!(kinds(&mut changes), ["job"]);
    desk.progress("a", "downloading", "9.9");
    assert_eq!(kinds(&mut changes), [] as [&str; 0]);
    desk.progress("a", "done", "2.0");
    desk.hub.presence("P1a");
    assert_eq!(kinds(&mut changes), ["upgrade", "job", "device"]);
    desk.hub.cancel_upgrade(upgrade.id).expect("cancelled");
    assert_eq!(kinds(&mut changes), ["upgrade"]);
    desk.hub.remove_firmware(firmware.id).expect("removed");
    desk.hub.remove_device("P1a").expect("removed");
    assert_eq!(kinds(&mut changes), ["firmware removed", "device removed"]);

    desk.hub.notice_other_hubs();
    kinds(&mut changes);
    desk.hub.notice_other_hubs();
    assert_eq!(kinds(&mut changes), [] as [&str; 0]);
    let (other, ..) = hub(&desk.folder, None);
    other.remove_device("P1b").expect("removed");
    desk.hub.notice_other_hubs();
    assert_eq!(kinds(&mut changes), ["reset"]);
}

#[test]
fn what_watchers_are_told_last_is_how_things_are() {
    let desk = desk();
    let firmware = desk.firmware("2.0");
    let mut changes = desk.hub.watch();
    for _ in 0..ROUNDS {
        let listed = OrderUpgrade { list: "a\nb\nc".to_owned(), ..order(&firmware, Scope::Listed) };
        let upgrade = desk.hub.order_upgrade(listed).expect("order");
        std::thread::scope(|scope| {
            for device in ["a", "b", "c"] {
                let desk = &desk;
                scope.spawn(move || desk.progress(device, "done", "2.0"));
            }
        });
        let last = std::iter::from_fn(|| changes.try_recv().ok()).filter_map(|change| match change {
            Change::Upgrade { upgrade: told } if told.id == upgrade.id => Some(told.counts),
            _ => None,
        });
        assert_eq!(last.last(), Some(Counts { done: 3, ..Counts::default() }));
    }
}

#[test]
fn of_two_orders_at_once_a_device_hears_the_later_one_last() {
    let desk = desk();
    let firmware = [desk.firmware("2.0"), desk.firmware("3.0")];
    let mut a = desk.connect("a");
    for _ in 0..ROUNDS {
        std::thread::scope(|scope| {
            for firmware in &firmware {
                let listed = OrderUpgrade { list: "a".to_owned(), ..order(firmware, Scope::Listed) };
                let hub = &desk.hub;
                scope.spawn(move || hub.order_upgrade(listed).expect("order"));
            }
        });
        let later = desk.hub.device_jobs("P1a", &Page::first()).expect("jobs").jobs.remove(0);
        assert_eq!(commands(&mut a).last(), Some(&later.version));
    }
}

#[test]
fn the_command_line_offers_a_file_where_it_lies() {
    let desk = desk();
    let path = desk.folder.path().join("mine.bin");
    std::fs::write(&path, b"abc").expect("write");
    let products = ["P1".to_owned(), "P2".to_owned()];
    let put = |version: &str, on_report| {
        desk.store.offer(&products, &Measured::load(&path, version).expect("file"), on_report, now_ms())
    };
    let first = put("2.0", true).expect("an offer");
    assert_eq!(first.iter().map(|stored| stored.firmware.product_id.as_str()).collect::<Vec<_>>(), ["P1", "P2"]);
    assert_eq!(desk.in_firmware_folder(), [] as [&str; 0]);
    put("2.0", true).expect("the same offer");
    assert_eq!(desk.hub.upgrade_list(&UpgradeFilter::default(), &Page::first()).expect("orders").upgrades.len(), 2);

    // This order takes a device again and again.
    let mut a = desk.connect("a");
    desk.version("a", "1.0");
    desk.progress("a", "fail", "2.0");
    desk.version("a", "1.0");
    assert_eq!(commands(&mut a), ["2.0", "2.0"]);

    std::fs::write(&path, b"abcd").expect("write");
    let again = put("2.0", true).expect("another file");
    let of = |stored: &[Stored]| stored.first().map(|stored| (stored.firmware.id, stored.firmware.size));
    assert_eq!(of(&first).map(|(id, _)| (id, 4)), of(&again));
    put("3.0", true).expect("another version");
    desk.version("a", "1.0");
    assert_eq!(commands(&mut a), ["3.0"]);
    let standing = desk
        .hub
        .upgrade_list(&UpgradeFilter::default(), &Page::first())
        .expect("orders")
        .upgrades
        .into_iter()
        .filter(|order| order.cancelled_at.is_none());
    assert_eq!(standing.map(|order| order.firmware.version).collect::<Vec<_>>(), ["3.0", "3.0"]);

    desk.take_in(name("P2", "4.0"), b"other").expect("an upload");
    refused(put("4.0", false), ProblemKind::Conflict, "uploaded earlier");
    assert!(every_firmware(&desk).iter().all(|one| (one.product_id.as_str(), one.version.as_str()) != ("P1", "4.0")));
    desk.hub.remove_firmware(again.first().expect("firmware").firmware.id).expect("removed");
    assert!(path.exists());
}

#[test]
fn a_hub_that_ends_leaves_everything_to_the_next() {
    let desk = desk();
    desk.version("a", "1.0");
    let firmware = desk.firmware("2.0");
    let upgrade = desk.hub.order_upgrade(order(&firmware, Scope::All)).expect("order");
    let Desk { folder, hub, store, .. } = desk;
    drop((hub, store));
    let desk = Desk::open(folder, Some("http://localhost:1"));
    assert_eq!(every_firmware(&desk), [firmware]);
    let mut a = desk.connect("a");
    desk.hub.sweep(now_ms() + 2000);
    assert_eq!(commands(&mut a), ["2.0"]);
    assert_eq!(desk.counts(&upgrade), [2, 1, 0, 0, 0]);
}

#[test]
fn when_a_device_was_seen_is_written_once_a_minute() {
    let desk = desk();
    let written = || desk.store.device("P1a").expect("an answer").and_then(|device| device.seen_at);
    let told = || desk.hub.device_by_id("P1a").expect("a device").seen_at;
    assert_eq!((written(), told()), (None, None));
    let now = now_ms();
    desk.hub.sweep(now);
    desk.version("a", "1.0");
    desk.hub.sweep(now + 59_000);
    let first = told();
    assert!(written().is_none() && first >= Some(now), "{first:?}");
    desk.hub.sweep(now + 60_000);
    assert_eq!((written(), told()), (first, first));
    desk.version("a", "1.0");
    desk.hub.sweep(now + 119_000);
    assert!(written() == first && told() >= first);
    let devices = |seen| desk.hub.device_list(&DeviceFilter::default(), &SeenFilter { seen }, &Page::first());
    assert_eq!([Some(5), None].map(|seen| devices(seen).map(|list| list.devices.len())), [Ok(1), Ok(4)]);
}
