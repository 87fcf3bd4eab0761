//! The chunked transfer coding (RFC 9112 section 7.1), as far as data is concerned: trailers are not read, since the
//! connection serves one answer only.

/// Longest line with the size of a chunk that is waited for. Extensions are allowed and ignored.
const MAX_LINE: usize = 4096;

/// Takes chunks apart.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// A line with a size comes next.
    #[default]
    Size,
    /// So many bytes of the chunk are left.
    Data(u64),
    /// The line end behind a chunk comes next.
    DataEnd,
    /// The last chunk has been seen.
    Done,
}

impl Chunked {
    /// Whether the last chunk has been seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Moves data from `input` to `out`. Returns how many bytes of each were used; no byte of `input` means that more
    /// of it is needed, that `out` has no room, or that the last chunk has been seen.
    ///
    /// # Errors
    /// What is malformed.
    pub fn read(&mut self, input: &[u8], out: &mut [u8]) -> Result<(usize, usize), &'static str> {
        match &mut self.state {
            State::Size => {
                let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
                    return if input.len() > MAX_LINE { Err("a line has no end") } else { Ok((0, 0)) };
                };
                self.state = match size(input.get(..end).unwrap_or_default()).ok_or("its size is no number")? {
                    0 => State::Done,
                    size => State::Data(size),
                };
                Ok((end + 1, 0))
            }
            State::Data(left) => {
                let count = input.len().min(out.len()).min(usize::try_from(*left).unwrap_or(usize::MAX));
                if let (Some(to), Some(from)) = (out.get_mut(..count), input.get(..count)) {
                    to.copy_from_slice(from);
                }
                *left -= count as u64;
                if *left == 0 {
                    self.state = State::DataEnd;
                }
                Ok((count, count))
            }
            State::DataEnd => {
                let used = match input {
                    [b'\r', b'\n', ..] => 2,
                    [b'\n', ..] => 1,
                    [] | [b'\r'] => return Ok((0, 0)),
                    _ => return Err("it is longer than its size"),
                };
                self.state = State::Size;
                Ok((used, 0))
            }
            State::Done => Ok((0, 0)),
        }
    }
}

/// Reads `size [;extension] [CR]`: 1 to 16 hex digits.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, rest) = line.split_at(digits);
    let is_number = (1..=16).contains(&digits.len());
    let rest_is_fine = match rest.trim_ascii_start() {
        [] => true,
        [first, ..] => *first == b';',
    };
    if !is_number || !rest_is_fine {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `input` in pieces of `piece` bytes into pieces of `room` bytes.
    fn decoded(input: &[u8], piece: usize, room: usize) -> Result<(Vec<u8>, bool), &'static str> {
        let mut chunked = Chunked::default();
        let (mut held, mut data) = (Vec::new(), Vec::new());
        for part in input.chunks(piece) {
            held.extend_from_slice(part);
            loop {
                let mut out = vec![0; room];
                let (used, count) = chunked.read(&held, &mut out)?;
                held.drain(..used);
                data.extend_from_slice(&out[..count]);
                if used == 0 {
                    break;
                }
            }
        }
        Ok((data, chunked.is_done()))
    }

    #[test]
    fn data_comes_out_whatever_the_pieces() {
        for input in [
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
            "5\nhello\n6\n world\n0\n\n",
            "5;name=value\r\nhello\r\n006 \t;x\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
            "0000000000000005 \r\nhello\r\n6\r\n world\r\n0;last\r\n",
            "B\r\nhello world\r\n0\r\n",
            "b\r\nhello world\r\n0\r\n",
        ] {
            for piece in [1, 2, 3, 100] {
                for room in [1, 4, 100] {
                    assert_eq!(decoded(input.as_bytes(), piece, room), Ok((b"hello world".to_vec(), true)), "{input}");
                }
            }
        }
    }

    #[test]
    fn what_is_cut_short_is_not_done() {
        for input in ["", "5", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r", "5\r\nhello\r\n0\r"] {
            assert!(!decoded(input.as_bytes(), 2, 10).unwrap().1, "{input}");
        }
    }

    #[test]
    fn malformed_chunks_are_errors() {
        for input in [
            "\r\n",
            "zz\r\n",
            "-5\r\n",
            "+5\r\n",
            " 5\r\n",
            "5x\r\n",
            "5 5\r\n",
            "0x5\r\n",
            ";x\r\n",
            "12345678123456781\r\n",
            "5\r\nhello!\r\n",
            "5\r\nhello\rX",
            "\u{ff15}\r\n",
        ] {
            assert!(decoded(input.as_bytes(), 100, 100).is_err(), "{input}");
        }
        assert!(decoded(&[b'0'; MAX_LINE + 1], 100, 100).is_err());
        assert_eq!(size(b"ffffffffffffffff"), Some(u64::MAX));
    }

    #[test]
    fn without_room_nothing_is_used() {
        let mut chunked = Chunked { state: State::Data(5) };
        assert_eq!(chunked.read(b"hello", &mut []), Ok((0, 0)));
    }
}
