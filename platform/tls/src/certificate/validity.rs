//! Whether a certificate may be used now.

use super::der::Facts;
use super::refusal::Refusal;

/// Whether the time of a certificate has begun and is not over.
///
/// # Errors
/// It has not, or it is.
pub fn check(facts: &Facts<'_>, now: u64) -> Result<(), Refusal> {
    if now < facts.not_before {
        return Err(Refusal::NotYet { now, begins: facts.not_before });
    }
    if now > facts.not_after {
        return Err(Refusal::Expired(facts.not_after));
    }
    Ok(())
}
