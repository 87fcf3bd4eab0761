//! What each HTTP answer means (wire.md section 4). The body is firmware only where the status says so.

use ureq_proto::http::{header, HeaderMap, HeaderValue, StatusCode};

use crate::services::ota::Failure;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// First byte wanted.
    pub position: u64,
    /// Whether nothing more is wanted.
    pub complete: bool,
    /// Size of the firmware in bytes.
    pub file_size: u64,
    /// ETag of an earlier answer of this download.
    pub etag: Option<&'a HeaderValue>,
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
    /// Failed for good.
    Fail(Failure),
}

/// Judges an answer. `length` is the body's length where it is known from the head.
#[must_use]
pub fn judge(status: StatusCode, headers: &HeaderMap, length: Option<u64>, asked: &Asked<'_>) -> Verdict {
    let text = format!("the server answered {}", status.as_u16());
    match status.as_u16() {
        206 => partial(headers, length, asked).unwrap_or_else(|why| Verdict::Fail(Failure::failed(why))),
        200 => whole(headers, length, asked).unwrap_or_else(|why| Verdict::Fail(Failure::failed(why))),
        301 | 302 | 303 | 307 | 308 => Verdict::Redirect,
        401 | 403 => Verdict::Fail(Failure::auth(text)),
        404 | 410 => Verdict::Fail(Failure::not_exist(text)),
        416 if asked.complete => Verdict::Complete,
        408 | 429 | 500..=599 => Verdict::Retry { text, after_s: retry_after(headers) },
        _ => Verdict::Fail(Failure::failed(text)),
    }
}

fn partial(headers: &HeaderMap, length: Option<u64>, asked: &Asked<'_>) -> Result<Verdict, String> {
    let value = headers.get(header::CONTENT_RANGE).ok_or("206 without Content-Range")?;
    let range = value.to_str().ok().and_then(ContentRange::parse).ok_or("206 with a malformed Content-Range")?;
    if range.begin != asked.position {
        return Err(format!("206 begins at byte {}, asked for {}", range.begin, asked.position));
    }
    if range.total.is_some_and(|total| total != asked.file_size) || range.end >= asked.file_size {
        let total = range.total.unwrap_or(range.end + 1);
        return Err(format!("the file on the server has {total} bytes, announced were {}", asked.file_size));
    }
    let span = range.end - range.begin + 1;
    if let Some(length) = length.filter(|length| *length != span) {
        return Err(format!("206 with {length} bytes for a range of {span}"));
    }
    if let (Some(before), Some(etag)) = (asked.etag, headers.get(header::ETAG)) {
        same_file(before, etag)?;
    }
    Ok(Verdict::Body { skip: 0 })
}

fn whole(headers: &HeaderMap, length: Option<u64>, asked: &Asked<'_>) -> Result<Verdict, String> {
    if let Some(length) = length.filter(|length| *length != asked.file_size) {
        return Err(format!("the file on the server has {length} bytes, announced were {}", asked.file_size));
    }
    if let Some(before) = asked.etag.filter(|_| asked.position > 0) {
        // A 200 to If-Range means changed, unless the server just ignores ranges and shows the same tag.
        let etag = headers.get(header::ETAG).ok_or("the file on the server may have changed: 200 without its ETag")?;
        same_file(before, etag)?;
    }
    Ok(Verdict::Body { skip: asked.position })
}

fn same_file(before: &HeaderValue, now: &HeaderValue) -> Result<(), String> {
    if before == now {
        Ok(())
    } else {
        Err("the file on the server changed (ETag)".to_owned())
    }
}

/// The ETag of an answer, where it is a strong one: only those tell that bytes are the same.
#[must_use]
pub fn strong_etag(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::ETAG).filter(|etag| etag.as_bytes().starts_with(b"\""))
}

/// Seconds to wait. The form with a date needs a wall clock, which devices may not have; it is ignored.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !seconds.is_empty() && seconds.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(seconds.parse().unwrap_or(u64::MAX));
    }
    None
}

/// `bytes <begin>-<end>/<total>`
struct ContentRange {
    begin: u64,
    end: u64,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(|c: char| c.is_ascii_whitespace())?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, total) = rest.split_once('/')?;
        let (begin, end) = range.split_once('-')?;
        let total = match total.trim() {
            "*" => None,
            total => Some(number(total)?),
        };
        let (begin, end) = (number(begin)?, number(end)?);
        (begin <= end && total.is_none_or(|total| end < total)).then_some(ContentRange { begin, end, total })
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use ureq_proto::http::HeaderName;

    use super::*;
    use crate::services::ota::OtaError;

    const FIRST: Asked<'_> = Asked { position: 0, complete: false, file_size: 1000, etag: None };
    const RESUME: Asked<'_> = Asked { position: 400, complete: false, file_size: 1000, etag: None };

    fn answer(status: u16, headers: &[(&str, &str)], length: Option<u64>, asked: &Asked<'_>) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        judge(StatusCode::from_u16(status).unwrap(), &map, length, asked)
    }

    fn error(verdict: Verdict) -> OtaError {
        match verdict {
            Verdict::Fail(failure) => failure.error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_206_must_fit_what_was_asked_for() {
        let go_on = Verdict::Body { skip: 0 };
        let range = |value| [("content-range", value)];
        for value in ["bytes 400-999/1000", "BYTES 400-999/1000", "bytes 400-999/*", "bytes 400-500/1000"] {
            assert_eq!(answer(206, &range(value), None, &RESUME), go_on, "{value}");
        }
        assert_eq!(answer(206, &range("bytes 400-999/1000"), Some(600), &RESUME), go_on);
        for value in [
            "bytes 0-999/1000",
            "bytes 401-999/1000",
            "bytes 400-999/1001",
            "bytes 400-998/999",
            "bytes 400-1000/*",
            "bytes 400-1000/1000",
            "bytes 500-400/1000",
            "bytes */1000",
            "bytes 400/1000",
            "bytes -1-999/1000",
            "bytes 400-99999999999999999999999/1000",
            "items 400-999/1000",
            "nonsense",
            "",
        ] {
            assert_eq!(error(answer(206, &range(value), None, &RESUME)), OtaError::FetchFailed, "{value}");
        }
        assert_eq!(error(answer(206, &[], Some(600), &RESUME)), OtaError::FetchFailed);
        assert_eq!(error(answer(206, &range("bytes 400-999/1000"), Some(599), &RESUME)), OtaError::FetchFailed);
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
    fn two_files_are_never_mixed() {
        let before = HeaderValue::from_static("\"a\"");
        let asked = Asked { etag: Some(&before), ..RESUME };
        let range = ("content-range", "bytes 400-999/1000");
        assert_eq!(answer(206, &[range, ("etag", "\"a\"")], None, &asked), Verdict::Body { skip: 0 });
        assert_eq!(answer(206, &[range], None, &asked), Verdict::Body { skip: 0 });
        assert_eq!(error(answer(206, &[range, ("etag", "\"b\"")], None, &asked)), OtaError::FetchFailed);
        assert_eq!(answer(200, &[("etag", "\"a\"")], None, &asked), Verdict::Body { skip: 400 });
        assert_eq!(error(answer(200, &[("etag", "\"b\"")], None, &asked)), OtaError::FetchFailed);
        assert_eq!(error(answer(200, &[], None, &asked)), OtaError::FetchFailed);
        // Nothing is there yet, so there is nothing to mix.
        let first = Asked { position: 0, ..asked };
        assert_eq!(answer(200, &[("etag", "\"b\"")], None, &first), Verdict::Body { skip: 0 });
    }

    #[test]
    fn only_strong_etags_count() {
        let headers = |value: &'static str| {
            let mut map = HeaderMap::new();
            map.insert(header::ETAG, HeaderValue::from_static(value));
            map
        };
        assert!(strong_etag(&headers("\"a\"")).is_some());
        assert!(strong_etag(&headers("W/\"a\"")).is_none());
        assert!(strong_etag(&HeaderMap::new()).is_none());
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
        for status in [101, 201, 204, 300, 304, 305, 306, 400, 405, 407, 412, 416, 418, 451, 600] {
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
        let after = |value| match answer(503, &[("retry-after", value)], None, &FIRST) {
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
