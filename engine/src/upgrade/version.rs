//! Which of two versions is the older one.

use std::cmp::Ordering;

/// Compares versions such as `1.9.0`, `v1.10` and `2.0.0-rc1`.
///
/// The parts between the dots count, numbers as numbers; a part that is missing is 0. What stands behind a number makes
/// it younger, behind a hyphen older: `1.0-rc1`, `1.0`, `1.0b`.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (without(a.as_bytes(), b"vV"), without(b.as_bytes(), b"vV"));
    loop {
        let ((part_a, rest_a), (part_b, rest_b)) = (part(a), part(b));
        let order = compare_parts(part_a, part_b);
        if order != Ordering::Equal || (rest_a.is_empty() && rest_b.is_empty()) {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// `text` without those of `bytes` that it begins with.
fn without<'a>(text: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    let begin = text.iter().position(|byte| !bytes.contains(byte)).unwrap_or(text.len());
    text.get(begin..).unwrap_or_default()
}

/// What stands before the first dot, and behind it.
fn part(text: &[u8]) -> (&[u8], &[u8]) {
    let (part, rest) = text.split_at(text.iter().position(|byte| *byte == b'.').unwrap_or(text.len()));
    (part, rest.get(1..).unwrap_or_default())
}

fn compare_parts(a: &[u8], b: &[u8]) -> Ordering {
    let ((number_a, rest_a), (number_b, rest_b)) = (number(a), number(b));
    // However long: the longer number is the larger one.
    let numbers = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
    let rank = |rest: &[u8]| match rest.first() {
        Some(b'-') => 0,
        None => 1,
        Some(_) => 2,
    };
    numbers.then_with(|| rank(rest_a).cmp(&rank(rest_b))).then_with(|| rest_a.cmp(rest_b))
}

/// The digits of a part, without zeros in front, and what follows them.
fn number(part: &[u8]) -> (&[u8], &[u8]) {
    let rest = without(part, b"0123456789");
    let digits = part.get(..part.len() - rest.len()).unwrap_or_default();
    (without(digits, b"0"), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_their_order() {
        let ascending = [
            "",
            "0.0.1",
            "0.9",
            "1.0.0-rc.1",
            "1.0.0-rc.2",
            "1.0.0",
            "1.0.0b",
            "1.0.1",
            "1.2",
            "v1.9.9",
            "1.10",
            "2.0.0-alpha",
            "2",
            "99999999999999999999999",
            "100000000000000000000000",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        for (a, b) in [("1.0", "1"), ("V1.02.0", "1.2"), ("", "0")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }
}
