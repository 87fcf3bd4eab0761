//! The firmware server.

mod common;

use std::io::{Read, Write};

use common::{firmware, tcp, Desk, Hub};
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

fn agent(hub: &Hub) -> Agent {
    let pem = std::fs::read(hub.text("ca_file")).expect("CA");
    let roots = RootCerts::from(vec![Certificate::from_pem(&pem).expect("CA")]);
    let tls = TlsConfig::builder().root_certs(roots).build();
    Agent::config_builder().tls_config(tls).http_status_as_error(false).proxy(None).build().into()
}

fn get(hub: &Hub, url: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = agent(hub).get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.call().expect("answer")
}

fn header(response: &Response<Body>, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

#[test]
fn the_whole_file_over_both_schemes() {
    let desk = Desk::new();
    for scheme in ["http", "https"] {
        let hub = desk.start(&["--scheme", scheme]);
        let url = hub.text("firmware_url").to_owned();
        assert!(url.starts_with(&format!("{scheme}://localhost:")), "{url}");
        let mut response = get(&hub, &url, &[("Accept-Encoding", "identity")]);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, "content-length"), firmware().len().to_string());
        assert_eq!(header(&response, "etag"), format!("\"{}\"", hub.text("md5")));
        assert!(response.body_mut().read_to_vec().expect("body") == firmware());
        let event = hub.event("http", |_| true);
        assert_eq!((&event["status"], &event["complete"]), (&200.into(), &true.into()));
        assert_eq!(event["bytes"], firmware().len());
        assert_eq!(event["accept_encoding"], "identity");
        assert!(url.ends_with(event["target"].as_str().expect("target")));
    }
}

#[test]
fn parts_of_the_file() {
    let desk = Desk::new();
    let hub = desk.start(&["--scheme", "http"]);
    let (url, data) = (hub.text("firmware_url").to_owned(), firmware());
    let etag = format!("\"{}\"", hub.text("md5"));
    let mut response = get(&hub, &url, &[("Range", "bytes=300000-699999"), ("If-Range", &etag)]);
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(header(&response, "content-range"), format!("bytes 300000-699999/{}", data.len()));
    assert!(response.body_mut().read_to_vec().expect("body") == data[300_000..700_000]);
    let event = hub.event("http", |_| true);
    assert_eq!((&event["range"], &event["if_range"]), (&"bytes=300000-699999".into(), &etag.into()));

    let changed = get(&hub, &url, &[("Range", "bytes=5-"), ("If-Range", "\"other\"")]);
    assert_eq!(changed.status(), StatusCode::OK);
    let beyond = get(&hub, &url, &[("Range", &format!("bytes={}-", data.len()))]);
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&beyond, "content-range"), format!("bytes */{}", data.len()));

    let head = agent(&hub).head(&url).call().expect("answer");
    assert_eq!(header(&head, "content-length"), data.len().to_string());
}

#[test]
fn only_the_target_handed_out_opens() {
    let desk = Desk::new();
    let hub = desk.start(&["--scheme", "http"]);
    let (url, http) = (hub.text("firmware_url").to_owned(), hub.text("http").to_owned());
    assert_eq!(get(&hub, &format!("{http}/firmware/2.0"), &[]).status(), StatusCode::OK);
    assert_eq!(get(&hub, &format!("{http}/firmware/1.0"), &[]).status(), StatusCode::NOT_FOUND);
    let decoded = url.replace("%26", "&").replace("%3D", "=");
    for altered in [decoded.as_str(), url.trim_end_matches("%00"), url.split('?').next().expect("path")] {
        assert_eq!(get(&hub, altered, &[]).status(), StatusCode::FORBIDDEN, "{altered}");
    }
}

#[test]
fn a_connection_serves_many_requests_and_a_cut_one_is_told() {
    let desk = Desk::new();
    desk.write("firmware.bin", &vec![7; 32 << 20]);
    let hub = desk.start(&[]);
    let address = hub.text("http").trim_start_matches("http://").to_owned();
    let mut stream = tcp(&address);
    for _ in 0..2 {
        write!(stream, "GET /firmware/2.0 HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n").expect("request");
        let mut answer = Vec::new();
        while !answer.ends_with(&[7; 10]) {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("answer");
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 206"));
        assert_eq!(hub.event("http", |_| true)["complete"], true);
    }
    write!(stream, "GET /firmware/2.0 HTTP/1.1\r\nHost: x\r\n\r\n").expect("request");
    stream.read_exact(&mut [0; 1000]).expect("beginning");
    drop(stream);
    let event = hub.event("http", |_| true);
    assert_eq!(event["complete"], false);
    assert!(event["bytes"].as_u64().is_some_and(|bytes| (1..32 << 20).contains(&bytes)));
}

#[test]
fn a_file_that_is_not_what_it_was_is_named() {
    let desk = Desk::new();
    let hub = desk.start(&["--scheme", "http"]);
    let refused = |what: &str| {
        assert_eq!(get(&hub, hub.text("firmware_url"), &[]).status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = |event: &serde_json::Value| event["text"].as_str().unwrap_or_default().to_owned();
        hub.event("warning", |event| text(event).contains("firmware.bin") && text(event).contains(what));
    };
    desk.write("firmware.bin", &firmware()[1..]);
    refused("it has 700000 bytes, and had 700001");
    std::fs::remove_file(desk.path("firmware.bin")).expect("removed");
    refused("No such file");
}

#[test]
fn an_address_that_asks_too_often_is_told_to_wait_and_a_person_once() {
    let desk = Desk::new();
    for scheme in ["http", "https"] {
        let mut hub = desk.start(&["--scheme", scheme, "--address-requests", "1"]);
        let url = hub.text("firmware_url").to_owned();
        let statuses: Vec<u16> = (0..4).map(|_| get(&hub, &url, &[]).status().as_u16()).collect();
        assert_eq!(statuses, [200, 429, 429, 429]);
        let answer = get(&hub, &url, &[]);
        let wait: u64 = header(&answer, "retry-after").parse().expect("seconds");
        assert!((1..=61).contains(&wait), "{wait}");
        hub.say("quit");
        let (mut requests, mut warnings) = (0, Vec::new());
        while let Some(event) = hub.next_event() {
            requests += usize::from(event["event"] == "http");
            warnings.extend((event["event"] == "warning").then(|| event["text"].to_string()));
        }
        assert_eq!((requests, warnings.len()), (1, 1), "{warnings:?}");
        assert!(warnings[0].contains("127.0.0.1 asks more than 1 times a minute"), "{warnings:?}");
    }
}

#[test]
fn an_address_has_so_many_connections_to_the_firmware_servers() {
    let desk = Desk::new();
    let hub = desk.start(&["--address-connections", "2"]);
    let place = hub.text("http").strip_prefix("http://").expect("a URL").to_owned();
    let (mut first, _second) = (tcp(&place), tcp(&place));
    let ask = |stream: &mut std::net::TcpStream| {
        let mut answer = [0; 12];
        // What is refused may be gone before it has asked.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.read_exact(&mut answer).map(|()| String::from_utf8_lossy(&answer).into_owned())
    };
    assert_eq!(ask(&mut first).expect("an answer"), "HTTP/1.1 404");
    let mut third = tcp(&place);
    let mut answer = [0; 12];
    third.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 429");
    hub.event("warning", |event| event["text"].to_string().contains("127.0.0.1 has 2 connections"));
    drop(first);
    let until = std::time::Instant::now() + common::PATIENCE;
    while ask(&mut tcp(&place)).ok().as_deref() != Some("HTTP/1.1 404") {
        assert!(std::time::Instant::now() < until, "the place of a connection that ended");
    }
}

#[test]
fn who_hardly_takes_what_it_has_asked_for_is_let_go_of() {
    let desk = Desk::new();
    // More than all the sockets on the way have room for.
    desk.write("firmware.bin", &firmware().repeat(40));
    // A portion in half a second, so that nobody waits here for long.
    let hub = desk.start(&["--scheme", "http", "--slowest-reader", "65536"]);
    let mut stream = tcp(hub.text("http").strip_prefix("http://").expect("a URL"));
    write!(stream, "GET /firmware/2.0 HTTP/1.1\r\nHost: x\r\n\r\n").expect("request");
    assert_eq!(hub.event("http", |_| true)["complete"], false);
    let text = "127.0.0.1 takes less than 65536 bytes a second of what it has asked for: its connection is ended";
    hub.event("warning", |event| event["text"] == text);
    let end = stream.read_to_end(&mut Vec::new()).expect_err("not the whole file");
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
}
