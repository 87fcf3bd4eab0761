//! Texts for the log without the secrets of their URLs: a signed query is as good as a password (behaviour.md section 2).

use std::borrow::Cow;

/// Where in a text [`without_url_secrets`] is.
#[derive(Clone, Copy)]
enum Place {
    /// Outside of URLs, behind this many characters of `://`.
    Text(usize),
    /// Behind `://`; the authority begins at this byte of the answer.
    Authority(usize),
    Path,
    /// Inside a query or fragment.
    Hidden,
}

/// A log line has no room for more, in bytes.
const MAX_SHOWN: usize = 1024;
/// How much of a text is looked at that is not UTF-8, in bytes: a copy is made of it.
const MAX_REPAIRED: usize = 4096;

/// `payload` with every URL in it cut off before its query, and without user and password. JSON's ways to write `:`, `/`,
/// `?` and `@` are known. Other bytes than UTF-8 are replaced. Cut where a log line ends at the latest.
#[must_use]
pub fn without_url_secrets(payload: &[u8]) -> String {
    let text = match std::str::from_utf8(payload) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(&payload[..payload.len().min(MAX_REPAIRED)]),
    };
    let mut shown = String::with_capacity(text.len().min(MAX_SHOWN));
    let mut place = Place::Text(0);
    let mut rest = &*text;
    while let Some((character, length)) = unit(rest) {
        let (source, behind) = rest.split_at(length);
        if shown.len() + length > MAX_SHOWN {
            break;
        }
        rest = behind;
        place = match (place, character) {
            (Place::Hidden, '"') => Place::Text(0),
            (Place::Hidden, _) => continue,
            (Place::Authority(_) | Place::Path, '?' | '#') => {
                place = Place::Hidden;
                continue;
            }
            (Place::Authority(begin), '@') => {
                shown.truncate(begin);
                place = Place::Authority(begin);
                continue;
            }
            (Place::Authority(_), '/') => Place::Path,
            (Place::Authority(_) | Place::Path, '"' | '\0'..=' ') => Place::Text(0),
            (Place::Text(0), ':') => Place::Text(1),
            (Place::Text(1), '/') => Place::Text(2),
            (Place::Text(2), '/') => Place::Authority(shown.len() + length),
            (Place::Text(_), _) => Place::Text(usize::from(character == ':')),
            (place, _) => place,
        };
        shown.push_str(source);
    }
    shown
}

/// The character that `text` begins with, as JSON reads it, and how many bytes it takes. A quote with a backslash
/// does not end the string, so it comes as a letter.
fn unit(text: &str) -> Option<(char, usize)> {
    let mut characters = text.chars();
    let first = characters.next()?;
    if first != '\\' {
        return Some((first, first.len_utf8()));
    }
    let escape = match characters.next() {
        None => ('\\', 1),
        Some('u') => match text.get(2..6).and_then(|digits| u8::from_str_radix(digits.strip_prefix("00")?, 16).ok()) {
            Some(byte @ (b' '..=b'!' | b'#'..)) => (char::from(byte), 6),
            _ => ('u', 2),
        },
        Some('/') => ('/', 2),
        Some(other) => ('u', 1 + other.len_utf8()),
    };
    Some(escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        without_url_secrets(text.as_bytes())
    }

    #[test]
    fn a_query_is_left_out_and_all_else_is_kept() {
        let command =
            r#"{"file_size":5,"url":"https://h:1/a_1.3.0?sign=q%3Dx&b=%00","version":"1.3.0","n":"why? :/ // a:b@c"}"#;
        let expected = r#"{"file_size":5,"url":"https://h:1/a_1.3.0","version":"1.3.0","n":"why? :/ // a:b@c"}"#;
        assert_eq!(shown(command), expected);
        assert_eq!(shown("see http://h/a b?c"), "see http://h/a b?c");
        assert_eq!(shown("a ://x\nnext ?z, \"http://h?a\nb\"c"), "a ://x\nnext ?z, \"http://h\"c");
        assert_eq!(without_url_secrets(b"\xFF"), "\u{FFFD}");
    }

    #[test]
    fn users_and_fragments_are_left_out() {
        assert_eq!(shown("http://user:s3cret@h/f"), "http://h/f");
        assert_eq!(shown("http://user:s3@cret@h"), "http://h");
        assert_eq!(shown("\"http://h/a@b#s3cret\""), "\"http://h/a@b\"");
        assert_eq!(shown("\"http://h?s3cret\""), "\"http://h\"");
    }

    #[test]
    fn escapes_hide_nothing_from_it() {
        for url in [
            r"http:\/\/h\/f?s3cret",
            r"http:\u002f\u002Fh/f?s3cret",
            r"http\u003a//h/f?s3cret",
            r"http://h/f\u003fs3cret",
            r"http://h/f\u003Fa\u0022s3cret",
            r#"http://h/f?a\"s3cret"#,
            r#"http://h/f?a\\\"s3cret"#,
            r"http://u:s3cret\u0040h/f?",
            r"http://h/f?a\u000as3cret",
            r"http://h/f?a b's3cret\",
        ] {
            let text = shown(&format!("{{\"url\":\"{url}\",\"a\":\"b\"}}"));
            assert!(!text.contains("s3cret"), "{url}: {text}");
        }
    }

    #[test]
    fn no_more_is_shown_than_a_log_line_holds() {
        let long = format!("http://h/?{}\"{}", "s".repeat(20_000), "你".repeat(1000));
        assert_eq!(shown(&long), format!("http://h/\"{}", "你".repeat((1024 - 10) / 3)));
        assert_eq!(without_url_secrets(&[0xFF; 20_000]).len(), 1023);
    }

    #[test]
    fn cut_off_escapes_do_no_harm() {
        for text in ["\\", "\\u", "\\u00", "\\u003", "http://\\", "http://h?\\", "\\你", "\\u00你你", ""] {
            assert!(shown(text).len() <= text.len(), "{text}");
        }
    }
}
