//! What the hub needs of a store for gateways.

use crate::model::{Gateway, Problem};

type Outcome<T> = Result<T, Problem>;

/// Which device is bound to which gateway; a device to one at most. Each method is one whole transaction.
pub trait Gateways {
    /// Every gateway that has devices, with them, in order of client id; but for whether anything is there.
    fn gateways(&self) -> Outcome<Vec<Gateway>>;

    /// A device as a gateway, with the devices that are bound to it, in order of client id.
    fn gateway(&self, client_id: &str) -> Outcome<Gateway>;

    /// The gateway a device is bound to.
    fn gateway_of(&self, client_id: &str) -> Outcome<Option<String>>;

    /// Binds a device, unless it is bound. Returns the gateway that it was bound to before.
    fn bind(&self, gateway: &str, client_id: &str) -> Outcome<Option<String>>;

    /// Unbinds a device. False where it is not bound to this gateway.
    fn unbind(&self, gateway: &str, client_id: &str) -> Outcome<bool>;

    /// Unbinds every device of a gateway, and returns it as it was before.
    fn unbind_all(&self, gateway: &str) -> Outcome<Gateway>;
}
