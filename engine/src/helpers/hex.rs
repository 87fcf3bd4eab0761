//! Bytes as hex digits and back (`LITE_hexbuf_convert`, `LITE_hexstr_convert`).

/// The two hex digits of `byte`.
#[must_use]
pub fn digits(byte: u8, uppercase: bool) -> [u8; 2] {
    let digit = |value: u8| match value {
        0..=9 => b'0' + value,
        _ if uppercase => b'A' + value - 10,
        _ => b'a' + value - 10,
    };
    [digit(byte >> 4), digit(byte & 0x0F)]
}

/// The digits of `bytes`, in lower case.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().flat_map(|byte| digits(*byte, false)).map(char::from));
    text
}

/// The byte that two hex digits of either case stand for.
#[must_use]
pub fn byte(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    Some(value(high)? << 4 | value(low)?)
}

/// The `N` bytes that twice as many hex digits of either case stand for. `None`: there are more or fewer, or others.
#[must_use]
pub fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (place, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *place = byte(*pair.first()?, *pair.last()?)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_as_many_digits_as_they_need() {
        assert_eq!(bytes(b"00fFA5"), Some([0x00, 0xFF, 0xA5]));
        assert_eq!(bytes(b""), Some([]));
        for digits in ["00fF", "00fFA", "00fFA5a", "00fFA500", "00fFAg"] {
            assert_eq!(bytes::<3>(digits.as_bytes()), None, "{digits}");
        }
    }

    #[test]
    fn a_text_has_every_byte_in_lower_case() {
        assert_eq!(text(&[0x00, 0xFF, 0xA5]), "00ffa5");
        assert_eq!(text(b""), "");
    }

    #[test]
    fn every_byte_survives_the_round_trip() {
        for value in 0..=u8::MAX {
            for uppercase in [false, true] {
                let [high, low] = digits(value, uppercase);
                assert_eq!(byte(high, low), Some(value));
            }
        }
    }

    #[test]
    fn digits_have_the_asked_case() {
        assert_eq!(&digits(0xAF, false), b"af");
        assert_eq!(&digits(0xAF, true), b"AF");
        assert_eq!(&digits(0x09, true), b"09");
    }

    #[test]
    fn only_hex_digits_count() {
        for (high, low) in
            [(b'g', b'0'), (b'0', b'G'), (b' ', b'1'), (b'1', 0), (b'/', b'0'), (b':', b'0'), (b'@', b'0')]
        {
            assert_eq!(byte(high, low), None, "{high} {low}");
        }
    }
}
