//! What the hubs of one database agree on.

use std::sync::Arc;

use crate::model::Problem;

/// A text that the hubs of one database keep together.
pub trait Agreement: Send + Sync {
    /// Lets `change` see the text, which is empty at first, and say what it is to be; `None` leaves it as it is. No other
    /// hub sees or changes it meanwhile, and no watcher is told. `change` may be called again, as if it had not been
    /// called before.
    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Result<(), Problem>;
}

impl<T: Agreement + ?Sized> Agreement for Arc<T> {
    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Result<(), Problem> {
        (**self).agree(change)
    }
}
