//! What every store must do with tags, and with lists and orders that go by them.

use super::{add_firmware, code, key, states};
use crate::devices::{Devices, MAX_TAGS};
use crate::model::{DeviceFilter, Page, ProblemCode, RunningVersion, Scope, State, Tag, UpgradeFilter};
use crate::ports::store::{NewOrder, Reachable, Store};
use crate::ports::tags::Tagged;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn tags_of(store: &dyn Store, client_id: &str) -> Vec<String> {
    store.device(client_id).expect("answer").expect("device").tags
}

fn counts(store: &dyn Store, page: &Page) -> Vec<(String, u64)> {
    let tags = store.tags("P1", page).expect("tags");
    tags.into_iter().map(|Tag { tag, devices }| (tag, devices)).collect()
}

fn page(after: Option<&str>, search: &str, limit: u64) -> Page {
    Page { after: after.map(str::to_owned), search: search.to_owned(), limit }
}

fn filter(product: Option<&str>, tag: Option<&str>, version: Option<&str>) -> DeviceFilter {
    let [product, tag, version] = [product, tag, version].map(|text| text.map(str::to_owned));
    DeviceFilter { product, tag, version }
}

/// A device has the tags that it was given, until they are taken from it or it goes.
pub fn tags(store: &dyn Store) {
    store.set_tags("P1a", &texts(&["x", "w", "x"])).expect("kept");
    assert_eq!(tags_of(store, "P1a"), ["w", "x"]);
    store.set_tags("P1a", &texts(&["x", "工厂-1"])).expect("kept");
    assert_eq!(tags_of(store, "P1a"), ["x", "工厂-1"]);
    assert_eq!(code(store.set_tags("P1x", &[])), Some(ProblemCode::DeviceUnknown));

    // Of many: those that are named, or those that are found.
    let both = texts(&["P1a", "P1b"]);
    let (count, some) = store.change_tags(Tagged::Named(&both), &texts(&["y"]), &texts(&["x"]), 1).expect("kept");
    assert_eq!((count, some.len()), (2, 1));
    assert_eq!((tags_of(store, "P1a"), tags_of(store, "P1b")), (texts(&["y", "工厂-1"]), texts(&["y"])));
    let unknown = store.change_tags(Tagged::Named(&texts(&["P1a", "P1x"])), &texts(&["z"]), &[], 0);
    assert_eq!((code(unknown), tags_of(store, "P1a").len()), (Some(ProblemCode::DeviceUnknown), 2));
    store.add_device("P2a", "P2", "a", &mut key).expect("added");
    store.report_version("P1b", "P1", "1.0", 1).expect("kept");
    let found = |filter: &DeviceFilter, search: &str, add: &[&str], remove: &[&str]| {
        store.change_tags(Tagged::Found(filter, search), &texts(add), &texts(remove), 0).expect("kept").0
    };
    // What they are found by may be what is taken from them.
    assert_eq!(found(&filter(Some("P1"), Some("y"), None), "", &["z"], &["y"]), 2);
    assert_eq!(counts(store, &page(None, "", 9)), [("z".to_owned(), 2), ("工厂-1".to_owned(), 1)]);
    assert_eq!(found(&filter(Some("P1"), None, Some("1.0")), "", &["v"], &[]), 1);
    assert_eq!(found(&filter(Some("P1"), None, Some("")), "", &["n"], &[]), 1);
    assert_eq!((tags_of(store, "P1a"), tags_of(store, "P1b")), (texts(&["n", "z", "工厂-1"]), texts(&["v", "z"])));
    let searched = ["b", "P1b", "P", "%"].map(|search| found(&filter(Some("P1"), None, None), search, &["s"], &["s"]));
    assert_eq!(searched, [1, 1, 2, 0]);
    assert_eq!(
        (counts(store, &page(Some("n"), "", 1)), counts(store, &page(None, "工", 9))),
        (vec![("v".to_owned(), 1)], vec![("工厂-1".to_owned(), 1)])
    );
    assert_eq!(store.tags("P2", &Page::first()), Ok(Vec::new()));

    // One too many for one device: nothing changes for any.
    let many: Vec<String> = (0..MAX_TAGS).map(|n| format!("t{n}")).collect();
    store.set_tags("P1a", &many).expect("kept");
    let full = store.change_tags(Tagged::Named(&both), &texts(&["more"]), &texts(&["v"]), 0);
    assert_eq!((code(full), tags_of(store, "P1b")), (Some(ProblemCode::TagsTooMany), texts(&["v", "z"])));
    store.change_tags(Tagged::Named(&both), &texts(&["more"]), &texts(&["t0"]), 0).expect("one goes, one comes");
    assert_eq!(code(store.set_tags("P1b", &[many, texts(&["more"])].concat())), Some(ProblemCode::TagsTooMany));
    assert_eq!(tags_of(store, "P1b"), ["more", "v", "z"]);

    // They go with the device; a list gives those that it says.
    store.remove_device("P1b", 9).expect("removed");
    assert_eq!(counts(store, &page(None, "v", 9)), []);
    let list = r#"{"devices":[{"productId":"P1","deviceName":"a"},{"productId":"P1","deviceName":"b","tags":["l"]}]}"#;
    store.import(&Devices::parse(list).expect("good list")).expect("imported");
    assert_eq!((tags_of(store, "P1a").len(), tags_of(store, "P1b")), (MAX_TAGS, texts(&["l"])));
}

/// An order for a tag is for the devices that have it, also for those that get it later.
pub fn tag_orders(store: &dyn Store) {
    let firmware_id = add_firmware(store, "2.0");
    let order = |tag| NewOrder { tag: Some(tag), ..NewOrder::new(firmware_id, Scope::Tagged) };
    store.set_tags("P1a", &texts(&["x"])).expect("kept");
    let reachable = store.reach(&order("x"), 9).expect("worked out");
    assert_eq!(reachable, Reachable { devices: 1, replaced: 0, some: texts(&["P1a"]) });
    let (upgrade, _) = store.add_order(&order("x"), 5).expect("ordered");
    assert_eq!(store.reach(&order("x"), 0), Ok(Reachable { devices: 1, replaced: 1, some: Vec::new() }));
    let jobs = store.upgrade_jobs(upgrade, &[], &Page::first()).expect("jobs").1;
    assert_eq!(jobs.iter().map(|job| job.client_id.as_str()).collect::<Vec<_>>(), ["P1a"]);
    let kept = store.upgrade(upgrade).expect("an order");
    assert_eq!((kept.scope, kept.tag.as_deref()), (Scope::Tagged, Some("x")));
    let takes = |client_id| store.report_version(client_id, "P1", "1.0", 6).expect("kept").0.map(|job| job.upgrade_id);
    assert_eq!(takes("P1b"), None);
    store.set_tags("P1b", &texts(&["other", "x"])).expect("kept");
    assert_eq!(takes("P1b"), Some(upgrade));
    // It stands, so its firmware is needed and it may reach nobody yet.
    let (none, _) = store.add_order(&order("nobody"), 7).expect("ordered");
    assert_eq!(states(store, none), []);
    store.cancel_upgrade(upgrade, 8).expect("cancelled");
    assert_eq!(code(store.remove_firmware(firmware_id, 9)), Some(ProblemCode::FirmwareNeeded));
    store.cancel_upgrade(none, 10).expect("cancelled");
    assert_eq!(states(store, upgrade), [State::Cancelled; 2]);
    let ids = |active| {
        let orders = store.upgrades(&UpgradeFilter { active }, &Page::first()).expect("orders");
        orders.into_iter().map(|order| order.id).collect::<Vec<_>>()
    };
    let (standing, _) = store.add_order(&order("nobody"), 11).expect("ordered");
    assert_eq!(
        (ids(None), ids(Some(true)), ids(Some(false))),
        (vec![standing, none, upgrade], vec![standing], vec![none, upgrade])
    );
    store.cancel_upgrade(standing, 12).expect("cancelled");
    store.remove_firmware(firmware_id, 11).expect("removed");
}

/// Lists of devices by product, tag and version.
pub fn filters(store: &dyn Store) {
    for (id, version, tags) in [
        ("P2a", Some("1.0"), &["x"][..]),
        ("P2aa", Some("1.1"), &["x", "y"]),
        ("P2b", None, &["y"]),
        ("P1a", None, &["x"]),
    ] {
        if id != "P1a" {
            store.add_device(id, "P2", &id[2..], &mut key).expect("added");
        }
        if let Some(version) = version {
            store.report_version(id, "P2", version, 1).expect("kept");
        }
        store.set_tags(id, &texts(tags)).expect("kept");
    }
    let list = |filter: &DeviceFilter, page: &Page| {
        let devices = store.devices(filter, None, page).expect("devices");
        devices.into_iter().map(|device| device.client_id).collect::<Vec<_>>()
    };
    let all = page(None, "", 9);
    assert_eq!(list(&filter(Some("P2"), None, None), &all), ["P2a", "P2aa", "P2b"]);
    assert_eq!(list(&filter(None, Some("x"), None), &all), ["P1a", "P2a", "P2aa"]);
    assert_eq!(list(&filter(None, Some("x"), None), &page(Some("P1a"), "", 1)), ["P2a"]);
    assert_eq!(list(&filter(Some("P2"), Some("x"), None), &page(None, "aa", 9)), ["P2aa"]);
    assert_eq!(list(&filter(None, Some("x"), None), &page(None, "P2a", 9)), ["P2a", "P2aa"]);
    assert_eq!(list(&filter(Some("P2"), None, Some("1.1")), &all), ["P2aa"]);
    assert_eq!(list(&filter(None, None, Some("")), &all), ["P1a", "P1b", "P2b"]);
    assert_eq!(list(&filter(None, None, Some("")), &page(Some("P1a"), "", 1)), ["P1b"]);
    assert_eq!(list(&filter(None, Some("y"), Some("")), &all), ["P2b"]);
    assert_eq!(list(&filter(None, Some("x"), Some("1.0")), &all), ["P2a"]);
    assert_eq!(list(&filter(Some("P3"), None, None), &all), [""; 0]);
    let tags: Vec<_> = store.devices(&filter(Some("P2"), None, None), None, &all).expect("devices");
    assert_eq!(tags.iter().map(|device| device.tags.join(" ")).collect::<Vec<_>>(), ["x", "x y", "y"]);
    let one = |version: &str| RunningVersion { version: version.to_owned(), devices: 1 };
    assert_eq!(store.running_versions("P2", &all), Ok(vec![one("1.0"), one("1.1")]));
    assert_eq!(store.running_versions("P2", &page(Some("1.0"), "", 9)), Ok(vec![one("1.1")]));
}
