//! Which of two versions is the older one.

use std::cmp::Ordering;

/// Compares versions such as `1.9.0`, `v1.10` and `2.0.0-rc1`.
///
/// The parts between the dots count, numbers as numbers; a part that is missing is 0. What stands behind a number makes
/// it younger, behind a hyphen older: `1.0-rc1`, `1.0`, `1.0b`.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let mut a = a.trim_start_matches(['v', 'V']).split('.');
    let mut b = b.trim_start_matches(['v', 'V']).split('.');
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => compare_parts(left.unwrap_or("0"), right.unwrap_or("0")),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_parts(a: &str, b: &str) -> Ordering {
    let split = |part: &str| part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
    let (number_a, rest_a) = a.split_at(split(a));
    let (number_b, rest_b) = b.split_at(split(b));
    let (number_a, number_b) = (number_a.trim_start_matches('0'), number_b.trim_start_matches('0'));
    // However long: the longer number is the larger one.
    let numbers = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
    let rank = |rest: &str| match rest.as_bytes().first() {
        Some(b'-') => 0,
        None => 1,
        Some(_) => 2,
    };
    numbers.then_with(|| rank(rest_a).cmp(&rank(rest_b))).then_with(|| rest_a.cmp(rest_b))
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
