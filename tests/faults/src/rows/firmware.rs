//! The firmware server and the way to it.

use crate::row::Expect::{Fails, Right};
use crate::row::{Row, SIZE};

const HALF: usize = SIZE / 2;

/// The rows.
pub fn rows() -> Vec<Row> {
    [connections(), bodies(), lengths(), ranges(), statuses(), redirects(), heads(), contents()].concat()
}

fn connections() -> Vec<Row> {
    vec![
        Row::new("the server stays silent for good", &["http:no-answer"], Fails(-1)).says(&["err|", "30 s"]).long(),
        Row::new("the request is never answered", &["http:no-answer#1"], Right).requests(2).long(),
        Row::new("the connection is accepted and silent", &["http:silent#1"], Right).long(),
        Row::new("the connection is closed at once", &["http:hang-up#1"], Right).requests(1),
        Row::new("the next connection is reset at once", &["http:cut=60000#1", "http:refuse#2"], Right).requests(2),
        Row::new("the next connection is closed at once", &["http:cut=60000#1", "http:hang-up#2"], Right).requests(2),
        Row::new("the next connection is silent", &["http:cut=60000#1", "http:silent#2"], Right).requests(2).long(),
        Row::new("nobody listens for 3 s after a cut", &["http:cut=60000#1", "http:away=3#2"], Right).requests(2),
        Row::new("nobody listens for 18 s after a cut", &["http:cut=60000#1", "http:away=18#2"], Right)
            .requests(2)
            .long(),
        Row::new("every further connection is reset", &["http:cut=60000#1", "http:refuse#2-"], Fails(-5)).long(),
        Row::new("garbage instead of HTTP", &["http:garbage#1"], Right),
        Row::new("garbage instead of HTTP, always", &["http:garbage"], Fails(-5)).long(),
    ]
}

fn bodies() -> Vec<Row> {
    vec![
        Row::new("cut before the first byte", &["http:cut=0#1"], Right).requests(2),
        Row::new("cut after the first byte", &["http:cut=1#1"], Right).requests(2),
        Row::new("cut in the middle", &["http:cut=60000#1"], Right).requests(2),
        Row::new("cut before the last byte", &["http:cut=119999#1"], Right).requests(2),
        Row::new("cut within the sample's buffer", &["http:cut=62345#1"], Right).requests(2),
        Row::new(
            "cut six times, further on each time",
            &[
                "http:cut=10000#1",
                "http:cut=20000#2",
                "http:cut=30000#3",
                "http:cut=40000#4",
                "http:cut=50000#5",
                "http:cut=60000#6",
            ],
            Right,
        )
        .requests(7),
        Row::new("never past the middle", &["http:cut=60000"], Fails(-5)).requests(6).long(),
        Row::new("reset in the middle", &["http:reset=60000#1"], Right).requests(2),
        Row::new("reset before the first byte", &["http:reset=0#1"], Right).requests(2),
        Row::new("stalled in the middle until the device gives up", &["http:stall=60000#1"], Right).requests(2).long(),
        Row::new("stalled before the first byte until the device gives up", &["http:stall=0#1"], Right)
            .requests(2)
            .long(),
        Row::new("stalled for 5 s in the middle", &["http:stall=60000,for=5#1"], Right).requests(1),
        Row::new("20 kB/s", &["http:slow=20000"], Right).requests(1),
        Row::new(
            "cut, then stalled, then busy, then cut again",
            &["http:cut=20000#1", "http:stall=40000#2", "http:status=503#3", "http:cut=80000#4"],
            Right,
        )
        .requests(5)
        .long(),
    ]
}

fn lengths() -> Vec<Row> {
    vec![
        Row::new("10 bytes short of the announced length", &["http:short=10#1"], Right).requests(2),
        Row::new("always 10 bytes short", &["http:short=10"], Fails(-5)).long(),
        Row::new("10 bytes beyond the announced length", &["http:long=10"], Right).requests(1),
        Row::new("a Content-Length 10 too small", &["http:length=-10"], Fails(-5)).refused(),
        Row::new("a Content-Length 10 too large", &["http:length=+10"], Fails(-5)).refused(),
        Row::new("two Content-Length that differ", &["http:two-lengths"], Fails(-5)).refused(),
        Row::new("no length, ended by closing", &["http:no-length"], Right).requests(1),
        Row::new("no length, and closed in the middle", &["http:no-length", "http:cut=60000#1"], Right).requests(2),
        Row::new("chunks", &["http:chunked=777"], Right).requests(1),
        Row::new("chunks, and cut in the middle", &["http:chunked=777", "http:cut=60000#1"], Right).requests(2),
        Row::new("a malformed chunk at the start", &["http:bad-chunk=0#1"], Right).requests(2),
        Row::new("a malformed chunk in the middle", &["http:bad-chunk=60000#1"], Right).requests(2),
        Row::new("bytes after the last chunk", &["http:chunked=5000", "http:long=100"], Right),
    ]
}

fn ranges() -> Vec<Row> {
    let resume = |name: &str, faults: &[&str], expect| Row::new(name, faults, expect).stored(HALF);
    vec![
        resume("a 206 that begins a byte late", &["http:content-range=begin"], Fails(-5))
            .says(&["err|", "begins at byte"])
            .refused(),
        resume("a 206 of another total", &["http:content-range=total"], Fails(-5)).says(&["err|", "120001"]).refused(),
        resume("a 206 without Content-Range", &["http:content-range=missing"], Fails(-5))
            .says(&["err|", "content-range"])
            .refused(),
        resume("a 206 with a senseless Content-Range", &["http:content-range=garbage"], Fails(-5)).refused(),
        resume("a 200 on a resume", &["http:ignore-range"], Right).requests(1).fetched_anew(),
        resume("a 200 on a resume, cut", &["http:ignore-range", "http:cut=90000#1"], Right).requests(2).fetched_anew(),
        resume("a 200 on a resume, cut before the offset", &["http:ignore-range", "http:cut=30000#1"], Right)
            .requests(2)
            .fetched_anew(),
        Row::new("a 206 without a range on the first request", &["http:content-range=missing"], Fails(-5)).refused(),
    ]
}

fn statuses() -> Vec<Row> {
    let mut rows = Vec::new();
    for (code, report) in [(401, -3), (403, -3), (404, -2), (410, -2), (416, -5), (400, -5), (204, -5), (418, -5)] {
        let rule = format!("http:status={code}");
        rows.push(Row::new(&format!("status {code}"), &[&rule], Fails(report)).requests(1));
    }
    for rule in ["408", "429,retry-after=2", "500", "502", "503,retry-after=2", "504", "503,retry-after=soon"] {
        rows.push(Row::new(&format!("status {rule} once"), &[&format!("http:status={rule}#1")], Right).requests(2));
    }
    rows.extend([
        Row::new("status 503 for good", &["http:status=503"], Fails(-5)).requests(6).says(&["err|", "503"]).long(),
        Row::new("busy, and the URL expires meanwhile", &["http:status=503#1", "http:status=403#2"], Fails(-3))
            .requests(2),
        Row::new("busy after half of the file", &["http:cut=60000#1", "http:status=500#2-3"], Right).requests(4),
        Row::new("expired after half of the file", &["http:cut=60000#1", "http:status=403#2"], Fails(-3)).requests(2),
        Row::new("gone after half of the file", &["http:cut=60000#1", "http:status=404#2"], Fails(-2)).requests(2),
        Row::new("an HTML page with status 200", &["http:page"], Fails(-5)).requests(1),
        Row::new("an HTML page with status 200 on a resume", &["http:page"], Fails(-5)).stored(HALF).requests(1),
        Row::new("an HTML page with status 200 and no length", &["http:page#1", "http:no-length#1"], Fails(-4))
            .fetched_anew(),
        Row::new("an HTML page with status 206", &["http:status=206"], Fails(-5)).requests(2),
    ]);
    rows
}

fn redirects() -> Vec<Row> {
    let mut rows = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        let rule = format!("http:redirect=self,status={status}#1");
        rows.push(Row::new(&format!("a {status} to the same place"), &[&rule], Right).requests(2));
    }
    rows.extend([
        Row::new("a redirect loop", &["http:redirect=self"], Fails(-5)).requests(6).says(&["err|", "redirects"]),
        Row::new("five redirects", &["http:redirect=self#1-5"], Right).requests(6),
        Row::new("six redirects", &["http:redirect=self#1-6"], Fails(-5)).requests(6),
        Row::new("a redirect without Location", &["http:redirect=missing"], Fails(-5)),
        Row::new("a redirect to where nobody listens", &["http:redirect=nowhere#1"], Right).requests(2),
        Row::new("a redirect to FTP", &["http:redirect=ftp://localhost/x"], Fails(-5)),
        Row::new("a redirect from http to https", &["http:redirect=https#1"], Right).requests(2),
        Row::new("a redirect from https to http", &["http:redirect=http"], Fails(-5))
            .https()
            .requests(1)
            .says(&["err|", "from https to http"]),
        Row::new("a redirect in the middle", &["http:cut=60000#1", "http:redirect=self#2"], Right).requests(3),
    ]);
    rows
}

fn heads() -> Vec<Row> {
    vec![
        Row::new("cut before the head", &["http:cut-head=0#1"], Right).requests(2),
        Row::new("cut in the status line", &["http:cut-head=9#1"], Right).requests(2),
        Row::new("cut within the headers", &["http:cut-head=60#1"], Right).requests(2),
        Row::new("a header line without a colon", &["http:header=no colon here"], Right).requests(1),
        Row::new("a header line of spaces", &["http:header=   "], Right).requests(1),
        Row::new("60 kB of headers", &["http:huge-head=60000"], Right).requests(1),
        Row::new("70 kB of headers", &["http:huge-head=70000"], Fails(-5)).says(&["err|", "64 kB"]).refused(),
        Row::new("1 MB of headers", &["http:huge-head=1000000"], Fails(-5)).refused(),
        Row::new("says that it is compressed", &["http:gzip"], Right),
    ]
}

fn contents() -> Vec<Row> {
    vec![
        Row::new("the first byte is wrong", &["http:corrupt=0"], Fails(-4)).fetched_anew(),
        Row::new("a byte in the middle is wrong", &["http:corrupt=60000"], Fails(-4)).fetched_anew(),
        Row::new("the last byte is wrong", &["http:corrupt=119999"], Fails(-4)).fetched_anew(),
        Row::new("the file changes between two answers", &["http:cut=60000#1", "http:other-file#2"], Fails(-4))
            .says(&["wrn|", "etag was"])
            .fetched_anew(),
        Row::new(
            "the file changes between two answers without ETag",
            &["http:cut=60000#1", "http:other-file#2", "http:etag="],
            Fails(-4),
        )
        .fetched_anew(),
        Row::new("the ETag changes, the file does not", &["http:cut=60000#1", "http:etag=\"x\"#2"], Right)
            .requests(2)
            .says(&["wrn|", "etag was"]),
        Row::new("a weak ETag, and a cut", &["http:etag=W/\"x\"", "http:cut=60000#1"], Right).requests(2),
        Row::new("no ETag, and a cut", &["http:etag=", "http:cut=60000#1"], Right).requests(2),
    ]
}
