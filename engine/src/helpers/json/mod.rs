//! JSON from outside, read where it stands: no tree, no recursion, nothing copied but what is asked for.
//!
//! One scanner serves the messages of the cloud and the C helpers (`LITE_json_*`, behaviour.md section 6). It needs the
//! same few hundred bytes of stack whatever the text holds. It takes what the JSON readers of C programs take, where no
//! harm can come of it:
//!
//! - control characters inside strings, and bytes that are not UTF-8 (an error only where such a string is asked for);
//! - `NaN` and `Infinity`, which some libraries write, as numbers without a value; `TRUE`, `FALSE` and `NULL`;
//! - anything behind the end of the outermost object;
//! - for messages of the cloud ([`message`]): a byte order mark in front, and a NUL, where the text ends for C code.
//!
//! Where a key comes twice, its first value counts, as in the C SDK.

mod lookup;
mod number;
mod scanner;
mod text;

pub use lookup::{find, keys_of, value_of, values, without_backslashes, MAX_DEPTH, MAX_PATH};
pub use scanner::{Items, Kind, Object, Value};
pub use text::{quoted, Text};

use std::fmt;

/// What is wrong with a text, and where. Never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Not JSON, or not an object on the outside: what is wrong, and at which byte, from 0.
    Syntax(&'static str, usize),
    /// Objects nested deeper than [`MAX_DEPTH`].
    Depth,
    /// A path longer than [`MAX_PATH`].
    Path,
    /// No memory for the answer.
    Memory,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Syntax(what, at) => write!(f, "the text is not a JSON object: {what} at byte {at}"),
            Error::Depth => write!(f, "objects are nested more than {MAX_DEPTH} deep"),
            Error::Path => write!(f, "a key's path is longer than {MAX_PATH} bytes"),
            Error::Memory => f.write_str("no memory"),
        }
    }
}

impl std::error::Error for Error {}

/// The text of a message from the cloud: without a byte order mark, and up to the first NUL. Publishers that are written
/// in C send the NUL of their string too, or a whole buffer.
#[must_use]
pub fn message(payload: &[u8]) -> &[u8] {
    let text = payload.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(payload);
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
