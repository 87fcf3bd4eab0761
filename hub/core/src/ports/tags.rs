//! What the hub needs of a store for the devices' tags.

use crate::model::{DeviceFilter, Page, Problem, RunningVersion, Tag};

type Outcome<T> = Result<T, Problem>;

/// The devices that a change of tags is for.
#[derive(Clone, Copy, Debug)]
pub enum Tagged<'a> {
    /// Those with these client ids, all of which must be there.
    Named(&'a [String]),
    /// Those of the filter whose client id or device name begins so. The filter has a product.
    Found(&'a DeviceFilter, &'a str),
}

/// The devices' tags. Each method is one whole transaction.
pub trait Tags {
    /// Gives a device these tags and takes all others from it.
    fn set_tags(&self, client_id: &str, tags: &[String]) -> Outcome<()>;

    /// Gives devices tags, and takes tags from them. Returns how many devices these are, and the client ids of so many as are
    /// to be named. Nothing is changed where one would have too many.
    fn change_tags(
        &self,
        devices: Tagged<'_>,
        add: &[String],
        remove: &[String],
        named: u64,
    ) -> Outcome<(u64, Vec<String>)>;

    /// Tags of a product's devices, in order; a search is for how they begin.
    fn tags(&self, product_id: &str, page: &Page) -> Outcome<Vec<Tag>>;

    /// The versions that a product's devices have reported last, in order. It costs the devices that run them.
    fn running_versions(&self, product_id: &str, page: &Page) -> Outcome<Vec<RunningVersion>>;
}
