//! Numbers and booleans as text (`LITE_get_*`).
//!
//! Blanks around a value are skipped; anything else beside it makes the text no value. Numbers are decimal.

use std::str::FromStr;

/// A whole number of the type asked for, with an optional sign. `None` when the text is something else (a fraction, an
/// exponent, hex digits) or the number is out of the type's range.
#[must_use]
pub fn integer<T: FromStr>(text: &[u8]) -> Option<T> {
    trimmed(text)?.parse().ok()
}

/// A decimal number with optional sign, fraction and exponent. `None` for other text (`nan` and `inf` too) and for
/// what is too large for a `float`.
#[must_use]
pub fn float(text: &[u8]) -> Option<f32> {
    decimal(text)?.parse().ok().filter(|value: &f32| value.is_finite())
}

/// As [`float`], for a `double`.
#[must_use]
pub fn double(text: &[u8]) -> Option<f64> {
    decimal(text)?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// `true` or `false`, or what clouds send in their place: `1` or `0`.
#[must_use]
pub fn boolean(text: &[u8]) -> Option<bool> {
    match trimmed(text)? {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn trimmed(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text.trim_ascii()).ok()
}

/// Keeps out the words that Rust's parser takes for numbers.
fn decimal(text: &[u8]) -> Option<&str> {
    trimmed(text).filter(|text| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_must_fit_their_type() {
        assert_eq!(integer::<i8>(b"127"), Some(127));
        assert_eq!(integer::<i8>(b"-128"), Some(-128));
        assert_eq!(integer::<i8>(b"128"), None);
        assert_eq!(integer::<i16>(b"-32769"), None);
        assert_eq!(integer::<i32>(b"-2147483648"), Some(i32::MIN));
        assert_eq!(integer::<i32>(b"2147483648"), None);
        assert_eq!(integer::<u8>(b"256"), None);
        assert_eq!(integer::<u16>(b"65535"), Some(65535));
        assert_eq!(integer::<u32>(b"4294967295"), Some(u32::MAX));
        assert_eq!(integer::<u32>(b"4294967296"), None);
        assert_eq!(integer::<u32>(b"-1"), None);
    }

    #[test]
    fn blanks_around_a_number_are_skipped() {
        assert_eq!(integer::<i32>(b" \t\r\n42 \n"), Some(42));
        assert_eq!(double(b" 2.5\t"), Some(2.5));
        assert_eq!(boolean(b" true "), Some(true));
        assert_eq!(integer::<i32>(b"4 2"), None);
    }

    #[test]
    fn signs_are_taken() {
        assert_eq!(integer::<i32>(b"+7"), Some(7));
        assert_eq!(integer::<u32>(b"+7"), Some(7));
        assert_eq!(integer::<i32>(b"--7"), None);
        assert_eq!(integer::<i32>(b"- 7"), None);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", " ", "x", "0x10", "1.5", "1e3", "12a", "\"5\"", "null", "\u{663}"] {
            assert_eq!(integer::<i32>(text.as_bytes()), None, "{text}");
        }
        for text in ["", " ", "x", "0x10", "nan", "inf", "-infinity", "1.2.3", "1e", "e5", ".", "\"5\""] {
            assert_eq!(double(text.as_bytes()), None, "{text}");
            assert_eq!(float(text.as_bytes()), None, "{text}");
        }
        assert_eq!(integer::<i32>(b"\xFF"), None);
    }

    #[test]
    fn fractions_and_exponents_are_decimal() {
        assert_eq!(double(b"-1.5e3"), Some(-1500.0));
        assert_eq!(float(b"+0.25E-1"), Some(0.025));
        assert_eq!(float(b"3e38"), Some(3e38));
        assert_eq!(float(b"1e39"), None);
        assert_eq!(double(b"1e39"), Some(1e39));
        assert_eq!(double(b"1e309"), None);
    }

    #[test]
    fn booleans_are_words_or_one_and_zero() {
        assert_eq!(boolean(b"true"), Some(true));
        assert_eq!(boolean(b"false"), Some(false));
        assert_eq!(boolean(b"1"), Some(true));
        assert_eq!(boolean(b"0"), Some(false));
        for text in ["", "True", "2", "truex", "\"true\"", "yes"] {
            assert_eq!(boolean(text.as_bytes()), None, "{text}");
        }
    }
}
