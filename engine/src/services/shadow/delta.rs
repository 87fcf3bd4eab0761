//! What the cloud wants changed, and how its values become the program's (shadow.md section 6).

use std::str::FromStr;

use crate::helpers::json::{self, Kind, Value};

/// The value that the state object of a delta wants for `key`, a dotted path. `None` where it names no such property,
/// or with null or an empty string.
#[must_use]
pub fn wanted<'a>(state: &'a [u8], key: &[u8]) -> Option<Value<'a>> {
    let value = json::find(state, key).ok().flatten()?;
    (value.kind() != Kind::Null && !value.source().is_empty()).then_some(value)
}

/// The whole number that `text` begins with: decimal, `0x` and hex digits, or `0` and octal ones. `None` where there is
/// none or it is beyond the type.
#[must_use]
pub fn signed<T: TryFrom<i64>>(text: &[u8]) -> Option<T> {
    let (is_negative, digits) = sign(text);
    let (radix, digits) = match digits {
        [b'0', b'x' | b'X', hex @ ..] if hex.first().is_some_and(u8::is_ascii_hexdigit) => (16, hex),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let magnitude = leading(digits, radix)?;
    T::try_from(if is_negative { -magnitude } else { magnitude }).ok()
}

/// The decimal whole number that `text` begins with. `None` where there is none or it is beyond the type.
#[must_use]
pub fn unsigned<T: TryFrom<i64>>(text: &[u8]) -> Option<T> {
    let (is_negative, digits) = sign(text);
    let magnitude = leading(digits, 10)?;
    T::try_from(if is_negative { -magnitude } else { magnitude }).ok()
}

/// The number that `text` begins with, as a `float` or `double`. `None` where there is none or it is beyond the type.
#[must_use]
pub fn number<T: FromStr + Into<f64> + Copy>(text: &[u8]) -> Option<T> {
    let text = text.trim_ascii_start();
    let mut end = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    end += digits(&text[end..]);
    if text.get(end) == Some(&b'.') {
        end += 1 + digits(&text[end + 1..]);
    }
    if let [b'e' | b'E', exponent @ ..] = &text[end..] {
        let sign = usize::from(matches!(exponent.first(), Some(b'+' | b'-')));
        let count = digits(&exponent[sign..]);
        if count > 0 {
            end += 1 + sign + count;
        }
    }
    let number: T = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    number.into().is_finite().then_some(number)
}

/// `false` is false, anything else is true.
#[must_use]
pub fn boolean(text: &[u8]) -> bool {
    text != b"false"
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.trim_ascii_start() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    }
}

/// The number of the digits in front; the nearest where it is beyond 64 bits.
fn leading(text: &[u8], radix: u32) -> Option<i64> {
    let mut digits = text.iter().map_while(|byte| char::from(*byte).to_digit(radix)).peekable();
    digits.peek()?;
    Some(digits.fold(0_i64, |value, digit| value.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source<'a>(state: &'a str, key: &str) -> Option<&'a str> {
        wanted(state.as_bytes(), key.as_bytes()).map(|value| std::str::from_utf8(value.source()).unwrap())
    }

    #[test]
    fn null_and_the_empty_string_want_nothing() {
        let state = r#"{"a":null,"b":"","c":"null","d":"nullable","e":NULL,"f":"NULL","g":0,"a.h":1}"#;
        for key in ["a", "b", "e", "x", "a.h"] {
            assert_eq!(source(state, key), None, "{key}");
        }
        for (key, value) in [("c", "null"), ("d", "nullable"), ("f", "NULL"), ("g", "0")] {
            assert_eq!(source(state, key), Some(value));
        }
        assert_eq!(source(r#"{"a":{"b":77},"b":1}"#, "a.b"), Some("77"));
        assert_eq!(source(r#"{"a":{"x":1},"b":2}"#, "a.b"), None);
        assert_eq!(source("[1]", "a"), None);
    }

    #[test]
    fn signed_numbers_are_decimal_hex_or_octal() {
        for (text, value) in [
            ("25", 25),
            (" -7", -7),
            ("+5", 5),
            ("0x10", 16),
            ("-0X1f", -31),
            ("017", 15),
            ("08", 0),
            ("0", 0),
            ("0x", 0),
            ("3.9", 3),
            ("1e5", 1),
            ("5abc", 5),
            ("2147483647", i32::MAX),
            ("-2147483648", i32::MIN),
        ] {
            assert_eq!(signed::<i32>(text.as_bytes()), Some(value), "{text}");
        }
        for text in
            ["", "-", "abc", "true", "{}", "2147483648", "99999999999", "99999999999999999999999", "-2147483649"]
        {
            assert_eq!(signed::<i32>(text.as_bytes()), None, "{text}");
        }
        assert_eq!((signed::<i8>(b"-128"), signed::<i8>(b"128"), signed::<i16>(b"-32769")), (Some(-128), None, None));
    }

    #[test]
    fn unsigned_numbers_are_decimal() {
        assert_eq!(unsigned::<u32>(b"4294967295"), Some(u32::MAX));
        assert_eq!((unsigned::<u8>(b"0x10"), unsigned::<u8>(b"010")), (Some(0), Some(10)));
        assert_eq!((unsigned::<u8>(b"-1"), unsigned::<u8>(b"256"), unsigned::<u16>(b"65536")), (None, None, None));
        assert_eq!((unsigned::<u32>(b"4294967296"), unsigned::<u32>(b"true")), (None, None));
    }

    #[test]
    fn fractions_have_exponents() {
        assert_eq!(number::<f32>(b"1e5"), Some(1e5));
        assert_eq!(number::<f64>(b" -1.5e-3x"), Some(-0.0015));
        assert_eq!(
            (number::<f64>(b"1e"), number::<f64>(b"1e+"), number::<f64>(b".5")),
            (Some(1.0), Some(1.0), Some(0.5))
        );
        for text in ["", "-", ".", "e5", "true", "nan", "inf", "1e999"] {
            assert_eq!(number::<f64>(text.as_bytes()), None, "{text}");
        }
        assert_eq!((number::<f32>(b"1e39"), number::<f64>(b"1e39")), (None, Some(1e39)));
    }

    #[test]
    fn only_false_is_false() {
        assert!(!boolean(b"false") && boolean(b"true") && boolean(b"0") && boolean(b"False"));
    }
}
