//! What each HTTP answer means (wire.md section 4), seen from both sides: the file on the device, and its reports.

use std::fs;

use e2e::{ends, failures, Answer, Authority, Build, Desk, Finished, Firmware, Request, Server, Validity};
use tempfile::TempDir;

const SIZE: usize = 120_000;
const HALF: usize = SIZE / 2;

/// What came of it.
struct Outcome {
    desk: Desk,
    server: Server,
    finished: Finished,
}

/// Runs the sample, which may fail `attempts - 1` times, against a scripted server.
fn run(attempts: u32, script: impl Fn(&[u8], &Request) -> Answer + Send + Sync + 'static) -> Outcome {
    run_with(attempts, script, |_| ())
}

fn run_with(
    attempts: u32,
    script: impl Fn(&[u8], &Request) -> Answer + Send + Sync + 'static,
    prepare: impl FnOnce(&Desk),
) -> Outcome {
    let image = Firmware::image(SIZE);
    let server = Server::http(move |request| script(&image, request));
    let url = server.url("/firmware");
    let desk = Desk::with_url(Build::Key, SIZE, |_| url);
    prepare(&desk);
    let finished = desk.finish(&mut desk.sample_with_attempts(attempts).start());
    Outcome { desk, server, finished }
}

impl Outcome {
    /// The upgrade worked, without a failure on the way.
    #[track_caller]
    fn assert_done(&self) {
        self.assert_done_after(&[]);
    }

    /// The upgrade worked, after failures with these codes.
    #[track_caller]
    fn assert_done_after(&self, codes: &[i32]) {
        assert_eq!(failures(&self.desk.hub, &self.desk.device), codes);
        assert_eq!(self.finished.code(), 0);
        assert_eq!(ends(&self.desk.hub, &self.desk.device).last().map(String::as_str), Some("done"));
        self.desk.assert_upgraded();
    }

    /// The upgrade failed with this code; the device has stored so many bytes.
    #[track_caller]
    fn assert_failed(&self, code: i32, stored: u64) {
        assert_eq!(failures(&self.desk.hub, &self.desk.device), [code]);
        assert_eq!(ends(&self.desk.hub, &self.desk.device), ["fail"]);
        assert_eq!(self.finished.code(), 1);
        let len = fs::metadata(self.desk.bin_file()).map_or(0, |data| data.len());
        assert_eq!(len, stored, "bytes on the device");
    }

    #[track_caller]
    fn assert_ranges(&self, wanted: &[Option<(usize, usize)>]) {
        assert_eq!(self.server.ranges(), wanted);
    }
}

/// Half of the firmware is on the device already.
fn half_stored(desk: &Desk) {
    desk.store(HALF);
}

/// The first request as `first`, the rest as a good server does.
fn first(answer: Answer) -> impl Fn(&[u8], &Request) -> Answer + Send + Sync {
    move |image, request| if request.number == 1 { answer.clone() } else { Answer::file(image, request) }
}

fn whole(image: &[u8]) -> Answer {
    Answer::status(200).body(image)
}

const REST: Option<(usize, usize)> = Some((HALF, SIZE - 1));

// ---- 206 ----

#[test]
fn part_that_was_asked_for() {
    let outcome = run_with(1, Answer::file, half_stored);
    outcome.assert_done();
    outcome.assert_ranges(&[REST]);
    let request = &outcome.server.requests().all()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/firmware"));
    assert_eq!(request.header("Accept-Encoding"), Some("identity"));
}

fn refused_part(range: &'static str) {
    let outcome = run_with(
        1,
        move |image, _| Answer::status(206).header("Content-Range", range).body(&image[HALF..]),
        half_stored,
    );
    // Not one byte of it was handed out.
    outcome.assert_failed(-5, HALF as u64);
    let stored = fs::read(outcome.desk.bin_file()).expect("the firmware so far");
    assert!(stored == outcome.desk.firmware.bytes[..HALF]);
}

#[test]
fn part_from_elsewhere() {
    refused_part("bytes 60001-119999/120000");
    refused_part("bytes 0-59999/120000");
}

#[test]
fn part_of_another_total() {
    refused_part("bytes 60000-119999/130000");
}

#[test]
fn part_without_a_range() {
    let outcome = run_with(1, |image, _| Answer::status(206).body(&image[HALF..]), half_stored);
    outcome.assert_failed(-5, HALF as u64);
}

/// Case range_begins_earlier.
#[test]
fn part_that_begins_earlier() {
    for begin in [0, 49_152] {
        let outcome = run_with(
            1,
            move |image, _| {
                let range = format!("bytes {begin}-119999/120000");
                Answer::status(206).header("Content-Range", &range).body(&image[begin..])
            },
            half_stored,
        );
        outcome.assert_done();
        outcome.assert_ranges(&[REST]);
    }
}

// ---- 200 ----

#[test]
fn whole_file_from_the_start() {
    run(1, |image, _| whole(image)).assert_done();
}

#[test]
fn whole_file_on_a_resume() {
    let outcome = run_with(1, |image, _| whole(image), half_stored);
    outcome.assert_done();
    outcome.assert_ranges(&[REST]);
}

#[test]
fn whole_file_in_chunks_on_a_resume() {
    run_with(1, |image, _| whole(image).chunked(777), half_stored).assert_done();
}

// ---- Redirects ----

#[test]
fn redirects() {
    for status in [301, 302, 303, 307, 308] {
        let outcome = run(1, move |image, request| match request.target.as_str() {
            "/firmware" => Answer::status(status).header("Location", "/elsewhere?sign=a%26b%00"),
            "/elsewhere?sign=a%26b%00" => Answer::file(image, request),
            _ => Answer::status(404),
        });
        outcome.assert_done();
        assert_eq!(outcome.server.requests().mark(), 2, "{status}");
    }
}

#[test]
fn redirect_to_another_server_on_a_resume() {
    let image = Firmware::image(SIZE);
    let other = Server::http(move |request| Answer::file(&image, request));
    let location = other.url("/moved");
    let script = move |_: &[u8], _: &Request| Answer::status(302).header("Location", &location).body(b"moved");
    let outcome = run_with(1, script, half_stored);
    outcome.assert_done();
    assert_eq!(other.ranges(), [REST]);
}

fn redirects_in_a_row(count: usize) -> Outcome {
    run(1, move |image, request| {
        if request.number <= count {
            Answer::status(302).header("Location", &format!("/{}", request.number))
        } else {
            Answer::file(image, request)
        }
    })
}

#[test]
fn five_redirects_are_followed() {
    redirects_in_a_row(5).assert_done();
}

#[test]
fn six_redirects_are_too_many() {
    let outcome = redirects_in_a_row(6);
    outcome.assert_failed(-5, 0);
    outcome.finished.assert_says(&["redirect"]);
    assert_eq!(outcome.server.requests().mark(), 6);
}

#[test]
fn redirect_without_a_location() {
    run(1, |_, _| Answer::status(302)).assert_failed(-5, 0);
}

/// The sample against an HTTPS server that redirects to another one; whether it upgraded.
fn redirect_from_https(to_https: bool) -> (bool, usize) {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new(folder.path());
    let identity = authority.server("localhost", Validity::Now);
    let image = Firmware::image(SIZE);
    let script = move |request: &Request| Answer::file(&image, request);
    let target = if to_https { Server::https(&identity, script) } else { Server::http(script) };
    let location = target.url("/firmware");
    let origin = Server::https(&identity, move |_| Answer::status(302).header("Location", &location));
    let mut desk = Desk::with_url(Build::Key, SIZE, |_| origin.url("/firmware"));
    desk.ca_file = authority.file();
    let finished = desk.finish(&mut desk.sample().start());
    let done = finished.code() == 0;
    if done {
        desk.assert_upgraded();
    } else {
        assert_eq!(failures(&desk.hub, &desk.device), [-5]);
        finished.assert_says(&["err|", "302 from https to http"]);
    }
    (done, target.requests().mark())
}

#[test]
fn redirect_from_https_to_https() {
    assert_eq!(redirect_from_https(true), (true, 1));
}

#[test]
fn never_from_https_to_http() {
    assert_eq!(redirect_from_https(false), (false, 0));
}

// ---- Refusals ----

#[test]
fn authorisation_failed() {
    for status in [401, 403] {
        let outcome = run(1, move |_, _| Answer::status(status).body(b"<Error>expired</Error>"));
        outcome.assert_failed(-3, 0);
        outcome.finished.assert_says(&["last error -7"]);
    }
}

#[test]
fn not_there() {
    for status in [404, 410] {
        let outcome = run(1, move |_, _| Answer::status(status).body(b"<Error>gone</Error>"));
        outcome.assert_failed(-2, 0);
        outcome.finished.assert_says(&["last error -6"]);
    }
}

#[test]
fn tries_again_after_a_refusal() {
    let outcome = run(2, first(Answer::status(403)));
    outcome.assert_done_after(&[-3]);
}

#[test]
fn range_not_satisfiable_while_incomplete() {
    let outcome = run_with(1, |_, _| Answer::status(416).header("Content-Range", "bytes */120000"), half_stored);
    outcome.assert_failed(-5, HALF as u64);
    outcome.finished.assert_says(&["416"]);
}

#[test]
fn range_not_satisfiable_with_everything_there() {
    // All bytes came, but the server cut the connection before it ended the body: the question for the rest is moot.
    let script = |image: &[u8], request: &Request| match request.number {
        1 => whole(image).chunked(10_000).cut_after(SIZE),
        _ => Answer::status(416).header("Content-Range", "bytes */120000"),
    };
    run(1, script).assert_done();
}

// ---- Trouble that passes ----

#[test]
fn the_server_is_busy() {
    for answer in [
        Answer::status(408),
        Answer::status(429).header("Retry-After", "1"),
        Answer::status(500).body(b"oops"),
        Answer::status(503).header("Retry-After", "1").body(b"<html>later</html>"),
    ] {
        let outcome = run(1, first(answer));
        outcome.assert_done();
        assert_eq!(outcome.server.requests().mark(), 2);
    }
}

#[test]
fn trouble_that_does_not_pass() {
    // Five retries, half a minute in all: the only test that sees the end of the device's patience.
    let outcome = run(1, |_, _| Answer::status(503));
    outcome.assert_failed(-5, 0);
    outcome.finished.assert_says(&["last error -5"]);
    outcome.finished.assert_says(&["err|", "503"]);
    assert_eq!(outcome.server.requests().mark(), 6);
}

#[test]
fn a_cut_is_bridged_inside_the_session() {
    let outcome = run(1, |image, request| {
        let answer = Answer::file(image, request).header("ETag", "\"one\"");
        if request.number == 1 {
            answer.cut_after(50_000)
        } else {
            answer
        }
    });
    outcome.assert_done();
    let requests = outcome.server.requests().all();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].range(), Some((50_000, SIZE - 1)));
    // Size and MD5 decide, no validator.
    assert_eq!(requests[1].header("If-Range"), None);
    // The cloud was told nothing of it.
    assert_eq!(outcome.desk.hub.events_of("version").len(), 1);
}

#[test]
fn two_cuts_and_a_server_that_ignores_ranges() {
    let outcome = run(1, |image, request| match request.number {
        1 => whole(image).cut_after(40_000),
        2 => whole(image).cut_after(90_000),
        _ => whole(image),
    });
    outcome.assert_done();
    assert_eq!(outcome.server.ranges()[1..], [Some((40_000, SIZE - 1)), Some((90_000, SIZE - 1))]);
}

#[test]
fn a_cut_before_the_first_byte() {
    let outcome = run(1, |image, request| match request.number {
        1 => whole(image).cut_after(0),
        _ => whole(image),
    });
    outcome.assert_done();
}

#[test]
fn a_body_shorter_than_the_firmware_ends_by_closing() {
    let outcome = run(1, |image, request| match request.number {
        1 => Answer::status(200).body(&image[..HALF]).until_close(),
        _ => Answer::file(image, request),
    });
    outcome.assert_done();
    assert_eq!(outcome.server.ranges()[1], REST);
}

#[test]
fn a_file_that_changed_is_found_by_its_md5() {
    for status in [200, 206] {
        let outcome = run(1, move |image, request| match (request.number, status) {
            (1, _) => whole(image).header("ETag", "\"one\"").cut_after(50_000),
            (_, 200) => whole(&[7; SIZE]).header("ETag", "\"two\""),
            _ => Answer::file(&[7; SIZE], request).header("ETag", "\"two\""),
        });
        // The sample deletes it.
        outcome.assert_failed(-4, 0);
        outcome.finished.assert_says(&["wrn|", "etag was \"one\", now is \"two\""]);
    }
}

// ---- Forms of an answer ----

#[test]
fn chunks_of_any_size() {
    for size in [1013, 65_536, SIZE] {
        run(1, move |image, _| whole(image).chunked(size)).assert_done();
    }
}

#[test]
fn body_ended_by_closing() {
    run(1, |image, _| whole(image).until_close()).assert_done();
}

#[test]
fn body_ended_by_closing_over_https() {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new(folder.path());
    let image = Firmware::image(SIZE);
    let server = Server::https(&authority.server("localhost", Validity::Now), move |_| whole(&image).until_close());
    let mut desk = Desk::with_url(Build::Key, SIZE, |_| server.url("/firmware"));
    desk.ca_file = authority.file();
    desk.expect_upgrade(&mut desk.sample().start());
}

#[test]
fn header_names_in_any_case() {
    let outcome = run_with(
        1,
        |image, _| {
            let answer = Answer::status(206).header("cOnTeNt-rAnGe", "bytes 60000-119999/120000");
            answer.header("TRANSFER-ENCODING", "chunked").body(&chunked(&image[HALF..])).until_close()
        },
        half_stored,
    );
    outcome.assert_done();
}

/// As one chunk.
fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut body = format!("{:X};name=value\r\n", bytes.len()).into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n0\r\nTrailer: x\r\n\r\n");
    body
}

#[test]
fn sixty_kilobytes_of_headers() {
    let long = "x".repeat(6_000);
    run(1, move |image, _| (0..10).fold(whole(image), |answer, n| answer.header(&format!("X-{n}"), &long)))
        .assert_done();
}

#[test]
fn a_head_byte_by_byte() {
    run(1, |image, request| Answer::file(image, request).byte_by_byte()).assert_done();
}

#[test]
fn an_answer_that_is_not_http() {
    let outcome = run(2, |image, request| match request.number {
        // A head that claims to be something else than it is.
        1 => Answer::status(99).body(image),
        _ => Answer::file(image, request),
    });
    assert_eq!(outcome.finished.code(), 0);
    outcome.desk.assert_upgraded();
}

// ---- Contents ----

#[test]
fn wrong_md5() {
    let outcome = run(1, |_, request| Answer::file(&[7; SIZE], request));
    // The sample deletes it.
    outcome.assert_failed(-4, 0);
    assert!(!outcome.desk.state_file().exists());
}

#[test]
fn wrong_md5_at_first() {
    let outcome = run(2, |image, request| match request.number {
        1 => whole(&[7; SIZE]),
        _ => Answer::file(image, request),
    });
    outcome.assert_done_after(&[-4]);
}

#[test]
fn a_body_longer_than_announced() {
    let outcome = run(1, |image, _| whole(&[image, &[7; 5000]].concat()));
    outcome.assert_failed(-5, 0);
}

#[test]
fn bytes_after_the_end_are_not_firmware() {
    // Nothing in the head tells that there is more.
    run(1, |image, _| whole(&[image, &[7; 5000]].concat()).until_close()).assert_done();
    run(1, |image, _| whole(&[image, &[7; 5000]].concat()).chunked(4096)).assert_done();
}

#[test]
fn an_error_page_is_never_firmware() {
    for status in [201, 202, 203, 204, 300, 304, 400, 405, 418] {
        let outcome = run(1, move |image, _| Answer::status(status).body(image));
        outcome.assert_failed(-5, 0);
    }
}
