//! What the hub needs of a store for gateways.

use crate::model::{Gateway, Page, Problem, SubDevice};

type Outcome<T> = Result<T, Problem>;

/// Which device is bound to which gateway; a device to one at most. Each method is one whole transaction.
pub trait Gateways {
    /// So many devices with their gateways, in order of the gateway's and their own client ids, after a device of a gateway;
    /// but for whether anything is there. A search is for the beginning of the gateway's client id.
    fn gateways(&self, after: (&str, &str), search: &str, limit: u64) -> Outcome<Vec<Gateway>>;

    /// Devices that are bound to a gateway, in order of client id, but for whether they are there.
    fn gateway_devices(&self, gateway: &str, page: &Page) -> Outcome<Vec<SubDevice>>;

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
