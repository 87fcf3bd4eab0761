//! Values of the keys in the cloud's messages, checked. What is wrong with one is said with its key.

use std::borrow::Cow;

use crate::helpers::json::{Kind, Value};

/// How much of a text that is only shown is kept, in bytes.
const MAX_SHOWN: usize = 256;

/// At most so many bytes of `text`, whole characters.
#[must_use]
pub fn beginning(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The beginning of a text that is only shown; empty where there is none.
#[must_use]
pub fn shown(value: Option<Value<'_>>) -> String {
    let text = value.and_then(|value| value.text()?.to_str().ok()).unwrap_or_default();
    beginning(&text, MAX_SHOWN).to_owned()
}

/// The value of `key`. `null` counts as not there.
///
/// # Errors
/// It is not there.
pub fn given<'a>(key: &str, value: Option<Value<'a>>) -> Result<Value<'a>, String> {
    value.filter(|value| value.kind() != Kind::Null).ok_or_else(|| format!("{key} is missing"))
}

/// A text.
///
/// # Errors
/// It is not there, or none.
pub fn string<'a>(key: &str, value: Option<Value<'a>>) -> Result<Cow<'a, str>, String> {
    let text = given(key, value)?.text().ok_or_else(|| format!("{key} is not a string"))?;
    text.to_str().map_err(|why| format!("{key} {why}"))
}

/// `result_code`.
///
/// # Errors
/// It is not there, or no number.
pub fn result_code(value: Option<Value<'_>>) -> Result<i64, String> {
    const KEY: &str = "result_code";
    given(KEY, value)?.whole().ok_or_else(|| format!("{KEY} is neither a number nor a string of digits"))
}

/// A size in bytes, at least 1.
///
/// # Errors
/// It is not there, or no such number.
pub fn size(key: &str, value: Option<Value<'_>>) -> Result<u32, String> {
    match given(key, value)?.whole() {
        None => Err(format!("{key} is neither a whole number nor a string of digits")),
        Some(0) => Err(format!("{key} is 0")),
        Some(..=-1) => Err(format!("{key} is negative")),
        Some(size) => u32::try_from(size).map_err(|_| format!("{key} is above 4294967295")),
    }
}

/// An MD5 of 32 hex digits, as received.
///
/// # Errors
/// It is not there, or none.
pub fn md5sum(key: &str, value: Option<Value<'_>>) -> Result<String, String> {
    let text = string(key, value)?;
    let text = text.trim();
    if is_md5sum(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("{key} is not 32 hex digits"))
    }
}

/// Whether `text` is an MD5 of 32 hex digits.
#[must_use]
pub fn is_md5sum(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}
