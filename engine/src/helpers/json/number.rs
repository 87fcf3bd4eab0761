//! Whole numbers out of JSON, exactly: no floating point.

/// How a whole number may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// A sign and digits.
    Digits,
    /// With a fraction and an exponent too, as long as the number is whole: `5.0`, `1.5e1`.
    AnyNotation,
}

/// The whole number that `text` stands for, the nearest `i64` where it is beyond. `None` where it is none.
pub(super) fn whole(text: &[u8], notation: Whole) -> Option<i64> {
    let (is_negative, rest) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let (before, behind) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    if notation == Whole::Digits && before.len() != rest.len() {
        return None;
    }
    if before.is_empty() || !before.iter().chain(behind).all(u8::is_ascii_digit) {
        return None;
    }
    let digits = before.iter().chain(behind).map(|digit| i64::from(digit - b'0'));
    // How many of the digits stand before the point once the exponent has moved it. Zeros follow
    // where that is more than there are.
    let point = i64::try_from(before.len()).unwrap_or(i64::MAX).saturating_add(exponent);
    let mut magnitude = 0_i64;
    let mut count = 0_i64;
    for digit in digits {
        if count < point {
            magnitude = append(magnitude, digit);
        } else if digit != 0 {
            return None;
        }
        count += 1;
    }
    // 20 more digits are beyond 64 bits already, unless all are 0.
    for _ in 0..point.saturating_sub(count).clamp(0, 20) {
        magnitude = append(magnitude, 0);
    }
    Some(match (is_negative, magnitude) {
        (false, magnitude) => magnitude,
        (true, i64::MAX) => i64::MIN,
        (true, magnitude) => -magnitude,
    })
}

/// An exponent; beyond 64 bits the nearest.
fn exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(sign * digits.iter().fold(0, |value, digit| append(value, i64::from(digit - b'0'))))
}

fn append(value: i64, digit: i64) -> i64 {
    value.saturating_mul(10).saturating_add(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<i64> {
        whole(text.as_bytes(), Whole::AnyNotation)
    }

    #[test]
    fn whole_numbers_in_every_notation() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("175436", 175_436),
            ("175436.0", 175_436),
            ("1.75436e5", 175_436),
            ("1754360E-1", 175_436),
            ("1.750e+3", 1_750),
            ("-12", -12),
            ("0e99", 0),
            ("0.0e-99", 0),
            ("0e99999999999999999999", 0),
            ("00000000000000000000000000000000012", 12),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_beyond_64_bits_is_the_nearest() {
        for text in ["9223372036854775808", "1e19", "1e99999999999999999999", "123456789012345678901234567890"] {
            assert_eq!(number(text), Some(i64::MAX), "{text}");
            assert_eq!(number(&format!("-{text}")), Some(i64::MIN), "{text}");
        }
    }

    #[test]
    fn fractions_and_words_are_no_whole_numbers() {
        for text in [
            "1.5",
            "-0.5",
            "15e-1",
            "1e-99999999999999999999",
            "NaN",
            "Infinity",
            "-",
            "",
            ".5",
            "e5",
            "1e",
            "1e+",
            "1ex",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn digits_are_digits() {
        assert_eq!(whole(b"-12", Whole::Digits), Some(-12));
        assert_eq!(whole(b"007", Whole::Digits), Some(7));
        for text in ["1e3", "5.0", "5.", "+5", "", "0x5"] {
            assert_eq!(whole(text.as_bytes(), Whole::Digits), None, "{text}");
        }
    }
}
