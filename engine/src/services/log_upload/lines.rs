//! The lines that wait to be sent (log_upload.md section 2).

use super::request::HEAD_LEN;
use crate::helpers::logline::boundary;

/// The buffer with the head of a request, in bytes.
const SIZE: usize = 5_000;
/// With less room left it is time to send.
const LOW: usize = 1_250;
/// A request is shorter than this.
const MAX_REQUEST: usize = 3_000;
/// The most of a line with its end. The longest that is printed has one byte more.
const MAX_LINE: usize = 1_022;
/// What ends a line.
const END: &[u8] = b"\n\x0c";

/// Lines in the order in which they came, each with its end. Memory is asked for once.
#[derive(Debug)]
pub struct Lines {
    text: Vec<u8>,
    dropped: u32,
}

impl Lines {
    /// An empty buffer; `None` without memory for it.
    #[must_use]
    pub fn new() -> Option<Self> {
        let mut text = Vec::new();
        text.try_reserve_exact(SIZE - HEAD_LEN).ok()?;
        Some(Lines { text, dropped: 0 })
    }

    /// Adds a line as it is printed, with its NUL or without, cut where it is too long. False where it does not fit: it is
    /// counted only.
    pub fn push(&mut self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\0").unwrap_or(line);
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let line = if line.len() > MAX_LINE - END.len() { &line[..boundary(line, MAX_LINE - END.len())] } else { line };
        let fits = line.len() + END.len() <= self.room();
        if fits {
            self.text.extend_from_slice(line);
            self.text.extend_from_slice(END);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
        fits
    }

    fn room(&self) -> usize {
        (SIZE - HEAD_LEN).saturating_sub(self.text.len())
    }

    /// Whether it is time to send, for want of room.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.dropped > 0 || self.room() < LOW
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.dropped == 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.text.clear();
        self.dropped = 0;
    }

    /// Takes the lines out, and behind them a word on those that did not fit. `None` without memory: they stay.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let lost = match self.dropped {
            0 => String::new(),
            count => format!("... {count} lines dropped\n\x0c"),
        };
        let mut taken = Vec::new();
        taken.try_reserve_exact(self.text.len() + lost.len()).ok()?;
        taken.extend_from_slice(&self.text);
        taken.extend_from_slice(lost.as_bytes());
        self.clear();
        Some(taken)
    }
}

/// Whether there is a whole line in `text`.
#[must_use]
pub fn has_line(text: &[u8]) -> bool {
    text.windows(END.len()).any(|window| window == END)
}

/// How many bytes of `text` go into its first request: the most whole lines that keep it short enough, at least one.
#[must_use]
pub fn first_part(text: &[u8]) -> usize {
    if HEAD_LEN + text.len() < MAX_REQUEST {
        return text.len();
    }
    let mut ends = text.windows(END.len()).enumerate().filter(|(_, window)| *window == END);
    let mut part = 0;
    for end in ends.by_ref().map(|(at, _)| at + END.len()) {
        if part > 0 && HEAD_LEN + end >= MAX_REQUEST {
            return part;
        }
        part = end;
    }
    // What has no end is no reason to send for ever.
    if part == 0 || HEAD_LEN + text.len() < MAX_REQUEST {
        text.len()
    } else {
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(mut text: &[u8]) -> Vec<&[u8]> {
        let mut parts = Vec::new();
        while !text.is_empty() {
            let (part, rest) = text.split_at(first_part(text));
            parts.push(part);
            text = rest;
        }
        parts
    }

    #[test]
    fn lines_get_their_end_and_keep_their_order() {
        let mut lines = Lines::new().unwrap();
        assert!(lines.is_empty());
        assert!(lines.push(b"ERR|a\r\n\0") && lines.push(b"ERR|b\r\n") && lines.push(b"no end"));
        assert_eq!(lines.take().unwrap(), b"ERR|a\n\x0cERR|b\n\x0cno end\n\x0c");
        assert!(lines.is_empty());
    }

    #[test]
    fn case_04_a_line_that_is_too_long_is_cut_between_two_characters() {
        let mut lines = Lines::new().unwrap();
        let fits = "x".repeat(MAX_LINE - END.len());
        assert!(lines.push(format!("{fits}\r\n\0").as_bytes()) && lines.push(format!("{fits}y\r\n\0").as_bytes()));
        let wide = format!("{}\u{56fa}", &fits[2..]);
        assert!(lines.push(format!("{wide}\r\n").as_bytes()));
        let expected = format!("{fits}\n\x0c{fits}\n\x0c{}\n\x0c", &fits[2..]);
        assert_eq!(String::from_utf8(lines.take().unwrap()), Ok(expected));
    }

    #[test]
    fn a_full_buffer_counts_what_it_drops() {
        let mut lines = Lines::new().unwrap();
        let line = [&[b'x'; 998][..], b"\r\n"].concat();
        for number in 0..4 {
            assert_eq!(lines.is_low(), number == 4, "{number}");
            assert!(lines.push(&line));
        }
        assert!(lines.is_low());
        assert!(!lines.push(&line) && !lines.push(&line));
        assert!(lines.push(b"short\r\n"));
        let text = lines.take().unwrap();
        assert_eq!(text.len(), 4 * 1000 + 7 + 21);
        assert!(text.ends_with(b"short\n\x0c... 2 lines dropped\n\x0c"));
        assert!(lines.is_empty() && !lines.is_low());

        // To the last byte.
        let four = |lines: &mut Lines| (0..4).all(|_| lines.push(&[b'y'; 998]));
        assert!(four(&mut lines) && lines.push(&[b'y'; 888 - 2]));
        assert!(!lines.push(b""));
        lines.clear();
        assert!(lines.is_empty());
        assert!(four(&mut lines) && !lines.push(&[b'y'; 888 - 1]));
        assert!(lines.take().unwrap().ends_with(b"y\n\x0c... 1 lines dropped\n\x0c"));
    }

    #[test]
    fn case_05_a_text_is_split_at_line_ends_below_3000_bytes() {
        let line = |len: usize| [vec![b'z'; len - 2], END.to_vec()].concat();
        for (lens, expected) in [
            // With the head: 2999, 3000 and 3001 bytes.
            (vec![1000, 1887], vec![2887]),
            (vec![1000, 1888], vec![1000, 1888]),
            (vec![1000, 1889], vec![1000, 1889]),
            (vec![1000, 1000, 887, 500], vec![2887, 500]),
            (vec![1000; 10], vec![2000; 5]),
            (vec![4000, 10], vec![4000, 10]),
        ] {
            let text: Vec<u8> = lens.iter().flat_map(|len| line(*len)).collect();
            let parts = parts(&text);
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), expected);
            assert_eq!(parts.concat(), text);
        }
        let small: Vec<u8> = (0..500).flat_map(|_| line(20)).collect();
        let parts = parts(&small);
        assert_eq!(parts.len(), 4);
        assert!(parts.iter().all(|part| part.ends_with(END) && HEAD_LEN + part.len() < MAX_REQUEST));
        assert_eq!(parts.concat(), small);
    }

    #[test]
    fn what_has_no_line_end_is_one_part() {
        assert_eq!(first_part(&[b'x'; 9_000]), 9_000);
        assert_eq!(first_part(b""), 0);
        assert!(has_line(b"a\n\x0c") && !has_line(b"a\nb\x0c") && !has_line(b""));
    }
}
