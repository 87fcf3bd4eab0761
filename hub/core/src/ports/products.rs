//! What the hub needs of a store for the products whose devices may register.

use crate::model::{Problem, Product};

type Outcome<T> = Result<T, Problem>;

/// The products with a secret. Each method is one whole transaction.
pub trait Products {
    /// Every product with a secret, in order.
    fn products(&self) -> Outcome<Vec<Product>>;

    /// A product's secret, and whether its devices may register.
    fn product_secret(&self, product_id: &str) -> Outcome<Option<(String, bool)>>;

    /// Switches registration on or off. A product without a secret gets what `make` makes, another one what is given.
    fn set_registration(
        &self,
        product_id: &str,
        enabled: bool,
        given: Option<&str>,
        make: &mut dyn FnMut() -> Outcome<String>,
    ) -> Outcome<()>;
}
