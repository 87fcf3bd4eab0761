//! Two places that may hold the record of an upgrade, with a right checksum or not. What is read can be written again, and
//! every start from it comes to a step.
#![no_main]

use iot_engine::upgrade::{Machine, Record, RECORD_LEN};
use libfuzzer_sys::fuzz_target;

/// CRC-32, after which a record that was changed is whole.
fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

fuzz_target!(|bytes: &[u8]| {
    let (first, second) = bytes.split_at(bytes.len().min(RECORD_LEN));
    let repaired = |place: &[u8]| {
        let mut place = place.to_vec();
        if let Some(checked) = place.len().checked_sub(4).filter(|_| place.len() == RECORD_LEN) {
            let checksum = crc32(&place[..checked]);
            place[checked..].copy_from_slice(&checksum.to_be_bytes());
        }
        place
    };
    for places in [[first.to_vec(), second.to_vec()], [repaired(first), repaired(second)]] {
        let Some((record, number, place)) = Record::newest([&places[0], &places[1]]) else { continue };
        assert_eq!(Record::decode(&places[place]), Some((record.clone(), number)));
        assert_eq!(Record::decode(&record.encode(number)), Some((record.clone(), number)));
        for running in [0, 1] {
            let machine = Machine::at_start(Some(record.clone()), running, 1);
            let _ = machine.step();
        }
    }
});
