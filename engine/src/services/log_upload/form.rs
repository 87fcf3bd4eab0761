//! The two forms of an upload: that of the C SDK 3.2.3 (log_upload.md section 3), and that of 3.3.0 (section 8).

/// How lines are written, in an upload and where the program keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Behind a head, each with an end.
    Plain,
    /// Texts of a JSON list, each with a comma and a blank behind it.
    Json,
}

/// What stands before the lines of [`Form::Plain`], in bytes. That of the other is about as long.
pub const HEAD_LEN: usize = 112;
/// A request is shorter than this.
const MAX_REQUEST: usize = 3_000;
/// What ends a line of [`Form::Plain`].
pub(super) const END: &[u8] = b"\n\x0c";
/// What stands behind one of [`Form::Json`].
pub(super) const SEPARATOR: &[u8] = b", ";

impl Form {
    /// Hands `put` the pieces of `line` as it is written.
    pub(super) fn write(self, line: &[u8], mut put: impl FnMut(&[u8])) {
        match self {
            Form::Plain => {
                put(line);
                put(END);
            }
            Form::Json => {
                put(b"\"");
                escape(line, &mut put);
                put(b"\"");
                put(SEPARATOR);
            }
        }
    }

    /// How long the line is that `text` begins with; `None` where it is none, or not whole.
    fn first_line(self, text: &[u8]) -> Option<usize> {
        match self {
            Form::Plain => text.windows(END.len()).position(|window| window == END).map(|at| at + END.len()),
            Form::Json => {
                let len = json_text(text)?;
                text.get(len..)?.starts_with(SEPARATOR).then_some(len + SEPARATOR.len())
            }
        }
    }

    /// What can be sent of a text that was kept: what is no line must not spoil those before it.
    #[must_use]
    pub fn sound(self, text: &[u8]) -> &[u8] {
        let mut rest = text;
        while let Some((_, later)) = self.first_line(rest).and_then(|len| rest.split_at_checked(len)) {
            rest = later;
        }
        match self {
            // Behind the last end there may be anything.
            Form::Plain if rest.len() < text.len() => text,
            _ => text.get(..text.len() - rest.len()).unwrap_or_default(),
        }
    }

    /// How many bytes of `text` go into its first request: the most whole lines that keep it short enough, at least one.
    #[must_use]
    pub fn first_part(self, text: &[u8]) -> usize {
        if HEAD_LEN + text.len() < MAX_REQUEST {
            return text.len();
        }
        let mut part = 0;
        while let Some(len) = text.get(part..).and_then(|rest| self.first_line(rest)) {
            if part > 0 && HEAD_LEN + part + len >= MAX_REQUEST {
                break;
            }
            part += len;
        }
        // What has no end is no reason to send for ever.
        if part == 0 {
            text.len()
        } else {
            part
        }
    }
}

/// The content of a JSON text: with `/` escaped as the C SDK does it, and with what is no UTF-8 replaced.
fn escape(line: &[u8], put: &mut impl FnMut(&[u8])) {
    for chunk in line.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => put(b"\\\""),
                '\\' => put(b"\\\\"),
                '/' => put(b"\\/"),
                '\u{8}' => put(b"\\b"),
                '\u{c}' => put(b"\\f"),
                '\n' => put(b"\\n"),
                '\r' => put(b"\\r"),
                '\t' => put(b"\\t"),
                '\0'..='\u{1f}' => put(format!("\\u{:04x}", character as u32).as_bytes()),
                _ => put(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            put(b"\\ufffd");
        }
    }
}

/// How long the JSON text is that `text` begins with, its quotes included.
fn json_text(text: &[u8]) -> Option<usize> {
    let content = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += match *content.get(at)? {
            b'"' => break,
            b'\\' => match *content.get(at + 1)? {
                b'u' => content.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit).then_some(6)?,
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                _ => return None,
            },
            0..=0x1f => return None,
            _ => 1,
        };
    }
    std::str::from_utf8(content.get(..at)?).ok()?;
    Some(at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(form: Form, mut text: &[u8]) -> Vec<&[u8]> {
        let mut parts = Vec::new();
        while !text.is_empty() {
            let (part, rest) = text.split_at(form.first_part(text));
            parts.push(part);
            text = rest;
        }
        parts
    }

    fn written(form: Form, line: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        form.write(line, |piece| text.extend_from_slice(piece));
        text
    }

    #[test]
    fn case_05_a_text_is_split_at_line_ends_below_3000_bytes() {
        for form in [Form::Plain, Form::Json] {
            let line = |len: usize| written(form, &vec![b'z'; len - written(form, b"").len()]);
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
                let parts = parts(form, &text);
                assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), expected);
                assert_eq!(parts.concat(), text);
            }
            let small: Vec<u8> = (0..500).flat_map(|_| line(20)).collect();
            let parts = parts(form, &small);
            assert_eq!(parts.len(), 4);
            assert!(parts.iter().all(|part| part.len() % 20 == 0 && HEAD_LEN + part.len() < MAX_REQUEST));
            assert_eq!(parts.concat(), small);
        }
    }

    #[test]
    fn what_has_no_line_end_is_one_part_and_not_sound() {
        for form in [Form::Plain, Form::Json] {
            assert_eq!(form.first_part(&[b'x'; 9_000]), 9_000);
            assert_eq!(form.first_part(b""), 0);
            for text in [&b""[..], b"a\nb\x0c", b"garbage"] {
                assert_eq!(form.sound(text), b"");
            }
        }
        assert_eq!(Form::Plain.sound(b"a\n\x0cb"), b"a\n\x0cb");
    }

    #[test]
    fn case_21_a_line_of_json_is_escaped_and_found_again() {
        for (line, expected) in [
            (&b"plain"[..], r#""plain", "#),
            (b"a \", \" b\\", r#""a \", \" b\\", "#),
            (b"/\x08\x0c\n\r\t\x01\x1f", r#""\/\b\f\n\r\t\u0001\u001f", "#),
            ("\u{e4}\u{1f600}".as_bytes(), "\"\u{e4}\u{1f600}\", "),
            (b"\xff ok \xc3", r#""\ufffd ok \ufffd", "#),
        ] {
            let text = written(Form::Json, line);
            assert_eq!(String::from_utf8_lossy(&text), expected);
            assert_eq!(Form::Json.first_line(&[&text[..], b"\"next"].concat()), Some(text.len()));
        }
    }

    #[test]
    fn case_14_what_is_no_json_ends_what_can_be_sent() {
        let good = br#""a", "b\u00e4", "#;
        for bad in [
            &b"x"[..],
            b"\"open",
            b"\"half\",",
            b"\"line\n\", ",
            br#""\x", "#,
            br#""\"#,
            br#""\u12g4", "#,
            br#""\u12"#,
            b"\"\xff\", ",
        ] {
            assert_eq!(Form::Json.sound(&[&good[..], bad].concat()), good, "{bad:?}");
        }
        assert_eq!(Form::Json.sound(good), good);
    }
}
