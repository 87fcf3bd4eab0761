//! What each HTTP answer means (wire.md section 4). The body is firmware only where the status says so.

use crate::http::framing::number;
use crate::http::Head;
use crate::services::ota::Failure;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// First byte wanted.
    pub position: u64,
    /// Whether nothing more is wanted.
    pub complete: bool,
    /// Size of the firmware in bytes.
    pub file_size: u64,
}

/// What to do about an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The body is firmware, after `skip` bytes that are there already.
    Body {
        /// Bytes to throw away first.
        skip: u64,
    },
    /// Follow the `Location`.
    Redirect,
    /// Everything is there.
    Complete,
    /// Try again later.
    Retry {
        /// What happened.
        text: String,
        /// Seconds the server asks to wait.
        after_s: Option<u64>,
    },
    /// This can hardly be right. Once more, then it has failed.
    Doubt(String),
    /// Failed for good.
    Fail(Failure),
}

/// Judges an answer. `length` is the body's length where it is known from the head.
#[must_use]
pub fn judge(head: &Head<'_>, length: Option<u64>, asked: &Asked) -> Verdict {
    let text = format!("the server answered {}", head.status());
    match head.status() {
        206 => partial(head, length, asked),
        200 => whole(length, asked),
        301 | 302 | 303 | 307 | 308 => Verdict::Redirect,
        401 | 403 => Verdict::Fail(Failure::auth(text)),
        404 | 410 => Verdict::Fail(Failure::not_exist(text)),
        416 if asked.complete => Verdict::Complete,
        408 | 429 | 500..=599 => Verdict::Retry { text, after_s: retry_after(head) },
        _ => Verdict::Fail(Failure::failed(text)),
    }
}

fn partial(head: &Head<'_>, length: Option<u64>, asked: &Asked) -> Verdict {
    let Some(value) = head.get("Content-Range") else {
        return Verdict::Doubt("206 without Content-Range".to_owned());
    };
    let Some(range) = std::str::from_utf8(value).ok().and_then(ContentRange::parse) else {
        return Verdict::Doubt("206 with a malformed Content-Range".to_owned());
    };
    if range.total.is_some_and(|total| total != asked.file_size) || range.end >= asked.file_size {
        return other_size(range.total.unwrap_or(range.end.saturating_add(1)), asked);
    }
    if range.begin > asked.position {
        return Verdict::Doubt(format!("206 begins at byte {}, asked for {}", range.begin, asked.position));
    }
    if range.end < asked.position {
        return Verdict::Doubt(format!("206 ends at byte {}, asked for {}", range.end, asked.position));
    }
    let span = range.end - range.begin + 1;
    if let Some(length) = length.filter(|length| *length != span) {
        return Verdict::Doubt(format!("206 with {length} bytes for a range of {span}"));
    }
    Verdict::Body { skip: asked.position - range.begin }
}

/// A server that ignores ranges sends the file from its beginning.
fn whole(length: Option<u64>, asked: &Asked) -> Verdict {
    match length.filter(|length| *length != asked.file_size) {
        Some(length) => other_size(length, asked),
        None => Verdict::Body { skip: asked.position },
    }
}

fn other_size(size: u64, asked: &Asked) -> Verdict {
    let announced = asked.file_size;
    Verdict::Fail(Failure::failed(format!("the file on the server has {size} bytes, announced were {announced}")))
}

/// What a server says about which file it is. Nodes of one object store differ in it, so it goes into the log only:
/// size and MD5 of the command decide (behaviour.md section 5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators([Option<String>; 2]);

impl Validators {
    const FIELDS: [&'static str; 2] = ["ETag", "Last-Modified"];
    /// Longer ones are cut.
    const LONGEST: usize = 80;

    /// Those of an answer.
    #[must_use]
    pub fn of(head: &Head<'_>) -> Self {
        Validators(Self::FIELDS.map(|name| {
            let value = head.get(name)?;
            Some(String::from_utf8_lossy(value.get(..Self::LONGEST).unwrap_or(value)).into_owned())
        }))
    }

    /// Takes over those of a later answer. Returns how they differ.
    pub fn update(&mut self, later: Self) -> Option<String> {
        let mut change = None;
        for ((name, before), now) in Self::FIELDS.into_iter().zip(&mut self.0).zip(later.0) {
            let Some(now) = now else { continue };
            if let Some(before) = before.as_ref().filter(|before| **before != now) {
                change = change.or_else(|| Some(format!("the file's {name} was {before}, now is {now}")));
            }
            *before = Some(now);
        }
        change
    }
}

/// Seconds to wait. The form with a date needs a wall clock, which devices may not have; it is ignored.
fn retry_after(head: &Head<'_>) -> Option<u64> {
    let seconds = head.text("Retry-After")?;
    if !seconds.is_empty() && seconds.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(seconds.parse().unwrap_or(u64::MAX));
    }
    None
}

/// `bytes <begin>-<end>/<total>`, as leniently as curl reads it: there are servers that repeat the `=` of the request,
/// or leave the unit out.
struct ContentRange {
    begin: u64,
    end: u64,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_at(text.trim().find(|c: char| !c.is_ascii_alphabetic())?);
        if !unit.is_empty() && !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let rest = rest.trim_start_matches(['=', ':', ' ', '\t']);
        let (range, total) = rest.split_once('/')?;
        let (begin, end) = range.split_once('-')?;
        let position = |text: &str| number(text.trim().as_bytes());
        let total = match total.trim() {
            "*" => None,
            total => Some(position(total)?),
        };
        let (begin, end) = (position(begin)?, position(end)?);
        (begin <= end && total.is_none_or(|total| end < total)).then_some(ContentRange { begin, end, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::ota::OtaError;

    const FIRST: Asked = Asked { position: 0, complete: false, file_size: 1000 };
    const RESUME: Asked = Asked { position: 400, complete: false, file_size: 1000 };

    fn with_head<T>(status: u16, fields: &[(&str, &str)], look: impl FnOnce(&Head<'_>) -> T) -> T {
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut bytes = format!("HTTP/1.1 {status} X\r\n{lines}\r\n").into_bytes();
        look(&Head::parse(&mut bytes).unwrap())
    }

    fn answer(status: u16, fields: &[(&str, &str)], length: Option<u64>, asked: &Asked) -> Verdict {
        with_head(status, fields, |head| judge(head, length, asked))
    }

    fn error(verdict: Verdict) -> OtaError {
        match verdict {
            Verdict::Fail(failure) => failure.error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_206_must_fit_what_was_asked_for() {
        let range = |value| [("content-range", value)];
        for value in [
            "bytes 400-999/1000",
            "BYTES 400-999/1000",
            "bytes 400-999/*",
            "bytes 400-500/1000",
            "bytes=400-999/1000",
            "Bytes: 400 - 999 / 1000",
            "400-999/1000",
        ] {
            assert_eq!(answer(206, &range(value), None, &RESUME), Verdict::Body { skip: 0 }, "{value}");
        }
        assert_eq!(answer(206, &range("bytes 400-999/1000"), Some(600), &RESUME), Verdict::Body { skip: 0 });
        for value in ["bytes 400-999/1001", "bytes 400-998/999", "bytes 400-1000/*", "bytes 400-1000/1001"] {
            assert_eq!(error(answer(206, &range(value), None, &RESUME)), OtaError::FetchFailed, "{value}");
        }
        for value in [
            "bytes 401-999/1000",
            "bytes 0-399/1000",
            "bytes 400-1000/1000",
            "bytes 500-400/1000",
            "bytes */1000",
            "bytes 400/1000",
            "bytes -1-999/1000",
            "bytes 400-99999999999999999999999/1000",
            "bytes 400-999/999999999999999999999999",
            "items 400-999/1000",
            "\u{56fa}",
            "nonsense",
            "",
        ] {
            let verdict = answer(206, &range(value), None, &RESUME);
            assert!(matches!(verdict, Verdict::Doubt(_)), "{value}: {verdict:?}");
        }
        assert!(matches!(answer(206, &[], Some(600), &RESUME), Verdict::Doubt(_)));
        assert!(matches!(answer(206, &range("bytes 400-999/1000"), Some(599), &RESUME), Verdict::Doubt(_)));
        let most = format!("bytes 400-{}/*", u64::MAX);
        assert_eq!(error(answer(206, &range(&most), None, &RESUME)), OtaError::FetchFailed);
    }

    /// Case range_begins_earlier.
    #[test]
    fn a_206_that_begins_earlier_is_skipped_into() {
        let asked = Asked { position: 50_001, complete: false, file_size: 120_000 };
        for (value, length, skip) in [
            ("bytes 49152-119999/120000", 70_848, 849),
            ("bytes 0-119999/120000", 120_000, 50_001),
            ("bytes 50000-50001/*", 2, 1),
        ] {
            for length in [None, Some(length)] {
                let verdict = answer(206, &[("content-range", value)], length, &asked);
                assert_eq!(verdict, Verdict::Body { skip }, "{value}");
            }
        }
    }

    #[test]
    fn a_200_brings_the_whole_file() {
        assert_eq!(answer(200, &[], Some(1000), &FIRST), Verdict::Body { skip: 0 });
        assert_eq!(answer(200, &[], None, &FIRST), Verdict::Body { skip: 0 });
        assert_eq!(answer(200, &[], Some(1000), &RESUME), Verdict::Body { skip: 400 });
        assert_eq!(error(answer(200, &[], Some(999), &FIRST)), OtaError::FetchFailed);
        assert_eq!(error(answer(200, &[], Some(600), &RESUME)), OtaError::FetchFailed);
    }

    #[test]
    fn validators_that_differ_are_told_once() {
        let of = |fields: &[(&str, &str)]| with_head(206, fields, Validators::of);
        let mut known = Validators::default();
        assert_eq!(known.update(of(&[("etag", "\"a\"")])), None);
        assert_eq!(known.update(of(&[])), None);
        assert_eq!(known.update(of(&[("etag", "\"a\""), ("last-modified", "x")])), None);
        let change = known.update(of(&[("etag", "W/\"b\""), ("last-modified", "y")]));
        assert_eq!(change.as_deref(), Some("the file's ETag was \"a\", now is W/\"b\""));
        assert_eq!(known.update(of(&[("etag", "W/\"b\""), ("last-modified", "y")])), None);
        let change = known.update(of(&[("last-modified", &"z".repeat(500))])).unwrap();
        assert!(change.starts_with("the file's Last-Modified was y") && change.len() < 150, "{change}");
    }

    #[test]
    fn every_other_status_has_its_row() {
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(answer(status, &[], None, &FIRST), Verdict::Redirect, "{status}");
        }
        for status in [401, 403] {
            assert_eq!(error(answer(status, &[], None, &FIRST)), OtaError::FetchAuthFail, "{status}");
        }
        for status in [404, 410] {
            assert_eq!(error(answer(status, &[], None, &FIRST)), OtaError::FetchNotExist, "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(answer(status, &[], None, &FIRST), Verdict::Retry { .. }), "{status}");
        }
        for status in [201, 204, 300, 304, 305, 306, 400, 405, 407, 412, 416, 418, 451, 600] {
            let Verdict::Fail(failure) = answer(status, &[], None, &FIRST) else { panic!("{status}") };
            assert_eq!(failure.error, OtaError::FetchFailed, "{status}");
            assert!(failure.text.contains(&status.to_string()), "{}", failure.text);
        }
    }

    #[test]
    fn a_416_is_fine_when_everything_is_there() {
        let asked = Asked { position: 1000, complete: true, ..FIRST };
        assert_eq!(answer(416, &[], None, &asked), Verdict::Complete);
        assert_eq!(error(answer(416, &[], None, &RESUME)), OtaError::FetchFailed);
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        let after = |value: &str| match answer(503, &[("retry-after", value)], None, &FIRST) {
            Verdict::Retry { after_s, .. } => after_s,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("7"), Some(7));
        assert_eq!(after("99999999999999999999999"), Some(u64::MAX));
        for value in ["-1", "", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(after(value), None, "{value}");
        }
    }
}
