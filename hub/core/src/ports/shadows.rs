//! What the hub needs of a store for the devices' shadows.

use crate::model::Problem;
use crate::shadow::Document;

type Outcome<T> = Result<T, Problem>;

/// The documents of the devices. Each method is one whole transaction.
pub trait Shadows {
    /// A device's document; an empty one of version 0 where nothing was ever said.
    fn shadow(&self, client_id: &str) -> Outcome<Document>;

    /// Keeps what `change` makes of a device's document; nothing changes where that is `None`.
    fn change_shadow(
        &self,
        client_id: &str,
        change: &mut dyn FnMut(&Document) -> Outcome<Option<Document>>,
    ) -> Outcome<()>;
}
