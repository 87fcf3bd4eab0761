//! Strings: with escapes in the text, without them in the program.

use std::borrow::Cow;
use std::fmt::Write;

/// A string as it stands in the text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(pub(super) &'a [u8]);

impl<'a> Text<'a> {
    /// Whether the string is `wanted` once its escapes are decoded.
    #[must_use]
    pub fn is(&self, wanted: &[u8]) -> bool {
        if self.has_no_escapes() {
            return self.0 == wanted;
        }
        // Each escape is longer than what it stands for.
        wanted.len() < self.0.len() && self.decoded().is_ok_and(|text| *text == *wanted)
    }

    /// The string's bytes, escapes decoded once.
    ///
    /// # Errors
    /// Half of a surrogate pair, or no memory: the text follows the name of what the string was read for.
    pub fn decoded(&self) -> Result<Cow<'a, [u8]>, &'static str> {
        if self.has_no_escapes() {
            return Ok(Cow::Borrowed(self.0));
        }
        let mut text = Vec::new();
        text.try_reserve_exact(self.0.len()).map_err(|_| "needs more memory than there is")?;
        let mut rest = self.0;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
            text.extend_from_slice(&rest[..at]);
            rest = decode_escape(&rest[at + 1..], &mut text).ok_or("holds half a character")?;
        }
        text.extend_from_slice(rest);
        Ok(Cow::Owned(text))
    }

    /// The string as UTF-8, escapes decoded once.
    ///
    /// # Errors
    /// As [`decoded`](Self::decoded), and for other bytes than UTF-8.
    pub fn to_str(&self) -> Result<Cow<'a, str>, &'static str> {
        const NOT_UTF8: &str = "is not UTF-8";
        match self.decoded()? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| NOT_UTF8),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| NOT_UTF8),
        }
    }

    fn has_no_escapes(&self) -> bool {
        !self.0.contains(&b'\\')
    }
}

/// Decodes the escape whose backslash stands before `rest`, and returns what follows it.
fn decode_escape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (&letter, mut rest) = rest.split_first()?;
    let byte = match letter {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let mut unit = code_unit(rest)?;
            rest = &rest[4..];
            if (0xD800..0xDC00).contains(&unit) {
                let low = rest.strip_prefix(b"\\u")?;
                // What is no low surrogate makes the sum no character, or another one: that is checked here.
                let second = code_unit(low).filter(|unit| (0xDC00..0xE000).contains(unit))?;
                unit = 0x1_0000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
                rest = &low[4..];
            }
            let character = char::from_u32(unit)?;
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(rest);
        }
        other => other,
    };
    text.push(byte);
    Some(rest)
}

/// The number of four hex digits.
fn code_unit(text: &[u8]) -> Option<u32> {
    text.get(..4)?.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// `text` as a JSON string, quotes included.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\u{C}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            // Writing to a String can't fail.
            '\0'..='\u{1F}' => drop(write!(json, "\\u{:04x}", u32::from(character))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Result<String, &'static str> {
        Text(text.as_bytes()).to_str().map(Cow::into_owned)
    }

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(decoded("plain").as_deref(), Ok("plain"));
        assert_eq!(decoded(r#"\"\\\/\b\f\n\r\t"#).as_deref(), Ok("\"\\/\u{8}\u{C}\n\r\t"));
        assert_eq!(decoded(r"a\u0026b\u00e9\u4f60\ud83d\ude00z").as_deref(), Ok("a&bé你😀z"));
        assert_eq!(decoded(r"\\u0026").as_deref(), Ok(r"\u0026"));
        assert_eq!(decoded(r"\u0000").as_deref(), Ok("\0"));
    }

    #[test]
    fn half_a_pair_is_no_text() {
        for text in [r"\ud83d", r"\ud83dx", r"\ud83d\n", r"\ud83d\u0041", r"\ud83d\ud83d", r"\ude00", r"\ud83d\u00"] {
            assert_eq!(decoded(text), Err("holds half a character"), "{text}");
        }
    }

    #[test]
    fn other_bytes_than_utf8_are_kept_but_are_no_str() {
        for (source, bytes) in [(&b"\xC4\xE3"[..], &b"\xC4\xE3"[..]), (b"\xC4\xE3\\n", b"\xC4\xE3\n")] {
            assert_eq!(Text(source).decoded().as_deref(), Ok(bytes));
            assert_eq!(Text(source).to_str(), Err("is not UTF-8"));
        }
    }

    #[test]
    fn strings_are_compared_decoded() {
        assert!(Text(b"key").is(b"key") && Text(br"k\u0065y").is(b"key"));
        assert!(!Text(b"key").is(b"ke") && !Text(br"k\u0065y").is(b"kex") && !Text(br"\n").is(br"\n"));
        assert!(!Text(br"\ud83d").is(b"x"));
    }

    #[test]
    fn what_is_quoted_is_decoded_to_the_same() {
        let text: String = ('\0'..='\u{100}').chain("\u{2028}你😀".chars()).collect();
        let json = quoted(&text);
        assert_eq!(decoded(&json[1..json.len() - 1]), Ok(text.clone()));
        assert_eq!(json, serde_json::Value::from(text).to_string());
    }
}
