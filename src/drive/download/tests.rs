use std::sync::atomic::Ordering;

use iot_engine::http::Url;
use iot_engine::services::ota::OtaError;

use super::*;
use crate::drive::testing::web_server::{range_begin, Answer, Traits, World};

const CALLER: Caller = Caller {
    start: "IOT_OTA_StartDownload",
    fetch: "IOT_OTA_FetchYield",
    https: Https { option: "FEATURE_OTA_USE_HTTPS", is_on: cfg!(feature = "ota-use-https") },
};

fn firmware(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn plan(url: &str, offset: u32, file_size: u32) -> Plan {
    Plan { url: Url::parse(url).unwrap(), offset, end: file_size, file_size }
}

fn start(world: &Arc<World>, file_size: usize) -> Download {
    Download::start(world.platform(), plan("http://h/f", 0, file_size as u32), &CALLER).unwrap()
}

const NEVER: &dyn Fn() -> bool = &|| false;

/// Fetches with buffers of `len` bytes and limits of 1 s until the end.
fn drain(download: &mut Download, len: usize) -> (Vec<u8>, Fetched) {
    let mut got: Vec<u8> = Vec::new();
    let mut buf = vec![0; len];
    for _ in 0..10_000 {
        match download.fetch(&mut buf, 1000, NEVER) {
            Fetched::Bytes(count) => got.extend(&buf[..count]),
            Fetched::Nothing => {}
            end => return (got, end),
        }
    }
    panic!("no end");
}

fn filling(filling: bool) -> Traits {
    Traits { filling, ..Traits::default() }
}

#[test]
fn a_cut_at_any_byte_is_ridden_out_on_every_platform() {
    let file = firmware(300);
    let head = head_length(&file);
    let length = head + file.len();
    for fills in [false, true] {
        for len in [1, 64, 1000] {
            for cut in 0..length {
                let served = file.clone();
                let world = World::new(filling(fills), move |nth, request| {
                    let answer = Answer::range(&served, request);
                    if nth == 0 {
                        answer.cut_at(cut)
                    } else {
                        answer
                    }
                });
                let (got, end) = drain(&mut start(&world, file.len()), len);
                assert_eq!(end, Fetched::Finished, "cut at {cut}");
                assert!(got == file, "cut at {cut}");
                let requests = world.requests.lock().unwrap();
                let begins: Vec<usize> = requests.iter().map(|request| range_begin(request)).collect();
                assert_eq!(begins, [0, cut.saturating_sub(head)], "cut at {cut}");
                assert_eq!(world.open.load(Ordering::Relaxed), 0);
            }
        }
    }
}

fn head_length(file: &[u8]) -> usize {
    let (last, total) = (file.len() - 1, file.len());
    format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{last}/{total}\r\nContent-Length: {total}\r\n\r\n")
        .len()
}

#[test]
fn every_buffer_size_gets_the_whole_file() {
    let file = firmware(100_000);
    for fills in [false, true] {
        for len in [1000, 5000, 16_383, 16_384, 65_536, 200_000] {
            let served = file.clone();
            let world = World::new(filling(fills), move |_, request| Answer::range(&served, request));
            let began = world.ms();
            let (got, end) = drain(&mut start(&world, file.len()), len);
            assert_eq!(end, Fetched::Finished);
            assert!(got == file, "{len}");
            // Everything was there at once: hardly any time may be lost to waiting.
            assert!(world.ms() - began <= 20, "{len}: {} ms", world.ms() - began);
        }
    }
}

/// hal.md: asked for more than what comes, such a platform waits for the whole limit.
#[test]
fn a_platform_that_fills_its_buffers_is_not_asked_for_what_never_comes() {
    let file = firmware(700);
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2bc\r\n".to_vec();
    chunked.extend(&file);
    chunked.extend(b"\r\n0\r\n\r\n");
    let close = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &file].concat();
    let range = Answer::range(&file, "Range: bytes=0-");
    for answer in [Answer::new(chunked), Answer::new(close), range] {
        let mut answer = Some(answer.then_silent());
        let world = World::new(filling(true), move |_, _| answer.take().expect("a second request"));
        let began = world.ms();
        let (got, end) = drain(&mut start(&world, file.len()), 500);
        assert_eq!((got, end), (file.clone(), Fetched::Finished));
        assert!(world.ms() - began <= u64::from(SHORT_MS), "{} ms", world.ms() - began);
    }
}

#[test]
fn small_buffers_are_filled_whole_and_cost_few_reads() {
    let file = firmware(150_000);
    let served = file.clone();
    let world = World::new(filling(true), move |_, request| Answer::range(&served, request));
    let mut download = start(&world, file.len());
    let mut buf = [0; 5000];
    let mut sizes = Vec::new();
    while let Fetched::Bytes(count) = download.fetch(&mut buf, 1000, NEVER) {
        sizes.push(count);
    }
    let short = sizes.iter().filter(|size| **size < 5000).count();
    assert!(short <= 2, "{sizes:?}");
    let reads = world.reads.load(Ordering::Relaxed);
    assert!(reads <= 150_000 / 15_000 + 6, "{reads}");
}

/// How many bytes of the body were read and not handed out, at most, with buffers of 5,000 bytes.
fn most_ahead(url: &str) -> usize {
    let file = firmware(150_000);
    let head = head_length(&file);
    let served = file.clone();
    let world = World::new(filling(true), move |_, request| Answer::range(&served, request));
    let mut download = Download::start(world.platform(), plan(url, 0, file.len() as u32), &CALLER).unwrap();
    let (mut buf, mut got, mut most) = ([0; 5000], 0, 0);
    while let Fetched::Bytes(count) = download.fetch(&mut buf, 1000, NEVER) {
        assert!(buf[..count] == file[got..got + count]);
        got += count;
        most = most.max(world.taken.load(Ordering::Relaxed) - head - got);
    }
    assert_eq!(got, file.len());
    most
}

#[test]
fn what_small_buffers_do_not_hold_is_read_ahead() {
    assert_eq!(most_ahead("http://h/f"), 10_000);
}

/// A TLS session keeps the rest of a record: a thousand of them should not keep it twice.
#[test]
#[cfg(all(feature = "ota-use-https", not(feature = "auth-with-notls")))]
fn over_tls_nothing_is_read_ahead() {
    assert_eq!(most_ahead("https://h/f"), 0);
}

#[test]
fn a_slow_link_does_not_hold_the_caller_longer_than_it_asked() {
    let file = firmware(50_000);
    for fills in [false, true] {
        let served = file.clone();
        let world = World::new(filling(fills), move |_, request| Answer::range(&served, request).paced(2));
        let mut download = start(&world, file.len());
        let mut got: Vec<u8> = Vec::new();
        for len in [5000, 65_536].into_iter().cycle() {
            let mut buf = vec![0; len];
            let before = world.ms();
            match download.fetch(&mut buf, 1000, NEVER) {
                Fetched::Bytes(count) => got.extend(&buf[..count]),
                Fetched::Nothing => {}
                end => {
                    assert_eq!(end, Fetched::Finished);
                    break;
                }
            }
            assert!(world.ms() - before <= 1000 + u64::from(SHORT_MS), "{fills} {len}: {}", world.ms() - before);
        }
        assert!(got == file);
        assert_eq!(world.requests.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_time_limit_in_the_middle_of_the_head_keeps_the_connection() {
    let file = firmware(10);
    let served = file.clone();
    // 1 ms per byte: the head takes several calls.
    let world = World::new(filling(false), move |nth, request| match nth {
        0 => Answer::range(&served, request).paced(1),
        _ => panic!("a second request"),
    });
    let mut download = start(&world, file.len());
    let mut got: Vec<u8> = Vec::new();
    let mut buf = [0; 100];
    let mut nothing = 0;
    loop {
        let before = world.ms();
        match download.fetch(&mut buf, 20, NEVER) {
            Fetched::Bytes(count) => got.extend(&buf[..count]),
            Fetched::Nothing => nothing += 1,
            end => {
                assert_eq!(end, Fetched::Finished);
                break;
            }
        }
        assert!(world.ms() - before <= 30);
    }
    assert_eq!(got, file);
    assert!(nothing >= 3, "{nothing}");
}

#[test]
fn silence_returns_nothing_in_time_and_ends_as_a_time_out() {
    for fills in [false, true] {
        let world = World::new(filling(fills), |_, _| Answer::new("").then_silent());
        let mut download = start(&world, 10);
        let began = world.ms();
        let mut buf = [0; 10];
        for _ in 0..29 {
            let before = world.ms();
            assert_eq!(download.fetch(&mut buf, 1000, NEVER), Fetched::Nothing);
            assert_eq!(world.ms() - before, 1000);
        }
        let (got, end) = drain(&mut download, 10);
        let Fetched::Failed(failure) = end else { panic!("{end:?}") };
        assert_eq!((failure.error, got.len()), (OtaError::FetchTimeout, 0));
        // Six times 30 s, and the waits between them.
        let took = world.ms() - began;
        assert!((211_000..=219_000).contains(&took), "{took}");
        assert_eq!(world.open.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_call_without_time_looks_once() {
    let file = firmware(10);
    let served = file.clone();
    let world = World::new(filling(false), move |_, request| Answer::range(&served, request));
    let mut download = start(&world, 10);
    let mut buf = [0; 100];
    let mut got: Vec<u8> = Vec::new();
    for _ in 0..5 {
        if let Fetched::Bytes(count) = download.fetch(&mut buf, 0, NEVER) {
            got.extend(&buf[..count]);
        }
    }
    assert_eq!(got, file);
}

#[test]
fn waiting_for_the_next_attempt_holds_no_connection_and_no_caller() {
    let file = firmware(10);
    let served = file.clone();
    let world = World::new(filling(false), move |nth, request| match nth {
        0 => Answer::new("HTTP/1.1 503 Busy\r\nRetry-After: 10\r\n\r\n"),
        _ => Answer::range(&served, request),
    });
    let mut download = start(&world, 10);
    let mut buf = [0; 100];
    for _ in 0..9 {
        assert_eq!(download.fetch(&mut buf, 1000, NEVER), Fetched::Nothing);
        assert_eq!(world.open.load(Ordering::Relaxed), 0);
    }
    let (got, end) = drain(&mut download, 100);
    assert_eq!((got, end), (file, Fetched::Finished));
}

#[test]
fn a_platform_that_never_waits_is_not_spun() {
    let world = World::new(Traits { hasty: true, ..Traits::default() }, |_, _| Answer::new("").then_silent());
    let mut download = start(&world, 10);
    assert_eq!(download.fetch(&mut [0; 10], 1000, NEVER), Fetched::Nothing);
    let reads = world.reads.load(Ordering::Relaxed);
    assert!(reads <= 1001, "{reads}");
}

#[test]
fn a_stop_is_noticed_within_a_slice() {
    let world = World::new(filling(true), |_, _| Answer::new("").then_silent());
    let mut download = start(&world, 10);
    let began = world.ms();
    let stop = || world.ms() > began + 100;
    assert_eq!(download.fetch(&mut [0; 10], 1_000_000, &stop), Fetched::Stopped);
    assert!(world.ms() - began <= SLICE_MS);
}

#[test]
fn what_no_time_mends_is_an_error_at_the_start() {
    let world = World::new(Traits::default(), |_, _| Answer::new(""));
    world.refuse.store(true, Ordering::Relaxed);
    world.lasting.store(true, Ordering::Relaxed);
    let error = Download::start(world.platform(), plan("http://h:81/f?s3cret", 0, 10), &CALLER).map(drop).unwrap_err();
    assert!(matches!(error.fault, StartFault::Unreachable(_)), "{error:?}");
    assert!(error.text.contains("h:81") && !error.text.contains("s3cret"), "{}", error.text);
}

/// Case first_connect.
#[test]
fn a_first_connection_that_fails_is_tried_again_like_any_other() {
    let file = firmware(10);
    for away_ms in [3_000, 8_000, 50_000] {
        let served = file.clone();
        let world = World::new(Traits::default(), move |_, request| Answer::range(&served, request));
        world.refuse.store(true, Ordering::Relaxed);
        let mut download = start(&world, 10);
        let began = world.ms();
        let mut buf = [0; 100];
        while world.ms() < began + away_ms {
            assert_eq!(download.fetch(&mut buf, 1000, NEVER), Fetched::Nothing, "{away_ms}");
        }
        world.refuse.store(false, Ordering::Relaxed);
        assert_eq!(drain(&mut download, 100), (file.clone(), Fetched::Finished), "{away_ms}");
    }

    // For good: given up after five attempts and a minute.
    let world = World::new(Traits::default(), |_, _| Answer::new(""));
    world.refuse.store(true, Ordering::Relaxed);
    let (_, end) = drain(&mut start(&world, 10), 100);
    let Fetched::Failed(failure) = end else { panic!("{end:?}") };
    assert_eq!(failure.text, "h:80: connection could not be made (-603)");
    assert!(world.ms() >= 1_060_000 && world.attempts.lock().unwrap().len() > 5);
}

#[test]
fn a_request_that_can_not_be_sent_is_sent_again() {
    let file = firmware(10);
    let served = file.clone();
    let world = World::new(Traits::default(), move |_, request| Answer::range(&served, request));
    world.clogged.store(true, Ordering::Relaxed);
    let mut download = start(&world, 10);
    world.clogged.store(false, Ordering::Relaxed);
    assert_eq!(drain(&mut download, 100), (file, Fetched::Finished));
    assert_eq!(world.attempts.lock().unwrap().len(), 2);
}

#[test]
fn connections_that_are_refused_after_a_redirect_are_tried_again() {
    // The first connection works, those after the redirect are refused.
    let world = World::new(Traits::default(), |_, _| Answer::new("HTTP/1.1 302 X\r\nLocation: /g\r\n\r\n"));
    let mut download = start(&world, 10);
    world.refuse.store(true, Ordering::Relaxed);
    let (_, end) = drain(&mut download, 100);
    let Fetched::Failed(failure) = end else { panic!("{end:?}") };
    assert_eq!(failure.error, OtaError::FetchFailed);
    assert!(failure.text.contains("h:80"), "{failure}");
    let attempts = world.attempts.lock().unwrap().len();
    assert!((1 + 7..=1 + 8).contains(&attempts), "{attempts}");
}

#[test]
fn nothing_to_fetch_opens_no_connection() {
    let world = World::new(Traits::default(), |_, _| Answer::new(""));
    let mut download = Download::start(world.platform(), plan("http://h/f", 10, 10), &CALLER).unwrap();
    assert_eq!(download.fetch(&mut [0; 10], 1000, NEVER), Fetched::Finished);
    assert!(world.attempts.lock().unwrap().is_empty());
}

#[test]
#[cfg(all(feature = "ota-use-https", not(feature = "auth-with-notls")))]
fn the_scheme_decides_port_and_security() {
    let world = World::new(Traits::default(), |nth, _| match nth {
        0 => Answer::new("HTTP/1.1 302 X\r\nLocation: https://other/f\r\n\r\n"),
        _ => Answer::new("HTTP/1.1 404 X\r\n\r\n"),
    });
    let (_, end) = drain(&mut start(&world, 10), 100);
    assert!(matches!(end, Fetched::Failed(_)));
    assert_eq!(*world.attempts.lock().unwrap(), ["h:80", "other:443 tls"]);
}

#[test]
#[cfg(not(all(feature = "ota-use-https", not(feature = "auth-with-notls"))))]
fn https_is_refused_where_it_was_built_out() {
    let world =
        World::new(Traits::default(), |_, _| Answer::new("HTTP/1.1 302 X\r\nLocation: https://other/f\r\n\r\n"));
    let error = Download::start(world.platform(), plan("https://h/f", 0, 10), &CALLER).map(drop).unwrap_err();
    assert_eq!(error.fault, StartFault::NoHttps);
    assert!(error.text.contains("FEATURE_"), "{}", error.text);
    let (_, end) = drain(&mut start(&world, 10), 100);
    let Fetched::Failed(failure) = end else { panic!("{end:?}") };
    assert!(failure.text.contains("FEATURE_"), "{failure}");
}

/// Behaviour.md section 4: nothing in `s` seconds is 0, whatever it is that does not move.
#[test]
fn whatever_is_stalled_a_fetch_returns_in_time() {
    type Stall = fn(&World);
    const LIMIT_MS: u64 = 700;
    let file = firmware(1000);
    let stalls: [(&str, Stall); 4] = [
        ("connect", |world| world.connect_ms.store(u64::MAX, Ordering::Relaxed)),
        ("slow connect", |world| world.connect_ms.store(25_000, Ordering::Relaxed)),
        ("write", |world| world.clogged.store(true, Ordering::Relaxed)),
        ("nothing", |_| ()),
    ];
    for (name, stall) in stalls {
        let served = file.clone();
        // The first answer is cut short in its body, what follows meets the stall; read is the one that never answers.
        let world = World::new(filling(false), move |nth, request| match nth {
            0 => Answer::range(&served, request).cut_at(500),
            _ => Answer::new("HTTP/1.1 206 P").then_silent(),
        });
        let mut download = start(&world, file.len());
        stall(&world);
        let began = world.ms();
        let mut buf = [0; 300];
        let end = loop {
            let before = world.ms();
            let fetched = download.fetch(&mut buf, LIMIT_MS, NEVER);
            assert!(world.ms() - before <= LIMIT_MS + 100, "{name}: {} ms", world.ms() - before);
            if !matches!(fetched, Fetched::Bytes(_) | Fetched::Nothing) {
                break fetched;
            }
        };
        let Fetched::Failed(failure) = end else { panic!("{name}: {end:?}") };
        assert_eq!(failure.error, OtaError::FetchTimeout, "{name}");
        // Five attempts of 25 s at least and 55 s at most, and the waits before them.
        let took = world.ms() - began;
        assert!((31_000 + 125_000..=31_000 + 290_000).contains(&took), "{name}: {took}");
        assert_eq!(world.open.load(Ordering::Relaxed), 0, "{name}");
    }
}

#[test]
fn a_connection_that_takes_longer_than_one_call_is_made_all_the_same() {
    let file = firmware(1000);
    let served = file.clone();
    let world = World::new(filling(false), move |nth, request| match nth {
        0 => Answer::range(&served, request).cut_at(400),
        _ => Answer::range(&served, request),
    });
    let mut download = start(&world, file.len());
    world.connect_ms.store(12_345, Ordering::Relaxed);
    let (got, end) = drain(&mut download, 300);
    assert_eq!((got, end), (file, Fetched::Finished));
    assert_eq!(world.attempts.lock().unwrap().len(), 2, "one attempt, over several calls");
}
