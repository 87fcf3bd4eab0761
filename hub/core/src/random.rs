//! Random bytes for secrets and names.

use crate::error::{Fatal, Result};

/// So many random bytes.
pub fn bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Fatal::new("the system has no random numbers")),
    }
}
