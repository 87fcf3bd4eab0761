//! Whole exchanges against a scripted server, in virtual time.

mod headers;
mod ranges;

use super::*;
use crate::services::ota::OtaError;

/// What the server does with one connection.
struct Script {
    /// Bytes it sends.
    bytes: Vec<u8>,
    /// Whether it then stays silent instead of closing.
    silent: bool,
}

fn says(bytes: impl Into<Vec<u8>>) -> Script {
    Script { bytes: bytes.into(), silent: false }
}

fn silent_after(bytes: impl Into<Vec<u8>>) -> Script {
    Script { bytes: bytes.into(), silent: true }
}

fn firmware(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn transfer(url: &str, offset: u32, file_size: u32) -> Transfer {
    let plan = Plan { url: Url::parse(url).unwrap(), offset, end: file_size, file_size };
    Transfer::new(plan, 5)
}

/// A driver in virtual time that reads at most `chunk` bytes at once into buffers of `len` bytes.
struct Run {
    now: Millis,
    chunk: usize,
    len: usize,
    requests: Vec<String>,
    connects: Vec<(u64, String)>,
    got: Vec<u8>,
}

impl Run {
    fn new(chunk: usize, len: usize) -> Self {
        Run { now: Millis(1_000_000), chunk, len, requests: Vec::new(), connects: Vec::new(), got: Vec::new() }
    }

    /// Drives `transfer` to its end. A connection beyond the scripts is refused.
    fn drive(&mut self, transfer: &mut Transfer, scripts: Vec<Script>) -> Step {
        let start = self.now;
        let mut scripts = scripts.into_iter();
        let mut current = says("");
        let mut request: Vec<u8> = Vec::new();
        for _ in 0..1_000_000 {
            match transfer.next(self.now) {
                Step::Connect => {
                    self.connects.push((self.now.since(start), transfer.url().to_string()));
                    match scripts.next() {
                        Some(script) => {
                            current = script;
                            current.bytes.reverse();
                            request.clear();
                            transfer.connecting();
                        }
                        None => transfer.connect_failed(self.now, "refused", false),
                    }
                }
                Step::Await => transfer.connected(),
                Step::Write => {
                    let count = transfer.outgoing().len().min(7);
                    request.extend(&transfer.outgoing()[..count]);
                    transfer.wrote(count);
                    if transfer.outgoing().is_empty() {
                        self.requests.push(String::from_utf8(request.clone()).unwrap());
                    }
                }
                Step::ReadHead => {
                    let room = self.chunk;
                    let count = self.read(&mut current, transfer, room);
                    transfer.received(count);
                }
                Step::ReadBody { left, direct } => {
                    let limit = (left as usize).min(self.chunk);
                    if direct && limit >= self.len {
                        let count = current.bytes.len().min(self.len);
                        for _ in 0..count {
                            self.got.extend(current.bytes.pop());
                        }
                        match count {
                            0 => self.starve(&current, transfer),
                            _ => transfer.took(count),
                        }
                    } else {
                        let count = self.read(&mut current, transfer, limit);
                        transfer.received(count);
                    }
                }
                Step::Data => {
                    let mut out = vec![0; self.len];
                    let count = transfer.take(&mut out);
                    self.got.extend(&out[..count]);
                }
                Step::Wait(until) => self.now = until,
                end @ (Step::Finished | Step::Failed(_)) => return end,
            }
        }
        panic!("no end");
    }

    fn read(&mut self, script: &mut Script, transfer: &mut Transfer, limit: usize) -> usize {
        let count = script.bytes.len().min(limit);
        for slot in &mut transfer.room(limit)[..count] {
            *slot = script.bytes.pop().unwrap();
        }
        if count == 0 {
            self.starve(script, transfer);
        }
        count
    }

    fn starve(&mut self, script: &Script, transfer: &mut Transfer) {
        if script.silent {
            self.now = self.now + 1000;
            transfer.nothing(self.now, 1000);
        } else {
            transfer.closed("connection closed by the server");
        }
    }
}

fn failure(step: Step) -> Failure {
    match step {
        Step::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn partial(file: &[u8], begin: usize, more: &str) -> Vec<u8> {
    let (last, total) = (file.len() - 1, file.len());
    let length = total - begin;
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {begin}-{last}/{total}\r\nContent-Length: {length}\r\n{more}\r\n"
    );
    [head.as_bytes(), &file[begin..]].concat()
}

fn whole(file: &[u8], more: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{more}\r\n", file.len());
    [head.as_bytes(), file].concat()
}

fn chunked(file: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in file.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\nTrailer: x\r\n\r\n");
    bytes
}

#[test]
fn the_request_asks_for_exactly_the_missing_bytes() {
    let file = firmware(1000);
    let mut transfer = transfer("http://h:8080/a%20b?sign=x%2Fy%00", 400, 1000);
    let mut run = Run::new(100, 100);
    assert_eq!(run.drive(&mut transfer, vec![says(partial(&file, 400, ""))]), Step::Finished);
    assert_eq!(run.got, &file[400..]);
    let lines: Vec<&str> = run.requests[0].split("\r\n").collect();
    assert_eq!(lines[0], "GET /a%20b?sign=x%2Fy%00 HTTP/1.1");
    let expected = [
        "Host: h:8080",
        "Range: bytes=400-999",
        "Accept-Encoding: identity",
        concat!("User-Agent: iot-sdk/", env!("CARGO_PKG_VERSION")),
        "Connection: close",
        "",
        "",
    ];
    assert_eq!(lines[1..], expected);
    assert!(!transfer.shown_request().contains("sign="), "{}", transfer.shown_request());
}

#[test]
fn a_long_signed_url_goes_out_as_received() {
    let url = format!("https://h/f?sign={}", "%2B%00".repeat(600));
    let mut transfer = transfer(&url, 0, 10);
    let mut run = Run::new(100, 100);
    assert_eq!(run.drive(&mut transfer, vec![says(partial(&firmware(10), 0, ""))]), Step::Finished);
    assert!(run.requests[0].starts_with(&format!("GET {} HTTP/1.1\r\n", &url["https://h".len()..])));
    assert!(run.requests[0].contains("Host: h\r\n"));
}

#[test]
fn every_kind_of_body_arrives_whole_however_it_is_cut_into_reads() {
    let file = firmware(3000);
    let close = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &file].concat();
    let http10 = [b"HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n".as_slice(), &file].concat();
    let early = [
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\n".as_slice(),
        &whole(&file, ""),
    ]
    .concat();
    let big_head = whole(&file, &format!("X-Big: {}\r\n", "x".repeat(60_000)));
    let many_fields = whole(&file, &(0..800).map(|i| format!("X-{i}: {i}\r\n")).collect::<String>());
    let too_long = [close.as_slice(), b"more than announced"].concat();
    let odd_case = String::from_utf8_lossy(&partial(b"x", 0, "")).replace("Content-Range", "cOnTeNt-RaNgE");
    assert!(odd_case.contains("cOnTeNt-RaNgE"));
    for (name, answer) in [
        ("whole", whole(&file, "")),
        ("partial", partial(&file, 0, "")),
        ("chunked", chunked(&file, 700)),
        ("chunks of one byte", chunked(&file, 1)),
        ("close", close),
        ("HTTP/1.0", http10),
        ("1xx", early),
        ("big head", big_head),
        ("many fields", many_fields),
        ("too long", too_long),
    ] {
        for chunk in [1, 2, 3, 100, 5000] {
            if chunk < 100 && name == "big head" {
                continue;
            }
            for len in [1, 64, 10_000] {
                let mut run = Run::new(chunk, len);
                let end = run.drive(&mut transfer("http://h/f", 0, 3000), vec![says(answer.clone())]);
                assert_eq!((end, run.requests.len()), (Step::Finished, 1), "{name} {chunk} {len}");
                assert!(run.got == file, "{name} {chunk} {len}");
            }
        }
    }
}

#[test]
fn a_server_that_ignores_ranges_costs_only_time() {
    let file = firmware(3000);
    for answer in [whole(&file, ""), chunked(&file, 700), [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &file].concat()] {
        for chunk in [1, 50, 5000] {
            let mut run = Run::new(chunk, 64);
            let end = run.drive(&mut transfer("http://h/f", 1234, 3000), vec![says(answer.clone())]);
            assert_eq!(end, Step::Finished);
            assert!(run.got == file[1234..], "{chunk}");
        }
    }
}

#[test]
fn a_cut_at_any_byte_is_ridden_out_without_a_byte_twice() {
    let file = firmware(200);
    for (name, answer) in [("206", partial(&file, 0, "ETag: \"t\"\r\n")), ("chunked", chunked(&file, 60))] {
        let body_begins = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        for cut in 0..answer.len() {
            for silent in [false, true] {
                let first = Script { bytes: answer[..cut].to_vec(), silent };
                let mut transfer = transfer("http://h/f", 0, 200);
                let mut run = Run::new(16, 64);
                // The second answer depends on what was asked for; look before answering.
                let mut probe = Run::new(16, 64);
                let mut shadow = super::tests::transfer("http://h/f", 0, 200);
                let _ = probe.drive(&mut shadow, vec![Script { bytes: answer[..cut].to_vec(), silent }, says("")]);
                let had = probe.got.len();
                let second = says(partial(&file, had.min(199), "ETag: \"t\"\r\n"));
                let end = run.drive(&mut transfer, vec![first, second]);
                assert_eq!(end, Step::Finished, "{name} cut at {cut}");
                assert!(run.got == file, "{name} cut at {cut}");
                if let Some(request) = run.requests.get(1) {
                    assert!(request.contains(&format!("Range: bytes={had}-199\r\n")), "{name} {cut} {request}");
                    assert!(!request.contains("If-"), "{request}");
                    let waited = run.connects[1].0 - if silent { 30_000 } else { 0 };
                    assert!((1000..=1250).contains(&waited), "{waited}");
                }
                if name == "206" {
                    assert_eq!(had, cut.saturating_sub(body_begins));
                }
            }
        }
    }
}

#[test]
fn refused_connections_back_off_and_end_as_failed() {
    let mut run = Run::new(16, 64);
    let end = failure(run.drive(&mut transfer("http://h/f", 0, 10), vec![]));
    assert_eq!((end.error, end.text.as_str()), (OtaError::FetchFailed, "refused"));
    let times: Vec<u64> = run.connects.iter().map(|(at, _)| *at).collect();
    // No order fails for a cause that a minute mends.
    assert!(times.len() <= 8 && *times.last().unwrap() >= 60_000, "{times:?}");
    for (pair, base) in times.windows(2).zip([1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]) {
        assert!((base..=base + base / 4).contains(&(pair[1] - pair[0])), "{times:?}");
    }
}

#[test]
fn what_time_does_not_mend_is_given_up_after_five_attempts() {
    let mut transfer = transfer("https://h/f", 0, 10);
    let mut now = Millis(0);
    for attempt in 0..6 {
        assert_eq!(transfer.next(now), Step::Connect, "{attempt}");
        transfer.connect_failed(now, "certificate of h expired", true);
        if let Step::Wait(until) = transfer.next(now) {
            now = until;
        }
    }
    assert_eq!(failure(transfer.next(now)).text, "certificate of h expired");
}

/// The server is there, but always breaks off at the same byte.
#[test]
fn answers_that_break_off_without_progress_are_given_up_after_five() {
    let answer = partial(&firmware(10), 0, "");
    let head = answer.len() - 10;
    let scripts = (0..9).map(|_| says(&answer[..head])).collect();
    let mut run = Run::new(16, 64);
    let end = failure(run.drive(&mut transfer("http://h:81/f", 0, 10), scripts));
    assert_eq!(end.text, "the answer of h:81 broke off: connection closed by the server");
    assert_eq!(run.connects.len(), 6);
}

#[test]
fn a_connection_that_ends_before_the_request_is_sent_is_made_again() {
    let mut transfer = transfer("http://h/f", 0, 10);
    assert_eq!(transfer.next(Millis(0)), Step::Connect);
    transfer.connected();
    transfer.wrote(5);
    transfer.closed("reset");
    assert!(matches!(transfer.next(Millis(0)), Step::Wait(_)));
    let Some(Note::Interrupted(text)) = transfer.take_note() else { panic!("no word of it") };
    assert!(text.starts_with("connection to h lost: reset at byte 0"), "{text}");
}

#[test]
fn a_lack_of_memory_ends_the_attempt_and_no_more() {
    let mut transfer = transfer("http://h/f", 0, 10);
    assert_eq!(transfer.next(Millis(0)), Step::Connect);
    transfer.connected();
    transfer.wrote(transfer.outgoing().len());
    assert_eq!(transfer.next(Millis(0)), Step::ReadHead);
    // Half of it is to be had where pointers have 32 bits.
    assert!(transfer.room(usize::MAX).is_empty());
    assert!(matches!(transfer.next(Millis(0)), Step::Wait(_)));
    let Some(Note::Interrupted(text)) = transfer.take_note() else { panic!("no word of it") };
    assert!(text.starts_with("no memory for what the server sends"), "{text}");
}

#[test]
fn silence_ends_as_a_time_out() {
    let scripts = (0..6).map(|_| silent_after("HTTP/1.1 ")).collect();
    let end = failure(Run::new(16, 64).drive(&mut transfer("http://h/f", 0, 10), scripts));
    assert_eq!((end.error, end.code.code()), (OtaError::FetchTimeout, -1));
}

#[test]
fn time_without_a_driver_is_no_stall() {
    let mut transfer = transfer("http://h/f", 0, 10);
    assert_eq!(transfer.next(Millis(0)), Step::Connect);
    transfer.connected();
    let length = transfer.outgoing().len();
    assert_eq!(transfer.next(Millis(0)), Step::Write);
    transfer.wrote(length);
    // The application writes its flash for an hour before it comes back.
    assert_eq!(transfer.next(Millis(3_600_000)), Step::ReadHead);
    transfer.nothing(Millis(3_601_000), 1000);
    assert_eq!(transfer.next(Millis(3_601_000)), Step::ReadHead);
    transfer.nothing(Millis(3_629_999), 1000);
    assert_eq!(transfer.next(Millis(3_629_999)), Step::ReadHead);
    transfer.nothing(Millis(3_630_000), 1);
    assert!(matches!(transfer.next(Millis(3_630_000)), Step::Wait(_)));
}

#[test]
fn progress_sets_the_count_of_attempts_back() {
    let file = firmware(40);
    let scripts: Vec<Script> = (0..40)
        .map(|begin| {
            let answer = partial(&file, begin, "");
            says(&answer[..answer.len() - (39 - begin)])
        })
        .collect();
    let mut run = Run::new(1, 1);
    assert_eq!(run.drive(&mut transfer("http://h/f", 0, 40), scripts), Step::Finished);
    assert_eq!(run.got, file);
    assert_eq!(run.connects.len(), 40);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let file = firmware(10);
    for status in [408, 429, 500, 503] {
        let busy = says(format!("HTTP/1.1 {status} Busy\r\nRetry-After: 17\r\nContent-Length: 3\r\n\r\nno!"));
        let mut run = Run::new(16, 64);
        assert_eq!(run.drive(&mut transfer("http://h/f", 0, 10), vec![busy, says(whole(&file, ""))]), Step::Finished);
        assert_eq!((run.connects[1].0, run.got), (17_000, file.clone()), "{status}");
    }
    let scripts = (0..6).map(|_| says("HTTP/1.1 503 Busy\r\n\r\nwait")).collect();
    let mut run = Run::new(16, 64);
    let end = failure(run.drive(&mut transfer("http://h/f", 0, 10), scripts));
    assert_eq!((end.error, end.text.as_str()), (OtaError::FetchFailed, "the server answered 503"));
    assert_eq!((run.connects.len(), run.got.len()), (6, 0));
}

#[test]
fn wrong_answers_hand_out_not_one_byte() {
    let other_total = b"HTTP/1.1 206 P\r\nContent-Range: bytes 4-9/11\r\nContent-Length: 6\r\n\r\nxxxxxx".to_vec();
    let gzip_page = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage".to_vec();
    let two_lengths = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 11\r\n\r\nxxxxxxxxxx".to_vec();
    let no_length = b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\nxxxxxxxxxx".to_vec();
    let empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
    for (answer, error) in [
        (other_total, OtaError::FetchFailed),
        (gzip_page, OtaError::FetchFailed),
        (two_lengths, OtaError::FetchFailed),
        (no_length, OtaError::FetchFailed),
        (empty, OtaError::FetchFailed),
        (b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), OtaError::FetchFailed),
        (b"HTTP/1.1 416 No\r\nContent-Range: bytes */4\r\n\r\n".to_vec(), OtaError::FetchFailed),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 10\r\n\r\n0123456789".to_vec(), OtaError::FetchFailed),
        (b"HTTP/1.1 401 No\r\n\r\n0123456789".to_vec(), OtaError::FetchAuthFail),
        (b"HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\n0123456789".to_vec(), OtaError::FetchAuthFail),
        (b"HTTP/1.1 404 No\r\nContent-Length: 10\r\n\r\n0123456789".to_vec(), OtaError::FetchNotExist),
        (b"HTTP/1.1 404 No\r\nContent-Length: x\r\n\r\n".to_vec(), OtaError::FetchNotExist),
        (b"HTTP/1.1 410 No\r\nContent-Length: 10\r\n\r\n0123456789".to_vec(), OtaError::FetchNotExist),
    ] {
        let mut run = Run::new(16, 64);
        let name = String::from_utf8_lossy(&answer).into_owned();
        let end = failure(run.drive(&mut transfer("http://h/f", 4, 10), vec![says(answer)]));
        assert_eq!((end.error, run.got.len(), run.connects.len()), (error, 0, 1), "{name}");
    }
}

#[test]
fn what_is_not_http_is_tried_again_and_then_failed() {
    let scripts = (0..6).map(|_| says("SSH-2.0-server\r\n\r\n")).collect();
    let mut run = Run::new(16, 64);
    let end = failure(run.drive(&mut transfer("http://h/f", 0, 10), scripts));
    assert_eq!((end.error, run.connects.len()), (OtaError::FetchFailed, 6));
    assert!(end.text.contains("not HTTP"), "{}", end.text);
}

#[test]
fn a_head_without_end_is_given_up_at_64_kb() {
    let head = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(20_000));
    let end = failure(Run::new(4096, 64).drive(&mut transfer("http://h/f", 0, 10), vec![says(head)]));
    assert!(end.text.contains("64 kB"), "{}", end.text);
}

#[test]
fn a_malformed_chunk_is_a_cut() {
    let file = firmware(10);
    let broken =
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n".as_slice(), &file[..5], b"\r\nzz\r\n"].concat();
    let mut run = Run::new(1, 64);
    let second = says(partial(&file, 5, ""));
    assert_eq!(run.drive(&mut transfer("http://h/f", 0, 10), vec![says(broken), second]), Step::Finished);
    assert!(run.requests[1].contains("Range: bytes=5-9"), "{}", run.requests[1]);
    assert_eq!(run.got, file);
}

#[test]
fn a_server_may_send_less_than_the_range() {
    let file = firmware(10);
    let first =
        [b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-3/10\r\nContent-Length: 4\r\n\r\n".as_slice(), &file[..4]].concat();
    let mut run = Run::new(100, 64);
    assert_eq!(
        run.drive(&mut transfer("http://h/f", 0, 10), vec![silent_after(first), says(partial(&file, 4, ""))]),
        Step::Finished
    );
    assert_eq!(run.got, file);
}

#[test]
fn nothing_to_fetch_needs_no_connection() {
    let mut run = Run::new(1, 1);
    assert_eq!(run.drive(&mut transfer("http://h/f", 10, 10), vec![]), Step::Finished);
    assert_eq!(run.connects.len(), 0);
}

#[test]
fn an_authorisation_that_expires_in_the_middle_ends_the_download() {
    let file = firmware(10);
    let first = partial(&file, 0, "");
    let mut run = Run::new(1, 1);
    let scripts = vec![says(&first[..first.len() - 4]), says("HTTP/1.1 403 Forbidden\r\n\r\n")];
    let end = failure(run.drive(&mut transfer("http://h/f", 0, 10), scripts));
    assert_eq!((end.error, run.got.len()), (OtaError::FetchAuthFail, 6));
}

#[test]
fn a_connection_that_is_never_made_is_a_cut_after_30_s() {
    let mut transfer = transfer("http://h/f", 0, 10);
    let mut now = Millis(0);
    for attempt in 0..6 {
        assert_eq!(transfer.next(now), Step::Connect);
        transfer.connecting();
        for _ in 0..30 {
            assert_eq!(transfer.next(now), Step::Await);
            now = now + 1000;
            transfer.nothing(now, 1000);
        }
        match transfer.next(now) {
            Step::Wait(until) => now = until,
            Step::Failed(failure) => assert_eq!((failure.error, attempt), (OtaError::FetchTimeout, 5)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_chunked_answer_that_ends_early_is_resumed() {
    let file = firmware(100);
    let scripts = vec![says(chunked(&file[..40], 16)), says(partial(&file, 40, ""))];
    let mut run = Run::new(7, 16);
    assert_eq!(run.drive(&mut transfer("http://h/f", 0, 100), scripts), Step::Finished);
    assert_eq!(run.got, file);
}

#[test]
fn there_is_nothing_to_send_before_a_connection() {
    let transfer = transfer("http://h/f", 40, 100);
    assert_eq!((transfer.outgoing(), transfer.position()), (&[][..], 40));
}

#[test]
fn a_chunk_without_a_size_does_not_fill_the_memory() {
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    endless.resize(1_000_000, b'0');
    let mut transfer = transfer("http://h/f", 0, 10_000_000);
    let mut sent = 0;
    let now = Millis(0);
    while sent < endless.len() {
        match transfer.next(now) {
            Step::Connect => transfer.connecting(),
            Step::Await => transfer.connected(),
            Step::Write => transfer.wrote(transfer.outgoing().len()),
            Step::ReadHead | Step::ReadBody { .. } => {
                let count = 4096.min(endless.len() - sent);
                transfer.room(4096)[..count].copy_from_slice(&endless[sent..sent + count]);
                transfer.received(count);
                sent += count;
            }
            Step::Data => assert_eq!(transfer.take(&mut [0; 4096]), 0),
            Step::Wait(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(sent <= 64 * 1024, "{sent} bytes were kept");
    let Some(Note::Interrupted(text)) = transfer.take_note() else { panic!("no cut") };
    assert!(text.starts_with("malformed chunk"), "{text}");
}
