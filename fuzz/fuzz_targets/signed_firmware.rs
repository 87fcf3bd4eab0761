//! The first bytes of a firmware file. What is read must stand there, and nothing is taken that the key has not signed.
#![no_main]

use iot_engine::upgrade::{judge, Header, PublicKey, Refusal, Terms, HEADER_LEN};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let terms = |keys| Terms {
        keys,
        product_id: "PRODUCTIDX",
        version: "1.3.0",
        not_older_than: [Some("1.2.0"), None],
        file_size: u32::try_from(file.len()).unwrap_or(u32::MAX),
    };
    // RFC 8032, section 7.1, test 1: nobody has signed a firmware with it.
    let keys = PublicKey::all("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").expect("a key");
    assert!(judge(file, &terms(&keys)).is_err());

    match Header::parse(file) {
        Ok(header) => {
            assert_eq!(file[..8], *b"IOTF\x01\x01\x01\x00");
            assert_eq!(file[8..16], u64::from(header.image_size).to_be_bytes());
            assert_eq!(file[16..24], header.signed_at.to_be_bytes());
            for (text, at) in [(&header.product_id, 32), (&header.version, 64)] {
                assert_eq!(file[at..at + text.len()], *text.as_bytes());
                assert!(file[at + text.len()..at + 32].iter().all(|byte| *byte == 0));
            }
            if let Ok(taken) = judge(file, &terms(&[])) {
                assert_eq!(taken.as_ref(), Some(&header));
                assert_eq!((header.product_id.as_str(), header.version.as_str()), ("PRODUCTIDX", "1.3.0"));
                assert_eq!(header.image_size as usize + HEADER_LEN, file.len());
            }
        }
        Err(Refusal::Unsigned) => assert!(!file.starts_with(b"IOTF") && judge(file, &terms(&[])) == Ok(None)),
        Err(refusal) => assert_eq!(refusal, Refusal::BadHeader),
    }
});
