//! Which bytes of the firmware have been sent, and which more than once.

use serde_json::Value;

/// Counts bytes by the requests that a hub tells of.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Begin and end of what was sent, not touching each other, in order.
    sent: Vec<(u64, u64)>,
    twice: u64,
}

impl Coverage {
    /// Of these events; the first `stored` bytes were there before. Where answers are `refused` by their head, those
    /// after which the device asks for the same byte again do not count.
    pub fn of(gets: &[&Value], stored: u64, refused: bool) -> Coverage {
        let mut coverage = Coverage::default();
        coverage.add(0, stored);
        for (number, get) in gets.iter().enumerate() {
            let asked_again = gets.get(number + 1).is_some_and(|next| range_begin(next) == range_begin(get));
            if refused && asked_again {
                continue;
            }
            let begin = if get["status"] == 206 { range_begin(get).unwrap_or(0) } else { 0 };
            coverage.add(begin, begin + get["bytes"].as_u64().unwrap_or(0));
        }
        coverage
    }

    /// Bytes that were sent more than once.
    pub fn twice(&self) -> u64 {
        self.twice
    }

    fn add(&mut self, begin: u64, end: u64) {
        if begin >= end {
            return;
        }
        let (mut from, mut to) = (begin, end);
        self.sent.retain(|&(own_begin, own_end)| {
            let (both_begin, both_end) = (begin.max(own_begin), end.min(own_end));
            self.twice += both_end.saturating_sub(both_begin);
            let touches = both_begin <= both_end;
            if touches {
                (from, to) = (from.min(own_begin), to.max(own_end));
            }
            !touches
        });
        self.sent.push((from, to));
    }
}

fn range_begin(get: &Value) -> Option<u64> {
    get["range"].as_str()?.strip_prefix("bytes=")?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twice(parts: &[(u64, u64)]) -> u64 {
        let mut coverage = Coverage::default();
        for (begin, end) in parts {
            coverage.add(*begin, *end);
        }
        coverage.twice()
    }

    #[test]
    fn only_what_was_there_already_counts() {
        assert_eq!(twice(&[(0, 10), (10, 20), (30, 40), (20, 30)]), 0);
        assert_eq!(twice(&[(0, 10), (5, 20)]), 5);
        assert_eq!(twice(&[(0, 10), (20, 30), (0, 30)]), 20);
        assert_eq!(twice(&[(0, 10), (0, 10), (0, 10)]), 20);
        assert_eq!(twice(&[(5, 5)]), 0);
    }

    #[test]
    fn requests_begin_where_their_range_does_unless_the_whole_file_was_sent() {
        let get = |status: u16, range: &str, bytes: u64| serde_json::json!({ "status": status, "range": range, "bytes": bytes });
        let (first, rest) = (get(206, "bytes=0-99", 60), get(206, "bytes=50-99", 50));
        assert_eq!(Coverage::of(&[&first, &rest], 0, false).twice(), 10);
        assert_eq!(Coverage::of(&[&get(200, "bytes=60-99", 100)], 60, false).twice(), 60);
        let again = get(206, "bytes=0-99", 100);
        assert_eq!(Coverage::of(&[&first, &again], 0, false).twice(), 60);
        assert_eq!(Coverage::of(&[&first, &again], 0, true).twice(), 0);
        assert_eq!(Coverage::of(&[&get(404, "bytes=60-99", 0)], 60, false).twice(), 0);
    }
}
