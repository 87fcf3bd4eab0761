//! What the hub needs of a store for when devices were seen.

use crate::model::Problem;

/// When devices were seen. Each method is one whole transaction.
pub trait SeenStore {
    /// Keeps when these devices, by client id, were seen; one that is unknown is left out.
    fn note_seen(&self, seen: &[(String, u64)]) -> Result<(), Problem>;
}
