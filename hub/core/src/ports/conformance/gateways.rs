//! What every store must do with gateways and the devices behind them.

use super::{code, key};
use crate::model::{Gateway, Page, ProblemCode};
use crate::ports::store::Store;

/// A device is bound to one gateway at most, and lists go by the devices.
pub fn gateways(store: &dyn Store) {
    store.add_device("P1c", "P1", "c", &mut key).expect("added");
    assert_eq!(store.bind("P1a", "P1c"), Ok(None));
    assert_eq!(store.bind("P1a", "P1b"), Ok(None));
    for gateway in ["P1a", "P1c"] {
        assert_eq!(store.bind(gateway, "P1b"), Ok(Some("P1a".to_owned())));
    }
    assert_eq!(code(store.bind("P1x", "P1a")), Some(ProblemCode::DeviceUnknown));
    assert_eq!(code(store.bind("P1a", "P1x")), Some(ProblemCode::DeviceUnknown));
    assert_eq!(store.gateway_of("P1b"), Ok(Some("P1a".to_owned())));
    assert_eq!(store.gateway_of("P1a"), Ok(None));
    let bound = |gateway: &Gateway| gateway.devices.iter().map(|device| device.client_id.clone()).collect::<Vec<_>>();
    let gateway = store.gateway("P1a").expect("a gateway");
    assert_eq!((gateway.client_id.as_str(), bound(&gateway)), ("P1a", vec!["P1b".to_owned(), "P1c".to_owned()]));
    assert_eq!(store.gateways(("", ""), "", 9), Ok(vec![gateway.clone()]));
    // Pages go by the devices.
    let [first, rest] = [("", ""), ("P1a", "P1b")].map(|after| store.gateways(after, "P1a", 1).expect("gateways"));
    assert_eq!((bound(&first[0]), bound(&rest[0])), (vec!["P1b".to_owned()], vec!["P1c".to_owned()]));
    assert_eq!((store.gateways(("", ""), "b", 9), store.gateways(("P1a", "P1c"), "", 9)), (Ok(vec![]), Ok(vec![])));
    let behind = |page: &Page| store.gateway_devices("P1a", page).map(|devices| devices.len());
    assert_eq!((behind(&Page::first()), behind(&Page { search: "c".to_owned(), ..Page::first() })), (Ok(2), Ok(1)));
    assert_eq!(behind(&Page { after: Some("P1b".to_owned()), ..Page::first() }), Ok(1));
    assert_eq!(code(store.gateway_devices("P1x", &Page::first())), Some(ProblemCode::DeviceUnknown));
    assert_eq!(store.gateway("P1b").map(|gateway| gateway.devices), Ok(Vec::new()));
    assert_eq!(code(store.gateway("P1x")), Some(ProblemCode::DeviceUnknown));

    assert_eq!(store.unbind("P1b", "P1c"), Ok(false));
    assert_eq!(store.unbind("P1a", "P1c"), Ok(true));
    assert_eq!(store.unbind("P1a", "P1c"), Ok(false));
    assert_eq!(store.bind("P1a", "P1c"), Ok(None));
    assert_eq!(store.unbind_all("P1a"), Ok(gateway));
    assert_eq!(store.gateways(("", ""), "", 9), Ok(Vec::new()));
    // What is removed is bound no more, as a device and as a gateway.
    for (gateway, device) in [("P1a", "P1b"), ("P1b", "P1c")] {
        assert_eq!(store.bind(gateway, device), Ok(None));
    }
    store.remove_device("P1b", 9).expect("removed");
    assert_eq!(store.gateways(("", ""), "", 9), Ok(Vec::new()));
    assert_eq!(store.gateway_of("P1c"), Ok(None));
}
