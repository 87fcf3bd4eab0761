//! When devices were seen.

use super::{code, key};
use crate::model::{DeviceFilter, Page, ProblemCode};
use crate::ports::store::Store;

pub fn seen(store: &dyn Store) {
    let at = |id: &str| store.device(id).expect("an answer").and_then(|device| device.seen_at);
    let note = |seen: &[(&str, u64)]| {
        let seen: Vec<_> = seen.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect();
        store.note_seen(&seen).expect("kept");
    };
    assert_eq!(at("P1a"), None);
    note(&[("P1a", 1_790_000_000_000), ("nobody", 5), ("P1b", 20)]);
    assert_eq!((at("P1a"), at("P1b")), (Some(1_790_000_000_000), Some(20)));
    // Another hub was late.
    note(&[("P1a", 10), ("P1b", 30)]);
    assert_eq!((at("P1a"), at("P1b")), (Some(1_790_000_000_000), Some(30)));
    note(&[]);

    store.add_device("P2c", "P2", "c", &mut key).expect("added");
    store.set_tags("P1b", &["x".to_owned()]).expect("kept");
    let found = |filter: &DeviceFilter, since: u64, search: &str| {
        let page = Page { search: search.to_owned(), ..Page::first() };
        let devices = store.devices(filter, Some(since), &page).expect("devices");
        devices.into_iter().map(|device| device.client_id).collect::<Vec<_>>()
    };
    let any = DeviceFilter::default();
    assert_eq!(found(&any, 1, ""), ["P1a", "P1b"]);
    assert_eq!(
        (found(&any, 30, ""), found(&any, 31, "")),
        (vec!["P1a".to_owned(), "P1b".to_owned()], vec!["P1a".to_owned()])
    );
    assert_eq!((found(&any, 1, "b"), found(&any, 31, "b")), (vec!["P1b".to_owned()], vec![]));
    let tagged = DeviceFilter { tag: Some("x".to_owned()), ..DeviceFilter::default() };
    assert_eq!((found(&tagged, 1, ""), found(&tagged, 31, "")), (vec!["P1b".to_owned()], vec![]));
    let other = DeviceFilter { product: Some("P2".to_owned()), ..DeviceFilter::default() };
    assert_eq!(found(&other, 1, ""), [] as [&str; 0]);

    // One that comes again has not been seen.
    store.remove_device("P1a", 40).expect("removed");
    assert_eq!(code(store.remove_device("P1a", 41)), Some(ProblemCode::DeviceUnknown));
    store.add_device("P1a", "P1", "a", &mut key).expect("added");
    assert_eq!(at("P1a"), None);
}
