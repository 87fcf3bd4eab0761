//! Orders for more devices than are told in one go.

mod desk;

use desk::{commands, order, Desk};
use hub_core::devices::Devices;
use hub_core::hub::now_ms;
use hub_core::model::{Change, Scope};
use hub_core::ports::store::Store;

const DEVICES: usize = 1500;

#[test]
fn a_fleet_is_told_in_batches_and_each_device_once() {
    let desk = Desk::open(tempfile::tempdir().expect("temporary folder"), Some("http://localhost:1"));
    let list: Vec<String> = (0..DEVICES).map(|n| format!(r#"{{"productId":"P1","deviceName":"d{n:04}"}}"#)).collect();
    let list = format!(r#"{{"devices":[{}]}}"#, list.join(","));
    desk.store.import(&Devices::parse(&list).expect("good list")).expect("imported");
    let firmware = desk.firmware("2.0");
    // Every third is not there.
    let mut there: Vec<_> = (0..DEVICES).filter(|n| n % 3 > 0).map(|n| desk.connect(&format!("d{n:04}"))).collect();
    let mut changes = desk.hub.watch();

    let upgrade = desk.hub.order_upgrade(order(&firmware, Scope::All)).expect("an order");
    // The first thousand of them, as far as they are there.
    assert_eq!((upgrade.counts.running, upgrade.counts.waiting), (666, 834));
    assert!(matches!(changes.try_recv(), Ok(Change::Reset)));
    assert!(changes.try_recv().is_err());
    desk.hub.sweep(now_ms() + 2000);
    assert_eq!(desk.counts(&upgrade), [500, 1000, 0, 0, 0]);
    desk.hub.sweep(now_ms() + 2000);
    for attachment in &mut there {
        assert_eq!(commands(attachment), ["2.0"]);
    }
    let cancelled = desk.hub.cancel_upgrade(upgrade.id).expect("cancelled");
    assert_eq!(cancelled.counts.cancelled, DEVICES as u64);
}
