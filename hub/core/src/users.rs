//! Tokens of users. A token is made by the hub and shown once; what a browser keeps is a ticket made of it, and what the
//! database keeps a hash of the ticket. So neither says what came before it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::random;

/// Random bytes of a token.
const TOKEN: usize = 32;
/// Characters a user's name may have.
pub const MAX_NAME: usize = 128;
/// Who has the token that the hub was started with.
pub const CONSOLE: &str = "console";
/// Whoever sits at this machine, where no token is asked for.
pub const LOCAL: &str = "local";

/// A fresh token.
pub fn token() -> Result<String> {
    Ok(hex::encode(random::bytes(TOKEN)?))
}

/// What proves that one has a token.
pub fn ticket(token: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(token.as_bytes());
    let mut mac = mac.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(b"hub console session");
    mac.finalize().into_bytes().to_vec()
}

/// What the database knows a ticket by.
pub fn hash(ticket: &[u8]) -> String {
    hex::encode(Sha256::digest(ticket))
}

/// Whether a user can have this name: it travels in a header, and the names of those who are no users are taken.
pub fn is_name(name: &str) -> bool {
    let good = !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_graphic());
    good && name != CONSOLE && name != LOCAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_kept_opens_anything() {
        let (token, other) = (token().expect("a token"), token().expect("another"));
        assert_eq!((token.len(), token == other), (2 * TOKEN, false));
        let ticket_hex = hex::encode(ticket(&token));
        assert_ne!(ticket(&token), ticket(&other));
        assert_ne!(hash(&ticket(&token)), hash(&ticket(&ticket_hex)), "a ticket is no token");
        assert_ne!(hash(&ticket(&token)), ticket_hex, "a hash is no ticket");
    }

    #[test]
    fn names() {
        let longest = "x".repeat(MAX_NAME);
        for name in ["a", "alice@example.com", longest.as_str()] {
            assert!(is_name(name), "{name}");
        }
        let too_long = "x".repeat(MAX_NAME + 1);
        for name in ["", "a b", "é", "console", "local", "a\n", too_long.as_str()] {
            assert!(!is_name(name), "{name}");
        }
    }
}
