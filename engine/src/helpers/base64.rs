//! Bytes as base64 and back (RFC 4648 section 4).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// How many bytes go over at once. A multiple of three: only the last ones are padded.
const PIECE: usize = 48;

/// How many characters `len` bytes become.
#[must_use]
pub const fn size(len: usize) -> usize {
    len.div_ceil(3) * 4
}

/// `bytes` as base64.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(size(bytes.len()));
    append(&mut text, bytes);
    text
}

/// Appends `bytes` as base64.
pub fn append(text: &mut String, bytes: &[u8]) {
    for piece in bytes.chunks(PIECE) {
        let mut digits = [b'='; size(PIECE)];
        for (four, three) in digits.chunks_exact_mut(4).zip(piece.chunks(3)) {
            let byte = |place| three.get(place).copied().unwrap_or(0);
            let value = u32::from_be_bytes([0, byte(0), byte(1), byte(2)]);
            for (place, digit) in four.iter_mut().enumerate().take(three.len() + 1) {
                *digit = DIGITS[(value >> (18 - 6 * place)) as usize % DIGITS.len()];
            }
        }
        // It is ASCII.
        text.push_str(std::str::from_utf8(&digits[..size(piece.len())]).unwrap_or_default());
    }
}

/// The bytes that `text` stands for. `None`: it is not base64 with all its padding, or bits are set that stand for nothing.
#[must_use]
pub fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 != 0 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let digits = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    for four in digits.chunks(4) {
        let mut number = 0;
        for digit in four {
            number = number << 6 | u32::from(value(*digit)?);
        }
        let [_, three @ ..] = (number << (6 * (4 - four.len()))).to_be_bytes();
        let (meant, rest) = three.split_at(four.len() - 1);
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(meant);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ::base64::engine::general_purpose::STANDARD;
    use ::base64::Engine;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc_go_both_ways() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(text(plain.as_bytes()), coded);
            assert_eq!(bytes(coded.as_bytes()).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn every_length_around_a_piece_becomes_what_the_witness_makes_of_it() {
        let all: Vec<u8> = (0..=255).collect();
        for len in 0..=all.len() {
            let coded = text(&all[..len]);
            assert_eq!((coded.as_str(), coded.len()), (STANDARD.encode(&all[..len]).as_str(), size(len)));
            assert_eq!(bytes(coded.as_bytes()).as_deref(), Some(&all[..len]));
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "Z", "Zg", "Zg=", "Zm8", "Z===", "====", "==", "=", "Zg==Zg==", "Zh==", "Zm9=", "Zm-v", "Zm_v", "Zm9 ",
            "Zm9v\n",
        ] {
            assert_eq!(bytes(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        // Of each ten characters some are no digits, and padding stands anywhere.
        #[test]
        fn any_text_is_read_as_the_witness_reads_it(text in "([A-D/+]{0,6}|[a-z0-9A-Z+/]{0,9}|[!-z]{0,3}|={1,3}){0,4}") {
            prop_assert_eq!(bytes(text.as_bytes()), STANDARD.decode(&text).ok());
        }
    }
}
