//! What hubs agree on.

use super::engine::Engine;
use super::Records;
use hub_core::ports::agreement::Agreement;
use hub_core::ports::store::Outcome;

impl<E: Engine> Agreement for Records<E> {
    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Outcome<()> {
        self.engine.agree(change)
    }
}
