//! Where hubs on several machines have the same keys from.

use crate::model::Problem;

/// Keys that the store keeps for every hub on it. Each method is one whole transaction.
pub trait Keys {
    /// The key of this name, where one was shared.
    fn shared_key(&self, name: &str) -> Result<Option<Vec<u8>>, Problem>;

    /// Shares a key; one that is there stays.
    fn share_key(&self, name: &str, key: &[u8]) -> Result<(), Problem>;
}
