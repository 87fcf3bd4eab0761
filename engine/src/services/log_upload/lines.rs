//! The lines that wait to be sent (log_upload.md section 2).

use super::form::{Form, END, HEAD_LEN};
use crate::helpers::logline::boundary;

/// The buffer with the head of a request, in bytes.
const SIZE: usize = 5_000;
/// With less room left it is time to send.
const LOW: usize = 1_250;
/// The most of a line with its end. The longest that is printed has one byte more.
const MAX_LINE: usize = 1_022;

/// Lines in the order in which they came, as they are sent. Memory is asked for once.
#[derive(Debug)]
pub struct Lines {
    form: Form,
    text: Vec<u8>,
    dropped: u32,
}

impl Lines {
    /// An empty buffer; `None` without memory for it.
    #[must_use]
    pub fn new(form: Form) -> Option<Self> {
        let mut text = Vec::new();
        text.try_reserve_exact(SIZE - HEAD_LEN).ok()?;
        Some(Lines { form, text, dropped: 0 })
    }

    /// Adds a line as it is printed, with its NUL or without, cut where it is too long. False where it does not fit: it is
    /// counted only.
    pub fn push(&mut self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\0").unwrap_or(line);
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let line = if line.len() > MAX_LINE - END.len() { &line[..boundary(line, MAX_LINE - END.len())] } else { line };
        let mut len = 0;
        self.form.write(line, |piece| len += piece.len());
        let fits = len <= self.room();
        if fits {
            self.form.write(line, |piece| self.text.extend_from_slice(piece));
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
        let mut lost = Vec::new();
        if self.dropped > 0 {
            let line = format!("... {} lines dropped", self.dropped);
            self.form.write(line.as_bytes(), |piece| lost.extend_from_slice(piece));
        }
        let mut taken = Vec::new();
        taken.try_reserve_exact(self.text.len() + lost.len()).ok()?;
        taken.extend_from_slice(&self.text);
        taken.extend_from_slice(&lost);
        self.clear();
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_get_their_end_and_keep_their_order() {
        let mut lines = Lines::new(Form::Plain).unwrap();
        assert!(lines.is_empty());
        assert!(lines.push(b"ERR|a\r\n\0") && lines.push(b"ERR|b\r\n") && lines.push(b"no end"));
        assert_eq!(lines.take().unwrap(), b"ERR|a\n\x0cERR|b\n\x0cno end\n\x0c");
        assert!(lines.is_empty());
    }

    #[test]
    fn case_04_a_line_that_is_too_long_is_cut_between_two_characters() {
        let mut lines = Lines::new(Form::Plain).unwrap();
        let fits = "x".repeat(MAX_LINE - END.len());
        assert!(lines.push(format!("{fits}\r\n\0").as_bytes()) && lines.push(format!("{fits}y\r\n\0").as_bytes()));
        let wide = format!("{}\u{56fa}", &fits[2..]);
        assert!(lines.push(format!("{wide}\r\n").as_bytes()));
        let expected = format!("{fits}\n\x0c{fits}\n\x0c{}\n\x0c", &fits[2..]);
        assert_eq!(String::from_utf8(lines.take().unwrap()), Ok(expected));
    }

    #[test]
    fn a_full_buffer_counts_what_it_drops() {
        let mut lines = Lines::new(Form::Plain).unwrap();
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
}
