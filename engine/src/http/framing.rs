//! How the end of an answer's body is told (RFC 9112 section 6.3). What contradicts itself is an error: a wrong guess
//! would hand out bytes of something else.

use super::chunk::Chunked;
use super::Head;

/// How the end of a body is told.
#[derive(Debug)]
pub enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// The connection is closed.
    Close,
    /// Chunked transfer coding.
    Chunked(Chunked),
}

impl Framing {
    /// How the body behind `head` ends.
    ///
    /// # Errors
    /// What about its length is not clear.
    pub fn of(head: &Head<'_>) -> Result<Self, String> {
        if matches!(head.status(), 100..=199 | 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if is_chunked(head)? {
            return Ok(Framing::Chunked(Chunked::default()));
        }
        Ok(content_length(head)?.map_or(Framing::Close, Framing::Length))
    }
}

/// Codings other than chunked would have to be undone; nobody asked for one.
fn is_chunked(head: &Head<'_>) -> Result<bool, String> {
    let mut chunked = false;
    for coding in head.all("Transfer-Encoding").flat_map(elements) {
        // HTTP/1.0 has no such field (RFC 9112 section 6.1).
        if head.is_http_1_0() || coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
            continue;
        }
        if chunked {
            return Err("Transfer-Encoding names more than chunked".to_owned());
        }
        if !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(format!("Transfer-Encoding is {}, not chunked", coding.escape_ascii()));
        }
        chunked = true;
    }
    Ok(chunked)
}

/// The same length may stand there more than once (RFC 9110 section 8.6).
fn content_length(head: &Head<'_>) -> Result<Option<u64>, String> {
    let mut length = None;
    for text in head.all("Content-Length").flat_map(elements) {
        let number = number(text).ok_or_else(|| format!("Content-Length is \"{}\", no number", text.escape_ascii()))?;
        match length {
            Some(before) if before != number => {
                return Err(format!("Content-Length is {before} and {number}"));
            }
            _ => length = Some(number),
        }
    }
    Ok(length)
}

fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A number as the fields of HTTP have it: digits and nothing else.
#[must_use]
pub fn number(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(status: &str, lines: &str) -> Result<String, String> {
        let mut bytes = format!("{status}\r\n{lines}\r\n").into_bytes();
        let head = Head::parse(&mut bytes)?;
        Framing::of(&head).map(|framing| match framing {
            Framing::Length(length) => length.to_string(),
            Framing::Close => "close".to_owned(),
            Framing::Chunked(_) => "chunked".to_owned(),
        })
    }

    #[test]
    fn the_head_tells_where_the_body_ends() {
        const OK: &str = "HTTP/1.1 200 OK";
        for (status, lines, expected) in [
            (OK, "", "close"),
            (OK, "Content-Length: 10\r\n", "10"),
            (OK, "Content-Length : 10\r\n", "10"),
            (OK, "Content-Length:\r\n 10\r\n", "10"),
            (OK, "content-length:10\r\nCONTENT-LENGTH: 10\r\n", "10"),
            (OK, "Content-Length: 10, 10\r\n", "10"),
            (OK, "Content-Length: 0010\r\n", "10"),
            (OK, "Transfer-Encoding: chunked\r\n", "chunked"),
            (OK, "Transfer-Encoding: Chunked\r\nContent-Length: 10\r\n", "chunked"),
            (OK, "Transfer-Encoding: identity\r\nContent-Length: 10\r\n", "10"),
            (OK, "Transfer-Encoding: identity, chunked\r\n", "chunked"),
            (OK, "Transfer-Encoding:\r\n", "close"),
            ("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n", "close"),
            ("HTTP/1.0 200 OK", "Content-Length: 10\r\n", "10"),
            ("HTTP/1.1 204 No Content", "Content-Length: 10\r\n", "0"),
            ("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked\r\n", "0"),
        ] {
            assert_eq!(framing(status, lines).as_deref(), Ok(expected), "{status} {lines}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_an_error_in_words_of_the_field() {
        for lines in [
            "Content-Length: 10\r\nContent-Length: 11\r\n",
            "Content-Length: 10\r\nContent-Length : 11\r\n",
            "Content-Length: 10, 11\r\n",
            "Content-Length: ten\r\n",
            "Content-Length: -10\r\n",
            "Content-Length: +10\r\n",
            "Content-Length: 0x10\r\n",
            "Content-Length: 1 0\r\n",
            "Content-Length: 1\r\n 0\r\n",
            "Content-Length: 10,\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "Content-Length: 1\u{1}0\r\n",
            "Content-Length\u{1}: 10\r\nContent-Length: 1\u{1}0\r\n",
            "Transfer-Encoding: chun\u{1}ked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            let why = framing("HTTP/1.1 200 OK", lines).unwrap_err();
            assert!(why.contains("Content-Length") || why.contains("Transfer-Encoding"), "{lines}: {why}");
        }
    }
}
