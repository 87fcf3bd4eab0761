//! Products whose devices may register, as the API says them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A product with a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    pub product_id: String,
    /// Whether its devices may register.
    pub registration: bool,
}

/// The products with a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductList {
    pub products: Vec<Product>,
}

/// A product with its secret, which its devices have all in common.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ProductSecret {
    pub product: Product,
    /// As it stands in `device_info.json`.
    pub secret: String,
}

/// Whether the devices of a product may register.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRegistration {
    pub enabled: bool,
    /// For a product that has one already; made anew where the product has none yet.
    #[schema(min_length = 16, max_length = 32, pattern = "^[!-~]*$")]
    pub secret: Option<String>,
}
