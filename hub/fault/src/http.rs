//! The rules for the firmware servers, HTTP and HTTPS.

use std::time::Duration;

use super::connection::{self, OnConnection};
use super::rule::{choose, Rule, Written};

/// What a rule may wait for. The two servers count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpEvent {
    /// A connection was accepted.
    Connection,
    /// A request's head is in.
    Request,
}

/// A rule for the firmware servers.
pub type HttpRule = Rule<HttpEvent, HttpEffect>;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpEffect {
    /// Before the first request.
    Connection(OnConnection),
    /// In an answer.
    Answer(Spoil),
}

/// What is wrong with a 206's `Content-Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeFlaw {
    /// It begins one byte later.
    Begin,
    /// The file is one byte longer.
    Total,
    /// It is not there.
    Missing,
    /// It makes no sense.
    Garbage,
}

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the very same place.
    Itself,
    /// To the server without TLS.
    Http,
    /// To the server with TLS.
    Https,
    /// To a port where nobody listens.
    Nowhere,
    /// There is no `Location`.
    Missing,
    /// To this URL.
    Url(String),
}

/// How an answer's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By closing: no `Content-Length`.
    Close,
    /// In chunks of so many bytes.
    Chunks(u64),
    /// In chunks, of which the one that begins at this byte of the file is malformed.
    BadChunk(u64),
    /// By two `Content-Length` that contradict each other.
    TwoLengths,
    /// By a `Content-Length` so much too large or too small.
    Off(i64),
}

/// What is wrong with an answer. Bytes count in the file, from 0, whatever part of it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// The connection ends before this byte: closed, or reset.
    Cut {
        /// The byte.
        at: u64,
        /// By a TCP reset.
        reset: bool,
    },
    /// The connection ends after so many bytes of the head.
    CutHead(usize),
    /// Silence before this byte; for ever, or so long.
    Stall {
        /// The byte.
        at: u64,
        /// `None`: for ever.
        lasts: Option<Duration>,
    },
    /// No answer at all.
    NoAnswer,
    /// So many bytes a second.
    Slow(u64),
    /// The body ends so many bytes before its announced end.
    Short(u64),
    /// So many bytes that are no firmware follow the body.
    Long(u64),
    /// How the end of the body is told.
    Ending(Ending),
    /// A 206 with this flaw.
    Range(RangeFlaw),
    /// The whole file, whatever range was asked for.
    IgnoreRange,
    /// Another status, with an error page.
    Status {
        /// The status.
        code: u16,
        /// What `Retry-After` says, if there is one.
        retry_after: Option<String>,
    },
    /// An HTML page instead of the firmware, with the status of a good answer.
    Page,
    /// A redirect.
    Redirect {
        /// Where to.
        to: Target,
        /// With this status.
        status: u16,
    },
    /// One more header line, as it stands.
    Header(String),
    /// So many bytes of headers.
    HugeHead(usize),
    /// This ETag; none where it is empty.
    Etag(String),
    /// Says that the body is compressed, which it is not.
    Gzip,
    /// Random bytes instead of an answer.
    Garbage(usize),
    /// This byte is another one.
    Corrupt(u64),
    /// Another file of the same length, under another ETag.
    OtherFile,
}

/// Examples of every effect with what they do.
pub const GUIDE: &[(&str, &str)] = &[
    ("http:cut=60000", "the connection is closed before byte 60000 of the file"),
    ("http:reset=60000", "the same with a TCP reset"),
    ("http:cut-head=20", "the connection is closed after 20 bytes of the head"),
    ("http:stall=60000,for=5", "silence before byte 60000, for 5 s; without `for` until the device gives up"),
    ("http:no-answer", "the request is read and never answered"),
    ("http:slow=20000", "20000 bytes a second"),
    ("http:short=10", "the body ends 10 bytes before its announced end"),
    ("http:long=10", "10 bytes too many follow the body"),
    ("http:length=-10", "Content-Length is 10 less than the body has (or +10: more)"),
    ("http:two-lengths", "two Content-Length that contradict each other"),
    ("http:no-length", "no Content-Length, the end is the connection's"),
    ("http:chunked=1000", "chunks of 1000 bytes"),
    ("http:bad-chunk=60000", "a malformed chunk at byte 60000"),
    ("http:content-range=begin", "a 206 that begins one byte late; also total, missing, garbage"),
    ("http:ignore-range", "200 with the whole file, whatever was asked for"),
    ("http:status=503,retry-after=3", "this status, with an error page"),
    ("http:page", "200 and an HTML page instead of the firmware"),
    ("http:redirect=self", "302 to the same URL; also http, https, nowhere, missing or a URL, and `,status=301`"),
    ("http:header=X-Odd", "one more header line, as it stands"),
    ("http:huge-head=70000", "70000 bytes of headers"),
    ("http:etag=\"other\"", "another ETag; `etag=` for none"),
    ("http:gzip", "says `Content-Encoding: gzip`"),
    ("http:garbage=500", "500 random bytes instead of HTTP"),
    ("http:corrupt=60000", "byte 60000 is another one"),
    ("http:other-file", "another file of the same length with another ETag, as after an upload in between"),
];

const RANGE_FLAWS: &[(&str, RangeFlaw)] = &[
    ("begin", RangeFlaw::Begin),
    ("total", RangeFlaw::Total),
    ("missing", RangeFlaw::Missing),
    ("garbage", RangeFlaw::Garbage),
];

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Understands a rule for the firmware servers.
pub fn parse(text: &str, rule: &Written<'_>) -> Result<HttpRule, String> {
    let (event, effect) = match connection::parse(rule)? {
        Some(effect) => (HttpEvent::Connection, HttpEffect::Connection(effect)),
        None => (HttpEvent::Request, HttpEffect::Answer(spoil(rule)?)),
    };
    if let Some(name) = rule.event {
        let events = [("connection", HttpEvent::Connection), ("request", HttpEvent::Request)];
        if choose("event", name, &events)? != event {
            return Err(format!("{} does not happen @{name}", rule.effect));
        }
    }
    Ok(Rule::new(text, event, effect, rule.occasions))
}

fn spoil(rule: &Written<'_>) -> Result<Spoil, String> {
    let takes_option = matches!(rule.effect, "stall" | "status" | "redirect");
    if !takes_option {
        rule.without_option()?;
    }
    if matches!(
        rule.effect,
        "no-answer" | "two-lengths" | "no-length" | "ignore-range" | "page" | "gzip" | "other-file"
    ) {
        rule.plain()?;
    }
    Ok(match rule.effect {
        "cut" => Spoil::Cut { at: rule.number("BYTE")?, reset: false },
        "reset" => Spoil::Cut { at: rule.number("BYTE")?, reset: true },
        "cut-head" => Spoil::CutHead(size(rule.number("BYTES")?)),
        "stall" => {
            let lasts = rule.option_number("for")?.map(Duration::from_secs);
            Spoil::Stall { at: rule.number("BYTE")?, lasts }
        }
        "no-answer" => Spoil::NoAnswer,
        "slow" => Spoil::Slow(rule.number("BYTES_PER_SECOND")?.max(1)),
        "short" => Spoil::Short(rule.number("BYTES")?),
        "long" => Spoil::Long(rule.number("BYTES")?),
        "length" => {
            let text = rule.required("+BYTES or length=-BYTES")?;
            let off = text.parse().map_err(|_| format!("length={text}: expected +BYTES or -BYTES"))?;
            Spoil::Ending(Ending::Off(off))
        }
        "two-lengths" => Spoil::Ending(Ending::TwoLengths),
        "no-length" => Spoil::Ending(Ending::Close),
        "chunked" => Spoil::Ending(Ending::Chunks(rule.number_or(1000)?.max(1))),
        "bad-chunk" => Spoil::Ending(Ending::BadChunk(rule.number("BYTE")?)),
        "content-range" => Spoil::Range(choose("content-range", rule.required("FLAW")?, RANGE_FLAWS)?),
        "ignore-range" => Spoil::IgnoreRange,
        "status" => Spoil::Status {
            code: status(rule.number("CODE")?)?,
            retry_after: rule.option("retry-after")?.map(str::to_owned),
        },
        "page" => Spoil::Page,
        "redirect" => Spoil::Redirect {
            to: target(rule.required("WHERE")?)?,
            status: status(rule.option_number("status")?.unwrap_or(302))?,
        },
        "header" => Spoil::Header(rule.required("LINE")?.to_owned()),
        "huge-head" => Spoil::HugeHead(size(rule.number("BYTES")?)),
        "etag" => Spoil::Etag(rule.value.unwrap_or_default().to_owned()),
        "gzip" => Spoil::Gzip,
        "garbage" => Spoil::Garbage(size(rule.number_or(500)?)),
        "corrupt" => Spoil::Corrupt(rule.number("BYTE")?),
        "other-file" => Spoil::OtherFile,
        other => return Err(super::unknown_effect(other, &[GUIDE, connection::GUIDE])),
    })
}

fn status(number: u64) -> Result<u16, String> {
    let code = u16::try_from(number).ok().filter(|code| (100..=999).contains(code));
    code.ok_or_else(|| format!("{number} is no status: expected 100 to 999"))
}

fn target(text: &str) -> Result<Target, String> {
    Ok(match text {
        "self" => Target::Itself,
        "http" => Target::Http,
        "https" => Target::Https,
        "nowhere" => Target::Nowhere,
        "missing" => Target::Missing,
        url if url.contains("://") => Target::Url(url.to_owned()),
        other => {
            return Err(format!(
                "redirect={other}: expected self, http, https, nowhere, missing or a URL with its scheme"
            ))
        }
    })
}
