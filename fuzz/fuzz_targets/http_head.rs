//! Any bytes as the lines of an answer's head. What is read, written down again in the plainest way, must be read the
//! same, and say the same about the body's length.
#![no_main]

use iot_engine::http::framing::Framing;
use iot_engine::http::{head, Head};
use libfuzzer_sys::fuzz_target;

const FIELDS: [&str; 7] =
    ["Content-Length", "Transfer-Encoding", "Content-Range", "Location", "Retry-After", "ETag", "X"];

fuzz_target!(|data: &[u8]| {
    let bytes = [b"HTTP/1.1 206 P\r\n", data, b"\r\n\r\n"].concat();
    let end = head::end(&bytes, 0).expect("an empty line");
    assert!(head::end(&bytes, end / 2).is_some());
    let mut first = bytes[..end].to_vec();
    let head = match Head::parse(&mut first) {
        Ok(head) => head,
        Err(why) => return assert!(!why.is_empty() && why.len() < 200 && why.is_ascii(), "{why}"),
    };
    assert_eq!(head.status(), 206);

    let mut second = b"HTTP/1.1 206 P\r\n".to_vec();
    for name in FIELDS {
        for value in head.all(name) {
            assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{value:?}");
            second.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
    }
    second.extend(b"\r\n");
    let again = Head::parse(&mut second).expect("the plain form is read");
    for name in FIELDS {
        assert!(head.all(name).eq(again.all(name)), "{name}");
    }
    match (Framing::of(&head), Framing::of(&again)) {
        (Err(why), Err(other)) => assert_eq!(why, other),
        (Ok(Framing::Length(length)), Ok(Framing::Length(other))) => assert_eq!(length, other),
        (Ok(Framing::Close), Ok(Framing::Close)) | (Ok(Framing::Chunked(_)), Ok(Framing::Chunked(_))) => {}
        other => panic!("{other:?}"),
    }
});
