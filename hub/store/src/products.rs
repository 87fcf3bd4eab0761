//! The products whose devices may register.

use rusqlite::{params, OptionalExtension, Row};

use super::{Database, Durability};
use hub_core::model::Product;
use hub_core::ports::products::Products;
use hub_core::ports::store::Outcome;

impl Products for Database {
    fn products(&self) -> Outcome<Vec<Product>> {
        let product = |row: &Row<'_>| Ok(Product { product_id: row.get(0)?, registration: row.get(1)? });
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT product_id, enabled FROM products ORDER BY product_id")?;
            let products = statement.query_map([], product)?.collect::<rusqlite::Result<_>>()?;
            Ok(products)
        })
    }

    fn product_secret(&self, product_id: &str) -> Outcome<Option<(String, bool)>> {
        self.read(|db| {
            let sql = "SELECT secret, enabled FROM products WHERE product_id = ?";
            let found = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            Ok(db.prepare_cached(sql)?.query_row([product_id], found).optional()?)
        })
    }

    fn set_registration(
        &self,
        product_id: &str,
        enabled: bool,
        given: Option<&str>,
        make: &mut dyn FnMut() -> Outcome<String>,
    ) -> Outcome<()> {
        self.write(Durability::Full, |db| {
            let sql = "SELECT secret FROM products WHERE product_id = ?";
            let there: Option<String> = db.prepare_cached(sql)?.query_row([product_id], |row| row.get(0)).optional()?;
            let secret = match (given, there) {
                (Some(given), _) => given.to_owned(),
                (None, Some(there)) => there,
                (None, None) => make()?,
            };
            let sql = "INSERT OR REPLACE INTO products (product_id, secret, enabled) VALUES (?, ?, ?)";
            db.prepare_cached(sql)?.execute(params![product_id, secret, enabled])?;
            Ok(())
        })
    }
}
