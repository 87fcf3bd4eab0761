//! Lists of devices that are longer than what goes into one statement.

use crate::devices::Devices;
use crate::model::{Page, ProblemKind};
use crate::ports::store::Store;

/// Devices with these names and secrets, and a tag of two.
fn list(devices: impl Iterator<Item = (String, &'static str)>) -> Devices {
    let entry = |(at, (name, secret)): (usize, (String, &str))| {
        let tag = at % 2;
        format!(r#"{{"productId":"P2","deviceName":"{name}","deviceSecret":"{secret}","tags":["t{tag}"]}}"#)
    };
    let entries: Vec<String> = devices.enumerate().map(entry).collect();
    Devices::parse(&format!(r#"{{"devices":[{}]}}"#, entries.join(","))).expect("good list")
}

pub fn long_lists(store: &dyn Store) {
    let names = |count: usize| (0..count).map(|at| format!("d{at:04}"));
    store.import(&list(names(2345).map(|name| (name, "AQID")))).expect("imported");
    let tagged = |tag: &str| store.tags("P2", &Page::first()).expect("tags").into_iter().find(|t| t.tag == tag);
    let devices = |tag: &str| tagged(tag).map(|tag| tag.devices);
    let key = |name: &str| store.find_device(&format!("P2{name}")).expect("an answer").and_then(|device| device.key);
    assert_eq!((store.device_count("P2"), devices("t0"), devices("t1")), (Ok(2345), Some(1173), Some(1172)));
    assert_eq!((key("d0000"), key("d2344"), key("d2345")), (Some(vec![1, 2, 3]), Some(vec![1, 2, 3]), None));

    // Again, with another secret here and there, and one more.
    let again = names(2346).map(|name| if name.ends_with("77") { (name, "BAUG") } else { (name, "AQID") });
    store.import(&list(again)).expect("imported again");
    assert_eq!((store.device_count("P2"), devices("t0"), devices("t1")), (Ok(2346), Some(1173), Some(1173)));
    let keys = [key("d0077"), key("d2277"), key("d0078"), key("d2345")].map(|key| key.expect("a secret"));
    assert_eq!(keys, [vec![4, 5, 6], vec![4, 5, 6], vec![1, 2, 3], vec![1, 2, 3]]);

    // The last one is somebody else's client id: nobody is added.
    let other = r#"{"devices":[{"productId":"P2","deviceName":"more"},{"productId":"P2d","deviceName":"2344"}]}"#;
    let problem = store.import(&Devices::parse(other).expect("good list")).expect_err("must be refused");
    assert!(problem.kind == ProblemKind::Conflict && problem.detail.contains("P2d2344"), "{problem:?}");
    assert_eq!(store.device_count("P2"), Ok(2346));
}
