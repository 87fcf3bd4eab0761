use std::sync::atomic::Ordering;

use iot_engine::http::Url;
use iot_engine::services::ota::OtaError;

use super::*;
use crate::drive::testing::web_server::{Answer, Traits, World};

const NEVER: &dyn Fn() -> bool = &|| false;
const HTTPS: Https = Https { option: "FEATURE_RESOURCE_USE_HTTPS", is_on: true };

fn plan(url: &str, size: u32) -> UploadPlan {
    UploadPlan { url: Url::parse(url).unwrap(), size, md5: [0; 16] }
}

fn world(answer: &'static str) -> Arc<World> {
    World::new(Traits::default(), move |_, _| Answer::new(answer).then_silent())
}

fn start(world: &Arc<World>, size: usize) -> Upload {
    Upload::start(world.platform(), &plan("http://h/f?s=1", size as u32), HTTPS).unwrap()
}

fn file(size: usize) -> Vec<u8> {
    (0..size).map(|at| b'a' + (at % 26) as u8).collect()
}

/// Sends all and returns what came of it.
fn send_all(upload: &mut Upload, file: &[u8], len: usize) -> Sent {
    for piece in file.chunks(len) {
        match upload.send(piece, 1000, NEVER) {
            Sent::Piece(count) => assert_eq!(count, piece.len()),
            other => return other,
        }
    }
    upload.answer(NEVER)
}

/// Case 15.
#[test]
fn a_file_goes_out_byte_for_byte_in_any_pieces() {
    for size in [1, 49, 50, 51, 4999] {
        for len in [1, 50, 5000] {
            let (world, file) = (world("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), file(size));
            assert_eq!(send_all(&mut start(&world, size), &file, len), Sent::Finished);
            let requests = world.requests.lock().unwrap();
            let head = format!(
                "PUT /f?s=1 HTTP/1.1\r\nHost: h\r\nContent-MD5:AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {size}\r\n\r\n"
            );
            assert_eq!(*requests, [head + std::str::from_utf8(&file).unwrap()]);
        }
    }
}

#[test]
fn what_is_more_than_the_size_stays_here() {
    let world = world("HTTP/1.1 204 N\r\n\r\n");
    let mut upload = start(&world, 7);
    assert_eq!(upload.send(&file(100), 1000, NEVER), Sent::Piece(7));
    assert_eq!(upload.answer(NEVER), Sent::Finished);
    assert!(world.requests.lock().unwrap()[0].ends_with("\r\n\r\nabcdefg"));
}

/// Case 16.
#[test]
fn every_answer_has_its_row() {
    for (answer, error) in [
        ("HTTP/1.1 403 F\r\n\r\n", Some(OtaError::FetchAuthFail)),
        ("HTTP/1.1 404 N\r\n\r\n", Some(OtaError::FetchNotExist)),
        ("HTTP/1.1 500 E\r\n\r\n", Some(OtaError::FetchFailed)),
        ("HTTP/1.1 200 O\r\n\r\n", None),
        ("", Some(OtaError::FetchTimeout)),
    ] {
        let world = world(answer);
        let began = world.ms();
        let sent = send_all(&mut start(&world, 60), &file(60), 60);
        match sent {
            Sent::Failed(failure) => assert_eq!(Some(failure.error), error, "{answer}"),
            other => assert_eq!((other, error), (Sent::Finished, None), "{answer}"),
        }
        let expected = if answer.is_empty() { 30_000..31_000 } else { 0..100 };
        assert!(expected.contains(&(world.ms() - began)), "{answer}");
    }
    let closing = World::new(Traits::default(), |_, _| Answer::new(""));
    let Sent::Failed(failure) = send_all(&mut start(&closing, 60), &file(60), 60) else { panic!() };
    assert_eq!(failure.error, OtaError::FetchFailed);
    assert!(failure.text.starts_with("connection to h lost"), "{failure}");
}

/// Case 16: 403 in mid-body.
#[test]
fn an_answer_in_mid_body_is_read_where_the_server_takes_no_more() {
    for (answer, error) in [("HTTP/1.1 403 F\r\n\r\n", OtaError::FetchAuthFail), ("", OtaError::FetchFailed)] {
        let world = world("");
        let mut upload = start(&world, 5000);
        *world.breaks_in.lock().unwrap() = Some((1000, Answer::new(answer)));
        let Sent::Failed(failure) = send_all(&mut upload, &file(5000), 500) else { panic!() };
        assert_eq!(failure.error, error, "{answer}");
    }
}

/// Case 17, and `s` of one piece.
#[test]
fn a_server_that_takes_nothing_is_waited_for_and_given_up_after_30_seconds() {
    let world = world("HTTP/1.1 200 O\r\n\r\n");
    let mut upload = start(&world, 60);
    world.clogged.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        let began = world.ms();
        assert_eq!(upload.send(&file(60), 5000, NEVER), Sent::Nothing);
        assert!((5000..5600).contains(&(world.ms() - began)));
    }
    world.clogged.store(false, Ordering::Relaxed);
    assert_eq!(send_all(&mut upload, &file(60), 60), Sent::Finished);

    let mut upload = start(&world, 60);
    world.clogged.store(true, Ordering::Relaxed);
    let began = world.ms();
    let failure = loop {
        match upload.send(&file(60), 0, NEVER) {
            Sent::Nothing => {}
            Sent::Failed(failure) => break failure,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failure.error, OtaError::FetchTimeout);
    assert!((30_000..40_000).contains(&(world.ms() - began)));
}

#[test]
fn a_call_stops_when_it_is_told_to() {
    let world = world("");
    let mut upload = start(&world, 60);
    assert_eq!(upload.send(&file(60), 1000, &|| true), Sent::Stopped);
    assert_eq!(upload.send(&file(60), 1000, NEVER), Sent::Piece(60));
    assert_eq!(upload.answer(&|| true), Sent::Stopped);
}

#[test]
fn what_does_not_start_says_why() {
    let world = world("");
    world.refuse.store(true, Ordering::Relaxed);
    let error = Upload::start(world.platform(), &plan("http://h:81/f?s3cret", 1), HTTPS).map(drop).unwrap_err();
    assert!(matches!(error.fault, StartFault::Unreachable(_)) && error.text.contains("h:81"), "{error:?}");
    assert!(!error.text.contains("s3cret"));
    world.refuse.store(false, Ordering::Relaxed);
    world.clogged.store(true, Ordering::Relaxed);
    let error = Upload::start(world.platform(), &plan("http://h/f", 1), HTTPS).map(drop).unwrap_err();
    assert_eq!(error.text, "the request could not be sent in time");
    let off = Https { is_on: false, ..HTTPS };
    let error = Upload::start(world.platform(), &plan("https://h/f", 1), off).map(drop).unwrap_err();
    assert_eq!(error.fault, StartFault::NoHttps);
    assert!(
        error.text.ends_with("FEATURE_RESOURCE_USE_HTTPS OFF") || error.text.ends_with("FEATURE_AUTH_WITH_NOTLS ON")
    );
}
