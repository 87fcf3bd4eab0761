//! How often an upgrade touches flash. BENCHMARKS.md has what this says of 10 MB.

use super::*;

const SIZE: u32 = 1024 * 1024;
const USUAL_EVERY: u32 = 256 * 1024;

/// What an upgrade does to the slots and to the record, with the power gone before a call of the store; and all calls.
fn touched(block: u32, cut_before: Option<u32>) -> ([Touched; 2], u32) {
    let mut image = image();
    image.resize(SIZE as usize, 7);
    let file = signed(&image, "PRODUCTIDX", "2.0.0", &keys(1));
    let device = Device::with_size(block, SIZE as usize);
    let scene = Scene { device, every: USUAL_EVERY, ..Scene::new(file, true) };
    assert_eq!(scene.live(cut_before, Unsynced::Lost), u32::from(cut_before.is_some()));
    assert!(scene.outcome().0.contains(r#""done""#));
    let flash = scene.device.0.lock().unwrap();
    (flash.touched, flash.calls)
}

#[test]
fn each_byte_is_written_once_and_after_a_cut_no_more_than_was_not_synced() {
    for block in [0, BLOCK] {
        let blocks = |bytes: u32| bytes.checked_div(block).unwrap_or(0);
        let ([slot, record], calls) = touched(block, None);
        println!("blocks of {block}, {SIZE} bytes: slot {slot:?}, record {record:?}");
        let synced = SIZE / USUAL_EVERY;
        assert_eq!(slot, Touched { bytes: SIZE as usize, erases: blocks(SIZE), syncs: synced + 1 });
        // Accepted, installing, installed, trial, result and idle.
        let records = synced + 6;
        assert_eq!(record.syncs, records);
        assert_eq!((record.bytes, record.erases), (records as usize * 512, if block > 0 { records } else { 0 }));

        let ([cut, record], _) = touched(block, Some(calls / 4));
        println!("the same with a cut: slot {cut:?}, record {record:?}");
        let again = cut.bytes - slot.bytes;
        assert!((1..=USUAL_EVERY as usize).contains(&again), "{again} bytes written again");
        assert!(cut.erases - slot.erases <= blocks(USUAL_EVERY), "{} erased again", cut.erases - slot.erases);
        assert!(cut.syncs <= slot.syncs + 1 && record.syncs <= records + 1, "{cut:?} {record:?}");
    }
}
