//! What every store must do, whatever is behind it.

mod gateways;
mod lists;
mod roll_outs;
mod seen;
mod tags;
mod users;

use std::any::Any;

use super::figures::Orders;
use super::messaging::NewRrpc;
use super::resources::ResourceReport;
use super::store::{Credential, Due, NewOrder, Store, Touched};
use crate::devices::Devices;
use crate::messaging::model::{ConfigDevice, Payload, RrpcState};
use crate::messaging::rrpc::Answer;
use crate::model::{
    AddFirmware, Change, DeviceFilter, Direction, Firmware, FirmwareFilter, Job, Page, Problem, ProblemCode,
    ProblemKind, Product, Proof, Resource, Scope, Signature, State, UpgradeFilter,
};
use crate::ota::message::Progress;
use crate::ota::rules::reaches;
use crate::shadow::Document;

/// An empty store, and what must live as long as it does.
pub type Opened = (Box<dyn Store>, Box<dyn Any>);

/// Runs the whole suite; each part gets a store of its own.
pub fn check(open: &mut dyn FnMut() -> Opened) {
    for part in [
        devices,
        lists::long_lists,
        firmware,
        orders,
        reports,
        claims,
        roll_outs::stages,
        roll_outs::stops,
        roll_outs::stopped_by_hand,
        roll_outs::stopped_at_once,
        roll_outs::hours,
        roll_outs::turns,
        roll_outs::late,
        reach,
        pages,
        shadows,
        products,
        gateways::gateways,
        requests,
        configs,
        logs,
        keys,
        agreement,
        resources,
        figures,
        users::users,
        users::audit,
        tags::tags,
        tags::tag_orders,
        tags::filters,
        seen::seen,
    ] {
        let (store, _keep) = open();
        import(&*store);
        part(&*store);
    }
}

fn import(store: &dyn Store) {
    let list = r#"{"devices":[{"productId":"P1","deviceName":"a"},{"productId":"P1","deviceName":"b"}]}"#;
    store.import(&Devices::parse(list).expect("good list")).expect("imported");
}

fn key() -> Result<Credential, Problem> {
    Ok(Credential::Key(vec![1, 2, 3]))
}

fn add_firmware(store: &dyn Store, version: &str) -> i64 {
    store.add_firmware(&a_firmware(version), &format!("P1_{version}"), &mut || Ok(())).expect("added")
}

fn a_firmware(version: &str) -> Firmware {
    Firmware {
        id: 0,
        product_id: "P1".to_owned(),
        version: version.to_owned(),
        name: String::new(),
        size: 3,
        md5: "0".repeat(32),
        created_at: 1,
        signature: None,
    }
}

fn order(store: &dyn Store, firmware_id: i64, scope: Scope, now: u64) -> i64 {
    let order = NewOrder { whatever_they_run: true, ..NewOrder::new(firmware_id, scope) };
    store.add_order(&order, now).expect("ordered").0
}

fn code<T>(outcome: Result<T, Problem>) -> Option<ProblemCode> {
    outcome.err().and_then(|problem| problem.code)
}

fn states(store: &dyn Store, upgrade: i64) -> Vec<State> {
    let (_, jobs) = store.upgrade_jobs(upgrade, &[], &Page::first()).expect("jobs");
    jobs.iter().map(|job| job.state).collect()
}

fn devices(store: &dyn Store) {
    assert_eq!(store.client_ids().as_deref(), Ok(&["P1a".to_owned(), "P1b".to_owned()][..]));
    let told =
        |after, limit| store.told(after, limit).expect("devices").into_iter().map(|told| told.0).collect::<Vec<_>>();
    assert_eq!((told("", 1), told("P1a", 9)), (vec!["P1a".to_owned()], vec!["P1b".to_owned()]));
    let added = store.add_device("P1c", "P1", "c", &mut key).expect("added");
    assert_eq!((added.client_id.as_str(), added.proof), ("P1c", Proof::Secret));
    let mut asked = false;
    let taken = store.add_device("P1c", "P", "1c", &mut || {
        asked = true;
        key()
    });
    assert_eq!((code(taken), asked), (Some(ProblemCode::ClientIdTaken), false));
    let unmade = store.add_device("P1d", "P1", "d", &mut || Err(Problem::new(ProblemKind::Internal, "no key")));
    assert!(unmade.is_err());
    assert_eq!(store.find_device("P1d").map(|device| device.is_none()), Ok(true));
    store.renew_device("P1c", &mut |_| Ok(Credential::Key(vec![9]))).expect("renewed");
    let found = store.find_device("P1c").expect("answer").expect("device");
    assert_eq!(found.key, Some(vec![9]));

    let upgrade = order(store, add_firmware(store, "2.0"), Scope::Chosen, 5);
    let touched = store.remove_device("P1c", 6).expect("removed");
    assert_eq!((touched.jobs.len(), touched.upgrades.contains(&upgrade)), (1, true));
    assert_eq!(states(store, upgrade), [State::Waiting, State::Waiting, State::Cancelled]);
    assert_eq!(code(store.remove_device("P1c", 7)), Some(ProblemCode::DeviceUnknown));
    assert_eq!(code(store.renew_device("P1c", &mut |_| key())), Some(ProblemCode::DeviceUnknown));
}

fn firmware(store: &dyn Store) {
    let unplaced =
        store.add_firmware(&a_firmware("2.0"), "P1_2.0", &mut || Err(Problem::new(ProblemKind::NoSpace, "full")));
    assert!(unplaced.is_err());
    let every = || store.firmware_list(&FirmwareFilter::default(), &Page::first()).expect("firmware");
    assert_eq!((every(), store.firmware_products()), (vec![], Ok(vec![])));
    let first = add_firmware(store, "2.0");
    let again = |version: &str, file: &str| code(store.add_firmware(&a_firmware(version), file, &mut || Ok(())));
    assert_eq!(again("2.0", "P1_2.0x"), Some(ProblemCode::FirmwareExists));
    assert_eq!(again("2.1", "P1_2.0"), Some(ProblemCode::FileNameTaken));
    let what = AddFirmware { product_id: "P1".to_owned(), version: "2.0".to_owned(), name: String::new(), md5: None };
    assert_eq!(code(store.check_firmware(&what, "P1_2.0")), Some(ProblemCode::FirmwareExists));

    let upgrade = order(store, first, Scope::All, 5);
    assert_eq!(code(store.remove_firmware(first, 6)), Some(ProblemCode::FirmwareNeeded));
    store.cancel_upgrade(upgrade, 7).expect("cancelled");
    store.remove_firmware(first, 8).expect("removed");
    assert_eq!(code(store.remove_firmware(first, 9)), Some(ProblemCode::FirmwareUnknown));
    // The history still knows it.
    assert_eq!(store.upgrade(upgrade).map(|upgrade| upgrade.firmware.id), Ok(first));
    assert!(add_firmware(store, "2.0") > first);

    let signature = Some(Signature { key_id: "0123456789abcdef".to_owned(), signed_at: 7 });
    let signed = Firmware { signature, ..a_firmware("4.0") };
    let id = store.add_firmware(&signed, "P1_4.0", &mut || Ok(())).expect("added");
    let list = every();
    assert_eq!((list.first(), list.len()), (Some(&Firmware { id, ..signed }), 2));
    assert_eq!(store.firmware_products(), Ok(vec!["P1".to_owned()]));
    let found = |filter: &FirmwareFilter, page: &Page| {
        let list = store.firmware_list(filter, page).expect("firmware");
        list.into_iter().map(|firmware| firmware.version).collect::<Vec<_>>()
    };
    let any = FirmwareFilter::default();
    let first = Page { limit: 1, ..Page::first() };
    assert_eq!(found(&any, &first), ["4.0"]);
    assert_eq!(found(&any, &Page { after: Some(id.to_string()), ..first.clone() }), ["2.0"]);
    for (search, count) in [("2", 1), ("P", 2), ("P1", 2), (".0", 0), ("p", 0)] {
        assert_eq!(found(&any, &Page { search: search.to_owned(), ..Page::first() }).len(), count, "{search}");
    }
    let of = |product: &str, version: &str| {
        let filter = FirmwareFilter { product: Some(product.to_owned()), version: Some(version.to_owned()) };
        found(&filter, &Page::first()).len()
    };
    assert_eq!([of("P1", "4.0"), of("P1", "4"), of("P2", "4.0")], [1, 0, 0]);
}

fn orders(store: &dyn Store) {
    let firmware = add_firmware(store, "2.0");
    let first = order(store, firmware, Scope::Chosen, 5);
    let second = order(store, firmware, Scope::Chosen, 6);
    assert_eq!(states(store, first), [State::Cancelled; 2]);
    assert_eq!(states(store, second), [State::Waiting; 2]);
    let gone = NewOrder::new(firmware + 1, Scope::All);
    assert_eq!(code(store.add_order(&gone, 7)), Some(ProblemCode::FirmwareUnknown));
    assert_eq!(store.upgrades(&UpgradeFilter::default(), &Page::first()).map(|upgrades| upgrades.len()), Ok(2));
    let in_state = |states: &[State], page: &Page| {
        let (_, jobs) = store.upgrade_jobs(second, states, page).expect("jobs");
        jobs.into_iter().map(|job| job.client_id).collect::<Vec<_>>()
    };
    store.report_progress("P1a", &report("downloading"), 7).expect("kept");
    assert_eq!(in_state(&[State::Waiting], &Page::first()), ["P1b"]);
    assert_eq!(in_state(&[State::Sent, State::Downloading], &Page::first()), ["P1a"]);
    assert_eq!(in_state(&[State::Downloading, State::Waiting], &Page { limit: 1, ..Page::first() }), ["P1a"]);
    assert_eq!(in_state(&[State::Failed], &Page::first()), [""; 0]);
    store.report_version("P1a", "P1", "1.0", 7).expect("kept");
    let (upgrade, touched) = store.cancel_upgrade(second, 8).expect("cancelled");
    assert_eq!((upgrade.counts.cancelled, touched.jobs.len()), (2, 2));
    assert_eq!(code(store.cancel_upgrade(second + 1, 9)), Some(ProblemCode::UpgradeUnknown));
    let changes = store.changes(&touched).expect("changes");
    assert!(matches!(changes.as_slice(), [Change::Upgrade { .. }, Change::Job { .. }, Change::Job { .. }]));
}

fn report(state: &str) -> Progress {
    let state = state.to_owned();
    let result_msg = Some("cause".to_owned());
    Progress { version: "2.0".to_owned(), state, percent: Some(7), result_code: Some(-5), result_msg }
}

fn reports(store: &dyn Store) {
    let upgrade = order(store, add_firmware(store, "2.0"), Scope::All, 5);
    let (tell, touched) = store.report_version("P1a", "P1", "1.0", 6).expect("kept");
    let job = tell.expect("a job");
    assert_eq!((job.upgrade_id, job.client_id.as_str()), (upgrade, "P1a"));
    assert!(touched.devices.contains("P1a") && touched.jobs.contains(&job.id));
    store.set_sent(&[job.id], 7).expect("kept");
    let touched = store.report_progress("P1a", &report("downloading"), 8).expect("kept");
    assert!(touched.jobs.contains(&job.id) && touched.upgrades.contains(&upgrade));
    // A report counts more than a command that has gone out.
    store.set_sent(&[job.id], 9).expect("kept");
    assert_eq!(states(store, upgrade), [State::Downloading, State::Waiting]);
    store.report_progress("P1a", &report("fail"), 10).expect("kept");
    let job = store.jobs(&[job.id]).expect("answer").pop().expect("job");
    assert_eq!((job.state, job.result_code, job.result_msg.as_deref()), (State::Failed, Some(-5), Some("cause")));
    let (tell, _) = store.report_version("P1b", "P1", "2.0", 11).expect("kept");
    assert_eq!((tell, states(store, upgrade)), (None, vec![State::Failed, State::Done]));
    // A device that came after the order is taken by it, once.
    store.add_device("P1c", "P1", "c", &mut key).expect("added");
    let (tell, _) = store.report_version("P1c", "P1", "1.0", 12).expect("kept");
    assert_eq!(tell.map(|job| job.upgrade_id), Some(upgrade));
    // The hub that was told takes it.
    let due = |taken| Due { waiting: 20, taken, told: 0, tries: 2 };
    assert_eq!(store.claim(&due(12), 20, 9).expect("jobs"), []);
    assert_eq!(store.claim(&due(13), 20, 9).expect("jobs").len(), 1);
}

fn claims(store: &dyn Store) {
    let upgrade = order(store, add_firmware(store, "2.0"), Scope::Chosen, 5);
    let waiting = |before, after, limit| store.waiting(before, after, limit).expect("jobs");
    assert_eq!(waiting(4, (0, 0), 9), []);
    let all = waiting(5, (0, 0), 9);
    assert_eq!(all.iter().map(|job| job.client_id.as_str()).collect::<Vec<_>>(), ["P1a", "P1b"]);
    assert_eq!((waiting(5, (0, 0), 1), waiting(5, all[0].at, 9)), (all[..1].to_vec(), all[1..].to_vec()));
    let ids = |jobs: Result<Vec<Job>, Problem>| jobs.expect("jobs").iter().map(|job| job.id).collect::<Vec<_>>();
    let due = |waiting, taken, told| Due { waiting, taken, told, tries: 2 };
    let first = ids(store.claim_first(upgrade, 1, 5));
    // Whoever comes next finds the other one, and who comes after that none.
    let second = ids(store.claim(&due(9, 0, 0), 6, 1));
    assert_eq!((first.len(), second.len(), first == second), (1, 1, false));
    assert_eq!((ids(store.claim_first(upgrade, 9, 6)), ids(store.claim(&due(9, 5, 0), 6, 9))), (vec![], vec![]));
    // Unless those who have them are dead.
    store.keep(&first, 8).expect("kept");
    assert_eq!(ids(store.claim(&due(9, 7, 0), 9, 9)), second);
    assert_eq!(ids(store.claim(&due(9, 8, 0), 9, 9)), first);
    let both = [first, second].concat();
    store.set_sent(&both, 10).expect("kept");
    store.keep(&both, 20).expect("they wait no more");
    assert_eq!(ids(store.claim(&due(20, 20, 10), 11, 9)).len(), 2);
    store.set_sent(&both, 12).expect("kept");
    assert!(ids(store.claim(&due(20, 20, 12), 13, 9)).is_empty());
}

/// Whom an order reaches is worked out by the database as it is by the rules.
fn reach(store: &dyn Store) {
    let firmware_id = add_firmware(store, "2.0");
    store.add_device("P2a", "P2", "a", &mut key).expect("added");
    for (id, version) in [("P1b", "1.0"), ("P1c", "1.1"), ("P1d", "2.0")] {
        if store.find_device(id).expect("answer").is_none() {
            store.add_device(id, "P1", &id[2..], &mut key).expect("added");
        }
        store.report_version(id, "P1", version, 1).expect("kept");
    }
    let running = [("P1a", None), ("P1b", Some("1.0")), ("P1c", Some("1.1")), ("P1d", Some("2.0"))];
    let versions = ["1.0".to_owned(), "1.1'".to_owned()];
    let named = ["P1a".to_owned(), "P1b".to_owned(), "P1d".to_owned(), "P2a".to_owned(), "P1none".to_owned()];
    for (scope, from_versions, named) in [
        (Scope::All, &[][..], None),
        (Scope::All, &versions, None),
        (Scope::Chosen, &[], Some(&named[..])),
        (Scope::Chosen, &versions, Some(&named)),
        (Scope::Listed, &[], Some(&named)),
    ] {
        let order = NewOrder { from_versions, named, ..NewOrder::new(firmware_id, scope) };
        let (upgrade, _) = store.add_order(&order, 5).expect("ordered");
        let (_, jobs) = store.upgrade_jobs(upgrade, &[], &Page::first()).expect("jobs");
        let reached: Vec<(&str, Option<&str>)> =
            jobs.iter().map(|job| (job.client_id.as_str(), job.from_version.as_deref())).collect();
        let is_named = |id: &str| named.is_none_or(|named| named.iter().any(|name| name == id));
        let wanted = running
            .into_iter()
            .filter(|(id, version)| is_named(id) && reaches(scope, from_versions, "2.0", *version))
            .collect::<Vec<_>>();
        assert_eq!(reached, wanted, "{scope:?} {from_versions:?}");
    }
    let before = store.upgrades(&UpgradeFilter::default(), &Page::first()).expect("orders");
    let there = ["P1d".to_owned()];
    let order = NewOrder { named: Some(&there), ..NewOrder::new(firmware_id, Scope::Chosen) };
    assert!(store.add_order(&order, 6).is_err_and(|problem| problem.kind == ProblemKind::Conflict));
    assert_eq!(store.upgrades(&UpgradeFilter::default(), &Page::first()), Ok(before));
    assert_eq!(store.unknown_devices("P1", &named), Ok(vec!["P1none".to_owned(), "P2a".to_owned()]));
    assert_eq!(store.device_products(), Ok(vec!["P1".to_owned(), "P2".to_owned()]));
    assert_eq!(store.device_count("P1"), Ok(4));
    let part = store.product_devices("P1", "P1a", 2).expect("devices");
    assert_eq!(part.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    let found = store.find_devices(&["P1a", "P1none", "P2a"]).expect("devices");
    assert_eq!(found.keys().collect::<Vec<_>>(), ["P1a", "P2a"]);
}

/// A page begins after the last entry of the one before, and has only what was searched for.
fn pages(store: &dyn Store) {
    for id in ["P2aa", "P2b", "P2a"] {
        store.add_device(id, "P2", &id[2..], &mut key).expect("added");
    }
    let page = |after: Option<&str>, search: &str, limit| Page {
        after: after.map(str::to_owned),
        search: search.to_owned(),
        limit,
    };
    let devices = |page: Page| {
        let devices = store.devices(&DeviceFilter::default(), None, &page).expect("devices");
        devices.into_iter().map(|device| (device.client_id, device.job.map(|job| job.upgrade_id))).collect::<Vec<_>>()
    };
    let firmware = add_firmware(store, "2.0");
    let (first, second) = (order(store, firmware, Scope::Chosen, 5), order(store, firmware, Scope::Chosen, 6));
    let of = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(), id.starts_with("P1").then_some(second))).collect();
    let all: Vec<_> = of(&["P1a", "P1b", "P2a", "P2aa", "P2b"]);
    assert_eq!(devices(page(None, "", 9)), all);
    assert_eq!(devices(page(Some("P1b"), "", 2)), all[2..4]);
    assert_eq!(devices(page(None, "a", 9)), of(&["P1a", "P2a", "P2aa"]));
    assert_eq!(devices(page(Some("P1a"), "a", 1)), of(&["P2a"]));
    assert_eq!(devices(page(None, "P2", 9)), all[2..]);
    assert_eq!((devices(page(None, "%", 9)), devices(page(None, "A", 9))), (vec![], vec![]));

    let orders = |page: Page| {
        let orders = store.upgrades(&UpgradeFilter::default(), &page).expect("orders");
        orders.into_iter().map(|order| (order.id, order.counts.waiting, order.counts.cancelled)).collect::<Vec<_>>()
    };
    assert_eq!(orders(page(None, "", 9)), [(second, 2, 0), (first, 0, 2)]);
    let after = second.to_string();
    assert_eq!((orders(page(Some(&after), "", 9)), orders(page(None, "", 1)).len()), (vec![(first, 0, 2)], 1));
    let count = |search| orders(page(None, search, 9)).len();
    assert_eq!((count("P1"), count("2."), count("1")), (2, 2, 0));

    let jobs = |page: Page| store.upgrade_jobs(second, &[], &page).expect("jobs").1;
    let both = jobs(page(None, "", 9));
    let after = both[0].id.to_string();
    assert_eq!(
        (both.len(), jobs(page(Some(&after), "", 9)), jobs(page(None, "", 1))),
        (2, both[1..].to_vec(), both[..1].to_vec())
    );
    assert_eq!((jobs(page(None, "b", 9)), jobs(page(None, "P1b", 9))), (both[1..].to_vec(), both[1..].to_vec()));
    assert_eq!(jobs(page(None, "P2", 9)), []);

    let history = |page: Page| store.device_jobs("P1a", &page).expect("jobs");
    let both = history(page(None, "", 9));
    let after = both[0].id.to_string();
    assert_eq!(
        (both.len(), history(page(Some(&after), "", 9)), history(page(None, "", 1))),
        (2, both[1..].to_vec(), both[..1].to_vec())
    );
    assert_eq!((history(page(None, "2.0", 9)).len(), history(page(None, "0", 9)).len()), (2, 0));
    assert!(store.device_jobs("P1a", &page(Some("x"), "", 9)).is_err());
}

fn products(store: &dyn Store) {
    assert_eq!((store.products(), store.product_secret("P1")), (Ok(Vec::new()), Ok(None)));
    let mut made = 0;
    let mut set = |enabled: bool, given: Option<&str>| {
        store.set_registration("P1", enabled, given, &mut || {
            made += 1;
            Ok(format!("made {made}"))
        })
    };
    set(true, None).expect("kept");
    set(false, None).expect("kept");
    assert_eq!(store.product_secret("P1"), Ok(Some(("made 1".to_owned(), false))));
    set(true, Some("given")).expect("kept");
    assert_eq!((store.product_secret("P1"), made), (Ok(Some(("given".to_owned(), true))), 1));
    assert!(store.set_registration("P2", true, None, &mut || Err(Problem::conflict("no"))).is_err());
    let product = Product { product_id: "P1".to_owned(), registration: true };
    assert_eq!(store.products(), Ok(vec![product]));
}

fn shadows(store: &dyn Store) {
    assert_eq!(store.shadow("P1a"), Ok(Document::default()));
    assert_eq!(code(store.shadow("P1x")), Some(ProblemCode::DeviceUnknown));
    let change = |client_id: &str, version: Option<u64>| {
        store.change_shadow(client_id, &mut |there| {
            let mut reported = there.reported.clone();
            reported.insert(format!("{client_id} \"{}\"", there.version), 0.5.into());
            Ok(version.map(|version| Document { reported, version, updated_at: 9, ..there.clone() }))
        })
    };
    change("P1a", Some(7)).expect("kept");
    change("P1a", Some(u64::from(u32::MAX) + 1)).expect("kept");
    change("P1a", None).expect("nothing to keep");
    let failed = store.change_shadow("P1a", &mut |_| Err(Problem::conflict("no")));
    assert!(failed.is_err());
    assert_eq!(code(change("P1x", Some(1))), Some(ProblemCode::DeviceUnknown));
    let kept = store.shadow("P1a").expect("a shadow");
    assert_eq!((kept.version, kept.updated_at), (u64::from(u32::MAX) + 1, 9));
    assert_eq!(kept.reported.keys().collect::<Vec<_>>(), ["P1a \"0\"", "P1a \"7\""]);
    assert_eq!(store.shadow("P1b"), Ok(Document::default()));
    let mut touched = Touched::default();
    touched.shadows.extend(["P1a".to_owned(), "P1b".to_owned()]);
    let changes = store.changes(&touched).expect("changes");
    assert!(matches!(changes.as_slice(), [Change::Shadow { shadow }] if shadow.version == kept.version));
    // A device that comes back under the name begins anew.
    store.remove_device("P1a", 10).expect("removed");
    store.add_device("P1a", "P1", "a", &mut key).expect("added");
    assert_eq!(store.shadow("P1a"), Ok(Document::default()));
}

fn requests(store: &dyn Store) {
    let ask = |client_id, now| {
        let request = NewRrpc { client_id, request: b"closed", timeout_ms: 10 };
        store.add_rrpc(&request, now).expect("kept")
    };
    let (first, second) = (ask("P1a", 100), ask("P1b", 100));
    assert!(second > first);
    let found = |id, now| store.rrpc(id, now).expect("answer").expect("a request");
    assert_eq!((found(first, 109).state, found(first, 110).state), (RrpcState::Waiting, RrpcState::TimedOut));
    // Another device's, and one that was never asked.
    assert_eq!(store.answer_rrpc("P1b", first, b"ok", 105), Ok(None));
    assert_eq!(store.answer_rrpc("P1b", second + 1, b"ok", 105), Ok(None));
    assert_eq!(store.answer_rrpc("P1a", first, b"\xff", 105), Ok(Some(Answer::InTime)));
    assert_eq!(store.answer_rrpc("P1a", first, b"more", 106), Ok(Some(Answer::Again)));
    assert_eq!(store.answer_rrpc("P1b", second, b"late", 110), Ok(Some(Answer::Late)));
    let rrpc = found(first, 200);
    assert_eq!((rrpc.state, rrpc.answers, rrpc.answered_at), (RrpcState::Answered, 2, Some(105)));
    assert_eq!((rrpc.request, rrpc.answer), (Payload::of(b"closed"), Some(Payload::of(b"\xff"))));
    assert_eq!((rrpc.asked_at, rrpc.timeout_ms), (100, 10));
    assert_eq!(found(second, 200).state, RrpcState::Late);
    // The newest 1000 stay, and no id comes again.
    for now in 201..1200 {
        ask("P1a", now);
    }
    let kept = store.rrpcs("P1a", 2000).expect("requests");
    assert!(kept.windows(2).all(|pair| pair[0].id > pair[1].id));
    assert_eq!((kept.len(), store.rrpc(first, 2000)), (999, Ok(None)));
    assert_eq!(store.rrpcs("P1b", 2000).map(|kept| kept.len()), Ok(1));
}

fn configs(store: &dyn Store) {
    assert_eq!(store.remote_config("P1"), Ok(None));
    let off = store.switch_remote_config("P1", false, 5).expect("kept");
    assert_eq!((off.version, off.payload, off.enabled, off.changed_at), (0, None, false, 5));
    let first = store.set_remote_config("P1", Some("{}"), 6).expect("kept");
    assert_eq!((first.version, first.payload.as_deref(), first.enabled, first.changed_at), (1, Some("{}"), false, 6));
    assert_eq!(store.switch_remote_config("P1", true, 7).map(|stored| (stored.version, stored.enabled)), Ok((1, true)));
    let gone = store.set_remote_config("P1", None, 8).expect("kept");
    assert_eq!((gone.version, gone.payload, gone.enabled), (2, None, true));
    let third = store.set_remote_config("P1", Some("{\"a\":1}"), 9).expect("kept");
    assert_eq!(store.remote_config("P1"), Ok(Some(third)));
    store.set_remote_config("P0", Some("{}"), 10).expect("kept");
    let all = store.remote_configs().expect("configurations");
    let all: Vec<_> = all.iter().map(|(product_id, stored)| (product_id.as_str(), stored.version)).collect();
    assert_eq!(all, [("P0", 1), ("P1", 3)]);

    let told = |client_id: &str, version, result, at| ConfigDevice {
        client_id: client_id.to_owned(),
        version,
        result,
        pushed: false,
        at,
    };
    let none = told("P1a", None, 1002, 5);
    store.note_remote_config("P1", &[none, told("P1gone", Some(1), 0, 6)]).expect("kept");
    let one = told("P1a", Some(3), 0, 7);
    store.note_remote_config("P1", &[told("P1b", Some(1), 0, 6), one.clone()]).expect("kept");
    assert_eq!(store.remote_config_devices("P1", &Page::first()), Ok(vec![one, told("P1b", Some(1), 0, 6)]));
    assert_eq!(store.remote_config_devices("P0", &Page::first()), Ok(Vec::new()));
}

fn keys(store: &dyn Store) {
    assert_eq!(store.shared_key("ca.key"), Ok(None));
    store.share_key("ca.key", b"\0\xff").expect("kept");
    store.share_key("ca.key", b"other").expect("kept");
    store.share_key("signing.key", b"").expect("kept");
    assert_eq!(store.shared_key("ca.key"), Ok(Some(b"\0\xff".to_vec())));
    assert_eq!(store.shared_key("signing.key"), Ok(Some(Vec::new())));
}

fn agreement(store: &dyn Store) {
    let agree = |next: Option<&str>| {
        let mut seen = String::new();
        let mut change = |text: &str| {
            seen = text.to_owned();
            next.map(str::to_owned)
        };
        store.agree(&mut change).expect("agreed");
        seen
    };
    assert_eq!(agree(None), "");
    assert_eq!(agree(Some("a longer text")), "");
    assert_eq!(agree(Some("short")), "a longer text");
    assert_eq!(agree(None), "short");
    assert_eq!(agree(None), "short");
}

fn logs(store: &dyn Store) {
    let lines = |from: usize, to: usize| (from..to).map(|line| format!("line {line}")).collect::<Vec<_>>();
    store.add_log("P1a", Some(7), &lines(0, 3), 10).expect("kept");
    store.add_log("P1b", None, &lines(0, 1), 11).expect("kept");
    let kept = store.log("P1a", None, 2).expect("lines");
    assert_eq!(kept.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["line 1", "line 2"]);
    assert_eq!(kept.first().map(|line| (line.sent_at, line.received_at)), Some((Some(7), 10)));
    let after = kept.first().map(|line| line.id);
    assert_eq!(store.log("P1a", after, 9).map(|kept| kept.len()), Ok(1));
    store.add_log("P1a", None, &lines(3, 5003), 12).expect("kept");
    let kept = store.log("P1a", None, 9000).expect("lines");
    let ends = (kept.first().map(|line| line.text.as_str()), kept.last().map(|line| line.text.as_str()));
    assert_eq!((kept.len(), ends), (5000, (Some("line 3"), Some("line 5002"))));
    assert_eq!(store.log("P1b", None, 9).map(|kept| kept.len()), Ok(1));
    store.clear_log("P1a").expect("cleared");
    assert_eq!(store.log("P1a", None, 9), Ok(Vec::new()));
    assert_eq!(store.log_level("P1a"), Ok(None));
    store.set_log_level("P1a", 3).expect("kept");
    store.set_log_level("P1a", 4).expect("kept");
    assert_eq!((store.log_level("P1a"), store.log_level("P1b")), (Ok(Some(4)), Ok(None)));
}

fn figures(store: &dyn Store) {
    let count = |state| {
        let open = store.open_jobs().expect("jobs");
        open.into_iter().filter(|(of, _)| *of == state).map(|(_, count)| count).sum::<u64>()
    };
    store.answers().expect("an answer");
    assert_eq!((count(State::Waiting), store.orders()), (0, Ok(Orders::default())));
    let first = order(store, add_firmware(store, "2.0"), Scope::Chosen, 5);
    order(store, add_firmware(store, "3.0"), Scope::Chosen, 6);
    store.report_progress("P1a", &Progress { version: "3.0".to_owned(), ..report("burning") }, 7).expect("kept");
    assert_eq!((count(State::Waiting), count(State::Burning)), (1, 1));
    store.report_progress("P1a", &Progress { version: "3.0".to_owned(), ..report("done") }, 8).expect("kept");
    store.cancel_upgrade(first, 9).expect("cancelled");
    assert_eq!((count(State::Waiting), count(State::Burning), count(State::Done)), (1, 0, 0));
    assert_eq!(store.orders(), Ok(Orders { given: 1, cancelled: 1 }));
    assert_eq!(store.failures(), 0);
    // What is asked for in vain is no failure of the database.
    assert!(store.cancel_upgrade(9999, 9).is_err());
    assert_eq!(store.failures(), 0);
}

fn resources(store: &dyn Store) {
    let file = |name: &str, direction| Resource {
        client_id: "P1a".to_owned(),
        direction,
        name: name.to_owned(),
        size: 3,
        md5: "0".repeat(32),
        state: "waiting".to_owned(),
        ..Resource::default()
    };
    assert_eq!(store.open_download("P1a"), Ok(None));
    let up = store.add_resource(&file("n", Direction::Upload), 1).expect("added");
    let first = store.add_resource(&file("n", Direction::Download), 2).expect("added");
    let second = store.add_resource(&file("m", Direction::Download), 3).expect("added");
    let ids = store.resources("P1a").expect("resources").iter().map(|resource| resource.id).collect::<Vec<_>>();
    assert_eq!(ids, [second, first, up]);
    assert_eq!(store.resources("P1b"), Ok(Vec::new()));
    assert_eq!(store.open_download("P1a").map(|open| open.map(|open| open.id)), Ok(Some(first)));
    let mut report = ResourceReport {
        direction: Direction::Download,
        name: "n",
        state: "downloading",
        percent: Some(31),
        result_code: 0,
        result_msg: "",
    };
    let told = store.report_resource("P1a", &report, 4).expect("kept").expect("a resource");
    assert_eq!((told.id, told.state.as_str(), told.percent, told.changed_at), (first, "downloading", Some(31), 4));
    report = ResourceReport { state: "fail", percent: None, result_code: -4, result_msg: "why", ..report };
    let told = store.report_resource("P1a", &report, 5).expect("kept").expect("a resource");
    assert_eq!((told.percent, told.result_code, told.result_msg.as_deref()), (Some(31), Some(-4), Some("why")));
    assert_eq!(store.report_resource("P1a", &report, 6), Ok(None), "it has ended");
    assert_eq!(store.open_download("P1a").map(|open| open.map(|open| open.id)), Ok(Some(second)));
    store.resource_stored(up, 7).expect("kept");
    let stored = store.resource(up).expect("read").expect("a resource");
    assert_eq!((stored.stored, stored.direction, stored.changed_at), (true, Direction::Upload, 7));
    assert_eq!(store.resource(999), Ok(None));
}
