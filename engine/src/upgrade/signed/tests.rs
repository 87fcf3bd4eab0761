use ed25519_compact::{KeyPair, Seed};

use super::*;

const IMAGE: &[u8] = b"an image of 26 bytes......";

fn pair(seed: u8) -> (KeyPair, PublicKey) {
    let pair = KeyPair::from_seed(Seed::new([seed; 32]));
    (pair.clone(), PublicKey::new(*pair.pk))
}

/// A header as docs/upgrade.md lays it out, signed after `change`.
fn sealed(seed: u8, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (pair, key) = pair(seed);
    let field = |text: &str| {
        let mut field = [0; 32];
        field[..text.len()].copy_from_slice(text.as_bytes());
        field
    };
    let mut bytes = b"IOTF\x01\x01\x01\x00".to_vec();
    bytes.extend((IMAGE.len() as u64).to_be_bytes());
    bytes.extend(1_700_000_000_u64.to_be_bytes());
    bytes.extend(key.id());
    bytes.extend(field("PRODUCTIDX"));
    bytes.extend(field("1.3.0"));
    bytes.extend(ed25519_compact::sha512::Hash::hash(IMAGE));
    bytes.extend([0; 32]);
    change(&mut bytes);
    let signature = pair.sk.sign(&bytes, None);
    bytes.extend(*signature);
    bytes
}

fn terms<'a>(keys: &'a [PublicKey]) -> Terms<'a> {
    Terms { keys, product_id: "PRODUCTIDX", version: "1.3.0", not_older_than: [None; 2], file_size: 256 + 26 }
}

#[test]
fn a_signed_image_is_taken_with_either_key_in_rotation() {
    let keys = [pair(1).1, pair(2).1];
    for seed in [1, 2] {
        let file = sealed(seed, |_| ());
        assert_eq!(file.len(), HEADER_LEN);
        let header = judge(&[&file[..], IMAGE].concat(), &terms(&keys)).unwrap().unwrap();
        assert_eq!((header.image_size, header.signed_at), (26, 1_700_000_000));
        assert_eq!((header.product_id.as_str(), header.version.as_str()), ("PRODUCTIDX", "1.3.0"));
        assert_eq!(header.key_id, keys[usize::from(seed) - 1].id());
    }
    assert_eq!(judge(&sealed(3, |_| ()), &terms(&keys)), Err(Refusal::UnknownKey));
}

#[test]
fn no_byte_of_a_header_can_be_changed() {
    let keys = [pair(1).1];
    let file = sealed(1, |_| ());
    for byte in 0..HEADER_LEN {
        let mut wrong = file.clone();
        wrong[byte] ^= 1 << (byte % 8);
        assert!(judge(&wrong, &terms(&keys)).is_err(), "byte {byte}");
    }
    for len in 0..HEADER_LEN {
        let expected = if len < 4 { Refusal::Unsigned } else { Refusal::BadHeader };
        assert_eq!(judge(&file[..len], &terms(&keys)), Err(expected), "{len}");
    }
}

#[test]
fn what_is_rightly_signed_must_also_be_for_this_device() {
    let keys = [pair(1).1];
    let file = sealed(1, |_| ());
    let cases = [
        (Terms { product_id: "PRODUCTIDY", ..terms(&keys) }, Refusal::OtherProduct),
        (Terms { version: "1.4.0", ..terms(&keys) }, Refusal::OtherVersion),
        (Terms { file_size: 256 + 27, ..terms(&keys) }, Refusal::WrongSize),
        (Terms { not_older_than: [Some("1.2"), Some("1.3.1")], ..terms(&keys) }, Refusal::TooOld),
        (Terms { not_older_than: [Some("1.10"), None], ..terms(&keys) }, Refusal::TooOld),
    ];
    for (terms, refusal) in cases {
        assert_eq!(judge(&file, &terms), Err(refusal));
        // The same holds where nobody looks at signatures.
        assert_eq!(judge(&file, &Terms { keys: &[], ..terms }), Err(refusal));
        assert!(!refusal.text().is_empty());
    }
    assert!(judge(&file, &Terms { not_older_than: [Some("1.3.0"), Some("1.2.9")], ..terms(&keys) }).is_ok());
}

#[test]
fn what_is_signed_but_makes_no_sense_is_refused() {
    let keys = [pair(1).1];
    let changes: [(&str, usize, &[u8]); 11] = [
        ("format", 4, &[2]),
        ("algorithm", 5, &[2]),
        ("header's length", 6, &[2, 0]),
        ("size above 32 bits", 8, &[0, 0, 0, 1]),
        ("no product", 32, &[0; 32]),
        ("no version", 64, &[0; 32]),
        ("text after the end", 95, b"x"),
        ("no graphic character", 64, b" "),
        ("not ASCII", 64, &[0xC3]),
        ("reserved", 160, &[1]),
        ("reserved", 191, &[1]),
    ];
    for (what, at, bytes) in changes {
        let file = sealed(1, |header| header[at..at + bytes.len()].copy_from_slice(bytes));
        assert_eq!(judge(&file, &terms(&keys)), Err(Refusal::BadHeader), "{what}");
    }
    let empty = sealed(1, |header| header[8..16].fill(0));
    assert_eq!(judge(&empty, &Terms { file_size: 256, ..terms(&keys) }), Err(Refusal::WrongSize));
}

#[test]
fn without_keys_an_image_may_be_unsigned_but_not_with_them() {
    let plain = Terms { file_size: 26, ..terms(&[]) };
    assert_eq!(judge(IMAGE, &plain), Ok(None));
    assert_eq!(judge(b"", &plain), Ok(None));
    assert_eq!(judge(IMAGE, &Terms { not_older_than: [Some("2"), None], ..plain }), Err(Refusal::TooOld));
    assert_eq!(judge(IMAGE, &Terms { keys: &[pair(1).1], ..plain }), Err(Refusal::Unsigned));
    assert!(judge(&sealed(9, |_| ()), &terms(&[])).unwrap().is_some());
}

#[test]
fn where_signatures_can_not_be_checked_what_is_signed_is_refused() {
    let file = [&sealed(1, |_| ())[..], IMAGE].concat();
    assert_eq!(judge_unsigned(&file, &terms(&[])), Err(Refusal::NotChecked));
    assert_eq!(judge_unsigned(b"IOTF", &terms(&[])), Err(Refusal::NotChecked));
    assert_eq!(judge_unsigned(IMAGE, &terms(&[])), Ok(None));
    let newer = Terms { not_older_than: [None, Some("1.4")], ..terms(&[]) };
    assert_eq!(judge_unsigned(IMAGE, &newer), Err(Refusal::TooOld));
}
