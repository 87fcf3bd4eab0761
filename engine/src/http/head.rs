//! The head of an HTTP answer: finding its end and reading it.
//!
//! Lines that servers and proxies are known to add are taken as curl takes them: blanks before the colon, folded values
//! (RFC 9112 section 5.2), lone CRs (section 2.2), names that are no names (the line is left out). What decides where
//! the body ends stays strict.

use httparse::{Error, ParserConfig, Response, Status, EMPTY_HEADER};

/// Longest head in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Most lines: what keeps them takes no more memory than the longest head.
const MAX_LINES: usize = 2000;

/// Fields that decide where the body ends.
const FRAMING_FIELDS: [&[u8]; 2] = [b"Content-Length", b"Transfer-Encoding"];

/// Length of the head at the start of `bytes` with its empty line, when that is in. Looks from `seen` on.
#[must_use]
pub fn end(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    let mut at = from;
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        match bytes.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// A head that has been read.
#[derive(Debug)]
pub struct Head<'a> {
    is_http_1_0: bool,
    status: u16,
    fields: Vec<httparse::Header<'a>>,
}

impl<'a> Head<'a> {
    /// Reads a whole head. Folds and lone CRs in `head` become spaces.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(head: &'a mut [u8]) -> Result<Self, String> {
        if head.contains(&0) {
            return Err("its head has a NUL byte".to_owned());
        }
        unfold(head);
        let head: &'a [u8] = head;
        let lines = head.iter().filter(|byte| **byte == b'\n').count();
        if lines > MAX_LINES {
            return Err(format!("its head has more than {MAX_LINES} lines"));
        }
        let mut fields = Vec::new();
        fields.try_reserve_exact(lines).map_err(|_| "there is no memory for its head")?;
        fields.resize(lines, EMPTY_HEADER);

        let mut response = Response::new(&mut fields);
        let mut parser = ParserConfig::default();
        parser
            .allow_multiple_spaces_in_response_status_delimiters(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        let parsed = parser.parse_response(&mut response, head).map_err(what_is_wrong)?;
        let (Status::Complete(_), Some(version), Some(status)) = (parsed, response.version, response.code) else {
            return Err("its head is not complete".to_owned());
        };
        let count = response.headers.len();
        fields.truncate(count);
        let head_read = Head { is_http_1_0: version == 0, status, fields };
        head_read.check_framing_fields(head)?;
        Ok(head_read)
    }

    /// None of the fields that decide where the body ends was left out as malformed.
    fn check_framing_fields(&self, head: &[u8]) -> Result<(), String> {
        for name in FRAMING_FIELDS {
            let is_it = |line: &&[u8]| {
                let colon = line.iter().position(|byte| *byte == b':');
                let before = colon.and_then(|colon| line.get(..colon));
                before.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(name))
            };
            let lines = head.split(|byte| *byte == b'\n').filter(is_it).count();
            let read = self.fields.iter().filter(|field| field.name.as_bytes().eq_ignore_ascii_case(name)).count();
            if lines != read {
                return Err(format!("its {} line is malformed", String::from_utf8_lossy(name)));
            }
        }
        Ok(())
    }

    /// Whether the answer is HTTP/1.0.
    #[must_use]
    pub fn is_http_1_0(&self) -> bool {
        self.is_http_1_0
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Values of the fields with this name, in either case.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The first value of the field with this name, in either case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// As [`Head::get`], where the value is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.get(name)?).ok()
    }
}

/// Puts folded lines together and makes a lone CR a space.
fn unfold(head: &mut [u8]) {
    for at in 0..head.len() {
        match head.get_mut(at..) {
            Some([cr @ b'\r', next, ..]) if *next != b'\n' => *cr = b' ',
            Some([cr @ b'\r', lf @ b'\n', b' ' | b'\t', ..]) => (*cr, *lf) = (b' ', b' '),
            Some([lf @ b'\n', b' ' | b'\t', ..]) => *lf = b' ',
            _ => {}
        }
    }
}

fn what_is_wrong(error: Error) -> String {
    match error {
        Error::Version => "it does not begin with HTTP/1.1 or HTTP/1.0",
        Error::Status => "its first line has no status",
        Error::NewLine => "a line of its head has no end",
        _ => "a line of its head is malformed",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &str) -> Result<Vec<(String, String)>, String> {
        let mut bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
        let head = Head::parse(&mut bytes)?;
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Ok(head.fields.iter().map(|field| (field.name.to_owned(), text(field.value))).collect())
    }

    #[test]
    fn the_end_is_found_wherever_the_bytes_were_cut() {
        for head in ["HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            let bytes = format!("{head}body\n\n").into_bytes();
            assert_eq!(end(&bytes, 0), Some(head.len()));
            for cut in 0..head.len() {
                assert_eq!(end(&bytes[..cut], 0), None, "{cut}");
                assert_eq!(end(&bytes, cut), Some(head.len()), "{cut}");
            }
        }
        assert_eq!(end(b"", 0), None);
        assert_eq!(end(b"x", 9), None);
    }

    #[test]
    fn names_have_no_case_and_values_no_blanks_around() {
        let mut bytes = b"HTTP/1.0  404  Not there\r\nA:1\r\na: \t2 \t\r\nB: \xff\r\n\r\n".to_vec();
        let head = Head::parse(&mut bytes).unwrap();
        assert_eq!((head.status(), head.is_http_1_0()), (404, true));
        assert_eq!(head.all("A").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!((head.get("A"), head.text("a"), head.get("C")), (Some(&b"1"[..]), Some("1"), None));
        assert_eq!((head.get("b"), head.text("B")), (Some(&b"\xff"[..]), None));
    }

    #[test]
    fn status_lines_of_all_sorts() {
        for (line, status) in [
            ("HTTP/1.1 206 Partial Content\r\n", 206),
            ("HTTP/1.1 206\r\n", 206),
            ("HTTP/1.1 206 \r\n", 206),
            ("HTTP/1.1   206   x  y\r\n", 206),
            ("HTTP/1.0 999 \u{56fa}\r\n", 999),
            ("HTTP/1.1 200 OK\n", 200),
            ("\r\nHTTP/1.1 200 OK\r\n", 200),
        ] {
            let mut bytes = format!("{line}\r\n").into_bytes();
            assert_eq!(Head::parse(&mut bytes).map(|head| head.status()), Ok(status), "{line}");
        }
    }

    /// Case odd_header_lines, and its neighbours.
    #[test]
    fn odd_lines_do_no_harm() {
        for (line, value) in [
            ("X-Cache : HIT", Some(("X-Cache", "HIT"))),
            ("X-Cache\t \t: HIT", Some(("X-Cache", "HIT"))),
            ("X-Long: a\r\n  b", Some(("X-Long", "a    b"))),
            ("X-Long: a\n\tb", Some(("X-Long", "a \tb"))),
            ("X-Long:\r\n \r\n\tb", Some(("X-Long", "b"))),
            ("X-Cr: a\rb", Some(("X-Cr", "a b"))),
            ("X-Raw: \u{56fa}", Some(("X-Raw", "\u{56fa}"))),
            ("X-Empty:", Some(("X-Empty", ""))),
            ("PHP Warning: Unable to load module", None),
            ("<b>Warning</b>: x in <b>/a.php</b> on line <b>3</b>", None),
            ("X-Odd(1): z", None),
            ("X-\u{56fa}: z", None),
            ("X-Ctl: a\u{1}b", None),
            ("X-Ctl: a\u{1}b\r\n folded", None),
            (": v", None),
            (":", None),
            ("no colon", None),
            ("\u{feff}X-Mark: z", None),
        ] {
            let mut expected: Vec<_> = value.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            expected.push(("Content-Length".to_owned(), "120000".to_owned()));
            let after = fields(&format!("{line}\r\nContent-Length : 120000\r\n"));
            assert_eq!(after.as_ref(), Ok(&expected), "{line}");
            expected.rotate_right(1);
            assert_eq!(fields(&format!("Content-Length: 120000\r\n{line}\r\n")), Ok(expected), "{line}");
        }
        // A fold before the first field belongs to the first line.
        assert_eq!(fields(" X: y\r\nA: b\r\n"), Ok(vec![("A".to_owned(), "b".to_owned())]));
    }

    #[test]
    fn what_is_no_head_says_what_is_wrong() {
        for (head, words) in [
            ("SSH-2.0-x\r\n\r\n", "begin with HTTP"),
            ("ICY 200 OK\r\n\r\n", "begin with HTTP"),
            ("HTTP/2 200 OK\r\n\r\n", "begin with HTTP"),
            ("HTTP/1.1 2x0 OK\r\n\r\n", "no status"),
            ("HTTP/1.1 OK\r\n\r\n", "no status"),
            ("\r\n\r\n", "not complete"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", "not complete"),
            ("HTTP/1.1 200 OK\r\nA: \0b\r\n\r\n", "NUL"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\u{1}\r\n\r\n", "Content-Length"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding : \u{1}\r\n\r\n", "Transfer-Encoding"),
        ] {
            let why = Head::parse(&mut head.as_bytes().to_vec()).map(|head| head.status()).unwrap_err();
            assert!(why.contains(words), "{head}: {why}");
        }
        assert_eq!(what_is_wrong(Error::NewLine), "a line of its head has no end");
        assert_eq!(what_is_wrong(Error::Token), "a line of its head is malformed");
    }

    #[test]
    fn many_lines_are_fine_and_too_many_are_not() {
        let many: String = (0..1900).map(|i| format!("X-{i}: {i}\r\n")).collect();
        assert_eq!(fields(&many).unwrap().len(), 1900);
        assert!(fields(&"a: b\r\n".repeat(3000)).unwrap_err().contains("2000 lines"));
    }
}
