//! What real web servers do (the cases of issue 12 that are about HTTP): one whole upgrade for each.

use e2e::{
    failures, Answer, Authority, Broker, Build, Desk, Field, Firmware, Late, ReservedPort, Server, Validity,
    FIRMWARE_PATH, FIRMWARE_SIZE,
};
use tempfile::TempDir;

/// Where the first answer is cut, in tests of what comes after.
const CUT: usize = 50_001;

// ---- first_connect ----

#[test]
fn first_connect_is_refused() {
    let field = Field::new();
    let port = ReservedPort::new();
    let url = format!("http://{}{FIRMWARE_PATH}", port.address());
    let broker = Broker::orders(&field.device, field.firmware.command(&url).into_bytes());
    let mut process = field.sample(&broker).start();
    process.wait_for(&["connection refused", &port.address()]);
    let image = field.firmware.bytes.clone();
    let _server = Server::http_on(&port, move |request| Answer::file(&image, request));
    field.expect_upgrade(&broker, &mut process);
}

#[test]
fn first_connect_has_no_name() {
    let field = Field::new();
    let server = field.good_server();
    let url = format!("http://fw.test:{}{FIRMWARE_PATH}", server.port());
    let broker = Broker::orders(&field.device, field.firmware.command(&url).into_bytes());
    let late = Late::new(field.folder.path());
    let mut process = late.name(field.sample(&broker), "fw.test").start();
    process.wait_for(&["name fw.test not found"]);
    late.is_over();
    field.expect_upgrade(&broker, &mut process);
}

#[test]
fn first_connect_in_1970() {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new(folder.path());
    let image = Firmware::image(FIRMWARE_SIZE);
    let identity = authority.server("localhost", Validity::Now);
    let server = Server::https(&identity, move |request| Answer::file(&image, request));
    let mut desk = Desk::with_url(Build::Key, FIRMWARE_SIZE, |_| server.url(FIRMWARE_PATH));
    desk.ca_file = authority.file();
    let late = Late::new(folder.path());
    let mut process = late.clock(desk.sample()).start();
    process.wait_for(&["not yet valid", "clock", "1970"]);
    late.is_over();
    desk.expect_upgrade(&mut process);
    assert!(failures(&desk.hub, &desk.device).is_empty());
}

// ---- redirect_query_only ----

#[test]
fn redirect_query_only() {
    // Base, Location, and what RFC 3986, 5.2 makes of them.
    for (base, location, wanted) in [
        ("/dir/get", "?sig=abc", "/dir/get?sig=abc"),
        ("/dir/get?id=5", "?sig=abc", "/dir/get?sig=abc"),
        ("/startx/", "?a=b/../c", "/startx/?a=b/../c"),
        ("/b/c/d;p?q", "./x", "/b/c/x"),
        ("/b/c/d;p?q", "../x", "/b/x"),
        ("/b/c/d;p?q", ";p", "/b/c/;p"),
        ("/b/c/d;p?q", "x?y/../z", "/b/c/x?y/../z"),
        ("/b/c/d;p?q", "/a//b/./c", "/a//b/c"),
        ("/b/c/d;p?q", "../../../g", "/g"),
        ("/b/c/d;p?q", "g#s/../x", "/b/c/g"),
    ] {
        let field = Field::new();
        let image = field.firmware.bytes.clone();
        let server = Server::http(move |request| match request.number {
            1 => Answer::status(302).header("Location", location),
            _ if request.target == wanted => Answer::file(&image, request),
            _ => Answer::status(403),
        });
        eprintln!("{base} -> {location}");
        field.upgrade_from(&server.url(base));
    }
}

// ---- odd_header_lines ----

#[test]
fn odd_header_lines() {
    for line in [
        &b"X-Cache : HIT"[..],
        b"X-Long: a\r\n  b",
        b"PHP Warning: Unable to load module",
        b"X-Odd(1): z",
        b"X-\xe5\x9b\xba: z",
        b"X-Ctl: a\x01b",
        b": v",
    ] {
        eprintln!("{}", String::from_utf8_lossy(line));
        Field::new().upgrade(|image, request| Answer::file(image, request).line(line));
    }
}

#[test]
fn odd_length_lines() {
    for line in [&b"Content-Length : 120000"[..], b"Content-Length:\r\n 120000", b"content-length:120000"] {
        eprintln!("{}", String::from_utf8_lossy(line));
        Field::new().upgrade(|image, _| Answer::status(200).body(image).length_line(line));
    }
}

// ---- request_header_names ----

#[test]
fn request_header_names() {
    let server = Field::new().upgrade(|image, request| {
        if request.header_spelled("Host").is_none() {
            return Answer::status(400);
        }
        match request.number {
            1 => Answer::file(image, request).cut_after(CUT),
            _ if request.header_spelled("Range").is_some() => Answer::file(image, request),
            _ => Answer::status(200).body(image),
        }
    });
    let requests = server.requests().all();
    assert_eq!(requests.len(), 2);
    for name in ["Host", "Range", "Accept-Encoding", "User-Agent", "Connection"] {
        assert!(requests[1].header_spelled(name).is_some(), "no {name}");
    }
}

// ---- range_begins_earlier ----

fn range_from(first: usize) {
    let server = Field::new().upgrade(move |image, request| match request.number {
        1 => Answer::file(image, request).cut_after(CUT),
        _ => {
            let range = format!("bytes {first}-{}/{FIRMWARE_SIZE}", FIRMWARE_SIZE - 1);
            Answer::status(206).header("Content-Range", &range).body(&image[first..])
        }
    });
    assert_eq!(server.ranges()[1], Some((CUT, FIRMWARE_SIZE - 1)));
    assert_eq!(server.ranges().len(), 2);
}

#[test]
fn range_begins_earlier() {
    range_from(49_152);
}

#[test]
fn range_begins_at_0() {
    range_from(0);
}

#[test]
fn validators_differ() {
    Field::new().upgrade(|image, request| match request.number {
        1 => Answer::file(image, request).header("ETag", "\"a\"").cut_after(CUT),
        _ => Answer::file(image, request)
            .header("ETag", "\"b\"")
            .header("Last-Modified", "Tue, 01 Jan 2030 00:00:00 GMT"),
    });
}

// ---- url_with_user ----

#[test]
fn url_with_user() {
    let field = Field::new();
    let image = field.firmware.bytes.clone();
    let elsewhere = Server::http(move |request| match request.header("Authorization") {
        None => Answer::file(&image, request),
        Some(_) => Answer::status(400),
    });
    let target = elsewhere.url(FIRMWARE_PATH);
    let server = Server::http(move |request| match request.header("Authorization") {
        Some("Basic dTpwIHc=") => Answer::status(302).header("Location", &target),
        _ => Answer::status(401),
    });
    let url = server.url("/f.bin").replace("http://", "http://u:p%20w@");
    let finished = field.upgrade_from(&url);
    assert!(!finished.says(&["p%20w"]) && !finished.says(&["dTpwIHc"]), "the log shows the password");
}
