//! Our reading of an answer against that of `ureq-proto`: where both take it, they must agree on status, framing and the
//! bytes of the body. In a body that is no right one, one of them may wait for more where the other goes on: we take lines
//! of chunks that have CR before their end, or end in LF alone.

use iot_engine::http::framing::Framing;
use iot_engine::http::{head, Head};
use proptest::collection::vec;
use proptest::prelude::*;
use ureq_proto::client::state::RecvBody;
use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult};
use ureq_proto::http::Request;
use ureq_proto::BodyMode;

/// What came out of an answer.
#[derive(Debug, PartialEq)]
struct Reading {
    status: u16,
    mode: &'static str,
    length: Option<u64>,
    body: Vec<u8>,
}

fn ours(answer: &[u8]) -> Option<Reading> {
    let end = head::end(answer, 0)?;
    let mut bytes = answer[..end].to_vec();
    let head = Head::parse(&mut bytes).ok()?;
    let mut rest = &answer[end..];
    let (mode, length, body) = match Framing::of(&head).ok()? {
        Framing::Length(length) => {
            let have = rest.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            ("length", Some(length), rest[..have].to_vec())
        }
        Framing::Close => ("close", None, rest.to_vec()),
        Framing::Chunked(mut chunked) => {
            let mut body = Vec::new();
            loop {
                let mut out = [0; 64];
                let (used, count) = chunked.read(rest, &mut out).ok()?;
                rest = &rest[used..];
                body.extend_from_slice(&out[..count]);
                if used == 0 {
                    break ("chunked", None, body);
                }
            }
        }
    };
    Some(Reading { status: head.status(), mode, length, body })
}

fn theirs(answer: &[u8]) -> Option<Reading> {
    let mut call = Call::new(Request::get("http://h/f").body(()).ok()?).ok()?.proceed();
    let mut request = [0; 1024];
    while !call.can_proceed() {
        call.write(&mut request).ok()?;
    }
    let Ok(Some(SendRequestResult::RecvResponse(mut call))) = call.proceed() else { return None };
    let (used, response) = call.try_response(answer, false).ok()?;
    let status = response?.status().as_u16();
    let RecvResponseResult::RecvBody(mut call) = call.proceed()? else { return None };
    let (mode, length) = match call.body_mode() {
        BodyMode::NoBody => ("length", Some(0)),
        BodyMode::LengthDelimited(length) => ("length", Some(length)),
        BodyMode::Chunked => ("chunked", None),
        BodyMode::CloseDelimited => ("close", None),
    };
    let body = their_body(&mut call, &answer[used..])?;
    Some(Reading { status, mode, length, body })
}

fn their_body(call: &mut Call<RecvBody>, mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut out = [0; 64];
        let (used, count) = call.read(rest, &mut out).ok()?;
        rest = &rest[used..];
        body.extend_from_slice(&out[..count]);
        if used == 0 {
            return Some(body);
        }
    }
}

/// Pieces of which answers are put together, right ones and odd ones.
fn line() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "Transfer-Encoding: chunked",
        "transfer-encoding:chunked",
        "Transfer-Encoding: identity",
        "Content-Range: bytes 0-9/10",
        "ETag: \"a\"",
        "X-Empty:",
        "X: a,b",
    ]);
    prop_oneof![
        3 => fixed.prop_map(str::to_owned),
        3 => (0..12_u64).prop_map(|length| format!("Content-Length: {length}")),
        1 => "[A-Za-z-]{1,8}: ?[ -~]{0,12}",
        1 => "[ -~]{1,16}",
    ]
}

/// A body, and whether it is a right one.
fn body() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let chunk = vec(any::<u8>(), 1..20).prop_map(|data| {
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend(data);
        chunk.extend(b"\r\n");
        chunk
    });
    let chunks = vec(chunk, 0..5).prop_map(|chunks| [chunks.concat(), b"0\r\n\r\n".to_vec()].concat());
    // No lone LF: theirs takes it for a blank.
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![if byte == b'\n' { b'\r' } else { byte }]),
        prop::sample::select(vec!["0", "1", "a", "F", ";", "\r", "\r\n", " ", "\t"]).prop_map(|text| text.into()),
    ];
    let odd = vec(piece, 0..40).prop_map(|pieces| (pieces.concat(), false));
    prop_oneof![chunks.prop_map(|body| (body, true)), odd]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8_000) })]

    #[test]
    fn both_read_the_same(
        version in prop::sample::select(vec!["HTTP/1.1", "HTTP/1.0"]),
        status in prop_oneof![8 => Just(200_u16), 4 => Just(206), 1 => Just(204), 1 => Just(404), 1 => 200..600_u16],
        lines in vec(line(), 0..5),
        (body, is_right) in body(),
    ) {
        let head: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let answer = [format!("{version} {status} X\r\n{head}\r\n").as_bytes(), &body].concat();
        if let (Some(mut ours), Some(mut theirs)) = (ours(&answer), theirs(&answer)) {
            if !is_right {
                let both = ours.body.len().min(theirs.body.len());
                ours.body.truncate(both);
                theirs.body.truncate(both);
            }
            prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&answer));
        }
    }
}

/// The comparison above compares something.
#[test]
fn both_take_what_is_right() {
    for answer in [
        "HTTP/1.1 206 P\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nabc",
    ] {
        let reading = ours(answer.as_bytes());
        assert_eq!(reading.as_ref().map(|reading| &reading.body[..]), Some(&b"abc"[..]), "{answer}");
        assert_eq!(reading, theirs(answer.as_bytes()), "{answer}");
    }
}
