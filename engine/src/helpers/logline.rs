//! One log line: `LVL|time|file|function(line): text\r\n` (behaviour.md section 2).

use std::fmt;

/// How much a message matters; a level prints itself and everything that matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// `ERR`
    Error = 1,
    /// `WRN`
    Warn = 2,
    /// `INF`
    Info = 3,
    /// `DBG`
    Debug = 4,
}

impl Level {
    /// The level with C's number 1..4. `None` for 0 (printing switched off) and everything else.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Level> {
        match number {
            1 => Some(Level::Error),
            2 => Some(Level::Warn),
            3 => Some(Level::Info),
            4 => Some(Level::Debug),
            _ => None,
        }
    }

    /// The three letters that begin a line.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Level::Error => "ERR",
            Level::Warn => "WRN",
            Level::Info => "INF",
            Level::Debug => "DBG",
        }
    }
}

/// The number that C gave as a print level, brought into 0..=4: what is above counts as `DBG`.
#[must_use]
pub fn clamp_level(number: u32) -> u32 {
    number.min(Level::Debug as u32)
}

/// `path` without its folders, which either kind of slash ends.
#[must_use]
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/' || byte == b'\\').next().unwrap_or(path)
}

/// What a Rust log record's target says about where it came from: the last part of a module path, or all of a target
/// that is a function's name.
#[must_use]
pub fn function_name(target: &str) -> &str {
    target.rsplit("::").next().unwrap_or(target)
}

/// Everything before a line's text.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// How much the message matters.
    pub level: Level,
    /// Local time, as the platform writes it.
    pub time: &'a [u8],
    /// Source file; its folders are left out.
    pub file: &'a [u8],
    /// Function.
    pub function: &'a [u8],
    /// Line in `file`.
    pub line: i64,
}

/// What follows the text: CR, LF and C's NUL.
const END: &[u8] = b"\r\n\0";

/// Puts a line together in place. `N` is the longest line in bytes, `\r\n` included, plus one for the NUL that C wants
/// behind it. What does not fit is cut at the end, between characters.
pub struct LineBuffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
    full: bool,
}

impl<const N: usize> LineBuffer<N> {
    /// A line that has everything but its text.
    #[must_use]
    pub fn new(origin: &Origin<'_>) -> Self {
        const { assert!(N > END.len()) };
        let mut line = LineBuffer { bytes: [0; N], len: 0, full: false };
        for part in [origin.level.tag().as_bytes(), b"|", origin.time, b"|", file_name(origin.file), b"|"] {
            line.push(part);
        }
        line.push(origin.function);
        // A LineBuffer takes whatever is written to it.
        let _ = fmt::Write::write_fmt(&mut line, format_args!("({}): ", origin.line));
        line
    }

    /// Adds text, as much as fits. Once something did not fit, nothing more is taken.
    pub fn push(&mut self, text: &[u8]) {
        if self.full {
            return;
        }
        let room = N - END.len() - self.len;
        let fits = if text.len() <= room { text } else { &text[..boundary(text, room)] };
        self.full = fits.len() < text.len();
        self.bytes[self.len..self.len + fits.len()].copy_from_slice(fits);
        self.len += fits.len();
    }

    /// The finished line with its `\r\n` and a NUL behind it. No NUL comes earlier: one inside the text ends it.
    #[must_use]
    pub fn finish(&mut self) -> &[u8] {
        let text = &self.bytes[..self.len];
        let len = text.iter().position(|&byte| byte == 0).unwrap_or(self.len);
        self.bytes[len..len + END.len()].copy_from_slice(END);
        &self.bytes[..len + END.len()]
    }
}

/// Control characters become spaces: much of what this library logs was written by a server, which must not be able to
/// end the line and begin another.
impl<const N: usize> fmt::Write for LineBuffer<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (index, part) in text.split(|c: char| c.is_ascii_control()).enumerate() {
            if index > 0 {
                self.push(b" ");
            }
            self.push(part.as_bytes());
        }
        Ok(())
    }
}

/// The largest index up to `limit` at which `text` can be cut without splitting a UTF-8 character. In text that is
/// not UTF-8 it is `limit` itself or a few bytes less.
#[must_use]
pub fn boundary(text: &[u8], limit: usize) -> usize {
    let is_continuation = |index: usize| text.get(index).is_some_and(|byte| byte & 0xC0 == 0x80);
    // A character has at most three continuation bytes; a longer run of them is no UTF-8 and may be cut anywhere.
    (limit.saturating_sub(3)..=limit).rev().find(|&index| !is_continuation(index)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(file: &'static str) -> Origin<'static> {
        Origin {
            level: Level::Info,
            time: b"2024-02-29 23:59:58",
            file: file.as_bytes(),
            function: b"IOT_MQTT_Construct",
            line: 218,
        }
    }

    fn line<const N: usize>(text: &[u8]) -> Vec<u8> {
        let mut buffer = LineBuffer::<N>::new(&origin("a/b/mqtt_client.c"));
        buffer.push(text);
        buffer.finish().to_vec()
    }

    const HEAD: &str = "INF|2024-02-29 23:59:58|mqtt_client.c|IOT_MQTT_Construct(218): ";

    #[test]
    fn a_line_has_the_c_sdks_form() {
        assert_eq!(line::<1024>(b"mqtt connect success"), format!("{HEAD}mqtt connect success\r\n\0").into_bytes());
    }

    #[test]
    fn folders_are_left_out_whatever_the_slash() {
        for (path, name) in [("x.c", "x.c"), ("/a/x.c", "x.c"), (r"C:\src\x.c", "x.c"), (r"a/b\x.c", "x.c"), ("a/", "")]
        {
            assert_eq!(file_name(path.as_bytes()), name.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_targets_last_part_is_the_function() {
        assert_eq!(function_name("IOT_OTA_Init"), "IOT_OTA_Init");
        assert_eq!(function_name("iot_sdk::drive::mqtt"), "mqtt");
    }

    #[test]
    fn a_long_text_is_cut_and_the_line_still_ends() {
        for length in [1023 - HEAD.len() - 3, 1023 - HEAD.len() - 2, 1023 - HEAD.len() - 1, 5000] {
            let whole = line::<1024>(&vec![b'x'; length]);
            assert_eq!(whole.len(), (HEAD.len() + length + 3).min(1024), "{length}");
            assert!(whole.ends_with(b"x\r\n\0"));
        }
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        for character in ["\u{e9}", "\u{56fa}", "\u{1f4a9}"] {
            for lead in 0..4 {
                let text = "x".repeat(lead) + &character.repeat(400);
                let whole = line::<512>(text.as_bytes());
                let cut = std::str::from_utf8(&whole).unwrap();
                assert!(cut.len() > 512 - 4 && cut.len() <= 512, "{}", cut.len());
                assert!(cut.ends_with(&format!("{character}\r\n\0")));
            }
        }
    }

    #[test]
    fn text_that_is_no_utf8_is_cut_too() {
        assert!(line::<512>(&[0x80; 600]).len() > 500);
        assert!(line::<512>(&[0xFF; 600]).len() > 500);
    }

    #[test]
    fn nothing_follows_a_cut() {
        let mut buffer = LineBuffer::<80>::new(&origin("x.c"));
        buffer.push("\u{56fa}".repeat(20).as_bytes());
        let before = buffer.finish().to_vec();
        buffer.push(b"y");
        assert_eq!(buffer.finish(), before);
    }

    #[test]
    fn an_over_long_origin_is_no_trouble() {
        let long = vec![b'f'; 3000];
        let mut buffer = LineBuffer::<512>::new(&Origin { time: &long, ..origin("x.c") });
        buffer.push(b"text");
        assert_eq!(buffer.finish().len(), 512);
    }

    #[test]
    fn a_nul_inside_ends_the_text() {
        assert_eq!(line::<512>(b"ab\0cd"), format!("{HEAD}ab\r\n\0").into_bytes());
    }

    #[test]
    fn a_text_of_a_server_cannot_begin_a_line() {
        let mut buffer = LineBuffer::<512>::new(&origin("x.c"));
        fmt::Write::write_str(&mut buffer, "refused: \r\nERR|\u{1b}[2J\0end").unwrap();
        assert!(buffer.finish().ends_with(b": refused:   ERR| [2J end\r\n\0"));
    }

    #[test]
    fn levels_are_taken_from_numbers() {
        assert_eq!(Level::from_number(0), None);
        assert_eq!(Level::from_number(1).map(Level::tag), Some("ERR"));
        assert_eq!(Level::from_number(2).map(Level::tag), Some("WRN"));
        assert_eq!(Level::from_number(3).map(Level::tag), Some("INF"));
        assert_eq!(Level::from_number(4).map(Level::tag), Some("DBG"));
        assert_eq!(Level::from_number(5), None);
        assert_eq!(Level::from_number(-1), None);
        assert_eq!(clamp_level(2), 2);
        assert_eq!(clamp_level(u32::MAX), 4);
    }
}
