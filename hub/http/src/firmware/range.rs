//! Which bytes a request wants (RFC 9110, sections 13.1.5 and 14).

/// The part of the file to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it, with status 200.
    Whole,
    /// From `first` to `last`, both included, with status 206.
    Bytes { first: u64, last: u64 },
    /// Nothing: status 416.
    Beyond,
}

/// What a `Range` header asks of a file of `size` bytes. A header that is malformed, of another unit or of several
/// ranges is ignored, as the standard allows. `if_range` counts only where it is exactly the file's `etag`.
pub fn select(range: Option<&str>, if_range: Option<&str>, etag: &str, size: u64) -> Part {
    let Some(range) = range else {
        return Part::Whole;
    };
    if if_range.is_some_and(|wanted| wanted != etag) {
        return Part::Whole;
    }
    parse(range, size).unwrap_or(Part::Whole)
}

fn parse(range: &str, size: u64) -> Option<Part> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let end = size.checked_sub(1)?;
    if first.is_empty() {
        let count = number(last)?;
        return Some(match count {
            0 => Part::Beyond,
            count => Part::Bytes { first: size.saturating_sub(count), last: end },
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() { end } else { number(last)? };
    if last < first && first <= end {
        return None;
    }
    Some(if first > end { Part::Beyond } else { Part::Bytes { first, last: last.min(end) } })
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // More digits than fit are still a number, and a large one.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(first: u64, last: u64) -> Part {
        Part::Bytes { first, last }
    }

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-9", bytes(0, 9)),
            ("bytes=0-99", bytes(0, 99)),
            ("bytes=0-100", bytes(0, 99)),
            ("bytes=40-", bytes(40, 99)),
            ("BYTES= 40-41 ", bytes(40, 41)),
            ("bytes=-10", bytes(90, 99)),
            ("bytes=-1000", bytes(0, 99)),
            ("bytes=99-", bytes(99, 99)),
            ("bytes=5-99999999999999999999999", bytes(5, 99)),
            ("bytes=100-", Part::Beyond),
            ("bytes=100-100", Part::Beyond),
            ("bytes=100-99", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=99999999999999999999999-", Part::Beyond),
            ("bytes=9-3", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes", Part::Whole),
            ("lines=0-1", Part::Whole),
        ] {
            assert_eq!(select(Some(range), None, "\"e\"", 100), expected, "{range}");
        }
    }

    #[test]
    fn conditions() {
        let wanted = |if_range| select(Some("bytes=1-"), Some(if_range), "\"e\"", 10);
        assert_eq!(wanted("\"e\""), bytes(1, 9));
        for other in ["\"f\"", "W/\"e\"", "e", "Tue, 01 Jan 2030 00:00:00 GMT"] {
            assert_eq!(wanted(other), Part::Whole, "{other}");
        }
    }
}
