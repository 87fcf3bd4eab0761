//! User and password of a URL as an `Authorization: Basic` value (RFC 7617).

use crate::helpers::{base64, hex};

/// Longest user and password together, as they stand in the URL.
const MAX_USER_INFO: usize = 1024;

/// The value for `user:password`, where percent-escapes are decoded. `None` where there is neither.
///
/// # Errors
/// What is wrong with it, worded to follow the word "url".
pub fn credentials(user_info: &str) -> Result<Option<String>, String> {
    if user_info.is_empty() {
        return Ok(None);
    }
    if user_info.len() > MAX_USER_INFO {
        return Err(format!("has a user and password of more than {MAX_USER_INFO} bytes"));
    }
    let mut decoded = percent_decoded(user_info);
    if !user_info.contains(':') {
        decoded.push(b':');
    }
    Ok(Some(format!("Basic {}", base64::text(&decoded))))
}

/// A `%` that begins no escape stands for itself.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex::byte(*high, *low),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_become_basic() {
        for (user_info, plain) in [
            ("u:p%20w", "u:p w"),
            ("u", "u:"),
            ("u:", "u:"),
            (":p", ":p"),
            ("Aladdin:open%20sesame", "Aladdin:open sesame"),
            ("u:%zz%4", "u:%zz%4"),
            ("u:100%", "u:100%"),
            ("u:p@w", "u:p@w"),
        ] {
            let expected = format!("Basic {}", base64::text(plain.as_bytes()));
            assert_eq!(credentials(user_info), Ok(Some(expected)), "{user_info}");
        }
        assert_eq!(credentials("u:p%20w").unwrap().unwrap(), "Basic dTpwIHc=");
        assert_eq!(credentials(""), Ok(None));
        assert!(credentials(&"u".repeat(1025)).unwrap_err().contains("1024"));
    }
}
